"""Answers in the shapes that servers are documented to give, written by hand; a small server that plays them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from xml.sax.saxutils import escape

from aiohttp import web

from tests.source.calendars import calendar, event
from tests.source.web.serving import Site, serving

NAMESPACES = (
    'xmlns:d="DAV:" xmlns:cal="urn:ietf:params:xml:ns:caldav" xmlns:cs="http://calendarserver.org/ns/" '
    'xmlns:x="http://example.com/other"'
)
EVENTS_ONLY = '<cal:supported-calendar-component-set><cal:comp name="VEVENT"/></cal:supported-calendar-component-set>'
IS_CALENDAR = "<d:resourcetype><d:collection/><cal:calendar/></d:resourcetype>"
SYNCS = (
    "<d:supported-report-set><d:supported-report><d:report><d:sync-collection/></d:report></d:supported-report>"
    "</d:supported-report-set>"
)
Answer = Callable[[str], "tuple[int, str] | web.Response"]
"""What a path answers to the body of a request: status and XML."""


def multistatus(*responses: str, token: str = "") -> tuple[int, str]:
    tail = f"<d:sync-token>{token}</d:sync-token>" if token else ""
    return 207, f'<?xml version="1.0"?><d:multistatus {NAMESPACES}>{"".join(responses)}{tail}</d:multistatus>'


def found(href: str, *properties: str, missing: str = "") -> str:
    """Return a response with properties found, and one the server has not got in a propstat of its own."""
    absent = f"<d:propstat><d:prop>{missing}</d:prop><d:status>HTTP/1.1 404 Not Found</d:status></d:propstat>"
    return (
        f"<d:response><d:href>{escape(href)}</d:href><d:propstat><d:prop>{''.join(properties)}</d:prop>"
        f"<d:status>HTTP/1.1 200 OK</d:status></d:propstat>{absent if missing else ''}</d:response>"
    )


def gone(href: str, status: str = "404 Not Found", inner: str = "") -> str:
    return f"<d:response><d:href>{escape(href)}</d:href><d:status>HTTP/1.1 {status}</d:status>{inner}</d:response>"


def refused(status: int, condition: str) -> tuple[int, str]:
    return status, f'<?xml version="1.0"?><d:error {NAMESPACES}><{condition}/></d:error>'


def named(name: str) -> str:
    return f"<d:displayname>{escape(name)}</d:displayname>"


def etag(text: str) -> str:
    return f"<d:getetag>{escape(text)}</d:getetag>"


def data(uid: str, title: str = "Event") -> str:
    text = calendar(event("DTSTART:20261201T090000Z", f"SUMMARY:{title}", uid=uid)).decode()
    return f"<cal:calendar-data>{escape(text)}</cal:calendar-data>"


def wanted(body: str) -> list[str]:
    """Return the hrefs that a multiget asks for."""
    return re.findall(r"<\w+:href>([^<]*)</\w+:href>", body)


@asynccontextmanager
async def playing(paths: Mapping[str, Answer]) -> AsyncIterator[Site]:
    """Serve answers by "METHOD /path"; what is not there is a 404."""

    async def handle(request: web.Request) -> web.StreamResponse:
        body = await request.text()
        answer = paths.get(f"{request.method} {request.path}")
        told = answer(body) if answer is not None else (404, "")
        if isinstance(told, web.Response):
            return told
        return web.Response(status=told[0], text=told[1], content_type="application/xml")

    async with serving(handle) as site:
        yield site


def methods(site: Site) -> list[str]:
    """Return the requests so far as "METHOD /path"."""
    return [f"{request.method} {request.path}" for request in site.requests]
