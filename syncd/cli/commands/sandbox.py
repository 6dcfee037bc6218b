"""`syncd sandbox`: the simulated portal, served until a signal comes."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path

from syncd.cli.outlet import reveal, tell
from syncd.cli.simulated import serve
from syncd.clock import SystemClock
from syncd.errors import ConfigError
from syncd.lang.catalog import told
from syncd.lang.saying import say, say_count
from syncd.sandbox.faults import KINDS, parse_fault
from syncd.sandbox.seed.language_school import default_world
from syncd.sandbox.seed.likeness import alike, peopled, read_likeness
from syncd.sandbox.seed.world_file import encode_world, read_world
from syncd.sandbox.seed.world_schema import WorldSeed
from syncd.sandbox.settings import SWITCHES, Settings, parse_costs, parse_switch, switched
from syncd.sandbox.world import World


async def sandbox(arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """Serve the simulated portal and print its address."""
    if "help" in arguments.fault:
        for kind, (what, options) in KINDS.items():
            tell(
                say("{kind:14} {what} (options: {options})", kind=kind, what=what, options=tuple(options))
                if options
                else say("{kind:14} {what}", kind=kind, what=what)
            )
        tell(say("each with: request=N | N-M | N-, every=N, method=NAME, chance=0..1, times=N"))
        return 0
    if "help" in arguments.switch:
        usual = Settings()
        for name, positions in SWITCHES.items():
            value = getattr(usual, name)
            tell(
                say(
                    "{name} {positions} (usually {usual})",
                    name=name.ljust(16),
                    positions=" | ".join(positions),
                    usual={True: "yes", False: "no"}.get(value, value),
                )
            )
        return 0
    settings = Settings(
        tariff=arguments.tariff or "standard",
        costs_s=parse_costs(arguments.cost),
        faults=tuple(parse_fault(text) for text in arguments.fault),
    )
    seed = await _seed(arguments)
    if arguments.like is not None:
        settings, seed = _like(arguments.like, settings, seed)
    if arguments.export is not None:
        _export(arguments.export, seed)
        return 0
    world = World(_as_said(settings, arguments), seed)
    running = await serve(world, arguments.port)
    try:
        tell(say("calendar page: {url}/", url=running.url))
        for hook in world.tables.webhooks.values():
            # In full: it protects nothing, and people are to copy it.
            address = f"{running.url}/rest/{hook.user}/{hook.code}/"
            reveal(told(say("webhook of user {user}: {address}", user=hook.user, address=address)))
        for one in world.tables.applications.values():
            reveal(
                told(
                    say(
                        "application: client_id {id}, client_secret {secret}",
                        id=one.client_id,
                        secret=one.client_secret,
                    )
                )
            )
        sys.stdout.flush()
        await stop.wait()
    finally:
        await running.close()
    return 0


def _like(path: Path, settings: Settings, seed: WorldSeed) -> tuple[Settings, WorldSeed]:
    """Return settings and contents like those of the real portal in `path`, and print what will differ."""
    likeness = read_likeness(path)
    if unlike := likeness.unlike():
        tell(say("unlike that portal: {unlike}", unlike=tuple(unlike)), stderr=True)
    return alike(settings, likeness), peopled(seed, likeness, SystemClock().now())


def _as_said(settings: Settings, arguments: argparse.Namespace) -> Settings:
    """Return `settings` changed by the command line, which takes precedence over what a probe has found."""
    settings = replace(settings, waf=settings.waf or arguments.waf, tariff=arguments.tariff or settings.tariff)
    return switched(settings, map(parse_switch, arguments.switch))


async def _seed(arguments: argparse.Namespace) -> WorldSeed:
    """Return what the simulated portal is to contain."""
    if arguments.world:
        return read_world(arguments.world)
    if arguments.from_portal is None:
        return default_world()
    from syncd.app.rehearsal import read_rehearsal
    from syncd.cli.opened import opened

    async with opened(arguments, readonly=True) as app:
        if arguments.from_portal not in app.portals:
            raise ConfigError(
                say("there is no [portals.{name}]", name=arguments.from_portal),
                say("there are: {portals}", portals=tuple(app.portals)),
            )
        seed = await read_rehearsal(app.portals[arguments.from_portal], now=app.clock.now())
    tell(
        say(
            "read from {name}: {people}, {groups}, {sections}",
            name=arguments.from_portal,
            people=say_count("{count:,} person", "{count:,} people", len(seed.users)),
            groups=say_count("{count:,} group", "{count:,} groups", len(seed.groups)),
            sections=say_count("{count:,} section", "{count:,} sections", len(seed.sections)),
        ),
        stderr=True,
    )
    return seed


def _export(path: Path, seed: WorldSeed) -> None:
    """Write a world file that only its owner may read: it may name a company's people."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(encode_world(seed))
    except OSError as error:
        raise ConfigError(
            say("cannot write the world to {path}: {reason}", path=str(path), reason=error.strerror or ""),
            say("choose another --export"),
        ) from error
    tell(say("{path}: give it to `syncd sandbox --world`", path=str(path)), stderr=True)
