"""Values of an entry's fields, checked in the same way for every source: texts, spans of time, recurrence rules.

The checks raise ValueError with a reason that a person can act on; the caller knows the line. What a rule expands to,
and how much of it the portal can hold, is decided elsewhere.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from zoneinfo import ZoneInfo

from syncd.errors import ConfigError
from syncd.lang.saying import Saying, Value, say
from syncd.model import zones
from syncd.model.entry import AllDay, Timed
from syncd.model.recurrence.rrule import RuleError, parse
from syncd.source.reasons import reason_of
from syncd.source.rule_text import plain_rule
from syncd.source.stamps import LAST_YEAR

CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
"""C0 without tab and newline, and DEL."""
_NAMES = {"\x00": "NUL", "\x07": "BEL", "\x08": "BS", "\x0b": "VT", "\x0c": "FF", "\x1b": "ESC", "\x7f": "DEL"}
SURROGATES = re.compile(r"[\ud800-\udfff]")
"""What bytes become that could not be decoded (PEP 383)."""
_ISO = re.compile(
    r"P(?=.)(?:0+Y)?(?:0+M)?(?:(\d{1,6})W)?(?:(\d{1,7})D)?"
    r"(?:T?(?:(\d{1,8}(?:[.,]\d+)?)H)?(?:(?<=[TH])(\d{1,8}(?:[.,]\d+)?)M)?(?:(\d{1,8})(?:[.,]\d+)?S)?)?",
    re.IGNORECASE,
)

FIRST_YEAR = 1970
FIRST_YEAR_OF_SERIES = 1900
"""The series of a birthday starts with the birth; only its future days are ever shown."""
_COUNTED, _MOST, _LONGEST_NUMBER = frozenset({"INTERVAL", "COUNT"}), 100_000, 12
"""The limit of INTERVAL and COUNT is ours, far beyond any schedule."""


def sync_zone(name: str | None) -> str | None:
    """Return the IANA zone of the sync's `timezone`, None if it has none; raises ConfigError if it is not known."""
    zone = zones.resolve(name) if name else None
    if name and zone is None:
        raise ConfigError(
            say("timezone = {name!r} is not a time zone", name=name), say("write a name like Europe/Moscow")
        )
    return zone


def damaged(text: str) -> bool:
    """Return True if the text holds bytes that could not be decoded (see `files.decode`)."""
    # isprintable is much faster than the search, and no half of a surrogate pair is printable.
    return not text.isprintable() and SURROGATES.search(text) is not None


def shown(text: str) -> str:
    """Return a text as it can be printed and stored: bytes that could not be decoded as escapes."""
    if isinstance(text, Saying):
        return text.mapped(shown) if any(map(_is_damaged, text.values.values())) else text
    return text.encode("utf-8", "backslashreplace").decode() if damaged(text) else text


def _is_damaged(value: Value | None) -> bool:
    match value:
        case Saying():
            return any(map(_is_damaged, value.values.values()))
        case str():
            return damaged(value)
        case tuple():
            return any(map(_is_damaged, value))
    return False


def clean(text: str) -> str:
    """Return a field's text without control characters and surrounding blanks; line ends become "\\n".

    The characters dropped are invisible, and both XML and the portal refuse them.
    """
    if text.isprintable():
        return text.strip()
    return CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def fold(title: str) -> str:
    """Return a title without case and blanks."""
    return "".join(title.split()).casefold()


def dropped(text: str) -> str:
    """Return the names of the control characters that `clean` drops from the text, "" if it drops none."""
    if text.isprintable():
        return ""
    found = sorted(set(CONTROLS.findall(text)) - {"\r"})
    return ", ".join(_NAMES.get(char, f"U+{ord(char):04X}") for char in found)


def digest(*parts: str) -> str:
    """Return a short name for some texts that is the same on every machine."""
    return blake2b("\x1f".join(parts).encode("utf-8", "surrogateescape"), digest_size=10).hexdigest()


def timed_span(start: datetime, end: datetime, zone: str, end_zone: str, *, first_year: int = FIRST_YEAR) -> Timed:
    """Return the span between two wall clocks; a span that ends at its start is a moment.

    Raises ValueError for an end before the start and for years that the portal cannot hold.
    """
    # Two names of one zone (Europe/Kiev, Europe/Kyiv) become one: a span within a zone keeps its length on the clock
    # when it is moved over a change of clocks, a span between zones keeps its exact length.
    end_zone = zone if zone == end_zone or zones.same(zone, end_zone) else end_zone
    if end < start if zone == end_zone else instant(end, end_zone) < instant(start, zone):
        raise ValueError(say("end is before start ({end} is before {start})", end=end, start=start))
    if not first_year <= start.year <= LAST_YEAR:
        raise _outside(start.year, first_year)
    if end.year > LAST_YEAR and end.date() > date(
        LAST_YEAR + 1, 1, 1
    ):  # midnight after the last day is an end like any other
        raise _outside(end.year, first_year)
    return Timed(start=start, end=end, zone=zone, end_zone=end_zone)


def all_day_span(first: date, end: date, *, first_year: int = FIRST_YEAR) -> AllDay:
    """Return whole days; `end` is exclusive.

    Raises ValueError for an end that is not after `first` and for years that the portal cannot hold.
    """
    if end <= first:
        raise ValueError(say("end is before start (it ends before {end} and starts on {first})", end=end, first=first))
    for year in (first.year, (end - timedelta(days=1)).year):
        if not first_year <= year <= LAST_YEAR:
            raise _outside(year, first_year)
    return AllDay(first=first, end=end)


def _outside(year: int, first_year: int) -> ValueError:
    return ValueError(
        say(
            "the year {year} is outside {first_year} to {last_year}, which is what the portal can hold",
            year=year,
            first_year=first_year,
            last_year=LAST_YEAR,
        )
    )


def after(start: datetime, length: timedelta, zone: str) -> datetime:
    """Return the wall clock `length` after `start` in `zone`: whole days by the calendar, the rest by the clock.

    RFC 5545, 3.3.6: a day may have 23 or 25 hours, an hour always has 60 minutes. Raises ValueError past year 9999.
    """
    days = timedelta(days=length.days)
    try:
        day = start + days
        naive = day + (length - days)
        if zone == "UTC" or length == days:
            return naive
        # Through UTC, because an hour after 1:30 may be 3:30 where the clocks go forward.
        exact = instant(day, zone) + (length - days)
        return exact.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    except OverflowError:
        raise ValueError(say("the end lies past the year 9999")) from None


def iso_length(text: str) -> timedelta | None:
    """Return an unsigned DURATION of RFC 5545 (PT1H30M, P1D, P2W), or None if the text is not one.

    As ISO 8601 has it, hours and minutes may have a fraction (PT1.5H), and years and months that are zero say nothing
    (P0Y0M0DT1H0M0S). Other months have no fixed length. A T may be missing where that leaves one meaning (P1H).
    """
    found = _ISO.fullmatch(text)
    if found is None or not any(map(str.isdigit, text)):
        return None
    weeks, days, hours, minutes, seconds = (float((piece or "0").replace(",", ".")) for piece in found.groups())
    return timedelta(weeks=weeks, days=days, seconds=round(hours * 3600 + minutes * 60 + seconds))


def in_zone(wall: datetime, offset: timedelta, zone: str) -> datetime:
    """Return the wall clock in `zone` of a time given with its offset from UTC.

    Raises ValueError outside the years 1 to 9999.
    """
    try:
        return (wall.replace(tzinfo=UTC) - offset).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    except OverflowError:
        raise ValueError(say("the time lies outside the calendar")) from None


def instant(wall: datetime, zone: str) -> datetime:
    """Return the moment in UTC at which a clock in `zone` shows `wall`.

    Raises ValueError outside the years 1 to 9999.
    """
    try:
        return wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    except OverflowError:
        raise ValueError(
            say(
                "the year {year} is outside {first_year} to {last_year}",
                year=wall.year,
                first_year=FIRST_YEAR,
                last_year=LAST_YEAR,
            )
        ) from None


def read_rule(text: str, *, day: int = 31) -> str:
    """Return an RRULE as `rule_text.plain_rule` writes it, "" if the text is empty; raises ValueError if it is not one.

    `day` is the day of the month on which the series begins, the last one where it is not known.
    """
    rule = plain_rule(text, day=day)
    if not rule:
        return ""
    for name, value in (piece.partition("=")[::2] for piece in rule.split(";")):
        counted = name in _COUNTED and value.isascii() and value.lstrip("+-").isdigit()
        if counted and not 1 <= abs(int(value[:_LONGEST_NUMBER])) <= _MOST:
            raise ValueError(
                say(
                    "{text!r} is not a recurrence rule: {name} is not between 1 and {most} (correct it, or leave it"
                    " out)",
                    text=text,
                    name=name,
                    most=_MOST,
                )
            )
    try:
        parse(rule)
    except RuleError as error:
        reason = reason_of(error)
        raise ValueError(say("{text!r} is not a recurrence rule: {reason}", text=text, reason=reason)) from None
    return rule
