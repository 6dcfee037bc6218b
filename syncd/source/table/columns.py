"""The `columns` of `[sync.source]`: which fields a table can give, and whether those mapped make an entry."""

from __future__ import annotations

from collections.abc import Mapping

from syncd.errors import ConfigError
from syncd.source.options import nearest

FIELDS = frozenset(
    {"uid", "title", "start", "date", "start_time", "end", "end_time", "duration", "owner", "description", "location"}
    | {"timezone", "all_day", "attendees", "categories", "status", "priority", "color", "url", "rrule", "reminders"}
    | {"private", "contact_phone", "contact_email"}
)

ColumnMap = Mapping[str, str | int]
"""The column of each mapped field: its title, or its number from 1."""


def check_mapping(columns: ColumnMap, *, where: str) -> None:
    """Raise ConfigError, beginning with `where`, if the mapped fields do not make an entry.

    An entry needs a title and one of start and date. Its end is given once, if at all: by end (with end_time, if end is
    a column of dates), by end_time, or by duration.
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
    # start holds a day and a time; a second time beside it would contradict it.
    if "start_time" in columns and "date" not in columns:
        raise ConfigError(f"{where}: columns: start_time goes with date, not with start", "rename start to date")
    if "duration" in columns and ("end" in columns or "end_time" in columns):
        raise ConfigError(f"{where}: columns: duration and end exclude each other", "leave one of them out")


def check_header(columns: ColumnMap, header: int | None, *, where: str, unit: str) -> None:
    """Raise ConfigError, beginning with `where`, for a header that is none; `unit` is what it counts, lines or rows.

    0 says that there are no titles, so that nothing but numbers can name a column.
    """
    if header is not None and header < 0:
        raise ConfigError(
            f"{where}: header = {header} is no {unit}", "a number from 1, or 0 for a table without titles"
        )
    named = next((field for field, column in columns.items() if isinstance(column, str)), None)
    if header == 0 and named is not None:
        raise ConfigError(
            f"{where}: header = 0 says that the table has no titles, and {named} names one", "give columns by numbers"
        )
