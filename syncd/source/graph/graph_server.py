"""The requests to Microsoft Graph: views of calendars, details of series, and who there is. Nothing is kept.

Every request asks for lasting ids and for times in UTC. A page counts only if it is whole: a list of rows, and either a
link to the next page or the link that ends the round.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from msgspec import UNSET, UnsetType

from syncd.clock import Clock
from syncd.lang.saying import say
from syncd.model.encoding import decoded, encoded
from syncd.source.graph.graph_event import SELECTED, GraphEvent, only_time
from syncd.source.graph.graph_known import GraphRow, View
from syncd.source.graph.graph_login import GraphLogin
from syncd.source.graph.graph_refusals import graph_refusal
from syncd.source.web.access import Access
from syncd.source.web.error import UnusableError, WebError
from syncd.source.web.web_client import WebAnswer, WebClient

T = TypeVar("T")
E = TypeVar("E", bound=GraphEvent)
_PREFER = 'IdType="ImmutableId", outlook.timezone="UTC"'
_PAGE = "odata.maxpagesize=200"
_MOST_PAGES = 10_000
_IN_A_BATCH = 20
"""The limit of Graph's JSON batching."""
_MOST_PEOPLE = 999
_DETAILS = f"{SELECTED},cancelledOccurrences,exceptionOccurrences"


class _DeltaPage(msgspec.Struct, frozen=True, kw_only=True):
    value: tuple[msgspec.Raw, ...]
    next: str = msgspec.field(default="", name="@odata.nextLink")
    delta: str = msgspec.field(default="", name="@odata.deltaLink")


class _EventPage(msgspec.Struct, frozen=True, kw_only=True):
    value: tuple[msgspec.Raw, ...]
    next: str = msgspec.field(default="", name="@odata.nextLink")


class _Least(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What must be known of an event that is none as the reference has them."""

    id: str
    type: str | UnsetType | None = UNSET
    series_master_id: str | UnsetType | None = UNSET
    occurrence_id: Any = None
    original_start: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaPage:
    """A page of a delta query, the last one of its round if `delta` is given, which leads to the next round."""

    rows: tuple[GraphRow, ...]
    delta: str = ""


class SeriesDetails(GraphEvent, frozen=True, kw_only=True):
    """A master with what is said of its occurrences only when it is asked for by itself."""

    cancelled_occurrences: tuple[str, ...] | UnsetType | None = UNSET
    exception_occurrences: tuple[msgspec.Raw, ...] | UnsetType | None = UNSET
    more_exceptions: str = msgspec.field(default="", name="exceptionOccurrences@odata.nextLink")


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar of a mailbox."""

    id: str
    name: str = ""


class NamedPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the calendars of a mailbox."""

    value: tuple[Named, ...]
    next: str = msgspec.field(default="", name="@odata.nextLink")


class Somebody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A user or a room, as far as it has an address."""

    mail: str | None = None
    email_address: str | None = None


class PeoplePage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of users or rooms."""

    value: tuple[Somebody, ...]
    next: str = msgspec.field(default="", name="@odata.nextLink")


class _Answered(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    status: int
    body: msgspec.Raw = msgspec.Raw(b"null")


class _Batch(msgspec.Struct, frozen=True, kw_only=True):
    responses: tuple[_Answered, ...]


class GraphServer:
    """Sends requests over a client that the caller has opened, with the tokens of a login.

    With `only_times` what an event says besides its time is dropped as it comes.
    """

    def __init__(
        self, access: Access, client: WebClient, login: GraphLogin, clock: Clock, *, only_times: bool = False
    ) -> None:
        self._only_times = only_times
        self._access = access
        self._root = access.url.rstrip("/")
        self._client = client
        self._login = login
        self._clock = clock
        self._token = ""
        self._batches = True

    def view(self, place: str, view: View) -> str:
        """Return the address that lists a view from the beginning; `place` is a path such as "/users/ann@x.org"."""
        span = {"startDateTime": f"{view.first}T00:00:00Z", "endDateTime": f"{view.end}T00:00:00Z"}
        return f"{self._root}{place}/calendarView/delta?{urlencode(span)}"

    async def login(self) -> None:
        """Get a token; raises WebError if there is none to be had."""
        self._token = await self._login.token()

    async def round(self, link: str, mailbox: str) -> AsyncIterator[DeltaPage]:
        """Yield the pages of a round; raises GoneError where it has to begin again, and WebError."""
        seen: set[str] = set()
        for _ in range(_MOST_PAGES):
            page = await self._page(link, _DeltaPage, mailbox)
            if bool(page.next) == bool(page.delta):
                raise UnusableError(
                    say("{name}: Graph sent a page that leads nowhere", name=mailbox),
                    say("it may work again by itself"),
                )
            # A link is checked before it is kept, or the calendar could not be read again as long as it is.
            self._check(page.next or page.delta, mailbox)
            yield DeltaPage(rows=tuple(self._event(raw, GraphRow, mailbox) for raw in page.value), delta=page.delta)
            if page.delta:
                return
            if page.next in seen:
                raise UnusableError(
                    say("{name}: Graph's pages lead in a circle", name=mailbox),
                    say("it may work again by itself"),
                )
            seen.add(page.next)
            link = page.next
        raise UnusableError(
            say("{name}: Graph sends more than {most} pages", name=mailbox, most=_MOST_PAGES),
            say("let the window be shorter"),
        )

    async def details(self, place: str, ids: Sequence[str], mailbox: str) -> dict[str, SeriesDetails | None]:
        """Return what masters say of their occurrences, None for those that are gone; raises WebError."""
        query = urlencode({"$select": _DETAILS, "$expand": "exceptionOccurrences"}, safe=",")
        paths = [f"{place}/events/{quote(one, safe='')}?{query}" for one in ids]
        found: dict[str, SeriesDetails | None] = {}
        for at in range(0, len(ids), _IN_A_BATCH):
            some = paths[at : at + _IN_A_BATCH]
            for one, answer in zip(ids[at : at + _IN_A_BATCH], await self._many(some, mailbox), strict=True):
                found[one] = None if answer is None else await self._whole(answer, mailbox)
        return found

    async def instances(self, place: str, series: str, first: date, last: date, mailbox: str) -> list[GraphEvent]:
        """Return the occurrences and exceptions of one series on some days; raises WebError."""
        span = {"startDateTime": f"{first}T00:00:00Z", "endDateTime": f"{last + timedelta(days=1)}T00:00:00Z"}
        path = f"{place}/events/{quote(series, safe='')}/instances?{urlencode(span)}"
        pages = self._pages(self._root + path, _EventPage, mailbox)
        return [self._event(raw, GraphEvent, mailbox) async for page in pages for raw in page.value]

    async def calendars(self, place: str, mailbox: str) -> list[Named]:
        """Return the calendars of a mailbox; raises WebError."""
        path = f"{place}/calendars?$select=id,name&$top=100"
        return [one async for page in self._pages(self._root + path, NamedPage, mailbox) for one in page.value]

    async def people(self, domain: str) -> list[str]:
        """Return the addresses of those in the tenant who have one in `domain` and may log in.

        Raises WebError, also if there is nobody.
        """
        query = {
            "$filter": f"endsWith(mail,'@{domain}') and accountEnabled eq true",
            "$select": "mail", "$count": "true", "$top": str(_MOST_PEOPLE),
        }  # fmt: skip
        path = f"/users?{urlencode(query)}"
        return await self._addresses(path, say("the people of {domain}", domain=domain))

    async def rooms(self) -> list[str]:
        """Return the addresses of the rooms of the tenant; raises WebError, also if there are none."""
        return await self._addresses("/places/microsoft.graph.room?$top=100", say("the rooms"))

    async def _addresses(self, path: str, name: str) -> list[str]:
        found = [one async for page in self._pages(self._root + path, PeoplePage, name) for one in page.value]
        addresses = (one.email_address or one.mail or "" for one in found)
        named = sorted({address.lower() for address in addresses if "@" in address})
        # An empty list would take the events of all of them off the portal.
        if not named:
            raise UnusableError(
                say("{name}: Graph lists none", name=name), say("check calendars, and that they have addresses")
            )
        return named

    async def _pages(self, link: str, kind: type[T], mailbox: str) -> AsyncIterator[T]:
        for _ in range(_MOST_PAGES):
            page = await self._page(link, kind, mailbox)
            yield page
            link = getattr(page, "next", "")
            if not link:
                return
        raise UnusableError(
            say("{name}: Graph sends more than {most} pages", name=mailbox, most=_MOST_PAGES),
            say("it may work again by itself"),
        )

    async def _whole(self, details: SeriesDetails, mailbox: str) -> SeriesDetails:
        """Return details with all exceptions, which come in pages as well."""
        if not details.more_exceptions:
            return details
        first = details.exception_occurrences
        known = first if isinstance(first, tuple) else ()
        pages = self._pages(details.more_exceptions, _EventPage, mailbox)
        more = [one async for page in pages for one in page.value]
        return msgspec.structs.replace(details, exception_occurrences=(*known, *more), more_exceptions="")

    def exceptions(self, details: SeriesDetails, mailbox: str) -> tuple[GraphEvent, ...] | None:
        """Return the exceptions that details name, None if they say nothing of them; raises WebError."""
        raws = details.exception_occurrences
        return tuple(self._event(raw, GraphEvent, mailbox) for raw in raws) if isinstance(raws, tuple) else None

    def _event(self, raw: msgspec.Raw, kind: type[E], mailbox: str) -> E:
        """Return an event; of one that is none its id, and why. Raises WebError for one without an id."""
        try:
            event = decoded(raw, type=kind)
            return only_time(event) if self._only_times else event
        except msgspec.DecodeError as error:
            why = str(error)  # names of properties and types, and nothing that people have written
        least = _decoded(bytes(raw), _Least, mailbox)
        return kind(
            id=least.id,
            type=least.type,
            series_master_id=least.series_master_id,
            occurrence_id=least.occurrence_id if isinstance(least.occurrence_id, str) else None,
            original_start=least.original_start if isinstance(least.original_start, str) else None,
            broken=why,
        )

    async def _many(self, paths: Sequence[str], mailbox: str) -> list[SeriesDetails | None]:
        """Return several details in one request; what fails there is asked for by itself."""
        answered: dict[str, _Answered] = {}
        if len(paths) > 1 and self._batches:
            answered = await self._batch(paths)
        found: list[SeriesDetails | None] = []
        for number, path in enumerate(paths):
            answer = answered.get(str(number))
            if answer is not None and answer.status == 200:
                found.append(self._event(answer.body, SeriesDetails, mailbox))
            elif answer is not None and answer.status == 404:
                found.append(None)
            else:
                found.append(await self._detail(path, mailbox))
        return found

    async def _batch(self, paths: Sequence[str]) -> dict[str, _Answered]:
        asked = [
            {"id": str(number), "method": "GET", "url": path, "headers": {"Prefer": _PREFER}}
            for number, path in enumerate(paths)
        ]
        body = encoded({"requests": asked})
        answer = await self._ask("POST", f"{self._root}/$batch", body=body)
        if answer.status != 200:
            # A server or a proxy that knows no batches still answers one request after the other.
            self._batches = False
            return {}
        return {one.id: one for one in _decoded(answer.body, _Batch, "Graph").responses}

    async def _detail(self, path: str, mailbox: str) -> SeriesDetails | None:
        try:
            return self._event(await self._page(self._root + path, msgspec.Raw, mailbox), SeriesDetails, mailbox)
        except WebError as error:
            if error.status == 404:
                return None
            if error.status != 400:
                raise
        # One that knows no cancelledOccurrences gives the series without; the listing then has to tell.
        try:
            bare = await self._page(self._root + path.partition("?")[0], msgspec.Raw, mailbox)
            return self._event(bare, SeriesDetails, mailbox)
        except WebError as error:
            if error.status == 404:
                return None
            raise

    async def _page(self, link: str, kind: type[T], mailbox: str) -> T:
        self._check(link, mailbox)
        answer = await self._ask("GET", link)
        if answer.status != 200:
            raise graph_refusal(answer, mailbox, self._clock.now())
        return _decoded(answer.body, kind, mailbox)

    def _check(self, link: str, mailbox: str) -> None:
        if not self._client.trusts(link):
            raise UnusableError(
                say("{name}: Graph leads to another server", name=mailbox),
                say("check url, or what stands in between"),
            )

    async def _ask(self, method: str, link: str, body: bytes | None = None) -> WebAnswer:
        """Send a request, again with another token if this one does not count any more."""
        headers = {"Prefer": f"{_PREFER}, {_PAGE}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if "$count" in link or "%24count" in link:
            headers["ConsistencyLevel"] = "eventual"  # without it users cannot be looked for by how an address ends
        for renewed in (False, True):
            if renewed or not self._token:
                self._token = await self._login.token(renewed=renewed)
            secrets = {"Authorization": f"Bearer {self._token}"}
            answer = await self._client.ask(method, link, headers=headers, body=body, secrets=secrets)
            if answer.status != 401:
                return answer
        return answer


def _decoded(body: bytes, kind: type[T], mailbox: str) -> T:
    try:
        return decoded(body, type=kind)
    except msgspec.ValidationError as error:
        raise UnusableError(
            say("{name}: Graph's answer has another shape than documented: {error}", name=mailbox, error=str(error))
        ) from None
    except msgspec.DecodeError:
        raise UnusableError(
            say("{name}: Graph sent a page cut short", name=mailbox), say("it may work again by itself")
        ) from None


def place_of(mailbox: str, calendar: str = "") -> str:
    """Return the path of a calendar, by default the mailbox's own; "me" is whoever has logged in."""
    person = "/me" if mailbox == "me" else f"/users/{quote(mailbox, safe='@')}"
    return f"{person}/calendars/{quote(calendar, safe='')}" if calendar else person


def chunks(days: Iterable[date]) -> tuple[tuple[date, date], ...]:
    """Return the spans of at most a year that hold all the days, which are sorted."""
    found: list[tuple[date, date]] = []
    for day in days:
        if found and day - found[-1][0] <= timedelta(days=365):
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return tuple(found)
