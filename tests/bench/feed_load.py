"""Measures reading of large schedules: `python -m tests.bench.feed_load [ics|csv|xlsx] [COUNT [FILES]] [--profile]`.

Prints seconds and the peak of memory above the interpreter for the first reading, an unchanged one, and one with a
single event changed. With FILES the events are spread over so many files of one directory.
"""

from __future__ import annotations

import asyncio
import cProfile
import pstats
import sys
import tempfile
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from time import perf_counter

from syncd.model.entry import Snapshot, Window
from syncd.source import ReadContext, open_source
from tests.source.workbooks import workbook

CONTEXT = ReadContext(zone="Europe/Moscow", window=Window(first=None, last=None), today=date(2026, 11, 21))
FIRST = datetime(2026, 1, 1, 9)
COLUMNS = {"uid": "ID", "title": "Title", "start": "Start", "end": "End", "owner": "Owner"}


def start(number: int) -> datetime:
    return FIRST + timedelta(days=number % 700, minutes=5 * (number % 97))


def ics(numbers: range, changed: str) -> bytes:
    events = (
        f"BEGIN:VEVENT\r\nUID:{n}@example.com\r\nDTSTAMP:20260101T000000Z\r\n"
        f"SUMMARY:Lesson {n}{changed if n == 0 else ''}\r\n"
        f"DTSTART;TZID=Europe/Moscow:{start(n):%Y%m%dT%H%M%S}\r\n"
        f"DTEND;TZID=Europe/Moscow:{start(n) + timedelta(minutes=45):%Y%m%dT%H%M%S}\r\n"
        f"LOCATION:Room {n % 40}\r\nDESCRIPTION:Bring the book\\, and a pen.\r\nEND:VEVENT\r\n"
        for n in numbers
    )
    return "".join(("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n", *events, "END:VCALENDAR\r\n")).encode()


def csv(numbers: range, changed: str) -> bytes:
    rows = (
        f"{n},Lesson {n}{changed if n == 0 else ''},{start(n):%Y-%m-%d %H:%M},"
        f"{start(n) + timedelta(minutes=45):%Y-%m-%d %H:%M},u{n % 200}@example.com\n"
        for n in numbers
    )
    return "".join(("ID,Title,Start,End,Owner\n", *rows)).encode()


def xlsx(numbers: range, changed: str) -> bytes:
    rows = (
        (n, f"Lesson {n}{changed if n == 0 else ''}", start(n), start(n) + timedelta(minutes=45), f"u{n % 200}@x.com")
        for n in numbers
    )
    return workbook(tuple(COLUMNS.values()), *rows)


FORMATS: dict[str, Callable[[range, str], bytes]] = {"ics": ics, "csv": csv, "xlsx": xlsx}


def peak_mb() -> float:
    """Return the most memory this process has had; unlike getrusage it knows nothing of the parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measure(kind: str, folder: Path, *, profile: bool) -> None:
    """Read the files made beforehand, in this fresh process."""
    options = {"type": kind, "path": "feeds", **({} if kind == "ics" else {"columns": COLUMNS})}
    source = open_source(options, folder, where="bench")
    before = peak_mb()
    for name in ("first", "unchanged", "one event changed"):
        if name == "one event changed":
            folder.joinpath("changed").replace(folder / "feeds" / f"00000.{kind}")
        profiler = cProfile.Profile() if profile and name != "unchanged" else None
        began = perf_counter()
        snapshot = _read(source.read, profiler)
        print(f"{kind} {name}: {perf_counter() - began:.2f} s, {len(snapshot.entries)} entries, "
              f"peak {peak_mb() - before:.0f} MB above the interpreter", flush=True)  # fmt: skip
        if profiler is not None:
            pstats.Stats(profiler).sort_stats("tottime").print_stats(12)


def _read(read: Callable[[ReadContext], object], profiler: cProfile.Profile | None) -> Snapshot:
    async def inline() -> object:
        if profiler is not None:  # in this thread, where the profiler looks
            asyncio.to_thread = _at_once  # type: ignore[assignment]
        return await read(CONTEXT)  # type: ignore[misc]

    if profiler is None:
        return asyncio.run(inline())  # type: ignore[return-value]
    return profiler.runcall(asyncio.run, inline())  # type: ignore[return-value]


async def _at_once(function: Callable[..., object], *arguments: object) -> object:
    return function(*arguments)


def main() -> None:
    arguments = [one for one in sys.argv[1:] if not one.startswith("--")]
    kind = arguments[0] if arguments else "ics"
    if len(arguments) > 3:
        measure(kind, Path(arguments[3]), profile="--profile" in sys.argv)
        return
    count, files = (int(arguments[at]) if len(arguments) > at else default for at, default in ((1, 100_000), (2, 1)))
    import subprocess  # noqa: PLC0415 - the measured process stays small

    with tempfile.TemporaryDirectory() as name:
        each = -(-count // files)
        Path(name, "feeds").mkdir()
        for file in range(files):
            numbers = range(file * each, min(count, (file + 1) * each))
            Path(name, "feeds", f"{file:05}.{kind}").write_bytes(FORMATS[kind](numbers, ""))
        Path(name, "changed").write_bytes(FORMATS[kind](range(each), " (moved)"))
        again = [sys.executable, "-m", "tests.bench.feed_load", kind, str(count), str(files), name]
        subprocess.run([*again, *sys.argv[1:][len(arguments) :]], check=True)


if __name__ == "__main__":
    main()
