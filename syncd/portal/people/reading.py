"""Reads the portal's people, groups and sections, in batches, into a `Directory`.

No filter is trusted, because the portal may silently drop one (PORTAL.md 7): all is read, and matched afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import structlog

from syncd import events
from syncd.errors import PortalUnreachableError
from syncd.lang.saying import say
from syncd.model.item import Place
from syncd.model.json_values import Json
from syncd.portal.line.shapes import rows_of
from syncd.portal.line.wire import Command, Done, Refused, Unknown
from syncd.portal.people.directory import Caller, Directory, Section, User
from syncd.portal.people.groups import read_groups
from syncd.portal.reader import PageReader

T = TypeVar("T")
_log = structlog.get_logger()


class _UserRow(msgspec.Struct, rename="upper"):
    id: int | str
    name: str | None = None
    second_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    xml_id: str | None = None
    time_zone: str | None = None
    active: bool | str = True


class _SectionRow(msgspec.Struct, rename="upper"):
    id: int | str
    name: str | None = None
    external_type: str | None = None
    perm: Any = None


async def read_directory(portal: PageReader, *, now: float, groups: bool) -> Directory:
    """Read the caller, all users and, when asked for, all groups the caller can see.

    Raises PortalRefusedError, PortalUnreachableError or CommandRefusedError. Takes a few requests whatever the number
    of users: pages of 50, batched (PORTAL.md 6.9, 7).
    """
    caller = await _read_caller(portal)
    users = _all(_user, await portal.read_pages("user.get", {}))
    return Directory(
        read_at=now,
        caller=caller,
        server_offset_s=portal.server_offset_s or 0,
        users=tuple(sorted(users, key=lambda user: user.id)),
        groups=await read_groups(portal, admin=caller.admin) if groups else (),
        sections={},
    )


async def read_sections(portal: PageReader, calendars: Sequence[Place]) -> Mapping[str, tuple[Section, ...]]:
    """Read the sections of `calendars` in batches; a calendar that cannot be read is left out.

    Raises PortalRefusedError when the webhook as a whole may not read calendars, and what `read_many` raises.
    """
    # No filter and no paging: calendar.section.get returns all active sections of one calendar (PORTAL.md 5).
    commands = [
        Command(method="calendar.section.get", params={"type": calendar.kind, "ownerId": calendar.owner})
        for calendar in calendars
    ]
    replies = await portal.read_many(commands)
    for reply in replies:
        if isinstance(reply, Refused) and reply.reach == "portal":
            raise portal.refused(reply)
    return {
        str(calendar): _all(_section, rows_of(reply.result))
        for calendar, reply in zip(calendars, replies, strict=True)
        if isinstance(reply, Done)
    }


def _all(read: Callable[[Json], T], rows: Iterable[Json]) -> tuple[T, ...]:
    """Return the rows that can be read. One that cannot be read is never needed as an owner or section."""
    found: list[T] = []
    for row in rows:
        try:
            found.append(read(row))
        except (msgspec.ValidationError, ValueError) as error:
            _log.warning(events.DIRECTORY_ROW_UNREADABLE, reason=str(error))
    return tuple(found)


async def _read_caller(portal: PageReader) -> Caller:
    # A scope may allow only one of the two; either is enough, but only profile tells ADMIN (PORTAL.md 7).
    replies = await portal.read_many([Command(method="profile", params={}), Command(method="user.current", params={})])
    caller, zone, admin = 0, "", False
    for reply in replies:
        if isinstance(reply, Unknown):
            raise PortalUnreachableError(
                say("syncd's user could not be read: {reason}", reason=reply.reason), say("try again later")
            )
        if isinstance(reply, Done) and isinstance(reply.result, Mapping):
            row = reply.result
            caller = _int(row.get("ID")) or caller
            zone = str(row.get("TIME_ZONE") or "") or zone
            admin = row.get("ADMIN") is True or admin
    return Caller(id=caller, zone=zone, admin=admin)


def _int(value: Json) -> int:
    return int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()) else 0


def _user(row: Json) -> User:
    read = msgspec.convert(row, _UserRow)
    return User(
        id=int(read.id),
        name=(read.name or "").strip(),
        second_name=(read.second_name or "").strip(),
        last_name=(read.last_name or "").strip(),
        email=(read.email or "").strip(),
        xml_id=(read.xml_id or "").strip(),
        zone=read.time_zone or "",
        active=read.active in (True, "Y"),
    )


def _section(row: Json) -> Section:
    read = msgspec.convert(row, _SectionRow)
    external = read.external_type or "local"
    return Section(
        id=int(read.id),
        name=(read.name or "").strip(),
        writable=isinstance(read.perm, Mapping) and bool(read.perm.get("edit")),
        external="" if external == "local" else external,
    )
