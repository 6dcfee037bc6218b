"""RRULE, RDATE and EXDATE of a VEVENT to a recurrence, read against the start of its series.

An UNTIL becomes what RFC 5545 asks for beside that start: a date in a series of whole days, the start's own clock in
one without a zone. Days that a rule counts in UTC become the days that people see.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time
from itertools import islice

from syncd.lang.saying import say
from syncd.model.entry import AllDay, Moment, Recurrence, Span
from syncd.model.recurrence import rfc
from syncd.model.recurrence.rrule import parse
from syncd.model.recurrence.wall import as_datetime, seconds
from syncd.model.rule import WEEKDAYS
from syncd.source.field_values import read_rule
from syncd.source.ical.lines import Component
from syncd.source.ical.time_values import Home, When, items, moved_to, read_item, read_rdates
from syncd.source.stamps import read_stamp

_REPEATS = frozenset({"RDATE", "EXDATE"})
_DIGITS_OF_A_DAY = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?!\d)", re.ASCII)
_DAY_ENDS = (time(0), time(23, 59), time(23, 59, 59))
_MIDNIGHT = time(0)
_SUB_DAILY = frozenset({"FREQ=HOURLY", "FREQ=MINUTELY", "FREQ=SECONDLY"})
_TIME_PARTS = frozenset({"BYHOUR", "BYMINUTE", "BYSECOND"})
_DAY_PARTS = frozenset({"BYDAY", "BYMONTHDAY", "BYMONTH", "BYYEARDAY", "BYWEEKNO"})
_UNMOVED = frozenset({"BYSETPOS", "BYYEARDAY", "BYWEEKNO"})
_IN_EVERY_MONTH = 28
_MOST_COUNTED = 3000
_FAR = datetime(2037, 12, 31)


def read_rules(component: Component, day: int) -> tuple[str, ...]:
    """Return the rules of a series that begins on this day of the month; an empty RRULE is none."""
    rules = (read_rule(prop.value, day=day) for prop in component.all("RRULE"))
    return tuple(dict.fromkeys(filter(None, rules)))


def read_recurrence(
    component: Component, rules: tuple[str, ...], span: Span, home: Home
) -> tuple[Recurrence | None, list[str]]:
    """Return how an event repeats, None if it does not, and warnings about what could be meant otherwise."""
    warnings: list[str] = []
    if not rules and not _REPEATS & component.properties.keys():
        return None, warnings
    rules = tuple(_until_at_home(rule, home) for rule in rules)
    if home.whole_days and home.start is not None and home.start.form == "utc" and isinstance(span, AllDay):
        rules = tuple(_on_local_days(rule, home.start.wall.date(), span.first, warnings) for rule in rules)
    rdates = tuple(day for prop in component.all("RDATE") for day in read_rdates(prop, span, home))
    exdates: list[Moment] = []
    for prop in component.all("EXDATE"):
        for text in items(prop):
            if (day := _day_of(text, rules, warnings)) is not None:
                exdates += day
                continue
            when = read_item(text, prop, home)
            exdates.append((None if rdates else _as_day(when, rules, span)) or home.moment(when))
    if not rules and not rdates and not exdates:
        return None, warnings
    recurrence = Recurrence(
        rules=tuple(dict.fromkeys(rules)),
        rdates=tuple(dict.fromkeys(rdates)),
        exdates=tuple(dict.fromkeys(exdates)),
    )
    return recurrence, warnings


def _day_of(text: str, rules: tuple[str, ...], warnings: list[str]) -> tuple[Moment, ...] | None:
    """Return what is left of an exception that cannot be read, None for one that can be, or of which no day is left.

    Its day is enough where a series has one occurrence a day. Without it, it is not known which lesson does not take
    place, and the event must be refused: what stands already keeps all its exceptions so.
    """
    found = _DIGITS_OF_A_DAY.match(text)
    if _is_stamp(text) or found is None or _is_several_times_a_day(rules):
        return None
    try:
        day = datetime(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        warnings.append(
            say("EXDATE {text!r} names no day of any calendar, so it takes nothing away (correct it)", text=text)
        )
        return ()
    warnings.append(
        say(
            "EXDATE {text!r} cannot be read; what begins on {day} is taken to be meant (correct it)",
            text=text,
            day=day.date(),
        )
    )
    return (Moment(wall=day, zone=None),)


def _is_stamp(text: str) -> bool:
    """Return True if a text is a stamp of a day and time that exist."""
    try:
        read_stamp(text)
    except ValueError:
        return False
    return True


def _is_several_times_a_day(rules: tuple[str, ...]) -> bool:
    parts = {part.partition("=")[0] for rule in rules for part in rule.split(";")}
    return bool(_TIME_PARTS & parts) or any(_SUB_DAILY & {*rule.split(";")} for rule in rules)


def _as_day(when: When, rules: tuple[str, ...], span: Span) -> Moment | None:
    """Return the day whose midnight an exception names in a series that never begins then; None for any other time.

    Programs write whole days so, and such a time can hit nothing.
    """
    if when.zone is None or when.wall.time() != _MIDNIGHT or isinstance(span, AllDay):
        return None
    if span.start.time() == _MIDNIGHT or _is_several_times_a_day(rules):
        return None
    local = moved_to(when.wall, when.zone, span.zone)
    return Moment(wall=when.wall, zone=None) if local.date() == when.wall.date() else None


def last_start(component: Component, rules: tuple[str, ...], first: datetime) -> datetime | None:
    """Return a wall clock after which a series has no more starts, None if it has no end or a very late one."""
    found = [first]
    for text in rules:
        rule = parse(text)
        if rule.is_endless:
            return None
        if rule.until is not None:
            found.append(rule.until.wall)
        elif rule.count is not None:
            starts = list(islice(rfc.starts(rule, seconds(first), seconds(_FAR)), min(rule.count, _MOST_COUNTED)))
            if len(starts) == _MOST_COUNTED:
                return None
            found += [as_datetime(starts[-1])] if starts else []
    for prop in component.all("RDATE"):
        found += [read_stamp(text.strip().partition("/")[0])[0] for text in prop.value.split(",") if text.strip()]
    return min(max(found), _FAR)


def _until_at_home(rule: str, home: Home) -> str:
    """Return the rule with an UNTIL that fits the start of its series."""
    name, parts = "UNTIL=", rule.split(";")
    place = next((number for number, part in enumerate(parts) if part.startswith(name)), None)
    if place is None or "T" not in parts[place]:
        return rule
    wall, _, offset = read_stamp(parts[place].removeprefix(name))
    until = When(wall=wall, zone="UTC" if offset is not None else "", form="floating" if offset is None else "utc")
    if home.whole_days:
        day = home.day(until) if until.form == "utc" else wall.date()
        parts[place] = f"{name}{day:%Y%m%d}"
    elif until.form == "utc" and not _is_meant_in_utc(until, home):
        parts[place] = f"{name}{wall:%Y%m%dT%H%M%S}"
    return ";".join(parts)


def _is_meant_in_utc(until: When, home: Home) -> bool:
    """Return False for an end beside a start without a zone whose digits are more likely the start's own clock."""
    if home.start is None or home.start.zone is None or not home.is_local(until.wall):
        return True
    ends_day = moved_to(until.wall, "UTC", home.start.zone).time() in _DAY_ENDS
    return ends_day and until.wall.time() != home.start.wall.time()


def _on_local_days(rule: str, given: date, meant: date, warnings: list[str]) -> str:
    """Return a rule whose days are counted in UTC, where the series begins on `given`, for people, who see `meant`.

    Whole days written as instants begin on the day before or after in UTC, and Exchange counts BYDAY there too. A rule
    that does not hit `given` was written with people's days. Raises ValueError if the days cannot be moved.
    """
    parts = [part.partition("=")[::2] for part in rule.split(";")]
    named = dict(parts)
    if given == meant or not _DAY_PARTS & named.keys() or not _hits(named, given):
        return rule
    if not _can_move(named):
        raise ValueError(
            say("{rule} counts days in UTC that are other days for people (have the feed write VALUE=DATE)", rule=rule)
        )
    late = max(given.day, meant.day) > _IN_EVERY_MONTH or given.month != meant.month
    if _hits(named, meant) or ("BYMONTHDAY" in named and late):
        warnings.append(
            say("the days of {rule} are read as days in UTC, where the series begins on {day}", rule=rule, day=given)
        )
    shift = (meant - given).days
    moved = {
        "BYDAY": ",".join(_weekday(text, shift) for text in named.get("BYDAY", "").split(",")),
        "BYMONTHDAY": str(meant.day),
        "BYMONTH": str(meant.month) if given.month != meant.month else named.get("BYMONTH", ""),
        "WKST": _weekday(named.get("WKST", "MO"), shift),
    }
    # Which weeks an INTERVAL counts depends on the day on which they begin.
    if named["FREQ"] == "WEEKLY" and named.get("INTERVAL", "1") != "1" and "WKST" not in named:
        parts.append(("WKST", ""))
    return ";".join(f"{name}={moved.get(name, value)}" for name, value in parts)


def _hits(named: dict[str, str], day: date) -> bool:
    """Return True if a rule's weekdays, days and months allow a day, not looking at which of the month's weekdays."""
    weekdays, days, months = (
        [text for text in named.get(name, "").split(",") if text] for name in ("BYDAY", "BYMONTHDAY", "BYMONTH")
    )
    return (
        (not weekdays or WEEKDAYS[day.weekday()] in {text[-2:] for text in weekdays})
        and (not days or day.day in {int(text) for text in days} or any(text.startswith("-") for text in days))
        and (not months or day.month in {int(text) for text in months})
    )


def _can_move(named: dict[str, str]) -> bool:
    days, months = named.get("BYMONTHDAY", "1"), named.get("BYMONTH", "1")
    return (
        not _UNMOVED & named.keys()
        and all(text in WEEKDAYS for text in named.get("BYDAY", "MO").split(","))
        and days.isdigit()
        and months.isdigit()
    )


def _weekday(text: str, shift: int) -> str:
    names: tuple[str, ...] = WEEKDAYS
    return names[(names.index(text) + shift) % 7] if text in names else text
