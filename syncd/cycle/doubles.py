"""Removes events that stand twice because the portal carried out a request long after it was given up.

Which these are is decided in model.doubles. They are in no link, so the ledger only forgets that they might come.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import structlog

from syncd import events
from syncd.cycle.sync import Pass
from syncd.lang.saying import say
from syncd.model.doubles import Double, remembered
from syncd.model.item import Change
from syncd.portal.client import Job
from syncd.portal.line.wire import Done, Reply
from syncd.portal.people.directory import Directory

_log = structlog.get_logger()


async def remove_doubles(run: Pass, found: Iterable[Double], directory: Directory) -> None:
    """Delete what is proved to be ours and to stand twice; what fails is found again by the next verifying pass.

    Raises the client's errors and StateError.
    """
    ours = [one for one in found if one.ours]
    if not ours:
        return
    links = [replace(one.link, remote_id=one.seen.remote_id) for one in ours]
    changes = [Change(op="delete", key=link.key, link=link, reason=say("stands twice")) for link in links]
    commands = [run.sync.target.command(change, 0, directory) for change in changes]
    jobs = [Job(id=number, command=command, repeatable=True) for number, command in enumerate(commands)]
    outcomes = _Outcomes()
    await run.portal.push(jobs, outcomes, run.stop)
    come = [one.seen.mark for number, one in enumerate(ours) if number in outcomes.done]
    left = remembered((await run.ledger.notes()).given_up, come=come)
    await run.ledger.note_given_up(left, run.clock.now())
    _log.warning(events.DOUBLES_REMOVED, sync=run.sync.name, found=len(ours), removed=len(come))


class _Outcomes:
    """Keeps which deletes were done. A delete may be repeated, so nothing has to be written down before."""

    def __init__(self) -> None:
        self.done: set[int] = set()

    async def intend(self, jobs: Sequence[Job]) -> None:
        """Do nothing."""

    async def settle(self, outcomes: Sequence[tuple[Job, Reply]]) -> None:
        """Remember the deletes that were done."""
        self.done |= {job.id for job, reply in outcomes if isinstance(reply, Done)}
