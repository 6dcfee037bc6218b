"""Guesses the keys of `[sync.source]` that the cells of a table tell, for `syncd init`: what dates and lengths mean."""

from __future__ import annotations

import re
from collections.abc import Sequence

from syncd.lang.saying import say
from syncd.source.table.heading_words import says_unit, unit_of
from syncd.source.table.headings import FoundFields, is_time_alone
from syncd.source.table.spans import is_nothing
from syncd.source.table.when import DateOrder, DateOrders, find_orders, read_cell

Found = tuple[str, str | int, str]
"""A key, its value, and a note on where it comes from."""
_NUMBER = re.compile(r"\d{1,4}(?:[.,]\d{1,3})?")
_SHIFTS = re.compile(r"смен|дежурств|shift", re.IGNORECASE)
_MOST_HOURS, _DAY_H = 12, 24


def no_end(found: FoundFields, table: Sequence[Sequence[str]]) -> tuple[Found, ...]:
    """Return a length for entries that have a start time and no end, if there are such."""
    columns = found.columns
    start = columns.get("start_time", columns.get("start", -1))
    ends = [columns[name] for name in ("end", "end_time", "duration") if name in columns]
    for row in table:
        text = row[start] if 0 <= start < len(row) else ""
        has_end = any(at < len(row) and not is_nothing(row[at]) for at in ends)
        if not has_end and is_time_alone(text):
            said = say("a guess: how long what has a start time and no end lasts")
            return (("default_duration", "1h", said),)
    return ()


def unit_of_numbers(found: FoundFields, header: Sequence[str], table: Sequence[Sequence[str]]) -> tuple[Found, ...]:
    """Return what bare numbers in a column of durations count, if its title does not say it and they are no minutes."""
    at = found.columns.get("duration", -1)
    numbers = [float(row[at].replace(",", ".")) for row in table if at < len(row) and _NUMBER.fullmatch(row[at])]
    if at < 0 or not numbers:
        return ()
    if unit_of(header[at]) is None:
        academic = re.search(r"\bак|academic", header[at], re.IGNORECASE) is not None
        return (("duration_unit", "45m", say("a guess: an academic hour")),) if academic else ()
    of_shifts = _SHIFTS.search(header[at]) is not None and max(numbers) <= _DAY_H
    # Appointments last 5 or 10 minutes, but nothing lasts 3 or 8 of them.
    of_hours = max(numbers) <= _MOST_HOURS and any(number % 5 for number in numbers)
    if says_unit(header[at]) or not (of_shifts or of_hours):
        return ()
    return (("duration_unit", "1h", say("a guess: what a number in the column of durations counts")),)


def date_order(dates: Sequence[str], clocks: Sequence[str]) -> tuple[DateOrder, str, tuple[str, ...]]:
    """Return the order of day and month to write, where it comes from, and what is to be checked."""
    orders = find_orders(dates, "auto")
    unknown = [text for text in dates if _could_be_two_days(text, orders)]
    proved = {_reads(text, "dmy") for text in dates if _reads(text, "dmy") != _reads(text, "mdy")}
    if unknown and len(proved) > 1:
        doubt = say(
            "the dates have both orders of day and month, so {unknown!r} cannot be read (write 2026-12-31)",
            unknown=unknown[0],
        )
        return "auto", say("both orders occur, so each date has to say its own"), (doubt,)
    if unknown:
        # am and pm are written almost only where the month comes first.
        order: DateOrder = "mdy" if any(text.casefold().endswith(("am", "pm")) for text in clocks) else "dmy"
        return (
            order,
            say("a guess: the dates can be read both ways"),
            (say('dates like {text!r} are taken as dates = "{order}"', text=unknown[0], order=order),),
        )
    shown = set(orders.shown.values())
    dotted = any(text.count(".") == 2 for text in dates)
    if len(shown) == 1 and not orders.odd and not (dotted and shown == {"mdy"}):
        return shown.pop(), say("read from the dates"), ()
    return "auto", say("all dates say it themselves"), ()


def _could_be_two_days(text: str, orders: DateOrders) -> bool:
    try:
        read_cell(text, orders)
    except ValueError:
        return _reads(text, "dmy") and _reads(text, "mdy")
    return False


def _reads(text: str, setting: DateOrder) -> bool:
    try:
        return read_cell(text, DateOrders(setting=setting)).day is not None
    except ValueError:
        return False
