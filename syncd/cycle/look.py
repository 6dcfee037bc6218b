"""Reads what the portal holds of a sync's links: which part of it, when it is due, and whether it is what was sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from syncd.cycle.setup import SyncSetup, World
from syncd.model.edits import difference
from syncd.model.item import Item, Key, Link
from syncd.model.plan import Observation
from syncd.model.window import Window

EVERYTHING = Window(first=None, last=None)
_GAP_DAYS = 62


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBack:
    """What reading back found: items that stand there as they were sent, and what is wrong with the others."""

    confirmed: frozenset[Key] = frozenset()
    wrong: Mapping[Key, str] = field(default_factory=dict)


async def verify_due(setup: SyncSetup, world: World, now: float) -> bool:
    """Say whether the portal's events have to be read; also when the clock was set back since they were.

    What was read in another portal does not count.
    """
    note = await world.ledger.read_note(f"sync/{setup.name}", "verified")
    return note is None or note[0] != world.portal.origin or not 0 <= now - note[1] < setup.verify_every.total_seconds()


async def note_verified(setup: SyncSetup, world: World) -> None:
    """Write down that what the portal held has been read and put right."""
    await world.ledger.note(f"sync/{setup.name}", "verified", world.portal.origin, world.clock.now())


async def forget_verified(setup: SyncSetup, world: World) -> None:
    """Have the next pass read the portal, however recently that was done."""
    await world.ledger.drop_note(f"sync/{setup.name}", "verified")


async def observe(
    setup: SyncSetup, world: World, items: Sequence[Item], links: Sequence[Link], window: Window
) -> Observation:
    """Read the sections that links or wanted items stand in, when they do; raises the client's errors.

    Years in which there is nothing of ours are not read: one old entry must not cost a listing for every month since.
    """
    inside = [link for link in links if _touches(window, link)]
    found: Observation | None = None
    for span, holders in _spans(window, [*items, *inside]):
        places = {(one.key.place, one.section_id) for one in holders if one.section_id is not None}
        own = [one for one in holders if isinstance(one, Link)]
        seen = await setup.target.observe(world.portal, own, sorted(places), span)
        found = seen if found is None else joined(found, seen)
    return found if found is not None else await setup.target.observe(world.portal, (), (), window)


async def observe_links(setup: SyncSetup, world: World, links: Sequence[Link]) -> Observation:
    """Read what the portal holds of `links`, wherever they are in time; raises the client's errors."""
    return await observe(setup, world, (), links, EVERYTHING)


async def read_back(setup: SyncSetup, world: World, keys: Iterable[Key], deleted: Sequence[Link] = ()) -> ReadBack:
    """Read the items of `keys` and compare them with what was sent; those of `deleted` must be gone.

    What the portal rewrites by itself is no difference. Raises the client's errors.
    """
    wanted = set(keys)
    links = [link for link in await world.ledger.links(setup.name) if link.key in wanted]
    seen = await observe_links(setup, world, [*links, *deleted])
    wrong = dict.fromkeys(wanted - {link.key for link in links}, "it is not in the portal")
    for link in links:
        if (differs := difference(seen, link)) is not None:
            wrong[link.key] = differs
    wrong |= {link.key: "it still stands in the portal" for link in deleted if link.remote_id not in seen.gone}
    return ReadBack(confirmed=frozenset((wanted | {link.key for link in deleted}) - set(wrong)), wrong=wrong)


async def without_siblings(setup: SyncSetup, world: World, observation: Observation) -> Observation:
    """Return the observation without events that other syncs of this portal own, or are just creating."""
    own = {link.remote_id for link in await world.ledger.links(setup.name)}
    others: set[int] = set()
    coming: set[str] = set()
    for name in setup.siblings:
        if name != setup.name:
            links = [link for link in await world.ledger.links(name) if _alike(setup, link.key)]
            others |= {link.remote_id for link in links}
            creates = [
                intent
                for intent in await world.ledger.open_intents(name)
                if intent.op == "create" and _alike(setup, intent.key)
            ]
            coming |= {observation.signature(intent.item) for intent in creates} - {""}
    kept = {
        i: seen
        for i, seen in observation.events.items()
        if i in own or (i not in others and seen.signature not in coming)
    }
    return replace(observation, events=kept)


def _alike(setup: SyncSetup, key: Key) -> bool:
    """Say whether the ids of `key` and of this sync's own items are of one kind: events and activities count apart."""
    return key.place.on_card == setup.target.on_cards


def _touches(window: Window, link: Link) -> bool:
    ends = date.fromisoformat(link.ends_on) if link.ends_on else None
    return window.touches(date.fromisoformat(link.starts_on), ends)


def _spans(window: Window, holders: Sequence[Item | Link]) -> list[tuple[Window, list[Item | Link]]]:
    """Part `holders` where none of them stands for a while, and return each part with the days it reaches.

    A series is found where it begins; only one that began before the window must be looked for in all of it, for
    nobody knows here on which days it has occurrences.
    """
    parts: list[tuple[date, date, list[Item | Link]]] = []
    for one in sorted(holders, key=lambda holder: holder.starts_on):
        first = last = date.fromisoformat(one.starts_on)
        if window.first is not None and first < window.first:
            first = window.first
            last = date.fromisoformat(one.ends_on) if one.ends_on else date.max
            last = max(first, min(last, window.last or date.max))
        if parts and (first - parts[-1][1]).days <= _GAP_DAYS:
            begun, reach, own = parts[-1]
            own.append(one)
            parts[-1] = (begun, max(reach, last), own)
        else:
            parts.append((first, last, [one]))
    return [(Window(first=first, last=None if last == date.max else last), own) for first, last, own in parts]


def joined(one: Observation, other: Observation) -> Observation:
    """Return what both found."""
    return replace(one, events={**one.events, **other.events}, gone=one.gone | other.gone)
