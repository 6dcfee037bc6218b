"""One VTIMEZONE as offsets from UTC: what its clock shows at any moment, as RFC 5545 (3.6.5) defines it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile

from syncd.model.recurrence import rfc
from syncd.model.recurrence.rrule import parse
from syncd.model.recurrence.wall import DAY, as_datetime, seconds
from syncd.source.ical.lines import Component
from syncd.source.rule_text import plain_rule
from syncd.source.stamps import LAST_YEAR, read_stamp, utc_of

_FIRST_YEAR = 1970
_DIGITS = (2, 4, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Onset:
    """From `at` on (UTC, naive) the offset from UTC is `to`; before that it is `origin`."""

    at: datetime
    origin: timedelta
    to: timedelta


class ZoneDefinition:
    """The clock of a VTIMEZONE; raises ValueError if the component defines none.

    The last onset holds for ever, so a list of a few years (RDATE) goes on with its last offset.
    """

    def __init__(self, definition: Component) -> None:
        onsets = sorted(_onsets(definition), key=lambda onset: onset.at)
        if not onsets:
            raise ValueError("the definition has neither STANDARD nor DAYLIGHT")
        self._at = [onset.at for onset in onsets]
        self._offsets = [onsets[0].origin, *(onset.to for onset in onsets)]
        # A wall clock that is shown twice means the first time, and one that is skipped keeps the offset before it.
        pairs = zip(self._at, self._offsets, self._offsets[1:], strict=False)
        self._walls = [at + max(before, after) for at, before, after in pairs]

    def offset(self, utc: datetime) -> timedelta:
        """Return the offset at a moment in UTC (naive)."""
        return self._offsets[bisect_right(self._at, utc)]

    def utc(self, wall: datetime) -> datetime:
        """Return the moment in UTC (naive) at which the clock shows `wall`; raises ValueError past the year 9999."""
        return utc_of(wall, self._offsets[bisect_right(self._walls, wall)])

    def onsets(self, first: datetime, last: datetime) -> list[datetime]:
        """Return when the offset changes between two moments in UTC (naive)."""
        return self._at[bisect_right(self._at, first) : bisect_right(self._at, last)]


def _onsets(definition: Component) -> Iterator[_Onset]:
    """Yield when each STANDARD and DAYLIGHT part begins, from the last time before 1970 to the portal's last year."""
    for part in definition.nested:
        start = _local(part.text("DTSTART"))
        origin, to = _offset(part.text("TZOFFSETFROM")), _offset(part.text("TZOFFSETTO"))
        locals_ = [start]
        for prop in part.all("RDATE"):
            locals_ += [_local(text) for text in prop.value.split(",") if text.strip()]
        for prop in part.all("RRULE"):
            if prop.value.strip():
                locals_ += _yearly(prop.value, start)
        for local in locals_:
            yield _Onset(at=utc_of(local, origin), origin=origin, to=to)


def _yearly(text: str, start: datetime) -> list[datetime]:
    """Return the local times of a yearly rule, from the first years on that anybody looks at."""
    rule = parse(plain_rule(text, day=start.day))
    if rule.freq != "YEARLY":
        raise ValueError("a zone's rules are yearly")
    first = _late(start, text.upper(), _FIRST_YEAR - 4)
    walls = rfc.starts(rule, seconds(first), seconds(datetime(LAST_YEAR + 2, 1, 1)))
    # UNTIL is in UTC and the times are local; what lies between them is less than the months between two onsets.
    last = seconds(rule.until.wall) + DAY if rule.until is not None else None
    counted = islice(walls, rule.count)
    return [as_datetime(wall) for wall in takewhile(lambda wall: last is None or wall <= last, counted)]


def _late(start: datetime, rule: str, year: int) -> datetime:
    """Return a later start from which a yearly rule has the same days: Outlook's rules begin in 1601, which is slow."""
    counted = "COUNT=" in rule or ("INTERVAL=" in rule and "INTERVAL=1;" not in f"{rule};")
    return start if counted or start.year >= year or start.day > 28 else start.replace(year=year)


def _local(text: str) -> datetime:
    # Periods have no meaning here, but their start has.
    return read_stamp(text.strip().partition("/")[0].rstrip("Zz"))[0]


def _offset(text: str) -> timedelta:
    """Return a UTC offset (+0300, -033000, +3); raises ValueError for any other text."""
    digits = text.strip().lstrip("+-").replace(":", "")
    digits = digits.zfill(len(digits) + len(digits) % 2)
    if len(digits) not in _DIGITS or not digits.isdigit():
        raise ValueError(f"{text!r} is not an offset")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:4] or 0), seconds=int(digits[4:] or 0))
    if size >= timedelta(days=1):
        raise ValueError(f"{text!r} is not an offset")
    return -size if text.strip().startswith("-") else size
