"""The leases and members of one database, as statements: who holds which portal, and which machines are alive.

Each function works in the transaction of its caller (`transaction`). Every time is the database's: a machine's clock
never reaches a row. What the rows mean is said in `model/lease.py`.

A ledger's write transaction begins with a fence (`sharing.py`). It locks the row of its lease, so that nobody takes it
before the commit: no row of an old epoch is committed after the new epoch began. A renewal does not wait, for it
changes no key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from syncd.model.lease import Board, Lease, LeaseTerms, Member

CHANNEL: Final = "syncd_leases"
"""What is notified whenever a lease is taken, given back or asked for, with the schema as payload."""
AVOIDED_S: Final = 60.0
"""For so long a portal that was asked back goes to whoever gave it back only if nobody else can take it."""
_KEPT: Final = "1 day"
"""How long a member that is no longer heard of can be looked at."""

_NEW_ROW: Final = "INSERT INTO leases (portal) VALUES (%s) ON CONFLICT DO NOTHING"
# With SKIP LOCKED nobody waits here for a transaction whose machine is gone, and meanwhile lets its own leases run out.
_FREE: Final = (
    "SELECT holder <> '', extract(epoch FROM clock_timestamp())::float8 FROM leases"
    " WHERE portal = %s AND expires_at <= clock_timestamp() FOR UPDATE SKIP LOCKED"
)
_TAKE: Final = (
    "UPDATE leases SET holder = %(holder)s, host = %(host)s, pid = %(pid)s,"
    " ttl = %(ttl)s::interval, epoch = greatest(epoch + 1, nextval('lease_epochs')), since = clock_timestamp(),"
    " expires_at = clock_timestamp() + %(ttl)s::interval,"
    " asked_back_from = CASE WHEN asked_back_from = %(holder)s THEN '' ELSE asked_back_from END"
    " WHERE portal = %(portal)s RETURNING epoch"
)
_RENEW: Final = (
    "UPDATE leases SET ttl = %(ttl)s::interval, expires_at = clock_timestamp() + %(ttl)s::interval"
    " FROM unnest(%(portals)s::text[], %(epochs)s::bigint[]) AS mine (portal, epoch)"
    " WHERE leases.portal = mine.portal AND leases.epoch = mine.epoch AND holder = %(holder)s"
    " AND expires_at > clock_timestamp() RETURNING leases.portal"
)
_BEAT: Final = (
    "INSERT INTO members (holder, expires_at, ttl, host, pid, version, portals, leaving)"
    " VALUES (%(holder)s, clock_timestamp() + %(ttl)s::interval, %(ttl)s::interval, %(host)s, %(pid)s, %(version)s,"
    " %(portals)s, %(leaving)s)"
    " ON CONFLICT (holder) DO UPDATE SET expires_at = excluded.expires_at, ttl = excluded.ttl,"
    " portals = excluded.portals, leaving = excluded.leaving"
)
_FORGET: Final = f"DELETE FROM members WHERE expires_at < clock_timestamp() - interval '{_KEPT}'"  # noqa: S608
# A row that somebody has edited by hand, or that is from before the database's clock was set back, must not keep a
# portal for years, nor a member alive that is dead. Whoever holds a portal goes by its own deadline, which is earlier
# than one `ttl` from now.
_MEND: Final = tuple(
    f"UPDATE {table} SET expires_at = clock_timestamp() + ttl"  # noqa: S608 - constants
    " WHERE expires_at > clock_timestamp() + ttl + interval '1s'"
    for table in ("leases", "members")
)
_GIVE_BACK: Final = (
    "UPDATE leases SET holder = '', expires_at = clock_timestamp()"
    " FROM unnest(%s::text[], %s::bigint[]) AS mine (portal, epoch)"
    " WHERE leases.portal = mine.portal AND leases.epoch = mine.epoch AND holder = %s"
)
_NOW: Final = "SELECT extract(epoch FROM clock_timestamp())::float8"
_NOTIFY: Final = f"SELECT pg_notify('{CHANNEL}', current_schema())"
_LEASES: Final = (
    "SELECT portal, CASE WHEN expires_at > clock_timestamp() THEN holder ELSE '' END, epoch,"
    " extract(epoch FROM greatest(expires_at - clock_timestamp(), interval '0'))::float8, host, pid,"
    " CASE WHEN since > '-infinity' THEN extract(epoch FROM since)::float8 ELSE 0 END,"
    " CASE WHEN asked_back_at BETWEEN clock_timestamp() - %s::interval AND clock_timestamp() THEN asked_back_from"
    " ELSE '' END"
    " FROM leases ORDER BY portal"
)
_MEMBERS: Final = (
    "SELECT holder, extract(epoch FROM greatest(expires_at - clock_timestamp(), interval '0'))::float8, host, pid,"
    " version, portals, leaving FROM members ORDER BY holder"
)
_ASK_BACK: Final = (
    "UPDATE leases SET asked_back_at = clock_timestamp(), asked_back_from = holder"
    " WHERE portal = %s AND holder <> '' AND expires_at > clock_timestamp() RETURNING holder"
)

Connection = psycopg.Connection[Any]
IDLE_TIMEOUT_MS: Final = 2_000
"""How long a transaction may stand still: then its machine is frozen or cut off, and others wait for its locks."""


@contextmanager
def transaction(connection: Connection, schema: str) -> Iterator[None]:
    """Commit what the body does in the tables of `schema` together, or nothing of it if it raises."""
    with connection.transaction():
        # For this transaction only: a pooler may give the next one another session.
        connection.execute(
            f'SET LOCAL search_path TO "{schema}"; SET LOCAL synchronous_commit TO on;'
            f" SET LOCAL idle_in_transaction_session_timeout TO {IDLE_TIMEOUT_MS}"
        )
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who asks: `holder` is unique to one process, `host`, `pid` and `version` are for people."""

    holder: str
    host: str
    pid: int
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A lease that was taken. `orderly`: whoever had it gave it back, so nothing of it is under way."""

    epoch: int
    orderly: bool


def take(
    connection: Connection,
    who: Identity,
    terms: LeaseTerms,
    portal: str,
    doubted: Callable[[float], bool] = lambda _: False,
) -> Taken | None:
    """Take the lease of `portal`; None if it is held, or a transaction of its holder is open.

    None as well if it has only run out, by a clock of the database that is `doubted` for the unix time that it shows.
    """
    _do(connection, _NEW_ROW, (portal,))
    before = _do(connection, _FREE, (portal,)).fetchone()
    if before is None or (before[0] and doubted(before[1])):
        return None
    values = {"portal": portal, "ttl": _interval(terms.ttl_s), **_names(who)}
    (epoch,) = _row(_do(connection, _TAKE, values))
    _do(connection, _NOTIFY)  # so that every machine can say who has it
    return Taken(epoch=epoch, orderly=not before[0])


def renew(connection: Connection, who: Identity, terms: LeaseTerms, epochs: Mapping[str, int]) -> frozenset[str]:
    """Renew the leases of these portals and epochs by `terms`; return which of them were renewed."""
    if not epochs:
        return frozenset()
    values = {"ttl": _interval(terms.ttl_s), "portals": [*epochs], "epochs": [*epochs.values()], "holder": who.holder}
    rows = _do(connection, _RENEW, values)
    return frozenset(portal for (portal,) in rows)


def beat(
    connection: Connection, who: Identity, terms: LeaseTerms, portals: Mapping[str, int], *, leaving: bool = False
) -> None:
    """Tell the others that this member is alive, and which portals it can serve with how many syncs."""
    told = json.dumps(dict(sorted(portals.items())))
    values = {"ttl": _interval(terms.ttl_s), "portals": told, "leaving": leaving, "version": who.version, **_names(who)}
    _do(connection, _BEAT, values)
    _do(connection, _FORGET)


def give_back(connection: Connection, who: Identity, epochs: Mapping[str, int]) -> None:
    """Give back the leases of these portals and epochs, and wake whoever waits for one."""
    if epochs:
        _do(connection, _GIVE_BACK, ([*epochs], [*epochs.values()], who.holder))
    _do(connection, _NOTIFY)


def leave(connection: Connection, who: Identity) -> None:
    """Take this member off the board."""
    _do(connection, "DELETE FROM members WHERE holder = %s", (who.holder,))


def ask_back(connection: Connection, portal: str) -> bool:
    """Ask whoever holds `portal` to give it back, and not to take it again soon; False if nobody holds it."""
    found = _do(connection, _ASK_BACK, (portal,)).fetchone()
    _do(connection, _NOTIFY)
    return found is not None


def mend(connection: Connection) -> None:
    """Bring ends that are too far away, of leases and of members, to where they are at the latest."""
    for statement in _MEND:
        _do(connection, statement)


def look(connection: Connection) -> Board:
    """Return who holds what and who is alive."""
    (now,) = _row(_do(connection, _NOW))
    leases = [_lease(row) for row in _do(connection, _LEASES, (_interval(AVOIDED_S),))]
    members = [_member(row) for row in _do(connection, _MEMBERS)]
    return Board(leases=tuple(leases), members=tuple(members), now=now)


def _do(connection: Connection, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> psycopg.Cursor[Any]:
    # Whatever else the connection is used for: the statements of this file name their parameters as psycopg does.
    return psycopg.Cursor(connection).execute(statement, values or None)


def _lease(row: Sequence[Any]) -> Lease:
    portal, holder, epoch, left_s, host, pid, since, avoids = row
    return Lease(
        portal=portal, holder=holder, epoch=epoch, left_s=left_s if holder else 0.0, host=host, pid=pid, since=since,
        avoids=avoids,
    )  # fmt: skip


def _member(row: Sequence[Any]) -> Member:
    holder, left_s, host, pid, version, portals, leaving = row
    try:
        able = {str(name): int(syncs) for name, syncs in json.loads(portals).items()}
    except (ValueError, AttributeError, TypeError):
        able = {}  # of a later version, or edited by hand: it keeps what it holds, and is given nothing
    return Member(
        holder=holder, left_s=left_s, host=host, pid=pid, version=version, portals=able, leaving=leaving
    )  # fmt: skip


def _names(who: Identity) -> dict[str, Any]:
    return {"holder": who.holder, "host": who.host, "pid": who.pid}


def _interval(seconds: float) -> str:
    return f"{seconds} seconds"


def _row(cursor: Iterable[Sequence[Any]]) -> Sequence[Any]:
    return next(iter(cursor))
