"""Creates the sections a plan needs, once: a create whose outcome is unknown is looked up by name before anything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

import structlog

from syncd.clock import sleep_or_stop
from syncd.cycle import directory as directories
from syncd.cycle.setup import SyncSetup, World
from syncd.errors import EntryError
from syncd.model.item import Change, Place
from syncd.portal.exchange.queue import Job
from syncd.portal.line.wire import Done, Outcome, Refused, Unknown
from syncd.portal.people.directory import Directory

_log = structlog.get_logger()
_TRIES = 3
_NOTE = "sections under way"


class _SectionsJournal:
    """Keeps the outcomes of section creates: what is unknown is found again by name, once no request is at work."""

    def __init__(self, world: World) -> None:
        self.outcomes: dict[int, Outcome] = {}
        self._world = world
        self._under_way: set[int] = set()

    async def intend(self, jobs: Sequence[Job]) -> None:
        """Write down that creates are under way; whoever takes over after a crash waits until they must have ended."""
        self._under_way |= {job.id for job in jobs}
        await self._note()

    async def settle(self, outcomes: Sequence[tuple[Job, Outcome]]) -> None:
        """Remember what became of each create."""
        self.outcomes.update((job.id, outcome) for job, outcome in outcomes)
        self._under_way -= {job.id for job, outcome in outcomes if not _may_go_on(outcome)}
        await self._note()

    async def _note(self) -> None:
        scope = directories.scope(self._world)
        if self._under_way:
            await self._world.ledger.note(scope, _NOTE, len(self._under_way), self._world.clock.now())
        else:
            await self._world.ledger.drop_note(scope, _NOTE)


def _may_go_on(outcome: Outcome) -> bool:
    return isinstance(outcome, Unknown) and not outcome.ended


async def _settle_earlier(world: World, stop: asyncio.Event) -> None:
    """Wait until section creates of which nobody heard again must have ended."""
    scope = directories.scope(world)
    note = await world.ledger.read_note(scope, _NOTE)
    if note is None:
        return
    wait_s = min(note[1] + world.portal.limits.timeout - world.clock.now(), world.portal.limits.timeout)
    if wait_s > 0:
        _log.info("recovery.waited", seconds=round(wait_s, 1), sections=note[0])
        await sleep_or_stop(world.clock, wait_s, stop)
    if not stop.is_set():
        await world.ledger.drop_note(scope, _NOTE)


async def ensure_sections(
    setup: SyncSetup, world: World, directory: Directory, changes: Iterable[Change], stop: asyncio.Event
) -> tuple[Directory, Mapping[Place, str]]:
    """Return a directory in which every section that `changes` need exists, and why some do not.

    Raises the client's errors.
    """
    needed = sorted(
        {(c.key.place, c.item.section) for c in changes if c.item is not None and c.item.section_id is None}
    )
    troubled: dict[Place, str] = {}
    missing = [one for one in needed if not _exists(directory, *one, troubled)]
    if missing:  # whoever made one since the directory was read, or was killed while making it, made it for us
        await _settle_earlier(world, stop)
        directory = await _read_anew(world, directory, missing)
    for _ in range(_TRIES):
        missing = [one for one in needed if one[0] not in troubled and not _exists(directory, *one, troubled)]
        if not missing or stop.is_set():
            break
        journal = _SectionsJournal(world)
        jobs = [
            Job(id=number, command=setup.target.section_command(calendar, name), repeatable=False)
            for number, (calendar, name) in enumerate(missing, start=1)
        ]
        await world.portal.push(jobs, journal, stop)
        for number, (calendar, name) in enumerate(missing, start=1):
            outcome = journal.outcomes.get(number)
            if isinstance(outcome, Refused):
                troubled[calendar] = f"section {name!r} could not be created: {outcome.description or outcome.code}"
        await _settle_earlier(world, stop)
        directory = await _read_anew(world, directory, missing)
        for number, (calendar, name) in enumerate(missing, start=1):
            if isinstance(journal.outcomes.get(number), Done) and not _exists(directory, calendar, name, troubled):
                # It stands there under another name: a second one would not be found either.
                troubled.setdefault(
                    calendar, f"section {name!r} was created, but the portal changed its name: use its id"
                )
        _log.info("sections.created", sync=setup.name, wanted=len(missing), refused=len(troubled))
    return directory, troubled


async def _read_anew(world: World, directory: Directory, missing: Iterable[tuple[Place, str]]) -> Directory:
    directory = await directories.reread_sections(world, directory, {calendar for calendar, _ in missing})
    await directories.store(world, directory)
    return directory


def _exists(directory: Directory, calendar: Place, name: str, troubled: dict[Place, str]) -> bool:
    try:
        return directory.section(calendar, name) is not None
    except EntryError as error:
        troubled[calendar] = str(error)
        return False
