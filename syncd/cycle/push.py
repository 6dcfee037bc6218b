"""Sends changes, whoever planned them.

Every change goes intend -> send -> settle through the ledger; nothing reaches the portal in any other way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import overload

from syncd.cycle.directories import ensure_sections
from syncd.cycle.sync import Pass
from syncd.errors import EntryError
from syncd.lang.saying import say
from syncd.model.elapsed import ClockNote, noted
from syncd.model.evidence import answered
from syncd.model.fates import Fate
from syncd.model.item import Change, Hold, Key, Place
from syncd.model.json_values import packed_fields
from syncd.model.order import predecessors, waits_for
from syncd.model.record import (
    Deleted,
    Dropped,
    Intent,
    Outcome,
    SetAside,
    Settlement,
    Unsettled,
    Written,
    next_hold,
    refusal,
)
from syncd.portal.client import Job
from syncd.portal.line.wire import DEPENDENCY, NOT_SENT, UNEXPECTED, Done, Refused, Reply, Unknown, created_id
from syncd.portal.people.directory import Directory

_BUDGET_SAVED_EVERY_S = 5.0
_MANY = 2_000
_Sendable = tuple[Change, int, tuple[int, ...]]
"""A change, the id of its section, and the indices of the changes that it must follow."""


async def push(
    run: Pass,
    changes: Sequence[Change],
    directory: Directory,
    *,
    observed: Collection[int],
    alone: bool = False,
) -> bool:
    """Send `changes`; return True if something has to be planned again because it was not sent.

    Changes without a usable answer are left open for `recover`, which every caller runs next. With `alone` each change
    is a request of its own. `observed` are the ids of events that were read in this run: what is to be updated or
    deleted was looked at before. Raises the client's errors and StateError.
    """
    changes = [change for change in changes if change.op != "adopt"]
    if not changes:
        return False
    run.fates.begin_round(change.key for change in changes)
    troubled: Mapping[Place, str] = {}
    if any(change.item is not None and change.item.section_id is None for change in changes):
        async with run.portal.claiming:
            directory, troubled = await ensure_sections(run, directory, changes)
    if run.stop.is_set():
        return False
    changes, unmade = await run.sync.target.fetched(changes, run.stop.is_set)
    if run.stop.is_set():
        return False
    sendable, refused = await run.worked_out(_sendable, changes, directory, troubled, unmade)
    for index, reason in refused.items():
        run.fates.add(changes[index].key, Fate(kind="refused", reason=reason, where=where_of(changes[index])))
    creates = [change.key for change, _, _ in sendable if change.op == "create"]
    highest = await _noted_floor(run, creates, observed) if creates else 0
    ids = await run.ledger.reserve_ids(len(sendable))
    journal = PushJournal(
        run=run,
        sendable=sendable,
        first=ids.start,
        caller=directory.caller.id,
        floor=highest,
        holds={hold.key: hold for hold in await run.ledger.holds()},
        saved_at=run.clock.monotonic(),
    )
    if len(sendable) < _MANY:
        jobs: Sequence[Job] = await run.worked_out(_jobs, run, sendable, ids, directory)
    else:
        jobs = _Jobs(run, sendable, ids, directory)
    try:
        await run.portal.push(jobs, journal, run.stop, alone=alone)
    finally:
        await journal.save_budget()
    if run.stop.is_set():
        return False
    if run.fates.refused.keys() - {changes[one].key for one in unmade}:
        # The portal refused something that the kept directory says is possible. What never reached it tells nothing.
        await run.portal_ledger.forget_directory()
    return bool(run.fates.not_sent)


def _jobs(
    run: Pass, sendable: Sequence[_Sendable], ids: range, directory: Directory, some: slice = slice(None)
) -> list[Job]:
    """Return a job for each of the changes, or for some, with its id and the ids of the jobs that it must follow."""
    return [
        Job(
            id=job_id,
            command=run.sync.target.command(change, section_id, directory, run.ledger_name),
            repeatable=change.op != "create",
            after=tuple(ids[one] for one in after),
        )
        for job_id, (change, section_id, after) in zip(ids[some], sendable[some], strict=True)
    ]


class _Jobs(Sequence[Job]):
    """The jobs of many changes, each made when it is asked for: all commands at once would take 1 kB for each."""

    def __init__(self, run: Pass, sendable: Sequence[_Sendable], ids: range, directory: Directory) -> None:
        self._ids = ids
        self._made = partial(_jobs, run, sendable, ids, directory)

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, at: int) -> Job: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[Job]: ...

    def __getitem__(self, at: int | slice) -> Job | Sequence[Job]:
        if isinstance(at, slice):
            return self._made(at)
        return self._made(slice(at, at + 1 or None))[0]


async def _noted_floor(run: Pass, creates: Sequence[Key], observed: Collection[int]) -> int:
    """Note the highest id that is known before `creates` are sent, and return it.

    What is not newer existed before them: recovery must not take it for one of them.
    """
    highest = max((*await run.claimed(creates), *observed), default=0)
    await run.ledger.note_floor(highest, run.clock.now())
    return highest


def _sendable(
    changes: Sequence[Change],
    directory: Directory,
    troubled: Mapping[Place, str],
    unmade: Mapping[int, str],
) -> tuple[list[_Sendable], Mapping[int, str]]:
    """Return the changes that can be sent, each with its section's id and the indices of those it must follow.

    Second, by index, why the others are refused: what has no section, and with it what must follow it. `troubled` tells
    why a place has no section, and `unmade` why some changes cannot be made.
    """
    after = predecessors(changes) if len(changes) > 1 else {}
    refused: dict[int, str] = dict(unmade)
    place_of: dict[int, int] = {}
    sendable: list[_Sendable] = []
    for index, change in enumerate(changes):
        section_id = _section_id(directory, change)
        missing = [one for one in after.get(index, ()) if one in refused]
        if index in unmade:
            continue
        if section_id is None:
            refused[index] = troubled.get(change.key.place) or say("its section could not be found or created")
        elif missing:
            refused[index] = waits_for(refused[missing[0]])
        else:
            place_of[index] = len(sendable)
            sendable.append((change, section_id, tuple(place_of[one] for one in after.get(index, ()))))
    return sendable, refused


def _section_id(directory: Directory, change: Change) -> int | None:
    """Return where `change` goes, None if there is no such section or it may not be written to."""
    if change.item is None:
        return change.link.section_id if change.link is not None else None
    if change.item.section_id is not None:
        return change.item.section_id
    try:
        section = directory.section(change.key.place, change.item.section)
    except EntryError:  # what it says is among the troubles of `ensure_sections`
        return None
    return section.id if section is not None else None


def where_of(change: Change) -> str:
    """Return the place in the source of what is changed."""
    holder = change.item or change.link
    return holder.where if holder is not None else ""


@dataclass(slots=True, kw_only=True)
class PushJournal:
    """Joins the client's batches to the ledger: intents before they are sent, outcomes when they are known.

    Tells the run's fates what became of each change. Saves the portal's budgets every few seconds as well, so that a
    killed process does not overrun them when it starts again within ten minutes, and `status` can tell of them.

    The jobs of `sendable` have ids in a row, from `first` on. `holds` are those that stand when the push begins.
    `caller` is the id of the portal's user who sends, `floor` the highest id that was known before. `saved_at` is the
    monotonic time at which the budgets were last saved.
    """

    run: Pass
    sendable: Sequence[_Sendable]
    first: int
    holds: Mapping[Key, Hold]
    caller: int
    floor: int
    saved_at: float
    _intended: bytearray = field(init=False)
    _flying: dict[int, Intent] = field(default_factory=dict)
    """The intents of jobs that were sent and are not settled: of few, and the ledger need not read them again."""
    _clocks: tuple[ClockNote, ...] | None = None

    def __post_init__(self) -> None:
        self._intended = bytearray(len(self.sendable))  # a set of ids takes a hundred times as much

    async def intend(self, jobs: Sequence[Job]) -> None:
        """Write the jobs' changes down; when this returns, a power cut cannot lose them.

        A job that comes again was not executed, or may be repeated: only the time it was sent changes.
        """
        now = self.run.clock.now()
        # How the clocks stand is noted once, unless one is set: so a later process knows how long ago this was.
        if self._clocks is None:
            # What earlier intents need that are still open is kept.
            left = await self.run.ledger.open_intents()
            self._clocks = (await self.run.ledger.notes()).clocks if left else ()
        clocks = noted(self._clocks, self.run.portal.moment())
        if clocks != self._clocks:
            await self.run.ledger.note_clocks(clocks, now)
            self._clocks = clocks
        fresh = [job.id for job in jobs if not self._is_intended(job.id)]
        if len(fresh) < len(jobs):
            await self.run.ledger.sent_again([job.id for job in jobs if self._is_intended(job.id)], now=now)
        await self._note_intents(fresh, now)

    async def settle(self, outcomes: Sequence[tuple[Job, Reply]]) -> None:
        """Write down what became of jobs, with their links, in one transaction.

        Some jobs were never sent. If what such a job waits for has failed, there is no intent to take back. If it
        cannot be written as a call, or the portal lacks its method, its intent is written down now, late: only an
        intent can be settled as refused.
        """
        now = self.run.clock.now()
        settled: list[Settlement] = []
        late: list[int] = []
        creates = any(self.sendable[job.id - self.first][0].op == "create" for job, _ in outcomes)
        taken = await self._taken(outcomes) if creates else Counter()
        for job, answer in outcomes:
            outcome = self._outcome(self.sendable[job.id - self.first][0], answer, now, taken)
            if not self._is_intended(job.id):
                if outcome == Dropped():
                    continue
                late.append(job.id)
            settled.append(Settlement(intent_id=job.id, outcome=outcome, at=now))
        if late:
            await self._note_intents(late, now)
        intended = [self._flying.pop(one.intent_id) for one in settled if one.intent_id in self._flying]
        await self.run.ledger.settle(self.run.run_id, settled, intended)
        if self.run.clock.monotonic() - self.saved_at >= _BUDGET_SAVED_EVERY_S:
            await self.save_budget()

    async def _taken(self, outcomes: Sequence[tuple[Job, Reply]]) -> Counter[int]:
        """Return the ids that creates were answered with, each with how many creates and links have it.

        If an id is no higher than what was there before, the portal counts from an earlier state: it was restored from
        a backup, or is another one.
        """
        made = {
            change.key: remote_id
            for job, answer in outcomes
            if (change := self.sendable[job.id - self.first][0]).op == "create"
            and isinstance(answer, Done)
            and (remote_id := created_id(answer)) is not None
        }
        ids = list(made.values())
        taken = Counter(ids)
        if not ids:
            return taken
        run = self.run
        links = await run.ledger_of_all.links_to(run.sync.siblings, ids, on_cards=run.sync.target.on_cards)
        # The dead link that a create replaces may well have the same id.
        taken.update(
            one.remote_id for name, one in links if name != run.sync.name or made.get(one.key) != one.remote_id
        )
        if min(ids) <= self.floor:
            self.floor = 0
            await run.ledger.forget_floor()
            await run.forget_verified()
            for name in run.sync.siblings:
                await run.ledger_of_all.of(name).forget_verified()
        return taken

    async def save_budget(self) -> None:
        """Write down how much of the portal's limits is used; raises StateError."""
        await self.run.portal_ledger.note_budget(self.run.portal.budget_state(), self.run.clock.now())
        self.saved_at = self.run.clock.monotonic()

    def _is_intended(self, job_id: int) -> bool:
        return bool(self._intended[job_id - self.first])

    async def _note_intents(self, job_ids: Sequence[int], now: float) -> None:
        intents = {one: self._intent(one, now) for one in job_ids}
        await self.run.ledger.intend(self.run.run_id, tuple(intents.values()))
        for one in job_ids:
            self._intended[one - self.first] = True
        self._flying |= intents

    def _intent(self, job_id: int, now: float) -> Intent:
        change, section_id, _ = self.sendable[job_id - self.first]
        link, item = change.link, change.item
        shown = item or link
        assert shown is not None
        fields = item.fields if item is not None else link.sent if link is not None else {}
        return Intent(
            id=job_id,
            sync=self.run.sync.name,
            run_id=self.run.run_id,
            op=change.op,
            key=change.key,
            # The dead link of a vanished event travels with its create, whose id is not known yet.
            remote_id=link.remote_id if link is not None and change.op != "create" else None,
            section=shown.section,
            section_id=section_id,
            fingerprint=shown.fingerprint,
            fields=packed_fields(fields),
            title=shown.title,
            where=shown.where,
            starts_on=shown.starts_on,
            ends_on=shown.ends_on,
            start=shown.start,
            created_at=now,
            before=packed_fields(link.sent) if link is not None else None,
        )

    def _outcome(self, change: Change, answer: Reply, now: float, taken: Mapping[int, int]) -> Outcome:
        """Return the outcome for the ledger, and add the fate of the change to the run."""
        match answer:
            case Unknown(reason=reason, ended=ended):
                unknown = Fate(kind="unknown", reason=reason, ended=ended, where=where_of(change))
                self.run.fates.add(change.key, unknown)
                return Unsettled(reason=reason, ended=ended)
            case Refused(code=code) if code in (NOT_SENT, DEPENDENCY):
                self.run.fates.add(change.key, Fate(kind="not_sent", where=where_of(change)))
                return Dropped()
            case Refused(code=code) if code == UNEXPECTED:
                said: str = say("refused without a reason")
                if answer.description:  # a sentence in place of a result is a refusal like others (PORTAL.md 4.3)
                    said = self.run.sync.target.explain(change, answer)
                if change.op == "create":
                    said = say("unexpected answer to a create: {answer}", answer=said)
                return self._refused(change, said, now, certain=False)
            case Refused():
                return self._refused(change, self.run.sync.target.explain(change, answer), now)
            case Done():
                return self._done(change, answer, taken)

    def _done(self, change: Change, answer: Done, taken: Mapping[int, int]) -> Outcome:
        """Return the outcome of a change that was made; the client has already checked that the answer says so.

        Not if it names an event that is linked already: one event cannot be two, so looking has to tell what was made.
        """
        if change.op == "create":
            remote_id = created_id(answer)
            assert remote_id is not None
            if taken[remote_id] > 1:
                reason = say(
                    "the portal answered the create with {remote_id}, the id of an event that is linked already",
                    remote_id=remote_id,
                )
                self.run.fates.add(change.key, Fate(kind="unknown", reason=reason, ended=True, where=where_of(change)))
                return Unsettled(reason=reason, ended=True)
            self.run.fates.add(change.key, Fate(kind="created", remote_id=remote_id))
            return Written(remote_id=remote_id, version=1, stamp=self._stamp(change, answer))
        if change.op == "delete":
            self.run.fates.add(change.key, Fate(kind="deleted"))
            return Deleted()
        link = change.link
        assert link is not None
        self.run.fates.add(change.key, Fate(kind="updated", remote_id=link.remote_id))
        seen = change.observed.version if change.observed is not None else link.version
        return Written(remote_id=link.remote_id, version=seen + 1 if seen is not None else None)

    def _stamp(self, change: Change, answer: Done) -> str:
        """Return when and by whom an event was made, as the answer to its create tells it."""
        item, time = change.item, answer.time
        if item is None or time is None:
            return ""
        offset_s = 0 if self.run.sync.target.on_cards else self.run.portal.server_offset_s or 0
        return answered(time.start, time.finish, self.run.sync.target.creator(item, self.caller), offset_s)

    def _refused(self, change: Change, reason: str, now: float, *, certain: bool = True) -> Outcome:
        """Return the outcome of a refusal: a create is held, an update or delete has to be looked into.

        Such a refusal may mean that the event is gone (PORTAL.md 4.3, 4.4). A create is looked for unless it is
        `certain` that the portal refused it.
        """
        where = where_of(change)
        if change.op != "create" or not certain:
            self.run.fates.add(change.key, Fate(kind="doubtful", reason=reason, where=where))
            return Unsettled(reason=refusal(reason), ended=True)
        self.run.fates.add(change.key, Fate(kind="refused", reason=reason, where=where))
        item = change.item
        assert item is not None
        before = self.holds.get(change.key)
        return SetAside(
            hold=next_hold(change.key, reason, item.fingerprint, before, now, title=item.title, where=where)
        )
