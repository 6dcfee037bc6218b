"""What is known of one calendar, and how it is brought up to date: with the token of the last reading, else whole.

an item                                  what becomes of it
an event, a master, a changed occurrence it is kept in place of what had its id
a cancelled occurrence                   it is kept as long as its series, from which it is taken away
any other cancelled one                  it is forgotten, with the occurrences of its series that were known before
one that is no event                     its id is kept, and told with the reason when the calendar is read
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

import msgspec

from syncd.lang.saying import say
from syncd.model.encoding import decoded, encoded_short
from syncd.source.accounts.groups import Series
from syncd.source.accounts.told import Told
from syncd.source.google.event_item import Item, Surroundings, read_item
from syncd.source.google.google_api import GoneError, GoogleApi, Page
from syncd.source.web.error import WebError

_MOST_PAGES = 10_000


class Known(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A calendar as it was read last: the token for the next reading, and its items by id as JSON.

    `role` is what the reader may see of it, `alarms` are its usual reminders in minutes.
    """

    token: str = ""
    zone: str = ""
    name: str = ""
    role: str = ""
    alarms: tuple[int, ...] = ()
    items: dict[str, bytes] = {}


class _Id(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    id: str
    recurring_event_id: str | None = None
    status: str | None = None


Keep = Callable[[Item], Item]
"""Returns what is kept of an event."""


class _Odd(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    id: str
    recurring_event_id: object = None
    status: object = None


async def updated(api: GoogleApi, calendar: str, subject: str, known: Known, keep: Keep) -> Known:
    """Return the calendar as it is now, with what `keep` leaves of each event; raises SourceError if it is not read."""
    try:
        return await _read(api, calendar, subject, known, keep)
    except GoneError:
        # Tokens end after some weeks, and whenever the rights on a calendar change. That may be in the middle of a
        # list, too: then what came before is worth nothing.
        return await _read(api, calendar, subject, Known(), keep)


async def _read(api: GoogleApi, calendar: str, subject: str, known: Known, keep: Keep) -> Known:
    pages: list[Page] = []
    asked = {""}
    page = ""
    for _ in range(_MOST_PAGES):
        found = await api.page(calendar, subject, token=known.token, page=page)
        pages.append(found)
        if found.next_sync_token:
            items = merged(known.items if known.token else {}, pages, calendar, keep)
            return _known(found, found.next_sync_token, items if items != known.items else known.items)
        if not found.next_page_token or found.next_page_token in asked:
            raise WebError(
                say("calendar {calendar}: the list was cut short, it ends without a token", calendar=calendar),
                say("it may work again by itself"),
            )
        page = found.next_page_token
        asked.add(page)
    raise WebError(
        say("calendar {calendar}: the list has no end", calendar=calendar), say("it may work again by itself")
    )


def _known(last: Page, token: str, items: dict[str, bytes]) -> Known:
    alarms = tuple(sorted({one.minutes for one in last.default_reminders}))
    return Known(token=token, zone=last.time_zone, name=last.summary, role=last.access_role, alarms=alarms, items=items)


def merged(before: dict[str, bytes], pages: Iterable[Page], calendar: str, keep: Keep) -> dict[str, bytes]:
    """Return all items after those of the pages; raises WebError for one without an id, which may be anything."""
    came = [_identified(raw, calendar, keep) for page in pages for raw in page.items]
    # A series that was deleted takes its occurrences along, but for those that the same answer gives: whoever was
    # taken off a series may still be invited to one day of it.
    gone = {one.id for one, _ in came if one.status == "cancelled" and not one.recurring_event_id}
    items = {
        name: content
        for name, content in before.items()
        if name not in gone and not (gone and _series_of(content) in gone)
    }
    for one, content in came:
        if one.id in gone and not one.recurring_event_id:
            items.pop(one.id, None)
        else:
            items[one.id] = content
    return items


def _identified(raw: msgspec.Raw, calendar: str, keep: Keep) -> tuple[_Id, bytes]:
    item = _item(raw, calendar)
    named = _Id(id=item.id, recurring_event_id=item.recurring_event_id, status=item.status)
    return named, encoded_short(keep(item), _ENCODE)


def _item(raw: msgspec.Raw, calendar: str) -> Item:
    """Return an event; of one that is none its id, and why; raises WebError for one without an id."""
    try:
        return decoded(raw, type=Item)
    except msgspec.DecodeError as error:
        why = str(error)  # names of fields and types, and nothing that people have written
    try:
        one = decoded(raw, type=_Odd)
    except msgspec.DecodeError:
        text = say(
            "calendar {calendar}: the list holds an event without an id, so it cannot be told which it is",
            calendar=calendar,
        )
        raise WebError(text, say("it may work again by itself")) from None
    series, status = (value if isinstance(value, str) else None for value in (one.recurring_event_id, one.status))
    return Item(id=one.id, recurring_event_id=series, status=status, broken=why)


_ENCODE = msgspec.json.Encoder().encode


def _series_of(content: bytes) -> str:
    return decoded(content, type=_Id).recurring_event_id or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """The items of one series, read when somebody asks."""

    contents: tuple[bytes, ...]
    around: Surroundings

    def told(self) -> tuple[Told, ...]:
        items = [decoded(content, type=Item) for content in self.contents]
        return tuple(read_item(item, self.around) for item in items)


def series_of(known: Known, calendar: str, around: Surroundings) -> Iterator[Series]:
    """Yield each series of a calendar, and each single event, in the order of their ids."""
    groups: dict[str, list[tuple[str, bytes]]] = {}
    for name, content in sorted(known.items.items()):
        groups.setdefault(_series_of(content) or name, []).append((name, content))
    under = repr((around.zone, around.hidden, around.alarms)).encode()
    for name, members in sorted(groups.items()):
        contents = tuple(content for _, content in members)
        digest = blake2b(under + b"\0".join(contents), digest_size=16).digest()
        group = _Group(contents=contents, around=around)
        yield Series(id=name, uid=f"{name}@{calendar}", digest=digest, told=group.told)
