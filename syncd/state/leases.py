"""The protocol by which the machines that share a store distribute the portals; `postgres/` implements it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from syncd.model.lease import Board, LeaseTerms
from syncd.model.tenure import Tenure


class Holder(Protocol):
    """A process among those that share a store: `holder` is unique, `host` and `pid` are for people."""

    @property
    def holder(self) -> str:
        """The name under which its leases and its membership are noted."""
        ...

    @property
    def host(self) -> str:
        """The name of the machine."""
        ...

    @property
    def pid(self) -> int:
        """The number of the process."""
        ...


class Leases(Protocol):
    """The leases of one process. They are renewed by themselves until they are given back or lost.

    `board` is what the store showed last and `trouble` why it could not be asked since, "" if it could. `tenures` are
    what is held, by portal. `changed` is set, and replaced, whenever any of them may have changed. Coroutines that ask
    the store raise StateUnavailableError if it does not answer.
    """

    @property
    def who(self) -> Holder:
        """Who this process is."""
        ...

    @property
    def terms(self) -> LeaseTerms:
        """How long its leases last."""
        ...

    @property
    def board(self) -> Board:
        """Who held what and who was alive when the store was asked last."""
        ...

    @property
    def trouble(self) -> str:
        """Why the last attempt to ask the store failed, "" if it succeeded."""
        ...

    @property
    def failure(self) -> BaseException | None:
        """The defect that has ended the renewing of leases, None if there is none."""
        ...

    @property
    def tenures(self) -> Mapping[str, Tenure]:
        """What this process holds, by portal."""
        ...

    @property
    def changed(self) -> asyncio.Event:
        """Set the next time that anything may have changed."""
        ...

    async def join(self, portals: Mapping[str, int]) -> None:
        """Share the portals: tell the others which of them can be served here, with how many syncs each."""
        ...

    async def part(self) -> None:
        """Tell the others that this process is about to leave, so that they take what it gives back."""
        ...

    async def take(self, portal: str) -> Tenure | None:
        """Take the lease of `portal`; return None if somebody holds it (`board` tells who)."""
        ...

    async def give_back(self, portals: Sequence[str]) -> None:
        """Give back the leases of `portals`. If the store cannot be told, they end by themselves."""
        ...

    def forget(self, portals: Collection[str]) -> None:
        """Stop renewing the leases of `portals`, without telling the store."""
        ...

    async def ask_back(self, portal: str) -> bool:
        """Ask the holder of `portal` to give it back, and not to take it again soon; False if nobody holds it."""
        ...

    async def look(self) -> Board:
        """Return who holds what, as the store says now."""
        ...

    async def close(self) -> None:
        """Give everything back, and end. A second call does nothing."""
        ...
