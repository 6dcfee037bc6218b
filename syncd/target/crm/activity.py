"""The activity target: entries become meetings or calls on a client's card and in the responsible person's calendar.

A meeting brings its own calendar event along (PORTAL.md 6.5), so this target never writes one. Activities are
recognised by their ORIGIN_ID, so nothing is lost with a ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Literal

from syncd.errors import EntryError
from syncd.lang.saying import say
from syncd.model.entry import Details, Entry, Span, Window
from syncd.model.item import Change, Item, Key, Link, Observed, Place
from syncd.model.observation import Observation
from syncd.model.recurrence.piece import Piece
from syncd.model.template import Template
from syncd.portal.line.wire import Command, Refused
from syncd.portal.people.clients import REACHED, CrmCard, likeness
from syncd.portal.people.directory import Directory
from syncd.portal.people.owner_types import number_of
from syncd.portal.reader import PageReader
from syncd.target.base import ShapeContext
from syncd.target.crm import activity_wire as wire
from syncd.target.crm.attached import NO_FILES, Files, FileSettings, count_of
from syncd.target.crm.cards import CardSettings, CardTarget, days, moments, to_send
from syncd.target.crm.extra import filled
from syncd.target.fields import description_text, html_text, importance_of, location_text, readable, title_text, truth

ActivityKind = Literal["meeting", "call", "custom"]
Markup = Literal["bbcode", "html"]
_PRIORITIES = {"low": 1, "normal": 2, "high": 3}
_DIRECTIONS = {"": wire.OUTGOING, "outgoing": wire.OUTGOING, "incoming": wire.INCOMING}
_VERSION_LIMIT = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivitySettings:
    """The parts of [sync.target] and [sync.fields] that shape activities.

    `remind` is in minutes before the start; None takes the alarms of the source. `completed` says when an activity
    counts as done: "past" once it is over, "never", or yes or no as a template gives it. `markup` is what an HTML
    description is converted to, and `extra` holds parameters by flat name (`extra.py`).
    """

    sync: str
    cards: CardSettings
    kind: ActivityKind = "meeting"
    name: Template
    untitled: str = ""
    description: Template
    location: Template
    importance: Template | None = None
    remind: tuple[int, ...] | None = None
    completed: Literal["past", "never"] | Template = "past"
    direction: Literal["outgoing", "incoming"] | Template = "outgoing"
    origin_version: Template | None = None
    markup: Markup = "bbcode"
    extra: tuple[tuple[str, str | Template], ...] = ()
    files: FileSettings = NO_FILES


class ActivityTarget(CardTarget):
    """Shapes entries into activities and reads them back. See `syncd.target.base.Target` for the contract."""

    def __init__(self, settings: ActivitySettings) -> None:
        super().__init__(settings.cards, kind=settings.kind)
        self._settings = settings
        self._files = Files(settings.files)
        self._extras = tuple(name for name, _ in settings.extra)
        seldom = {"direction": settings.kind != "meeting", "html": settings.markup == "html", "extra": settings.extra}
        seldom["file_count"] = self._has_files = settings.files.wanted != "none"
        self._comparison = wire.comparison_of(settings.sync, [name for name, is_used in seldom.items() if is_used])

    def writes_to(self, place: Place) -> bool:
        """Return True for cards, with meetings or calls: this target moves items between the two itself."""
        return place.on_card and not place.kind.startswith("todo-")

    def limits(self) -> tuple[str, ...]:
        """Return what activities cannot hold."""
        said = [say("an activity knows no series: each occurrence within the window becomes one of its own")]
        if self._settings.kind == "meeting":
            said.append(
                say(
                    "the portal itself puts each meeting into the responsible's calendar; syncing the same schedule"
                    " there with a calendar target would show it twice"
                )
            )
        elif self._settings.kind == "call":
            said.append(say("a call shows in no calendar unless an option of the portal says so"))
        else:
            said.append(say("an activity of another program shows in no calendar"))
        said.append(say("an activity holds one reminder: the one nearest to the start is kept"))
        if self._has_files:
            said.append(
                say(
                    "an entry whose files change replaces all files of its activity, also those that people have"
                    " attached"
                )
            )
            said.append(
                say("files are not kept in the state: `syncd undo` does not bring back files of earlier activities")
            )
        return tuple(said)

    def item(
        self, entry: Entry, piece: Piece, client: CrmCard, responsible: int, context: ShapeContext, warnings: list[str]
    ) -> Item:
        """Return the activity of one piece. Raises EntryError."""
        settings = self._settings
        details, was_html = readable(piece.details, settings.untitled)
        key = Key(uid=entry.uid, place=self.place(client), piece=piece.id)
        start, end = moments(piece.span, context.zone or context.portal_zone)
        for moment in (start, end):
            to_send(moment, context.directory)  # so that a time beyond the years costs its entry, not the push of all
        first, last = days(start, end)
        self._files.begin(context)
        files = self._files.refs(details, warnings)
        render = partial(_rendered, entry=entry, details=details, span=piece.span)
        description = description_text(render(settings.description), warnings)
        is_html = was_html and settings.markup == "html"
        activity = wire.ActivityFields(
            subject=title_text(settings.name.render(entry, details, piece.span), warnings),
            start=start,
            end=end,
            description=html_text(description, warnings) if is_html else description,
            bbcode=was_html and not is_html,
            html=is_html,
            location=location_text(settings.location.render(entry, details, piece.span), warnings),
            priority=_PRIORITIES[importance_of(settings.importance, entry, details, piece.span)],
            responsible=responsible,
            notify=self._notify(details),
            completed=self._completed(entry, piece, details, last, context.today),
            communication=self._communication(entry, client, context.directory),
            origin=wire.origin(settings.sync, key),
            direction=self._direction(render),
            version=render(settings.origin_version)[:_VERSION_LIMIT] if settings.origin_version else "",
            extra=filled(settings.extra, render),
            files=files,
            file_count=tuple(count_of(len(files))),
        )
        return Item(
            key=key,
            section="",
            section_id=0,
            fields=wire.to_fields(activity),
            title=activity.subject,
            where=piece.where,
            starts_on=first.isoformat(),
            ends_on=last.isoformat(),
            start=start,
        )

    def _direction(self, render: Callable[[Template], str]) -> int:
        wish = self._settings.direction
        word = render(wish).casefold() if isinstance(wish, Template) else wish
        if word not in _DIRECTIONS:
            raise EntryError(say("direction is {word!r}", word=word), say("it must be outgoing or incoming"))
        return _DIRECTIONS[word]

    def _notify(self, details: Details) -> int:
        """Return the minutes of the one reminder that an activity can have, 0 for none."""
        minutes = self._settings.remind
        if minutes is None:
            minutes = tuple(int(alarm.before.total_seconds() // 60) for alarm in details.reminders or ())
        return min((one for one in minutes if one > 0), default=0)

    def _completed(self, entry: Entry, piece: Piece, details: Details, last: date, today: date) -> bool:
        wish = self._settings.completed
        if isinstance(wish, Template):
            return truth(wish.render(entry, details, piece.span), "completed")
        return wish == "past" and last < today

    def _communication(self, entry: Entry, client: CrmCard, directory: Directory) -> wire.Communication:
        """Return how the client is met or called: the phone that the entry names, else the first. Raises EntryError.

        A deal or quote has no phone of its own, so its contact is met, or its company if it has no contact (PORTAL.md
        6.2).
        """
        person = client
        if client.type not in REACHED:
            behind = (f"C_{client.contact}", f"CO_{client.company}")
            person = next((directory.clients.known[one] for one in behind if one in directory.clients.known), client)
        named = self.cards.sought_by(entry, directory)
        phone = max(person.phones, key=lambda one: likeness((one,), named), default="")
        if not phone and self._settings.kind == "call":
            raise EntryError(
                say("{person} has no phone, and a call needs one", person=str(person)), say("add one in the CRM")
            )
        email = person.emails[0] if person.emails and not phone else ""
        kind = "PHONE" if phone else "EMAIL" if email else ""
        return wire.Communication(type=kind, value=phone or email, entity_type=number_of(person.type), entity=person.id)

    def command(self, change: Change, section_id: int, directory: Directory, ledger: str = "") -> Command:
        """Return the call that carries out `change`.

        A card has no sections, and an origin no room for the name of a ledger.
        """
        return wire.command(change, directory, self._files.parameter(change) if self._has_files else None)

    async def fetched(
        self, changes: Sequence[Change], stopped: Callable[[], bool]
    ) -> tuple[Sequence[Change], Mapping[int, str]]:
        """Fetch the files that new and changed activities link to."""
        return await self._files.fetched(changes, stopped) if self._has_files else (changes, {})

    def explain(self, change: Change, refused: Refused) -> str:
        """Return what the portal said, and what can be done about it."""
        return wire.explain(change, refused)

    def notices(self, change: Change, directory: Directory, now: float, seen: Observed | None) -> tuple[int, ...]:
        """Return (): the portal sends no notice of a meeting or call."""
        return ()

    async def observe(
        self, portal: PageReader, links: Sequence[Link], places: Sequence[tuple[Place, int]], window: Window
    ) -> Observation:
        """Read `links` and, when there are `places`, all activities of syncd within `window`."""
        return await wire.observe(
            portal, links, window if places else None, self._comparison, self._extras, files=self._has_files
        )

    async def stands(self, portal: PageReader, items: Sequence[Item]) -> bool:
        """Return True if an activity has the origin of one of the first `items`."""
        return await wire.stands(portal, [str(item.fields["origin"]) for item in items])


def _rendered(template: Template, *, entry: Entry, details: Details, span: Span) -> str:
    return template.render(entry, details, span).strip()
