"""Times of activities: always with an offset, and sent so that the portal keeps what was meant (PORTAL.md 6.3)."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from syncd.errors import EntryError
from syncd.model import zones
from syncd.model.entry import AllDay, Span
from syncd.model.item import Json
from syncd.model.window import Window
from syncd.portal.people.directory import Directory, caller_zone, offset_s, server_zone

_LAST_MINUTE = time(23, 59)
_MARGIN = timedelta(days=2)


def moments(span: Span, zone: str) -> tuple[str, str]:
    """Return start and end as ISO 8601 with offsets, without seconds; whole days last from 0:00 to 23:59 in `zone`.

    Raises EntryError for a zone nobody knows and for an end before the start.
    """
    if isinstance(span, AllDay):
        last = span.end - timedelta(days=1)
        return _iso(datetime.combine(span.first, time()), zone), _iso(datetime.combine(last, _LAST_MINUTE), zone)
    try:
        start, end = _iso(span.start, zones.canonical(span.zone)), _iso(span.end, zones.canonical(span.end_zone))
    except LookupError as error:
        raise EntryError(f"no time zone is called {error.args[0]!r}", "name an IANA zone like Europe/Berlin") from None
    if datetime.fromisoformat(end) < datetime.fromisoformat(start):
        raise EntryError("the end is before the start")
    return start, end


def _iso(wall: datetime, zone: str) -> str:
    return wall.replace(second=0, microsecond=0, tzinfo=ZoneInfo(zone)).isoformat()


def days(start: str, end: str) -> tuple[date, date]:
    """Return the first and the last day of two such moments; an end at midnight does not touch the day it begins."""
    first, last = datetime.fromisoformat(start), datetime.fromisoformat(end)
    return first.date(), max(first.date(), (last - timedelta(seconds=1)).date())


def to_send(moment: str, directory: Directory) -> str:
    """Return the moment to send so that the portal keeps `moment`.

    It adds the difference between the caller's and the server's clocks of today and takes away that of the date; where
    the two switch on different days, the error is sent along in advance.
    """
    caller = caller_zone(directory)
    if not caller:
        return moment
    server = server_zone(directory)
    at = datetime.fromisoformat(moment)
    today = offset_s(caller, directory.read_at) - offset_s(server, directory.read_at)
    there = offset_s(caller, at.timestamp()) - offset_s(server, at.timestamp())
    return (at - timedelta(seconds=today - there)).isoformat()


def same_moment(one: str, other: str) -> bool:
    """Say whether two ISO texts name one moment; texts that are no dates are the same only when equal."""
    try:
        return datetime.fromisoformat(one) == datetime.fromisoformat(other)
    except (ValueError, TypeError):
        return one == other


def bounds(window: Window, *, after: str, before: str) -> dict[str, Json]:
    """Return the filter of what ends (`after`) and begins (`before`) within `window`, with a margin for the zones."""
    wanted: dict[str, Json] = {}
    if window.first is not None and window.first > date.min + _MARGIN:
        wanted[f">={after}"] = f"{(window.first - _MARGIN).isoformat()}T00:00:00+00:00"
    if window.last is not None and window.last < date.max - _MARGIN:
        wanted[f"<={before}"] = f"{(window.last + _MARGIN).isoformat()}T00:00:00+00:00"
    return wanted
