"""Generated series under a zone's own name and under one that only their feed defines: people see the same."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, datetime
from functools import cache

import icalendar
import pytest

from syncd.model.entry import Entry, Timed, Window
from syncd.model.recurrence import compile_entry
from tests.model.generated import generated_series, generated_window
from tests.model.referee import portal_view
from tests.source.calendars import calendar, event, parse

SERVER = "Europe/Moscow"
EACH = 12


@cache
def definition(zone: str) -> str:
    """Return the zone's VTIMEZONE without its name, as lists of years."""
    made = icalendar.Timezone.from_tzid(zone, first_date=date(2019, 1, 1), last_date=date(2038, 1, 1))
    made.pop("X-LIC-LOCATION", None)
    made["TZID"] = "Ours"
    text: str = made.to_ical().decode()
    lines = text.strip().replace("\r\n", "\n").split("\n")
    return "\n".join(lines[1:-1])


def timed_series(rng: random.Random) -> Iterator[tuple[Entry, Timed]]:
    while True:
        entry = generated_series(rng)
        if isinstance(entry.span, Timed) and entry.span.zone != "UTC":
            yield entry, entry.span


def written(entry: Entry, main: Timed, tzid: str, *zones: str) -> bytes:
    """Return the series as a calendar that calls its zone `tzid`."""

    def line(name: str, wall: datetime, zone: str | None) -> str:
        text = f"{wall:%Y%m%dT%H%M%S}"
        return f"{name}:{text}Z" if zone == "UTC" else f"{name};TZID={tzid if zone == main.zone else zone}:{text}"

    assert entry.recurrence is not None
    lines = [line("DTSTART", main.start, main.zone), line("DTEND", main.end, main.zone), "SUMMARY:a"]
    lines += [f"RRULE:{rule}" for rule in entry.recurrence.rules]
    lines += [line("EXDATE", moment.wall, moment.zone) for moment in entry.recurrence.exdates]
    lines += [line("RDATE", day.start, day.zone) for day in entry.recurrence.rdates if isinstance(day, Timed)]
    events = [event(*lines)]
    for one in entry.overrides:
        assert isinstance(one.span, Timed)
        name = "RECURRENCE-ID;RANGE=THISANDFUTURE" if one.this_and_future else "RECURRENCE-ID"
        times = (line("DTSTART", one.span.start, one.span.zone), line("DTEND", one.span.end, one.span.end_zone))
        status = f"STATUS:{one.details.status or 'CONFIRMED'}"
        events.append(event(line(name, one.at.wall, one.at.zone), *times, status))
    return calendar(*events, zones=zones)


@pytest.mark.parametrize("group", range(5))
def test_series_in_a_zone_under_an_unknown_name_are_shown_as_under_its_own(group: int) -> None:
    rng = random.Random(group)
    series = timed_series(rng)
    for _ in range(EACH):
        entry, main = next(series)
        first, last = generated_window(rng, entry)
        views = []
        for content in (written(entry, main, main.zone), written(entry, main, "Ours", definition(main.zone))):
            (read,) = parse(content, "Asia/Tokyo").entries
            compiled = compile_entry(
                read, window=Window(first=first, last=last), portal_zone=SERVER, today=date(2026, 3, 1)
            )
            views.append(portal_view(compiled.pieces, SERVER, first, last))
        assert views[0] == views[1], (main, entry.recurrence)
