"""What a reading of the portal says about the links, besides what is to be changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from syncd.cycle.directories import is_refused
from syncd.cycle.sync import Pass
from syncd.model.doubles import Double, GivenUp, doubles
from syncd.model.item import Key, Link
from syncd.model.observation import Observation
from syncd.model.plan import Plan, Wanted
from syncd.portal.people.directory import Directory


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found of linked events, and which others were read; the fields are those of `cycle.plan.Prepared`."""

    observed: frozenset[int] | None = None
    confirmed: frozenset[Key] = frozenset()
    gone: Mapping[Key, int] = field(default_factory=dict)
    stamps: Mapping[Key, str] = field(default_factory=dict)
    lost: frozenset[int] = frozenset()
    doubles: tuple[Double, ...] = ()


async def found_by(
    run: Pass,
    plan: Plan,
    wanted: Wanted,
    links: Sequence[Link],
    observation: Observation | None,
    directory: Directory,
    *,
    verify: bool,
) -> Found:
    """Return what `observation` tells of `links`; with `verify` also what stands beside their events."""
    if observation is None:
        return Found()
    creates = (await run.ledger.notes()).given_up if verify else None
    # It goes through all links and all events, several times.
    return await run.worked_out(_found, run, plan, wanted, links, observation, directory, creates)


def _found(
    run: Pass,
    plan: Plan,
    wanted: Wanted,
    links: Sequence[Link],
    observation: Observation,
    directory: Directory,
    creates: Sequence[GivenUp] | None,
) -> Found:
    looked_at = observation.about(links)
    deleted = [change.link for change in plan.changes if change.op == "delete" and change.link is not None]
    beside = doubles(links, observation, creates, directory.caller.id, run.ledger_name) if creates is not None else ()
    taken = {change.link.remote_id for change in plan.changes if change.op == "adopt" and change.link is not None}
    return Found(
        observed=frozenset(observation.events),
        confirmed=_confirmed(looked_at, plan, observation),
        gone=_gone(run, wanted, looked_at, observation, directory),
        stamps=observation.stamps(looked_at),
        lost=frozenset(link.remote_id for link in deleted if observation.lost(link)),
        doubles=tuple(one for one in beside if one.seen.remote_id not in taken),
    )


def _confirmed(links: Sequence[Link], plan: Plan, observation: Observation) -> frozenset[Key]:
    """Return the linked items that were read and found to be as they were sent."""
    touched = {change.key for change in (*plan.changes, *plan.conflicts)}
    return frozenset(link.key for link in links if link.key not in touched and observation.difference(link) is None)


def _gone(
    run: Pass, wanted: Wanted, links: Sequence[Link], observation: Observation, directory: Directory
) -> dict[Key, int]:
    """Return what is linked and wanted but no longer exists, where the source decides; also what a hold keeps back.

    What a late delete of ours took away is wanted whoever decides; so is what may be written by nobody now, which the
    next pass has to find gone too.
    """
    doubled = observation.claimed_twice(links)
    lost = [link for link in links if observation.lost(link) or link.key in doubled]
    if not lost:
        return {}
    keys = {item.key for item in wanted.items}
    section = run.sync.target.section_name
    refused = {place for place in {link.key.place for link in lost} if is_refused(directory, place, section)}
    keys |= {link.key for link in lost if link.key.place in refused and link.key.uid in wanted.unusable}
    if run.sync.policy.on_conflict != "source":
        keys &= observation.late
    return {link.key: link.remote_id for link in lost if link.key in keys}
