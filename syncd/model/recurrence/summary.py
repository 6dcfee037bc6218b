"""One line for a person: what a series is, and what it became in the portal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from functools import reduce

from syncd.lang.saying import Saying, say, say_as, say_count
from syncd.model.became import Became
from syncd.model.entry import Entry, Recurrence
from syncd.model.recurrence.piece import Piece
from syncd.model.recurrence.rrule import Rule, parse

_DAYS = (
    say_as("weekday", "MO"),
    say_as("weekday", "TU"),
    say_as("weekday", "WE"),
    say_as("weekday", "TH"),
    say_as("weekday", "FR"),
    say_as("weekday", "SA"),
    say_as("weekday", "SU"),
)
_MONTHS = (
    say_as("month", "Jan"),
    say_as("month", "Feb"),
    say_as("month", "Mar"),
    say_as("month", "Apr"),
    say_as("month", "May"),
    say_as("month", "Jun"),
    say_as("month", "Jul"),
    say_as("month", "Aug"),
    say_as("month", "Sep"),
    say_as("month", "Oct"),
    say_as("month", "Nov"),
    say_as("month", "Dec"),
)
_MONTHS_OF_A_DAY = (
    say_as("month of a day", "Jan"),
    say_as("month of a day", "Feb"),
    say_as("month of a day", "Mar"),
    say_as("month of a day", "Apr"),
    say_as("month of a day", "May"),
    say_as("month of a day", "Jun"),
    say_as("month of a day", "Jul"),
    say_as("month of a day", "Aug"),
    say_as("month of a day", "Sep"),
    say_as("month of a day", "Oct"),
    say_as("month of a day", "Nov"),
    say_as("month of a day", "Dec"),
)
_ONCE = {
    "YEARLY": say("yearly"),
    "MONTHLY": say("monthly"),
    "WEEKLY": say("weekly"),
    "DAILY": say("daily"),
    "HOURLY": say("hourly"),
    "MINUTELY": say("every minute"),
    "SECONDLY": say("every second"),
}
_EVERY = {
    "YEARLY": lambda count: say_count("every {count} year", "every {count} years", count),
    "MONTHLY": lambda count: say_count("every {count} month", "every {count} months", count),
    "WEEKLY": lambda count: say_count("every {count} week", "every {count} weeks", count),
    "DAILY": lambda count: say_count("every {count} day", "every {count} days", count),
    "HOURLY": lambda count: say_count("every {count} hour", "every {count} hours", count),
    "MINUTELY": lambda count: say_count("every {count} minute", "every {count} minutes", count),
    "SECONDLY": lambda count: say_count("every {count} second", "every {count} seconds", count),
}


def became(recurrence: Recurrence, entry: Entry, pieces: Sequence[Piece]) -> Became | None:
    """Return what a series became, None for a plain single entry."""
    if not recurrence.rules and not recurrence.rdates and not entry.overrides:
        return None
    series = sum(piece.rule is not None for piece in pieces)
    return Became(
        rules=recurrence.rules,
        further_dates=len(recurrence.rdates),
        exceptions=len(recurrence.exdates) + len(entry.overrides),
        series=series,
        events=len(pieces) - series,
    )


def told_of(became: Became) -> Saying:
    """Return e.g. "weekly MO WE until 25 May 2026, 3 exceptions: 4 series, 1 event"."""
    if became.alone:
        return say_count("series as {count} single item", "series as {count} single items", became.events)
    rule = reduce(_both, (_rule(parse(text)) for text in became.rules)) if became.rules else say("once")
    if dates := became.further_dates:
        rule = say_count("{rule}, {count} further date", "{rule}, {count} further dates", dates, rule=rule)
    if became.exceptions:
        rule = say_count("{rule}, {count} exception", "{rule}, {count} exceptions", became.exceptions, rule=rule)
    made = (
        say_count("{count} series", "{count} series", became.series) if became.series else None,
        say_count("{count} event", "{count} events", became.events) if became.events else None,
    )
    return say("{rule}: {made}", rule=rule, made=made if any(made) else say("nothing in the window"))


def _rule(rule: Rule) -> Saying:
    said = _ONCE[rule.freq] if rule.interval == 1 else _EVERY[rule.freq](rule.interval)
    if rule.byday:
        days = _in_a_row(_weekday(ordinal, weekday) for ordinal, weekday in _in_week_order(rule.byday))
        said = say("{rule} {days}", rule=said, days=days)
    if rule.bymonthday:
        said = say("{rule} on {numbers}", rule=said, numbers=" ".join(map(str, rule.bymonthday)))
    if rule.bymonth:
        said = say("{rule} in {months}", rule=said, months=_in_a_row(_MONTHS[month - 1] for month in rule.bymonth))
    if rule.bysetpos:
        said = say("{rule} (only number {numbers})", rule=said, numbers=" ".join(map(str, rule.bysetpos)))
    if rule.count is not None:
        said = say_count("{rule}, {count} time", "{rule}, {count} times", rule.count, rule=said)
    if rule.until is not None:
        said = say("{rule} until {day}", rule=said, day=_day(rule.until.wall.date()))
    return said


def _both(first: Saying, second: Saying) -> Saying:
    return say("{first} and {second}", first=first, second=second)


def _in_a_row(words: Iterable[Saying]) -> Saying:
    return reduce(lambda first, second: say("{first} {second}", first=first, second=second), words)


def _weekday(ordinal: int, weekday: int) -> Saying:
    if ordinal < 0:
        return say("-{ordinal}{day}", ordinal=-ordinal, day=_DAYS[weekday])
    return say("{ordinal}{day}", ordinal=ordinal, day=_DAYS[weekday]) if ordinal else _DAYS[weekday]


def _in_week_order(byday: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    return sorted(byday, key=lambda day: (day[1], day[0]))


def _day(day: date) -> Saying:
    return say("{day} {month} {year}", day=day.day, month=_MONTHS_OF_A_DAY[day.month - 1], year=day.year)
