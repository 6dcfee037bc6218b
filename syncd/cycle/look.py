"""Reads what the portal holds of a sync's links: whether it is what was sent, and what tells of another ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from syncd.cycle.sync import Pass
from syncd.lang.saying import say
from syncd.model.doubles import given_up
from syncd.model.entry import Window
from syncd.model.item import Item, Key, Link, Observed, Place
from syncd.model.observation import LOST, Comparison, Observation, mark_of
from syncd.model.plan import Plan
from syncd.model.second_writer import CLOCKS_APART_S, NOBODY, Own, Strangers, Writers, looked_at, strangers
from syncd.model.traces import still_suspected
from syncd.portal.people.directory import Directory

EVERYTHING = Window(first=None, last=None)
_GAP_DAYS = 62
_LOOKS_PER_LISTING = 20
"""So many looks by id cost the portal about as much as listing one month of a section."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBack:
    """What reading back found: items that stand there as they were sent, and what is wrong with the others."""

    confirmed: frozenset[Key] = frozenset()
    wrong: Mapping[Key, str] = field(default_factory=dict)


async def observe(run: Pass, items: Sequence[Item], links: Sequence[Link], window: Window) -> Observation:
    """Read the sections of links and wanted items in the time that these span; raises the client's errors.

    Years in which there is nothing of ours are not read: one old entry must not cost a listing for every month since.
    """
    target = run.sync.target
    found: Observation | None = None
    # Beside the event loop, as it looks at the days of every link and item.
    for span, own, places in await asyncio.to_thread(_readings, items, links, window):
        seen = await target.observe(run.portal, own, places, span)
        found = seen if found is None else joined(found, seen)
    return found if found is not None else await target.observe(run.portal, (), (), window)


def _readings(
    items: Sequence[Item], links: Sequence[Link], window: Window
) -> list[tuple[Window, list[Link], list[tuple[Place, int]]]]:
    """Return what there is to read, by span of days: the links and the sections in which they and the items stand."""
    inside = [link for link in links if _touches(window, link)]
    return [
        (
            span,
            [one for one in holders if isinstance(one, Link)],
            sorted({(one.key.place, one.section_id) for one in holders if one.section_id is not None}),
        )
        for span, holders in _spans(window, [*items, *inside])
    ]


async def observe_elsewhere(
    run: Pass, items: Sequence[Item], links: Sequence[Link], directory: Directory, window: Window
) -> tuple[Observed, ...]:
    """Return the events with a mark in other sections of the calendars of `items`; raises the client's errors.

    They are in no section that `items` belong in, and in no link.
    """
    found: dict[int, Observed] = {}
    for span, holders in _spans(window, items):
        own = {(one.key.place, one.section_id) for one in holders}
        places = {(place, one.id) for place, _ in own for one in directory.sections.get(str(place), ())} - own
        if places:
            seen = await run.sync.target.observe(run.portal, (), sorted(places), span)
            found |= (await without_siblings(run, seen, links)).events
    known = {link.remote_id for link in links}
    return tuple(seen for number, seen in found.items() if number not in known and seen.mark)


async def observe_links(run: Pass, links: Sequence[Link]) -> Observation:
    """Read what the portal holds of `links`, wherever they are in time; raises the client's errors."""
    return await observe(run, (), links, EVERYTHING)


async def observe_meetings(
    run: Pass, with_guests: Sequence[Link], observation: Observation | None, window: Window
) -> dict[int, Observed]:
    """Return the events `with_guests` that a plan changes, by id; those that were not read for it are read now."""
    known = {link.remote_id: observation.verdict(link).seen for link in with_guests} if observation is not None else {}
    found = {remote_id: seen for remote_id, seen in known.items() if seen is not None}
    if unread := [link for link in with_guests if link.remote_id not in found]:
        found |= (await run.sync.target.observe(run.portal, unread, (), window)).events
    return found


async def observe_touched(run: Pass, links: Sequence[Link]) -> Observation:
    """Read the events of `links` before they are changed; other events are left out.

    Since the last reading the portal may have given an id to another event, and it overwrites whatever event has that
    id. Reads by id, or by section and month if that is less work. Raises the client's errors.
    """
    listings = {(link.key.place, link.section_id, link.starts_on[:7]) for link in links}
    if run.sync.target.on_cards or len(links) < _LOOKS_PER_LISTING * len(listings):
        today = run.sync.today(run.clock.now())
        seen = await run.sync.target.observe(run.portal, links, (), Window(first=today, last=today))
    else:
        seen = await observe_links(run, links)
    ids = frozenset(link.remote_id for link in links)
    own = {number: one for number, one in seen.events.items() if number in ids}
    return replace(seen, events=own, whole=False, unread=ids - own.keys() - seen.gone - seen.alien)


async def changed_since(run: Pass, links: Sequence[Link]) -> frozenset[int]:
    """Return the remote ids of those of `links` whose events somebody saved or deleted since our last save.

    Raises the client's errors.
    """
    seen = await observe_touched(run, links)
    return frozenset(link.remote_id for link in links if _is_changed(seen, link))


async def observe_hinted(run: Pass, links: Sequence[Link]) -> Observation | None:
    """Read the events of those of `links` that the pass has hints about, None if there are none; raises likewise."""
    hinted = [link for link in links if link.remote_id in run.hints]
    return await observe_touched(run, hinted) if hinted else None


def whose(hints: Mapping[int, int], directory: Directory) -> dict[int, str]:
    """Return the name of the user who changed each event, by remote id; "" if nobody is known."""
    names = {user.id: user.full_name for user in directory.users}
    return {one: names.get(user) or (say("user {user}", user=user) if user else "") for one, user in hints.items()}


def _is_changed(seen: Observation, link: Link) -> bool:
    verdict = seen.verdict(link)
    event = verdict.seen
    return verdict.standing in LOST or (event is not None and (verdict.saved or event.version is None))


async def read_back(run: Pass, keys: Iterable[Key], deleted: Sequence[Link] = ()) -> ReadBack:
    """Read the items of `keys` and compare them with what was sent; those of `deleted` must be gone.

    What the portal rewrites by itself is no difference. Raises the client's errors.
    """
    wanted = set(keys)
    links = [link for link in await run.ledger.links() if link.key in wanted]
    seen = await observe_links(run, [*links, *deleted])
    await run.ledger.learn_stamps(await run.worked_out(seen.stamps, links))
    return await run.worked_out(_read_back, wanted, links, deleted, seen)


def _read_back(wanted: Collection[Key], links: Sequence[Link], deleted: Sequence[Link], seen: Observation) -> ReadBack:
    missing = set(wanted) - {link.key for link in links}
    wrong: dict[Key, str] = dict.fromkeys(missing, say("it is not in the portal"))
    for link in links:
        if (differs := seen.difference(link, seen.verdict(link))) is not None:
            wrong[link.key] = differs
    wrong |= {
        link.key: say("it still stands in the portal") for link in deleted if seen.verdict(link).standing not in LOST
    }
    return ReadBack(confirmed=frozenset({*wanted, *(link.key for link in deleted)} - set(wrong)), wrong=wrong)


async def without_siblings(run: Pass, observation: Observation, own: Collection[Link]) -> Observation:
    """Return the observation without events that other syncs of this portal own, or are just creating.

    `own` are the links of this sync. Two syncs may have linked one id if the portal has given it to another event; then
    that event belongs to the sync whose link it fits.
    """
    on_cards = run.sync.target.on_cards  # events and activities are counted apart: the same id means two things
    others = [name for name in run.sync.siblings if name != run.sync.name]
    if not others:
        return observation
    theirs = await run.ledger_of_all.linked_ids(others, on_cards=on_cards)
    intents = await run.ledger_of_all.open_creates(others, on_cards=on_cards)
    taken = await _taken(run, observation, [link for link in own if link.remote_id in theirs], others)

    def kept() -> dict[int, Observed]:
        ours = {link.remote_id for link in own}
        signature = observation.comparison.signature
        coming = {signature(intent.item) for intent in intents} - {""}
        return {
            remote_id: seen
            for remote_id, seen in observation.events.items()
            if remote_id not in taken
            and (remote_id in ours or (remote_id not in theirs and not (coming and signature(seen) in coming)))
        }

    return replace(observation, events=await run.worked_out(kept), alien=observation.alien | taken)


async def with_suspects(run: Pass, observation: Observation) -> Observation:
    """Return the observation with the events that may be creates of ours, wherever people have put them.

    Raises the client's errors.
    """
    suspects = run.notes.suspects
    if not suspects:
        return observation
    claimed = await run.ledger_of_all.linked_ids(run.sync.siblings, on_cards=run.sync.target.on_cards)
    asked = [
        _looked_for(Place(kind=one.kind, owner=one.owner), number)
        for one in suspects
        for number in set(one.remote_ids) - claimed - observation.events.keys()
    ]
    seen = observation
    if asked:
        seen = joined(observation, await run.sync.target.observe(run.portal, asked, (), EVERYTHING))
    return replace(observation, suspects=still_suspected(suspects, seen, claimed))


def _looked_for(place: Place, number: int) -> Link:
    """Return a link to an event of which only the id is known, to have it read by that."""
    return Link(
        key=Key(uid="", place=place, piece=""),
        remote_id=number,
        section="",
        section_id=0,
        fingerprint="",
        sent={},
        version=None,
        title="",
        where="",
        starts_on="",
        ends_on=None,
        start="",
    )


async def _taken(run: Pass, observation: Observation, own: Sequence[Link], others: Sequence[str]) -> frozenset[int]:
    """Return the ids of links in `own` under which an event of one of the syncs `others` stands now."""
    in_vain = [link.remote_id for link in own if observation.verdict(link).standing == "foreign"]
    if not in_vain:
        return frozenset()
    claims = await run.ledger_of_all.links_to(others, in_vain, on_cards=run.sync.target.on_cards)
    return frozenset(link.remote_id for name, link in claims if _seen_by(name, observation).verdict(link).seen)


async def lost_claims(run: Pass, observation: Observation) -> tuple[tuple[str, Link], ...]:
    """Return the links, each with its sync's name, whose id another one of the events that were read has now.

    Those of other syncs of the portal count too: what they claim in vain must not keep an event from being found.
    """
    on_cards = run.sync.target.on_cards
    claims = await run.ledger_of_all.links_to(run.sync.siblings, tuple(observation.events), on_cards=on_cards)
    return tuple(
        (name, link) for name, link in claims if _seen_by(name, observation).verdict(link).standing == "foreign"
    )


def _seen_by(sync: str, observation: Observation) -> Observation:
    """Return the observation as the sync of that name reads it: each has marks of its own."""
    return replace(observation, comparison=replace(observation.comparison, sync=sync))


def joined(one: Observation, other: Observation) -> Observation:
    """Return what both observations found."""
    return replace(
        one,
        events={**one.events, **other.events},
        gone=one.gone | other.gone,
        alien=one.alien | other.alien,
        unread=one.unread | other.unread,
    )


def newer(observation: Observation, links: Sequence[Link], known: int) -> Observation:
    """Return the observation without unlinked events that are not newer than the id `known`."""
    own = {link.remote_id for link in links}
    kept = {one: seen for one, seen in observation.events.items() if one > known or one in own}
    return replace(observation, events=kept)


def _touches(window: Window, link: Link) -> bool:
    ends = date.fromisoformat(link.ends_on) if link.ends_on else None
    return window.touches(date.fromisoformat(link.starts_on), ends)


def _spans(window: Window, holders: Sequence[Item | Link]) -> list[tuple[Window, list[Item | Link]]]:
    """Part `holders` where none of them stands for a while, and return each part with the days it reaches.

    A series is found where it begins. Only one that began before the window must be looked for in all of it, for on
    which days it has occurrences is not known here.
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


async def writers_of(
    run: Pass,
    plan: Plan,
    items: Sequence[Item],
    links: Sequence[Link],
    observation: Observation | None,
    directory: Directory,
    now: float,
    *,
    verify: bool,
) -> Writers:
    """Return what `observation` shows of other ledgers; without `verify`, whether all has to be read to know.

    `now` is when the source was read, in unix time. Raises the client's errors.
    """
    found = NOBODY
    # Of single events only their names tell something, and those that an ordinary pass reads nearly all bear ours.
    usual = ("", run.ledger_name)
    if observation is not None and (verify or any(one.ledger not in usual for one in observation.events.values())):
        own = await _own(run, directory.caller.id, observation.comparison)
        found = await run.worked_out(strangers, items, links, observation, own)
        if found.made:
            own = replace(own, past=await _past(run, found, items, links, observation))
            found = await run.worked_out(strangers, items, links, observation, own)
        if verify:
            at = now + run.portal.skew_s
            looked = await run.worked_out(looked_at, own.looked, observation, links, found, at, lost=own.lost)
            return Writers(found=found, looked=looked)
    new = [change.item for change in plan.changes if change.op == "create" and change.link is None and change.item]
    return Writers(found=found, doubted=bool(found.made) or bool(new and await _stand_already(run, new)))


async def _own(run: Pass, caller: int, comparison: Comparison) -> Own:
    """Return what is known of the ledger of `run`, by the notes that the run began with; `caller` calls the portal."""
    notes, portal = run.notes, run.portal
    # Whoever only looks settles nothing, and another process may be sending meanwhile.
    sent = [given_up(one.item, comparison) for one in await run.ledger.open_intents() if one.op == "create"]
    sent += (await run.ledger.notes()).given_up  # also by this run
    # What stands in the format of the portal's settings is in its server's zone, but for activities.
    zone_s = 0 if run.sync.target.on_cards else portal.server_offset_s or 0
    late = {name for one in sent for name in (one.mark, one.signature)}
    return Own(
        name=run.ledger_name,
        # One that was put back to an earlier state has forgotten what it did since, and whose it took over.
        looked=notes.looked if notes.restored is None else None,
        exact=notes.verified is not None and notes.verified.portal == portal.origin,
        wall_s=zone_s,
        caller=caller,
        late=frozenset(late),
        lost=notes.looked.others if notes.looked is not None else (),
    )


async def _past(
    run: Pass, found: Strangers, items: Sequence[Item], links: Sequence[Link], observation: Observation
) -> Mapping[str, Sequence[str]]:
    """Return by mark what was made of the items whose marks `found` shows: only where a pass would be refused."""
    comparison = observation.comparison
    keys = {comparison.mark(item): item.key for item in items} | {mark_of(link, comparison): link.key for link in links}
    wanted = {mark: keys[mark] for seen in found.made if (mark := seen.mark) in keys}
    past = await run.ledger.past(frozenset(wanted.values()))
    # What the portal refused it may have made all the same.
    held = {hold.key for hold in await run.ledger.holds()}
    return {mark: (*past.get(key, ()), *(("hold",) if key in held else ())) for mark, key in wanted.items()}


async def _stand_already(run: Pass, new: Sequence[Item]) -> bool:
    """Return True if something bears the mark of one of the `new` items; raises the client's errors.

    An ordinary pass does not read the portal, and another ledger at work makes what is new in the source as well. So
    what is to be made is looked for, as what is to be changed is looked at; one request tells enough.
    """
    verified = run.notes.verified
    if verified is None or 0 <= run.clock.now() - verified.at < CLOCKS_APART_S:
        return False
    return await run.sync.target.stands(run.portal, new)
