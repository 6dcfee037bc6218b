"""Joins the client's batches to the ledger: intents before they are sent, outcomes when they are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from syncd.clock import Clock
from syncd.model import record as records
from syncd.model.item import Change, Hold, Item, Key
from syncd.model.record import REFUSED, Intent, Settlement, next_hold
from syncd.portal.exchange.queue import Job
from syncd.portal.line.wire import DEPENDENCY, NOT_SENT, Done, Outcome, Refused
from syncd.portal.line.wire import Unknown as NoAnswer
from syncd.state.ledger import Ledger
from syncd.target.base import Target


class LedgerJournal:
    """Writes intents and outcomes of one push; counts what was done and remembers what is still unknown."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        clock: Clock,
        target: Target,
        sync: str,
        run_id: int,
        changes: Mapping[int, Change],
        section_ids: Mapping[int, int],
        holds: Mapping[Key, Hold],
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._target = target
        self._sync = sync
        self._run_id = run_id
        self._changes = changes
        self._section_ids = section_ids
        self._holds = holds
        self._intended: set[int] = set()
        self.done: Counter[str] = Counter()
        self.remote_ids: dict[Key, int] = {}
        self.refused: dict[Key, str] = {}
        self.settled: set[Key] = set()
        self.unknown: set[Key] = set()
        self.unanswered: dict[Key, NoAnswer] = {}
        self.not_sent: set[Key] = set()

    async def intend(self, jobs: Sequence[Job]) -> None:
        """Write the jobs' changes down; when this returns they outlive a power cut.

        A job that comes again was not executed, or may be repeated: only the time it was sent changes.
        """
        now = self._clock.now()
        await self._ledger.sent_again([job.id for job in jobs if job.id in self._intended], now=now)
        fresh = [job.id for job in jobs if job.id not in self._intended]
        await self._ledger.intend(self._run_id, [self._intent(one, now) for one in fresh])
        self._intended.update(fresh)

    async def settle(self, outcomes: Sequence[tuple[Job, Outcome]]) -> None:
        """Write down what became of jobs, links and all, in one transaction.

        A job may come that was never to be sent, because what it waits for failed or nobody can send it: there is
        nothing to take back of the first kind, and the second is written down late.
        """
        now = self._clock.now()
        decided = [(job.id, self._outcome(self._changes[job.id], outcome, now)) for job, outcome in outcomes]
        settled = [
            Settlement(intent_id=one, outcome=outcome, at=now)
            for one, outcome in decided
            if one in self._intended or outcome != records.Dropped()
        ]
        late = [one.intent_id for one in settled if one.intent_id not in self._intended]
        if late:
            await self._ledger.intend(self._run_id, [self._intent(one, now) for one in late])
            self._intended.update(late)
        await self._ledger.settle(self._run_id, settled)

    def _intent(self, job_id: int, now: float) -> Intent:
        change = self._changes[job_id]
        link = change.link
        shown: Item | None = change.item
        if shown is not None:
            return Intent(
                id=job_id,
                sync=self._sync,
                run_id=self._run_id,
                op=change.op,
                key=change.key,
                remote_id=link.remote_id if link is not None and change.op == "update" else None,
                section=shown.section,
                section_id=self._section_ids[job_id],
                fingerprint=shown.fingerprint,
                fields=shown.fields,
                title=shown.title,
                where=shown.where,
                starts_on=shown.starts_on,
                ends_on=shown.ends_on,
                start=shown.start,
                created_at=now,
                before=link.sent if link is not None else None,
            )
        assert link is not None
        return Intent(
            id=job_id,
            sync=self._sync,
            run_id=self._run_id,
            op=change.op,
            key=change.key,
            remote_id=link.remote_id,
            section=link.section,
            section_id=link.section_id,
            fingerprint=link.fingerprint,
            fields=link.sent,
            title=link.title,
            where=link.where,
            starts_on=link.starts_on,
            ends_on=link.ends_on,
            start=link.start,
            created_at=now,
            before=link.sent,
        )

    def _outcome(self, change: Change, outcome: Outcome, now: float) -> records.Outcome:
        match outcome:
            case NoAnswer(reason=reason, ended=ended) as unknown:
                self.unknown.add(change.key)
                self.unanswered[change.key] = unknown
                return records.Unsettled(reason=reason, ended=ended)
            case Refused(code=code) if code in (NOT_SENT, DEPENDENCY):
                self.not_sent.add(change.key)
                return records.Dropped()
            case Refused():
                return self._refusal(change, self._target.explain(change, outcome), now)
            case Done():
                return self._done(change, outcome, now)

    def _done(self, change: Change, outcome: Done, now: float) -> records.Outcome:
        if change.op == "create":
            remote_id = self._target.created_id(outcome)
            if remote_id is None:
                return self._refusal(change, f"unexpected answer to a create: {str(outcome.result)[:200]}", now)
            self.done["created"] += 1
            self.settled.add(change.key)
            self.remote_ids[change.key] = remote_id
            return records.Written(remote_id=remote_id, version=1)
        if not self._target.accepted(change, outcome):
            return self._refusal(change, str(outcome.result)[:200] or "refused without a reason", now)
        self.settled.add(change.key)
        if change.op == "delete":
            self.done["deleted"] += 1
            return records.Deleted()
        assert change.link is not None
        self.done["updated"] += 1
        self.remote_ids[change.key] = change.link.remote_id
        seen = change.observed.version if change.observed is not None else change.link.version
        return records.Written(remote_id=change.link.remote_id, version=seen + 1 if seen is not None else None)

    def _refusal(self, change: Change, reason: str, now: float) -> records.Outcome:
        """A refused create is held; a refused update or delete may mean that the event is gone (PORTAL.md 4.3, 4.4)."""
        if change.op != "create":
            self.unknown.add(change.key)
            return records.Unsettled(reason=REFUSED + reason, ended=True)
        self.refused[change.key] = reason
        assert change.item is not None
        item = change.item
        hold = next_hold(
            change.key, reason, item.fingerprint, self._holds.get(change.key), now, title=item.title, where=item.where
        )
        return records.SetAside(hold=hold)
