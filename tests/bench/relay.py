"""What the campaigns put between syncd and a simulated portal: passes requests on, or has them go astray."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from aiohttp import ClientSession, web


@dataclass(slots=True)
class Relay:
    """The address of one portal that syncd knows; a subclass says what becomes of each request."""

    target: str
    session: ClientSession
    url: str = field(default="", init=False)
    late: set[asyncio.Task[web.Response]] = field(default_factory=set, init=False)
    _runner: web.AppRunner | None = field(default=None, init=False)

    async def open(self) -> None:
        """Listen at a free port."""
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{tail:.*}", self.handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        raise NotImplementedError

    async def forward(self, request: web.Request, path: str, body: bytes, wait_s: float = 0.0) -> web.Response:
        """Pass a request on to `path` of the portal after so many seconds, and return the answer."""
        await asyncio.sleep(wait_s)
        headers = {"Content-Type": request.headers.get("Content-Type", "")}
        async with self.session.request(request.method, self.target + path, data=body, headers=headers) as answer:
            kept = {name: value for name, value in answer.headers.items() if name in ("Content-Type", "Retry-After")}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)


def cut(request: web.Request) -> web.Response:
    """Break the connection that a request came on."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=502)
