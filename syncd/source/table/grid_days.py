"""The row of days in a plan of people by days, and the month of days that are only numbers."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise

from syncd.errors import SourceError
from syncd.source.table.spoken import day_and_month, month_of, weekday_of, without_weekday
from syncd.source.table.when import DateOrders, read_cell

_AUTO = DateOrders(setting="auto")
_FEWEST = 5
"""A row with fewer days might be a row of shifts."""
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
    """

    days: Mapping[int, date]
    dated: bool
    month: Month | None = None
    has_months: bool = False
    wraps: bool = False

    def within(self, month: Month, *, where: str) -> Days:
        """Return the same days in a month, or in its year if they have months of their own.

        Raises SourceError for days that this does not date.
        """
        if self.has_months:
            return self._in_year(month[0], where)
        if self.wraps:
            raise SourceError(
                f"{where}: the days run over two months, so one month does not date them", "write their dates"
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
            raise SourceError(f"{where}: {year} has no 29 February", "correct the days or their year") from None
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
            warn(f"the weekdays are not those of {wrong[0]:%Y-%m}, which the days are taken for (check the month)")


def find_days(cells: Sequence[str]) -> Days | None:
    """Return the days of a row: dates, or numbers that go up by one; None for a row with fewer than five of them."""
    dated: dict[int, date] = {}
    yearless: dict[int, date] = {}
    numbers: dict[int, int] = {}
    for at, cell in enumerate(cells):
        text = without_weekday(" ".join(cell.split())) if cell else ""
        if (number := _NUMBER.fullmatch(text)) and 1 <= int(number[1]) <= 31:
            numbers[at] = int(number[1])
        elif text and (day := _date(text)) is not None:
            dated[at] = day
        elif text and (day := _yearless(text)) is not None:
            yearless[at] = day
    if len(dated) >= _FEWEST and _in_steps([day.toordinal() for day in dated.values()]):
        return Days(days=dated, dated=True, month=_month_of(dated.values()))
    if len(yearless) >= _FEWEST and all(_follows(*pair) for pair in pairwise(yearless.values())):
        return Days(days=yearless, dated=False, has_months=True)
    run = _longest_run(numbers)
    if len(run) < _FEWEST:
        return None
    # Until the month is known, one with 31 days stands for it.
    wraps = list(run.values()) != sorted(run.values())
    return Days(days={at: date(2000, 1, day) for at, day in run.items()}, dated=False, wraps=wraps)


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
    # 28 February and 1 March follow each other in most years.
    return other - one == timedelta(days=1) or (one.month, one.day, other.day) in ((12, 31, 1), (2, 28, 1))


def _in_steps(ordinals: Sequence[int]) -> bool:
    return all(later - earlier == 1 for earlier, later in pairwise(ordinals))


def _longest_run(numbers: Mapping[int, int]) -> dict[int, int]:
    """Return the longest run of numbers that go up by one, or from the end of a month to 1, by their columns."""
    best: dict[int, int] = {}
    run: dict[int, int] = {}
    last = 0
    for at, number in numbers.items():
        follows = number == last + 1 or (number == 1 and last >= 28)
        run = {**run, at: number} if run and follows else {at: number}
        best = run if len(run) > len(best) else best
        last = number
    return best


def _month_of(days: Collection[date]) -> Month | None:
    months = {(day.year, day.month) for day in days}
    return months.pop() if len(months) == 1 else None
