"""Times and durations as people read them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfoNotFoundError

from syncd.lang.catalog import reader, told
from syncd.lang.saying import say
from syncd.model.json_values import Json
from syncd.model.zones import as_read, in_zone_of


def local_time(unix: float) -> str:
    """Return a unix time as the clock here shows it."""
    moment = datetime.fromtimestamp(unix).astimezone()
    if reader() == "en":
        return moment.strftime("%Y-%m-%d %H:%M:%S")
    return told(say("{moment}", moment=moment.replace(tzinfo=None)))


def when(start: str, zone: str | None) -> str:
    """Return the start of an item, an ISO date or time, as people read it: in `zone`, else with its own offset."""
    text = as_read(start, zone)
    if reader() == "en" or not start:
        return text
    try:
        found = datetime.fromisoformat(text)
    except ValueError:  # what an older version kept, or a feed said
        return text
    return told(say("{moment}", moment=found) if ":" in text else say("{day}", day=found.date()))


def clock_time(value: Json, own: Json, zone: str | None) -> Json:
    """Return a time of the clocks of the zone `own` as people in `zone` read it; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        value = in_zone_of(value, str(own))
    except (ValueError, ZoneInfoNotFoundError):  # no time, or one in a zone that only the portal knows
        return value
    return when(value, zone)


def local_zone() -> str:
    """Return the zone of `local_time`: this machine's, by name and offset."""
    now = datetime.now().astimezone()
    return f"{now.tzname()} (UTC{now:%z})"


def seconds(number: float) -> str:
    """Return a number of seconds to one digit."""
    return say("{number:.1f} s", number=number)


def duration(seconds_: float) -> str:
    """Return a duration in the unit that people would use."""
    if seconds_ < 90:
        return say("{number:.0f} s", number=seconds_) if seconds_ >= 10 else seconds(seconds_)
    if seconds_ < 5400:
        return say("{number:.0f} min", number=seconds_ / 60)
    return say("{number:.1f} h", number=seconds_ / 3600)
