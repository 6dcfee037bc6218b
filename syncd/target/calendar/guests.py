"""Who is invited to an event (PORTAL.md 4.2). Who is told of a change to it is decided in `notices.py`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from syncd.errors import EntryError
from syncd.lang.saying import Value, say
from syncd.model.entry import Details, Entry, Span
from syncd.model.item import Place
from syncd.model.template import Template
from syncd.portal.people.directory import Directory
from syncd.target.calendar.portal_event import Meeting
from syncd.target.fields import Aliases

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestSettings:
    """The part of [sync.fields] that concerns guests. `flags` are the flags of [sync.fields.meeting] that are set.

    If `host` is None, the host is the owner of the calendar, in calendars that are no user's the user of the webhook.
    """

    attendees: Literal["source", "none"] | tuple[str, ...] = "none"
    host: Template | None = None
    outside: Literal["drop", "list"] = "drop"
    invite: Literal["notice", "copy"] = "notice"
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Guests:
    """The guests of an event: `meeting` for invitations, `copies` for silent copies, `listed` for the description."""

    meeting: Meeting | None = None
    copies: tuple[int, ...] = ()
    listed: tuple[str, ...] = ()


NOBODY = Guests()


class GuestList:
    """Finds the guests of entries."""

    def __init__(self, settings: GuestSettings, aliases: Aliases) -> None:
        self._settings = settings
        self._aliases = aliases
        self.sends_copies = settings.invite == "copy"
        """True if guests get silent copies in their own calendars."""
        self.invites_nobody = settings.attendees == "none" and settings.host is None

    @property
    def invites(self) -> bool:
        """True if events may get guests. A host alone makes no meeting, and silent copies need none."""
        return self._settings.attendees != "none" and not self.sends_copies

    def calendars(self, entries: Iterable[Entry], directory: Directory) -> frozenset[Place]:
        """Return the calendars that silent copies of these entries go to."""
        if not self.sends_copies:
            return frozenset()
        found: set[Place] = set()
        for entry in entries:
            for details in (entry.details, *(override.details for override in entry.overrides)):
                users, _ = self._split(details, directory)
                found |= {Place(kind="user", owner=user) for user in users}
        return frozenset(found)

    def find(
        self,
        entry: Entry,
        details: Details,
        span: Span,
        calendar: Place,
        directory: Directory,
        warnings: list[str],
    ) -> Guests:
        """Return the guests of one occurrence, and add to `warnings` who cannot be invited."""
        if self.invites_nobody:
            return NOBODY
        users, outside = self._split(details, directory)
        host = self._host(entry, details, span, calendar, directory, warnings)
        listed = outside if self._settings.outside == "list" else ()
        if outside:
            warnings.append(_told_uninvited(outside, is_listed=bool(listed)))
        own = {calendar.owner} if calendar.kind == "user" else set()
        if self.sends_copies:
            return Guests(copies=tuple(sorted(users - own)), listed=listed)
        guests = users - {host}
        if not guests:
            return Guests(listed=listed)
        people, flags = tuple(sorted(guests | {host} | own)), dict.fromkeys(self._settings.flags, True)
        return Guests(meeting=Meeting(attendees=people, host=host, **flags), listed=listed)

    def _split(self, details: Details, directory: Directory) -> tuple[set[int], tuple[str, ...]]:
        """Return the ids of the guests who are active users, and the names of the others."""
        wish = self._settings.attendees
        named = details.attendees if wish == "source" else () if wish == "none" else wish
        users: set[int] = set()
        outside: list[str] = []
        for name in named:
            user = directory.find(self._aliases.resolve(name))
            if user is not None:
                users.add(user.id)
            else:
                outside.append(name)
        return users, tuple(dict.fromkeys(outside))

    def _host(
        self,
        entry: Entry,
        details: Details,
        span: Span,
        calendar: Place,
        directory: Directory,
        warnings: list[str],
    ) -> int:
        otherwise = calendar.owner if calendar.kind == "user" else directory.caller.id
        if self._settings.host is None:
            return otherwise
        name = self._settings.host.render(entry, details, span).strip()
        if not name:
            return otherwise
        try:
            return directory.user(self._aliases.resolve(name)).id
        except EntryError as error:
            warnings.append(say("the host is left to the calendar's owner: {message}", message=error.message))
            return otherwise


def _told_uninvited(outside: Sequence[str], *, is_listed: bool) -> str:
    """Return the warning about guests who are no users. `is_listed` is True if the description names them."""
    names: Value = tuple(outside[:_SHOWN])
    if more := len(outside[_SHOWN:]):
        names = say("{names} and {more} more", names=names, more=more)
    if is_listed:
        return say(
            "not invited, because they are no active users of the portal: {names}; named in the description",
            names=names,
        )
    return say("not invited, because they are no active users of the portal: {names}; left out", names=names)
