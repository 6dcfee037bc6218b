"""One line for a person: what a series is, and what it became in the portal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from syncd.model.entry import Entry, Recurrence
from syncd.model.recurrence.piece import Piece
from syncd.model.recurrence.rrule import Rule
from syncd.model.rule import WEEKDAYS

_UNITS = {
    "YEARLY": ("yearly", "years"),
    "MONTHLY": ("monthly", "months"),
    "WEEKLY": ("weekly", "weeks"),
    "DAILY": ("daily", "days"),
    "HOURLY": ("hourly", "hours"),
    "MINUTELY": ("every minute", "minutes"),
    "SECONDLY": ("every second", "seconds"),
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def summarise(rules: Sequence[Rule], recurrence: Recurrence, entry: Entry, pieces: Sequence[Piece]) -> str:
    """Return e.g. "weekly MO WE until 25 May 2026, 3 exceptions: 4 series, 1 event"; "" for a plain single entry."""
    if not rules and not recurrence.rdates and not entry.overrides:
        return ""
    said = " and ".join(_rule(rule) for rule in rules) or "once"
    if recurrence.rdates:
        said += f", {_number(len(recurrence.rdates), 'further date')}"
    exceptions = len(recurrence.exdates) + len(entry.overrides)
    if exceptions:
        said += f", {_number(exceptions, 'exception')}"
    series = sum(piece.rule is not None for piece in pieces)
    became = [f"{series} series"] if series else []
    if len(pieces) > series:
        became.append(_number(len(pieces) - series, "event"))
    return f"{said}: {', '.join(became) or 'nothing in the window'}"


def _rule(rule: Rule) -> str:
    once, many = _UNITS[rule.freq]
    said = once if rule.interval == 1 else f"every {rule.interval} {many}"
    if rule.byday:
        said += "".join(f" {ordinal or ''}{WEEKDAYS[weekday]}" for ordinal, weekday in _in_week_order(rule.byday))
    if rule.bymonthday:
        said += " on " + " ".join(map(str, rule.bymonthday))
    if rule.bymonth:
        said += " in " + " ".join(_MONTHS[month - 1] for month in rule.bymonth)
    if rule.bysetpos:
        said += " (only number " + " ".join(map(str, rule.bysetpos)) + ")"
    if rule.count is not None:
        said += f", {_number(rule.count, 'time')}"
    if rule.until is not None:
        said += f" until {_day(rule.until.wall.date())}"
    return said


def _in_week_order(byday: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    return sorted(byday, key=lambda day: (day[1], day[0]))


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _day(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
