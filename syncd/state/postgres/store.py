"""An open ledger in PostgreSQL: one connection, used by one thread, and made again when it is lost.

What a lost connection means depends on when it was lost:

    before COMMIT was sent      nothing was kept, so the work is done again on a new connection
    while COMMIT was answered   the server is asked by the transaction's number what became of it, and if it says
                                "committed", the tables by its signature; without an answer the work counts as
                                failed, and the ledger tells the next reader whether it was done

The number alone proves nothing: after a crash, a server gives numbers that had not reached its log to other
transactions, and so does a standby that takes over.

Nothing is guessed: an intent that may have been written is found open, and is looked for in the portal.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext, suppress
from pathlib import Path
from typing import Final, TypeVar

import psycopg
import structlog

from syncd import events
from syncd.clock import SystemClock
from syncd.config.database import Database
from syncd.errors import StateError
from syncd.lang.saying import say
from syncd.model.lease import Board
from syncd.scrub import Clean
from syncd.state.base import Backup, Doubt, PortalClaim
from syncd.state.postgres.connection import LONGEST_IDLE_S, PostgresConnection, connect
from syncd.state.postgres.leases import look
from syncd.state.postgres.lineage import find_doubt
from syncd.state.postgres.portals import claim_portals
from syncd.state.postgres.trouble import (
    UnknownCommitError,
    decoded,
    in_one_line,
    is_lost,
    made_newer,
    moved_away,
    not_connected,
    translated,
)
from syncd.state.rows import Row

T = TypeVar("T")
_log = structlog.get_logger()
Guard = Callable[[PostgresConnection, str], None]
"""Is called first in each transaction that writes, with what it is about; raises to have nothing of it happen."""

PAUSES_S: Final = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""How long to wait before each new attempt: a server that was restarted at once is back within seconds."""
MOST_FEEDS: Final = 512 * 1024 * 1024
"""How many bytes of feeds are kept, of all machines together."""
_KEEP: Final = (
    "INSERT INTO kept (name, content) VALUES (?, ?)"
    " ON CONFLICT (name) DO UPDATE SET content = excluded.content, at = clock_timestamp()"
)
_DROP_OLDEST: Final = (
    "DELETE FROM kept WHERE name IN (SELECT name FROM"
    " (SELECT name, sum(octet_length(content)) OVER (ORDER BY at DESC, name) AS so_far FROM kept) AS feeds"
    " WHERE so_far > ?)"
)
PATIENCE_S: Final = 10.0
"""When no new attempt is begun any more: one to a machine that does not answer at all takes seconds by itself."""
_OUTCOME: Final = "SELECT pg_xact_status($1::xid8)"


class PostgresStore:
    """An open store in `database`; a `readonly` one only reads.

    `version` is the version of the tables when it was opened. `pause` blocks the store's thread for a number of
    seconds, which `monotonic` counts (by default the system's clock).
    """

    def __init__(
        self,
        database: Database,
        connection: PostgresConnection,
        executor: ThreadPoolExecutor,
        *,
        readonly: bool,
        version: int,
        pause: Callable[[float], None],
        monotonic: Callable[[], float] | None = None,
        doubt: Doubt | None = None,
    ) -> None:
        self.database = database
        self.readonly = readonly
        self.version = version
        self.doubt = doubt
        self.clean: Clean = str
        self.writes = Counter[str]()
        self.guard: Guard | None = None
        self.admit: Callable[[str], object] = lambda _: None
        self.holds: Callable[[str], bool] = lambda _: False
        self.shown = database.shown
        self.idle_s = LONGEST_IDLE_S
        """How long a transaction that writes may stand still."""
        self._connection: PostgresConnection | None = connection
        self._executor = executor
        self._pause = pause
        self._closed = False
        self._away = False
        self._timeline = ""
        self._found: Doubt | None = None
        self._now = SystemClock().now
        self._monotonic = monotonic or SystemClock().monotonic

    @property
    def connection(self) -> PostgresConnection:
        """The connection; raises psycopg.OperationalError while there is none."""
        if self._connection is None:
            raise psycopg.OperationalError("there is no connection")
        return self._connection

    def owns(self, sync: str) -> bool:
        """Return True while this process holds the lease of the sync's portal, so that no other writes about it."""
        return self.holds(sync)

    def put_back(self, _booted_at: float) -> bool:
        """Return False, because the store is not put back along with the machine that this process runs on."""
        return False

    async def do(self, work: Callable[[], T], *, writes: bool = False, scope: str = "") -> T:
        """Do `work` in the thread, in one transaction, as `Store.do` says.

        The work may be begun several times, on one connection after the other; at most one attempt is kept. Work
        without the lease that it needs is refused at once, because the thread may be waiting for a database that does
        not answer.
        """
        if writes:
            self.admit(scope)
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._done, work, writes, scope)

    def _done(self, work: Callable[[], T], writes: bool, scope: str) -> T:
        if writes and self.readonly:
            raise StateError(
                say("{shown} cannot be opened for this: it was opened readonly", shown=self.shown),
                say("this is a defect"),
            )
        if writes:
            self.writes[scope] += 1
        with translated(self.shown):
            # Who has waited in vain once need not wait again: the page and other syncs ask meanwhile.
            pauses = PAUSES_S[:1] if self._away else PAUSES_S
            ends = self._monotonic() + PATIENCE_S
            for number, pause_s in enumerate(pauses, 1):
                try:
                    result = self._attempt(work, writes, scope)
                except psycopg.Error as error:
                    if not is_lost(error):
                        raise
                    self._drop()
                    self._away = number == len(pauses) or self._monotonic() > ends
                    if self._away:
                        raise
                    self._pause(pause_s)
                else:
                    self._away = False
                    return result
        raise AssertionError("the last attempt returns or raises")

    def _attempt(self, work: Callable[[], T], writes: bool, scope: str) -> T:
        connection = self._connected()
        try:  # from the beginning on, for to begin one that writes is to write: a full disk can refuse that
            number = connection.begin(writes=writes, made=True, idle_s=self.idle_s)
            if writes:
                self._guarded(connection, scope)
            with decoded(self.shown) if not writes else nullcontext():
                result = work()
        except BaseException:
            with suppress(psycopg.Error):
                connection.roll_back()
            raise
        try:
            connection.commit()
        except psycopg.Error as error:
            if not is_lost(error):
                raise
            if writes and not self._was_committed(number, connection.signature, error):
                raise
        if writes:
            self._recognised(connection.timeline)
        return result

    def _recognised(self, timeline: str) -> None:
        """Note the timeline of the server, now that what followed from it is committed."""
        self._timeline, found, self._found = timeline, self._found, None
        if found is not None:
            _log.warning(events.LEDGER_DOUBTED, path=self.shown, reason=found.reason)

    def _guarded(self, connection: PostgresConnection, scope: str) -> None:
        if connection.moved_to is not None:  # while this process worked with it
            raise moved_away(self.shown, connection.moved_to)
        if connection.version_there != self.version:
            raise made_newer(self.shown, connection.version_there or 0, self.version)
        if connection.timeline != self._timeline:
            self._found = find_doubt(connection, self._now())
        if self.guard is not None:
            self.guard(connection, scope)

    def _connected(self) -> PostgresConnection:
        if self._connection is not None and self._connection.lost:
            self._drop()
        if self._connection is None:
            self._connection = connect(self.database)
            self._timeline = ""  # it may lead to another server
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def _was_committed(self, number: str, signature: tuple[str, int], error: psycopg.Error) -> bool:
        """Ask the server on a new connection what became of the transaction `number`, whose commit was not answered.

        Returns False if it is known that nothing was kept. Raises UnknownCommitError if nobody can tell.
        """
        for pause_s in PAUSES_S:
            self._drop()
            self._pause(pause_s)
            try:
                connection = self._connected()
                found = connection.raw.execute(_OUTCOME, (number,), prepare=False).fetchone()
                if found == ("committed",):  # this one, or another that was given its number
                    return connection.has(signature)
            except psycopg.Error:
                continue
            match found:
                case ("aborted",):
                    return False
                case (None,):  # too long ago, or another server answers
                    break
                case _:  # the old session has not noticed yet that nobody listens
                    continue
        raise UnknownCommitError(
            say(
                "{shown} went away while something was written down, and cannot say whether it was: {error}",
                shown=self.shown,
                error=in_one_line(error),
            ),
            say("the next pass reads what is there, and looks in the portal for what is open"),
        ) from error

    def break_off(self) -> None:
        """Break the connection, so that whatever waits for an answer on it fails; the next work makes another."""
        if (connection := self._connection) is not None:
            with suppress(psycopg.Error, OSError, ValueError):
                line = socket.socket(fileno=os.dup(connection.raw.fileno()))
                with closing(line):
                    line.shutdown(socket.SHUT_RDWR)

    def board(self) -> Board:
        """Return which machine holds which portal."""
        return look(self.connection.raw)

    async def claim_portals(self, claims: Sequence[PortalClaim], config: Path, machine: str) -> None:
        """Note which portals a config works with; raises ConfigError where two names or two portals would meet."""
        await self.do(lambda: claim_portals(self.connection, claims, str(config), machine), writes=True)

    def kept_feed(self, name: str) -> bytes | None:
        """Return what was kept under `name`, None if there is nothing; blocks until the thread has looked."""
        found = self._executor.submit(self._done, lambda: self._kept(name), False, "").result()
        return bytes(found[0]) if found is not None else None

    def _kept(self, name: str) -> Row | None:
        row: Row | None = self.connection.execute("SELECT content FROM kept WHERE name = ?", (name,)).fetchone()
        return row

    def keep_feed(self, name: str, content: bytes) -> None:
        """Keep `content` under `name`, and drop the oldest where there is too much; blocks until it is written."""

        def work() -> None:
            self.connection.execute(_KEEP, (name, content))
            self.connection.execute(_DROP_OLDEST, (MOST_FEEDS,))

        self._executor.submit(self._done, work, True, "").result()

    def check(self) -> int:
        """Read every row and return how many items are linked."""
        from syncd.state.postgres.copying import check_rows  # noqa: PLC0415 - only `syncd state` needs it

        return check_rows(self.connection)

    def back_up(self, target: Path) -> Backup:
        """Copy everything to a state file at `target`."""
        raise StateError(
            say("{shown} is no file", shown=self.shown),
            say("pg_dump copies it; {target} was not written", target=str(target)),
        )

    async def close(self) -> None:
        """Finish the work that has begun and close the connection; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._executor, self._drop)
        self._executor.shutdown()


def first_connection(database: Database) -> PostgresConnection:
    """Return a connection to `database`; raises StateError that says why there is none."""
    try:
        return connect(database)
    except psycopg.Error as error:
        raise not_connected(database.shown, error) from error
