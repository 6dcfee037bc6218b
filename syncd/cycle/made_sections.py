"""Removes the sections that syncd made itself and in which nothing stands any more, after a purge.

Which these are is decided in model.made_sections. A section that goes takes its events with it, so each is looked at
first; nobody of this process makes events in one meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from syncd import events
from syncd.cycle.directories import directory_for, store
from syncd.cycle.sync import Pass
from syncd.errors import PortalRefusedError, PortalUnreachableError, StoppedError
from syncd.lang.saying import say
from syncd.model.made_sections import MadeSection, concerning, is_gone, why_it_stays
from syncd.portal.client import Job
from syncd.portal.line.wire import Done, Reply
from syncd.portal.people.directory import Directory
from syncd.portal.people.section_contents import deleting, read_contents

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidied:
    """Which sections were removed, and why others were not; `holders` names whose calendars they are in, by id."""

    removed: tuple[MadeSection, ...] = ()
    left: tuple[tuple[MadeSection, str], ...] = ()
    holders: Mapping[int, str] = field(default_factory=dict)


async def own_sections(run: Pass) -> tuple[MadeSection, ...]:
    """Return the sections that a purge of the sync may remove; raises StateError."""
    made = await run.portal_ledger.sections_made(run.portal.origin)
    return concerning(made, run.sync.name, run.sync.target.section_name)


async def remove_empty(run: Pass, others: Collection[str]) -> Tidied:
    """Remove the empty ones of the sync's own sections; `others` are the sections that other syncs write to.

    A portal that cannot be asked leaves them all. Raises StateError.
    """
    made = await own_sections(run)
    if not made or run.stop.is_set():
        return Tidied(left=tuple((one, say("stopped before it was looked at")) for one in made))
    try:
        return await _removed(run, made, others)
    except (PortalRefusedError, PortalUnreachableError, StoppedError) as error:
        return Tidied(left=tuple((one, str(error)) for one in made))


async def _removed(run: Pass, made: Sequence[MadeSection], others: Collection[str]) -> Tidied:
    directory = await directory_for(run, (), fresh=False, keep=True)
    caller = directory.caller.id
    async with run.portal.claiming:
        seen = await read_contents(run.portal, made)
        gone = [one for one, found in seen.items() if is_gone(one, found, caller)]
        stays: dict[MadeSection, str] = {one: say("its calendar could not be read") for one in made if one not in seen}
        for one, found in seen.items():
            if found is not None and one not in gone and (why := why_it_stays(one, found, caller, others)):
                stays[one] = why
        removed, refused = await _delete(run, [one for one in made if one not in stays and one not in gone])
    await run.portal_ledger.forget_sections(run.portal.origin, [one.id for one in (*gone, *removed)], run.clock.now())
    if removed:
        await store(run, directory.without_sections(one.place for one in removed))
        _log.info(events.SECTIONS_REMOVED, sync=run.sync.name, removed=len(removed), left=len(stays) + len(refused))
    left = {**stays, **refused}
    return Tidied(
        removed=tuple(removed),
        left=tuple((one, left[one]) for one in made if one in left),
        holders=holders(made, directory),
    )


def holders(made: Sequence[MadeSection], directory: Directory) -> Mapping[int, str]:
    """Return whose calendar each section is in, by its id."""
    return {one.id: directory.holder(one.place) or str(one.place) for one in made}


async def _delete(run: Pass, sections: Sequence[MadeSection]) -> tuple[Sequence[MadeSection], dict[MadeSection, str]]:
    """Delete `sections`; return those that are gone now, and why others are not."""
    outcomes = _Outcomes()
    jobs = [Job(id=number, command=deleting(one), repeatable=True) for number, one in enumerate(sections)]
    if jobs:
        await run.portal.push(jobs, outcomes, run.stop)
    done = [one for number, one in enumerate(sections) if _is_done(outcomes.replies.get(number))]
    return done, {one: say("the portal did not delete it") for one in sections if one not in done}


def _is_done(reply: Reply | None) -> bool:
    return isinstance(reply, Done) and reply.result is True


class _Outcomes:
    """Keeps what was answered. A delete may be repeated, so nothing has to be written down before."""

    def __init__(self) -> None:
        self.replies: dict[int, Reply] = {}

    async def intend(self, jobs: Sequence[Job]) -> None:
        """Do nothing."""

    async def settle(self, outcomes: Sequence[tuple[Job, Reply]]) -> None:
        """Remember the answers."""
        self.replies.update((job.id, reply) for job, reply in outcomes)
