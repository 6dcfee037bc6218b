"""The zones of one feed: which IANA zone each of its TZIDs means.

A known name wins, as in every calendar program. A definition (VTIMEZONE) decides if the name is unknown or a mere label
(EST, GMT+0300). A zone that cannot be determined is an error, never silently local time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from dateutil.rrule import rrulestr

from syncd.model import zones
from syncd.source.ical.lines import Component

_YEARS_BACK, _YEARS_AHEAD = 1, 4
_STEP = timedelta(hours=84)  # that of zones.offsets


@dataclass(frozen=True, slots=True, kw_only=True)
class _Onset:
    """From `at` on (UTC, naive) the offset from UTC is `to`; before that it is `origin`."""

    at: datetime
    origin: timedelta
    to: timedelta


class FeedZones:
    """Finds the IANA zones that a calendar's TZIDs mean.

    `definitions` are its VTIMEZONE components by TZID, `floating` the IANA zone of times without one, `year` the
    current year: definitions are compared with IANA's zones from the year before it to four years after.
    """

    def __init__(self, *, definitions: Mapping[str, Component], floating: str | None, year: int) -> None:
        self._definitions = definitions
        self._floating = floating
        self._years = range(max(1970, year - _YEARS_BACK), year + _YEARS_AHEAD)
        self._found: dict[str, str | None] = {}

    @property
    def floating(self) -> str | None:
        """The zone of times without one, or None."""
        return self._floating

    def find(self, tzid: str | None) -> str:
        """Return the IANA zone of a time with this TZID; raises ValueError with the remedy if there is none."""
        if not tzid:
            if self._floating is None:
                raise ValueError('the time has no zone (set timezone = "Europe/Moscow" or the like in [[sync]])')
            return self._floating
        # Unlike icalendar, which would leave the time naive: an hour off without a word is worse than a rejected event.
        zone = self.named(tzid)
        if zone is None:
            lacks = "its VTIMEZONE matches no known zone" if tzid in self._definitions else "it has no VTIMEZONE"
            raise ValueError(f"the time zone {tzid!r} is not known, and {lacks} (have the feed use an IANA name)")
        return zone

    def named(self, tzid: str) -> str | None:
        """Return the IANA zone of a TZID, or None if it cannot be determined."""
        if tzid not in self._found:
            self._found[tzid] = self._resolve(tzid)
        return self._found[tzid]

    def _resolve(self, tzid: str) -> str | None:
        named = zones.resolve(tzid)
        definition = self._definitions.get(tzid)
        # Definitions in feeds are often out of date; the zone database is not.
        if definition is None or (named and not _is_label(tzid, named)):
            return named
        located = zones.resolve(definition.text("X-LIC-LOCATION"))
        if located and not named:
            return located
        try:
            onsets = sorted(_onsets(definition, self._years), key=lambda onset: onset.at)
        except (ValueError, OverflowError):
            return named
        return self._match(onsets, named) if onsets else named

    def _match(self, onsets: list[_Onset], named: str | None) -> str | None:
        """Return a zone with the definition's local times: that of the name, the feed's own, or the first preferred."""
        wanted = _offsets(onsets, self._years)
        preferred = [zone for zone in (named, self._floating) if zone]
        # Many zones have the same local times; any of them shows the right days.
        for zone in (*preferred, *sorted(zones.accepted_names(), key=_preference)):
            if zones.offsets(zone, self._years) == wanted:
                return zone
        return None


def _is_label(tzid: str, named: str) -> bool:
    """Return True if a name is only an abbreviation or an offset: people also give such names to zones with DST."""
    return "/" not in tzid and ("/" not in named or named.startswith("Etc/"))


def _preference(name: str) -> tuple[int, str]:
    region = name.partition("/")[0]
    order = ("UTC", "Europe", "America", "Asia", "Australia", "Pacific")
    return (order.index(region) if region in order else len(order), name)


def _offsets(onsets: list[_Onset], years: range) -> tuple[timedelta, ...]:
    """Return the definition's offsets at the moments for which zones.offsets returns those of a zone."""
    at = datetime(years[0], 1, 1)
    end = datetime(years[-1] + 1, 1, 1)
    position, offset = 0, onsets[0].origin
    found = []
    while at < end:
        while position < len(onsets) and onsets[position].at <= at:
            offset = onsets[position].to
            position += 1
        found.append(offset)
        at += _STEP
    return tuple(found)


def _onsets(definition: Component, years: range) -> Iterator[_Onset]:
    """Yield when each STANDARD and DAYLIGHT part of a VTIMEZONE begins, from the last time before `years` on."""
    for part in definition.nested:
        start = datetime.strptime(part.text("DTSTART")[:15], "%Y%m%dT%H%M%S")
        origin, to = _offset(part.text("TZOFFSETFROM")), _offset(part.text("TZOFFSETTO"))
        locals_ = [start]
        for prop in part.all("RDATE"):
            locals_ += [datetime.strptime(value[:15], "%Y%m%dT%H%M%S") for value in prop.value.split(",")]
        for prop in part.all("RRULE"):
            if "FREQ=YEARLY" not in prop.value.upper():
                # One that repeats every second would take forever to expand.
                raise ValueError("a zone's rules are yearly")
            rule = rrulestr(prop.value.replace("Z", ""), dtstart=_late(start, prop.value.upper(), years[0] - 4))
            if last_before := rule.before(datetime(years[0] - 2, 1, 1)):
                locals_.append(last_before)
            locals_ += rule.between(datetime(years[0] - 2, 1, 1), datetime(years[-1] + 1, 1, 1), inc=True)
        for local in locals_:
            yield _Onset(at=local - origin, origin=origin, to=to)


def _late(start: datetime, rule: str, year: int) -> datetime:
    """Return a later start from which a yearly rule has the same days: Outlook's rules begin in 1601, which is slow."""
    counted = "COUNT=" in rule or ("INTERVAL=" in rule and "INTERVAL=1;" not in f"{rule};")
    return start if counted or start.year >= year or start.day > 28 else start.replace(year=year)


def _offset(text: str) -> timedelta:
    """Return a UTC offset (+0300, -033000); raises ValueError for any other text."""
    digits = text.strip().lstrip("+-").replace(":", "")
    if len(digits) not in (4, 6) or not digits.isdigit():
        raise ValueError(f"{text!r} is not an offset")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:4]), seconds=int(digits[4:] or 0))
    return -size if text.strip().startswith("-") else size
