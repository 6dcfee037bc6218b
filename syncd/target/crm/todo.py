"""The to-do target: entries become to-dos on a client's card.

A to-do has a deadline and no start, and no origin (PORTAL.md 6.7). The ledger knows which is whose; without it a to-do
is recognised by its mark, or by card, title and deadline. Every update carries all fields, because the portal empties
what is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import msgspec

from syncd.errors import EntryError
from syncd.lang.saying import say
from syncd.model.entry import AllDay, Details, Entry, Span, Window
from syncd.model.evidence import marked, split_mark
from syncd.model.item import TODO_PROVIDER, Change, Item, Key, Link, Observed, Place
from syncd.model.json_values import Fields, Json
from syncd.model.observation import Comparison, Observation, recovery_mark
from syncd.model.recurrence.piece import Piece
from syncd.model.template import Template
from syncd.portal.line.remedies import explained
from syncd.portal.line.wire import Command, Refused
from syncd.portal.people.clients import CrmCard
from syncd.portal.people.directory import Directory
from syncd.portal.people.owner_types import number_of, owner_type_of
from syncd.portal.reader import PageReader
from syncd.target.base import ShapeContext
from syncd.target.crm.activity_wire import DELETE, LIST, made, read_by_id, stamp
from syncd.target.crm.cards import CardSettings, CardTarget, bounds, moments, to_send
from syncd.target.fields import description_text, readable, title_text

ADD, UPDATE = "crm.activity.todo.add", "crm.activity.todo.update"
_IDS_PER_LISTING = 50
_UNSEEN = frozenset({"pings", "color", "mark"})
"""Fields that are never compared: the portal returns neither pings nor colours, and the mark is found apart."""
_COLUMNS = (
    *("ID", "OWNER_ID", "OWNER_TYPE_ID", "PROVIDER_ID", "SUBJECT", "DEADLINE", "RESPONSIBLE_ID", "DESCRIPTION"),
    *("LAST_UPDATED", "CREATED", "AUTHOR_ID"),
)
_MEANINGS: Mapping[str, str] = {
    "CAN_NOT_UPDATE_COMPLETED_TODO": say("somebody has completed it; it is left as it is"),
    "OWNER_NOT_FOUND": say("the client was deleted in the CRM since it was looked up"),
    "ACCESS_DENIED": say("syncd's user may not change this card: give them the right in the CRM"),
    "NOT_FOUND": say("somebody deleted it in the portal"),
    "ERROR_PARENT_ACTIVITY_RESTRICT": say("the activity that it belongs to is completed"),
    "WRONG_DATETIME_FORMAT": say("the portal cannot read its deadline: see deadline in [sync.target]"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TodoSettings:
    """The parts of [sync.target] and [sync.fields] that shape to-dos.

    `ping` is in minutes; None takes the alarms of the source.
    """

    sync: str
    cards: CardSettings
    name: Template
    untitled: str = ""
    description: Template
    deadline: Literal["start", "end"] = "start"
    ping: tuple[int, ...] | None = None
    color: Template | None = None
    marker: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TodoFields:
    """Every field of crm.activity.todo.add that syncd writes. The card is part of the key."""

    title: str
    deadline: str
    description: str = ""
    responsible: int = 0
    pings: tuple[int, ...] = ()
    color: str = ""
    mark: str = ""


class TodoTarget(CardTarget):
    """Shapes entries into to-dos and reads them back. See `syncd.target.base.Target` for the contract."""

    def __init__(self, settings: TodoSettings) -> None:
        super().__init__(settings.cards, kind="todo")
        self._settings = settings
        self._comparison = _comparison_of(settings.sync)

    def writes_to(self, place: Place) -> bool:
        """Return True for cards with to-dos."""
        return place.kind.startswith("todo-")

    def limits(self) -> tuple[str, ...]:
        """Return what to-dos cannot hold."""
        said = [
            say("a to-do has a deadline only: start, end, place and guests are not shown, and no calendar shows it"),
            say("a to-do that somebody completed cannot be changed any more"),
            say("a responsible person who is not syncd's user gets a notice of each new to-do"),
        ]
        if not self._settings.marker:
            said.append(
                say(
                    "a to-do carries no origin: after a lost state it is recognised by card, title and deadline only; "
                    'marker = "description" makes that sure'
                )
            )
        return tuple(said)

    def item(
        self, entry: Entry, piece: Piece, client: CrmCard, responsible: int, context: ShapeContext, warnings: list[str]
    ) -> Item:
        """Return the to-do of one piece. Raises EntryError."""
        settings = self._settings
        details, _ = readable(piece.details, settings.untitled)
        key = Key(uid=entry.uid, place=self.place(client), piece=piece.id)
        deadline = self._deadline(piece.span, context.zone or context.portal_zone)
        to_send(deadline, context.directory)  # so that a time beyond the years costs its entry, not the push of all
        day = datetime.fromisoformat(deadline).date().isoformat()
        todo = TodoFields(
            title=title_text(settings.name.render(entry, details, piece.span), warnings),
            deadline=deadline,
            description=description_text(settings.description.render(entry, details, piece.span), warnings),
            responsible=responsible,
            pings=self._pings(details),
            color=self._color(entry, details, piece.span),
            mark=recovery_mark(settings.sync, key) if settings.marker else "",
        )
        return Item(
            key=key,
            section="",
            section_id=0,
            fields=_to_fields(todo),
            title=todo.title,
            where=piece.where,
            starts_on=day,
            ends_on=day,
            start=deadline,
        )

    def _deadline(self, span: Span, zone: str) -> str:
        """Return the deadline: for whole days the last minute of the first or of the last day."""
        if isinstance(span, AllDay) and self._settings.deadline == "start":
            span = AllDay(first=span.first, end=date.fromordinal(span.first.toordinal() + 1))
        start, end = moments(span, zone)
        return end if self._settings.deadline == "end" or isinstance(span, AllDay) else start

    def _pings(self, details: Details) -> tuple[int, ...]:
        if self._settings.ping is not None:
            return tuple(sorted(set(self._settings.ping)))
        return tuple(sorted({int(alarm.before.total_seconds() // 60) for alarm in details.reminders or ()}))

    def _color(self, entry: Entry, details: Details, span: Span) -> str:
        if self._settings.color is None:
            return ""
        word = self._settings.color.render(entry, details, span).strip()
        if word and not word.isdecimal():
            raise EntryError(say("color_id is {word!r}", word=word), say("it must be the number of a colour of to-dos"))
        return word

    def command(self, change: Change, section_id: int, directory: Directory, ledger: str = "") -> Command:
        """Return the call that carries out `change`. Raises ValueError for an adopt, which needs none."""
        if change.op == "delete":
            assert change.link is not None
            return Command(method=DELETE, params={"id": change.link.remote_id}, success="true")
        if change.op == "adopt":
            raise ValueError("an adoption is noted, not sent")
        assert change.item is not None
        todo = _from_fields(change.item.fields)
        owner_type = change.key.place.kind.partition("-")[2]
        params: dict[str, Json] = {
            "ownerTypeId": number_of(owner_type),
            "ownerId": change.key.place.owner,
            "deadline": to_send(todo.deadline, directory),
            "title": todo.title,
            "description": marked(todo.description, todo.mark, ledger),
            "responsibleId": todo.responsible,
        }
        if todo.pings:  # left out means none, and an empty list could not travel in a batch
            params["pingOffsets"] = list(todo.pings)
        if todo.color:
            params["colorId"] = todo.color
        if change.op == "create":
            return Command(method=ADD, params=params, success="object")
        assert change.link is not None
        return Command(method=UPDATE, params={"id": change.link.remote_id, **params}, success="object")

    def explain(self, change: Change, refused: Refused) -> str:
        """Return what the portal said, and what can be done about it."""
        said = refused.description or refused.code or say("refused without a reason")
        return explained(said, _MEANINGS.get(refused.code, ""))

    def notices(self, change: Change, directory: Directory, now: float, seen: Observed | None) -> tuple[int, ...]:
        """Return the responsible person of a new to-do, or the new responsible person of a changed one.

        The user of the webhook gets no notice.
        """
        if change.item is None or change.op == "adopt":
            return ()
        responsible = _from_fields(change.item.fields).responsible
        before = _from_fields(change.link.sent).responsible if change.op == "update" and change.link else 0
        return () if responsible in (before, directory.caller.id) else (responsible,)

    async def observe(
        self, portal: PageReader, links: Sequence[Link], places: Sequence[tuple[Place, int]], window: Window
    ) -> Observation:
        """Read `links` and, of the cards in `places`, the to-dos with a deadline within `window`."""
        return await _observe(portal, links, [place for place, _ in places], window, self._comparison)

    async def stands(self, portal: PageReader, items: Sequence[Item]) -> bool:
        """Return True if a to-do on the cards of the first `items` bears the mark of one of them."""
        if not (self._settings.marker and items):
            return False
        first = items[:_IDS_PER_LISTING]
        days = [date.fromisoformat(item.starts_on) for item in first]
        seen = await _observe(
            portal, (), [item.key.place for item in first], Window(first=min(days), last=max(days)), self._comparison
        )
        marks = {one.mark for one in seen.events.values()}
        return any(item.fields["mark"] in marks for item in first)


def _to_fields(todo: TodoFields) -> Fields:
    fields: Mapping[str, Json] = msgspec.to_builtins(todo)
    return fields


def _from_fields(fields: Fields) -> TodoFields:
    return msgspec.convert(fields, TodoFields)


class _Row(msgspec.Struct, rename="upper"):
    id: int | str
    owner_id: int | str
    owner_type_id: int | str
    provider_id: str | None = None
    subject: str | None = None
    deadline: str | None = None
    responsible_id: int | str | None = None
    description: str | None = None
    last_updated: str | None = None
    created: str | None = None
    author_id: int | str | None = None


def _comparison_of(sync: str) -> Comparison:
    """Return how the to-dos of a sync compare. The portal returns neither pings nor colours."""
    plainest = _to_fields(TodoFields(title="", deadline=""))
    return Comparison(
        sync=sync,
        defaults={name: value for name, value in plainest.items() if name not in _UNSEEN},
        texts=frozenset({"title", "description"}),
        moments=frozenset({"deadline"}),
        identity=("title", "deadline"),
        dated=True,
    )


async def _observe(
    portal: PageReader, links: Sequence[Link], cards: Sequence[Place], window: Window, comparison: Comparison
) -> Observation:
    events: dict[int, Observed] = {}
    for listing in _listings(cards, window):
        for row in await portal.read_pages(LIST, listing):
            seen = _read(row)
            if seen is not None and seen.place in cards:  # a filter may have been dropped (PORTAL.md 6.4)
                events[seen.remote_id] = seen
    missing = sorted({link.remote_id for link in links} - set(events))
    gone, alien = await read_by_id(portal, missing, events, _read)
    return Observation(events=events, gone=gone, comparison=comparison, alien=alien)


def _listings(cards: Sequence[Place], window: Window) -> list[dict[str, Json]]:
    """Return one listing for each 50 cards of a kind, within the window if it has bounds."""
    within: dict[str, Json] = {
        "=PROVIDER_ID": TODO_PROVIDER,
        **bounds(window, after="DEADLINE", before="DEADLINE"),
    }
    found: list[dict[str, Json]] = []
    kinds = {card.kind for card in cards}
    for number, kind in sorted((number_of(kind.partition("-")[2]), kind) for kind in kinds):
        ids = sorted({card.owner for card in cards if card.kind == kind})
        for at in range(0, len(ids), _IDS_PER_LISTING):
            wanted: dict[str, Json] = {"=OWNER_TYPE_ID": number, "@OWNER_ID": ids[at : at + _IDS_PER_LISTING]}
            found.append({"filter": within | wanted, "select": _COLUMNS, "order": {"ID": "ASC"}})
    return found


def _read(row: Json) -> Observed | None:
    """Return a row in our terms, None for one that is no to-do on a card."""
    try:
        read = msgspec.convert(row, _Row)
        place = Place(kind=f"todo-{owner_type_of(int(read.owner_type_id))}", owner=int(read.owner_id))
        responsible = int(read.responsible_id or 0)
    except (msgspec.ValidationError, ValueError):
        return None
    if read.provider_id != TODO_PROVIDER:
        return None
    description, mark, ledger = split_mark(read.description or "")
    todo = TodoFields(
        title=read.subject or "", deadline=read.deadline or "", description=description, responsible=responsible
    )
    return Observed(
        remote_id=int(read.id),
        place=place,
        section_id=0,
        version=stamp(read.last_updated),
        fields={name: value for name, value in _to_fields(todo).items() if name not in _UNSEEN},
        mark=mark,
        ledger=ledger,
        title=todo.title,
        start=todo.deadline,
        stamp=made(read.created, read.author_id),
    )
