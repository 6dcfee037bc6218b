"""What is known of one calendar, and how it is updated with as little traffic as the server allows.

the server                                     the request
has the same token or ctag as before           none
supports sync-collection                       what has changed since the token; everything if it rejects the token
does not support it                            all etags, compared with those known
answers with a change but without its data     the data, many at a time; one by one if that returns none
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from syncd.errors import SourceError
from syncd.source.caldav import dav
from syncd.source.caldav.dav_server import Collection, RefusedError, Server
from syncd.source.web.error import WebError
from syncd.source.web.web_client import refusal

_AT_ONCE = 50
_MOST_PAGES = 1000


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One stored object: its href as the server wrote it, its etag and its iCalendar text."""

    href: str
    etag: str
    data: bytes


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
            if error.status not in (400, 403, 405, 415, 501):
                raise
    return await _by_etags(server, calendar, known, start=start, end=end)


async def _by_token(server: Server, calendar: Collection, known: Known) -> Update:
    """Ask for changes, page after page if the server truncates its answers (RFC 6578, 3.6)."""
    everything = not known.token
    resources = {} if everything else dict(known.resources)
    wanted: dict[str, str] = {}
    update = Update(known)
    token = known.token
    for _ in range(_MOST_PAGES):
        found = await server.changes(calendar, token)
        cut_short = False
        for response in found.responses:
            name = dav.name_of(calendar.url, response.href)
            if _is_itself(calendar, name):
                cut_short = cut_short or response.status == 507 or dav.TOO_MANY in response.errors
            elif response.status in (404, 410):
                resources.pop(name, None)
                wanted.pop(name, None)
            elif response.status >= 400:
                _unreadable(update, known, resources, name, response)
            else:
                _take(known, resources, wanted, name, response)
        if not found.token:
            raise WebError(
                f"calendar {calendar.name!r}: the server reports changes without a sync-token", "tell its makers"
            )
        # A truncated answer with the same token would be truncated in the same way forever.
        if not cut_short or found.token == token:
            token = found.token
            break
        token = found.token
    update.fetched = sum(1 for name, one in resources.items() if known.resources.get(name) != one)
    await _fetch(server, calendar, update, known, resources, wanted)
    kept_token = "" if update.unread else token  # with the new token the server would not report the unread ones again
    update.known = Known(token=kept_token, ctag=calendar.ctag, resources=resources)
    return update


async def _by_etags(server: Server, calendar: Collection, known: Known, *, start: str, end: str) -> Update:
    found = await server.etags(calendar, start, end)
    resources: dict[str, Resource] = {}
    wanted: dict[str, str] = {}
    update = Update(known)
    for response in found.responses:
        name = dav.name_of(calendar.url, response.href)
        kind = response.properties.get(dav.RESOURCE_TYPE)
        if _is_itself(calendar, name) or response.status in (404, 410) or (kind is not None and kind.elements):
            continue
        if response.status >= 400:
            _unreadable(update, known, resources, name, response)
        else:
            _take(known, resources, wanted, name, response)
    await _fetch(server, calendar, update, known, resources, wanted)
    update.known = Known(ctag="" if update.unread else calendar.ctag, resources=resources)
    return update


def _take(
    known: Known, resources: dict[str, Resource], wanted: dict[str, str], name: str, response: dav.Response
) -> None:
    """Add a resource that came with its data or has not changed to `resources`, any other to `wanted`."""
    etag, data = response.text(dav.ETAG), response.text(dav.DATA)
    before = known.resources.get(name)
    if data:
        resources[name] = Resource(href=response.href, etag=etag, data=data.encode())
        wanted.pop(name, None)
    elif before is not None and etag and before.etag == etag:
        resources[name] = before
    else:
        wanted[name] = response.href


async def _fetch(
    server: Server,
    calendar: Collection,
    update: Update,
    known: Known,
    resources: dict[str, Resource],
    wanted: dict[str, str],
) -> None:
    """Add the data of wanted resources to `resources`; one that cannot be read keeps its old data and is reported."""
    for batch in _batches(list(wanted)):
        missing = dict.fromkeys(batch)
        try:
            found = await server.contents(calendar, [wanted[name] for name in batch])
        except RefusedError as error:
            if error.status not in (400, 403, 405, 415, 501):
                raise
            found = dav.Multistatus(responses=())
        for response in found.responses:
            name = dav.name_of(calendar.url, response.href)
            if name not in missing:
                continue
            data = response.text(dav.DATA)
            if response.status in (404, 410):
                resources.pop(name, None)
            elif response.status >= 400:
                _unreadable(update, known, resources, name, response)
            elif data:
                etag = response.text(dav.ETAG)
                resources[name] = Resource(href=wanted[name], etag=etag, data=data.encode())
                update.fetched += 1
            else:
                continue
            del missing[name]
        # Some servers leave resources out of a multiget; each is then fetched by itself.
        for name in missing:
            await _fetch_one(server, calendar, update, known, resources, name, wanted[name])


async def _fetch_one(
    server: Server,
    calendar: Collection,
    update: Update,
    known: Known,
    resources: dict[str, Resource],
    name: str,
    href: str,
) -> None:
    answer = await server.content(calendar, href)
    if answer.status == 200:
        resources[name] = Resource(href=href, etag=answer.headers.get("etag", ""), data=answer.body)
        update.fetched += 1
    elif answer.status in (404, 410):
        resources.pop(name, None)
    else:
        _keep_old(known, resources, name)
        update.unread.append((_short(name), refusal(answer, _short(name))))


def _unreadable(
    update: Update, known: Known, resources: dict[str, Resource], name: str, response: dav.Response
) -> None:
    _keep_old(known, resources, name)
    text = f"{_short(name)}: the server answers {response.status} for it"
    update.unread.append((_short(name), SourceError(text, "let this account read it, or ask whoever runs the server")))


def _keep_old(known: Known, resources: dict[str, Resource], name: str) -> None:
    if name in known.resources:
        resources[name] = known.resources[name]


def _batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for at in range(0, len(names), _AT_ONCE):
        yield names[at : at + _AT_ONCE]


def _is_itself(calendar: Collection, name: str) -> bool:
    return name.rstrip("/") == dav.name_of(calendar.url, "").rstrip("/")


def _short(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]
