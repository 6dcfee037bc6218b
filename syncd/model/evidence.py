"""What tells whose an event is: who made it and when, its stamp, and the recovery mark in its description.

No edit changes a stamp, so it tells an event from another one with its id. The portal shows DATE_CREATE in the format
of its settings and in a zone that they may change (PORTAL.md 4.6), so two stamps that are whole quarters of an hour
apart may still be one.

A description ends with its mark and the name of the ledger that wrote it:

    Room 4
    [syncd-by:1a2b3c4d] [syncd:0123456789abcdef]

The second part names the item, the same for every ledger; it is among the item's fields. The first names the ledger. It
is added when an event is sent and is no part of the fields: events that stand there without it, as versions before made
them, are what they were, so that nothing is written because of it.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_PARTS = re.compile(
    r"(?P<one>\d{1,4})[./-](?P<two>\d{1,2})[./-](?P<three>\d{1,4})[ T]"
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2}):(?P<second>\d{2})\s*(?P<half>[ap]m)?",
    re.IGNORECASE,
)
_QUARTER_S = 900
_ZONES_S = 26 * 3600
"""The farthest two zones are apart."""
_ANSWERED_WITHIN_S = 5
"""How far the moment of an answer may be from the moment that the portal notes for the event."""

_BORN = re.compile(r"(\d{8}T\d{6})Z-")
_DAY_APART_S = 14 * 3600.0
"""How far midnight anywhere may be from midnight in UTC."""

Beginning = Literal["same", "unknown", "other"]
"""Whether an event was made with a given start, by the portal's own note."""
Agreement = Literal["same", "near", "shifted", "other", "unknown"]
"""How two stamps compare. `near` are those of one user within the few seconds that an answer leaves open. `shifted` are
those that lie whole quarters of an hour apart, as after a change of zones, or name another creator where that was taken
from an answer: the webhook may have changed hands unnoticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """When an event was made and by which user, 0 if that is not known.

    `at` is the portal's wall clock in seconds; only differences between stamps have a meaning. `read` is False for a
    stamp that was taken from the answer to the create. Such a stamp is exact to a few seconds only, and in a zone of
    its own.
    """

    at: int
    by: int
    read: bool = True

    def __str__(self) -> str:
        return f"{'' if self.read else '~'}{self.at} {self.by}"

    @classmethod
    def parse(cls, text: str) -> Stamp | None:
        """Return the stamp that `str()` wrote, None for anything else."""
        at, _, by = text.removeprefix("~").partition(" ")
        if not (at.removeprefix("-").isdecimal() and by.isdecimal()):
            return None
        return cls(at=int(at), by=int(by), read=not text.startswith("~"))


def stamp_of(date_create: object, created_by: object) -> str:
    """Return the stamp of an event as text, from two columns of the portal, "" if the moment cannot be read.

    The month comes first in a time with AM or PM, otherwise the day (PORTAL.md, culture format).
    """
    found = _PARTS.match(date_create.strip()) if isinstance(date_create, str) else None
    if found is None:
        return ""
    one, two, three = int(found["one"]), int(found["two"]), int(found["three"])
    year, days = (one, (two, three)) if len(found["one"]) == 4 else (three, (one, two))
    half = (found["half"] or "").lower()
    hour = int(found["hour"]) % 12 + 12 * (half == "pm") if half else int(found["hour"])
    month, day = days if half or len(found["one"]) == 4 else reversed(days)
    try:
        at = datetime(year, month, day, hour, int(found["minute"]), int(found["second"]), tzinfo=UTC)
    except ValueError:
        return ""
    return f"{int(at.timestamp())} {whole_number(created_by)}"  # as a `Stamp` is written


def whole_number(value: object) -> int:
    """Return an id in whichever form the portal writes it, 0 if it is none."""
    text = str(value)
    return int(text) if isinstance(value, int | str) and text.isascii() and text.isdecimal() else 0


def answered(start: float | None, finish: float | None, by: int, offset_s: int) -> str:
    """Return the stamp of an event made by a call that ran from `start` to `finish` in unix time.

    Return "" if the call took too long to tell the moment. `offset_s` is the UTC offset of the portal's wall clock.
    """
    if start is None or finish is None or not 0 <= finish - start <= 2 * _ANSWERED_WITHIN_S - 2:
        return ""
    return str(Stamp(at=round((start + finish) / 2) + offset_s, by=by, read=False))


def made_since(stamp: str, moment: float) -> bool:
    """Return True if the event with `stamp` was certainly made at `moment` of the portal's wall clock or later."""
    made = Stamp.parse(stamp)
    return made is not None and made.at >= moment


def made_during(stamp: str, first: float, last: float, *, shifted: bool = False) -> bool:
    """Return True if the event with `stamp` was made between two moments of the portal's wall clock.

    Return False if that is not known. With `shifted`, a difference of whole quarters of an hour between the two clocks
    does not count, because they may be in different zones.
    """
    made = Stamp.parse(stamp)
    if made is None:
        return False
    if first <= made.at <= last or not shifted:
        return first <= made.at <= last
    quarters = round((made.at - (first + last) / 2) / _QUARTER_S)
    return abs(quarters) * _QUARTER_S <= _ZONES_S and first <= made.at - quarters * _QUARTER_S <= last


def agreement(known: str, seen: str) -> Agreement:
    """Return how the stamp `seen` on an event compares with the one that is `known` of it."""
    if known and known == seen:
        return "same"
    ours = Stamp.parse(known)
    theirs = Stamp.parse(seen) if ours is not None else None
    if ours is None or theirs is None:
        return "unknown"
    certain = ours.read and theirs.read
    same_user = not (ours.by and theirs.by) or ours.by == theirs.by
    if certain and not same_user:
        return "other"
    slack = 0 if certain else _ANSWERED_WITHIN_S
    if same_user and abs(ours.at - theirs.at) <= slack:
        return "same" if certain else "near"
    moments = (theirs.at, _swapped(theirs.at))
    return "shifted" if any(_zones_apart(ours.at, one, slack) for one in moments) else "other"


def _zones_apart(one: int, other: int, slack: int) -> bool:
    apart = abs(one - other)
    odd = apart % _QUARTER_S
    return min(odd, _QUARTER_S - odd) <= slack and apart <= _ZONES_S + slack


def _swapped(at: int) -> int:
    """Return the moment with day and month swapped, because the portal may have changed their order since."""
    moment = datetime.fromtimestamp(at, UTC)
    return at if moment.day > 12 else int(moment.replace(month=moment.day, day=moment.month).timestamp())


def beginning(start: str, zone: str, born: str) -> Beginning:
    """Return whether an event with the note `born` was made for the wall time `start` in `zone`, "" for whole days.

    The note (DAV_XML_ID) tells the start in UTC, as far as the one example in the documentation shows (PORTAL.md 4.12).
    """
    found = _BORN.match(born)
    try:
        noted = datetime.strptime(found[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC) if found else None
        wall = datetime.fromisoformat(start).replace(tzinfo=UTC)
        begins = wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) if zone else wall
    except (ValueError, OverflowError, ZoneInfoNotFoundError):
        return "unknown"
    if noted is None:
        return "unknown"
    if not zone:
        return "same" if abs((begins - noted).total_seconds()) <= _DAY_APART_S else "other"
    if noted == begins:
        return "same"
    # A portal that notes the clock on the wall instead must not have everything doubled.
    return "unknown" if noted == wall else "other"


LEDGER_DIGITS = 8
_PART = re.compile(r"\s*\[syncd(?:-by:[0-9a-f]{8}|:[0-9a-f]{16})\]")
_MARK = re.compile(r"\s*(?:\[syncd-by:([0-9a-f]{8})\]\s*)?\[syncd:([0-9a-f]{16})\]\s*\Z")


def marked(text: str, mark: str, ledger: str) -> str:
    """Return a description with its recovery mark on a line of its own (PORTAL.md 4.12), unchanged without a mark.

    `ledger` is the name of the ledger that writes, "" for none.
    """
    if not mark:
        return text
    by = f"[syncd-by:{ledger}] " if ledger else ""
    return f"{text}\n{by}[syncd:{mark}]".lstrip()


def unmarked(text: str) -> str:
    """Return a text of a source without anything that could pass for a mark or a part of one."""
    decoded = html.unescape(text) if "&" in text else text  # as the portal's filter leaves it (PORTAL.md 1.5)
    found = 1 if "[syncd" in decoded else 0
    if found and _PART.search(decoded):
        text = decoded
    while found:  # what is left may be one in its turn
        text, found = _PART.subn("", text)
    return text


def is_marked(text: str) -> bool:
    """Return True if a description ends with a recovery mark."""
    return _MARK.search(text) is not None


def split_mark(text: str) -> tuple[str, str, str]:
    """Return a description without its recovery mark, the mark, and the ledger that wrote it, each "" if missing.

    The white space between the two parts may vary, because editors and the portal's filter change it.
    """
    found = _MARK.search(text)
    return (text[: found.start()], found[2], found[1] or "") if found else (text, "", "")
