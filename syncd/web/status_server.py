"""Serves the status page, /healthz and /metrics on one address. Reading needs no login and changes nothing.

`POST /syncs/NAME/pass` starts a pass, for systems that know when their schedule has changed. It is off unless the
config has a token, which the request must carry (RFC 6750, 2.1). Its body is ignored.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from hmac import compare_digest

import structlog
from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware

from syncd import events
from syncd.errors import ConfigError, PausedError, SyncdError
from syncd.lang.catalog import told
from syncd.lang.saying import say
from syncd.scrub import Clean, printable
from syncd.web.calls import Callees, add_calls
from syncd.web.door import BACKLOG, Door, Limits, is_ours
from syncd.web.health import health_document
from syncd.web.language import reader_of
from syncd.web.status_page import page
from syncd.web.style import SCRIPT, STYLE
from syncd.web.sync_page import run_page, sync_page
from syncd.web.views import RunView, SyncView, View

_log = structlog.get_logger()
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_IDLE_S = 15.0
_FOREIGN_NAME = say("this name is not in hosts of [http] in syncd's config")
_BEARER = "bearer "
ReadView = Callable[[], Awaitable[View]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bell:
    """Starts passes for callers with the token. `ring` raises ConfigError for an unknown sync, or PausedError.

    `token` returns the one in force, None if nobody may start passes.
    """

    token: Callable[[], str | None]
    ring: Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What the pages of single syncs and passes show; None for one that does not exist (any more)."""

    sync: Callable[[str], Awaitable[SyncView | None]]
    run: Callable[[str, int], Awaitable[RunView | None]]


@asynccontextmanager
async def serving(
    view: ReadView,
    *,
    host: str,
    port: int,
    clean: Clean = printable,
    names: Callable[[], Collection[str]] = tuple,
    limits: Limits | None = None,
    bell: Bell | None = None,
    details: Details | None = None,
    callees: Callees | None = None,
) -> AsyncIterator[int]:
    """Serve while the body runs, which gets the port; raises OSError if the address cannot be used.

    What `view` returns is fit to be shown; `clean` makes error messages so. `names` are the names of this machine in
    requests, beside its addresses and its host name.
    """
    # No access log, as monitors would fill it; no signals, which the command line handles; and a short wait at the end,
    # because a browser that keeps its connection open must not delay the stop of the service.
    runner = web.AppRunner(
        make_app(view, clean, lambda: (host, *names()), bell, details, callees), access_log=None, handle_signals=False,
        shutdown_timeout=2.0, logger=_RequestLog("syncd.web"), keepalive_timeout=_IDLE_S, lingering_time=1.0,
    )  # fmt: skip
    await runner.setup()
    assert runner.server is not None
    door = Door(runner.server, limits or Limits())
    listening = None
    try:
        listening = await asyncio.get_running_loop().create_server(door, host, port, backlog=BACKLOG)
        yield listening.sockets[0].getsockname()[1]
    finally:
        if listening is not None:
            listening.close()
        await runner.cleanup()
        door.close()


class _RequestLog(logging.Logger):
    """The log of the HTTP server. A request that is not HTTP is the client's mistake, and at most a detail."""

    def handle(self, record: logging.LogRecord) -> None:
        """Pass on only our own errors."""
        error = record.exc_info[1] if record.exc_info else None
        ours = logging.getLogger(self.name)
        if isinstance(error, HttpProcessingError):
            _log.debug(events.REQUEST_MALFORMED, reason=error.message)
        elif ours.isEnabledFor(record.levelno):
            ours.handle(record)


def make_app(
    view: ReadView,
    clean: Clean,
    names: Callable[[], Collection[str]],
    bell: Bell | None = None,
    details: Details | None = None,
    callees: Callees | None = None,
) -> web.Application:
    """Return the application that shows what `view` reads, which is called for every request.

    `names` are the host names that requests may have; `bell` starts passes, `callees` handle what portals send.
    """

    async def show_page(request: web.Request) -> web.Response:
        return await _html(request, partial(page, await view()))

    async def show_health(request: web.Request) -> web.Response:
        found, (language, _) = await view(), reader_of(request)
        return web.json_response(health_document(found, language), status=200 if found.ok else 503)

    async def show_metrics(_request: web.Request) -> web.Response:
        from syncd.web.metrics import CONTENT_TYPE, Metrics  # noqa: PLC0415 - saves memory where nobody scrapes

        text = await asyncio.to_thread(Metrics().exposition, await view())
        return web.Response(body=text, headers={hdrs.CONTENT_TYPE: CONTENT_TYPE})

    async def show_style(_request: web.Request) -> web.Response:
        return web.Response(text=STYLE, content_type="text/css")

    async def show_script(_request: web.Request) -> web.Response:
        return web.Response(text=SCRIPT, content_type="text/javascript")

    # There is no login, so the page has to be useless to an attacker: no scripts but its own, no forms, no body.
    app = web.Application(middlewares=[_guarded(clean, names)], client_max_size=1024)
    app.router.add_get("/", show_page)
    app.router.add_get("/healthz", show_health)
    app.router.add_get("/metrics", show_metrics)
    app.router.add_get("/style.css", show_style)
    app.router.add_get("/refresh.js", show_script)
    if details is not None:
        app.router.add_get("/syncs/{name}", _sync_page(view, details))
        app.router.add_get(r"/syncs/{name}/runs/{number:[0-9]{1,18}}", _run_page(view, details))
    if bell is not None:
        app.router.add_post("/syncs/{name}/pass", _ringing(bell, clean))
    if callees is not None:
        add_calls(app, callees)
    return app


def _sync_page(view: ReadView, details: Details) -> Handler:
    async def show(request: web.Request) -> web.Response:
        found = await details.sync(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        return await _html(request, partial(sync_page, await view(), found))

    return show


def _run_page(view: ReadView, details: Details) -> Handler:
    async def show(request: web.Request) -> web.Response:
        found = await details.run(request.match_info["name"], int(request.match_info["number"]))
        if found is None:
            raise web.HTTPNotFound
        return await _html(request, partial(run_page, await view(), found))

    return show


async def _html(request: web.Request, made: Callable[..., str]) -> web.Response:
    """Return the page that `made` makes in the reader's language; it is made off the event loop."""
    language, chosen = reader_of(request)
    text = await asyncio.to_thread(made, language, chosen=chosen)
    return web.Response(text=text, content_type="text/html", headers={"Content-Language": language})


def _ringing(bell: Bell, clean: Clean) -> Handler:
    """Return the handler that starts a pass: 202; 401 without the token, 404 for no such sync, 409 for a paused one."""

    async def ring(request: web.Request) -> web.Response:
        token = bell.token()
        if token is None:
            raise web.HTTPNotFound
        given = request.headers.get(hdrs.AUTHORIZATION, "")
        # In constant time: how long a refusal takes must not tell how much of the token was right.
        right = compare_digest(given[len(_BEARER) :].strip().encode("utf-8", "replace"), token.encode())
        if not given.lower().startswith(_BEARER) or not right:
            return web.Response(status=401, text="401 Unauthorized\n", headers={hdrs.WWW_AUTHENTICATE: "Bearer"})
        name = request.match_info["name"]
        try:
            bell.ring(name)
        except PausedError as error:
            return web.Response(status=409, text=_said(str(error), request, clean))
        except ConfigError as error:
            return web.Response(status=404, text=_said(error.message, request, clean))
        return web.json_response({"sync": name, "pass": "due"}, status=202)

    return ring


def _said(message: str, request: web.Request, clean: Clean) -> str:
    """Return the text of a refusal in the language of the request."""
    return f"{clean(told(message, reader_of(request)[0]))}\n"


class _ForeignNameError(web.HTTPMisdirectedRequest):
    """The request is for a name that is not this machine's."""


def _guarded(clean: Clean, names: Callable[[], Collection[str]]) -> Middleware:
    """Return the middleware that puts the same strict headers on every response, including errors."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if not is_ours(request.headers.get(hdrs.HOST), names()):
                raise _ForeignNameError
            response = await handler(request)
        except web.HTTPException as refusal:
            reason = _FOREIGN_NAME if isinstance(refusal, _ForeignNameError) else refusal.reason
            response = web.Response(status=refusal.status, text=f"{refusal.status} {_said(reason, request, clean)}")
            if allow := refusal.headers.get(hdrs.ALLOW):
                response.headers[hdrs.ALLOW] = allow
        except SyncdError as error:  # a ledger that cannot be read
            response = web.Response(status=503, text=_said(str(error), request, clean))
        response.headers.update(_HEADERS)
        return response

    return guarded
