"""The sections that syncd made: which of them a purge may remove. Pure.

the section, as it stands now                                so
-----------------------------------------------------------  ---------------------------
is not there any more, or its id is another one's            forgotten
cannot be seen, or its events cannot be listed               stays: emptiness is proved, never assumed
is another user's, has another name now, or belongs to
a calendar service                                           stays: people use it
holds an event, or another sync of the config writes there   stays
anything else                                                removed
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import msgspec

from syncd.lang.saying import say, say_count
from syncd.model.item import Place


class MadeSection(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A section that the sync `sync` made, with the name that it gave it."""

    id: int
    place: Place
    name: str
    sync: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionSeen:
    """A section as it is now. `maker` is 0 if the portal does not tell, `events` None if they cannot be counted.

    `external` names the service that it is synced with, "" for a section of the portal's own.
    """

    name: str
    maker: int
    external: str = ""
    events: int | None = None


def concerning(made: Iterable[MadeSection], sync: str, name: str) -> tuple[MadeSection, ...]:
    """Return which of the `made` sections a purge of `sync`, which writes to sections called `name`, may remove.

    They include sections that another sync has made, because the sync that is purged last has to find them.
    """
    return tuple(sorted(one for one in made if one.sync == sync or one.name == name))


def is_gone(one: MadeSection, seen: SectionSeen | None, caller: int) -> bool:
    """Return True if the section that was made no longer exists. `seen` has its id now, None if nothing has.

    A portal that was restored from its backup gives ids out again. `caller` is the webhook's user.
    """
    return seen is None or (seen.maker not in (0, caller) and seen.name != one.name)


def why_it_stays(one: MadeSection, seen: SectionSeen, caller: int, others: Collection[str]) -> str:
    """Return why a section is not removed, "" if it may be.

    `others` are the sections, by name or id, that other syncs write to.
    """
    if seen.maker not in (0, caller):
        return say("user {maker} has made it", maker=seen.maker)
    if seen.name != one.name:
        return say("it is called «{name}» now", name=seen.name)
    if seen.external not in ("", "local"):
        return say("it is synced with {external}", external=seen.external)
    if one.name in others or str(one.id) in others:
        return say("another sync writes there")
    return _by_others(seen.events)


def _by_others(events: int | None) -> str:
    if events is None:
        return say("its events could not be listed")
    if not events:
        return ""
    return say_count("{count:,} event of others in it", "{count:,} events of others in it", events)
