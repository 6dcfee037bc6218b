"""Creates the sections a plan needs, once: a create whose outcome is unknown is looked up by name before anything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

import structlog

from syncd.cycle import directory as directories
from syncd.cycle.setup import SyncSetup, World
from syncd.errors import EntryError
from syncd.model.item import Calendar, Change
from syncd.portal.directory import Directory
from syncd.portal.waiting import Job
from syncd.portal.wire import Outcome, Refused, Unknown

_log = structlog.get_logger()
_TRIES = 3


class _SectionsJournal:
    """Keeps the outcomes of section creates in memory: what is unknown is found again by name."""

    def __init__(self) -> None:
        self.outcomes: dict[int, Outcome] = {}

    async def intend(self, jobs: Sequence[Job]) -> None:
        """Nothing to write down: a section is recognised by its name."""

    async def settle(self, outcomes: Sequence[tuple[Job, Outcome]]) -> None:
        """Remember what became of each create."""
        self.outcomes.update((job.id, outcome) for job, outcome in outcomes)


async def ensure_sections(
    setup: SyncSetup, world: World, directory: Directory, changes: Iterable[Change], stop: asyncio.Event
) -> tuple[Directory, Mapping[Calendar, str]]:
    """Return a directory in which every section that `changes` need exists, and why some do not.

    Raises the client's errors.
    """
    needed = sorted(
        {(c.key.calendar, c.item.section) for c in changes if c.item is not None and c.item.section_id is None}
    )
    troubled: dict[Calendar, str] = {}
    for _ in range(_TRIES):
        missing = [one for one in needed if one[0] not in troubled and not _exists(directory, *one, troubled)]
        if not missing or stop.is_set():
            break
        journal = _SectionsJournal()
        jobs = [
            Job(id=number, command=setup.target.section_command(calendar, name), repeatable=False)
            for number, (calendar, name) in enumerate(missing, start=1)
        ]
        await world.portal.push(jobs, journal, stop)
        for number, (calendar, name) in enumerate(missing, start=1):
            outcome = journal.outcomes.get(number)
            if isinstance(outcome, Refused):
                troubled[calendar] = f"section {name!r} could not be created: {outcome.description or outcome.code}"
        if any(isinstance(outcome, Unknown) for outcome in journal.outcomes.values()):
            await world.clock.sleep(world.portal.limits.timeout)  # the cut request may still be at work there
        directory = await directories.reread_sections(world, directory, {calendar for calendar, _ in missing})
        await directories.store(world, directory)
        _log.info("sections.created", sync=setup.name, wanted=len(missing), refused=len(troubled))
    return directory, troubled


def _exists(directory: Directory, calendar: Calendar, name: str, troubled: dict[Calendar, str]) -> bool:
    try:
        return directory.section(calendar, name) is not None
    except EntryError as error:
        troubled[calendar] = str(error)
        return False
