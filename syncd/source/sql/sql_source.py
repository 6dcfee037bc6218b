"""The SQL source: a query whose rows are read like those of a CSV, in a transaction that cannot write.

A reading gives all rows of one moment, or it is an error: a view that fails or takes too long is never a shorter one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from datetime import date
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Literal

import msgspec

from syncd import collector
from syncd.errors import ConfigError, SourceError
from syncd.lang.saying import say
from syncd.model.entry import Snapshot
from syncd.source.base import Fetched, ReadContext, Source
from syncd.source.field_values import clean, sync_zone
from syncd.source.files import join
from syncd.source.options import default_length, read_options, unit_length
from syncd.source.reasons import reason_of
from syncd.source.sql.database_address import open_database
from syncd.source.sql.query_reading import QueryReading, QueryResult, ReadingLimits, SqlDatabase
from syncd.source.sql.statement import check_query, parameters_in
from syncd.source.stamps import LAST_YEAR
from syncd.source.table.columns import TableOptions, check_mapping
from syncd.source.table.row_reader import Row, find_columns, read_table
from syncd.source.table.when import DateOrder
from syncd.source.web.access import AddressOptions, read_timeout, read_total, source_secret

_NAME = "query"
"""What rows are said to be of: "query:E-17" is the one whose uid is E-17."""
_LONGEST_NAME = 60
_UNBOUNDED = {"first": date(1970, 1, 1), "last": date(LAST_YEAR, 12, 31)}


class SqlOptions(AddressOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys of `[sync.source]` with type = "sql"; url, username and password have the four forms of secrets.

    `url` is an address of SQLAlchemy, in which `username` and `password` take the place of those in it. `query` is one
    statement, or `query_file` holds it; :first and :last in it are the days of the window. `columns`, `dates`,
    `default_duration` and `duration_unit` are those of a CSV. `timeout` is the longest time for the first rows and
    between portions of them, `total_timeout` that of the whole reading; more than `max_rows` rows, or `max_bytes` of
    texts, are refused. `isolation` is a level of the database's own, by default one at which nothing moves.
    """

    type: Literal["sql"]
    query: str | None = None
    query_file: str | None = None
    columns: dict[str, str | int] = msgspec.field(default_factory=dict)
    dates: DateOrder = "auto"
    default_duration: str = "0m"
    duration_unit: str = "auto"
    timeout: str = "60s"
    total_timeout: str | None = None
    max_rows: int = 2_000_000
    max_bytes: int = 1_000_000_000
    isolation: str | None = None


def open_sql(options: Mapping[str, object], base: Path, *, where: str) -> Source:
    """Return a source of a query; raises ConfigError beginning with `where`, also without SQLAlchemy or the driver."""
    chosen = read_options(SqlOptions, options, where=where)
    if not chosen.columns:
        raise ConfigError(
            say("{where}: missing key 'columns'", where=where),
            say('e.g. columns = {{ title = "name", start = "starts" }}'),
        )
    check_mapping(chosen.columns, where=where)
    default_length(chosen.default_duration, where=where)
    unit_length(chosen.duration_unit, where=where)
    query = _query(chosen, base, where)
    database = _database(chosen, base, where)
    kind = SqlSource if database.file is None else SqliteSource
    return kind(chosen, database=database, query=query, limits=_limits(chosen, where))


def _query(options: SqlOptions, base: Path, where: str) -> str:
    if (options.query is None) == (options.query_file is None):
        raise ConfigError(
            say("{where}: query and query_file exclude each other", where=where)
            if options.query is not None
            else say("{where}: missing key 'query'", where=where),
            say("give the SELECT as query, or its file as query_file"),
        )
    key, text = "query", options.query or ""
    if options.query_file is not None:
        key = f"query_file {options.query_file}"
        try:
            text = (base / options.query_file).read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or say("it is not a text in UTF-8")
            raise ConfigError(
                say("{where}: {key} cannot be read: {reason}", where=where, key=key, reason=reason),
                say("check the path"),
            ) from None
    try:
        check_query(text)
    except ValueError as error:
        raise ConfigError(say("{where}: {key} {reason}", where=where, key=key, reason=reason_of(error))) from None
    return text


def _database(options: SqlOptions, base: Path, where: str) -> SqlDatabase:
    address, username, password = (
        found.reveal() if (found := source_secret(options, name, base, where, os.environ)) is not None else None
        for name in ("url", "username", "password")
    )
    if address is None:
        raise ConfigError(
            say("{where}: missing key 'url'", where=where), say("give url, url_file, url_env or url_credential")
        )
    return open_database(address, username, password, base=base, isolation=options.isolation, where=where)


def _limits(options: SqlOptions, where: str) -> ReadingLimits:
    for key in ("max_rows", "max_bytes"):
        if getattr(options, key) < 1:
            raise ConfigError(
                say("{where}: {key} = {value} lets nothing through", where=where, key=key, value=getattr(options, key)),
                say("e.g. 2_000_000"),
            )
    timeout_s = read_timeout("timeout", options.timeout, 3600, where)
    return ReadingLimits(
        timeout_s=timeout_s,
        total_s=read_total(options.total_timeout, timeout_s, where),
        rows=options.max_rows,
        size=options.max_bytes,
    )


class SqlSource:
    """Reads the rows of a query; what has not changed is not read into entries again."""

    def __init__(self, options: SqlOptions, *, database: SqlDatabase, query: str, limits: ReadingLimits) -> None:
        self._options = options
        self._database = database
        self._query = query
        self._limits = limits
        self._no_end = default_length(options.default_duration, where="default_duration")
        self._unit = unit_length(options.duration_unit, where="duration_unit")
        self._reading: QueryReading | None = None
        self._last: Snapshot | None = None

    def describe(self) -> str:
        """Return the kind of source, its database and its host or file."""
        return f"sql {self._database.shown}"

    async def read(self, context: ReadContext) -> Snapshot:
        """Return the entries of all rows; raises SourceError unless every row has come."""
        return await (await self.fetch(context)).parsed()

    async def fetch(self, context: ReadContext) -> Fetched:
        """Return the rows unread; their marker is the same in whatever order the database gives them."""
        if self._reading is not None and not await self._reading.over():
            text = say(
                "{name}: the driver has not ended an earlier reading that was broken off", name=self._database.shown
            )
            raise SourceError(
                text, say("see whether the database answers; a restart of syncd leaves that reading behind")
            )
        days = {name: self._day(name, context) for name in sorted(parameters_in(self._query))}
        self._reading = QueryReading(self._database, self._query, days, self._limits)
        result = await self._reading.result()
        self._reading = None
        marker = blake2b(f"{self._under(context)}\n{result.marker}".encode(), digest_size=16).hexdigest()
        return Fetched(marker=marker, parsed=partial(self._parsed, result, marker, context))

    def _under(self, context: ReadContext) -> str:
        """Return everything apart from the rows that the entries depend on."""
        options = self._options
        settings = (sorted(options.columns.items()), options.dates, options.default_duration, options.duration_unit)
        return repr((settings, context.zone, context.filter, context.today.year))

    def _day(self, name: str, context: ReadContext) -> date:
        return getattr(context.window, name) or _UNBOUNDED[name]

    async def _parsed(self, result: QueryResult, marker: str, context: ReadContext) -> Snapshot:
        if self._last is None or self._last.changed_marker != marker:
            self._last = await asyncio.to_thread(self._snapshot, result, marker, context)
        return self._last

    def _snapshot(self, result: QueryResult, marker: str, context: ReadContext) -> Snapshot:
        options = self._options
        table = TableOptions(
            columns=options.columns,
            dates=options.dates,
            zone=sync_zone(context.zone),
            no_end=self._no_end,
            unit=self._unit,
            filter=context.filter,
        )
        at = find_columns(options.columns, result.titles, where=self._database.shown).get("uid")
        with collector.resting():
            part = read_table(_NAME, ("titles", result.titles), _named(result.rows, at), table)
            return join([part], {}, marker)


class SqliteSource(SqlSource):
    """Reads a query of a file of SQLite, whose changes start a pass as those of other files do."""

    def files(self) -> tuple[Path, ...]:
        """Return the file, and the log beside it in which changes stand before they come into the file. Blocking."""
        file = self._database.file
        assert file is not None
        log = file.with_name(f"{file.name}-wal")
        return tuple(one for one in (file, log) if one.exists())

    def folder(self) -> tuple[Path, bool]:
        """Return the directory of the file, and False: it is not in a subdirectory."""
        assert self._database.file is not None
        return self._database.file.parent, False


def _named(rows: list[tuple[str, ...]], uid_at: int | None) -> list[Row]:
    """Return the rows, which are taken out of `rows`, with what they are found by: their uid, else their number.

    A database gives rows in any order, and of two with one uid the first is used: in the order of their texts it is
    always the same one.
    """
    if uid_at is None:
        named: list[Row] = [(at + 1, rows[at]) for at in sorted(range(len(rows)), key=rows.__getitem__)]
    else:
        named, before, times = [], "", 1
        for uid, cells in sorted((clean(cells[uid_at]), cells) for cells in rows):
            times = times + 1 if uid == before else 1
            before = uid
            name = " ".join(uid[:_LONGEST_NAME].split()) or "row"
            named.append((name if times == 1 else f"{name} ({times})", cells))
    rows.clear()
    return named
