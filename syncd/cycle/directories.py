"""The users, groups and sections of the portal, kept between passes so that an ordinary pass need not ask for them.

It also creates the sections that a plan needs, each only once: if the outcome of a create is unknown, the section is
looked up by name first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import msgspec
import structlog

from syncd import events
from syncd.clock import sleep_or_stop
from syncd.cycle.kept import UNRESOLVED_AGE_S, is_lacking, is_missing
from syncd.cycle.sync import Pass, moment_for
from syncd.errors import EntryError
from syncd.lang.saying import say
from syncd.model.elapsed import ClockNote, elapsed_s, noted
from syncd.model.entry import Entry
from syncd.model.item import Change, Place
from syncd.model.json_values import Json
from syncd.model.made_sections import MadeSection
from syncd.portal.client import Job
from syncd.portal.line.remedies import explained, meaning_of
from syncd.portal.line.wire import Done, Refused, Reply, Unknown, created_id
from syncd.portal.people.crm import read_clients
from syncd.portal.people.directory import Directory
from syncd.portal.people.reading import read_directory
from syncd.portal.people.section_rights import with_calendars
from syncd.portal.probe.facts import facts_from
from syncd.state.portal_ledger import KnownPortal

_log = structlog.get_logger()
_SECTION_ADD = "calendar.section.add"
_TRIES = 3


async def directory_for(
    run: Pass,
    entries: Sequence[Entry],
    *,
    fresh: bool,
    keep: bool,
    every: Callable[[], Awaitable[Sequence[Entry]]] | None = None,
) -> Directory:
    """Return a directory that holds the owners of `entries` and their sections.

    `fresh` reads it from the portal; otherwise the kept one serves until `Sync.directory_every` has passed, or until
    somebody is missing in it, or may not be written to, and it is a quarter of an hour old. Clients who were not found
    are asked for again each time. With `every`, `entries` are only those that the kept one may lack something of;
    `every` returns all of them, and is called where the directory is read from the portal. `keep` writes it to the
    ledger. Raises the client's errors, and what `every` raises.
    """
    now = run.clock.now()
    remembered = await run.portal_ledger.known(run.portal.origin)
    known, kept = _kept(run, remembered, now, fresh=fresh)
    if kept is not None:
        kept = await _with_needed(run, entries, kept)
        too_old = now - kept.read_at > UNRESOLVED_AGE_S
        if too_old and await run.worked_out(is_lacking, run.sync.target, entries, kept):
            kept = None
    if kept is None:
        run.directory_mark = ""
        # Every sync of the portal uses it, so it has groups if any of them has needed groups.
        groups = run.sync.target.wants_groups or bool(known is not None and known.groups)
        read = await read_directory(run.portal, now=now, groups=groups)
        kept = await _with_needed(run, entries if every is None else await every(), read)
    return await _completed(run, remembered, known, kept, keep=keep)


async def known_directory(run: Pass, *, keep: bool) -> Directory | None:
    """Return what `directory_for` returns if the kept directory lacks nothing; None if the portal has to be asked."""
    remembered = await run.portal_ledger.known(run.portal.origin)
    known, kept = _kept(run, remembered, run.clock.now(), fresh=False)
    if kept is None:
        return None
    return await _completed(run, remembered, known, replace(kept, country=run.sync.country), keep=keep)


def _kept(run: Pass, remembered: KnownPortal, now: float, *, fresh: bool) -> tuple[Directory | None, Directory | None]:
    """Return the directory that was kept, and again if it may serve this pass."""
    known = _readable(remembered.directory)
    run.directory_mark = remembered.mark if known is not None else ""
    if known is None or fresh or not 0 <= now - known.read_at < run.sync.directory_every.total_seconds():
        return known, None
    return known, known if known.groups or not run.sync.target.wants_groups else None


async def _completed(
    run: Pass, remembered: KnownPortal, known: Directory | None, kept: Directory, *, keep: bool
) -> Directory:
    """Return `kept` with what else is known of the portal, and write it to the ledger if that is news."""
    if known is not None and (kept.sections is not known.sections or kept.barred):  # else nothing was read or lost
        # Where events of ours may stand already, a right that was lost is no reason to make or to hold anything.
        once_open = known.sections.keys() - known.barred.keys()
        kept = replace(kept, barred={name: bar for name, bar in kept.barred.items() if name not in once_open})
        # What other syncs of the portal have read stays until they read it again.
        kept = _followed(run, kept.with_sections({**known.sections, **kept.sections}), known)
    # What a probe of this very portal has found, if there was one.
    facts = facts_from(remembered.facts) if remembered.facts is not None else None
    zone = run.sync.portal_zone or (facts.text("server_zone") if facts is not None else "")
    directory = replace(kept, server_zone=zone)
    if replace(directory, country="") != known:
        run.directory_mark = ""
        if keep:
            await store(run, directory)
    return directory


async def store(run: Pass, directory: Directory) -> None:
    """Keep `directory` for the next passes of all syncs of its portal, so without what this one chose."""
    kept = msgspec.to_builtins(replace(directory, country=""))
    await run.portal_ledger.note_directory(run.portal.origin, kept, run.clock.now())


async def kept_directory(run: Pass) -> Directory | None:
    """Return the directory that was kept of this very portal, None if there is none that can be read."""
    return _readable(await run.portal_ledger.directory(run.portal.origin))


def _readable(kept: Json) -> Directory | None:
    try:
        return msgspec.convert(kept, Directory) if kept is not None else None
    except msgspec.ValidationError:
        return None  # written by another version of syncd: it is read from the portal again


def _followed(run: Pass, directory: Directory, before: Directory) -> Directory:
    """Return `directory` with the sections renamed since `before`, and tell of those that are new among them."""
    directory = directory.following(before, run.sync.target.section_name)
    for calendar, old, new in directory.renamed():
        if directory.followed[calendar][old] != before.followed.get(calendar, {}).get(old):
            _log.warning(events.SECTION_RENAMED, sync=run.sync.name, calendar=calendar, before=old, after=new)
    return directory


async def _with_needed(run: Pass, entries: Sequence[Entry], directory: Directory) -> Directory:
    """Return `directory` with the clients and sections of `entries` that it lacks."""
    target, directory = run.sync.target, replace(directory, country=run.sync.country)
    # Who was not found, or twice, may have been added or merged since: then the entry need not wait for a verify.
    clients = await run.worked_out(target.sought, entries, directory)
    sought = [one for one in clients if not directory.clients.has_one(one)]
    if sought:
        run.directory_mark = ""
        directory = directory.with_clients(await read_clients(run.portal, sought))
    needed = await run.worked_out(target.places, entries, directory)
    missing = sorted(place for place in needed if not place.on_card and is_missing(directory, place))
    if missing:
        run.directory_mark = ""
        directory = await with_calendars(run.portal, directory, missing)
    return directory


async def ensure_sections(
    run: Pass, directory: Directory, changes: Iterable[Change]
) -> tuple[Directory, Mapping[Place, str]]:
    """Return a directory in which every section that `changes` need exists, and why some do not, by place.

    Raises the client's errors.
    """
    needed = sorted(
        {(c.key.place, c.item.section) for c in changes if c.item is not None and c.item.section_id is None}
    )
    troubled: dict[Place, str] = {}
    # What the directory says may be old; only what is read now can trouble.
    missing = [one for one in needed if not _exists(directory, *one, {})]
    if missing:
        # Whoever made one since the directory was read, or was killed while making it, made it for us too.
        directory = await _awaited(run, directory, missing)
    for _ in range(_TRIES):
        missing = [one for one in needed if not _exists(directory, *one, troubled) and one[0] not in troubled]
        if not missing or run.stop.is_set():
            break
        outcomes = await _create(run, missing)
        for (place, name), outcome in zip(missing, outcomes, strict=True):
            if isinstance(outcome, Refused):
                troubled[place] = say(
                    "section {name!r} could not be created: {said}",
                    name=name,
                    said=_why(outcome),
                )
        directory = await _awaited(run, directory, missing)
        for (place, name), outcome in zip(missing, outcomes, strict=True):
            if isinstance(outcome, Done) and not _exists(directory, place, name, troubled):
                # It exists under another name: a second one would not be found either.
                renamed = say("section {name!r} was created, but the portal changed its name: use its id", name=name)
                troubled.setdefault(place, renamed)
        # What nobody answered and what stands there now, although it did not before, is ours all the same.
        unanswered = [one for one, outcome in zip(missing, outcomes, strict=True) if isinstance(outcome, Unknown)]
        found = {one: section for one in unanswered if (section := _id_of(directory, *one)) is not None}
        await note_made(run, found)
        _log.info(events.SECTIONS_CREATED, sync=run.sync.name, wanted=len(missing), refused=len(troubled))
    return directory, troubled


async def _create(run: Pass, sections: Sequence[tuple[Place, str]]) -> tuple[Reply | None, ...]:
    """Send the creates of `sections` and return their outcomes in the same order, None for what was not sent."""
    journal = _SectionsJournal(run, sections)
    jobs = [
        Job(id=number, command=run.sync.target.section_command(place, name), repeatable=False)
        for number, (place, name) in enumerate(sections)
    ]
    await run.portal.push(jobs, journal, run.stop)
    return tuple(journal.outcomes.get(job.id) for job in jobs)


class _SectionsJournal:
    """Keeps the outcomes of section creates, and notes how many may still be at work and which sections were made.

    Whoever takes over after a crash waits until those must have ended, and then finds what they made by name.
    """

    def __init__(self, run: Pass, sections: Sequence[tuple[Place, str]]) -> None:
        self.outcomes: dict[int, Reply] = {}
        self._run = run
        self._sections = sections
        self._under_way: set[int] = set()
        self._clocks: tuple[ClockNote, ...] = ()

    async def intend(self, jobs: Sequence[Job]) -> None:
        """Write down that creates are under way."""
        self._under_way |= {job.id for job in jobs}
        await self._note()

    async def settle(self, outcomes: Sequence[tuple[Job, Reply]]) -> None:
        """Remember what became of each create."""
        self.outcomes.update((job.id, outcome) for job, outcome in outcomes)
        self._under_way -= {job.id for job, one in outcomes if not isinstance(one, Unknown) or one.ended}
        await self._note()
        created = {job.id: created_id(one) for job, one in outcomes if isinstance(one, Done)}
        await note_made(self._run, {self._sections[number]: one for number, one in created.items() if one is not None})

    async def _note(self) -> None:
        ledger, now = self._run.portal_ledger, self._run.clock.now()
        if self._under_way:
            self._clocks = noted(self._clocks, self._run.portal.moment())
        await ledger.note_sections_under_way(len(self._under_way), now, self._clocks)


async def note_made(run: Pass, sections: Mapping[tuple[Place, str], int]) -> None:
    """Write down the ids of sections that the sync has made: a purge may remove them."""
    made = [MadeSection(id=one, place=place, name=name, sync=run.sync.name) for (place, name), one in sections.items()]
    if made:
        await run.portal_ledger.note_sections(run.portal.origin, made, run.clock.now())


async def _awaited(run: Pass, directory: Directory, missing: Collection[tuple[Place, str]]) -> Directory:
    """Return `directory` with the sections of `missing` as they are when no earlier create can be at work any more.

    One that nobody answered may still wait in the portal's queue after its time-out. What is not there then is looked
    for once more.
    """
    limits = run.portal.limits
    for patience_s in (limits.timeout, limits.timeout + limits.settle):
        under_way = await run.portal_ledger.sections_under_way()
        if under_way is not None:
            await _await_earlier(run, *under_way, patience_s)
        directory = await _read_again(run, directory, missing)
        if under_way is None or run.stop.is_set() or all(_exists(directory, *one, {}) for one in missing):
            break
    if not run.stop.is_set():
        await run.portal_ledger.note_sections_under_way(0, run.clock.now())
    return directory


async def _await_earlier(run: Pass, number: int, since: float, patience_s: float) -> None:
    """Let pass what is left of `patience_s` since section creates whose outcome never became known."""
    clocks = await run.portal_ledger.clocks()
    wait_s = patience_s - elapsed_s(since, clocks, await moment_for(run.portal, clocks))
    if wait_s > 0:
        _log.info(events.RECOVERY_WAITED, seconds=round(wait_s, 1), sections=number)
        await sleep_or_stop(run.clock, wait_s, run.stop)


async def _read_again(run: Pass, directory: Directory, missing: Collection[tuple[Place, str]]) -> Directory:
    """Return `directory` with the sections of the places in `missing` as they are now, and keep it."""
    places = sorted({place for place, _ in missing})
    # What was known before goes: a place that cannot be read now has unknown sections.
    read = await with_calendars(run.portal, directory.without_sections(places), places)
    directory = _followed(run, read, directory)
    await store(run, directory)
    return directory


def _why(refused: Refused) -> str:
    return explained(refused.description or refused.code, meaning_of(_SECTION_ADD, refused.code, refused.description))


def _id_of(directory: Directory, place: Place, name: str) -> int | None:
    try:
        section = directory.section(place, name) if directory.knows(place) else None
    except EntryError:
        return None
    return section.id if section is not None else None


def _exists(directory: Directory, place: Place, name: str, troubled: dict[Place, str]) -> bool:
    if not directory.knows(place):
        troubled[place] = say("the sections of {place} could not be read, so none is created", place=str(place))
        return False
    try:
        return directory.section(place, name) is not None
    except EntryError as error:
        troubled[place] = str(error)
        return False
