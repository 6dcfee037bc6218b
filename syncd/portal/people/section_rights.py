"""Whether a new section would be of use in a calendar: decided by what can be read, before anything is tried.

calendar                  administrator       anybody else
------------------------  ------------------  -----------------------------------------------------------
his own                   yes                 yes
another user's            yes                 no: where he may make one, he may not write into it (PORTAL.md 4.11, 5)
a group's                 unless the group says no (sonet_group.feature.access)
the company's             yes                 no: what would allow it cannot be read
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from syncd.lang.saying import say, stored
from syncd.model.item import Place
from syncd.portal.line.wire import Command, Done
from syncd.portal.people.directory import Caller, Directory
from syncd.portal.people.reading import read_sections
from syncd.portal.reader import PageReader, Reader


async def with_calendars(portal: PageReader, directory: Directory, calendars: Sequence[Place]) -> Directory:
    """Return `directory` with the sections of `calendars`, and with where new ones would be of no use.

    A calendar that cannot be read is left out. Raises like `read_sections`.
    """
    read = await read_sections(portal, calendars)
    closed = await _closed_groups(portal, calendars)
    bars = {str(calendar): stored(bar) for calendar in calendars if (bar := _bar(calendar, directory.caller, closed))}
    names = {str(calendar) for calendar in calendars}
    kept: Mapping[str, str] = {name: bar for name, bar in directory.barred.items() if name not in names}
    return replace(directory.with_sections(read), barred={**kept, **bars})


async def _closed_groups(portal: Reader, calendars: Iterable[Place]) -> frozenset[int]:
    """Return the groups in whose calendar the caller may write nothing; one that does not say is open."""
    groups = [calendar.owner for calendar in calendars if calendar.kind == "group"]
    asked = {"FEATURE": "calendar", "OPERATION": "write"}
    replies = await portal.read_many(
        [Command(method="sonet_group.feature.access", params={"GROUP_ID": group, **asked}) for group in groups]
    )
    said = zip(groups, replies, strict=True)
    return frozenset(group for group, reply in said if isinstance(reply, Done) and reply.result is False)


def _bar(calendar: Place, caller: Caller, closed: frozenset[int]) -> str:
    """Return why a new section would be of no use, "" if nothing speaks against it."""
    if calendar.kind == "group":
        closed_to_us = say("the group has its calendar switched off, or does not let syncd's user write")
        return closed_to_us if calendar.owner in closed else ""
    if caller.admin or (calendar.kind == "user" and calendar.owner == caller.id):
        return ""
    if calendar.kind == "user":
        return say("syncd's user is no administrator and could not write into it")
    return say("syncd's user is no administrator, and only they are sure to be allowed it in the company's calendar")
