"""The cells of a workbook as the texts that a person would type: which days mean midnight, and which are lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta

from syncd.source.table.cell_values import truth
from syncd.source.table.sheet_reader import Cell

_HALF_SECOND = timedelta(milliseconds=500)
_DAY_S = 86_400
_EXACT_FLOAT = 1e15
_DAY_ZERO = date(1899, 12, 31)
_MOST_DAYS = 31
"""More hours than those of a month are no length of an entry, but a date of 1900."""


class Clocks:
    """Finds which cells without a time of day mean midnight.

    Excel stores a day and its midnight alike, so that calamine gives a date for both. Only the format of the cell tells
    them apart, which takes a second look at the file: it is taken if days stand beside times (`doubtful`).
    """

    def __init__(self, positions: Mapping[str, int], rows: Sequence[Sequence[Cell]]) -> None:
        self._positions = positions
        self._start, self._end = positions.get("start", -1), positions.get("end", -1)
        self._times = tuple(positions[field] for field in ("start_time", "end_time", "duration") if field in positions)
        self._shown: frozenset[tuple[int, int]] | None = None
        spans = (self._start, self._end) if self._start >= 0 else ()
        self.doubtful = any(_is_day(row, at) for row in rows for at in spans) and any(
            _has_time(row, at) for row in rows for at in spans
        )

    def look(self, shown: frozenset[tuple[int, int]] | None) -> None:
        """Take the cells that show a time of day; None says nothing, as for a file of another format."""
        self._shown = shown

    def clear_up(self, number: int, cells: Sequence[Cell], texts: list[str]) -> None:
        """Write out the midnights of a row, and times of day as times."""
        base = self._day_of_times(cells)
        for at in self._times:
            if at < len(texts):
                texts[at] = str(cells[at]) if self._is_doubtful_hour(cells, at) else _clock(cells[at], texts[at], base)
        for at in (self._start, self._end) if self._start >= 0 else ():
            if _is_day(cells, at) and self._is_midnight(number, cells, at):
                texts[at] += " 00:00"

    def _is_doubtful_hour(self, cells: Sequence[Cell], at: int) -> bool:
        """Return True for the number 1 among real times: as Excel counts it is 24:00, as a person does 1:00."""
        return cells[at] == 1.0 and isinstance(cells[at], float) and any(_has_time(cells, one) for one in self._times)

    def _day_of_times(self, cells: Sequence[Cell]) -> int:
        """Return the day of 1900 that a row's times stand on, 0 if they are times alone.

        Python and SQL Server put 1900-01-01 beside a time that has no date. A start is never 33 hours after its date.
        """
        start = self._positions.get("start_time", -1)
        if not 0 <= start < len(cells) or _days(cells[start]) != 1:
            return 0
        others = [_days(cells[at]) for at in self._times if at != start and at < len(cells)]
        # 1.0 alone is 24:00; where an end stands on that day too, it is the midnight at which the day begins.
        return int(isinstance(cells[start], datetime) or max(others, default=0) >= 1)

    def _is_midnight(self, number: int, cells: Sequence[Cell], at: int) -> bool:
        other = self._end if at == self._start else self._start
        if _has_time(cells, other) or (at == self._start and _has_time(cells, self._positions.get("duration", -1))):
            return True
        if not self.doubtful or self._says_all_day(cells):
            return False
        if self._shown is not None:
            return (number, at) in self._shown
        # Without formats: from one midnight to another beside timed rows is a span; a single date is a day.
        start, end = (cells[one] if 0 <= one < len(cells) else "" for one in (self._start, self._end))
        return _is_day(cells, other) and start != end

    def _says_all_day(self, cells: Sequence[Cell]) -> bool:
        at = self._positions.get("all_day", -1)
        text = text_of(cells[at]).strip() if 0 <= at < len(cells) else ""
        try:
            return bool(text) and truth(text)
        except ValueError:
            return False


def row_of(number: int, cells: Sequence[Cell], clocks: Clocks, width: int) -> list[str]:
    """Return a row as texts, without what stands beside the table: no delimiter has split a cell of a workbook."""
    texts = [text_of(cell) for cell in cells[:width]]
    clocks.clear_up(number, cells, texts)
    return texts


def early_text_of(cell: Cell) -> str:
    """Return the text of a cell of which it is not known whether it is a time: days of January 1900 are hours."""
    return _clock(cell, text_of(cell)) if isinstance(cell, date) and cell.year == _DAY_ZERO.year + 1 else text_of(cell)


def _days(cell: Cell) -> int:
    """Return how many days a cell counts as a length: calamine gives times from 24 hours on as days of 1900."""
    return (date(cell.year, cell.month, cell.day) - _DAY_ZERO).days if isinstance(cell, date) else 0


def _clock(cell: Cell, text: str, base: int = 0) -> str:
    """Return the text of a cell in a column of times or lengths: 1.0 is 24:00, and a day there is its midnight.

    `base` is the day of 1900 on which times without a date stand.
    """
    if not isinstance(cell, date):
        return text
    days = _days(cell)
    days -= base if days >= base else 0
    if not 0 <= days <= _MOST_DAYS:
        return text if isinstance(cell, datetime) else f"{text} 00:00"
    minutes = days * 1440 + (cell.hour * 60 + cell.minute if isinstance(cell, datetime) else 0)
    return f"{minutes // 60}:{minutes % 60:02}"


def _is_day(cells: Sequence[Cell], at: int) -> bool:
    return 0 <= at < len(cells) and isinstance(cells[at], date) and not isinstance(cells[at], datetime)


def _has_time(cells: Sequence[Cell], at: int) -> bool:
    if not 0 <= at < len(cells):
        return False
    cell = cells[at]
    return isinstance(cell, datetime | time) or (isinstance(cell, timedelta) and cell.total_seconds() % _DAY_S > 0)


def text_of(cell: Cell) -> str:  # noqa: PLR0911 - one line per kind of cell
    """Return what a person would type for the cell: dates in ISO, lengths as hours and minutes, whole numbers bare."""
    match cell:
        case str():
            return cell
        case bool():
            return "true" if cell else "false"
        case datetime():
            # Times are fractions of a day, so 9:00 may be stored as 8:59:59.9999.
            return (cell + _HALF_SECOND).isoformat(" ", "seconds")
        case date():
            return cell.isoformat()
        case time():
            return cell.isoformat("seconds")
        case timedelta():
            minutes, seconds = divmod(round(cell.total_seconds()), 60)
            return f"{minutes // 60}:{minutes % 60:02}" + (f":{seconds:02}" if seconds else "")
        case float() if cell.is_integer() and abs(cell) < _EXACT_FLOAT:
            # Excel stores every number as a float; an id of 17 must not become "17.0".
            return str(int(cell))
        case _:
            return str(cell)
