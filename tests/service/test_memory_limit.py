"""What the unit allows is a limit of the process itself, at which it raises an error where the kernel would kill it."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from syncd.sandbox.http_server import RunningSandbox
from syncd.service.memory_limit import allowed_bytes
from tests.cycle.test_faults import rows
from tests.service.test_process import ROWS, Unit
from tests.support.sandbox import HEADER


def grouped(root: Path, own: str, **limits: str) -> Path:
    """Write control groups below `root`: by the folder, `_` for the top and `/` as `__`, what memory.max says."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(f"0::/{own}\n")
    for name, limit in limits.items():
        folder = root / "sys/fs/cgroup" / name.strip("_").replace("__", "/")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "memory.max").write_text(f"{limit}\n")
    return root


@pytest.mark.parametrize(
    ("limits", "allowed"),
    [
        ({"system__syncd": "500000000"}, 500_000_000),
        ({"system__syncd": "max"}, None),
        ({"system__syncd": "max", "system": "300000000"}, 300_000_000),
        ({"system__syncd": "200000000", "system": "300000000"}, 200_000_000),
        ({"_": "100000000", "system__syncd": "max"}, 100_000_000),
        ({"other": "1"}, None),
        ({}, None),
    ],
)
def test_the_least_of_a_group_and_those_above_it_counts(
    tmp_path: Path, limits: dict[str, str], allowed: int | None
) -> None:
    assert allowed_bytes(grouped(tmp_path, "system/syncd", **limits)) == allowed


def test_a_machine_that_says_nothing_of_groups_has_no_limit(tmp_path: Path) -> None:
    assert allowed_bytes(tmp_path) is None
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("5:memory:/of/the/first/version\n")
    assert allowed_bytes(tmp_path) is None


_GREEDY = """
import sys
from pathlib import Path
from syncd.service.memory_limit import limit_memory
print(limit_memory(Path(sys.argv[1])))
try:
    bytearray(800_000_000)
except MemoryError:
    print("an error, and alive")
"""


def test_beyond_the_limit_there_is_an_error_and_the_process_lives(tmp_path: Path) -> None:
    root = grouped(tmp_path, "syncd", syncd="400000000")
    done = subprocess.run((sys.executable, "-P", "-c", _GREEDY, str(root)), capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["400000000", "an error, and alive"]


async def test_a_pass_beyond_the_limit_fails_with_words_and_the_other_syncs_of_the_daemon_go_on(
    tmp_path: Path, portal: RunningSandbox
) -> None:
    unit = Unit(tmp_path, portal)
    small = unit.text[unit.text.index("[[sync]]") :]
    unit.config.write_text(unit.text + small.replace('"shifts"', '"large"').replace("shifts.csv", "large.csv"))
    (tmp_path / "large.csv").write_text(HEADER + ROWS.replace("1,Early", "7,Large"))
    await unit.start()
    # The limit is for the whole process, so it comes when the first passes have ended and the small sync is at rest.
    at = await unit.hear("STATUS=large: running")
    at = await unit.hear("STATUS=next pass", at)
    assert unit.process is not None
    limit = _data_bytes(unit.process.pid) + 50_000_000
    resource.prlimit(unit.process.pid, resource.RLIMIT_DATA, (limit, resource.RLIM_INFINITY))
    (tmp_path / "large.csv").write_text(HEADER + rows(300_000))
    at = await unit.hear("STATUS=large", at)
    at = await unit.hear("STATUS=next pass", at)
    (tmp_path / "shifts.csv").write_text(HEADER + ROWS + ROWS.replace("1,Early", "2,Late"))
    at = await unit.hear("STATUS=shifts", at)
    await unit.hear("STATUS=next pass", at)
    unit.process.terminate()
    code, logged = await unit.end()
    passes = [one for one in map(json.loads, logged.splitlines()) if one["event"] == "pass.done"]
    failed = [one for one in passes if one["state"] == "failed"]
    assert {one["sync"] for one in failed} == {"large"}
    assert all("MemoryMax" in one["error"] for one in failed)
    assert [one["created"] for one in passes if one["sync"] == "shifts"] == [1, 1]
    assert (code, "Traceback" in logged) == (0, False)


def _data_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmData:"))
