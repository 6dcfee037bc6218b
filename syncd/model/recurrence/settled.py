"""Moves a single event onto clocks that neither its own zones nor the server's skip or repeat (PORTAL.md 4.1)."""

from __future__ import annotations

from syncd.model.entry import AllDay, Span, Timed
from syncd.model.recurrence.runs import is_hazardous
from syncd.model.recurrence.wall import WallClock, as_datetime, clock_of, seconds

_OTHER_ZONES = ("UTC", "Asia/Dubai", "Asia/Tokyo", "America/Phoenix")


def settled(span: Span, server: WallClock) -> Span:
    """Return the same moments, said in other zones where need be; whole days stay as they are.

    The portal reads naive times in its own zone first and moves those that this zone skips (PORTAL.md 4.1). What would
    end before it begins, because its own zone skips its start, keeps its length (RFC 5545 3.8.5.3).
    """
    if isinstance(span, AllDay):
        return span
    begin, end = clock_of(span.zone), clock_of(span.end_zone)
    first, last = span.start.toordinal(), span.end.toordinal()
    if begin.is_calm(first) and end.is_calm(last) and server.is_calm(first) and server.is_calm(last):
        return span  # as nearly always
    given = seconds(span.start), seconds(span.end)
    unix = begin.unix(given[0]), end.unix(given[1])
    if span.zone == span.end_zone and unix[1] <= unix[0]:  # it begins in an hour that the clock skips
        unix = unix[0], unix[0] + given[1] - given[0]
    walls, zones = (begin.wall(unix[0]), end.wall(unix[1])), (span.zone, span.end_zone)
    if is_hazardous(server, *walls, is_all_day=False):
        for other in _OTHER_ZONES:
            clock = clock_of(other)
            moved = clock.wall(unix[0]), clock.wall(unix[1])
            if not is_hazardous(server, *moved, is_all_day=False):
                walls, zones = moved, (other, other)
                break
    if walls == given:
        return span
    return Timed(start=as_datetime(walls[0]), end=as_datetime(walls[1]), zone=zones[0], end_zone=zones[1])
