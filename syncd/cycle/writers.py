"""Asks the ledger and the portal what tells of another ledger that writes here; model.second_writer decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from syncd.cycle.sync import Pass
from syncd.model.doubles import given_up
from syncd.model.item import Item, Link
from syncd.model.observation import Comparison, Observation, mark_of
from syncd.model.plan import Plan
from syncd.model.second_writer import CLOCKS_APART_S, NOBODY, Own, Strangers, Writers, looked_at, strangers
from syncd.portal.people.directory import Directory


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
