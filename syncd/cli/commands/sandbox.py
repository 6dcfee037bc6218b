"""`syncd sandbox`: the simulated portal, served until a signal comes."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from syncd.cli.outlet import reveal
from syncd.clock import SystemClock
from syncd.errors import ConfigError
from syncd.sandbox.faults import KINDS, parse_fault
from syncd.sandbox.http_server import RunningSandbox, start
from syncd.sandbox.seed.language_school import default_world
from syncd.sandbox.seed.likeness import alike, peopled, read_likeness
from syncd.sandbox.seed.world_file import read_world
from syncd.sandbox.seed.world_schema import WorldSeed
from syncd.sandbox.settings import SWITCHES, Settings, parse_costs, parse_switch, switched
from syncd.sandbox.world import World


async def sandbox(arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """Serve the simulated portal and print where."""
    if "help" in arguments.fault:
        for kind, (what, options) in KINDS.items():
            print(f"{kind:14} {what}" + (f" (options: {', '.join(options)})" if options else ""))
        print("each with: request=N | N-M | N-, every=N, method=NAME, chance=0..1, times=N")
        return 0
    if "help" in arguments.switch:
        usual = Settings()
        for name, positions in SWITCHES.items():
            value = getattr(usual, name)
            print(f"{name:16} {' | '.join(positions)} (usually {'yes' if value is True else value or 'no'})")
        return 0
    settings = Settings(
        tariff=arguments.tariff or "standard",
        costs_s=parse_costs(arguments.cost),
        faults=tuple(parse_fault(text) for text in arguments.fault),
    )
    seed = read_world(arguments.world) if arguments.world else default_world()
    if arguments.like is not None:
        settings, seed = _like(arguments.like, settings, seed)
    world = World(_as_said(settings, arguments), seed)
    running = await serve(world, arguments.port)
    try:
        print(f"calendar page: {running.url}/")
        for hook in world.tables.webhooks.values():
            # In full: it protects nothing, and people are to copy it.
            reveal(f"webhook of user {hook.user}: {running.url}/rest/{hook.user}/{hook.code}/")
        sys.stdout.flush()
        await stop.wait()
    finally:
        await running.close()
    return 0


def _like(path: Path, settings: Settings, seed: WorldSeed) -> tuple[Settings, WorldSeed]:
    """Return settings and contents that are like the real portal of `path`, and say what will be otherwise."""
    likeness = read_likeness(path)
    if unlike := likeness.unlike():
        print(f"unlike that portal: {', '.join(unlike)}", file=sys.stderr)
    return alike(settings, likeness), peopled(seed, likeness, SystemClock().now())


def _as_said(settings: Settings, arguments: argparse.Namespace) -> Settings:
    """Return `settings` with what the command line says, which counts more than what a probe has found."""
    settings = replace(settings, waf=settings.waf or arguments.waf, tariff=arguments.tariff or settings.tariff)
    return switched(settings, map(parse_switch, arguments.switch))


async def serve(world: World, port: int) -> RunningSandbox:
    """Start the server; raises ConfigError if the port is taken."""
    try:
        return await start(world, clock=SystemClock(), port=port)
    except OSError as error:
        raise ConfigError(f"port {port} cannot be used: {error.strerror}", "choose another with --port") from error
