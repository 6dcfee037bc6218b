"""One event as a vendor's API tells it, and its text as a VEVENT, which is then read like any other.

So a series has one reading, whoever tells it: what RFC 5545 says is decided in `source/ical` alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from syncd.lang.saying import say
from syncd.source.field_values import CONTROLS

Answer = Literal["", "accepted", "tentative", "declined", "unanswered"]
_RECURRENCE = re.compile(r"(?:RRULE|EXRULE|RDATE|EXDATE)[;:][^\n\r]*", re.IGNORECASE)
_SPECIAL = re.compile(r"([\\;,])")
_UNSAFE_IN_ZONE = re.compile(r'[\x00-\x1f"\x7f]')
_NAME = re.compile(r"[^A-Z0-9-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wall:
    """What a clock shows in a zone, which is named as the vendor does (IANA or Windows); "" is the sync's zone."""

    wall: datetime
    zone: str


At = date | Wall
"""A day, or a time; the end of whole days is exclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One event, master of a series, or changed occurrence (`at` is set, and says which).

    `id` names this very thing in its calendar. `start` and `end` are None only where an occurrence is taken away.
    `recurrence` are lines of RFC 5545 with their names. `alarms` are minutes before the start, None if nothing is said.
    `kind` is the vendor's word for what it is ("focusTime"). `answer` is that of the calendar's owner to an invitation.
    `hidden` is True if the account may only see the time.
    `extras` become columns with names that begin with "X-", and `notes` warnings: what could not be told as it is.
    """

    id: str
    start: At | None = None
    end: At | None = None
    at: At | None = None
    recurrence: tuple[str, ...] = ()
    title: str = ""
    description: str = ""
    location: str = ""
    url: str = ""
    conference: str = ""
    color: str = ""
    status: Literal["", "CONFIRMED", "TENTATIVE", "CANCELLED"] = ""
    free: bool | None = None
    private: bool = False
    priority: int | None = None
    categories: tuple[str, ...] = ()
    organizer: str = ""
    guests: tuple[str, ...] = ()
    alarms: tuple[int, ...] | None = None
    kind: str = ""
    answer: Answer = ""
    is_organizer: bool = True
    hidden: bool = False
    extras: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def vevent(told: Told, uid: str) -> str:
    """Return an unfolded VEVENT; raises ValueError for a line of recurrence that is none."""
    head = ("BEGIN:VEVENT", f"UID:{_escaped(uid)}")
    return "\n".join((*head, *_times(told), *_fields(told), *_alarms(told), "END:VEVENT"))


def _times(told: Told) -> Iterator[str]:
    for name, at in (("DTSTART", told.start), ("DTEND", told.end), ("RECURRENCE-ID", told.at)):
        if at is not None:
            yield _dated(name, at)
    for line in told.recurrence:
        # The line goes into a text of lines, so that nothing else may come in with it.
        if not _RECURRENCE.fullmatch(line):
            raise ValueError(say("{line!r} in its recurrence is no RRULE, RDATE or EXDATE", line=line[:60]))
        yield line


def _dated(name: str, at: At) -> str:
    if not isinstance(at, Wall):
        return f"{name};VALUE=DATE:{at:%Y%m%d}"
    stamp = f"{at.wall:%Y%m%dT%H%M%S}"
    if at.zone in ("UTC", "Etc/UTC"):
        return f"{name}:{stamp}Z"
    zone = _UNSAFE_IN_ZONE.sub(" ", at.zone).strip()
    if not zone:
        return f"{name}:{stamp}"
    return f"{name};TZID={zone}:{stamp}" if zone.replace("/", "").isalnum() else f'{name};TZID="{zone}":{stamp}'


def _fields(told: Told) -> Iterator[str]:
    yield f"SUMMARY:{_escaped(told.title)}"
    texts = (
        ("DESCRIPTION", told.description),
        ("LOCATION", told.location),
        ("URL", told.url),
        ("CONFERENCE", told.conference),
        ("COLOR", told.color),
        *((f"X-{_NAME.sub('-', name.upper().removeprefix('X-'))}", value) for name, value in told.extras),
    )
    yield from (f"{name}:{_escaped(value)}" for name, value in texts if value)
    if told.categories:
        yield "CATEGORIES:" + ",".join(map(_escaped, told.categories))
    if told.status:
        yield f"STATUS:{told.status}"
    if told.free is not None:
        yield f"TRANSP:{'TRANSPARENT' if told.free else 'OPAQUE'}"
    if told.private:
        yield "CLASS:PRIVATE"
    if told.priority is not None:
        yield f"PRIORITY:{told.priority}"
    if told.organizer:
        yield f"ORGANIZER:mailto:{_address(told.organizer)}"
    yield from (f"ATTENDEE:mailto:{_address(guest)}" for guest in told.guests)


def _alarms(told: Told) -> Iterator[str]:
    # An alarm that does nothing says that there are none, other than no alarm at all.
    for minutes in told.alarms or ():
        yield f"BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT{minutes}M\nEND:VALARM"
    if told.alarms == ():
        yield "BEGIN:VALARM\nACTION:NONE\nEND:VALARM"


def _escaped(text: str) -> str:
    """Return a text as RFC 5545, 3.3.11 has it. Control characters stay: whoever reads it tells of them."""
    lines = _SPECIAL.sub(r"\\\1", text).replace("\r\n", "\n").replace("\r", "\n")
    return lines.replace("\n", "\\n")


def _address(text: str) -> str:
    return CONTROLS.sub("", text).replace("\n", "").replace("\t", "").strip()
