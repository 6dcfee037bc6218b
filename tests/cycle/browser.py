"""The portal's calendar as a person's browser shows it, month by month, and how it differs from the source's text."""

from __future__ import annotations

import calendar
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from syncd.model.entry import Window
from syncd.portal.line.wire import Command, Done
from syncd.sandbox.seed.language_school import default_world
from tests.cycle.calendar_text import Shown, said_by_text
from tests.support.sandbox import WEBHOOK, SimClock, Stage

OWNER = 3
_DAY = timedelta(days=1)


def series_stage(
    folder: Path,
    *,
    now: datetime,
    server: str = "Europe/Moscow",
    caller: str = "Europe/Moscow",
    zone: str = "Europe/Moscow",
    past: int = 30,
    future: int = 200,
) -> Stage:
    """Return a stage whose only sync brings `team.ics` into one person's calendar."""
    config = f"""
[portals.main]
webhook = "{WEBHOOK}"
server_timezone = "{server}"

[[sync]]
name = "series"
timezone = "{zone}"
window = {{ past = "{past}d", future = "{future}d" }}
on_removed = "delete"
removed_after = 1
max_removed = "100%"
max_changed = "100%"

[sync.source]
type = "ics"
path = "team.ics"

[sync.target]
calendar = "user"
owner = "anna.petrova@school.example"
section = "Team"
"""
    seed = default_world()
    users = tuple(msgspec.structs.replace(user, zone=caller) if user.id == 1 else user for user in seed.users)
    seed = msgspec.structs.replace(seed, server_zone=server, users=users)
    return Stage(folder, config, seed=seed, clock=SimClock(start=now.timestamp()))


async def seen_by_month(stage: Stage, window: Window) -> dict[date, Counter[Shown]]:
    """Return what calendar.event.get shows for each month of `window`, asked for with a day more on either side."""
    months = list(_months(window))
    commands = [
        Command(
            method="calendar.event.get",
            params={
                "type": "user",
                "ownerId": OWNER,
                "from": (first - _DAY).isoformat(),
                "to": (last + _DAY).isoformat(),
            },
        )
        for first, last in months
    ]
    async with stage.opened() as (_, app):
        answers = await app.portals["main"].read_many(commands)
    seen: dict[date, Counter[Shown]] = {}
    for (first, _), answer in zip(months, answers, strict=True):
        assert isinstance(answer, Done), answer
        rows: Any = answer.result
        seen[first] = Counter(_row(row) for row in rows)
    return seen


def differences(seen: dict[date, Counter[Shown]], text: str, window: Window, *, floating: str) -> Sequence[str]:
    """Return a line for each occurrence that a month shows and `text` does not have, or the other way round.

    At the window's very edges timed occurrences may be missing: their days depend on whose clock one looks at.
    """
    assert window.first is not None
    assert window.last is not None
    truth = said_by_text(text, window.first - 70 * _DAY, window.last + 70 * _DAY, floating=floating)
    said = Counter[tuple[str, str, str]]()
    for one, count in truth.items():
        said[one.said] += count
    lines: list[str] = []
    for month, shown in seen.items():
        view = Counter[tuple[str, str, str]]()
        for one, count in shown.items():
            view[one.said] += count
        lines += [f"{month:%Y-%m} shows {one} {count} times" for one, count in view.items() if count > said[one]]
        last = month.replace(day=calendar.monthrange(month.year, month.month)[1])
        for one in truth:
            edge = timedelta() if one.all_day else _DAY
            low, high = max(month, window.first + edge), min(last, window.last - edge)
            if one.first <= high and one.last >= low and not view[one.said]:
                lines.append(f"{month:%Y-%m} lacks {one.said}")
    return lines


def _months(window: Window) -> Iterator[tuple[date, date]]:
    assert window.first is not None
    assert window.last is not None
    month = window.first.replace(day=1)
    while month <= window.last:
        last = month.replace(day=calendar.monthrange(month.year, month.month)[1])
        yield month, last
        month = last + _DAY


def _row(row: dict[str, Any]) -> Shown:
    if row["DT_SKIP_TIME"] == "Y":
        first, last = (datetime.strptime(row[key], "%a %b %d %Y").date() for key in _FORMATTED)
        return Shown.days(row["NAME"], first, last)
    start, end = (datetime.strptime(row[key], "%a %b %d %Y %H:%M:%S") for key in _FORMATTED)
    zones = ZoneInfo(row["TZ_FROM"]), ZoneInfo(row["TZ_TO"])
    return Shown.moments(row["NAME"], start.replace(tzinfo=zones[0]), end.replace(tzinfo=zones[1]))


_FORMATTED = ("DATE_FROM_FORMATTED", "DATE_TO_FORMATTED")


def moved_on(stage: Stage, days: int) -> None:
    """Let days pass."""
    stage.clock.advance(days * 86400.0)
