"""A web server on loopback whose answers a test writes as it goes, and a clock that sleeps without waiting."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from syncd.clock import Uptime
from syncd.source import Source, open_source
from tests.source.calendars import calendar, event

CALENDAR = calendar(event("DTSTART:20261201T090000Z", "SUMMARY:One", uid="one"))
OTHER = calendar(
    event("DTSTART:20261201T090000Z", "SUMMARY:One", uid="one"),
    event("DTSTART:20261202T090000Z", "SUMMARY:Two", uid="two"),
)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class QuickClock:
    """A Clock whose sleeps cost nothing and are written down."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> float:
        return 1_795_251_600.0

    def monotonic(self) -> float:
        return sum(self.slept)

    def uptime(self) -> Uptime:
        return Uptime("only", self.monotonic())

    def booted_at(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@dataclass(slots=True)
class Site:
    """What the server got, and what it answers: `answers` one after the other, the last one for ever."""

    url: str = ""
    requests: list[web.Request] = field(default_factory=list)
    answers: list[Handler | web.Response] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, web.Response):
            return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
        return await answer(request)


@asynccontextmanager
async def serving(*answers: Handler | web.Response, tls: ssl.SSLContext | None = None) -> AsyncIterator[Site]:
    site = Site(answers=list(answers))
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", site.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await listener.start()
    host, port = runner.addresses[0][:2]
    site.url = f"{'https' if tls else 'http'}://{host}:{port}"
    try:
        yield site
    finally:
        await runner.cleanup()


def ok(body: bytes = CALENDAR, **headers: str) -> web.Response:
    return web.Response(body=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def source(url: str, **options: object) -> Source:
    return open_source({"type": "ics", "url": url, **options}, Path(), where="test")


def quick(opened: Source) -> QuickClock:
    """Let a source wait without waiting."""
    clock = QuickClock()
    opened._clock = clock  # type: ignore[attr-defined]
    return clock
