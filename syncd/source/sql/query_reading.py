"""A database and one reading of it: what its address says, how it is told to read only, and its rows as texts.

Drivers block, so a reading has a thread of its own. It ends with the rows, or it is broken off: a driver that does not
heed that is left behind, and no other reading begins before it has ended.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from hashlib import blake2b
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from syncd.errors import SourceError
from syncd.lang.saying import say, say_count
from syncd.log import entry_crashed
from syncd.source.field_values import clean
from syncd.source.sql.database_failures import broken_off, failure
from syncd.source.sql.statement import as_text
from syncd.source.table.typed_values import text_of
from syncd.threads import begin

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_PORTION = 2_000
"""How many rows a driver is asked for at once: a view of a million is never in its memory as a whole."""
_MOST_SHARED = 50_000
"""How many texts are kept to be one object wherever they stand again: a driver makes a new one for every cell."""
_ROW_BYTES = 100
"""What a row counts besides its texts, so that a view of empty rows is bounded too."""
_DIGEST_BYTES = 16
_ISOLATION: Mapping[str, str] = {
    "postgresql": "REPEATABLE READ",
    "mysql": "REPEATABLE READ",
    "mariadb": "REPEATABLE READ",
    "mssql": "SNAPSHOT",
}
"""Levels at which all rows are of one moment. SQLite knows no other; Oracle has it where a transaction only reads."""
_READS_ONLY: Mapping[str, str] = {
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "oracle": "SET TRANSACTION READ ONLY",
    "sqlite": "PRAGMA query_only = ON",
}
"""What the session is told before the query, where SQLAlchemy has no option for it."""
_TIMED: Mapping[str, str] = {
    "postgresql": "SET LOCAL statement_timeout = {ms}",
    "mysql": "SET SESSION max_execution_time = {ms}",
    "mariadb": "SET SESSION max_statement_time = {s}",
    "mssql": "SET LOCK_TIMEOUT {ms}",
}
"""How the database itself is told to end a query that takes too long; the reading ends in any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingLimits:
    """What a reading may take.

    `timeout_s` is the longest time for the first rows and between portions of them, `total_s` that for everything;
    `rows` is how many there may be, and `size` the bytes of all their texts.
    """

    timeout_s: float
    total_s: float
    rows: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlDatabase:
    """A database: its engine, what may be shown, texts that may not, how its transaction is isolated, and its file."""

    engine: Engine = field(repr=False)
    shown: str
    secrets: tuple[str, ...] = field(repr=False)
    isolation: str | None = None
    file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """The rows of a query as texts; `marker` tells whether any of them is another one, in whatever order they come."""

    titles: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(repr=False)
    marker: str


class QueryReading:
    """One reading of a database in a thread of its own, which begins with it."""

    def __init__(self, database: SqlDatabase, query: str, days: Mapping[str, date], limits: ReadingLimits) -> None:
        self._database = database
        self._query = query
        self._days = days
        self._limits = limits
        self._rows: list[tuple[str, ...]] = []
        self._driver: Any = None
        self._stopped = False
        self._done: Future[QueryResult] = Future()
        # A daemon, as a driver that hangs must not keep the process from ending.
        begin(Thread(target=self._run, name="syncd-sql", daemon=True))

    async def result(self) -> QueryResult:
        """Wait for the rows; raises SourceError if they cannot be read, or take longer than they may."""
        limits = self._limits
        try:
            async with asyncio.timeout(limits.total_s):
                return await self._moving()
        except TimeoutError:
            raise broken_off(self._database.shown, "total_timeout", limits.total_s) from None
        finally:
            if not self._done.done():
                self.stop()

    async def over(self) -> bool:
        """Return True once the thread has ended, False if it has not within `timeout_s`."""
        await asyncio.wait({self._future()}, timeout=self._limits.timeout_s)
        return self._done.done()

    def stop(self) -> None:
        """Break the reading off."""
        self._stopped = True
        # A driver may have to ask its server, so this must not be done on the loop.
        with contextlib.suppress(MemoryError):  # then the query goes on for as long as its own limits allow
            begin(Thread(target=_cancel, args=(self._driver,), name="syncd-sql-stop", daemon=True))

    async def _moving(self) -> QueryResult:
        """Return the rows; raises SourceError if none come for too long."""
        future, before = self._future(), -1
        while not self._done.done():
            if len(self._rows) == before:
                raise broken_off(self._database.shown, "timeout", self._limits.timeout_s)
            before = len(self._rows)
            await asyncio.wait({future}, timeout=self._limits.timeout_s)
        return await future

    def _future(self) -> asyncio.Future[QueryResult]:
        future = asyncio.wrap_future(self._done)
        # Whoever breaks a reading off does not wait for the error that this makes.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        return future

    def _run(self) -> None:
        try:
            self._done.set_result(self._read())
        except BaseException as error:  # noqa: BLE001 - whoever waits is told
            self._done.set_exception(error)

    def _read(self) -> QueryResult:
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - an extra

        try:
            with self._database.engine.connect() as connection:
                self._driver = connection.connection.driver_connection
                prepare(connection, self._database, self._limits)
                self._check(0)  # connecting may have taken longer than anybody waits
                return self._fetch(connection)
        except SourceError:
            raise
        except SQLAlchemyError as error:
            raise self._failed(error) from None
        except Exception as error:  # noqa: BLE001 - what a driver of anybody's may raise
            entry_crashed(self._database.shown, error)  # for the log; an end of memory goes on from there
            raise self._failed(error) from None

    def _failed(self, error: Exception) -> SourceError:
        known, connected = self._database, self._driver is not None
        return failure(error, known.shown, known.secrets, connected=connected, timeout_s=self._limits.timeout_s)

    def _fetch(self, connection: Connection) -> QueryResult:
        from sqlalchemy import text  # noqa: PLC0415 - an extra

        query = text(as_text(self._query)).bindparams(**self._days)
        with connection.execution_options(stream_results=True, yield_per=_PORTION).execute(query) as found:
            titles = tuple(clean(str(key)) for key in found.keys())  # noqa: SIM118 - no dict
            _refuse_twins(titles, self._database.shown)
            digests = self._take(found.partitions(_PORTION))
        named = blake2b(repr(titles).encode(), digest_size=8).hexdigest()
        return QueryResult(titles=titles, rows=self._rows, marker=f"{digests:x}-{len(self._rows)}-{named}")

    def _take(self, portions: Iterable[Sequence[Sequence[object]]]) -> int:
        """Keep the rows as texts, and return the sum of their digests."""
        size, digests = 0, 0
        shared: dict[str, str] = {}
        for portion in portions:
            if len(shared) > _MOST_SHARED:
                shared.clear()
            for row in portion:
                texts = tuple(map(text_of, row))
                cells = tuple(map(shared.setdefault, texts, texts))
                size += _ROW_BYTES + sum(map(len, cells))
                # Added up, because a query without ORDER BY gives the same rows in another order tomorrow.
                digests += _digest(cells)
                self._rows.append(cells)
            self._check(size)
        return digests

    def _check(self, size: int) -> None:
        """Raise SourceError if there is more than the limits allow, or nobody waits any more."""
        limits, shown = self._limits, self._database.shown
        if self._stopped:
            raise SourceError(say("{name}: the reading was broken off", name=shown))
        if len(self._rows) > limits.rows:
            remedy = say("let the query say which days are meant (:first, :last), or raise max_rows in [sync.source]")
            message = say_count(
                "{name} gave more than {count:,} row", "{name} gave more than {count:,} rows", limits.rows, name=shown
            )
            raise SourceError(message, remedy)
        if size > limits.size:
            remedy = say("let the query take fewer columns, or raise max_bytes in [sync.source] if that is right")
            raise SourceError(say("{name} gave more than {most} bytes", name=shown, most=limits.size), remedy)


def prepare(connection: Connection, database: SqlDatabase, limits: ReadingLimits) -> None:
    """Tell the database that what follows only reads, at one moment and not for long."""
    dialect = connection.dialect.name
    level = database.isolation or _ISOLATION.get(dialect)
    if dialect == "postgresql":
        connection.execution_options(postgresql_readonly=True)
    if level is not None:
        connection.execution_options(isolation_level=level)
    driver: Any = connection.connection.driver_connection
    match dialect:
        case "sqlite":
            # A text that is no UTF-8 spoils its own row, not the whole reading.
            driver.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
        case "oracle":
            driver.call_timeout = round(limits.timeout_s * 1000)
        case "mssql":
            with contextlib.suppress(AttributeError):  # pyodbc's, in seconds
                driver.timeout = round(limits.timeout_s)
    # MariaDB may be reached by an address of MySQL, and then says itself what it is.
    dialect = "mariadb" if getattr(connection.dialect, "is_mariadb", False) else dialect
    if (told := _READS_ONLY.get(dialect)) is not None:
        connection.exec_driver_sql(told)
    if (told := _TIMED.get(dialect)) is not None:
        connection.exec_driver_sql(told.format(ms=round(limits.timeout_s * 1000), s=limits.timeout_s))


def _cancel(driver: object) -> None:
    """Ask a driver to end its query; sqlite3 calls it interrupt, most others cancel."""
    for name in ("interrupt", "cancel"):
        if callable(ask := getattr(driver, name, None)):
            with contextlib.suppress(Exception):  # the reading may have ended meanwhile, and nobody waits for it
                ask()
            return


def _digest(cells: tuple[str, ...]) -> int:
    return int.from_bytes(blake2b(repr(cells).encode(), digest_size=_DIGEST_BYTES).digest())


def _refuse_twins(titles: Sequence[str], shown: str) -> None:
    """Raise SourceError if two columns have one name: a template could mean either."""
    for at, title in enumerate(titles):
        if (first := titles.index(title)) != at:
            text = say(
                "{name}: columns {first} and {second} of the query are both called {title!r}",
                name=shown,
                first=first + 1,
                second=at + 1,
                title=title,
            )
            raise SourceError(text, say("give one of them another name with AS"))
