"""Zone names: any spelling a feed may use to an IANA name, and any IANA name to one the portal accepts.

The portal knows only PHP's canonical list and silently uses its own zone for everything else (PORTAL.md 4.1), so a name
that cannot be proved equal is refused here, never guessed. Reads nothing but the tables of the tzdata package.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo, available_timezones

from syncd.lang.saying import say
from syncd.model.zone_names import ALIASES, CITIES, RUSSIAN_ZONES, UNLINKED

PROOF_YEARS = range(2000, 2038)
_RECENT = (datetime(2021, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC))
_OFFSET = re.compile(r"(?:UTC|GMT|Z)?\s*([+\-\u2212])\s*(\d{1,2})(?::?(\d{2}))?(?::?00)?", re.IGNORECASE)
_DISPLAY = re.compile(r"\((?:UTC|GMT)\s*(?:([+\-\u2212])(\d{1,2})(?:[:.]?(\d{2}))?)?\)\s*(.+)", re.IGNORECASE)
_BARE_DISPLAY = re.compile(r"(?:UTC|GMT)\s*([+\-\u2212])\s*(\d{1,2})(?::?(\d{2}))?[ ,/]+([^\d\s].+)", re.IGNORECASE)
_FROM_MOSCOW = re.compile(r"(?:MSK|МСК)\s*([+\-\u2212])\s*(\d{1,2})(?::?00)?", re.IGNORECASE)
"""How Russians write their zones, "MSK+2" for Yekaterinburg."""
_MOSCOW = timedelta(hours=3)
_NOTE = re.compile(r"(.+?)\s*\([^()]*\)")
_SEPARATORS = re.compile(r"(?:[-_ ./\\]|%2F)+", re.IGNORECASE)
_RUSSIAN = re.compile(r"(?:Russia TZ|Russia Time Zone|RTZ)\s*(\d{1,2})\b.*", re.IGNORECASE)


def resolve(tzid: str) -> str | None:
    """Return the IANA name that `tzid` means, in the spelling `zoneinfo` takes, or None when that is not certain.

    Takes IANA names in any case, with or without a vendor's prefix ("/mozilla.org/20050126_1/Europe/Berlin"), Windows
    names, Windows display names whose cities agree ("(UTC+03:00) Moscow, St. Petersburg") and fixed offsets
    ("GMT+0300", "UTC+3", "MSK+2"; the sign is east-positive, unlike in Etc/GMT-3). IANA names may have other separators
    ("Europe-Moscow", "Europe\\Moscow") and a note in parentheses behind them.
    """
    name = " ".join(tzid.strip().strip("\"'").split())
    return _resolve(name) if name and len(name) <= 200 else None  # anything longer is no name, and would fill the cache


@cache
def _resolve(name: str) -> str | None:
    folded = name.casefold()
    known = _by_folded_name().get(folded.replace(" ", "_")) or _aliases().get(folded)
    if known:
        return known
    if display := _DISPLAY.fullmatch(name) or _BARE_DISPLAY.fullmatch(name):
        sign, hours, minutes, cities = display.groups()
        return _by_cities(cities, _offset(sign or "+", hours or "0", minutes))
    if fixed := _OFFSET.fullmatch(name):
        return _fixed(_offset(*fixed.groups()))
    if from_moscow := _FROM_MOSCOW.fullmatch(name):
        return _fixed(_MOSCOW + _offset(from_moscow[1], from_moscow[2], None))
    if russian := _RUSSIAN.fullmatch(name):
        return RUSSIAN_ZONES.get(int(russian[1]))
    return _by_path(folded.replace(" ", "_").split("/")) or _by_words().get(_words(name))


def _by_path(parts: list[str]) -> str | None:
    """Find the zone whose name ends a vendor's path, given in its parts."""
    for size in (3, 2):
        if len(parts) > size and (known := _by_folded_name().get("/".join(parts[-size:]))):
            return known
    return "UTC" if len(parts) > 1 and parts[-1] in ("utc", "gmt") else None


def guess(name: str) -> str:
    """Return an IANA name that `name`, which does not resolve, may mean, "" if none is similar; for messages."""
    words = _words(name)
    known = _cities()
    if city := next((known[one] for one in (words, *words.split()) if one in known), ""):
        return city
    close = get_close_matches(words, _by_words(), n=1, cutoff=0.85)
    return _by_words()[close[0]] if close else ""


@cache
def canonical(name: str) -> str:
    """Return the name under which the portal keeps exactly this zone (PORTAL.md 4.1).

    `name` is an IANA name in its own spelling. Old names follow tzdata's links; fixed offsets (Etc/GMT-3, EST) become a
    place whose offset is the same throughout 2000-2037. Raises LookupError when the portal has no such zone.
    """
    accepted = accepted_names()
    seen = name
    for _ in range(4):  # links of links exist, but not chains without end
        if seen in accepted:
            return seen
        if seen not in _links():
            break
        seen = _links()[seen]
    if seen in ("Etc/UTC", "Etc/GMT"):
        return "UTC"
    if seen.startswith("Etc/GMT") and (place := _constant_places().get(_standard_offset(seen))):
        return place
    raise LookupError(say("the portal has no time zone like {name}", name=name))


@cache
def same(one: str, other: str) -> bool:
    """Return True if two IANA names belong to one zone ("US/Eastern", "America/New_York")."""
    try:
        return one == other or canonical(one) == canonical(other)
    except LookupError:
        return False


@cache
def accepted_names() -> frozenset[str]:
    """Return the names that the portal accepts unchanged: those of zone.tab, and "UTC"."""
    return frozenset({"UTC", *_countries()})


def country_of(zone: str) -> str:
    """Return the ISO 3166 code of the country of a name in zone.tab, "" for any other, such as "UTC"."""
    return _countries().get(zone, "")


def countries() -> frozenset[str]:
    """Return the ISO 3166 codes of the countries that have a zone."""
    return frozenset(_countries().values())


@cache
def _countries() -> dict[str, str]:
    rows = (line.split("\t") for line in _table("zone.tab") if line and not line.startswith("#"))
    return {row[2]: row[0] for row in rows}


@cache
def offsets(name: str, years: range = PROOF_YEARS) -> tuple[timedelta, ...]:
    """Return the zone's offsets from UTC at noon and midnight of every week of `years`, for comparing two zones."""
    zone = ZoneInfo(name)
    at = datetime(years[0], 1, 1, tzinfo=UTC)
    end = datetime(years[-1] + 1, 1, 1, tzinfo=UTC)
    found = []
    while at < end:
        found.append(at.astimezone(zone).utcoffset() or timedelta(0))
        at += timedelta(hours=84)
    return tuple(found)


@cache
def keeping(offset: timedelta, year: int) -> str | None:
    """Return an accepted name with this offset from UTC in `year`: one that always keeps it, else all year, else ever.

    Return None if there is none. If only a zone with summer time has the offset (+10:30 of Lord Howe), it is that one.
    """
    if offset in _constant_places():
        return _constant_places()[offset] if offset else "UTC"
    years = range(year, year + 1)
    names = sorted(accepted_names() - {"UTC"}, key=lambda name: (name.startswith("Antarctica/"), name))
    # Tehran has had +03:30 all year only since 2022, which makes it no constant place.
    having = [name for name in names if offset in offsets(name, years)]
    return next((name for name in having if len(set(offsets(name, years))) == 1), next(iter(having), None))


def agree(names: tuple[str, ...]) -> bool:
    """Return True if the zones show the same local time at every moment since 2021."""
    years = range(_RECENT[0].year, _RECENT[1].year)
    return len({offsets(name, years) for name in names}) == 1


def _table(name: str) -> list[str]:
    return files("tzdata").joinpath("zoneinfo", name).read_text("utf-8").splitlines()


@cache
def _links() -> dict[str, str]:
    rows = (line.split() for line in _table("tzdata.zi") if line.startswith("L "))
    return UNLINKED | {row[2]: row[1] for row in rows}


@cache
def _by_folded_name() -> dict[str, str]:
    """IANA names by their casefolded spelling; without the placeholders that name no zone."""
    skipped = {"Factory", "localtime", "posixrules"}
    return {name.casefold(): name for name in sorted(available_timezones() - skipped)}


@cache
def _by_words() -> dict[str, str]:
    """IANA names of places by their words, such as "europe moscow", which mean nothing else however they are joined."""
    places = (name for name in _by_folded_name().values() if "/" in name and not name.startswith("Etc/"))
    return {_words(name): name for name in places}


def _words(name: str) -> str:
    """Return the casefolded words of a name, without a note in parentheses behind it."""
    noted = _NOTE.fullmatch(name)
    return _SEPARATORS.sub(" ", noted[1] if noted else name).strip().casefold()


@cache
def _aliases() -> dict[str, str]:
    """Windows names, with and without their "Standard Time", and what else is in use, casefolded."""
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON  # noqa: PLC0415 - slow, and IANA names need it not

    found = {}
    for windows, iana in WINDOWS_TO_OLSON.items():
        found[windows.casefold()] = iana
        if windows.endswith(" Standard Time"):
            found[windows.removesuffix(" Standard Time").casefold()] = iana
            found[windows.replace("Standard", "Daylight").casefold()] = iana
    return found | {spelling.casefold(): iana for spelling, iana in ALIASES.items()}


def _by_cities(text: str, offset: timedelta) -> str | None:
    """Find the zone by the cities of a Windows display name; those with another offset do not count."""
    folded = text.casefold()
    known = _aliases().get(folded) or _cities().get(folded) or _by_folded_name().get(folded.replace(" ", "_"))
    names = [known] if known else [_cities().get(city.strip().casefold()) for city in re.split(r",| / ", text)]
    fitting = tuple(name for name in names if name and _standard_offset(name) == offset)
    return fitting[0] if fitting and agree(fitting) else None


@cache
def _cities() -> dict[str, str]:
    """Cities that have a zone of their name, and the others that Windows mentions, casefolded."""
    own = {name.rpartition("/")[2].replace("_", " ").casefold(): name for name in sorted(accepted_names())}
    return own | {city.casefold(): name for city, name in CITIES.items()}


def _offset(sign: str, hours: str, minutes: str | None) -> timedelta:
    size = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return size if sign == "+" else -size


def _fixed(offset: timedelta) -> str | None:
    """Return a zone that always has `offset`: Etc/GMT for whole hours, else a place whose offset proves constant."""
    hours, rest = divmod(offset, timedelta(hours=1))
    if not rest and -12 <= hours <= 14:
        return "UTC" if hours == 0 else f"Etc/GMT{-hours:+d}"  # the sign is reversed there (POSIX)
    return _constant_places().get(offset)


def _standard_offset(name: str) -> timedelta:
    """Return the smaller of the zone's offsets in January and July of the current rules."""
    zone = ZoneInfo(name)
    both = [datetime(2036, month, 1, tzinfo=zone).utcoffset() or timedelta(0) for month in (1, 7)]
    return min(both)


@cache
def _constant_places() -> dict[timedelta, str]:
    """For every offset the first accepted name, inhabited places first, that keeps it throughout the proof years."""
    found: dict[timedelta, str] = {}
    for name in sorted(accepted_names() - {"UTC"}, key=lambda name: (name.startswith("Antarctica/"), name)):
        offset = _standard_offset(name)
        if offset not in found and set(offsets(name)) == {offset}:
            found[offset] = name
    return found


def as_read(start: str, zone: str | None) -> str:
    """Return the start of an item, an ISO date or time, as people read it: in `zone`, else with its own offset."""
    if "T" not in start:
        return start
    moment = datetime.fromisoformat(start)
    if zone is not None and moment.tzinfo is not None:
        moment = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return moment.isoformat(" ", "minutes")


def in_zone_of(value: str, own: str) -> str:
    """Return an ISO time without an offset with that of the zone `own`; anything else that is a date or time as it is.

    Raises ValueError for what is none, and ZoneInfoNotFoundError for an unknown zone.
    """
    moment = datetime.fromisoformat(value)
    if "T" in value and moment.tzinfo is None:
        return moment.replace(tzinfo=ZoneInfo(own)).isoformat()
    return value


def as_told(start: str, zone: str | None) -> str:
    """Return the start of an item like `as_read`, as a message that is told in the reader's notation."""
    try:
        text = as_read(start, zone)
        found = datetime.fromisoformat(text)
    except ValueError:  # what an older version kept, or a feed said
        return start
    return say("{moment}", moment=found) if ":" in text else say("{day}", day=found.date())
