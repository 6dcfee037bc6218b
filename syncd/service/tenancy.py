"""Lets this machine write to its share of the portals, if several machines share one database.

Each machine looks at the same board and works out the same shares (`model/lease.py: shares`). A portal that is
another's is given back once its passes have ended; one that is ours is taken as soon as it is free. If a lease is lost,
its passes end at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from typing import Protocol

import structlog

from syncd import events
from syncd.app.application import App
from syncd.errors import SyncdError
from syncd.model.lease import described, shares, units
from syncd.service.tracked import Scheduled
from syncd.state.leases import Leases

_log = structlog.get_logger()
_LEAST_WAIT_S = 0.05
_LONGEST_WAIT_S = 5.0


class Scheduler(Protocol):
    """What makes the passes (the daemon), told as portals come and go."""

    def begin_again(self, syncs: Iterable[Scheduled]) -> None:
        """Schedule these syncs as after a start."""
        ...

    async def cut_off(self, names: Iterable[str]) -> None:
        """End the passes of these syncs at once, unsettled."""
        ...

    def drained(self, names: Iterable[str]) -> AbstractAsyncContextManager[None]:
        """End the passes of these syncs after the requests in flight, and start none while the body runs."""
        ...


class Tenancy:
    """Takes portals and gives them back, as `leases` says. `scheduled` reads syncs afresh for the daemon."""

    def __init__(
        self,
        app: App,
        leases: Leases,
        daemon: Scheduler,
        scheduled: Callable[[Collection[str]], Awaitable[Iterable[Scheduled]]],
    ) -> None:
        self._app = app
        self._leases = leases
        self._daemon = daemon
        self._scheduled = scheduled
        self._units: dict[str, tuple[str, ...]] = {}
        self._held: set[str] = set()
        self._going: dict[str, asyncio.Task[None]] = {}
        self._reachable = True

    def away(self, portal: str) -> str | None:
        """Return who may write to `portal`, in words that follow "is"; None if this machine may."""
        tenure = self._leases.tenures.get(portal)
        if portal in self._held and tenure is not None and tenure.valid():
            return None
        return described(self._leases.board.lease(portal), self._leases.who.holder)

    async def run(self, stop: asyncio.Event) -> None:
        """Share in the portals until `stop` is set; then give each back as soon as its passes have ended."""
        await self.configured()
        while not stop.is_set():
            changed = self._leases.changed
            await self._settle()
            await self._next(stop, changed)
        with suppress(SyncdError):
            await self._leases.part()
        for portal in sorted(self._held):
            self._begin_giving([portal])
        await asyncio.gather(*self._going.values(), return_exceptions=True)
        await self._leases.close()

    async def configured(self) -> None:
        """Tell the others which portals the config in force has; `_settle` gives back those that it no longer has."""
        self._units = units(self._app.ties())
        with suppress(SyncdError):  # the next sign of life tells it
            await self._leases.join({name: self._syncs_of(portals) for name, portals in self._units.items()})

    def _syncs_of(self, portals: Collection[str]) -> int:
        return sum(sync.portal in portals for sync in self._app.config.syncs)

    async def _next(self, stop: asyncio.Event, changed: asyncio.Event) -> None:
        """Wait until something changes, or until a lease that was not renewed must have ended."""
        ends = [self._leases.tenures[portal].left_s() for portal in self._held if portal in self._leases.tenures]
        seconds = min([_LONGEST_WAIT_S, *(max(_LEAST_WAIT_S, left_s) for left_s in ends)])
        waits = [asyncio.ensure_future(one.wait()) for one in (stop, changed)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _settle(self) -> None:
        """Take and give back portals as the board says; raises the error that has ended the renewals.

        A portal leaves in one of two ways. It is lost if its lease was not renewed in time: then its passes are cut
        off. It is given back if it is another's turn, or if the config no longer has it: then its passes end first.
        """
        if self._leases.failure is not None:
            raise self._leases.failure
        self._tell_trouble()
        tenures = self._leases.tenures
        await self._lost([one for one in self._held if one not in tenures or not tenures[one].valid()])
        if self._leases.trouble:
            return  # what is known of the other machines is old
        self._begin_giving(self._held.difference(*self._units.values()))
        board, own = self._leases.board, self._leases.who.holder
        plan = shares(board.members, board.leases)
        for name, portals in self._units.items():
            mine = plan.get(name) == own
            if not mine and self._held.intersection(portals):
                self._begin_giving(portals)
            elif mine and not self._held.issuperset(portals) and not self._going.keys() & portals:
                await self._take(portals)

    def _tell_trouble(self) -> None:
        if self._reachable == (not self._leases.trouble):
            return
        self._reachable = not self._leases.trouble
        if self._reachable:
            _log.info(events.LEASES_REACHED)
        else:
            _log.warning(events.LEASES_UNREACHABLE, reason=self._leases.trouble)

    async def _take(self, portals: Sequence[str]) -> None:
        """Take the portals of a unit, all or none, and let the passes of their syncs begin."""
        try:
            for portal in portals:
                if portal not in self._held and not await self._taken(portal):
                    await self._given_back([one for one in portals if one in self._held])
                    return
        except SyncdError as error:
            _log.warning(events.LEASES_UNREACHABLE, reason=str(error))
            await self._given_back([one for one in portals if one in self._leases.tenures])

    async def _taken(self, portal: str) -> bool:
        """Take one portal; return False if another machine has it."""
        tenure = await self._leases.take(portal)
        if tenure is None:
            return False
        names = [sync.name for sync in self._app.config.syncs if sync.portal == portal]
        for name in names:
            await self._app.ledger.of(name).end_left_runs(self._app.clock.now())
        await self._app.reconnect(portal)
        scheduled = await self._scheduled(names)
        self._held.add(portal)  # not earlier: no pass may start by a schedule from before the take
        self._daemon.begin_again(scheduled)
        _log.info(events.LEASE_TAKEN, portal=portal, epoch=tenure.epoch, orderly=tenure.orderly)
        return True

    async def _lost(self, portals: Collection[str]) -> None:
        """Cut off everything that works with these portals: another machine may be writing to them by now."""
        if not portals:
            return
        for portal in portals:
            tenure = self._leases.tenures.get(portal)
            _log.error(events.LEASE_LOST, portal=portal, reason=tenure.why() if tenure is not None else "")
        self._held.difference_update(portals)
        self._leases.forget(portals)
        self._app.ledger.break_off()
        await self._daemon.cut_off(sync.name for sync in self._app.config.syncs if sync.portal in portals)
        for portal in portals:
            await self._app.reconnect(portal)

    def _begin_giving(self, portals: Collection[str]) -> None:
        """Give portals back in the background: their passes may take a while to end."""
        for portal in portals:
            if portal in self._held and portal not in self._going:
                task = asyncio.create_task(self._given_back([portal]), name=f"give back {portal}")
                self._going[portal] = task
                task.add_done_callback(partial(self._gone, portal))

    def _gone(self, portal: str, _: asyncio.Task[None]) -> None:
        self._going.pop(portal, None)

    async def _given_back(self, portals: Collection[str]) -> None:
        """End the passes of these portals after the requests in flight, and give the leases back."""
        if not portals:
            return
        names = [sync.name for sync in self._app.config.syncs if sync.portal in portals]
        async with self._daemon.drained(names):
            for portal in portals:
                await self._app.disconnect(portal)  # this notes how much of its limits is used
            self._held.difference_update(portals)
            await self._leases.give_back([*portals])
        for portal in portals:
            await self._app.reconnect(portal)
            _log.info(events.LEASE_GIVEN_BACK, portal=portal)
