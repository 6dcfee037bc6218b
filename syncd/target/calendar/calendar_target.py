"""The calendar target: entries become events of user, group and company calendars.

PORTAL.md 4 describes what the portal can hold, and its traps. This module decides how an entry is expressed in those
terms. It sends nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from typing import Literal, cast, get_args

import msgspec

from syncd.errors import EntryError
from syncd.lang.saying import say
from syncd.model.colors import color_of
from syncd.model.entry import Entry, Problem, Reminder, Window
from syncd.model.filter import Condition
from syncd.model.item import Change, Item, Key, Link, Observed, Place
from syncd.model.json_values import Json
from syncd.model.observation import Observation, recovery_mark
from syncd.model.recurrence import Compiled, CompilerMemory, Piece, compile_once
from syncd.model.template import Template
from syncd.portal.line.remedies import explained, meaning_of
from syncd.portal.line.wire import Command, Refused
from syncd.portal.people.clients import Sought
from syncd.portal.people.directory import Directory
from syncd.portal.reader import PageReader
from syncd.target.base import ShapeContext, Shaped
from syncd.target.calendar import observe, portal_event
from syncd.target.calendar.guests import NOBODY, GuestList, Guests, GuestSettings
from syncd.target.calendar.notices import told
from syncd.target.calendar.portal_event import Accessibility, EventFields, Times, days_of, times_of, to_fields
from syncd.target.fields import (
    Aliases,
    Remembered,
    SkippedError,
    clients_sought,
    crm_links,
    description_text,
    importance_of,
    left_out,
    location_text,
    names_of,
    readable,
    title_text,
    to_fallback,
    truth,
)

_COMPANY = Place(kind="company_calendar", owner=0)
_LONGEST_REMINDER_MIN = 60 * 24 * 366


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarSettings:
    """The parts of [sync.target] and [sync.fields] that shape events.

    A template that is None leaves the field to the entry itself. `remind` is in minutes before the start; None takes
    the alarms of the source.
    """

    sync: str
    calendar: Literal["user", "group", "company"]
    section: str
    owner: Template | None = None
    owners: Mapping[str, int | str] = field(default_factory=dict)
    on_unresolved: Literal["hold", "skip", "fallback"] = "hold"
    fallback_owner: int | str | None = None
    name: Template
    untitled: str = ""
    description: Template
    location: Template
    color: Template | None = None
    text_color: Template | None = None
    accessibility: Template | None = None
    importance: Template | None = None
    private: bool | Template = False
    remind: tuple[int, ...] | None = None
    colors: tuple[tuple[Condition, str], ...] = ()
    guests: GuestSettings = field(default_factory=GuestSettings)
    crm: tuple[Template, ...] = ()
    marker: bool = False


class CalendarTarget:
    """Shapes entries into calendar events and reads them back. See `syncd.target.base.Target` for the contract."""

    on_cards = False
    command = staticmethod(portal_event.command)  # what is sent follows from the change alone

    def __init__(self, settings: CalendarSettings) -> None:
        self._settings = settings
        self.series = CompilerMemory()
        """What is remembered of series."""
        self.section_name = settings.section
        self.wants_groups = settings.calendar == "group"
        self.wants_crm = bool(settings.crm)
        """Events may be linked to the CRM."""
        self._aliases = Aliases(settings.owners)
        self._guests = GuestList(settings.guests, self._aliases)
        self._comparison = portal_event.comparison_of(
            settings.sync, invites=self._guests.invites, names_host=settings.guests.host is not None
        )
        self._owners = Remembered(self._find)
        self._fallbacks = Remembered(partial(self._find, as_it_is=True))
        self._section_ids = Remembered(self._section_id)
        self._picks_colors = bool(settings.colors) or settings.color is not None

    def writes_to(self, place: Place) -> bool:
        """Return True for calendars."""
        return not place.on_card

    def limits(self) -> tuple[str, ...]:
        """Return what links to the CRM bring along (PORTAL.md 6.6)."""
        if not self._settings.crm:
            return ()
        return (say("the portal adds a to-do to the card of everything an event is linked to (crm)"),)

    def unresolved(self, entries: Iterable[Entry], directory: Directory) -> Mapping[str, str]:
        """Return why the calendar of an owner is not found, by the owner's name."""
        found: dict[str, str] = {}
        for name, why in self._unfound(entries, directory):
            found.setdefault(name, why)
        return found

    def overlooked(self, entries: Iterable[Entry], directory: Directory) -> tuple[str, ...]:
        """Return a sentence about the owners who are not found, if their entries go to the fallback.

        Nothing else is overlooked: the config says whose calendar an entry goes to.
        """
        if self._settings.on_unresolved != "fallback":
            return ()
        return to_fallback((name for name, _ in self._unfound(entries, directory)), self._settings.fallback_owner)

    def _unfound(self, entries: Iterable[Entry], directory: Directory) -> Iterator[tuple[str, str]]:
        """Yield the name of the owner of each entry whose owner is not found, and why."""
        owner = self._settings.owner
        for name in names_of(entries, owner) if owner is not None else ():
            try:
                self._owners.get(name, directory)
            except EntryError as error:
                yield name, error.message

    def sought(self, entries: Iterable[Entry], directory: Directory) -> frozenset[Sought]:
        """Return the clients that events are linked to."""
        return clients_sought(self._settings.crm, entries, directory) if self._settings.crm else frozenset()

    def places(self, entries: Iterable[Entry], directory: Directory) -> frozenset[Place]:
        """Return the calendars that these entries go to. Entries whose owner is not found are skipped."""
        found: set[Place] = set()
        for entry in entries:
            try:
                found.add(self._calendar(entry, directory))
            except (EntryError, SkippedError):
                continue
            if self._guests.sends_copies:
                found |= self._guests.calendars((entry,), directory)
        return frozenset(found)

    def _calendar(self, entry: Entry, directory: Directory) -> Place:
        """Return the calendar of `entry`. Raises EntryError, or SkippedError if the entry is to be left out."""
        settings = self._settings
        if settings.calendar == "company":
            return _COMPANY
        assert settings.owner is not None
        try:
            return self._owners.get(settings.owner.render(entry, entry.details, entry.span), directory)
        except EntryError as error:
            if settings.on_unresolved == "skip":
                raise SkippedError(error) from None
            if settings.on_unresolved == "fallback" and settings.fallback_owner is not None:
                return self._fallbacks.get(str(settings.fallback_owner), directory)
            raise

    def _find(self, name: str, directory: Directory, *, as_it_is: bool = False) -> Place:
        """Return the calendar of `name`, an alias or, if taken `as_it_is`, a name. Raises EntryError."""
        wanted = name if as_it_is else self._aliases.resolve(name.strip())
        if not wanted:
            raise EntryError(say("the owner is empty"), say("see owner, owners and on_unresolved in [sync.target]"))
        if self._settings.calendar == "group":
            return Place(kind="group", owner=directory.group(wanted).id)
        return Place(kind="user", owner=directory.user(wanted).id)

    def _section_id(self, calendar: Place, directory: Directory) -> int | None:
        section = directory.section(calendar, self._settings.section)
        return section.id if section is not None else None

    def shape(self, entry: Entry, context: ShapeContext) -> Shaped:
        """Return the events that `entry` becomes in `context`, or why there are none."""
        dropped = entry.details.status == "CANCELLED"  # the portal should not show it
        try:
            calendar = self._calendar(entry, context.directory)
            section_id = self._section_ids.get(calendar, context.directory)
        except SkippedError as skipped:
            return Shaped() if dropped else left_out(entry, skipped)
        except EntryError as error:
            return Shaped(problems=(_problem(entry.where, "held", entry.uid, error),))
        if dropped:
            return Shaped()
        if entry.recurrence is None and not entry.overrides:
            # What happens once is quicker worked out than remembered.
            compiled = compile_once(entry, context.window, context.portal_zone)
        else:
            compiled = self.series.compile(
                entry, window=context.window, portal_zone=context.portal_zone, today=context.today, turn=context
            )
        problems = compiled.problems
        if problems and any(problem.kind == "rejected" for problem in problems):
            return Shaped(problems=problems)
        try:
            items, warnings = self._items(entry, compiled, calendar, section_id, context)
        except EntryError as error:
            return Shaped(problems=(*problems, _problem(entry.where, "rejected", entry.uid, error)))
        return Shaped(items=items, problems=(*problems, *warnings))

    def _items(
        self, entry: Entry, compiled: Compiled, calendar: Place, section_id: int | None, context: ShapeContext
    ) -> tuple[tuple[Item, ...], tuple[Problem, ...]]:
        """Return the items of all pieces that touch the window, and warnings. Raises EntryError."""
        items: list[Item] = []
        problems: list[Problem] = []
        for piece in compiled.pieces:
            key = Key(uid=entry.uid, place=calendar, piece=piece.id)
            warnings: list[str] = []
            times = times_of(piece.span)
            event, guests = self._event(entry, piece, times, key, context.directory, warnings)
            dated = None if piece.dated is None else msgspec.structs.replace(event, rule=piece.dated)
            first, last = (times.first, times.last) if piece.rule is None else days_of(dated or event)
            if not context.window.touches(first, last):
                continue
            main = Item(
                key=key,
                section=self._settings.section,
                section_id=section_id,
                fields=to_fields(event),
                title=event.name,
                where=piece.where,
                starts_on=times.starts_on,
                ends_on=times.ends_on if last is times.last else _iso(last),
                start=times.shown,
                summary=compiled.summary,
                fixed=event.meeting is not None
                and calendar.kind == "user"
                and calendar.owner != context.directory.caller.id,
                also=None if dated is None else to_fields(dated),
            )
            items.append(main)
            if guests.copies:
                items += self._copies(main, (event, dated), guests, context.directory, warnings)
            if warnings:
                problems += [Problem(where=piece.where, kind="warning", key=str(key), reason=one) for one in warnings]
        return tuple(items), tuple(problems)

    def _event(
        self, entry: Entry, piece: Piece, times: Times, key: Key, directory: Directory, warnings: list[str]
    ) -> tuple[EventFields, Guests]:
        """Return the event of one piece, and its guests. Raises EntryError."""
        settings, span, given = self._settings, piece.span, piece.details
        details, _ = readable(given, settings.untitled)
        # Most entries have little more than a title and times: what is not there is not looked into.
        guests = NOBODY
        if not self._guests.invites_nobody:
            guests = self._guests.find(entry, details, span, key.place, directory, warnings)
        # An entry without a title has no name: the portal then shows its own (PORTAL.md 4.2).
        said, place = (one.render(entry, details, span) for one in (settings.name, settings.location))
        name = title_text(said, warnings) if said.strip() or details.title.strip() else ""
        text = settings.description.render(entry, details, span)
        if guests.listed:
            text = f"{text}\n\nGuests: {', '.join(guests.listed)}"
        # What the entry says of itself counts where the config says nothing.
        wish, hidden = settings.private, given.classification in ("PRIVATE", "CONFIDENTIAL")
        busy: Accessibility = "free" if given.transparent else "quest" if given.status == "TENTATIVE" else "busy"
        remind = settings.remind
        if remind is None:
            remind = _minutes_before(details.reminders) if details.reminders else ()
        event = EventFields(
            name=name,
            start=times.start,
            end=times.end,
            all_day=times.all_day,
            zone_from=times.zone_from,
            zone_to=times.zone_to,
            rule=piece.rule,
            description=description_text(text, warnings) if text else "",
            location=location_text(place, warnings) if place else "",
            color=self._color(entry, piece, warnings) if self._picks_colors or given.color else "",
            text_color=self._text_color(settings.text_color, entry, piece, warnings) if settings.text_color else "",
            accessibility=_accessibility(settings.accessibility, entry, piece) if settings.accessibility else busy,
            importance=importance_of(settings.importance, entry, details, span),
            private=truth(wish.render(entry, given, span), "private") if isinstance(wish, Template) else wish or hidden,
            remind=remind,
            meeting=guests.meeting,
            crm=crm_links(settings.crm, entry, directory, warnings) if settings.crm else (),
            mark=recovery_mark(settings.sync, key) if settings.marker else "",
        )
        return event, guests

    def _color(self, entry: Entry, piece: Piece, warnings: list[str]) -> str:
        for condition, color in self._settings.colors:
            if condition.holds(entry):
                return color
        template = self._settings.color
        said = template.render(entry, piece.details, piece.span).strip() if template else piece.details.color
        return _known_color(said, warnings) if said else ""

    def _text_color(self, template: Template, entry: Entry, piece: Piece, warnings: list[str]) -> str:
        return _known_color(template.render(entry, piece.details, piece.span).strip(), warnings)

    def _copies(
        self,
        main: Item,
        said: tuple[EventFields, EventFields | None],
        guests: Guests,
        directory: Directory,
        warnings: list[str],
    ) -> Iterator[Item]:
        """Yield a silent copy for every guest, and add to `warnings` whose calendar cannot be written to.

        `said` is the event, followed by the event in other words if there are any.
        """
        for user in guests.copies:
            calendar = Place(kind="user", owner=user)
            try:
                section_id = self._section_ids.get(calendar, directory)
            except EntryError as error:
                warnings.append(
                    say(
                        "no copy for {name}: {message}",
                        name=directory.name_of(user) or str(user),
                        message=error.message,
                    )
                )
                continue
            key = Key(uid=main.key.uid, place=calendar, piece=main.key.piece)
            mark = recovery_mark(self._settings.sync, key) if said[0].mark else ""
            own, *other = (to_fields(msgspec.structs.replace(one, mark=mark)) for one in said if one is not None)
            yield replace(main, key=key, section_id=section_id, fields=own, also=next(iter(other), None))

    async def fetched(
        self, changes: Sequence[Change], stopped: Callable[[], bool]
    ) -> tuple[Sequence[Change], Mapping[int, str]]:
        """Return `changes` unchanged: events need nothing from elsewhere."""
        return changes, {}

    def creator(self, item: Item, caller: int) -> int:
        """Return the owner of the calendar for a meeting in a user's calendar, else `caller` (PORTAL.md 4.2)."""
        place = item.key.place
        return place.owner if place.kind == "user" and item.fields.get("meeting") else caller

    def explain(self, change: Change, refused: Refused) -> str:
        """Return the text of the portal, which differs by language (PORTAL.md 4), and what it may mean.

        The right to change a meeting is checked for its host (PORTAL.md 4.2).
        """
        said = refused.description or refused.code or say("refused without a reason")
        meeting = change.item.fields.get("meeting") if change.item is not None else None
        host = meeting.get("host") if isinstance(meeting, Mapping) else None
        calendar = change.key.place
        if change.op == "delete" or not host or (calendar.kind == "user" and host == calendar.owner):
            meaning = meaning_of(portal_event.UPDATE, refused.code, refused.description)
            return explained(said, meaning)
        return say(
            "{said} (the portal asks whether user {host}, the host, may write to {calendar}; see host in the config)",
            said=said,
            host=str(host),
            calendar=str(calendar),
        )

    def notices(self, change: Change, directory: Directory, now: float, seen: Observed | None) -> tuple[int, ...]:
        """Return who is told of `change`: guests, except the host and the creator of the event."""
        return told(change, directory, now, comparison=self._comparison, seen=seen)

    def section_command(self, calendar: Place, name: str) -> Command:
        """Return the call that creates a section (PORTAL.md 5)."""
        params: dict[str, Json] = {"type": calendar.kind, "ownerId": calendar.owner, "name": name}
        return Command(method="calendar.section.add", params=params)

    async def observe(
        self, portal: PageReader, links: Sequence[Link], places: Sequence[tuple[Place, int]], window: Window
    ) -> Observation:
        """Read `links`, and what else stands in the sections `places` within `window`. Raises the client's errors.

        Raises PortalUnreachableError if a listing or a read by id gets no usable answer, because absence has to be
        proved.
        """
        reading = observe.Reading(portal, links)
        if places:
            # Beside the event loop, as it looks at the days of every link.
            days = await asyncio.to_thread(observe.days_to_read, links, window)
            await reading.list_sections(places, days)
        gone = await reading.ask_by_id()
        alien = frozenset(reading.parts)
        return Observation(events=reading.events, gone=gone, comparison=self._comparison, alien=alien)

    async def stands(self, portal: PageReader, items: Sequence[Item]) -> bool:
        """Return True if an event in the sections and months of `items` bears the mark of one of them."""
        return self._settings.marker and await observe.stands(portal, items)


def _accessibility(template: Template, entry: Entry, piece: Piece) -> Accessibility:
    """Return the word that `template` gives. Raises EntryError for one that the portal does not know."""
    word, words = template.render(entry, piece.details, piece.span).strip().lower(), get_args(Accessibility)
    if word not in words:
        raise EntryError(
            say("{name} is {word!r}", name="accessibility", word=word), say("it must be one of {words}", words=words)
        )
    return cast(Accessibility, word)


def _minutes_before(reminders: Iterable[Reminder]) -> tuple[int, ...]:
    minutes = {int(alarm.before.total_seconds() // 60) for alarm in reminders}
    return tuple(sorted(m for m in minutes if m <= _LONGEST_REMINDER_MIN))


def _known_color(said: str, warnings: list[str]) -> str:
    """Return a colour as the portal takes it, "" for none. An unknown one is told in a warning and left out."""
    found = color_of(said) if said else ""
    if found is None:
        warnings.append(
            say("colour {said!r} is neither #rrggbb nor a known name; the section's colour is used", said=said)
        )
    return found or ""


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None


def _problem(where: str, kind: Literal["rejected", "held"], uid: str, error: EntryError) -> Problem:
    return Problem(where=where, kind=kind, key=uid, reason=str(error))
