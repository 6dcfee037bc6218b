"""The row of days in a plan of people by days, and the month of days that are only numbers."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise

from syncd.errors import SourceError
from syncd.lang.saying import say
from syncd.source.table.heading_words import field_of
from syncd.source.table.spoken import day_and_month, month_of, weekday_of, without_weekday
from syncd.source.table.when import DateOrders, read_cell

_AUTO = DateOrders(setting="auto")
FEWEST = 5
"""A row with fewer days might be a row of shifts."""
_LONGEST_GAP = 14
_SHORTEST_GAP = 7
"""Plans may leave out weekends and holidays, but between two dates further apart lies no plan."""
_LEAST = 2
_YEARLESS = 2000
_NUMBERS_ONLY = re.compile(r"(?:0?[1-9]|[12]\d|3\d)(?:\.\d{1,2}(?:\.\d{2,4})?\.?)?")
_NUMBER = re.compile(r"0?(\d{1,2})(?:\.0)?")
_DAY_MONTH = re.compile(r"(\d{1,2})\.(\d{2})\.?")
_WORD = re.compile(r"[^\W\d_]{3,}")
_YEAR = re.compile(r"(?<!\d)(20\d{2})(?!\d)")
_MONTH_YEAR = re.compile(
    r"(?<![\d.])(0?[1-9]|1[0-2])[. _/-](20\d{2})(?![\d.])|(?<!\d)(20\d{2})[. _/-](0[1-9]|1[0-2])(?![\d._/-])"
)
_DAY_BEFORE = re.compile(r"\d{1,2}\s*(?:\.|-?го)?\s*$")

Month = tuple[int, int]
"""Year and month."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """A row of days, by their 0-based columns.

    Until `dated` they lie in the year 2000, and in its January unless `has_months`; `wraps` if numbers begin again.
    `odd` are cells among them that look like days and are not in their order; `named` if weekdays stand beside numbers.
    """

    days: Mapping[int, date]
    dated: bool
    month: Month | None = None
    has_months: bool = False
    wraps: bool = False
    odd: tuple[str, ...] = ()
    named: bool = False

    def within(self, month: Month, *, where: str) -> Days:
        """Return the same days in a month, or in its year if they have months of their own.

        Raises SourceError for days that this does not date.
        """
        if self.has_months:
            return self._in_year(month[0], where)
        if self.wraps:
            raise SourceError(
                say("{where}: the days run over two months, so one month does not date them", where=where),
                say("write their dates"),
            )
        year, number = month
        last = monthrange(year, number)[1]
        # A form with 31 columns is used for every month; the columns behind its last day are empty then.
        days = {at: date(year, number, day.day) for at, day in self.days.items() if day.day <= last}
        return replace(self, days=days, dated=True, month=month)

    def _in_year(self, year: int, where: str) -> Days:
        first = next(iter(self.days.values())).month
        try:
            # From December on to January.
            days = {at: day.replace(year=year + (day.month < first)) for at, day in self.days.items()}
        except ValueError:
            raise SourceError(
                say("{where}: {year} has no 29 February", where=where, year=year), say("correct the days or their year")
            ) from None
        return replace(self, days=days, dated=True, month=_month_of(days.values()))

    def are_weekdays(self, texts: Collection[str]) -> bool:
        """Return True if a row below the days says their weekdays, or repeats their numbers."""
        return all(weekday_of(text) is not None for text in texts)

    def check_weekdays(self, texts: Mapping[int, str], warn: Callable[[str], None]) -> None:
        """Warn if a row of weekdays is not that of these days, as in a copy of last month's plan."""
        said = {at: weekday_of(text) for at, text in texts.items()}
        wrong = [
            self.days[at] for at, weekday in said.items() if weekday is not None and weekday != self.days[at].weekday()
        ]
        if wrong and None not in said.values():
            month = f"{wrong[0]:%Y-%m}"
            warn(
                say(
                    "the weekdays are not those of {month}, which the days are taken for (check the month)", month=month
                )
            )


def find_days(cells: Sequence[str], fewest: int = FEWEST) -> Days | None:
    """Return the days of a row: dates, or numbers that go up; None for a row with fewer than `fewest` of them."""
    dated: dict[int, date] = {}
    yearless: dict[int, date] = {}
    numbers: dict[int, int] = {}
    named = 0
    for at, cell in enumerate(cells):
        plain = " ".join(cell.split())
        text = without_weekday(plain) if cell else ""
        named += text != plain
        if (number := _NUMBER.fullmatch(text)) and 1 <= int(number[1]) <= 31:
            numbers[at] = int(number[1])
        elif text and (day := _date(text)) is not None:
            dated[at] = day
        elif text and (day := _yearless(text)) is not None:
            yearless[at] = day
    if len(dated) >= fewest and all(_follows(*pair) for pair in pairwise(dated.values())):
        return Days(days=dated, dated=True, month=_month_of(dated.values()), odd=_odd(cells, dated))
    if len(yearless) >= fewest and all(_follows(*pair) for pair in pairwise(yearless.values())):
        return Days(days=yearless, dated=False, has_months=True, odd=_odd(cells, yearless))
    run = _longest_run(numbers)
    if len(run) < fewest:
        return None
    # Until the month is known, one with 31 days stands for it.
    wraps = list(run.values()) != sorted(run.values())
    days = {at: date(2000, 1, day) for at, day in run.items()}
    return Days(days=days, dated=False, wraps=wraps, odd=_odd(cells, days), named=2 * named >= len(run))


def row_of_days(rows: Sequence[Sequence[str]]) -> int | None:
    """Return the index of the row of days: the first with five or more, else one of fewer, but at least two.

    Of those the first beside a title of the column of names is taken, or else the one with most.
    """
    found: dict[int, int] = {}
    for at, cells in enumerate(rows):
        if (days := find_days(cells, _LEAST)) is not None:
            if len(days.days) >= FEWEST:
                return at
            found[at] = len(days.days)
    titled = (
        at for at in found if any(field_of(cell) == "owner" for row in rows[max(0, at - 2) : at + 1] for cell in row)
    )
    return next(titled, max(found, key=lambda at: found[at], default=None))


def _odd(cells: Sequence[str], days: Mapping[int, date]) -> tuple[str, ...]:
    """Return the cells beside days that have numbers and no words: days that are none, or come twice."""
    first, last = min(days), max(days)
    beside = [" ".join(cells[at].split()) for at in range(max(0, first - 1), last) if at not in days]
    # Behind the last day many plans have the number of days worked.
    beside += [text for text in cells[last + 1 : last + 2] if text == cells[last]]
    return tuple(text for text in beside if _NUMBERS_ONLY.fullmatch(without_weekday(text)))


def year_named(texts: Iterable[str]) -> int | None:
    """Return the one year that titles name, None if there is none, or several."""
    years = {int(year) for text in texts for year in _YEAR.findall(text)}
    return years.pop() if len(years) == 1 else None


def month_named(texts: Iterable[str]) -> Month | None:
    """Return the one month that titles name with its year, in words or numbers; None if there is none, or several."""
    joined = [" ".join(text.replace("_", " ").split()) for text in texts if text]
    # A date of approval stands above many plans; a month without a day before it is that of the plan.
    for with_day in (False, True):
        words = {month for text in joined for month in _words(text, with_day=with_day)}
        years = {int(year) for text in joined for year in _YEAR.findall(text)}
        together = {found for text in joined for found in _together(text, with_day=with_day)}
        if len(together) == 1:
            return together.pop()
        if not together and len(words) == 1 and len(years) == 1:
            return years.pop(), words.pop()
        if together or words:
            return None
        numbers = {found for text in joined for found in _in_numbers(text)}
        if len(numbers) == 1:
            return numbers.pop()
    return None


def read_month(text: str) -> Month | None:
    """Return the month of "2026-12" or "декабрь 2026", None for anything else."""
    return month_named([text])


def _words(text: str, *, with_day: bool) -> Iterable[int]:
    for word in _WORD.finditer(text):
        month = month_of(word[0])
        if month is not None and (with_day or not _DAY_BEFORE.search(text[: word.start()])):
            yield month


def _together(text: str, *, with_day: bool) -> Iterable[Month]:
    """Yield the months of a text that names them beside one year."""
    years = set(_YEAR.findall(text))
    if len(years) == 1:
        yield from ((int(next(iter(years))), month) for month in _words(text, with_day=with_day))


def _in_numbers(text: str) -> Iterable[Month]:
    for found in _MONTH_YEAR.finditer(text):
        yield (int(found[2]), int(found[1])) if found[1] else (int(found[3]), int(found[4]))
    # A month that Excel shows as "December 2026" is stored as its first day.
    if (day := _date(text)) is not None and day.day == 1:
        yield day.year, day.month


def _date(text: str) -> date | None:
    try:
        found = read_cell(text, _AUTO)
    except ValueError:
        return None
    return found.day if found.time in (None, timedelta(0)) else None


def _yearless(text: str) -> date | None:
    """Return the day of "01.12" or "1 дек" in the year 2000, which has a 29 February."""
    found = _DAY_MONTH.fullmatch(text)
    named = (int(found[1]), int(found[2])) if found else day_and_month(text)
    try:
        return date(2000, named[1], named[0]) if named is not None else None
    except ValueError:
        return None


def _follows(one: date, other: date) -> bool:
    """Return True if a day may stand behind another; without years, also one of January behind those of December."""
    gap = (other - one).days
    return 0 < gap <= _LONGEST_GAP or (other.year == _YEARLESS and 0 < gap + 366 <= _LONGEST_GAP)


def _longest_run(numbers: Mapping[int, int]) -> dict[int, int]:
    """Return the longest run of numbers that go up, or from the end of a month to the next, by their columns."""
    best: dict[int, int] = {}
    run: dict[int, int] = {}
    last = 0
    for at, number in numbers.items():
        follows = last < number <= last + _LONGEST_GAP or (number + 31 - last <= _SHORTEST_GAP and last >= 25)
        run = {**run, at: number} if run and follows else {at: number}
        best = run if len(run) > len(best) else best
        last = number
    return best


def _month_of(days: Collection[date]) -> Month | None:
    months = {(day.year, day.month) for day in days}
    return months.pop() if len(months) == 1 else None
