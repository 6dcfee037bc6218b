"""What the unit allows is a limit of the process itself, at which it raises an error where the kernel would kill it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from syncd.service.memory_limit import allowed_bytes


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
