"""Joins a store in PostgreSQL to the leases of its process: writing about a portal needs its lease.

The fence is the first statement of the transaction, and the epoch goes along with every intent (`schema.py`). What
belongs to no portal (whose config it is, what restored tables are to forget) needs none.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, Final

import psycopg

from syncd import __version__
from syncd.errors import LostLeaseError
from syncd.lang.saying import say
from syncd.model.lease import LeaseTerms, described
from syncd.model.tenure import Tenure
from syncd.state.postgres.connection import LONGEST_IDLE_S, PostgresConnection, connect
from syncd.state.postgres.keeper import Keeper
from syncd.state.postgres.leases import Identity
from syncd.state.postgres.store import PostgresStore

_FENCE: Final = (
    "SELECT set_config('syncd.epoch', epoch::text, true) FROM leases"
    " WHERE portal = ? AND holder = ? AND epoch = ? AND expires_at > clock_timestamp() FOR KEY SHARE"
)


@dataclass(slots=True)
class Fence:
    """Lets a transaction write about a portal only as its holder. `portals` is the portal of each sync, by its name."""

    keeper: Keeper
    store: PostgresStore
    portals: Mapping[str, str] = field(default_factory=dict)

    def go_by(self, terms: LeaseTerms) -> None:
        """Hold leases by these `terms`."""
        # Who is frozen within a transaction keeps the row of the lease locked: not for longer than the lease lasts.
        self.store.idle_s = min(LONGEST_IDLE_S, terms.ttl_s / 2)
        if terms != self.keeper.terms:
            self.keeper.go_by(terms)

    def admit(self, scope: str) -> Tenure | None:
        """Return the lease that allows writing about `scope`, None if none is needed; raises LostLeaseError."""
        kind, _, name = scope.partition("/")
        if not kind:
            return None
        portal = name if kind == "portal" else self.portals.get(name, "")
        tenure = self.keeper.tenures.get(portal)
        if tenure is None:
            who = described(self.keeper.board.lease(portal), self.keeper.who.holder)
            said = say("portal {portal} is {holder}", portal=portal, holder=who)
            if not portal:
                said = say("the portal of {sync} is {holder}", sync=name, holder=who)
            raise LostLeaseError(said, say("whoever holds it writes of it"))
        tenure.check()
        return tenure

    def check(self, connection: PostgresConnection, scope: str) -> None:
        """Raise LostLeaseError unless this process may write about `scope`; the first statement of a transaction."""
        tenure = self.admit(scope)
        if tenure is None:
            return
        if connection.execute(_FENCE, (tenure.portal, tenure.holder, tenure.epoch)).fetchone() is None:
            tenure.end(say("the database says that it has ended"))
            tenure.check()

    def holds(self, sync: str) -> bool:
        """Return True while this process may write about the sync."""
        tenure = self.keeper.tenures.get(self.portals.get(sync, ""))
        return tenure is not None and tenure.valid()


async def begin_sharing(store: PostgresStore, terms: LeaseTerms, clock: Callable[[], float]) -> Fence:
    """Begin to hold leases in the database of `store`, and have its writes go by them; raises StateUnavailableError."""
    host, pid = socket.gethostname(), os.getpid()
    who = Identity(holder=f"{host}:{pid}:{token_hex(4)}", host=host, pid=pid, version=__version__)

    def opened() -> tuple[psycopg.Connection[Any], str, bool]:
        made = connect(store.database)
        return made.raw, store.database.schema, made.pooled

    keeper = Keeper(opened, who, terms, clock=clock)
    await keeper.open()
    fence = Fence(keeper, store)
    fence.go_by(terms)
    store.admit, store.guard, store.holds = fence.admit, fence.check, fence.holds
    return fence
