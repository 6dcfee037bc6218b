"""The Bitrix24 source: which calendars and sections of a portal are read.

Sections that any sync writes to and events that the ledger links are left out, so that a sync from a portal into itself
does not read its own items. A listing that fails makes the snapshot incomplete.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Literal

import msgspec

from syncd.errors import (
    ConfigError,
    EntryError,
    PortalRefusedError,
    PortalUnreachableError,
    SourceError,
    SourceRefusedError,
)
from syncd.lang.saying import joined, say
from syncd.log import entry_crashed
from syncd.model.entry import Problem, Snapshot, Window
from syncd.model.item import Place
from syncd.model.json_values import Json
from syncd.portal.line.remedies import CommandRefusedError, unread
from syncd.portal.line.shapes import rows_of
from syncd.portal.line.wire import Command, Done
from syncd.portal.people.directory import Directory, Section
from syncd.portal.people.reading import read_directory, read_sections
from syncd.portal.reader import PageReader
from syncd.source.base import OwnEvents, ReadContext, Source
from syncd.source.bitrix24.event_reader import Culture, EventRow, Surroundings, read_row
from syncd.source.field_values import clean
from syncd.source.files import Part, join
from syncd.source.options import read_options
from syncd.source.reasons import reason_of

_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2037, 12, 31)
_REMEDY = say("see that its webhook or application works: syncd check")
_NEAR = timedelta(days=550)
"""Within this distance of today a listing covers a month, beyond it a year: far away there are few events, and a
window without bounds would take hundreds of listings."""


class Bitrix24Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys of `[sync.source]` with type = "bitrix24".

    `portal` names one of [portals]; `owner` is one or several owners by id, e-mail or name, by default all users or all
    groups; `sections` are their calendars by name or id, by default all.
    """

    type: Literal["bitrix24"]
    portal: str
    calendar: Literal["user", "group", "company"] = "user"
    owner: str | int | list[str | int] = []
    sections: list[str | int] = []


def open_bitrix24(options: Mapping[str, object], base: Path, *, where: str) -> Source:
    """Return a source of a portal's calendars; raises ConfigError beginning with `where`."""
    del base  # no paths here
    chosen = read_options(Bitrix24Options, options, where=where)
    if chosen.calendar == "company" and chosen.owner:
        raise ConfigError(say("{where}: owner has no meaning for the company calendar", where=where), say("remove it"))
    return Bitrix24Source(chosen, where=where)


class Bitrix24Source:
    """Reads calendars of a portal of the config."""

    def __init__(self, options: Bitrix24Options, *, where: str) -> None:
        self._options = options
        self._where = where
        self._portal: PageReader | None = None
        self._written: Callable[[], Awaitable[OwnEvents]] | None = None
        self._last: Snapshot | None = None

    @property
    def portal(self) -> str:
        """Name in the config of the portal to read from."""
        return self._options.portal

    @property
    def where(self) -> str:
        """The source's place in the config, for messages."""
        return self._where

    def bind(self, portal: PageReader, written: Callable[[], Awaitable[OwnEvents]]) -> None:
        """Give the source its portal, and a function that returns what syncd writes there at the time of the call."""
        self._portal = portal
        self._written = written

    def describe(self) -> str:
        """Return the kind of source, its portal and its sections."""
        sections = ", ".join(map(str, self._options.sections))
        return f"bitrix24 {self._options.portal} {self._options.calendar}" + (f" ({sections})" if sections else "")

    async def read(self, context: ReadContext) -> Snapshot:
        """Return all events of the sections within the window; raises SourceError if the portal cannot be read."""
        assert self._portal is not None, "bound by the app before the first reading"
        assert self._written is not None
        try:
            written = await self._written()
            directory = await read_directory(self._portal, now=0.0, groups=self._options.calendar == "group")
            calendars, problems = self._calendars(directory)
            found = await read_sections(self._portal, calendars)
            places, more = self._places(directory, calendars, found, written)
            rows, unread = await self._rows(self._portal, places, context)
        except (PortalRefusedError, CommandRefusedError) as error:
            raise SourceRefusedError(
                say("{name}: {reason}", name=self.describe(), reason=error.message), error.remedy or _REMEDY
            ) from error
        except PortalUnreachableError as error:
            raise SourceError(
                say("{name}: {reason}", name=self.describe(), reason=error.message), error.remedy or _REMEDY
            ) from error
        part = Part(problems=[*problems, *more])
        # All reasons together, as an operator fixes them in one go.
        part.incomplete = joined([one.reason for one in part.problems if one.kind == "incomplete"] + unread)
        await asyncio.to_thread(self._fill, part, rows, directory, written, context)
        snapshot = join([part], {}, blake2b(repr((part, context.zone)).encode(), digest_size=16).hexdigest())
        if self._last is None or self._last.changed_marker != snapshot.changed_marker:
            self._last = snapshot
        return self._last

    def _calendars(self, directory: Directory) -> tuple[list[Place], list[Problem]]:
        """Return the calendars to read, with a problem for each owner that cannot be found."""
        kind = self._options.calendar
        owners = self._options.owner if isinstance(self._options.owner, list) else [self._options.owner]
        if kind == "company":
            return [Place(kind="company_calendar", owner=0)], []
        if not owners:
            everyone = directory.groups if kind == "group" else [user for user in directory.users if user.active]
            return [Place(kind=kind, owner=one.id) for one in everyone], []
        calendars, problems = [], []
        for owner in owners:
            try:
                found = directory.group(str(owner)) if kind == "group" else directory.user(str(owner))
                calendars.append(Place(kind=kind, owner=found.id))
            except EntryError as error:
                problems.append(Problem(where=self.describe(), kind="incomplete", reason=error.message))
        return calendars, problems

    def _places(
        self,
        directory: Directory,
        calendars: Sequence[Place],
        found: Mapping[str, Sequence[Section]],
        written: OwnEvents,
    ) -> tuple[list[tuple[Place, Section, str]], list[Problem]]:
        """Return the sections to read with their owners, and problems.

        Raises SourceError if a section that the options name is one that syncd writes to.
        """
        wanted = {str(label).strip().casefold() for label in self._options.sections}
        met: set[str] = set()
        places: list[tuple[Place, Section, str]] = []
        problems: list[Problem] = []
        for calendar in calendars:
            if str(calendar) not in found:
                reason = say(
                    "the sections of {calendar} cannot be read (an administrator may read them all)",
                    calendar=str(calendar),
                )
                problems.append(Problem(where=self.describe(), kind="incomplete", reason=reason))
            for section in found.get(str(calendar), ()):
                labels = {section.name.strip().casefold(), str(section.id)}
                met |= wanted & labels
                if wanted and not wanted & labels:
                    continue
                ours = section.id in written.sections or any(
                    (calendar.kind, label) in written.names for label in labels
                )
                # A section that is named is meant, so leaving it out silently would be wrong; without names it is left
                # out.
                if ours and wanted:
                    raise SourceError(
                        say(
                            "{name}: syncd itself writes to section {section!r} of {calendar}",
                            name=self.describe(),
                            section=section.name,
                            calendar=str(calendar),
                        ),
                        say("read other sections, or write to another one"),
                    )
                if not ours:
                    places.append((calendar, section, _owner(directory, calendar)))
        for label in sorted(wanted - met):
            reason = say("no calendar that is read has a section {label!r}", label=label)
            problems.append(Problem(where=self.describe(), kind="incomplete", reason=reason))
        return places, problems

    async def _rows(
        self, portal: PageReader, places: Sequence[tuple[Place, Section, str]], context: ReadContext
    ) -> tuple[list[tuple[EventRow, Place, Section, str]], list[str]]:
        """Return each event once, series as their masters, and reasons for what could not be read."""
        asked = [
            (place, Command(method="calendar.event.get", params=_listing(*place[:2], *days)))
            for place in places
            for days in _spans(context.window, context.today)
        ]
        outcomes = await portal.read_many([command for _, command in asked])
        failed: dict[str, None] = {}
        seen: dict[int, tuple[Json, tuple[Place, Section, str]]] = {}
        for (place, _), outcome in zip(asked, outcomes, strict=True):
            if not isinstance(outcome, Done):
                what = say("section {name!r} of {calendar}", name=place[1].name, calendar=str(place[0]))
                failed[unread(what, outcome).message] = None
                continue
            for row in rows_of(outcome.result):
                if isinstance(row, Mapping) and str(row.get("ID", "")).isdecimal():
                    # An event that crosses the end of a span is listed in both.
                    seen.setdefault(int(str(row["ID"])), (row, place))
        # A listing expands a series into its days; only the master holds the rule and the exclusions.
        masters = [one for one, (row, _) in seen.items() if isinstance(row, Mapping) and row.get("RRULE")]
        answers = await portal.read_many(
            [Command(method="calendar.event.getbyid", params={"id": one}) for one in masters]
        )
        for one, outcome in zip(masters, answers, strict=True):
            master = outcome.result if isinstance(outcome, Done) else None
            if isinstance(master, Mapping) and master.get("DELETED") != "Y":
                seen[one] = (master, seen[one][1])
            else:  # null too: deleted since it was listed, or not told, and the next reading knows which
                failed[unread(say("series {id}", id=str(one)), outcome).message] = None
                del seen[one]
        return [(_row(row), *place) for _, (row, place) in sorted(seen.items())], list(failed)

    def _fill(
        self,
        part: Part,
        rows: Sequence[tuple[EventRow, Place, Section, str]],
        directory: Directory,
        written: OwnEvents,
        context: ReadContext,
    ) -> None:
        people = {user.id: user.email for user in directory.users if user.email}
        culture = Culture.learn(row for row, *_ in rows if row.date_from_formatted)
        read = {int(row.id) for row, *_ in rows}
        for row, calendar, section, owner in rows:
            # Each guest has a copy of an event; it is left out if the original is read as well.
            copy_of_another = row.is_copy and int(row.parent_id or 0) in read
            if int(row.id) in written.events or row.is_ours or copy_of_another or row.meeting_status == "N":
                continue
            where = f"{self._options.portal}:{calendar}/{section.name}/{row.id}"
            around = Surroundings(where=where, owner=owner, section=section.name, people=people, zone=context.zone,
                                  culture=culture, last=context.window.last)  # fmt: skip
            try:
                part.entries.append(read_row(row, around))
            except ValueError as error:
                part.reject(where, f"bitrix24-{row.id}", reason_of(error), clean(row.name or ""))
            except Exception as error:  # noqa: BLE001 - what one event meets must not stop the others
                part.reject(where, f"bitrix24-{row.id}", entry_crashed(where, error))


def _row(row: Json) -> EventRow:
    try:
        return msgspec.convert(row, EventRow)
    except msgspec.ValidationError:
        identity = str(row.get("ID", "0")) if isinstance(row, Mapping) else "0"
        return EventRow(id=identity)  # without dates: rejected by its id when it is read


def _listing(calendar: Place, section: Section, first: date, last: date) -> dict[str, Json]:
    return {
        "type": calendar.kind,
        "ownerId": calendar.owner,
        "section": [section.id],
        "from": (first - timedelta(days=1)).isoformat(),
        "to": (last + timedelta(days=1)).isoformat(),
    }


def _spans(window: Window, today: date) -> Iterator[tuple[date, date]]:
    """Yield the window in months, far from today in years."""
    first, last = window.first or _FIRST_DAY, min(window.last or _LAST_DAY, _LAST_DAY)
    while first <= last:
        near = abs(first - today) <= _NEAR
        following = (first.replace(day=1) + timedelta(days=32)).replace(day=1) if near else date(first.year + 1, 1, 1)
        yield first, min(following - timedelta(days=1), last)
        first = following


def _owner(directory: Directory, calendar: Place) -> str:
    """Return how to find the owner in another portal: the e-mail address, else the name."""
    if calendar.kind == "group":
        return next((group.name for group in directory.groups if group.id == calendar.owner), "")
    user = next((user for user in directory.users if user.id == calendar.owner), None)
    return (user.email or user.full_name) if user is not None else ""
