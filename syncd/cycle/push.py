"""Sends changes, by whatever they were planned.

Every change goes intend -> send -> settle through the ledger; nothing reaches the portal any other way.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from syncd.cycle.directories import ensure_sections
from syncd.cycle.sync import Pass
from syncd.errors import EntryError
from syncd.model.entry import Window
from syncd.model.fates import Fate
from syncd.model.item import Change, Hold, Key, Link, Place
from syncd.model.order import predecessors, waits_for
from syncd.model.record import (
    REFUSED,
    Deleted,
    Dropped,
    Intent,
    Outcome,
    SetAside,
    Settlement,
    Unsettled,
    Written,
    next_hold,
)
from syncd.portal.client import Job
from syncd.portal.line.wire import DEPENDENCY, NOT_SENT, UNEXPECTED, Done, Refused, Reply, Unknown, created_id
from syncd.portal.people.directory import Directory

_BUDGET_SAVED_EVERY_S = 5.0


async def push(
    run: Pass,
    changes: Sequence[Change],
    directory: Directory,
    *,
    observed: Collection[int] | None,
    alone: bool = False,
) -> bool:
    """Send `changes`; return True if something has to be planned again because it was not sent or has vanished.

    What no usable answer told is left open for `recover`, which every caller asks next.
    With `alone` each change is a request of its own. `observed` are the ids of events that were read in this run, None
    when the portal was not read: then updates are confirmed by looking, for one of a deleted event may look done.
    Raises the client's errors and StateError.
    """
    changes = [change for change in changes if change.op != "adopt"]
    if not changes:
        return False
    run.fates.begin_round(change.key for change in changes)
    sectionless = any(change.item is not None and change.item.section_id is None for change in changes)
    async with run.claiming(wanted=sectionless):
        directory, troubled = await ensure_sections(run, directory, changes)
    if run.stop.is_set():
        return False
    sendable = _sendable(run, changes, directory, troubled)
    if creates := [change.key for change, _, _ in sendable if change.op == "create"]:
        # What is not newer than this existed before the creates are sent: recovery must not take it for one of them.
        highest = max((*await run.claimed(creates), *(observed or ())), default=0)
        await run.ledger.note_floor(highest, run.clock.now())
    ids = await run.ledger.reserve_ids(len(sendable))
    journal = PushJournal(
        run,
        changes={job_id: change for job_id, (change, _, _) in zip(ids, sendable, strict=True)},
        section_ids={job_id: section_id for job_id, (_, section_id, _) in zip(ids, sendable, strict=True)},
        holds={hold.key: hold for hold in await run.ledger.holds()},
    )
    jobs = [
        Job(
            id=job_id,
            command=run.sync.target.command(change, section_id, directory),
            repeatable=change.op != "create",
            after=tuple(ids[one] for one in after),
        )
        for job_id, (change, section_id, after) in zip(ids, sendable, strict=True)
    ]
    try:
        await run.portal.push(jobs, journal, run.stop, alone=alone)
    finally:
        await journal.save_budget()
    if run.stop.is_set():
        return False
    vanished = False
    if observed is None and run.sync.target.doubts_updates:
        vanished = await _confirm_updates(run, [change for change, _, _ in sendable])
    if run.fates.refused:
        # The portal refused something that the kept directory says is possible.
        await run.portal_ledger.forget_directory()
    return vanished or bool(run.fates.not_sent)


def _sendable(
    run: Pass, changes: Sequence[Change], directory: Directory, troubled: Mapping[Place, str]
) -> list[tuple[Change, int, tuple[int, ...]]]:
    """Return the changes that can be sent, each with its section's id and the indices of those it must follow.

    `troubled` tells why a place has no section. What has none is refused, and with it what must follow it.
    """
    after = predecessors(changes)
    refused: dict[int, str] = {}
    place_of: dict[int, int] = {}
    sendable: list[tuple[Change, int, tuple[int, ...]]] = []
    for index, change in enumerate(changes):
        section_id = _section_id(directory, change)
        missing = [one for one in after.get(index, ()) if one in refused]
        if section_id is None:
            refused[index] = troubled.get(change.key.place) or "its section could not be found or created"
        elif missing:
            refused[index] = waits_for(refused[missing[0]])
        else:
            place_of[index] = len(sendable)
            sendable.append((change, section_id, tuple(place_of[one] for one in after.get(index, ()))))
    for index, reason in refused.items():
        run.fates.add(changes[index].key, Fate(kind="refused", reason=reason, where=where_of(changes[index])))
    return sendable


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


class PushJournal:
    """Joins the client's batches to the ledger: intents before they are sent, outcomes when they are known.

    Tells the run's fates what became of each change. Saves the portal's budgets every few seconds as well, so that a
    killed process does not overrun them when it starts again within ten minutes, and `status` can tell of them.
    """

    def __init__(
        self, run: Pass, *, changes: Mapping[int, Change], section_ids: Mapping[int, int], holds: Mapping[Key, Hold]
    ) -> None:
        self._run = run
        self._changes = changes
        self._section_ids = section_ids
        self._holds = holds
        self._intended: set[int] = set()
        self._saved_at = run.clock.monotonic()

    async def intend(self, jobs: Sequence[Job]) -> None:
        """Write the jobs' changes down; when this returns they outlive a power cut.

        A job that comes again was not executed, or may be repeated: only the time it was sent changes.
        """
        now = self._run.clock.now()
        fresh = [job.id for job in jobs if job.id not in self._intended]
        if len(fresh) < len(jobs):
            await self._run.ledger.sent_again([job.id for job in jobs if job.id in self._intended], now=now)
        await self._run.ledger.intend(self._run.run_id, [self._intent(one, now) for one in fresh])
        self._intended.update(fresh)

    async def settle(self, outcomes: Sequence[tuple[Job, Reply]]) -> None:
        """Write down what became of jobs, links and all, in one transaction.

        A job may come that was never to be sent, because what it waits for failed or it cannot be written as a call:
        there is nothing to take back of the first kind, and the second is written down late.
        """
        now = self._run.clock.now()
        settled: list[Settlement] = []
        late: list[int] = []
        for job, answer in outcomes:
            outcome = self._outcome(self._changes[job.id], answer, now)
            if job.id not in self._intended:
                if outcome == Dropped():
                    continue
                late.append(job.id)
            settled.append(Settlement(intent_id=job.id, outcome=outcome, at=now))
        if late:
            await self._run.ledger.intend(self._run.run_id, [self._intent(one, now) for one in late])
            self._intended.update(late)
        await self._run.ledger.settle(self._run.run_id, settled)
        if self._run.clock.monotonic() - self._saved_at >= _BUDGET_SAVED_EVERY_S:
            await self.save_budget()

    async def save_budget(self) -> None:
        """Write down how much of the portal's limits is used; raises StateError."""
        await self._run.portal_ledger.note_budget(self._run.portal.budget_state(), self._run.clock.now())
        self._saved_at = self._run.clock.monotonic()

    def _intent(self, job_id: int, now: float) -> Intent:
        change = self._changes[job_id]
        link, item = change.link, change.item
        shown = item or link
        assert shown is not None
        fields = item.fields if item is not None else link.sent if link is not None else {}
        return Intent(
            id=job_id,
            sync=self._run.name,
            run_id=self._run.run_id,
            op=change.op,
            key=change.key,
            # The dead link of a vanished event travels with its create, whose id is not known yet.
            remote_id=link.remote_id if link is not None and change.op != "create" else None,
            section=shown.section,
            section_id=self._section_ids[job_id],
            fingerprint=shown.fingerprint,
            fields=fields,
            title=shown.title,
            where=shown.where,
            starts_on=shown.starts_on,
            ends_on=shown.ends_on,
            start=shown.start,
            created_at=now,
            before=link.sent if link is not None else None,
        )

    def _outcome(self, change: Change, answer: Reply, now: float) -> Outcome:
        """Return what the ledger is to settle, and tell the run's fates."""
        match answer:
            case Unknown(reason=reason, ended=ended):
                self._tell(change, Fate(kind="unknown", reason=reason, ended=ended, where=where_of(change)))
                return Unsettled(reason=reason, ended=ended)
            case Refused(code=code) if code in (NOT_SENT, DEPENDENCY):
                self._tell(change, Fate(kind="not_sent", where=where_of(change)))
                return Dropped()
            case Refused(code=code) if code == UNEXPECTED:
                said = answer.description or "refused without a reason"
                if change.op == "create":
                    said = f"unexpected answer to a create: {answer.description}"
                return self._refused(change, said, now, certain=False)
            case Refused():
                return self._refused(change, self._run.sync.target.explain(change, answer), now)
            case Done():
                return self._done(change, answer)

    def _done(self, change: Change, answer: Done) -> Outcome:
        """Return the outcome of a change that was made; the client has already checked that the answer says so."""
        if change.op == "create":
            remote_id = created_id(answer)
            assert remote_id is not None
            self._tell(change, Fate(kind="created", remote_id=remote_id))
            return Written(remote_id=remote_id, version=1)
        if change.op == "delete":
            self._tell(change, Fate(kind="deleted"))
            return Deleted()
        link = change.link
        assert link is not None
        self._tell(change, Fate(kind="updated", remote_id=link.remote_id))
        seen = change.observed.version if change.observed is not None else link.version
        return Written(remote_id=link.remote_id, version=seen + 1 if seen is not None else None)

    def _refused(self, change: Change, reason: str, now: float, *, certain: bool = True) -> Outcome:
        """Return the outcome of a refusal: a create is held, an update or delete has to be looked into.

        Such a refusal may mean that the event is gone (PORTAL.md 4.3, 4.4). A create is looked for unless it is
        `certain` that the portal refused it.
        """
        where = where_of(change)
        if change.op != "create" or not certain:
            self._tell(change, Fate(kind="doubtful", reason=reason, where=where))
            return Unsettled(reason=REFUSED + reason, ended=True)
        self._tell(change, Fate(kind="refused", reason=reason, where=where))
        item = change.item
        assert item is not None
        before = self._holds.get(change.key)
        return SetAside(
            hold=next_hold(change.key, reason, item.fingerprint, before, now, title=item.title, where=where)
        )

    def _tell(self, change: Change, fate: Fate) -> None:
        self._run.fates.add(change.key, fate)


async def _confirm_updates(run: Pass, sent: Sequence[Change]) -> bool:
    """Look at updated events that were not read in this run, for an update of a deleted one may look done.

    Returns True if some no longer exist and are to be created again (PORTAL.md 4.3).
    """
    settled = run.fates.settled
    changes = {c.key: c for c in sent if c.op == "update" and c.key in settled}
    updated = [change.link for change in changes.values() if change.link is not None]
    if not updated:
        return False
    today = run.sync.today(run.clock.now())
    seen = await run.sync.target.observe(run.portal, updated, (), Window(first=today, last=today))
    gone: list[Link] = []
    if run.sync.policy.on_conflict == "source":  # else the next verifying pass finds it, and decides
        gone = [link for link in updated if link.remote_id in seen.gone]
    if gone:
        await run.forget_verified()
    for link in gone:
        run.fates.add(link.key, Fate(kind="vanished", remote_id=link.remote_id))
    versions: dict[Key, int] = {}
    for link in updated:
        event, item = seen.events.get(link.remote_id), changes[link.key].item
        if event is None or event.version is None or item is None:
            continue
        if not seen.comparison.differing(item.fields, event.fields):  # else a person was there in between
            versions[link.key] = event.version
    await run.ledger.relearn(versions)
    return bool(gone)
