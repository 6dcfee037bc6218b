"""What `[sync.source]` says of a table: which columns hold which fields, and how their cells are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from syncd.errors import ConfigError
from syncd.lang.saying import say, say_as
from syncd.model.filter import NO_FILTER, Filter
from syncd.source.options import nearest
from syncd.source.table.when import DateOrder

ColumnMap = Mapping[str, str | int]
"""The column of each mapped field: its title, or its number from 1."""
LABELS: Mapping[str, str] = {
    "uid": say_as("field of a table", "uid"),
    "title": say_as("field of a table", "title"),
    "start": say_as("field of a table", "start"),
    "date": say_as("field of a table", "date"),
    "start_time": say_as("field of a table", "start_time"),
    "end": say_as("field of a table", "end"),
    "end_time": say_as("field of a table", "end_time"),
    "duration": say_as("field of a table", "duration"),
    "owner": say_as("field of a table", "owner"),
    "description": say_as("field of a table", "description"),
    "location": say_as("field of a table", "location"),
    "timezone": say_as("field of a table", "timezone"),
    "all_day": say_as("field of a table", "all_day"),
    "attendees": say_as("field of a table", "attendees"),
    "categories": say_as("field of a table", "categories"),
    "status": say_as("field of a table", "status"),
    "priority": say_as("field of a table", "priority"),
    "color": say_as("field of a table", "color"),
    "url": say_as("field of a table", "url"),
    "rrule": say_as("field of a table", "rrule"),
    "reminders": say_as("field of a table", "reminders"),
    "private": say_as("field of a table", "private"),
    "contact_phone": say_as("field of a table", "contact_phone"),
    "contact_email": say_as("field of a table", "contact_email"),
}
"""What whoever fills the table calls a field; in English its name in the config says it."""
FIELDS = frozenset(LABELS)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """How a table is read.

    `columns` maps fields to titles or numbers, `dates` orders day and month, `zone` is the IANA zone of times without
    one (None: there is none). `no_end` is how long an entry lasts that has a start time and no end, `unit` what a bare
    number counts in a column of durations (None: what its title says); `filter` leaves out rows that are no entries.
    """

    columns: ColumnMap
    dates: DateOrder
    zone: str | None
    no_end: timedelta = timedelta(0)
    unit: timedelta | None = None
    filter: Filter = NO_FILTER


def check_mapping(columns: ColumnMap, *, where: str) -> None:
    """Raise ConfigError, beginning with `where`, if the mapped fields do not make an entry.

    An entry needs a title and one of start and date. Its end is given once, if at all: by end (with end_time, if end is
    a column of dates), by end_time, or by duration.
    """
    for field, column in columns.items():
        if field not in FIELDS:
            raise ConfigError(
                say("{where}: columns: unknown field {field!r}", where=where, field=field), nearest(field, FIELDS)
            )
        if column == "" or (isinstance(column, int) and column < 1):
            raise ConfigError(
                say("{where}: columns: {field} = {column!r} names no column", where=where, field=field, column=column),
                say("a title, or a number from 1"),
            )
    if "title" not in columns:
        raise ConfigError(say("{where}: columns: no column for title", where=where), say('e.g. title = "Subject"'))
    if ("start" in columns) == ("date" in columns):
        both = "start" in columns
        raise ConfigError(
            say("{where}: columns: both start and date are given", where=where)
            if both
            else say("{where}: columns: no column for start or date", where=where),
            say("start holds date and time; date goes with start_time"),
        )
    # start holds a day and a time; a second time beside it would contradict it.
    if "start_time" in columns and "date" not in columns:
        raise ConfigError(
            say("{where}: columns: start_time goes with date, not with start", where=where), say("rename start to date")
        )
    if "duration" in columns and ("end" in columns or "end_time" in columns):
        raise ConfigError(
            say("{where}: columns: duration and end exclude each other", where=where), say("leave one of them out")
        )


def check_header(columns: ColumnMap, header: int | None, *, where: str, unit: Literal["line", "row"]) -> None:
    """Raise ConfigError, beginning with `where`, for a header that is none; `unit` is what it counts.

    0 says that there are no titles, so that nothing but numbers can name a column.
    """
    if header is not None and header < 0:
        raise ConfigError(
            say("{where}: header = {header} is no line", where=where, header=header)
            if unit == "line"
            else say("{where}: header = {header} is no row", where=where, header=header),
            say("a number from 1, or 0 for a table without titles"),
        )
    named = next((field for field, column in columns.items() if isinstance(column, str)), None)
    if header == 0 and named is not None:
        raise ConfigError(
            say(
                "{where}: header = 0 says that the table has no titles, and {named} names one", where=where, named=named
            ),
            say("give columns by numbers"),
        )
