"""Rows of a table that are no entries: titles that stand again, another table, totals, notes, headings, days off.

What is below other titles must not be read by the first ones: a start would be taken for an end, a person for a shift.
Totals and signatures stand below many tables. They are no entries that are lost, so the table is complete without them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from syncd.lang.saying import Value, say, say_count
from syncd.model.filter import Filter
from syncd.model.names import Value as Known
from syncd.source.field_values import fold
from syncd.source.files import Part
from syncd.source.reasons import some_of
from syncd.source.table import cell_values
from syncd.source.table.columns import FIELDS
from syncd.source.table.heading_words import field_of
from syncd.source.table.when import DateOrders, read_cell

Line = int | str
Row = tuple[Line, Sequence[str]]
_REMEDY = say("write all rows under the same titles, or each table into a file or sheet of its own")
_LEAST = 3
"""How many cells make a row of titles, or an entry above them."""
_STARTS = frozenset({"start", "date", "start_time"})
_SHOWN = 3
_NOTE = re.compile(
    r"(?:итого|всего|total|subtotal|grand total|составил|утвердил|утвержда|согласова|проверил|подготовил|подпись)"
    r"|(?:примечани|исполнитель:|ответственный:|руководитель:|директор:|дата печати)"
    r"|(?:prepared by|approved by|signature|printed)|(?:страница|стр\.?|лист|page)\s+\d|.*_{3}",
    re.IGNORECASE | re.DOTALL,
)
"""Totals and signatures, as they stand below a table in whatever column comes first."""
_HEADING = re.compile(r"\D{0,200}[^\W\d_]{3}\D{0,200}(?:\b\d{1,4}\b\D{0,200})?", re.DOTALL)
"""Words, perhaps with one number: "Расписание на 2026 год", "Отделение 3"."""
_DAYS_OFF = frozenset({"выходной", "вых", "вых.", "выходной день", "нерабочий день", "day off", "off"})
"""What stands in place of the hours of somebody who does not work, casefolded."""
_NOTES_SHOWN, _NOTE_CHARS = 3, 40
_LISTS = frozenset({"categories", "attendees"})
_SAID = frozenset({"uid", "title", "description", "location", "owner", "status", "priority", "color", "url"})
"""Fields that an entry has whether they are mapped or not."""
_DAY_FIRST, _MONTH_FIRST = DateOrders(setting="dmy"), DateOrders(setting="mdy")


@dataclass(kw_only=True)
class TitlesAgain:
    """Finds rows that hold the titles of a table again, or those of another one.

    `mapped` are the 0-based columns of the fields that are read. `elsewhere` is true below the titles of another table.
    """

    titles: Sequence[str]
    mapped: Mapping[str, int]
    elsewhere: bool = False
    _same: list[Line] = field(default_factory=list, init=False)
    _others: list[tuple[Line, int]] = field(default_factory=list, init=False)

    @cached_property
    def _own(self) -> Mapping[int, tuple[str, str | None]]:
        """The folded title of each mapped column, and the field that it names."""
        titled = {at: self.titles[at] for at in self.mapped.values() if self.titles[at]}
        return {at: (fold(title), field_of(title)) for at, title in titled.items()}

    def finds(self, line: Line, cells: Sequence[str]) -> bool:
        """Return True for a row of titles. Below those of another table `elsewhere` is true, and nothing is read."""
        kind = self._kind(cells)
        if kind == "same":
            self._same.append(line)
        elif kind == "other":
            self._others.append((line, 0))
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


@dataclass(slots=True, kw_only=True)
class NoEntries:
    """Tells whether a row that cannot be used is no entry at all, and keeps what there is to tell of such rows.

    `at` are the 0-based columns of all fields, -1 for those that are not mapped, where a row has an empty cell;
    `titles` are those of all columns, by which a filter may ask for a cell.
    """

    again: TitlesAgain
    titles: Sequence[str]
    at: Mapping[str, int]
    filter: Filter
    _notes: list[tuple[Line, str]] = field(default_factory=list, init=False)

    def has(self, line: Line, uid: str, values: list[str], *, overflows: bool, is_first: bool) -> bool:
        """Return True for a row of titles, one that the filter leaves out, and a note.

        In a row that `overflows`, cells may stand in other columns than their own.
        """
        if self.again.finds(line, values):
            return True
        if overflows:
            return False
        if self.filter.leaves_out(lambda name: self._known(name, uid, values)):
            return True
        note = self._note(values) or (self._subtitles(values) if is_first else "")
        if note:
            # One of ours is short; a slice of it would no longer be a message.
            self._notes.append((line, note if len(note) <= _NOTE_CHARS else note[:_NOTE_CHARS]))
        return bool(note)

    def _note(self, values: list[str]) -> str:
        """Return what a row says that is a title, a total or a heading, "" for one that may be an entry."""
        filled = [at for at in sorted({*self.again.mapped.values()}) if values[at]]
        # With a title it may be an entry all the same, "Итоговое занятие"; a number there is what is summed up.
        is_named = any(map(str.isalpha, values[self.at["title"]]))
        is_total = bool(filled) and not is_named and is_note(values[filled[0]])
        if is_total or (len(filled) == 1 and (filled[0] == self.at["title"] or is_note(values[filled[0]]))):
            return values[filled[0]]
        # The word may also stand in a column that is not read, before numbers in those that are.
        word = next((text for text in values if text), "")
        if not is_named and not any(values[self.at[field]] for field in _STARTS) and is_note(word):
            return word
        if counts_columns(values):
            return say("the numbers of the columns")
        hours = values[self.at["start_time"]] or values[self.at["start"]]
        if hours.casefold() in _DAYS_OFF:
            return hours
        alone = [at for at, text in enumerate(values) if text]
        # "Понедельник" or the name of a ward above its rows; a date or a uid alone may be what is left of an entry.
        is_heading = len(alone) == 1 and alone[0] != self.at["uid"] and _HEADING.fullmatch(values[alone[0]])
        return values[alone[0]] if is_heading else ""

    def _subtitles(self, values: list[str]) -> str:
        """Return what the first row says if it is a second row of titles, as below one that spans two columns."""
        text = " ".join(filter(None, values))
        named = values[self.at["uid"]] or values[self.at["title"]]
        return "" if named or any(map(str.isdigit, text)) else text

    def _known(self, name: str, uid: str, values: list[str]) -> Known | None:
        """Return what a name of the filter stands for in a row that is no entry, None if that cannot be told."""
        if name in _LISTS:
            return cell_values.items(values[self.at[name]])
        if name in _SAID:
            return uid if name == "uid" else values[self.at[name]]
        if name in FIELDS and name in self.again.mapped:
            return values[self.at[name]]
        titles = [title.strip().casefold() for title in self.titles]
        for wanted, known in ((name, list(self.titles)), (name.casefold(), titles)):
            if wanted in known:
                return values[known.index(wanted)]
        return None

    def tell(self, name: str, part: Part) -> None:
        """Add what there is to tell of the rows of the table `name`."""
        for line, reason in self.again.others():
            part.reject(f"{name}:{line}", "", reason)
        for line, reason in self.again.same():
            part.warn(f"{name}:{line}", reason)
        if self._notes:
            lines = tuple(
                say("{message} ({remedy})", message=str(line), remedy=note) for line, note in self._notes[:_NOTES_SHOWN]
            )
            shown = some_of(lines, len(self._notes) - len(lines))
            reason = say("rows of titles, totals, notes or days off are no entries: {lines}", lines=shown)
            part.warn(f"{name}:{self._notes[0][0]}", reason)


def is_note(text: str) -> bool:
    """Return True if a text is one that stands below a table: a total or a signature."""
    return _NOTE.match(text) is not None


def counts_columns(cells: Sequence[str]) -> bool:
    """Return True if a row numbers the columns of a form: 1, 2, 3 and so on, as they stand below printed titles."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    return (
        len(filled) > 2 and filled[0].isdecimal() and filled == [str(int(filled[0]) + at) for at in range(len(filled))]
    )


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


def _is_day(text: str) -> bool:
    for orders in (_DAY_FIRST, _MONTH_FIRST):
        try:
            return read_cell(text, orders).day is not None
        except ValueError:
            continue
    return False
