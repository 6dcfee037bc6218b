"""The zones of one feed: which IANA zone each of its TZIDs means.

the TZID                                          its zone
has a meaning in [sync.source.zones]              that one
is a known name, but not a mere label (EST)       that one, as in every calendar program
has a VTIMEZONE with X-LIC-LOCATION               that place
has any other VTIMEZONE                           one with the same local times on the days of the event
                                                  none has: the event is put in UTC by the definition itself
has none                                          an error, never silently local time
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from zoneinfo import ZoneInfo

from syncd.errors import ConfigError
from syncd.lang.saying import say
from syncd.model import zones
from syncd.source.ical.lines import Component
from syncd.source.ical.zone_definition import ZoneDefinition

_YEARS_BACK, _YEARS_AHEAD = 1, 4
_STEP = timedelta(hours=84)
_AROUND = timedelta(hours=12)

NO_LENGTH = timedelta(0)
"""An event without an end ends when it begins (RFC 5545, 3.6.1)."""


class FeedZones:
    """Finds the IANA zones that a calendar's TZIDs mean.

    `definitions` are its VTIMEZONE components by TZID, `floating` the IANA zone of times without one, `year` the
    current year, `meanings` the zones that the config gives to names (case-folded). The config also says, in `no_end`,
    how long an event of the feed lasts that has a start time and no end.
    """

    def __init__(
        self,
        *,
        definitions: Mapping[str, Component],
        floating: str | None,
        year: int,
        meanings: Mapping[str, str] | None = None,
        no_end: timedelta = NO_LENGTH,
    ) -> None:
        self.no_end = no_end
        self._components = definitions
        self._meanings = meanings or {}
        self._floating = floating
        self._years = year - _YEARS_BACK, year + _YEARS_AHEAD
        self._certain: dict[str, str | None] = {}
        self._definitions: dict[str, ZoneDefinition | None] = {}
        self._usual: dict[str, str | None] = {}
        self._lasting: dict[tuple[str, datetime, datetime | None], str | None] = {}

    @property
    def floating(self) -> str | None:
        """The zone of times without one, or None."""
        return self._floating

    @cached_property
    def of_days(self) -> tuple[str, ...]:
        """The zones whose midnights part whole days in this feed: that of floating times, then those it defines."""
        named = [self._floating, *(self.named(tzid) for tzid in self._components)]
        return tuple(dict.fromkeys(zone for zone in named if zone))

    @property
    def last_of_own_zones(self) -> datetime:
        """Up to when endless series are followed whose zone only the feed knows: the end of the years compared."""
        return datetime(self._years[1], 1, 1)

    def named(self, tzid: str) -> str | None:
        """Return the IANA zone of a TZID in these years, or None if it cannot be determined."""
        return self._certainly(tzid) or (self._usually(tzid) if self.definition(tzid) else None)

    def placed(self, tzid: str | None, wall: datetime, *, near: str | None = None) -> tuple[datetime, str]:
        """Return the wall clock and the IANA zone of a time with this TZID: `wall` itself, or a clock in UTC.

        `near` is the zone of the event's start, which is taken if it fits. Raises ValueError with the remedy if the
        zone cannot be determined.
        """
        if not tzid:
            if self._floating is None:
                raise ValueError(say('the time has no zone (set timezone = "Europe/Moscow" or the like in [[sync]])'))
            return wall, self._floating
        certain = self._certainly(tzid)
        if certain is not None:
            return wall, certain
        definition = self._must_define(tzid)
        utc = definition.utc(wall)
        zone = next(_agreeing(definition, (utc,), (*([near] if near else ()), *self._candidates(tzid))), None)
        return (utc, "UTC") if zone is None else (wall, zone)

    def lasting(self, tzid: str, first: datetime, last: datetime | None) -> str | None:
        """Return the IANA zone of a series from the wall clock `first` to `last` (None: without end).

        None means that no zone has the definition's local times on these days. Raises ValueError with the remedy if
        the zone cannot be determined.
        """
        certain = self._certainly(tzid)
        if certain is not None:
            return certain
        key = (tzid, first, last)
        if key not in self._lasting:
            self._lasting[key] = self._find_lasting(tzid, self._must_define(tzid), first, last)
        return self._lasting[key]

    def is_certain(self, tzid: str) -> bool:
        """Return True if a TZID means the same zone on all days."""
        return self._certainly(tzid) is not None

    def definition(self, tzid: str) -> ZoneDefinition | None:
        """Return what the feed itself says of a TZID, None if it says nothing or nothing that can be read."""
        if tzid not in self._definitions:
            component = self._components.get(tzid)
            try:
                self._definitions[tzid] = ZoneDefinition(component) if component is not None else None
            except (ValueError, OverflowError):
                self._definitions[tzid] = None
        return self._definitions[tzid]

    def _certainly(self, tzid: str) -> str | None:
        if tzid not in self._certain:
            self._certain[tzid] = self._resolve(tzid)
        return self._certain[tzid]

    def _resolve(self, tzid: str) -> str | None:
        meant = self._meanings.get(plain_name(tzid))
        if meant:
            return meant
        named = zones.resolve(tzid)
        component = self._components.get(tzid)
        # Definitions in feeds are often out of date; the zone database is not.
        if component is None or (named and not _is_label(tzid, named)):
            return named
        located = zones.resolve(component.text("X-LIC-LOCATION"))
        if located and not named:
            return located
        return named if self.definition(tzid) is None else None

    def _must_define(self, tzid: str) -> ZoneDefinition:
        # Unlike icalendar, which would leave the time naive: an hour off without a word is worse than a rejected event.
        definition = self.definition(tzid)
        if definition is None:
            unknown = (
                say("the time zone {tzid!r} is not known, and its VTIMEZONE cannot be read", tzid=tzid)
                if tzid in self._components
                else say("the time zone {tzid!r} is not known, and it has no VTIMEZONE", tzid=tzid)
            )
            raise ValueError(say("{message} ({remedy})", message=unknown, remedy=_remedy(tzid)))
        return definition

    def _candidates(self, tzid: str) -> Iterator[str]:
        """Yield zones that may have the local times of a definition, the likeliest first."""
        preferred = (zones.resolve(tzid), self._floating)
        yield from (zone for zone in preferred if zone)
        if usual := self._usually(tzid):
            yield usual
        yield from _in_order()

    def _usually(self, tzid: str) -> str | None:
        """Return the zone that has the definition's local times from last year to some years ahead."""
        if tzid not in self._usual:
            definition = self._must_define(tzid)
            first, last = (datetime(year, 1, 1) for year in self._years)
            preferred = [zone for zone in (zones.resolve(tzid), self._floating) if zone]
            # Many zones have the same local times; any of them shows the right days.
            found = _agreeing(definition, _moments(definition, first, last), (*preferred, *_in_order()))
            self._usual[tzid] = next(found, None)
        return self._usual[tzid]

    def _find_lasting(
        self, tzid: str, definition: ZoneDefinition, first: datetime, last: datetime | None
    ) -> str | None:
        years = [datetime(year, 1, 1) for year in self._years]
        begin = max(definition.utc(first), datetime(1970, 1, 1))
        end = max(years[1], begin + timedelta(days=366)) if last is None else definition.utc(last)
        fits = _agreeing(definition, _moments(definition, begin, end), self._candidates(tzid))
        if (zone := next(fits, None)) or not begin < years[0] < end:
            return zone
        # A rule without years, as Outlook writes it, is wrong for the past and means the present.
        return next(_agreeing(definition, _moments(definition, years[0], end), self._candidates(tzid)), None)


def _remedy(tzid: str) -> str:
    if "'" in tzid:  # no example: it could not be quoted so in TOML
        return say("name its zone in [sync.source.zones], or have the feed use an IANA name")
    return say(
        "name its zone in [sync.source.zones] as '{tzid}' = \"{zone}\", or have the feed use an IANA name",
        tzid=tzid,
        zone=zones.guess(tzid) or "Europe/Moscow",
    )


def read_meanings(given: Mapping[str, str], *, where: str) -> dict[str, str]:
    """Return the IANA zones of `[sync.source.zones]` by name as names are compared (`plain_name`).

    Raises ConfigError, beginning with `where`, for what is not a time zone.
    """
    meanings = {}
    for name, meaning in given.items():
        zone = zones.resolve(meaning)
        if zone is None:
            raise ConfigError(
                say(
                    "{where}: zones: {name!r} = {meaning!r} is not a time zone", where=where, name=name, meaning=meaning
                ),
                say("write e.g. Europe/Berlin"),
            )
        meanings[plain_name(name)] = zone
    return meanings


def plain_name(tzid: str) -> str:
    """Return a TZID without quotes, case and doubled blanks, as names are compared."""
    return " ".join(tzid.strip().strip("\"'").split()).casefold()


def _is_label(tzid: str, named: str) -> bool:
    """Return True if a name is only an abbreviation or an offset: people also give such names to zones with DST."""
    return "/" not in tzid and ("/" not in named or named.startswith("Etc/"))


@cache
def _in_order() -> tuple[str, ...]:
    return tuple(sorted(zones.accepted_names(), key=_preference))


def _preference(name: str) -> tuple[int, str]:
    region = name.partition("/")[0]
    order = ("UTC", "Europe", "America", "Asia", "Australia", "Pacific")
    return (order.index(region) if region in order else len(order), name)


def _agreeing(definition: ZoneDefinition, moments: Iterable[datetime], names: Iterable[str]) -> Iterator[str]:
    """Yield the zones that show the definition's local time at each of the moments (UTC, naive)."""
    wanted = [(at.replace(tzinfo=UTC), definition.offset(at)) for at in moments]
    for name in names:
        zone = ZoneInfo(name)
        if all(at.astimezone(zone).utcoffset() == offset for at, offset in wanted):
            yield name


def _moments(definition: ZoneDefinition, first: datetime, last: datetime) -> list[datetime]:
    """Return moments from `first` to `last` that tell zones apart: around each onset, and two in every week.

    Definitions are often an hour off in when their clock is set, which shows in no calendar; a day would.
    """
    found = [first, last]
    for at in definition.onsets(first, last):
        found += [max(first, at - _AROUND), min(last, at + _AROUND)]
    at = first
    while at < last:
        if not definition.onsets(at - _AROUND, at + _AROUND):
            found.append(at)
        at += _STEP
    return found
