"""What the targets of the CRM have in common: whose card an entry goes to, and who is responsible.

All of this is decided by the directory alone; the portal is not asked.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from syncd.errors import EntryError, message_of
from syncd.lang.saying import say
from syncd.model import zones
from syncd.model.entry import AllDay, Entry, Problem, Span, Window
from syncd.model.item import Change, Item, Place
from syncd.model.json_values import Json
from syncd.model.recurrence.piece import Piece
from syncd.model.recurrence.singles import single_pieces
from syncd.model.template import Template
from syncd.portal.line.wire import Command
from syncd.portal.people.clients import CrmCard, Sought, sought
from syncd.portal.people.directory import Directory, known_zone, offset_s, server_zone
from syncd.portal.people.owner_types import OwnerType
from syncd.target.base import ShapeContext, Shaped
from syncd.target.fields import Aliases, SkippedError, left_out, names_of, to_fallback


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSettings:
    """The parts of [sync.target] that say whose card an entry goes to and who is responsible.

    `owner_field` is the field of the element that has the value of `contact`; "" finds it by id, phone or e-mail. If
    `responsible` is None, the client's own responsible person is taken. `fallback_owner` is used if the responsible
    person is not found.
    """

    contact: Template
    owner_type: OwnerType = "contact"
    owner_field: str = ""
    responsible: Template | None = None
    owners: Mapping[str, int | str] = field(default_factory=dict)
    on_unresolved: Literal["hold", "skip", "fallback"] = "hold"
    fallback_owner: int | str | None = None


class Cards:
    """Finds the client and the responsible person of entries."""

    def __init__(self, settings: CardSettings) -> None:
        self._settings = settings
        self._aliases = Aliases(settings.owners)
        self._asks_phones = settings.contact.names == ("contact_phone",)

    @property
    def names_responsible(self) -> bool:
        """True if the config says who is responsible."""
        return self._settings.responsible is not None

    def sought(self, entries: Iterable[Entry], directory: Directory) -> frozenset[Sought]:
        """Return the clients that must be looked up. Entries that name none are skipped."""
        found = set()
        for entry in entries:
            try:
                found.add(self.sought_by(entry, directory))
            except EntryError:
                continue
        return frozenset(found)

    def unresolved(self, entries: Iterable[Entry], directory: Directory) -> Mapping[str, str]:
        """Return why a responsible person is not found, by name."""
        found: dict[str, str] = {}
        for name, why in self._unfound(entries, directory):
            found.setdefault(name, why)
        return found

    def to_fallback(self, entries: Iterable[Entry], directory: Directory) -> tuple[str, ...]:
        """Return a sentence about who is not found, if their entries go to the fallback."""
        if self._settings.on_unresolved != "fallback":
            return ()
        return to_fallback((name for name, _ in self._unfound(entries, directory)), self._settings.fallback_owner)

    def _unfound(self, entries: Iterable[Entry], directory: Directory) -> Iterator[tuple[str, str]]:
        """Yield the name of the responsible person of each entry whose person is not found, and why."""
        template = self._settings.responsible
        for name in names_of(entries, template) if template is not None else ():
            try:
                if name:
                    directory.user(self._aliases.resolve(name))
            except EntryError as error:
                yield name, error.message

    def resolve(self, entry: Entry, directory: Directory) -> tuple[CrmCard, int]:
        """Return the client and the id of the responsible user. Raises EntryError, or SkippedError to leave it out."""
        try:
            client = directory.clients.client(self.sought_by(entry, directory))
            return client, self._responsible(entry, client, directory)
        except EntryError as error:
            if self._settings.on_unresolved == "skip":
                raise SkippedError(error) from None
            raise

    def sought_by(self, entry: Entry, directory: Directory) -> Sought:
        """Return what the entry names its client by. Raises EntryError if that cannot be looked up."""
        text = self._settings.contact.render(entry, entry.details, entry.span)
        owner_type, country = self._settings.owner_type, directory.home_country
        field = self._settings.owner_field
        return sought(text, owner_type, is_phone=self._asks_phones, country=country, field=field)

    def _responsible(self, entry: Entry, client: CrmCard, directory: Directory) -> int:
        """Return the responsible user: as named, else the client's own, else the fallback. Raises EntryError."""
        settings = self._settings
        try:
            return directory.user(self._responsible_name(entry, client)).id
        except EntryError:
            if settings.on_unresolved == "fallback" and settings.fallback_owner is not None:
                return directory.user(str(settings.fallback_owner)).id
            raise

    def _responsible_name(self, entry: Entry, client: CrmCard) -> str:
        template = self._settings.responsible
        name = template.render(entry, entry.details, entry.span).strip() if template is not None else ""
        if name:
            return self._aliases.resolve(name)
        if client.responsible:
            return str(client.responsible)
        raise EntryError(
            say("{client} has no responsible person", client=str(client)),
            say("set one in the CRM, or responsible in [sync.target]"),
        )


class CardTarget(ABC):
    """What all targets of the CRM do alike. See `syncd.target.base.Target` for the contract."""

    wants_groups = False
    wants_crm = True
    on_cards = True
    section_name = ""

    def __init__(self, settings: CardSettings, *, kind: str) -> None:
        self.cards = Cards(settings)
        self._kind = kind

    def unresolved(self, entries: Iterable[Entry], directory: Directory) -> Mapping[str, str]:
        """Return why a responsible person is not found, by name."""
        return self.cards.unresolved(entries, directory)

    def sought(self, entries: Iterable[Entry], directory: Directory) -> frozenset[Sought]:
        """Return the clients that must be looked up for these entries."""
        return self.cards.sought(entries, directory)

    def overlooked(self, entries: Iterable[Entry], directory: Directory) -> tuple[str, ...]:
        """Return sentences about owners whom nothing makes responsible, or about entries that go to the fallback."""
        if self.cards.names_responsible:
            return self.cards.to_fallback(entries, directory)
        if not any(entry.details.owner for entry in entries):
            return ()
        return (
            say(
                "the entries name owners, but responsible is not set in [sync.target], so each client's own responsible"
                ' person gets the activity; set responsible = "{{owner}}", or take the owner out of the columns'
            ),
        )

    def places(self, entries: Iterable[Entry], directory: Directory) -> frozenset[Place]:
        """Return the cards of these entries. Entries whose client or responsible person is not found are skipped."""
        found: set[Place] = set()
        for entry in entries:
            try:
                found.add(self.place(self.cards.resolve(entry, directory)[0]))
            except (EntryError, SkippedError):
                continue
        return frozenset(found)

    def shape(self, entry: Entry, context: ShapeContext) -> Shaped:
        """Return what `entry` becomes in `context`: one item for each occurrence, or why there is none."""
        if entry.details.status == "CANCELLED":
            return Shaped()
        try:
            client, responsible = self.cards.resolve(entry, context.directory)
        except SkippedError as skipped:
            return left_out(entry, skipped)
        except EntryError as error:
            return Shaped(problems=(_problem(entry, "held", error),))
        compiled = single_pieces(entry, window=context.window, today=context.today)
        items: list[Item] = []
        warnings: list[str] = []
        try:
            for piece in compiled.pieces:
                if piece.details.status != "CANCELLED":
                    items.append(self.item(entry, piece, client, responsible, context, warnings))
        except EntryError as error:
            return Shaped(problems=(*compiled.problems, _problem(entry, "rejected", error)))
        told = tuple(Problem(where=entry.where, kind="warning", key=entry.uid, reason=one) for one in warnings)
        return Shaped(items=tuple(items), problems=(*compiled.problems, *told))

    @abstractmethod
    def item(
        self, entry: Entry, piece: Piece, client: CrmCard, responsible: int, context: ShapeContext, warnings: list[str]
    ) -> Item:
        """Return the item of one piece. Raises EntryError."""

    def place(self, client: CrmCard) -> Place:
        """Return the place on a client's card."""
        return Place(kind=f"{self._kind}-{client.type}", owner=client.id)

    async def fetched(
        self, changes: Sequence[Change], stopped: Callable[[], bool]
    ) -> tuple[Sequence[Change], Mapping[int, str]]:
        """Return `changes` unchanged: they need nothing from elsewhere."""
        return changes, {}

    def creator(self, item: Item, caller: int) -> int:
        """Return the caller, who is the author of everything that it makes."""
        return caller

    def section_command(self, place: Place, name: str) -> Command:
        """Raise ValueError: cards have no sections."""
        raise ValueError(f"{place} has no sections")


def _problem(entry: Entry, kind: Literal["rejected", "held"], error: EntryError) -> Problem:
    return Problem(where=entry.where, kind=kind, key=entry.uid, reason=str(error))


_LAST_MINUTE = time(23, 59)
_MARGIN = timedelta(days=2)


def moments(span: Span, zone: str) -> tuple[str, str]:
    """Return start and end in ISO 8601 with offsets, without seconds. Whole days last from 0:00 to 23:59 in `zone`.

    Raises EntryError for an unknown zone and for an end before the start.
    """
    if isinstance(span, AllDay):
        last = span.end - timedelta(days=1)
        return _iso(datetime.combine(span.first, time()), zone), _iso(datetime.combine(last, _LAST_MINUTE), zone)
    try:
        start, end = _iso(span.start, zones.canonical(span.zone)), _iso(span.end, zones.canonical(span.end_zone))
    except LookupError as error:
        raise EntryError(message_of(error), say("name an IANA zone such as Europe/Berlin")) from None
    if datetime.fromisoformat(end) < datetime.fromisoformat(start):
        raise EntryError(say("the end is before the start"))
    return start, end


def _iso(wall: datetime, zone: str) -> str:
    return wall.replace(second=0, microsecond=0, tzinfo=ZoneInfo(zone)).isoformat()


def days(start: str, end: str) -> tuple[date, date]:
    """Return the first and the last day of two such moments. An end at midnight does not touch the day it begins."""
    first, last = datetime.fromisoformat(start), datetime.fromisoformat(end)
    return first.date(), max(first.date(), (last - timedelta(seconds=1)).date())


def to_send(moment: str, directory: Directory) -> str:
    """Return the moment to send so that the portal keeps `moment`.

    The portal converts it with the present difference between the clocks of caller and server. On the date of the
    moment the two may differ by another amount, because they switch to summer time on different days. The moment that
    is sent makes up for that in advance.
    """
    caller = known_zone(directory.caller.zone)
    if not caller:
        return moment
    server = server_zone(directory)
    at = datetime.fromisoformat(moment)
    today = offset_s(caller, directory.read_at) - offset_s(server, directory.read_at)
    there = offset_s(caller, at.timestamp()) - offset_s(server, at.timestamp())
    return (at - timedelta(seconds=today - there)).isoformat()


def bounds(window: Window, *, after: str, before: str) -> dict[str, Json]:
    """Return the filter of what ends (`after`) and begins (`before`) within `window`, with a margin for the zones."""
    wanted: dict[str, Json] = {}
    if window.first is not None and window.first > date.min + _MARGIN:
        wanted[f">={after}"] = f"{(window.first - _MARGIN).isoformat()}T00:00:00+00:00"
    if window.last is not None and window.last < date.max - _MARGIN:
        wanted[f"<={before}"] = f"{(window.last + _MARGIN).isoformat()}T00:00:00+00:00"
    return wanted
