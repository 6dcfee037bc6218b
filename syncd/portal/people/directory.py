"""The portal's people, groups and calendar sections, its caller and its time zone, as `people.reading` found them.

Who or what a text means is decided here, among all there are: the portal's own filters are not trusted (PORTAL.md 7).
"""

from __future__ import annotations

import difflib
import html
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from syncd.errors import DoubtfulError, EntryError
from syncd.lang.saying import restored, say, say_as
from syncd.model import zones
from syncd.model.item import Place
from syncd.model.zones import country_of
from syncd.portal.people.clients import CrmLookup
from syncd.portal.people.groups import Group
from syncd.portal.people.person_names import ADDRESS, by_last_name, called, folded, spellings

_CANDIDATES = 3
LIKELY_ZONES = ("Europe/Moscow", "UTC", "Europe/Berlin", "Europe/Kyiv", "America/New_York", "America/Sao_Paulo",
                "America/Chicago", "America/Los_Angeles", "Asia/Kolkata", "Asia/Yekaterinburg", "Europe/London",
                "Australia/Sydney", "Pacific/Auckland")  # fmt: skip
"""Zones of servers, the likelier first. An offset alone says nothing about summer time, which most of these have."""

NOBODY = CrmLookup(found={}, known={})


@dataclass(frozen=True, kw_only=True)
class User:
    """A user as user.get returns it; `zone` and `second_name` are "" if the profile has none."""

    id: int
    name: str
    second_name: str = ""
    last_name: str
    email: str
    xml_id: str
    zone: str
    active: bool

    @property
    def full_name(self) -> str:
        """First and last name as people write them."""
        return f"{self.name} {self.last_name}".strip()


@dataclass(frozen=True, kw_only=True)
class Section:
    """One section of a calendar; `external` names the service it is synced with, "" for the portal's own."""

    id: int
    name: str
    writable: bool
    external: str


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The user a webhook acts as."""

    id: int
    zone: str
    admin: bool


_ACTIVITIES: Mapping[str, str] = {
    "meeting": say_as("kind of activity", "meeting"),
    "call": say_as("kind of activity", "call"),
    "custom": say_as("kind of activity", "custom"),
    "todo": say_as("kind of activity", "todo"),
}


@dataclass(frozen=True, kw_only=True)
class Directory:
    """A reading of the portal's people, groups and sections at unix time `read_at`.

    `server_offset_s` is the server zone's UTC offset at that moment. `sections` holds only the calendars asked for,
    `clients` only the clients. `server_zone` is the server's zone where the config names it, else ""; so is `country`,
    the ISO 3166 code of the country of phones without one, which a sync may choose for itself. `barred` tells of
    calendars that were read why a new section would be of no use there, in texts as `stored` makes them. `followed` are
    the ids of sections that people have renamed, by calendar and former name.
    """

    read_at: float
    caller: Caller
    server_offset_s: int
    users: tuple[User, ...]
    groups: tuple[Group, ...] = ()
    sections: Mapping[str, tuple[Section, ...]]
    clients: CrmLookup = NOBODY
    server_zone: str = ""
    country: str = ""
    barred: Mapping[str, str] = field(default_factory=dict)
    followed: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def user(self, text: str) -> User:
        """Return the active user that `text` names: id, e-mail, XML_ID or name, in this order.

        A name may be in either order, with a patronymic, or with initials instead of first names. Raises EntryError,
        naming the value and the candidates, if nobody, a dismissed user or more than one matches.
        """
        found = self._called(text)
        active = [user for user in found if user.active]
        if len(active) == 1:
            return active[0]
        if len(active) > 1:
            names = tuple(f"{user.full_name} (id {user.id})" for user in active[:_CANDIDATES])
            raise DoubtfulError(
                say("more than one user is called {name!r}: {names}", name=text, names=names),
                say("use the id or the e-mail"),
            )
        if found:
            raise DoubtfulError(
                say("the user {name!r} (id {id}) is dismissed", name=text, id=found[0].id),
                say("name another owner or an alias"),
            )
        # With the scope user_brief alone the portal leaves e-mails out without a word (PORTAL.md 7).
        if "@" in text and self.users and not any(user.email for user in self.users):
            raise EntryError(
                say("cannot look up {name!r}: syncd may not read e-mail addresses", name=text),
                say("give it the scope user_basic, or use ids"),
            )
        said = say("no user {name!r} in the portal", name=text)
        if near := _nearest(folded(text), self._shown_by_word):
            said = say("no user {name!r} in the portal; nearest: {names}", name=text, names=near)
        raise EntryError(said, say("see on_unresolved"))

    def find(self, text: str) -> User | None:
        """Return the one active user that `user` would return, None instead of an error."""
        active = [user for user in self._called(text) if user.active]
        return active[0] if len(active) == 1 else None

    def _called(self, text: str) -> Sequence[User]:
        found = self._users_by_word.get(folded(text), ()) or called(text, self._users_by_last_name)
        addresses = set(map(folded, ADDRESS.findall(text))) if not found else set()
        # "Anna Petrova <anna@example.com>" and "mailto:anna@example.com", as mail programs write people.
        return self._users_by_word.get(addresses.pop(), ()) if len(addresses) == 1 else found

    @cached_property
    def _shown_by_word(self) -> Mapping[str, str]:
        """How the words by which users are found are shown to people."""
        shown = {word: user.full_name for user in self.users for word in spellings(user)}
        return shown | {folded(one): one for user in self.users for one in (user.email, user.xml_id) if one}

    @cached_property
    def _users_by_last_name(self) -> Mapping[str, Sequence[User]]:
        return by_last_name(self.users)

    @cached_property
    def home_country(self) -> str:
        """The country of phones without one: the configured one, else where most people live, else the server's."""
        if self.country:
            return self.country
        lived_in = Counter(country_of(known_zone(user.zone)) for user in self.users if user.active and user.zone)
        likely = (*(country for country, _ in lived_in.most_common()), country_of(known_zone(self.caller.zone)))
        return next(filter(None, likely), "") or country_of(server_zone(self))

    def group(self, text: str) -> Group:
        """Return the group that `text` names, by id or exact name; raises EntryError like `user`."""
        wanted = _folded(text)
        found = self._groups_by_word.get(wanted, ())
        if len(found) == 1:
            return found[0]
        if found:
            ids = tuple(group.id for group in found)
            raise DoubtfulError(
                say("more than one group is called {name!r}: ids {ids}", name=text, ids=ids), say("use the id")
            )
        shown = {word: found[0].name for word, found in self._groups_by_word.items()}
        said = say("no group {name!r} that syncd's user can see", name=text)
        if near := _nearest(wanted, shown):
            said = say("no group {name!r} that syncd's user can see; nearest: {names}", name=text, names=near)
        raise EntryError(said, say("see on_unresolved; a collab is seen with the scope socialnetwork only"))

    def name_of(self, user_id: int) -> str:
        """Return the full name of a user, "" for an unknown id."""
        return next((user.full_name for user in self._users_by_word.get(str(user_id), ()) if user.id == user_id), "")

    def holder(self, calendar: Place) -> str:
        """Return whose `calendar` is, for people: the name of a user, group or client; "" if unknown."""
        if calendar.on_card:
            kind, _, owner_type = calendar.kind.partition("-")
            known = (one for one in self.clients.known.values() if one.type == owner_type and one.id == calendar.owner)
            name = next((client.name for client in known if client.name), "")
            return say("{kind}: {name}", kind=_ACTIVITIES.get(kind, kind), name=name) if name else ""
        if calendar.kind == "group":
            return next((group.name for group in self.groups if group.id == calendar.owner), "")
        return self.name_of(calendar.owner) if calendar.kind == "user" else say_as("calendar", "company")

    def knows(self, calendar: Place) -> bool:
        """Return True if the sections of `calendar` have been read."""
        return str(calendar) in self.sections

    def section(self, calendar: Place, label: str) -> Section | None:
        """Return the section with this id or name, None if it has to be created first.

        Raises EntryError if an id does not exist in that calendar, or the section cannot be written to, or could not be
        if it was created.
        """
        known = self.sections.get(str(calendar), ())
        if label.isdecimal():
            found = [section for section in known if section.id == int(label)]
            if not found:
                raise EntryError(
                    say(
                        "calendar {calendar} has no section with id {id}; it has: {sections}",
                        calendar=str(calendar),
                        id=label,
                        sections=tuple(f"{one.id} {one.name}" for one in known) or say("none"),
                    )
                )
        else:
            named = [section for section in known if _folded(section.name) == _folded(label)]
            # The filter may have changed the name for good. Without this the section would be created again in every
            # pass.
            named = named or [section for section in known if _is_filtered(section.name, label)]
            # Whoever renames a section means the same one; a new one under the old name goes before.
            followed = self.followed.get(str(calendar), {}).get(label)
            named = named or [section for section in known if section.id == followed]
            # Names may occur twice (PORTAL.md 5); the lowest id is the same one in every pass.
            found = sorted(named, key=lambda s: s.id)
        if not found and (bar := self.barred.get(str(calendar))):
            raise EntryError(
                say(
                    "calendar {calendar} has no section {section!r}, and none is created, because {bar}",
                    calendar=str(calendar),
                    section=label,
                    bar=restored(bar),
                ),
                say("let syncd work as an administrator, or have the section made there and the right to edit granted"),
            )
        if not found:
            return None
        writable = [section for section in found if section.writable]
        if not writable:
            raise EntryError(
                say(
                    "section {section!r} of calendar {calendar} cannot be written to by syncd's user",
                    section=label,
                    calendar=str(calendar),
                ),
                say("let syncd work as an administrator or grant the right to edit"),
            )
        return writable[0]

    def following(self, before: Directory, label: str) -> Directory:
        """Return this directory with the sections called `label` in `before` that have another name now.

        Sections that had been renamed earlier stay known.
        """
        found: dict[str, Mapping[str, int]] = {}
        for calendar, sections in self.sections.items():
            names = {section.id: section.name for section in sections}
            then = [(one.name, one.id) for one in before.sections.get(calendar, ()) if one.name == label]
            gone = {**before.followed.get(calendar, {}), **dict(then)}
            moved = {name: number for name, number in gone.items() if names.get(number, name) != name}
            if moved:
                found[calendar] = moved
        return replace(self, followed=found) if found != self.followed else self

    def renamed(self) -> Iterable[tuple[str, str, str]]:
        """Yield calendar, former and present name of every section that was renamed."""
        for calendar, moved in sorted(self.followed.items()):
            names = {section.id: section.name for section in self.sections.get(calendar, ())}
            yield from ((calendar, old, names[number]) for old, number in sorted(moved.items()) if number in names)

    def with_clients(self, read: CrmLookup) -> Directory:
        """Return this directory with more clients of the CRM."""
        return replace(self, clients=self.clients.joined(read))

    def with_sections(self, read: Mapping[str, tuple[Section, ...]]) -> Directory:
        """Return this directory with the sections of more calendars."""
        return replace(self, sections={**self.sections, **read})

    def without_sections(self, calendars: Iterable[Place]) -> Directory:
        """Return this directory without the sections of `calendars`."""
        names = {str(calendar) for calendar in calendars}
        return replace(self, sections={name: own for name, own in self.sections.items() if name not in names})

    @cached_property
    def _users_by_word(self) -> Mapping[str, Sequence[User]]:
        """Whom each word means: an id goes before an e-mail, an e-mail before an XML_ID, an XML_ID before a name."""
        kinds: Sequence[Callable[[User], Iterable[str]]] = (
            lambda user: (str(user.id),),
            lambda user: (folded(user.email),),
            lambda user: (folded(user.xml_id),),
            spellings,
        )
        found: dict[str, list[User]] = {}
        for words_of in kinds:
            stronger = frozenset(found)
            for user in self.users:
                for word in words_of(user):
                    if word and word not in stronger:
                        found.setdefault(word, []).append(user)
        return found

    @cached_property
    def _groups_by_word(self) -> Mapping[str, Sequence[Group]]:
        words: dict[str, list[Group]] = defaultdict(list)
        for group in self.groups:
            for word in {_folded(group.name), str(group.id)}:
                words[word].append(group)
        return {word: [group for group in found if str(group.id) == word] or found for word, found in words.items()}


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _is_filtered(stored: str, label: str) -> bool:
    """Return True if the text filter may have made `stored` of `label` by adding blanks (PORTAL.md 1.5)."""
    return len(stored.split()) > len(label.split()) and _compact(stored) == _compact(label)


def _compact(text: str) -> str:
    return "".join(html.unescape(text).replace("*", "").split()).casefold()


def _nearest(wanted: str, words: Mapping[str, str]) -> tuple[str, ...]:
    """Return the words that look like `wanted`. `words` maps each as it is compared to how it is shown."""
    close = difflib.get_close_matches(wanted, [word for word in words if not word.isdecimal()], n=_CANDIDATES)
    return tuple(dict.fromkeys(words[one] for one in close))


def server_zone(directory: Directory) -> str:
    """Return the server's zone as configured, else the best guess: the portal never names it (PORTAL.md 1.2, 6.3).

    The guess is the first zone with the server's present offset, to the second: the caller's, the one most users live
    in, a likely one, and finally a zone that keeps that offset.
    """
    if directory.server_zone:
        return directory.server_zone
    lived_in = Counter(known_zone(user.zone) for user in directory.users if user.active)
    for zone in (known_zone(directory.caller.zone), *(zone for zone, _ in lived_in.most_common()), *LIKELY_ZONES):
        if zone and offset_s(zone, directory.read_at) == directory.server_offset_s:
            return zone
    year = datetime.fromtimestamp(directory.read_at, UTC).year
    return zones.keeping(timedelta(seconds=directory.server_offset_s), year) or "UTC"


def known_zone(zone: str) -> str:
    """Return the name under which the portal keeps the zone of a profile, "" if it has none or an unknown one."""
    try:
        return zones.canonical(zone) if zone else ""
    except LookupError:
        return ""


def offset_s(zone: str, at: float) -> float:
    """Return the UTC offset of an IANA zone at unix time `at`, in seconds."""
    offset = datetime.fromtimestamp(at, ZoneInfo(zone)).utcoffset()
    return offset.total_seconds() if offset is not None else 0.0
