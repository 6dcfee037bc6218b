"""The requests to a CalDAV server: finding calendars, and asking for their content. Nothing is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit, urlunsplit

from syncd.lang.saying import say
from syncd.source.caldav import dav
from syncd.source.reasons import reason_of
from syncd.source.web.access import Access, shown
from syncd.source.web.error import UnusableError, WebError
from syncd.source.web.web_client import WebAnswer, WebClient, refusal

_XML = "application/xml; charset=utf-8"
_ABOUT_CALENDARS = (
    dav.RESOURCE_TYPE, dav.DISPLAY_NAME, dav.CTAG, dav.SYNC_TOKEN, dav.COMPONENTS, dav.REPORTS,
)  # fmt: skip
_SHOWN_CHARS = 60
_ASK = say("ask whoever runs the server")
_LARGE_BYTES = 100_000
_WELL_KNOWN = "/.well-known/caldav"


class RefusedError(WebError):
    """A request that the server answered with an error; `conditions` are the elements of its body."""

    def __init__(self, error: WebError, conditions: frozenset[str]) -> None:
        super().__init__(error.message, error.remedy, transient=error.transient, status=error.status)
        self.conditions = conditions


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """One calendar: its address, its name, and the token and ctag that change when it changes ("" if unknown).

    `syncs` is True if the server supports sync-collection for it.
    """

    url: str = field(repr=False)
    name: str
    token: str = ""
    ctag: str = ""
    syncs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCalendars:
    """The calendars of an account, and the places to list them next time, each with the Depth of the request.

    The depth is 1 for a home of calendars and 0 for a calendar itself. `unread` are members of which the server says an
    error: each may be a calendar.
    """

    calendars: tuple[Collection, ...]
    unread: tuple[tuple[Collection, WebError], ...] = ()
    places: tuple[tuple[str, str], ...] = field(repr=False)


class Server:
    """Sends requests over a client that the caller has opened."""

    def __init__(self, access: Access, client: WebClient) -> None:
        self._access = access
        self._client = client

    async def discover(self) -> FoundCalendars:
        """Return the calendars; the configured address may be a server, a principal, a home or a calendar.

        Raises WebError if there is none of them.
        """
        url, about = await self._enter()
        if dav.CALENDAR in about.elements:
            return await self.listed(((url, "0"),))
        homes = about.homes
        if not homes and about.principal:
            url, about = await self._about(self.address(url, about.principal))
            homes = about.homes
        places = tuple((self.address(url, href), "1") for href in homes) or ((url, "1"),)
        return await self.listed(places)

    async def _enter(self) -> tuple[str, _About]:
        """Ask the configured address, then the well-known one (RFC 6764, 5); for a bare host in the other order."""
        start = self._access.url
        well_known = _beside(start, _WELL_KNOWN)
        first, second = (start, well_known) if urlsplit(start).path.strip("/") else (well_known, start)
        try:
            return await self._about(first)
        except WebError as error:
            # A wrong password is wrong everywhere, and an unreachable host has no other address.
            if error.transient or error.status in (0, 401) or first == second:
                raise
            try:
                return await self._about(second)
            except WebError as other:
                raise (error if first == start else other) from None

    async def listed(self, places: Sequence[tuple[str, str]]) -> FoundCalendars:
        """Return the calendars at places that were found before; raises WebError."""
        calendars: dict[str, Collection] = {}
        unread: list[tuple[Collection, WebError]] = []
        for place, depth in places:
            answer, found = await self._multistatus("PROPFIND", place, dav.propfind(*_ABOUT_CALENDARS), depth=depth)
            for response in found.responses:
                try:
                    url = self.address(answer.url, response.href)
                except WebError as error:
                    unread.append((Collection(url="", name=ascii(response.href[:_SHOWN_CHARS])), error))
                    continue
                if status := _failed(response):
                    unread.append((_unknown(url), _no_answer(status)))
                elif response.status not in (404, 410) and dav.RESOURCE_TYPE not in response.properties:
                    # Every resource has a type (RFC 4918, 15.9): one without may be a calendar that was read before.
                    unread.append((_unknown(url), WebError(say("the server does not say what it is"), _ASK)))
                elif (calendar := _calendar(url, response)) is not None:
                    calendars.setdefault(dav.name_of(calendar.url, ""), calendar)
        return FoundCalendars(calendars=tuple(calendars.values()), unread=tuple(unread), places=tuple(places))

    def address(self, base: str, href: str) -> str:
        """Return the address that an href means; raises WebError for what is none, and for one on another server.

        A server behind a proxy may name itself by another scheme or port, so its own name always means `base`'s.
        """
        try:
            own, parts = urlsplit(base), urlsplit(urljoin(base, href))
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise WebError(say("{name} names an address that is none", name=shown(base)), _ASK) from None
        if parts.scheme not in ("http", "https") or not host:
            raise WebError(say("{name} names an address that is none", name=shown(base)), _ASK)
        if host == own.hostname:
            return urlunsplit((own.scheme, own.netloc, parts.path or "/", parts.query, ""))
        url = urlunsplit(parts)
        if parts.username is not None or not self._client.trusts(url):
            text = say(
                "{name} names an address on another server, {host}, which is not asked",
                name=shown(base),
                host=ascii(host[:_SHOWN_CHARS]),
            )
            raise WebError(text, say("give that server's own address as url if it is right"))
        return url

    def is_address(self, base: str, href: str) -> bool:
        """Return True if an href means an address that may be asked."""
        try:
            return bool(self.address(base, href))
        except WebError:
            return False

    async def changes(self, calendar: Collection, token: str, *, with_data: bool) -> dav.Multistatus:
        """Return what has changed since `token`, everything for ""; raises RefusedError."""
        body = dav.sync_collection(token, with_data=with_data)
        return (await self._multistatus("REPORT", calendar.url, body, depth="0"))[1]

    async def etags(self, calendar: Collection, start: str, end: str) -> tuple[dav.Multistatus, bool]:
        """Return the etags of all events and True.

        If all are too many for the server, return those between two UTC stamps and False.
        """
        try:
            return (await self._multistatus("REPORT", calendar.url, dav.query(), depth="1"))[1], True
        except RefusedError as error:
            if dav.TOO_MANY in error.conditions or error.status == 507:
                body = dav.query(start, end)
                return (await self._multistatus("REPORT", calendar.url, body, depth="1"))[1], False
            if error.status in (401, 404, 410):
                raise
        # A server that knows no calendar-query still lists its resources.
        body = dav.propfind(dav.ETAG, dav.RESOURCE_TYPE, dav.CONTENT_TYPE)
        return (await self._multistatus("PROPFIND", calendar.url, body, depth="1"))[1], True

    async def contents(self, calendar: Collection, hrefs: Iterable[str]) -> dav.Multistatus:
        """Return etag and data of resources; raises WebError."""
        return (await self._multistatus("REPORT", calendar.url, dav.multiget(hrefs), depth="1"))[1]

    async def content(self, calendar: Collection, href: str) -> WebAnswer:
        """Return the answer for one resource, of any status."""
        return await self._client.ask("GET", self.address(calendar.url, href))

    async def _about(self, url: str) -> tuple[str, _About]:
        body = dav.propfind(dav.RESOURCE_TYPE, dav.PRINCIPAL, dav.HOME_SET)
        answer, found = await self._multistatus("PROPFIND", url, body, depth="0")
        about = _About()
        for response in found.responses:
            for name, value in response.properties.items():
                match name:
                    case dav.HOME_SET:
                        about.homes += value.hrefs
                    case dav.PRINCIPAL:
                        about.principal = about.principal or next(iter(value.hrefs), "")
                    case dav.RESOURCE_TYPE:
                        about.elements |= value.elements
        return answer.url, about

    async def _multistatus(
        self, method: str, url: str, body: bytes, *, depth: str
    ) -> tuple[WebAnswer, dav.Multistatus]:
        headers = {"Depth": depth, "Content-Type": _XML, "Accept": "application/xml, text/xml"}
        answer = await self._client.ask(method, url, headers=headers, body=body)
        name = shown(answer.url)
        if answer.status != 207:
            # A web server without WebDAV may answer a PROPFIND with a page.
            if 200 <= answer.status < 300:
                raise WebError(
                    say("{name} answers, but not as a CalDAV server", name=name), say("check url"), status=answer.status
                )
            raise RefusedError(refusal(answer, name), dav.read_errors(answer.body))
        try:
            # A large answer takes seconds, in which the rest of the daemon would stand still.
            if len(answer.body) > _LARGE_BYTES:
                return answer, await asyncio.to_thread(dav.read_multistatus, answer.body)
            return answer, dav.read_multistatus(answer.body)
        except ValueError as error:
            raise UnusableError(
                say("{name}: {reason}", name=name, reason=reason_of(error)),
                say("check url, or ask whoever runs the server"),
            ) from None


@dataclass(slots=True)
class _About:
    elements: frozenset[str] = frozenset()
    principal: str = ""
    homes: tuple[str, ...] = ()


def _calendar(url: str, response: dav.Response) -> Collection | None:
    """Return the calendar that a response describes, None if it is not a calendar of events."""
    kind = response.properties.get(dav.RESOURCE_TYPE)
    holds = response.properties.get(dav.COMPONENTS)
    is_calendar = kind is not None and dav.CALENDAR in kind.elements
    if not is_calendar or (holds is not None and holds.names and "VEVENT" not in holds.names):
        return None
    reports = response.properties.get(dav.REPORTS)
    token = response.text(dav.SYNC_TOKEN)
    return Collection(
        url=_with_slash(url),
        name=response.text(dav.DISPLAY_NAME) or slug(url),
        token=token,
        ctag=response.text(dav.CTAG),
        syncs=bool(token) or (reports is not None and dav.SYNC_REPORT in reports.elements),
    )


def slug(url: str) -> str:
    """Return the last part of a calendar's address, which is its name for some people."""
    return dav.name_of(url, "").rstrip("/").rpartition("/")[2]


def _failed(response: dav.Response) -> int:
    """Return the status with which the server withholds what something is, 0 if it says so."""
    if response.status in (404, 410):
        return 0
    if response.status >= 400:
        return response.status
    name = response.refused.get(dav.DISPLAY_NAME, 0)
    # Without its name a calendar would seem to be another one; a name that may not be seen is as good as none.
    return response.refused.get(dav.RESOURCE_TYPE, 0) or (name if name >= 500 else 0)


def _unknown(url: str) -> Collection:
    return Collection(url=_with_slash(url), name=slug(url))


def _no_answer(status: int) -> WebError:
    remedy = (
        say("let this account read it, or name those to be read with calendars")
        if status < 500
        else say("it may work again")
    )
    return WebError(say("the server answers {status} for it", status=status), remedy, status=status)


def _with_slash(url: str) -> str:
    return url if url.endswith("/") else url + "/"


def _beside(url: str, path: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))
