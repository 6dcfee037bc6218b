"""One conversation with a CalDAV server: finding calendars and asking for what is in them. Keeps nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit, urlunsplit

from syncd.source.caldav import dav
from syncd.source.web.access import Access, shown
from syncd.source.web.error import WebError
from syncd.source.web.web_client import Answer, WebClient, refusal

_XML = "application/xml; charset=utf-8"
_ABOUT_CALENDARS = (
    dav.RESOURCE_TYPE, dav.DISPLAY_NAME, dav.CTAG, dav.SYNC_TOKEN, dav.COMPONENTS, dav.REPORTS,
)  # fmt: skip
_WELL_KNOWN = "/.well-known/caldav"


class RefusedError(WebError):
    """A request the server answered with an error; `conditions` are the elements of its body."""

    def __init__(self, error: WebError, conditions: frozenset[str]) -> None:
        super().__init__(error.message, error.remedy, passing=error.passing, status=error.status)
        self.conditions = conditions


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """One calendar: where it is, what it is called, and what tells whether it has changed ("" where unknown)."""

    url: str = field(repr=False)
    name: str
    token: str = ""
    ctag: str = ""
    syncs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The calendars there are, and where to list them next time: `depth` 1 below a home, 0 a calendar itself."""

    calendars: tuple[Collection, ...]
    places: tuple[tuple[str, str], ...] = field(repr=False)


class Server:
    """Asks a server over connections that the caller opened."""

    def __init__(self, access: Access, client: WebClient) -> None:
        self._access = access
        self._client = client

    async def discover(self) -> Found:
        """Find the calendars, from whatever the configured address is: server, principal, home or calendar.

        Raises WebError where there is none to be found.
        """
        url, about = await self._enter()
        if dav.CALENDAR in about.elements:
            return await self.listed(((url, "0"),))
        homes = about.homes
        if not homes and about.principal:
            url, about = await self._about(urljoin(url, about.principal))
            homes = about.homes
        places = tuple((urljoin(url, href), "1") for href in homes) or ((url, "1"),)
        return await self.listed(places)

    async def _enter(self) -> tuple[str, _About]:
        """Ask the configured address, else where servers are to be found (RFC 6764, 5); of a bare host that first."""
        start = self._access.url
        well_known = _beside(start, _WELL_KNOWN)
        first, second = (start, well_known) if urlsplit(start).path.strip("/") else (well_known, start)
        try:
            return await self._about(first)
        except WebError as error:
            if error.passing or error.status in (0, 401) or first == second:
                raise
            try:
                return await self._about(second)
            except WebError as other:
                raise (error if first == start else other) from None

    async def listed(self, places: Sequence[tuple[str, str]]) -> Found:
        """Return the calendars at places found before; raises WebError."""
        calendars: dict[str, Collection] = {}
        for place, depth in places:
            answer, found = await self._multistatus("PROPFIND", place, dav.propfind(*_ABOUT_CALENDARS), depth=depth)
            for response in found.responses:
                calendar = _calendar(answer.url, response)
                if calendar is not None:
                    calendars.setdefault(dav.name_of(calendar.url, ""), calendar)
        return Found(calendars=tuple(calendars.values()), places=tuple(places))

    async def changes(self, calendar: Collection, token: str) -> dav.Multistatus:
        """Return what has changed since `token`, all there is for ""; raises RefusedError."""
        return (await self._multistatus("REPORT", calendar.url, dav.sync_collection(token), depth="0"))[1]

    async def etags(self, calendar: Collection, start: str, end: str) -> dav.Multistatus:
        """Return the etags of all events, of those between two UTC stamps where the server finds all too many."""
        try:
            return (await self._multistatus("REPORT", calendar.url, dav.query(), depth="1"))[1]
        except RefusedError as error:
            if dav.TOO_MANY in error.conditions or error.status == 507:
                return (await self._multistatus("REPORT", calendar.url, dav.query(start, end), depth="1"))[1]
            if error.status in (401, 404, 410):
                raise
        body = dav.propfind(dav.ETAG, dav.RESOURCE_TYPE)
        return (await self._multistatus("PROPFIND", calendar.url, body, depth="1"))[1]

    async def contents(self, calendar: Collection, hrefs: Iterable[str]) -> dav.Multistatus:
        """Return etag and data of resources; raises WebError."""
        return (await self._multistatus("REPORT", calendar.url, dav.multiget(hrefs), depth="1"))[1]

    async def content(self, calendar: Collection, href: str) -> Answer:
        """Return one resource's answer, whatever its status."""
        return await self._client.ask("GET", urljoin(calendar.url, href))

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

    async def _multistatus(self, method: str, url: str, body: bytes, *, depth: str) -> tuple[Answer, dav.Multistatus]:
        headers = {"Depth": depth, "Content-Type": _XML, "Accept": "application/xml, text/xml"}
        answer = await self._client.ask(method, url, headers=headers, body=body)
        name = shown(answer.url)
        if answer.status != 207:
            if 200 <= answer.status < 300:
                raise WebError(f"{name} answers, but not as a CalDAV server", "check url", status=answer.status)
            raise RefusedError(refusal(answer, name), dav.read_errors(answer.body))
        try:
            return answer, dav.read_multistatus(answer.body)
        except ValueError as error:
            raise WebError(f"{name}: {error}", "check url, or ask whoever runs the server") from None


@dataclass(slots=True)
class _About:
    elements: frozenset[str] = frozenset()
    principal: str = ""
    homes: tuple[str, ...] = ()


def _calendar(base: str, response: dav.Response) -> Collection | None:
    """Return the calendar a response is about, None where it is none that holds events."""
    kind = response.properties.get(dav.RESOURCE_TYPE)
    holds = response.properties.get(dav.COMPONENTS)
    is_calendar = kind is not None and dav.CALENDAR in kind.elements
    if not is_calendar or (holds is not None and holds.names and "VEVENT" not in holds.names):
        return None
    url = urljoin(base, response.href)
    reports = response.properties.get(dav.REPORTS)
    token = response.text(dav.SYNC_TOKEN)
    name = response.text(dav.DISPLAY_NAME) or dav.name_of(url, "").rstrip("/").rpartition("/")[2]
    return Collection(
        url=url if url.endswith("/") else url + "/",
        name=name,
        token=token,
        ctag=response.text(dav.CTAG),
        syncs=bool(token) or (reports is not None and dav.SYNC_REPORT in reports.elements),
    )


def _beside(url: str, path: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))
