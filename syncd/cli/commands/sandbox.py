"""`syncd sandbox`: the simulated portal, served until a signal comes."""

from __future__ import annotations

import argparse
import asyncio
import sys

from syncd.cli.outlet import reveal
from syncd.clock import SystemClock
from syncd.errors import ConfigError
from syncd.sandbox.faults import KINDS, parse_fault
from syncd.sandbox.http_server import RunningSandbox, start
from syncd.sandbox.seed.language_school import default_world
from syncd.sandbox.seed.world_file import read_world
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
        tariff=arguments.tariff,
        waf=arguments.waf,
        costs_s=parse_costs(arguments.cost),
        faults=tuple(parse_fault(text) for text in arguments.fault),
    )
    settings = switched(settings, map(parse_switch, arguments.switch))
    world = World(settings, read_world(arguments.world) if arguments.world else default_world())
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


async def serve(world: World, port: int) -> RunningSandbox:
    """Start the server; raises ConfigError if the port is taken."""
    try:
        return await start(world, clock=SystemClock(), port=port)
    except OSError as error:
        raise ConfigError(f"port {port} cannot be used: {error.strerror}", "choose another with --port") from error
