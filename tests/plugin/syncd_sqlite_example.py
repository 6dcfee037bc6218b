"""A source plugin for syncd: the rows of a table in an SQLite file, columns uid, title, starts, ends and owner."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Literal

import msgspec

from syncd.errors import ConfigError, SourceError
from syncd.model.entry import Details, Entry, Problem, Snapshot, Timed
from syncd.source import ReadContext, Source
from syncd.source.options import read_options

SOURCE_API = 1
"""The version of syncd.source that this is written for; an older syncd refuses it with a clear message."""


class TableOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of [sync.source]; read_options turns mistakes in them into errors that name the nearest key."""

    type: Literal["sqlite-table"]
    path: str
    table: str = "schedule"


def open_table(options: Mapping[str, object], base: Path, *, where: str) -> Source:
    """Make the source: this is what the entry point names. Everything that can be refused is refused here."""
    chosen = read_options(TableOptions, options, where=where)
    if not re.fullmatch(r"\w+", chosen.table):
        raise ConfigError(f"{where}: table = {chosen.table!r} is not the name of a table", "letters, digits and _")
    return TableSource(base / chosen.path, chosen.table)


class TableSource:
    """Reads the table whenever it is asked."""

    def __init__(self, path: Path, table: str) -> None:
        self._path = path
        self._table = table

    def describe(self) -> str:
        """Name the source; never with a secret."""
        return f"sqlite {self._path.name}:{self._table}"

    async def read(self, context: ReadContext) -> Snapshot:
        """Read all rows; blocking work goes to a thread."""
        return await asyncio.to_thread(self._read, context)

    def _read(self, context: ReadContext) -> Snapshot:
        entries: list[Entry] = []
        problems: list[Problem] = []
        seen = blake2b(repr(context.zone).encode(), digest_size=16)
        for number, uid, *cells in self._rows():
            seen.update(repr((number, uid, cells)).encode())
            where = f"{self._path.name}:{self._table}:{number}"
            try:
                entries.append(_entry(str(uid), where, *(str(cell or "") for cell in cells), zone=context.zone))
            except ValueError as error:
                problems.append(Problem(where=where, kind="rejected", reason=str(error), key=str(uid)))
        return Snapshot(
            entries=tuple(entries),
            problems=tuple(problems),
            rejected_uids=frozenset(problem.key for problem in problems if problem.key),
            changed_marker=seen.hexdigest(),
        )

    def _rows(self) -> list[tuple[object, ...]]:
        """Return the rows; what cannot be read as a whole is an error, and never an empty schedule."""
        try:
            connection = sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True)
            try:
                columns = "rowid, uid, title, starts, ends, owner"
                return connection.execute(f"SELECT {columns} FROM {self._table} ORDER BY uid").fetchall()
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise SourceError(f"{self.describe()}: {error}", "check path and table in [sync.source]") from error


def _entry(uid: str, where: str, title: str, starts: str, ends: str, owner: str, *, zone: str | None) -> Entry:
    if zone is None:
        raise ValueError("the time has no zone (set timezone in [[sync]])")
    start, end = datetime.fromisoformat(starts), datetime.fromisoformat(ends)
    if not title or end < start:
        raise ValueError("there is no title" if not title else "end is before start")
    span = Timed(start=start, end=end, zone=zone, end_zone=zone)
    return Entry(uid=uid, where=where, details=Details(title=title, owner=owner), span=span)
