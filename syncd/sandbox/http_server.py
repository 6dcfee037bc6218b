"""The HTTP server of the simulated portal: its REST interface and its calendar page.

Waits for the simulated duration of each request on the clock it is given, for many requests at once. Decides nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from syncd.sandbox.applications.sender import Sender
from syncd.sandbox.page.from_tables import event_view, index_view, month_view
from syncd.sandbox.page.pages import CONTENT_SECURITY_POLICY, render_event, render_index, render_month, stylesheet
from syncd.sandbox.php.timezones import unix_to_wall
from syncd.sandbox.php.wire import PortalRequest

if TYPE_CHECKING:
    from syncd.clock import Clock
    from syncd.sandbox.page.translations import Lang
    from syncd.sandbox.world import World

MAX_BODY_BYTES = 64 * 1024 * 1024
_SHUTDOWN_S = 0.5
_MONTH = re.compile(r"(\d{4})-(\d{1,2})\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningSandbox:
    """A simulated portal that is listening; `url` has no trailing slash."""

    url: str
    world: World
    runner: web.AppRunner

    def webhook(self, user: int = 1) -> str:
        """Return the URL of this user's first webhook, with a trailing slash; KeyError when there is none."""
        for hook in self.world.tables.webhooks.values():
            if hook.user == user:
                return f"{self.url}/rest/{user}/{hook.code}/"
        raise KeyError(user)

    async def close(self) -> None:
        """Stop listening and drop the requests under way."""
        await self.runner.cleanup()


async def start(
    world: World, *, clock: Clock, host: str = "127.0.0.1", port: int = 0, realtime: bool = True
) -> RunningSandbox:
    """Serve a world; `port` 0 takes a free one. Without `realtime` answers come at once, whatever they cost.

    Raises OSError when the port is taken.
    """
    sender = Sender(world)
    desk = _Desk(world=world, clock=clock, realtime=realtime, sender=sender)
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.on_cleanup.append(sender.close)
    app.router.add_get("/", desk.index)
    app.router.add_get("/style.css", desk.style)
    app.router.add_get("/calendar/{type}/{owner:-?[0-9]{1,9}}", desk.month)
    app.router.add_get("/calendar/{type}/{owner:-?[0-9]{1,9}}/{month}", desk.month)
    app.router.add_get("/event/{id:[0-9]{1,9}}", desk.event)
    app.router.add_route("*", "/rest/{tail:.*}", desk.rest)
    app.router.add_route("*", "/oauth/{tail:.*}", desk.rest)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError:
        await runner.cleanup()
        raise
    bound_host, bound_port = runner.addresses[0][:2]
    shown_host = f"[{bound_host}]" if ":" in bound_host else bound_host
    url = f"http://{shown_host}:{bound_port}"
    world.authority.address = url  # which tokens come with
    return RunningSandbox(url=url, world=world, runner=runner)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    """The handlers, with what they need."""

    world: World
    clock: Clock
    realtime: bool
    sender: Sender

    async def rest(self, request: web.Request) -> web.StreamResponse:
        """Pass one REST request to the world and send its answer."""
        asked = PortalRequest(
            http_method=request.method,
            path=request.path,
            query=request.rel_url.raw_query_string,
            content_type=request.headers.get("Content-Type", ""),
            body=await request.read(),
            address=request.remote or "",
        )
        answer = self.world.handle(self.clock.now(), asked)
        self.sender.send()
        if self.realtime:
            await self.clock.sleep(answer.duration_s)
        if answer.cut:
            # A cut connection ends without an answer, and not with an error that a client could read (PORTAL.md 1.1).
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=502)
        headers = {"Content-Type": answer.content_type, **dict(answer.headers)}
        return web.Response(status=answer.status, body=answer.body, headers=headers)

    async def index(self, request: web.Request) -> web.StreamResponse:
        """Show all calendars, budgets and counts."""
        world, now = self.world, self.clock.now()
        view = index_view(
            world.tables,
            now,
            traffic=world.traffic,
            budgets=world.budgets(now),
            limit_s=world.settings.operating_limit_s,
        )
        return _page(render_index(view, _lang(request)))

    async def month(self, request: web.Request) -> web.StreamResponse:
        """Show a month of a calendar, the current one by default."""
        calendar = (request.match_info["type"], int(request.match_info["owner"]))
        if calendar not in self.world.tables.calendars():
            raise web.HTTPNotFound(text="no such calendar")
        tables, now, exact = self.world.tables, self.clock.now(), self.world.settings.exact_expansion
        today = unix_to_wall(now, tables.server_zone)
        asked = request.match_info.get("month") or request.query.get("month") or f"{today:%Y-%m}"
        try:
            view = month_view(tables, now, calendar, *_year_and_month(asked), exact=exact)
        except (ValueError, OverflowError):
            raise web.HTTPNotFound(text="no such month; write it as 2026-12") from None
        return _page(render_month(view, _lang(request)))

    async def event(self, request: web.Request) -> web.StreamResponse:
        """Show one event."""
        view = event_view(self.world.tables, int(request.match_info["id"]))
        if view is None:
            raise web.HTTPNotFound(text="no such event")
        return _page(render_event(view, _lang(request)))

    async def style(self, _request: web.Request) -> web.StreamResponse:
        """Serve the pages' style sheet."""
        return web.Response(text=stylesheet(), content_type="text/css", headers={"X-Content-Type-Options": "nosniff"})


def _page(html: str) -> web.Response:
    headers = {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
    return web.Response(text=html, content_type="text/html", headers=headers)


def _year_and_month(text: str) -> tuple[int, int]:
    found = _MONTH.match(text)
    if found is None:
        raise ValueError(text)
    return int(found[1]), int(found[2])


def _lang(request: web.Request) -> Lang:
    """Return the language asked for by `?lang=`, else the browser's first that the page speaks."""
    asked = request.query.get("lang")
    if asked in ("en", "ru"):
        return "ru" if asked == "ru" else "en"
    for part in request.headers.get("Accept-Language", "").lower().split(","):
        tongue = part.partition(";")[0].strip()[:2]
        if tongue in ("en", "ru"):
            return "ru" if tongue == "ru" else "en"
    return "en"
