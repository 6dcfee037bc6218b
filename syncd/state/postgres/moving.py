"""Moves a ledger out of its tables in PostgreSQL, or into them by COPY."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from psycopg.types.string import StrDumper, StrDumperUnknown

from syncd.config.database import Database
from syncd.errors import StateError, StateLockedError
from syncd.lang.saying import say
from syncd.state.moving import NUMBERED, TABLES, Numbers
from syncd.state.postgres.connection import PostgresConnection
from syncd.state.postgres.opening import check_server, make_tables
from syncd.state.postgres.schema import STEPS, version_of
from syncd.state.postgres.store import first_connection
from syncd.state.postgres.texts import kept
from syncd.state.postgres.trouble import translated
from syncd.state.rows import Row

_PATIENT: Final = "SET LOCAL idle_in_transaction_session_timeout TO 0"
_NOBODY_ELSE: Final = "LOCK TABLE leases IN EXCLUSIVE MODE"
_HELD: Final = "SELECT portal, holder, host, pid FROM leases WHERE expires_at > clock_timestamp() ORDER BY portal"
_END_LEASES: Final = "UPDATE leases SET epoch = nextval('lease_epochs'), holder = '', expires_at = '-infinity'"
_TOLD: Final = "SELECT version, moved_to, move FROM state"


class _Tables:
    """The tables of a database, reached by a connection of their own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.shown = database.shown
        self.connection: PostgresConnection = first_connection(database)
        try:
            with translated(self.shown):
                check_server(self.connection, self.shown)
        except BaseException:
            self.connection.close()
            raise

    def close(self) -> None:
        """Close the connection; what was not committed is undone."""
        self.connection.close()

    def begin(self) -> None:
        """Begin a transaction that may stand still while the other store is worked on."""
        self.connection.begin(writes=True)
        self.connection.execute(_PATIENT)

    def told(self) -> tuple[int, str | None, str | None] | None:
        """Return version, where the ledger was moved to and by which move; None without tables; in a transaction."""
        place = (f'"{self.database.schema}".state',)
        if self.connection.execute("SELECT to_regclass(?)", place).fetchone()[0] is None:
            return None
        version, moved_to, move = self.connection.execute(_TOLD).fetchone()
        return version, moved_to, move


class LeavingTables(_Tables):
    """The ledger in `database`, for this process alone until `close`; raises StateLockedError, StateError."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        try:
            with translated(self.shown):
                self.begin()
                told = self.told()
                self._moved = (told[1], told[2] or "") if told is not None and told[1] is not None else None
                if self._moved is None:
                    self._take()
        except BaseException:
            self.connection.close()
            raise

    def _take(self) -> None:
        if not version_of(self.connection, self.database.schema, self.shown, newest=len(STEPS)):
            raise StateError(
                say("there is no state in {shown} that this syncd knows", shown=self.shown),
                say("`syncd check` tells more"),
            )
        make_tables(self.connection, self.database)  # as a start does with those of an older syncd, and a file's move
        self.connection.execute(_NOBODY_ELSE)
        held = self.connection.execute(_HELD).fetchone()
        if held is not None:
            portal, holder, host, pid = held
            raise StateLockedError(
                say(
                    "{shown} is in use: {host} (pid {pid}) works with the portal {portal}",
                    shown=self.shown,
                    host=host or holder,
                    pid=pid or say("unknown"),
                    portal=portal,
                ),
                say("stop syncd on all machines first"),
            )

    def numbers(self) -> Numbers:
        """Return from where on ids go on."""
        (following,) = self.connection.execute("SELECT next FROM counters WHERE name = 'intent'").fetchone()
        last = {}
        for table in NUMBERED:
            value, used = self.connection.execute(f"SELECT last_value, is_called FROM {table}_id_seq").fetchone()  # noqa: S608 - a constant
            last[table] = int(value) if used else 0
        return Numbers(next_intent=following, last=last)

    def moved(self) -> tuple[str, str] | None:
        """Return where it was moved to and by which move, None if it was not."""
        return self._moved

    def mark_moved(self, target: str, move: str) -> None:
        """Make the ledger refuse from now on, and tell where it went."""
        with translated(self.shown):
            self.connection.execute("UPDATE state SET moved_to = ?, move = ?", (target, move))
            # Who still works with an old lease finds that it is not his any more.
            self.connection.execute(_END_LEASES)
            self.connection.commit()


class ArrivingTables(_Tables):
    """A ledger that comes to `database`."""

    def pending(self) -> str | None:
        """Return which move has brought everything here without being finished, None for none."""
        with translated(self.shown):
            self.connection.begin(writes=False)
            told = self.told()
            self.connection.commit()
        return told[2] if told is not None and told[1] is None else None

    @contextmanager
    def filling(self, move: str) -> Iterator[None]:
        """Make empty tables for what the block puts there; raises StateError if there is a ledger."""
        with translated(self.shown):
            self.begin()
            self._make_room()
            yield
            self.connection.execute("UPDATE state SET moved_to = NULL, move = ?", (move,))
            self.connection.commit()

    def _make_room(self) -> None:
        told = self.told()
        if told is not None and (told[1] is not None or told[2] is not None):
            # What was moved away, or did not arrive. Leases stay: their epochs only grow.
            self.connection.execute("UPDATE state SET moved_to = NULL, move = NULL")
        elif told is not None:
            for table in ("links", "intents", "runs"):
                if self.connection.execute(f"SELECT EXISTS (SELECT 1 FROM {table})").fetchone()[0]:  # noqa: S608 - a constant
                    raise StateError(
                        say("{shown} holds a state already", shown=self.shown),
                        say("name another database, or another schema with --schema"),
                    )
        make_tables(self.connection, self.database)
        self.connection.execute(f"TRUNCATE {', '.join(TABLES)}, kept")

    def put(self, table: str, columns: str, rows: Iterable[Row]) -> None:
        """Put rows into a table, all in one stream."""
        cursor = self.connection.raw.cursor()
        for dumper in (StrDumper, StrDumperUnknown):  # those in C; what they must not see is changed before
            cursor.adapters.register_dumper(str, dumper)
        with cursor.copy(f"COPY {table} ({columns}) FROM STDIN".encode()) as copy:
            for row in rows:
                copy.write_row(self._as_kept(row))

    def _as_kept(self, row: Row) -> Row:
        for cell in row:
            if cell.__class__ is str and ("\x00" in cell or "\x01" in cell):
                self.connection.note_odd()
                return tuple(kept(one) if isinstance(one, str) else one for one in row)
        return row

    def put_numbers(self, numbers: Numbers) -> None:
        """Let ids go on from there."""
        self.connection.execute("UPDATE counters SET next = ? WHERE name = 'intent'", (numbers.next_intent,))
        for table, last in numbers.last.items():
            sequence = f"{table}_id_seq"
            self.connection.execute("SELECT setval(?::regclass, ?, ?)", (sequence, max(last, 1), last > 0))

    def let_go(self) -> None:
        """Allow the ledger to be used from now on."""
        with translated(self.shown):
            self.begin()
            self.connection.execute("UPDATE state SET move = NULL")
            self.connection.commit()
