"""Facts about a real portal, as `syncd portal probe --json` prints them, and what makes the simulated one like it.

Reads the document by itself: the sandbox shares no code with the client. What it cannot imitate is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import msgspec

from syncd.errors import ConfigError
from syncd.lang.saying import say, say_as
from syncd.sandbox.php.timezones import canonical_zones
from syncd.sandbox.seed.world_schema import SeedEvent, SeedGroup, SeedSection, SeedUser, WorldSeed
from syncd.sandbox.settings import SWITCHES, Settings, switched
from syncd.sandbox.texts import Culture

_REMEDY = say("`syncd portal probe --json > FILE` writes one")
_CULTURES: Mapping[str, Culture] = MappingProxyType(
    {"DD.MM.YYYY HH:MI:SS": "ru", "MM/DD/YYYY HH:MI:SS am": "us", "YYYY-MM-DD HH:MI:SS": "iso"}
)
_IMITATED = frozenset({"server_zone", "culture", "name_length", "description_length"})
_FIXED: Mapping[str, object] = MappingProxyType({"room_text": "emptied"})
"""What PORTAL.md leaves open and the sandbox does in one way only."""
_WEST = "Pacific/Honolulu"
_PAGE = 50


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    """One fact; fields that a later version adds are passed over."""

    fact: str
    found: Any = None
    expected: Any = None
    contradicts: bool = False


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe prints."""

    version: Annotated[int, msgspec.Meta(ge=1, le=1)]
    facts: tuple[_Row, ...]


@dataclass(frozen=True, slots=True)
class Likeness:
    """What was found of a real portal, by the name of the fact.

    `contradicting` are those that PORTAL.md denies, each with what it says of them, None where it allows several.
    """

    found: Mapping[str, Any]
    contradicting: Mapping[str, Any] = field(default_factory=dict)

    def unlike(self) -> tuple[str, ...]:
        """Return what the simulated portal does otherwise, as `name (what was found)`."""
        odd = {name for name, usual in _FIXED.items() if self.found.get(name, usual) != usual}
        odd |= self.contradicting.keys() - _IMITATED - SWITCHES.keys()
        odd |= {name for name in SWITCHES if name in self.found and _position(name, self.found[name]) is None}
        return tuple(
            say("{name} ({found})", name=name, found=_said(one, self.contradicting.get(name)))
            for name, one in self.found.items()
            if name in odd
        )


def _said(found: object, expected: object) -> str:
    """Return in words what was found; of several values, those that are not as expected."""
    if isinstance(found, dict):
        usual = expected if isinstance(expected, dict) else {}
        return ", ".join(f"{name}: {_said(one, None)}" for name, one in found.items() if usual.get(name) != one)
    if isinstance(found, list):
        return ", ".join(map(str, found))
    if isinstance(found, bool):
        return say_as("cell", "yes") if found else say_as("cell", "no")
    return str(found)


def read_likeness(path: Path) -> Likeness:
    """Read the document of a probe; raise ConfigError if it is none."""
    try:
        document = msgspec.json.decode(path.read_bytes(), type=_Document)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(
            say("the facts in {path} cannot be read: {reason}", path=str(path), reason=reason),
            say("check the path given to --like"),
        ) from None
    except msgspec.DecodeError as error:
        raise ConfigError(
            say("{path} holds no facts about a portal: {error}", path=str(path), error=str(error)), _REMEDY
        ) from None
    known = {row.fact: row.found for row in document.facts if row.found is not None}
    return Likeness(known, {row.fact: row.expected for row in document.facts if row.contradicts})


def alike(settings: Settings, likeness: Likeness) -> Settings:
    """Return `settings` with everything that is known of the real portal; its costs give way to those set already."""
    found = likeness.found
    positions = [(name, position) for name in SWITCHES if (position := _position(name, found.get(name))) is not None]
    settings = switched(settings, positions)
    costs = found.get("costs_s")
    if isinstance(costs, dict):
        read = {method.lower(): float(cost) for method, cost in costs.items() if _is_cost(cost)}
        settings = replace(settings, costs_s=MappingProxyType({**read, **settings.costs_s}))
    settings = replace(
        settings,
        name_length=_length(found.get("name_length")) or settings.name_length,
        description_length=_length(found.get("description_length")) or settings.description_length,
    )
    return replace(settings, tariff="self-hosted") if found.get("operating") is False else settings


def _position(name: str, found: object) -> str | None:
    """Return the position of a switch, None if nothing is known of it or the sandbox has no such position."""
    position = ("no", "yes")[found] if isinstance(found, bool) else found
    return position if isinstance(position, str) and position in SWITCHES[name] else None


def _length(found: object) -> int:
    """Return a length that was found, 0 if none was."""
    return max(0, found) if isinstance(found, int) and not isinstance(found, bool) else 0


def _is_cost(cost: object) -> bool:
    return isinstance(cost, int | float) and not isinstance(cost, bool) and 0 <= cost < 3600


def peopled(seed: WorldSeed, likeness: Likeness, now: float) -> WorldSeed:
    """Return a world in the real portal's zone and culture, whose webhooks may what the one that asked may.

    What a probe needs to find the same again is added: a secret group, a private event around unix time `now`.
    """
    found = likeness.found
    zone = found.get("server_zone")
    if isinstance(zone, str) and zone in canonical_zones():
        seed = msgspec.structs.replace(seed, server_zone=zone)
    if isinstance(culture := found.get("culture"), str) and culture in _CULTURES:
        seed = msgspec.structs.replace(seed, culture=_CULTURES[culture])
    seed = _with_callers(seed, found)
    if found.get("admin_groups") in SWITCHES["admin_groups"]:
        seed = _with_secret_group(seed)
    if isinstance(found.get("private_hidden"), bool):
        seed = _with_private_event(seed, now)
    return _with_two_pages(seed) if found.get("page_size") == _PAGE else seed


def _with_callers(seed: WorldSeed, found: Mapping[str, Any]) -> WorldSeed:
    """Give the webhooks the scopes that were found, and their users a zone west of the server where dates move."""
    scopes = found.get("scopes")
    hooks = seed.webhooks
    if isinstance(scopes, list):
        names = tuple(one for one in scopes if isinstance(one, str))
        hooks = tuple(msgspec.structs.replace(hook, scopes=names) for hook in hooks)
    callers = {hook.user for hook in hooks}
    moved = {0: seed.server_zone, -1: _WEST}.get(found.get("whole_day_bare", 1))
    users = tuple(
        msgspec.structs.replace(user, zone=moved) if moved is not None and user.id in callers else user
        for user in seed.users
    )
    return msgspec.structs.replace(seed, webhooks=hooks, users=users)


def _others(seed: WorldSeed) -> tuple[SeedUser, ...]:
    """Return the users without a webhook."""
    callers = {hook.user for hook in seed.webhooks}
    return tuple(user for user in seed.users if user.id not in callers and user.active)


def _with_secret_group(seed: WorldSeed) -> WorldSeed:
    others, callers = _others(seed), {hook.user for hook in seed.webhooks}
    if not others or any(group.secret and not callers & {group.owner, *group.members} for group in seed.groups):
        return seed
    number = 1 + max((group.id for group in seed.groups), default=0)
    group = SeedGroup(id=number, name="Secret group", owner=others[0].id, secret=True)
    return msgspec.structs.replace(seed, groups=(*seed.groups, group))


def _with_private_event(seed: WorldSeed, now: float) -> WorldSeed:
    others = {user.id for user in _others(seed)[:9]}
    section = next((one for one in seed.sections if one.type == "user" and one.owner in others), None)
    if section is None:
        return seed
    opens = datetime.fromtimestamp(now, UTC).replace(tzinfo=None, hour=9, minute=0, second=0, microsecond=0)
    number = 1 + max((event.id for event in seed.events), default=0)
    event = SeedEvent(
        id=number,
        section=section.id,
        name="Private",
        opens=opens + timedelta(days=1),
        closes=opens + timedelta(days=1, hours=1),
        private=True,
    )
    return msgspec.structs.replace(seed, events=(*seed.events, event))


def _with_two_pages(seed: WorldSeed) -> WorldSeed:
    """Return a world with more people than one page of a list holds, each with a calendar."""
    user, section = (1 + max(one.id for one in rows) for rows in (seed.users, seed.sections or seed.users))
    more = range(max(0, _PAGE + 1 - len(seed.users)))
    users = tuple(SeedUser(id=user + at, name="Colleague", last_name=str(user + at)) for at in more)
    sections = tuple(SeedSection(id=section + at, name="My calendar", owner=user + at) for at in more)
    return msgspec.structs.replace(seed, users=(*seed.users, *users), sections=(*seed.sections, *sections))
