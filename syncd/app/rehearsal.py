"""A world for the simulated portal with the people, groups and sections of a real one, for a rehearsal.

It has no events, phones, rights or secrets. Of people it has what an entry can name them by, and their time zone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from zoneinfo import available_timezones

from msgspec.structs import replace

from syncd.model.item import Place
from syncd.portal.people.directory import Directory, Section
from syncd.portal.people.reading import read_directory, read_sections
from syncd.portal.reader import PageReader
from syncd.sandbox.seed.world_schema import SeedGroup, SeedSection, SeedUser, SeedWebhook, WorldSeed, check_world

_CODE = "rehearsal"


async def read_rehearsal(portal: PageReader, *, now: float) -> WorldSeed:
    """Read from `portal` what a rehearsal needs; nothing is written there. Raises like `read_directory`."""
    directory = await read_directory(portal, now=now, groups=True)
    places = [Place(kind="user", owner=user.id) for user in directory.users]
    places += [Place(kind="group", owner=group.id) for group in directory.groups]
    places.append(Place(kind="company_calendar", owner=0))
    return rehearsal_of(directory.with_sections(await read_sections(portal, places)), places)


def rehearsal_of(directory: Directory, places: Iterable[Place]) -> WorldSeed:
    """Return the world of what was read; raises ConfigError if the portal shows nobody."""
    caller, zones = directory.caller, available_timezones()
    known = {user.id for user in directory.users}
    acting = caller.id if caller.id in known else min(known, default=1)
    users = tuple(
        SeedUser(
            id=user.id,
            name=user.name,
            second_name=user.second_name,
            last_name=user.last_name,
            email=user.email,
            xml_id=user.xml_id,
            zone=user.zone if user.zone in zones else "",
            admin=caller.admin and user.id == acting,
            active=user.active,
        )
        for user in directory.users
    )
    seed = WorldSeed(
        users=users,
        # Who owns a group cannot be seen by everybody; in the rehearsal it is the webhook's user, who may write there.
        groups=tuple(SeedGroup(id=group.id, name=group.name, owner=acting) for group in directory.groups),
        webhooks=(SeedWebhook(user=acting, code=_CODE),),
        sections=_sections(directory.sections, places),
    )
    if directory.server_zone in zones:
        seed = replace(seed, server_zone=directory.server_zone)
    check_world(seed)
    return seed


def _sections(read: Mapping[str, tuple[Section, ...]], places: Iterable[Place]) -> tuple[SeedSection, ...]:
    """Return the sections, each id once: a listing may show a section in several calendars."""
    found: dict[int, SeedSection] = {}
    for place in places:
        for one in read.get(str(place), ()):
            found.setdefault(
                one.id,
                SeedSection(
                    id=one.id, name=one.name, type=place.kind, owner=place.owner, external_type=one.external or "local"
                ),
            )
    return tuple(found.values())
