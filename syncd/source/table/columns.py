"""Which column of a table gives which field, by its title or its number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from syncd.errors import ConfigError, SourceError
from syncd.source.options import nearest

FIELDS = frozenset(
    {"uid", "title", "start", "date", "start_time", "end", "end_time", "duration", "owner", "description", "location"}
    | {"timezone", "all_day", "attendees", "categories", "status", "priority", "color", "url", "rrule", "reminders"}
    | {"private", "contact_phone", "contact_email"}
)

ColumnMap = Mapping[str, str | int]


def check_mapping(columns: ColumnMap, *, where: str) -> None:
    """Raise ConfigError, beginning with `where`, when the mapped fields do not make an entry.

    An entry needs a title and one of start and date; its end is given once: by end (with end_time, when end is a column
    of dates), by end_time, or by duration.
    """
    for field, column in columns.items():
        if field not in FIELDS:
            raise ConfigError(f"{where}: columns: unknown field {field!r}", nearest(field, FIELDS))
        if column == "" or (isinstance(column, int) and column < 1):
            raise ConfigError(f"{where}: columns: {field} = {column!r} names no column", "a title, or a number from 1")
    if "title" not in columns:
        raise ConfigError(f"{where}: columns: no column for title", 'e.g. title = "Subject"')
    if ("start" in columns) == ("date" in columns):
        both = "start" in columns
        raise ConfigError(
            f"{where}: columns: {'both start and date are given' if both else 'no column for start or date'}",
            "start holds date and time; date goes with start_time",
        )
    if "start_time" in columns and "date" not in columns:
        raise ConfigError(f"{where}: columns: start_time goes with date, not with start", "rename start to date")
    if "duration" in columns and ("end" in columns or "end_time" in columns):
        raise ConfigError(f"{where}: columns: duration and end exclude each other", "leave one of them out")


def find_columns(columns: ColumnMap, header: Sequence[str], *, where: str) -> dict[str, int]:
    """Return the 0-based position of every mapped field; titles match exactly, else without case and blanks.

    Raises SourceError, beginning with `where`, for a column that is not there or that two columns could be.
    """
    return {field: _position(field, column, header, where) for field, column in columns.items()}


def count_found(columns: ColumnMap, header: Sequence[str]) -> int:
    """Count the mapped titles that a row has, to tell a header cut at the right delimiter from others."""
    folded = {_fold(title) for title in header}
    return sum(isinstance(column, str) and _fold(column) in folded for column in columns.values())


def _position(field: str, column: str | int, header: Sequence[str], where: str) -> int:
    if isinstance(column, int):
        if column <= len(header):
            return column - 1
        raise SourceError(f"{where}: no column {column} for {field}, the header has {len(header)}", "correct columns")
    for candidates in (
        [at for at, title in enumerate(header) if title == column],
        [at for at, title in enumerate(header) if _fold(title) == _fold(column)],
    ):
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            numbers = " and ".join(str(at + 1) for at in candidates)
            raise SourceError(f"{where}: columns {numbers} are both called {column!r}", f"give {field} by its number")
    raise SourceError(f"{where}: no column {column!r} for {field}", nearest(column, filter(None, header)))


def _fold(title: str) -> str:
    return "".join(title.split()).casefold()
