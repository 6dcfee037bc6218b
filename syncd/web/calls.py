"""What portals and browsers send to `[http] public_url`: codes, installations and events of applications.

Anybody on the internet may call here, so nothing is believed without proof: a code is proved by its `state`, an
installation by the OAuth server, an event by the application's own token. And an event only says where to look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from aiohttp import web
from aiohttp.typedefs import Handler

from syncd.errors import StateError
from syncd.lang.catalog import told
from syncd.lang.saying import say
from syncd.model.json_values import Json
from syncd.web.language import reader_of

LARGEST_BODY = 16_384
_MOST_FIELDS = 200
_DEEPEST = 4
_LONGEST_VISITOR = 100
_READ_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Callees:
    """The handlers of what is sent, by the name of the portal. Each returns False for what it does not believe."""

    code: Callable[[str, str, str], bool]
    install: Callable[[str, Mapping[str, Json], str], Awaitable[bool]]
    event: Callable[[str, Mapping[str, Json]], Awaitable[bool]]


def add_calls(app: web.Application, callees: Callees) -> None:
    """Add the routes for applications to `app`."""
    app.router.add_get("/app/{portal}", _browser(callees))

    async def event(portal: str, form: Mapping[str, Json], _visitor: str) -> bool:
        return await callees.event(portal, form)

    app.router.add_post("/app/{portal}/install", _posted(callees.install))
    app.router.add_post("/app/{portal}/events", _posted(event))


def _browser(callees: Callees) -> Handler:
    async def arrived(request: web.Request) -> web.Response:
        code, state = request.query.get("code", ""), request.query.get("state", "")
        if not code or not state or not callees.code(request.match_info["portal"], code, state):
            raise web.HTTPNotFound
        said = told(say("syncd has the code. This page may be closed."), reader_of(request)[0])
        return web.Response(text=f"{said}\n")

    return arrived


def _posted(take: Callable[[str, Mapping[str, Json], str], Awaitable[bool]]) -> Handler:
    async def posted(request: web.Request) -> web.Response:
        form = nested_form(await _body(request))
        try:
            taken = await take(request.match_info["portal"], form, _visitor(request))
        except StateError:  # the page and the log report it
            raise web.HTTPServiceUnavailable from None
        if not taken:
            raise web.HTTPForbidden
        return web.Response(text="ok\n")

    return posted


def _visitor(request: web.Request) -> str:
    """Return where a request comes from: the address that reached the proxy, which appends it to the header.

    Some proxies add it in a field of its own, which counts as the end of one list (RFC 9110, 5.3).
    """
    added = ",".join(request.headers.getall("X-Forwarded-For", ())).rpartition(",")[2].strip()
    return f"{request.remote} {added}"[:_LONGEST_VISITOR]


async def _body(request: web.Request) -> bytes:
    """Return the body; raises for one that is larger than any portal sends, or that never arrives."""
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(_READ_WITHIN_S):
            async for part in request.content.iter_any():
                parts.append(part)
                if sum(map(len, parts)) > LARGEST_BODY:
                    raise web.HTTPRequestEntityTooLarge(max_size=LARGEST_BODY, actual_size=LARGEST_BODY)
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    return b"".join(parts)


def nested_form(body: bytes) -> dict[str, Json]:
    """Parse a form whose names have brackets, as PHP writes them: `a[b]=1` becomes {"a": {"b": "1"}}.

    Deeper levels than any portal sends are left out; a form of more than two hundred fields counts as empty.
    """
    found: dict[str, Json] = {}
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MOST_FIELDS,
                          errors="strict")  # fmt: skip
    except ValueError:  # which a broken encoding is, too
        return {}
    for name, value in pairs:
        first, *rest = name.replace("]", "").split("[")
        path = [first, *rest]
        if len(path) > _DEEPEST:
            continue
        place = found
        for step in path[:-1]:
            inner = place.setdefault(step, {})
            if not isinstance(inner, dict):
                break
            place = inner
        else:
            place[path[-1]] = value
    return found
