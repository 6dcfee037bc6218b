"""Starts the simulated portal, for `syncd sandbox` and `syncd demo`."""

from __future__ import annotations

from syncd.clock import SystemClock
from syncd.errors import ConfigError
from syncd.lang.saying import say
from syncd.sandbox.http_server import RunningSandbox, start
from syncd.sandbox.world import World


async def serve(world: World, port: int) -> RunningSandbox:
    """Start the server; raises ConfigError if the port is taken."""
    try:
        return await start(world, clock=SystemClock(), port=port)
    except OSError as error:
        raise ConfigError(
            say("port {port} cannot be used: {reason}", port=port, reason=error.strerror or ""),
            say("choose another with --port"),
        ) from error
