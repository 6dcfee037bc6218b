"""Keeps a sync with the portal it has written to: an id there means another event, or nothing, in any other portal.

That happens to people who rehearse on a simulated portal and then put the real one's webhook into the same config.
Simulated portals themselves, on this machine, have another port at every start, and that alone says nothing.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from syncd.cycle.recover import forget_floor
from syncd.cycle.setup import SyncSetup, World
from syncd.errors import GuardError
from syncd.portal.line.credential import is_loopback

_HOME = "portal"


async def check_home(setup: SyncSetup, world: World) -> bool:
    """Say whether the sync begins anew in another portal than before, with nothing left in that one.

    Raises GuardError when something is: its links must not be taken for events of this portal.
    """
    note = await world.ledger.read_note(_scope(setup), _HOME)
    if note is None or _same(str(note[0]), world.portal.origin):
        return False
    tally = await world.ledger.tally(setup.name)
    if tally.items or tally.open_intents:
        raise GuardError(
            f"{setup.name}: it has written {tally.items} items to {note[0]}, but {world.portal.name} is"
            f" {world.portal.origin} now; nothing was sent",
            "another portal: give this config a `state` file of its own;"
            f" the same one under a new address: run `syncd sync {setup.name} --force` once",
        )
    return True


async def settle_home(setup: SyncSetup, world: World, *, force: bool) -> None:
    """Write down which portal the sync writes to; `force` says that it is still the same one, whatever its address.

    Raises GuardError like `check_home`, before anything is sent.
    """
    if not force and await check_home(setup, world):
        await forget_floor(setup, world)
    note = await world.ledger.read_note(_scope(setup), _HOME)
    if note is None or note[0] != world.portal.origin:
        await world.ledger.note(_scope(setup), _HOME, world.portal.origin, world.clock.now())


def _same(before: str, now: str) -> bool:
    return before == now or all(is_loopback(urlsplit(origin).hostname or "") for origin in (before, now))


def _scope(setup: SyncSetup) -> str:
    return f"sync/{setup.name}"
