"""Half of a large feed is parsed by a process beside this one; whatever becomes of it, every event is read."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import IO

import pytest

from syncd import child, control_groups
from syncd.model.entry import Problem
from syncd.source.files import Part
from syncd.source.ical import asking, beside, feed_reader, large_file
from syncd.source.ical.calendar_reader import CalendarReader
from syncd.source.ical.feed_reader import FeedReader
from syncd.source.ical.group_result import GroupResult
from syncd.source.ical.ics import parse_ics
from syncd.source.ical.packed import packed_group
from tests.source.calendars import SUMMER, calendar, event
from tests.support.few_threads import allow_threads

COUNT = 200
EVENTS = tuple(
    event(
        f"SUMMARY:Shift {n}",
        ("DTSTART;TZID=Europe/Moscow:20261201T090000", "DTSTART;TZID=Ours:20261201T090000", "DTSTART:20261301")[n % 3],
        *(["RRULE:FREQ=WEEKLY", "EXDATE:20261208T090000"] if n % 4 == 0 else []),
        *(["no line of iCalendar"] if n % 5 == 0 else []),
        uid=str(n),
    )
    for n in range(COUNT)
)
FEED = calendar(*EVENTS, zones=(SUMMER.format("Ours"),), head="VERSION:2.0\nX-WR-CALNAME:Plan")


@pytest.fixture
def pids(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have small feeds read as large ones are; returns the processes that are started."""
    monkeypatch.setattr(feed_reader, "MANY", 10)
    monkeypatch.setattr(large_file, "BLOCK", 10)
    monkeypatch.setattr(large_file, "WORTH_A_PROCESS", 10)
    monkeypatch.setattr(large_file, "has_room_beside", lambda: True)
    found: list[int] = []
    start = child.start

    def noted(module: str, *arguments: str) -> subprocess.Popen[bytes]:
        process = start(module, *arguments)
        found.append(process.pid)
        return process

    monkeypatch.setattr(child, "start", noted)
    return found


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave all chunks but one to the process beside."""
    parse = large_file._LargeFile._parse
    calls = []

    def after_the_other(self: large_file._LargeFile, chunks: beside.Chunks) -> None:
        calls.append(len(chunks))
        if len(calls) > 1:
            parse(self, chunks)

    monkeypatch.setattr(large_file._LargeFile, "_parse", after_the_other)


def read(name: str = "t.ics") -> Part:
    calendars = CalendarReader(no_end=timedelta(minutes=30), meanings={"elsewhere": "Europe/Paris"})
    reader = FeedReader(known={}, calendars=calendars)
    return parse_ics(name, FEED, encoding="auto", zone="Europe/Moscow", year=2026, reader=reader)


def alone(name: str = "t.ics") -> Part:
    """Return what the feed is without any process, and without being large."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed_reader, "MANY", 1_000_000)
        return read(name)


@pytest.fixture(autouse=True)
def quietly(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No thread may end with an error that nobody foresaw, whatever the plan is."""
    ended: list[object] = []
    monkeypatch.setattr(threading, "excepthook", ended.append)
    yield
    assert ended == []


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_what_the_process_beside_reads_is_what_is_read_here(pids: list[int], slowly: None) -> None:
    found = read()
    assert found == alone()
    assert [type(one.reason) for one in found.problems] == [type(one.reason) for one in alone().problems]
    (pid,) = pids
    assert is_gone(pid)


def test_both_read_one_feed(pids: list[int]) -> None:
    assert read() == alone()
    assert all(map(is_gone, pids))


def strike(what: signal.Signals, pids: list[int], after: int) -> Callable[[IO[bytes]], bytes]:
    """Return what waits for answers like `receive`, and meanwhile sends a signal to the process, after so many."""
    answers: list[bytes] = []

    def receive(stream: IO[bytes]) -> bytes:
        if len(answers) == after:
            os.kill(pids[0], what)
        answers.append(asking.receive(stream))
        return answers[-1]

    return receive


@pytest.mark.parametrize("after", [0, 1, 7])
def test_a_process_that_is_killed_in_mid_reading_costs_nothing(
    pids: list[int], slowly: None, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr(beside, "receive", strike(signal.SIGKILL, pids, after))
    assert read() == alone()
    assert is_gone(pids[0])


def test_a_process_that_hangs_is_killed_and_costs_nothing(
    pids: list[int], slowly: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "_SECONDS", 0.3)
    monkeypatch.setattr(beside, "receive", strike(signal.SIGSTOP, pids, 0))
    assert read() == alone()
    assert is_gone(pids[0])


@pytest.mark.parametrize("most", [1 << 20, 1])
def test_a_process_without_memory_costs_nothing(
    pids: list[int], slowly: None, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(beside, "_MEMORY_BYTES", most)
    assert read() == alone()
    assert is_gone(pids[0])


def test_a_process_that_cannot_begin_costs_nothing(
    pids: list[int], slowly: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_arguments: str) -> subprocess.Popen[bytes]:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(child, "start", refused)
    assert read() == alone()


def test_a_process_of_an_upgraded_program_answers_nothing(
    pids: list[int], slowly: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[bytes] = []

    def noted(stream: IO[bytes]) -> bytes:
        answers.append(asking.receive(stream))
        return answers[-1]

    monkeypatch.setattr(large_file, "PROGRAM", "0.0.9 1700000000000000000")  # as the daemon has loaded it
    monkeypatch.setattr(beside, "receive", noted)
    assert read() == alone()
    assert b"".join(answers) == b""
    assert is_gone(pids[0])


@pytest.mark.parametrize("allowed", [0, 1, 2])
def test_threads_that_cannot_begin_cost_nothing(
    pids: list[int], slowly: None, monkeypatch: pytest.MonkeyPatch, allowed: int
) -> None:
    allow_threads(monkeypatch, allowed)
    assert read() == alone()
    assert all(map(is_gone, pids))


def test_a_file_whose_name_is_no_text_is_read_here(pids: list[int], slowly: None) -> None:
    # A name in another encoding than the system's, as a share of Windows or an old archive leaves it.
    assert read("pl\udce4ne.ics") == alone("pl\udce4ne.ics")


def test_an_answer_whose_length_is_nonsense_costs_nothing(
    pids: list[int], slowly: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if what starts with Python in this environment greeted people.
    monkeypatch.setattr(beside, "receive", lambda _stream: asking.receive(io.BytesIO(b"\xffello, you")))
    assert read() == alone()


@pytest.mark.parametrize("answer", [b"nonsense", b"x\x9c\x03\x00\x00\x00\x00\x01"])
def test_an_answer_that_is_none_costs_nothing(
    pids: list[int], slowly: None, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    def receive(stream: IO[bytes]) -> bytes:
        asking.receive(stream)
        return answer

    monkeypatch.setattr(beside, "receive", receive)
    assert read() == alone()


@pytest.mark.parametrize(
    ("affinity", "quota", "room"),
    [({0}, "max 100000", False), ({0, 1}, "max 100000", True), ({0, 1}, "100000 100000", False), ({0, 1}, "", True)],
)
def test_on_one_core_nothing_runs_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, affinity: set[int], quota: str, room: bool
) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/system/syncd\n")
    (tmp_path / "sys/fs/cgroup/system/syncd").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/system/cpu.max").write_text(quota)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: affinity)
    monkeypatch.setattr(beside, "cores", lambda: control_groups.cores(tmp_path))
    assert beside.has_room_beside() == room


def test_what_has_not_changed_is_the_entry_of_the_reading_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_reader, "MANY", 2)

    def again(text: bytes, before: FeedReader | None) -> tuple[FeedReader, Part]:
        reader = FeedReader(known={}, before=before.entries if before else None)
        packed = before.packed["t.ics"] if before else ()
        part = parse_ics(
            "t.ics", text, encoding="auto", zone="Europe/Moscow", year=2026, reader=reader, packed=packed, keep=True
        )
        return reader, part

    plain = [event(f"SUMMARY:{n}", "DTSTART:20261201T090000", uid=str(n)) for n in range(9)]
    first, one = again(calendar(*plain), None)
    second, two = again(calendar(*plain[:-1], plain[-1].replace("SUMMARY", "LOCATION:Hall\nSUMMARY")), first)
    assert [new is old for new, old in zip(two.entries, one.entries, strict=True)] == [True] * 8 + [False]
    _, three = again(calendar(*plain[1:]), second)
    assert [entry.where for entry in three.entries] == [entry.where for entry in one.entries[:-1]]
    same = [new.details is old.details for new, old in zip(three.entries, two.entries[1:], strict=True)]
    assert same == [True] * 7 + [False]


def test_a_defect_is_never_kept() -> None:
    reason = "a defect of syncd: ValueError: x (please report it; with -vv the log says where)"
    problem = Problem(where="t.ics:3", kind="rejected", reason=reason, key="u")
    assert packed_group(GroupResult(lines=(3,), entry=None, problems=(problem,)), "u", "t.ics") is None
