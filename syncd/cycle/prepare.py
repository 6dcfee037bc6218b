"""The plan of a pass: what is read, what it becomes, and what would change. Sends nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from syncd import collector
from syncd.cycle import directory as directories
from syncd.cycle.home import check_home
from syncd.cycle.look import observe, verify_due, without_siblings
from syncd.cycle.naming import named, shape_recognised
from syncd.cycle.result import Prepared
from syncd.cycle.setup import SyncSetup, World
from syncd.cycle.shaping import Shaping, context_of, kept_entries, shape_all
from syncd.model.diff import make_plan
from syncd.model.edits import difference
from syncd.model.entry import Problem
from syncd.model.guard import believed
from syncd.model.item import Hold, Key, Link, Place
from syncd.model.plan import Observation, Plan
from syncd.model.window import Window


async def prepare(setup: SyncSetup, world: World, *, verify: bool, keep: bool) -> Prepared:
    """Return the plan of a pass without changing anything in the portal; `keep` lets it write to the ledger.

    Reads the portal's events on the first pass, every `verify_every`, and when `verify` asks for it; else only those
    that are to be changed, where the portal's edits are to be left. Raises SourceError when the source cannot be read
    at all, GuardError when the sync has written to another portal, and the client's errors.
    """
    await check_home(setup, world)
    now = world.clock.now()
    window = setup.window(now)
    snapshot = await setup.source.read(setup.reading(now))
    verify = verify or await verify_due(setup, world, now)
    links = await world.ledger.links(setup.name)
    setup.check_links(links)
    held = await world.ledger.holds(setup.name)
    naming = await named(setup, world, snapshot, kept_entries(setup, snapshot), links, held)
    directory = await directories.directory_for(setup, world, naming.kept.entries, fresh=verify, keep=keep)
    context = context_of(setup, directory, window=window, now=now)
    with collector.resting():
        naming, shaping, renamed = shape_recognised(setup, naming, context, links, held)
    kept = naming.kept
    snapshot = believed(naming.snapshot, links, window=window, removed_after=setup.policy.removed_after)
    plan, observation = await _planned(setup, world, shaping, links, held, window=window, verify=verify)
    commands = Counter(setup.target.command(c, 0, directory).method for c in plan.changes if c.op != "adopt")
    problems = (*renamed, *snapshot.problems, *shaping.problems, *plan.problems)
    if not snapshot.complete:
        reason = f"{snapshot.incomplete_because}; nothing is deleted"
        problems = (Problem(where=setup.source.describe(), kind="incomplete", reason=reason), *problems)
    return Prepared(
        sync=setup.name,
        plan=plan,
        snapshot=snapshot,
        kept=kept,
        uids=naming.uids,
        directory=directory,
        problems=problems,
        rejected=shaping.rejected,
        held=shaping.held + plan.held,
        forecast=world.portal.forecast(commands),
        notified=Counter(user for change in plan.changes for user in setup.target.notices(change, directory, now)),
        new_sections=len(_without_section(plan)),
        verified=verify,
        wanted=shaping.wanted.items,
        links=links,
        observed=frozenset(observation.events) if observation is not None else None,
        confirmed=_confirmed(links, plan, observation),
        gone=_gone(setup, shaping, links, observation),
        edits_win=setup.policy.on_conflict == "portal",
    )


async def _planned(
    setup: SyncSetup,
    world: World,
    shaping: Shaping,
    links: Sequence[Link],
    held: Sequence[Hold],
    *,
    window: Window,
    verify: bool,
) -> tuple[Plan, Observation | None]:
    """Return the plan, and what was read of the portal for it when it was to be read."""
    observation = await observe(setup, world, shaping.wanted.items, links, window) if verify else None
    if observation is not None:
        observation = await without_siblings(setup, world, observation)
    holds = {hold.key: hold for hold in held}
    planned = partial(
        make_plan, shaping.wanted, links, holds, policy=setup.policy, window=window, now=world.clock.now()
    )
    with collector.resting():
        plan = planned(observation=observation)
    if observation is None and setup.policy.on_conflict != "source" and (touched := plan.touched):
        plan = planned(observation=await setup.target.observe(world.portal, touched, (), window))
    return plan, observation


def _confirmed(links: Sequence[Link], plan: Plan, observation: Observation | None) -> frozenset[Key]:
    """Return the linked items that were read and found to be as they were sent."""
    if observation is None:
        return frozenset()
    touched = {change.key for change in (*plan.changes, *plan.conflicts)}
    return frozenset(link.key for link in links if link.key not in touched and difference(observation, link) is None)


def _gone(setup: SyncSetup, shaping: Shaping, links: Sequence[Link], observation: Observation | None) -> dict[Key, int]:
    """Return what is linked and wanted but not to be seen, where the source decides; also what a hold keeps waiting."""
    if observation is None or setup.policy.on_conflict != "source":
        return {}
    wanted = {item.key for item in shaping.wanted.items}
    return {link.key: link.remote_id for link in links if link.remote_id in observation.gone and link.key in wanted}


async def plan_anew(setup: SyncSetup, world: World, prepared: Prepared, gone: Mapping[Key, int]) -> Plan:
    """Plan once more from the same snapshot, after outcomes became known; links to `gone` events count as none.

    It is the same pass: what is absent counts once, and nothing is touched that the first plan, which was guarded and
    approved, did not touch.
    """
    now = world.clock.now()
    window = setup.window(now)
    directory = await directories.directory_for(setup, world, prepared.kept.entries, fresh=False, keep=True)
    context = context_of(setup, directory, window=window, now=now)
    shaping = shape_all(setup, prepared.snapshot, prepared.kept, context)
    holds = {hold.key: hold for hold in await world.ledger.holds(setup.name)}
    absent = {link.key: link.absent_passes for link in prepared.links}
    living = [link for link in await world.ledger.links(setup.name) if gone.get(link.key) != link.remote_id]
    links = [replace(one, absent_passes=absent.get(one.key, 0)) for one in living]
    plan = make_plan(shaping.wanted, links, holds, policy=setup.policy, window=window, now=now)
    planned = {change.key for change in prepared.plan.changes}
    return replace(plan, changes=tuple(change for change in plan.changes if change.key in planned))


def _without_section(plan: Plan) -> set[tuple[Place, str]]:
    return {
        (change.key.place, change.item.section)
        for change in plan.changes
        if change.item is not None and change.item.section_id is None
    }
