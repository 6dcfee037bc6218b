"""The tables of the simulated portal: people, groups, calendars, events, messages, and the indexes that keep them fast.

Rows are mutable; only the methods change them. Nothing here knows of rights or JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from syncd.sandbox.applications.event_queue import ENTRY, EventQueue, Happened
from syncd.sandbox.tables.crm_rows import Crm

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from syncd.sandbox.series.stored import Stored
    from syncd.sandbox.texts import Culture, Language

CalendarId = tuple[str, int]
"""A calendar: its type (`user`, `group`, `company_calendar`, ...) and its owner's id."""

Reminder = Mapping[str, str | int]
"""A reminder as REMIND shows it: `type` and what that type needs (PORTAL.md 4.2)."""

GroupKind = Literal["group", "project", "scrum", "collab"]
Task = Literal["denied", "view_time", "view_title", "view", "edit", "access"]
TASKS: tuple[Task, ...] = ("denied", "view_time", "view_title", "view", "edit", "access")


@dataclass(slots=True, kw_only=True)
class User:
    """A person; `zone` is an IANA name or empty when never set."""

    id: int
    name: str
    last_name: str
    email: str
    second_name: str = ""
    xml_id: str = ""
    zone: str = ""
    admin: bool = False
    active: bool = True
    departments: tuple[int, ...] = ()
    extranet: bool = False

    @property
    def full_name(self) -> str:
        """First and last name."""
        return f"{self.name} {self.last_name}".strip()


@dataclass(slots=True, kw_only=True)
class Group:
    """A workgroup; its members may see it and edit its calendar, unless the group has `calendar` switched off.

    A collab is known to socialnetwork.api.workgroup.list only (PORTAL.md 7).
    """

    id: int
    name: str
    owner: int
    members: frozenset[int] = frozenset()
    active: bool = True
    closed: bool = False
    secret: bool = False
    calendar: bool = True
    kind: GroupKind = "group"


@dataclass(slots=True, kw_only=True)
class Department:
    """A node of the company's structure; `parent` 0 is the root."""

    id: int
    name: str
    parent: int = 0
    head: int = 0


@dataclass(slots=True, kw_only=True)
class Webhook:
    """An incoming webhook: `code` is a password, so it stays out of the repr."""

    id: int
    user: int
    code: str = field(repr=False)
    scopes: frozenset[str] = frozenset()

    @property
    def entity(self) -> str:
        """What its operating time is counted by (PORTAL.md 3.2)."""
        return str(self.id)


@dataclass(slots=True, kw_only=True)
class Application:
    """A local application: `handler` is its own address, "" for one that uses the API only."""

    client_id: str
    client_secret: str = field(repr=False)
    scopes: frozenset[str] = frozenset()
    handler: str = ""
    token: str = field(default="", repr=False)
    """What its events prove by that they are this portal's; "" before the first."""
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppAccess:
    """An application that calls as a user."""

    application: Application
    user: int

    @property
    def scopes(self) -> frozenset[str]:
        """What the application may."""
        return self.application.scopes

    @property
    def entity(self) -> str:
        """What its operating time is counted by (PORTAL.md 3.2)."""
        return self.application.client_id


@dataclass(slots=True, kw_only=True)
class Section:
    """A calendar section; `access` maps access codes (`U5`, `G2`, `SG7`, `DR3`) to tasks."""

    id: int
    name: str
    cal_type: str
    owner_id: int
    created_by: int
    created_at: float
    changed_at: float
    description: str = ""
    color: str = "#E6A469"
    text_color: str = "#000000"
    external_type: str = "local"
    access: Mapping[str, Task] = field(default_factory=dict)
    meetings: bool = False

    @property
    def calendar(self) -> CalendarId:
        """The calendar the section belongs to."""
        return (self.cal_type, self.owner_id)


@dataclass(slots=True, kw_only=True)
class MeetingFlags:
    """The four flags of a meeting, all false unless they are sent."""

    notify: bool = False
    reinvite: bool = False
    allow_invite: bool = False
    hide_guests: bool = False


@dataclass(slots=True, kw_only=True)
class Event:
    """One row of the event table; `stored` holds the dates and the rule as they were saved (PORTAL.md 4.13)."""

    id: int
    parent_id: int
    cal_type: str
    owner_id: int
    section_id: int
    created_by: int
    created_at: float
    changed_at: float
    stored: Stored
    dav_xml_id: str
    name: str = ""
    description: str = ""
    location: str = ""
    color: str = ""
    accessibility: str = "busy"
    importance: str = "normal"
    private: bool = False
    remind: tuple[Reminder, ...] = ()
    crm: tuple[str, ...] = ()
    is_meeting: bool = False
    meeting_status: str = "H"
    host: int = 0
    flags: MeetingFlags = field(default_factory=MeetingFlags)
    attendees: tuple[int, ...] = ()
    version: int = 1
    recurrence_id: int | None = None
    original_from: date | None = None
    comment_xml_id: str = ""
    deleted: bool = False

    @property
    def calendar(self) -> CalendarId:
        """The calendar that the row itself names; its section may have moved to another since."""
        return (self.cal_type, self.owner_id)

    @property
    def is_copy(self) -> bool:
        """Whether this is an attendee's copy, or a room's booking, of another row."""
        return self.parent_id != self.id


NoticeKind = Literal["invite", "change", "cancel", "answer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message that a person got because of a write."""

    at: float
    to: int
    kind: NoticeKind
    event_id: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A chat; only its members may write into it."""

    id: int
    title: str = ""
    members: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message or notice: `to` is a dialog (`7`, `chat42`, `sg3`), `sender` 0 stands for the portal itself."""

    at: float
    to: str
    sender: int
    text: str
    notice: bool
    previews: bool = True


@dataclass(slots=True, kw_only=True)
class Tables:
    """All rows of one portal, and its site settings."""

    server_zone: str = "Europe/Moscow"
    culture: Culture = "ru"
    language: Language = "en"
    host: str = "portal.example"
    types: frozenset[str] = frozenset({"user", "group", "company_calendar", "location"})
    users: dict[int, User] = field(default_factory=dict)
    groups: dict[int, Group] = field(default_factory=dict)
    departments: dict[int, Department] = field(default_factory=dict)
    webhooks: dict[tuple[int, str], Webhook] = field(default_factory=dict, repr=False)
    applications: dict[str, Application] = field(default_factory=dict, repr=False)
    sections: dict[int, Section] = field(default_factory=dict)
    crm: frozenset[str] = frozenset()
    crm_rows: Crm = field(default_factory=Crm)
    notices: list[Notice] = field(default_factory=list)
    chats: dict[int, Chat] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    queue: EventQueue = field(default_factory=EventQueue)
    journal: list[Happened] = field(default_factory=list)
    """What the command under way has done that applications may hear of."""
    _events: dict[int, Event] = field(default_factory=dict)
    _by_calendar: dict[CalendarId, dict[int, Event]] = field(default_factory=dict)
    _by_section: dict[int, dict[int, Event]] = field(default_factory=dict)
    _copies: dict[int, dict[int, Event]] = field(default_factory=dict)
    _instances: dict[int, dict[int, Event]] = field(default_factory=dict)
    _last_section: dict[CalendarId, int] = field(default_factory=dict)
    _last_event_id: int = 0
    _last_section_id: int = 0

    def next_event_id(self) -> int:
        """Return a new id for an event; ids are never used twice."""
        self._last_event_id += 1
        return self._last_event_id

    def add_section(self, section: Section) -> None:
        """File a section under its own id."""
        self.sections[section.id] = section
        self._last_section_id = max(self._last_section_id, section.id)

    def next_section_id(self) -> int:
        """Return the id that the next section will have."""
        return self._last_section_id + 1

    def sections_of(self, calendar: CalendarId) -> tuple[Section, ...]:
        """Return the sections of a calendar by id."""
        return tuple(section for section in self.sections.values() if section.calendar == calendar)

    def remove_section(self, section_id: int) -> None:
        """Remove a section; the caller removes its events."""
        del self.sections[section_id]

    def event(self, event_id: int) -> Event | None:
        """Return the row with this id unless it is deleted."""
        row = self._events.get(event_id)
        return None if row is None or row.deleted else row

    def event_or_deleted(self, event_id: int) -> Event | None:
        """Return the row with this id, a deleted one too."""
        return self._events.get(event_id)

    def insert(self, row: Event) -> None:
        """File a new row."""
        self.journal.append(Happened(f"{ENTRY}ADD", row.id))
        self._last_event_id = max(self._last_event_id, row.id)
        self._events[row.id] = row
        self._by_calendar.setdefault(row.calendar, {})[row.id] = row
        self._by_section.setdefault(row.section_id, {})[row.id] = row
        if row.is_copy:
            self._copies.setdefault(row.parent_id, {})[row.id] = row
        if row.recurrence_id is not None:
            self._instances.setdefault(row.recurrence_id, {})[row.id] = row
        # Room bookings must not decide where the next event without a section goes (PORTAL.md 4.2, section).
        if row.cal_type != "location":
            self._last_section[row.calendar] = row.section_id

    def move(self, row: Event, section: Section) -> None:
        """Put a row into another section; its own calendar stays as it is (PORTAL.md 4.3)."""
        del self._by_section[row.section_id][row.id]
        row.section_id = section.id
        self._by_section.setdefault(row.section_id, {})[row.id] = row
        self._last_section[section.calendar] = section.id

    def adopt(self, row: Event, master_id: int) -> None:
        """Make a detached instance one of another series."""
        if row.recurrence_id is not None:
            del self._instances[row.recurrence_id][row.id]
        row.recurrence_id = master_id
        self._instances.setdefault(master_id, {})[row.id] = row

    def erase(self, row: Event) -> tuple[Event, ...]:
        """Mark a row deleted with its copies, bookings and detached instances (PORTAL.md 4.4); return them all.

        A row that is already deleted gives nothing.
        """
        if row.deleted:
            return ()
        self._mark_deleted(row)
        gone = [row]
        for dependent in (*self.copies_of(row.id), *self.instances_of(row.id)):
            gone.extend(self.erase(dependent))
        return tuple(gone)

    def saved(self, row: Event) -> None:
        """Count a save of a row, changed or not: the portal compares nothing (PORTAL.md 4.3)."""
        row.version += 1
        self.journal.append(Happened(f"{ENTRY}UPDATE", row.id))

    def _mark_deleted(self, row: Event) -> None:
        self.journal.append(Happened(f"{ENTRY}DELETE", row.id))
        row.deleted = True
        self._by_calendar[row.calendar].pop(row.id, None)
        self._by_section[row.section_id].pop(row.id, None)
        if row.is_copy:
            self._copies[row.parent_id].pop(row.id, None)
        if row.recurrence_id is not None:
            self._instances[row.recurrence_id].pop(row.id, None)

    def copies_of(self, event_id: int) -> tuple[Event, ...]:
        """Return the attendees' copies and room bookings of a row."""
        return tuple(self._copies.get(event_id, {}).values())

    def instances_of(self, event_id: int) -> tuple[Event, ...]:
        """Return the detached instances of a series."""
        return tuple(self._instances.get(event_id, {}).values())

    def events_of(self, calendar: CalendarId) -> Iterable[Event]:
        """Return the undeleted rows of a calendar in the order of their creation."""
        return self._by_calendar.get(calendar, {}).values()

    def events_in(self, section_id: int) -> Iterable[Event]:
        """Return the undeleted rows of a section."""
        return self._by_section.get(section_id, {}).values()

    def all_events(self) -> Iterator[Event]:
        """Return every undeleted row by id."""
        return (row for row in self._events.values() if not row.deleted)

    def calendars(self) -> tuple[CalendarId, ...]:
        """Return every calendar that has a section or an event, in order."""
        used = {calendar for calendar, rows in self._by_calendar.items() if rows}
        return tuple(sorted(used | {section.calendar for section in self.sections.values()}))

    def last_section(self, calendar: CalendarId) -> Section | None:
        """Return the section of a calendar last written to, if it still belongs to it."""
        found = self.sections.get(self._last_section.get(calendar, 0))
        return found if found is not None and found.calendar == calendar else None
