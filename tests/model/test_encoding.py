"""Where memory runs out, reading and writing JSON raises MemoryError, and never ends the process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import msgspec
import orjson
import pytest

import syncd
from syncd.model import json_values
from syncd.model.encoding import decoded, encoded, encoded_short, encoded_sorted, packed, packed_sorted
from syncd.model.json_values import dumps, loads
from syncd.portal.exchange.packed_texts import grouped

_STEPS = """
import collections, os, re, resource, sys
from pathlib import Path
import msgspec
from syncd.app.told_json import told_json
from syncd.model.encoding import decoded, encoded, packed
from syncd.model.json_values import dumps, loads
rows = [{"id": n, "name": f"Shift {n}", "from": "2026-12-01T10:00:00", "of": [n, None]} for n in range(6_000)]
text = dumps(rows, about_bytes=1_000_000)
few = dumps(rows[0])

def many(work, value):
    kept = [b"a list that has its room"] * 1_000_000
    for number in range(1_000_000):
        kept[number] = work(value)

works = {
    "loads": lambda: loads(text), "dumps": lambda: dumps(rows, about_bytes=1_000_000),
    "document": lambda: told_json(rows), "decoded": lambda: decoded(text),
    "encoded": lambda: encoded(rows), "packed": lambda: packed(rows),
    "many loads": lambda: many(loads, few), "many dumps": lambda: many(dumps, rows[0]),
}
ends = collections.Counter()
for number in range(24):
    if not (child := os.fork()):
        used = 1024 * int(re.search(r"VmData:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
        more = (number << 20) if "many" in sys.argv[1] else number * 1_000_000
        resource.setrlimit(resource.RLIMIT_DATA, (used + more, resource.RLIM_INFINITY))
        try:
            works[sys.argv[1]]()
        except MemoryError:
            os._exit(7)
        os._exit(0)
    ends[os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])] += 1
print(*sorted(ends))
"""


def ends_of(work: str) -> list[str]:
    """Return how processes end in which `work` meets ever larger limits.

    They are not measured: what counts the lines that are reached asks for memory, too, and need not look what it got.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SYNCD_TESTS_")}
    command = (sys.executable, "-P", "-c", _STEPS, work)
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("work", ["loads", "dumps", "document", "decoded", "encoded", "packed"])
def test_a_long_text_without_memory_is_a_memory_error_however_much_is_missing(work: str) -> None:
    assert ends_of(work) == ["0", "7"]


@pytest.mark.parametrize("work", ["many loads", "many dumps"])
def test_many_short_texts_without_memory_are_a_memory_error(work: str) -> None:
    assert ends_of(work) == ["7"]


def test_want_of_memory_is_no_malformed_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_memory(text: bytes | str) -> None:
        raise orjson.JSONDecodeError("Not enough memory to allocate buffer for parsing", "", 0)

    starved = SimpleNamespace(loads=without_memory, JSONDecodeError=orjson.JSONDecodeError)
    monkeypatch.setattr(json_values, "orjson", starved)
    with pytest.raises(MemoryError, match="no memory for JSON"):
        loads(b"{}")


def test_a_malformed_text_stays_one() -> None:
    with pytest.raises(orjson.JSONDecodeError, match="unexpected"):
        loads(b"{")
    with pytest.raises(msgspec.DecodeError):
        decoded(b"{")


def test_what_is_written_is_as_the_encoders_write_it() -> None:
    value = {"b": [1, "ж"], "a": None}
    assert dumps(value) == orjson.dumps(value)
    assert dumps(value, option=orjson.OPT_SORT_KEYS) == orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    assert encoded(value) == msgspec.json.encode(value) == encoded_short(value, msgspec.json.Encoder().encode)
    assert encoded_sorted(value) == msgspec.json.encode(value, order="sorted")
    assert packed(value) == msgspec.msgpack.encode(value)
    assert packed_sorted(value) == msgspec.msgpack.encode(value, order="sorted")


def test_texts_that_travel_alone_count_for_nothing() -> None:
    assert grouped(3, [None, "text"]).first == 3


def test_nothing_reads_or_writes_without_asking_for_room() -> None:
    bare = re.compile(r"\borjson\.(?:loads|dumps)\b|\bmsgspec\.(?:json\.(?:encode|decode)|msgpack\.encode)\b")
    top = Path(syncd.__file__).parent
    files = [path.relative_to(top) for path in top.rglob("*.py")]
    found = [str(path) for path in files if "sandbox" not in path.parts and bare.search((top / path).read_text())]
    # The sandbox is a portal, which has memory. Short messages are not worth an import: they ask for room themselves.
    assert sorted(found) == ["lang/saying.py", "model/encoding.py", "model/json_values.py"]
