"""Tells where a sheet or file holds a second table: titles in another order, or rows above those that are read.

What is below other titles must not be read by the first ones: a start would be taken for an end, a person for a shift.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from syncd.lang.saying import Value, say, say_count
from syncd.source.reasons import some_of
from syncd.source.table.heading_words import field_of
from syncd.source.table.when import DateOrders, read_cell

Line = int | str
Row = tuple[Line, Sequence[str]]
_REMEDY = say("write all rows under the same titles, or each table into a file or sheet of its own")
_LEAST = 3
"""How many cells make a row of titles, or an entry above them."""
_STARTS = frozenset({"start", "date", "start_time"})
_SHOWN = 3
_DAY_FIRST, _MONTH_FIRST = DateOrders(setting="dmy"), DateOrders(setting="mdy")


class TitlesAgain:
    """Finds rows that hold the titles of a table again, or those of another one.

    `mapped` are the 0-based columns of the fields that are read.
    """

    def __init__(self, *, titles: Sequence[str], mapped: Mapping[str, int]) -> None:
        self._own = {at: (fold(titles[at]), field_of(titles[at])) for at in mapped.values() if titles[at]}
        self._same: list[Line] = []
        self._others: list[tuple[Line, int]] = []
        self.elsewhere = False
        self.anything = False
        """Whether there is something to tell."""

    def finds(self, line: Line, cells: Sequence[str]) -> bool:
        """Return True for a row of titles. Below those of another table `elsewhere` is true, and nothing is read."""
        kind = self._kind(cells)
        if kind == "same":
            self._same.append(line)
        elif kind == "other":
            self._others.append((line, 0))
        self.anything = self.anything or bool(kind)
        self.elsewhere = kind == "other" or (self.elsewhere and not kind)
        return bool(kind)

    def passes_over(self, line: Line, cells: Sequence[str]) -> bool:
        """Count a row below the titles of another table; always true."""
        if not self.finds(line, cells):
            first, below = self._others[-1]
            self._others[-1] = (first, below + 1)
        return True

    def others(self) -> Iterator[tuple[Line, str]]:
        """Yield the line of each row of other titles, and what to tell of what is below it."""
        for line, below in self._others:
            yield line, say("{message} ({remedy})", message=_other_titles(below), remedy=_REMEDY)

    def same(self) -> Iterator[tuple[Line, str]]:
        """Yield what to tell of the titles that stand again, once for all of them."""
        if self._same:
            reason = say_count(
                "the titles of the table stand again on the line {lines}, which are passed over",
                "the titles of the table stand again on the lines {lines}, which are passed over",
                len(self._same),
                lines=_few(self._same),
            )
            yield self._same[0], reason

    def _kind(self, cells: Sequence[str]) -> Literal["", "same", "other"]:
        own, said = self._own, {at: fold(cell) for at, cell in enumerate(cells) if cell}
        if own and all(said.get(at) == title for at, (title, _) in own.items()):
            # Files put one behind the other, or pages that each begin with the titles.
            return "same"
        if self._displaced(said):
            return "other"
        others = (cells[at] for at in said if said[at] not in {title for title, _ in own.values()})
        if any(any(map(str.isdigit, cell)) for cell in others):
            return ""
        fields = {at: field for at in said if (field := field_of(cells[at])) is not None}
        is_row = len(fields) >= _LEAST and 2 * len(fields) > len(said) and bool(_STARTS & set(fields.values()))
        if not is_row:
            return ""
        # Titles that mean the same in the same columns are the same, however they are written.
        alike = own and all(
            said.get(at) == title or (field is not None and field == fields.get(at))
            for at, (title, field) in own.items()
        )
        return "same" if alike else "other"

    def _displaced(self, said: Mapping[int, str]) -> bool:
        """Return True if titles that are read stand in columns that are not theirs."""
        columns = {title: at for at, (title, _) in self._own.items()}
        return sum(title in columns and columns[title] != at for at, title in said.items()) >= _LEAST - 1


def above_titles(rows: Sequence[Row]) -> tuple[Line, str] | None:
    """Return the line of the first row above the titles that seems to be one of another table, and what to tell of it.

    Titles and dates of printing stand above many tables; only rows with a date below other titles count.
    """
    lost: list[Line] = []
    titled = False
    for line, cells in rows:
        filled = [cell.strip() for cell in cells if cell.strip()]
        titled = titled or sum(field_of(cell) is not None for cell in filled) >= _LEAST
        if titled and len(filled) >= _LEAST and any(map(_is_day, filled)):
            lost.append(line)
    if not lost:
        return None
    reason = say_count(
        "{count:,} row of another table stands above the titles, where nothing is read: {lines}",
        "{count:,} rows of another table stand above the titles, where nothing is read: {lines}",
        len(lost),
        lines=_few(lost),
    )
    return lost[0], say("{message} ({remedy})", message=reason, remedy=_REMEDY)


def _other_titles(below: int) -> str:
    """Return what is wrong where titles of another table stand above so many rows."""
    if not below:
        return say("titles stand here again, in another order or of another table, so nothing is read below")
    return say_count(
        "titles stand here again, in another order or of another table, so {count:,} row below is not read",
        "titles stand here again, in another order or of another table, so {count:,} rows below are not read",
        below,
    )


def _few(lines: Sequence[Line]) -> Value:
    return some_of(list(map(str, lines[:_SHOWN])), len(lines) - _SHOWN)


def fold(title: str) -> str:
    """Return a title without case and blanks."""
    return "".join(title.split()).casefold()


def _is_day(text: str) -> bool:
    for orders in (_DAY_FIRST, _MONTH_FIRST):
        try:
            return read_cell(text, orders).day is not None
        except ValueError:
            continue
    return False
