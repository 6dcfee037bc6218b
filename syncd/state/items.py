"""Links and holds in the ledger's tables; every function is one read or one transaction on an open connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence

from syncd import collector
from syncd.model.item import Hold, Key, Link
from syncd.model.record import Tally
from syncd.state.file import transaction
from syncd.state.rows import HOLD, IS_KEY, KEY, LINK, hold_of, hold_row, key_of, key_row, link_of, link_row, links_of
from syncd.state.rows import marks as marks_for

# The column lists and placeholders put into these statements are constants of this room; values are always bound.
_PUT_LINK = f"INSERT OR REPLACE INTO links (sync, {LINK}) VALUES ({marks_for(LINK, more=1)})"  # noqa: S608
_PUT_HOLD = f"INSERT OR REPLACE INTO holds (sync, {HOLD}) VALUES ({marks_for(HOLD, more=1)})"  # noqa: S608
_GET_LINK = f"SELECT {LINK} FROM links WHERE {IS_KEY}"  # noqa: S608
_GET_LINKS = f"SELECT {LINK} FROM links WHERE sync = ? ORDER BY {KEY}"  # noqa: S608
_GET_HOLDS = f"SELECT {HOLD} FROM holds WHERE sync = ? ORDER BY {KEY}"  # noqa: S608
_DROP_LINK = f"DELETE FROM links WHERE {IS_KEY}"  # noqa: S608
_DROP_HOLD = f"DELETE FROM holds WHERE {IS_KEY}"  # noqa: S608
_GET_ABSENT = f"SELECT {KEY} FROM links WHERE sync = ? AND absent_passes > 0"  # noqa: S608


def links(connection: sqlite3.Connection, sync: str) -> tuple[Link, ...]:
    """Return the links of `sync`, ordered by key."""
    with collector.resting():
        return tuple(links_of(connection.execute(_GET_LINKS, (sync,))))


def linked_syncs(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Return the names of all syncs that have links, whether they are still configured or not."""
    return tuple(name for (name,) in connection.execute("SELECT DISTINCT sync FROM links ORDER BY sync"))


def link(connection: sqlite3.Connection, sync: str, key: Key) -> Link | None:
    """Return the link of `key`, if there is one."""
    return link_of(connection.execute(_GET_LINK, key_row(sync, key)).fetchone())


def put_links(connection: sqlite3.Connection, sync: str, wanted: Iterable[Link]) -> None:
    """Write the `wanted` links, in place of others of the same keys; the caller has a transaction open."""
    connection.executemany(_PUT_LINK, (link_row(sync, each) for each in wanted))


def drop_links(connection: sqlite3.Connection, sync: str, keys: Iterable[Key]) -> None:
    """Remove the links of `keys`; the caller has a transaction open."""
    connection.executemany(_DROP_LINK, (key_row(sync, key) for key in keys))


def drop_holds(connection: sqlite3.Connection, sync: str, keys: Iterable[Key]) -> int:
    """Remove the holds of `keys` and return how many there were; the caller has a transaction open."""
    return connection.executemany(_DROP_HOLD, (key_row(sync, key) for key in keys)).rowcount


def put_holds(connection: sqlite3.Connection, sync: str, wanted: Iterable[Hold]) -> None:
    """Write the `wanted` holds, in place of others of the same keys; the caller has a transaction open."""
    connection.executemany(_PUT_HOLD, (hold_row(sync, each) for each in wanted))


def forget(connection: sqlite3.Connection, sync: str, keys: Collection[Key]) -> None:
    """Remove the links of `keys`."""
    with transaction(connection):
        drop_links(connection, sync, keys)


def doubt(connection: sqlite3.Connection, sync: str, keys: Collection[Key]) -> None:
    """Forget what the events of `keys` were last made to show; keys without a link are passed over."""
    with transaction(connection):
        connection.executemany(
            f"UPDATE links SET fingerprint = '' WHERE {IS_KEY}",  # noqa: S608 - a constant of this room
            (key_row(sync, key) for key in keys),
        )


def relearn(connection: sqlite3.Connection, sync: str, versions: Mapping[Key, int]) -> None:
    """Set the VERSION of the links of `versions`, whose events stand there as they were sent.

    Whoever edited them has stopped, so same updates are counted anew. Keys without a link are passed over.
    """
    with transaction(connection):
        connection.executemany(
            f"UPDATE links SET version = ?, same_updates = 0 WHERE {IS_KEY}",  # noqa: S608 - a constant of this room
            ((version, *key_row(sync, key)) for key, version in versions.items()),
        )


def mark_absent(connection: sqlite3.Connection, sync: str, absent: Collection[Key], present: Collection[Key]) -> None:
    """Count one more pass without the `absent` keys, and start counting anew for the `present` ones."""
    with transaction(connection):
        # Nearly always nothing has been absent: do not look up every present key then.
        counted = {key_of(row) for row in connection.execute(_GET_ABSENT, (sync,))}
        back = counted.intersection(present) if counted else set()
        connection.executemany(
            f"UPDATE links SET absent_passes = 0 WHERE {IS_KEY}",  # noqa: S608 - a constant of this room
            (key_row(sync, key) for key in back),
        )
        connection.executemany(
            f"UPDATE links SET absent_passes = absent_passes + 1 WHERE {IS_KEY}",  # noqa: S608 - likewise
            (key_row(sync, key) for key in absent),
        )


def holds(connection: sqlite3.Connection, sync: str) -> tuple[Hold, ...]:
    """Return the holds of `sync`, ordered by key."""
    return tuple(hold_of(row) for row in connection.execute(_GET_HOLDS, (sync,)))


def hold(connection: sqlite3.Connection, sync: str, wanted: Sequence[Hold]) -> None:
    """Write the `wanted` holds, in place of others of the same keys."""
    with transaction(connection):
        put_holds(connection, sync, wanted)


def release(connection: sqlite3.Connection, sync: str, keys: Collection[Key] | None) -> int:
    """Remove the holds of `keys`, or all of `sync` for None, and return how many there were.

    What was left because a person edited it again and again is put right again.
    """
    with transaction(connection):
        if keys is None:
            connection.execute("UPDATE links SET same_updates = 0 WHERE sync = ? AND same_updates > 0", (sync,))
            return connection.execute("DELETE FROM holds WHERE sync = ?", (sync,)).rowcount
        connection.executemany(
            f"UPDATE links SET same_updates = 0 WHERE {IS_KEY}",  # noqa: S608 - a constant of this room
            (key_row(sync, key) for key in keys),
        )
        return drop_holds(connection, sync, keys)


def tally(connection: sqlite3.Connection, sync: str) -> Tally:
    """Return how much there is for `sync`."""
    (entries, items, held, intents) = connection.execute(
        "SELECT (SELECT count(DISTINCT uid) FROM links WHERE sync = ?1), (SELECT count(*) FROM links WHERE sync = ?1),"
        " (SELECT count(*) FROM holds WHERE sync = ?1), (SELECT count(*) FROM intents WHERE sync = ?1)",
        (sync,),
    ).fetchone()
    return Tally(entries=entries, items=items, held=held, open_intents=intents)
