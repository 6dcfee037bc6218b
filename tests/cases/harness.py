"""Plays one case: a folder with a config, an input and what must come out of them, against a simulated portal.

`expected.json` of a case:

    from, to   the days looked at
    exit       the exit code of `syncd sync`
    events     what people see: title, local start and end with `zone`, or `all_day` with an inclusive end; `owner`
    problems   words, each of which some problem line must hold
    server     a program of this folder with its arguments, started beside; it prints its port, which is "@PORT@"
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from syncd.cycle.run import PassResult
from syncd.errors import SyncdError
from syncd.portal.line.wire import Command, Done
from tests.support.sandbox import WEBHOOK, SimClock, Stage

HERE = Path(__file__).parent
CASES = tuple(sorted(path.parent for path in HERE.glob("data/*/expected.json")))
TODAY = datetime(2026, 11, 26, 9, 0, tzinfo=UTC).timestamp()
OWNER = 2
SECTION = "Feed"
_ZONE = "Europe/Moscow"
_DAY = timedelta(days=1)

Seen = tuple[int, str, str, str]
"""An occurrence as a person sees it: owner, title, and ISO days (the last inclusive) or ISO moments in UTC."""


class JumpingClock(SimClock):
    """A clock for loops that have real sockets: it jumps over every pause instead of waiting."""

    def now(self) -> float:
        return self.start + self.offset_s

    def monotonic(self) -> float:
        return self.offset_s

    async def sleep(self, seconds: float) -> None:
        self.advance(max(0.0, seconds))
        await asyncio.sleep(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a case came to: exit code, problem lines, what people see; requests and exit code of a second pass."""

    exit_code: int
    problems: tuple[str, ...]
    seen: Counter[Seen]
    sent_again: int
    exit_again: int


async def play(case: Path, folder: Path) -> Outcome:
    """Bring a copy of the case into the portal, twice."""
    shutil.copytree(case, folder, dirs_exist_ok=True)
    expected = expectation(case)
    config = folder.joinpath("syncd.toml").read_text(encoding="utf-8").replace("@WEBHOOK@", WEBHOOK)
    with served(expected.get("server", ())) as port:
        stage = Stage(folder, config.replace("@PORT@", str(port)), clock=JumpingClock(start=TODAY))
        exit_code, problems = await _one_pass(stage)
        seen = await _seen(stage, expected) if "from" in expected else Counter()
        sent = stage.transport.requests
        exit_again, _ = await _one_pass(stage)
    return Outcome(
        exit_code=exit_code,
        problems=problems,
        seen=seen,
        sent_again=stage.transport.requests - sent,
        exit_again=exit_again,
    )


def expectation(case: Path) -> dict[str, Any]:
    """Return what must come out of a case."""
    expected: dict[str, Any] = json.loads(case.joinpath("expected.json").read_text(encoding="utf-8"))
    return expected


def wanted(expected: Mapping[str, Any]) -> Counter[Seen]:
    """Return the occurrences that people must see."""
    return Counter(_wanted(one) for one in expected.get("events", ()))


@contextmanager
def served(program: Iterable[str]) -> Iterator[int]:
    """Run the program of a case's server; gives its port, 0 for a case without one."""
    name, *arguments = program or ("",)
    if not name:
        yield 0
        return
    command = [sys.executable, str(HERE / name), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


async def _one_pass(stage: Stage) -> tuple[int, tuple[str, ...]]:
    """Return the exit code of a pass and its problems, each with its place."""
    try:
        result: PassResult = await stage.one_pass("case")
    except SyncdError as error:
        return error.exit_code, (str(error),)
    lines = [f"{one.where}: {one.reason}" for one in result.record.problems]
    return result.exit_code, (*lines, *([str(result.error)] if result.error is not None else []))


async def _seen(stage: Stage, expected: Mapping[str, Any]) -> Counter[Seen]:
    """Return what the portal shows in the sections named Feed, asked for as the pages of a calendar are, by month."""
    first, last = (date.fromisoformat(expected[key]) for key in ("from", "to"))
    owners = {int(one.get("owner", OWNER)) for one in expected.get("events", ())} | {OWNER}
    rows: dict[tuple[int, str, str], Seen] = {}
    async with stage.opened() as (_, app):
        portal = app.portals["main"]
        for owner in sorted(owners):
            months = [
                Command(method="calendar.event.get", params={**_month(owner, one)}) for one in _months(first, last)
            ]
            sections = Command(method="calendar.section.get", params={"type": "user", "ownerId": owner})
            listed, *pages = [_rows(answer) for answer in await portal.read_many([sections, *months])]
            ours = {int(section["ID"]) for section in listed if section["NAME"] == SECTION}
            for row in (row for page in pages for row in page):
                # An event that reaches into the next month is on both pages.
                if int(row["SECTION_ID"]) in ours:
                    rows[int(row["ID"]), row["DATE_FROM_FORMATTED"], row["DATE_TO_FORMATTED"]] = _row(owner, row)
    return Counter(rows.values())


def _rows(answer: object) -> list[dict[str, Any]]:
    assert isinstance(answer, Done), answer
    rows: Any = answer.result
    return list(rows)


def _month(owner: int, first: date) -> dict[str, str | int]:
    return {
        "type": "user",
        "ownerId": owner,
        "from": (first - _DAY).isoformat(),
        "to": (first + 32 * _DAY).isoformat(),
    }


def _months(first: date, last: date) -> Iterator[date]:
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = (month + 32 * _DAY).replace(day=1)


def _row(owner: int, row: Mapping[str, Any]) -> Seen:
    keys = ("DATE_FROM_FORMATTED", "DATE_TO_FORMATTED")
    if row["DT_SKIP_TIME"] == "Y":
        first, last = (datetime.strptime(row[key], "%a %b %d %Y").date().isoformat() for key in keys)
        return owner, row["NAME"], first, last
    start, end = (datetime.strptime(row[key], "%a %b %d %Y %H:%M:%S") for key in keys)
    return owner, row["NAME"], _in_utc(start, row["TZ_FROM"]), _in_utc(end, row["TZ_TO"])


def _wanted(event: Mapping[str, Any]) -> Seen:
    owner, title = int(event.get("owner", OWNER)), event["title"]
    if event.get("all_day"):
        return owner, title, event["start"], event["end"]
    zone = event.get("zone", _ZONE)
    start, end = (_in_utc(datetime.fromisoformat(event[key]), zone) for key in ("start", "end"))
    return owner, title, start, end


def _in_utc(wall: datetime, zone: str) -> str:
    return wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M")
