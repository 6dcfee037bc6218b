"""Reads the config, finds where its state really is, and makes sure that the state belongs to this config."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog
from msgspec.structs import replace

from syncd import events
from syncd.clock import Clock
from syncd.config import Config, Outline, load_config, load_outline
from syncd.config.learn import Learn
from syncd.config.state_place import stands
from syncd.errors import ConfigError
from syncd.lang.saying import say
from syncd.state.base import IsShared, PortalClaim
from syncd.state.ledger import Ledger
from syncd.state.owner import is_used_by

_log = structlog.get_logger()


def read_config(
    path: Path, environ: Mapping[str, str], learn_secret: Learn = lambda _: None, *, looks: bool = False
) -> Config:
    """Return the config at `path` as `load_config` does; a state that an earlier version left is still used.

    Its place then depended on who ran syncd, so several configs may have shared one. It stays with the config whose
    syncs it has.
    """
    config = load_config(path, environ, learn_secret, looks=looks)
    earlier = _still_used(config, [sync.name for sync in config.syncs])
    if earlier is None:
        return config
    return replace(config, state=earlier)


def read_outline(path: Path, environ: Mapping[str, str], learn_secret: Learn = lambda _: None) -> Outline:
    """Return where the state and the daemon of the config at `path` are, as `read_config` would find them."""
    outline = load_outline(path, environ, learn_secret)
    earlier = _still_used(outline, outline.syncs)
    return outline if earlier is None else replace(outline, state=earlier)


def _still_used(config: Config | Outline, names: Sequence[str]) -> Path | None:
    """Return the state that an earlier version left if the syncs `names` are in it, else None."""
    earlier = config.earlier_state
    return earlier if earlier is not None and is_used_by(earlier, config.path, names) else None


async def claim(config: Config, ledger: Ledger, clock: Clock) -> None:
    """Note in the ledger that the syncs of `config` belong to it.

    If another config has syncs of the same names, and both name this state on purpose, that is logged. Raises
    ConfigError if they only share the default place: each would take the other's events for its own and correct them.
    Machines share a database on purpose, and the same path is another file on each. There it is raised if a portal of
    `config` is known by another name, if another portal has the same name, or if a state file was left behind.
    """
    if isinstance(ledger.thread, IsShared):
        await _refuse_left_behind(config, ledger)
        portals = await _portals_of(config, ledger, clock)
        await ledger.thread.claim_portals(portals, _known_as(config), socket.gethostname())
        return
    names = [sync.name for sync in config.syncs]
    others = {name: path for name, path in (await ledger.owners(names)).items() if _is_another(path, config.path)}
    if others:
        name, path = next(iter(others.items()))
        if not config.state_given:
            raise ConfigError(
                say(
                    "{path}: its state {shown} belongs to {other}, which has a sync {name!r} too",
                    path=str(config.path),
                    shown=ledger.shown,
                    other=path,
                    name=name,
                ),
                say("give one of the two a `state` of its own, or the sync another name"),
            )
        _log.warning(events.LEDGER_SHARED, path=ledger.shown, config=str(config.path), other=path, syncs=[*others])
    await ledger.note_owner(names, config.path, clock.now())


async def _refuse_left_behind(config: Config, ledger: Ledger) -> None:
    """Raise ConfigError if the syncs of `config` are new to the database but known to the state file it had before.

    Everything that the file knows of would be created again, unless it could be taken over.
    """
    names = [sync.name for sync in config.syncs]
    if await ledger.knows_any(names) or not stands(config.state) or not is_used_by(config.state, config.path, names):
        return
    raise ConfigError(
        say(
            "{path}: state_url leads to a database that knows none of its syncs, but their state is in {state}",
            path=str(config.path),
            state=str(config.state),
        ),
        say("take state_url out once and give `syncd state move --to ...`; or move that file away"),
    )


async def _portals_of(config: Config, ledger: Ledger, clock: Clock) -> list[PortalClaim]:
    """Return the portals of `config`. The number of a portal is known once it has authorised an application."""
    from syncd.app.authorising import member_of  # noqa: PLC0415 - what only looks at the state calls no portal

    return [
        PortalClaim(name=one.name, origin=one.host, member_id=await member_of(one, ledger, clock))
        for one in config.portals
        if not one.unusable
    ]


def _known_as(config: Config) -> Path:
    """Return the path under which `config` is known."""
    return Path(os.path.realpath(config.path))


def _is_another(path: str, config: Path) -> bool:
    """Return True if `path` is another config that still exists: a renamed config keeps its state."""
    try:
        return not Path(path).samefile(config)
    except OSError:
        return False
