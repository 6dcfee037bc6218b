"""What a reading of the portal tells of linked events, besides what is to be changed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from syncd.model.doubles import Double, GivenUp, doubles
from syncd.model.item import Key, Link, Place
from syncd.model.observation import Observation
from syncd.model.plan import Plan, Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found of linked events, and which others were read; the fields are those of `cycle.plan.Prepared`."""

    observed: frozenset[int] | None = None
    confirmed: frozenset[Key] = frozenset()
    gone: Mapping[Key, int] = field(default_factory=dict)
    stamps: Mapping[Key, str] = field(default_factory=dict)
    lost: frozenset[int] = frozenset()


def found_by(
    observation: Observation,
    plan: Plan,
    wanted: Wanted,
    links: Sequence[Link],
    *,
    may_not_write: Callable[[Place], bool],
    source_wins: bool,
) -> Found:
    """Return what `observation` tells of `links`, from which `plan` was made.

    What is gone counts where `source_wins` over what people do, and where nobody may write now.
    """
    looked_at = observation.about(links)
    deleted = [change.link for change in plan.changes if change.op == "delete" and change.link is not None]
    return Found(
        observed=frozenset(observation.events),
        confirmed=_confirmed(looked_at, plan, observation),
        gone=_gone(wanted, looked_at, observation, may_not_write=may_not_write, source_wins=source_wins),
        stamps=observation.stamps(looked_at),
        lost=frozenset(link.remote_id for link in deleted if observation.lost(link)),
    )


def doubles_left(
    links: Iterable[Link],
    plan: Plan,
    observation: Observation,
    creates: Iterable[GivenUp],
    caller: int,
    ledger: str,
) -> tuple[Double, ...]:
    """Return the events that stand beside linked ones, without those that `plan` takes over; see `doubles`."""
    taken = {change.link.remote_id for change in plan.changes if change.op == "adopt" and change.link is not None}
    found = doubles(links, observation, creates, caller, ledger)
    return tuple(one for one in found if one.seen.remote_id not in taken)


def _confirmed(links: Sequence[Link], plan: Plan, observation: Observation) -> frozenset[Key]:
    """Return the linked items that were read and found to be as they were sent."""
    touched = {change.key for change in (*plan.changes, *plan.conflicts)}
    return frozenset(link.key for link in links if link.key not in touched and observation.difference(link) is None)


def _gone(
    wanted: Wanted,
    links: Sequence[Link],
    observation: Observation,
    *,
    may_not_write: Callable[[Place], bool],
    source_wins: bool,
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
    refused = {place for place in {link.key.place for link in lost} if may_not_write(place)}
    keys |= {link.key for link in lost if link.key.place in refused and link.key.uid in wanted.unusable}
    if not source_wins:
        keys &= observation.late
    return {link.key: link.remote_id for link in lost if link.key in keys}
