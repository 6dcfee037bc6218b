"""What is known of one calendar, and how it is updated with as little traffic as the server allows.

the server                                     the request
has the same token or ctag as before           none
supports sync-collection                       what has changed since the token; everything if it rejects the token
gives more than can be used with the data      the same without the data
does not support it, or refuses it             all etags, compared with those known
answers with a change but without its data     the data, many at a time; one by one if that returns none
answers with what XML cannot carry             that one by itself
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from syncd.errors import SourceError
from syncd.lang.saying import say
from syncd.source.caldav import dav
from syncd.source.caldav.dav_server import Collection, RefusedError, Server
from syncd.source.web.error import UnusableError, WebError
from syncd.source.web.web_client import refusal

_AT_ONCE = 50
_MOST_PAGES = 1000
_NO_ANSWER = frozenset({0, 401, 429, 502, 503, 504})
"""With these a server says nothing of a report: asking in another way would not help.

Any other status is a refusal of the report alone, as the calendar itself was listed a moment ago: it is not offered,
not for so much (507, Yandex), not with this token any more (409, 410, 412), or the server fails at it (500).
"""
_SHOWN_CHARS = 60
_TOO_MANY_LOST = 2
_CALENDAR = b"BEGIN:VCALENDAR"


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One stored object: its href as the server wrote it, its etag and its iCalendar text.

    `broke_xml` is True for one that the server's XML could not carry, `foreign` for one that is no calendar, such as a
    README in a folder of calendars; its data is not kept.
    """

    href: str
    etag: str
    data: bytes
    broke_xml: bool = False
    foreign: bool = False


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar as it was read last; resources by the decoded path of their href."""

    token: str = ""
    ctag: str = ""
    resources: dict[str, Resource] = {}


@dataclass(slots=True)
class Update:
    """An updated calendar: what is known now, what could not be read, and how many resources were fetched."""

    known: Known
    unread: list[tuple[str, SourceError]] = field(default_factory=list)
    fetched: int = 0


async def update_calendar(server: Server, calendar: Collection, known: Known, *, start: str, end: str) -> Update:
    """Return the calendar as it is now; `start` and `end` are UTC stamps, for servers that refuse to list everything.

    Raises WebError if it cannot be listed at all.
    """
    # The token is the better witness; a ctag counts only for servers without sync-collection.
    same_token = calendar.token and calendar.token == known.token
    if same_token or (not calendar.syncs and calendar.ctag and calendar.ctag == known.ctag):
        return Update(known)
    if calendar.syncs:
        try:
            return await _by_token(server, calendar, known)
        except RefusedError as error:
            # Servers drop old tokens; without one they return everything.
            if dav.INVALID_TOKEN in error.conditions and known.token:
                return await _by_token(server, calendar, msgspec.structs.replace(known, token=""))
            if error.status in _NO_ANSWER:
                raise
        except UnusableError:
            pass
        except WebError as error:
            if error.status in _NO_ANSWER:
                raise
    return await _by_etags(server, calendar, known, start=start, end=end)


async def _by_token(server: Server, calendar: Collection, known: Known) -> Update:
    try:
        return await _changes(server, calendar, known, with_data=True)
    except UnusableError:
        # One large or broken object among many; without the data the answer is short, and each is fetched on its own.
        return await _changes(server, calendar, known, with_data=False)


async def _changes(server: Server, calendar: Collection, known: Known, *, with_data: bool) -> Update:
    """Ask for changes, page after page if the server truncates its answers (RFC 6578, 3.6)."""
    reading = _Reading(server, calendar, known, {} if not known.token else dict(known.resources))
    token = known.token
    for _ in range(_MOST_PAGES):
        found = await server.changes(calendar, token, with_data=with_data)
        cut_short = False
        for response in found.responses:
            if not reading.take(response):
                cut_short = cut_short or response.status == 507 or dav.TOO_MANY in response.errors
        if not found.token:
            raise WebError(
                say("calendar {name!r}: the server reports changes without a sync-token", name=calendar.name),
                say("tell its makers"),
            )
        # A truncated answer with the same token would be truncated in the same way forever.
        if not cut_short or found.token == token:
            token = found.token
            break
        token = found.token
    reading.fetched = sum(1 for name, one in reading.resources.items() if known.resources.get(name) != one)
    await reading.fetch()
    return reading.update(token)


async def _by_etags(server: Server, calendar: Collection, known: Known, *, start: str, end: str) -> Update:
    found, whole = await server.etags(calendar, start, end)
    reading = _Reading(server, calendar, known, {})
    for response in found.responses:
        kind = response.properties.get(dav.RESOURCE_TYPE)
        if kind is None or not kind.elements:
            reading.take(response)
    await reading.fetch()
    # The token is older than the list, so what changes meanwhile is told by the next one. A list of some days is out of
    # date when the days have moved on, which no token tells.
    return reading.update(calendar.token if whole else "", ctag=calendar.ctag if whole else "")


class _Reading:
    """A calendar while it is read: `resources` as they are now, `wanted` the hrefs of those whose data has to come."""

    def __init__(self, server: Server, calendar: Collection, known: Known, resources: dict[str, Resource]) -> None:
        self._server = server
        self._calendar = calendar
        self._known = known
        self._wanted: dict[str, str] = {}
        self._listed: dict[str, str] = {}
        self._foreign: dict[str, str] = {}
        self._mended: dict[str, Resource] = {}
        self._unread: list[tuple[str, SourceError]] = []
        self.resources = resources
        self.fetched = 0

    def take(self, response: dav.Response) -> bool:
        """Take what a list says of one resource; return False if it is about the calendar itself."""
        try:
            name = dav.name_of(self._server.address(self._calendar.url, response.href), "")
        except WebError as error:
            self._unread.append((ascii(response.href[:_SHOWN_CHARS]), error))
            return True
        if name.rstrip("/") == dav.name_of(self._calendar.url, "").rstrip("/"):
            return False
        if response.status in (404, 410):
            self._forget(name)
        elif response.status >= 400:
            self._unreadable(name, response.status)
        elif not self._has_data(name, response, response.href) and not self._is_unchanged(name, response):
            self._wanted[name] = response.href
            self._listed[name] = response.text(dav.ETAG)
            if (kind := _kind(response.text(dav.CONTENT_TYPE))) and kind != "text/calendar":
                self._foreign[name] = kind
        return True

    async def fetch(self) -> None:
        """Get the data of wanted resources; one that cannot be read keeps its old data and is reported."""
        lost: list[str] = []
        came = False
        for names in _batches(list(self._wanted)):
            missing = dict.fromkeys(names)
            for response in await self._asked(names):
                name = dav.name_of(self._calendar.url, response.href)
                if name in missing and self._has_come(name, response):
                    del missing[name]
            # Some servers leave resources out of a multiget; each is then fetched by itself.
            for name in missing:
                status = await self._fetch_one(name, self._wanted[name])
                came = came or status == 200
                if status in (404, 410):
                    lost.append(name)
        # One may have gone since it was listed. Where none can be had it is the way of asking that fails, and nothing
        # is proved to be gone.
        if came or len(lost) < _TOO_MANY_LOST:
            for name in lost:
                self._forget(name)
        else:
            for name in lost:
                self._unreadable(name, 404)

    def update(self, token: str, *, ctag: str | None = None) -> Update:
        """Return what is known now. With the new token the server would not tell of what could not be read again."""
        ctag = self._calendar.ctag if ctag is None else ctag
        known = Known(resources=self.resources) if self._unread else Known(
            token=token, ctag=ctag, resources=self.resources
        )  # fmt: skip
        return Update(known, self._unread, self.fetched)

    async def _asked(self, names: Sequence[str]) -> tuple[dav.Response, ...]:
        try:
            found = await self._server.contents(self._calendar, [self._wanted[name] for name in names])
        except UnusableError:
            return ()
        except WebError as error:
            if error.status in _NO_ANSWER:
                raise
            return ()
        # An href that is no address is of no resource that was asked for.
        return tuple(one for one in found.responses if self._server.is_address(self._calendar.url, one.href))

    def _has_come(self, name: str, response: dav.Response) -> bool:
        """Take one answer of a multiget; return False if the resource has to be fetched by itself."""
        if response.status in (404, 410):
            self._forget(name)
        elif response.status >= 400:
            self._unreadable(name, response.status)
        elif self._has_data(name, response, self._wanted[name]):
            self.fetched += 1
        else:
            return False
        return True

    def _has_data(self, name: str, response: dav.Response, href: str) -> bool:
        """Take a resource's data if it came whole."""
        found = response.properties.get(dav.DATA)
        if found is None or not found.text:
            return False
        # Compared with lists, so the list's etag counts: others leave it out, weaken it or mark it as packed.
        etag = self._listed.get(name) or response.text(dav.ETAG)
        one = Resource(href=href, etag=etag, data=found.text.encode(), broke_xml=found.mended)
        if found.mended:
            self._mended[name] = one
            return False
        self.resources[name] = one
        self._wanted.pop(name, None)
        return True

    def _is_unchanged(self, name: str, response: dav.Response) -> bool:
        before, etag = self._known.resources.get(name), response.text(dav.ETAG)
        if before is None or not etag or before.etag != etag:
            return False
        self.resources[name] = before
        return True

    async def _fetch_one(self, name: str, href: str) -> int:
        """Take one resource by itself, and return the answer's status; what is not there is left to the caller."""
        mended = self._mended.get(name)
        try:
            answer = await self._server.content(self._calendar, href)
        except UnusableError as error:
            self._keep_old(name, error)
            return 0
        if answer.status == 200:
            # What is no calendar, such as a page to log in at, must be asked for again.
            is_calendar = _CALENDAR in answer.body
            if not is_calendar and self._is_foreign(name, _kind(answer.headers.get("content-type", ""))):
                self.resources[name] = Resource(href=href, etag=self._listed[name], data=b"", foreign=True)
                return answer.status
            listed = self._listed.get(name, "") if is_calendar else ""
            etag = listed or answer.headers.get("etag", "") or (mended.etag if mended is not None else "")
            self.resources[name] = Resource(
                href=href, etag=etag, data=answer.body, broke_xml=mended is not None
            )  # fmt: skip
            self.fetched += 1
        elif mended is not None:
            self.resources[name] = mended
            self.fetched += 1
            return 200
        elif answer.status not in (404, 410):
            self._keep_old(name, refusal(answer, _short(name)))
        return answer.status

    def _is_foreign(self, name: str, kind: str) -> bool:
        """Return True for what is no calendar by its list and its name. A page to log in at comes as another kind."""
        is_named = name.casefold().endswith((".ics", ".ical", ".eml"))
        return bool(kind) and self._foreign.get(name) == kind and not is_named

    def _unreadable(self, name: str, status: int) -> None:
        text = say("{name}: the server answers {status} for it", name=_short(name), status=status)
        self._keep_old(name, SourceError(text, say("let this account read it, or ask whoever runs the server")))

    def _keep_old(self, name: str, error: SourceError) -> None:
        if name in self._known.resources:
            self.resources[name] = self._known.resources[name]
        self._unread.append((_short(name), error))

    def _forget(self, name: str) -> None:
        self.resources.pop(name, None)
        self._wanted.pop(name, None)


def _batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for at in range(0, len(names), _AT_ONCE):
        yield names[at : at + _AT_ONCE]


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().casefold()


def _short(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]
