"""The ledger against the simplest thing that could be one: dictionaries in memory."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.config.database import Database
from syncd.model.item import Hold, Key, Link, Op
from syncd.model.json_values import Fields
from syncd.model.record import Deleted, Dropped, Intent, SetAside, Settlement, Unsettled, Written
from syncd.state.ledger import Ledger
from tests.state.values import SYNC, fields, hold, intent, key, link
from tests.support.postgres import dropped, new_database

UIDS = ("a", "b", "c")


@dataclass
class Remembered:
    """What a ledger has to hold after the same calls."""

    links: dict[Key, Link] = field(default_factory=dict)
    holds: dict[Key, Hold] = field(default_factory=dict)
    intents: dict[int, Intent] = field(default_factory=dict)
    changes: list[tuple[str, Link | None, Link | None]] = field(default_factory=list)

    def settle(self, settlement: Settlement) -> None:
        intent = self.intents[settlement.intent_id]
        before = self.links.get(intent.key)
        match settlement.outcome:
            case Written(remote_id=remote_id, version=version):
                same = before is not None and intent.op == "update" and before.fingerprint == intent.fingerprint
                after = replace(
                    link(intent.key.uid, remote_id=remote_id, name=intent.title, version=version),
                    same_updates=before.same_updates + 1 if same and before else 0,
                )
                self.links[intent.key] = after
                self.holds.pop(intent.key, None)
                shown = intent.op == "update" and before is not None and before.sent != after.sent
                changed: Fields = {"name": intent.title} if shown else {}  # all that `fields` differ in
                self.changes.append((intent.op, before, replace(after, sent=changed)))
            case Deleted():
                self.links.pop(intent.key)
                self.holds.pop(intent.key, None)
                self.changes.append((intent.op, before, None))
            case SetAside(hold=hold):
                self.holds[intent.key] = hold
            case Unsettled(reason=reason, ended=ended):
                self.intents[intent.id] = replace(intent, state="ended" if ended else "unknown", note=reason)
                return
            case Dropped():
                pass
        del self.intents[intent.id]


async def intended(draw: st.DataObject, ledger: Ledger, model: Remembered, run_id: int) -> None:
    waiting = {each.key.uid for each in model.intents.values()}
    uids = draw.draw(
        st.lists(st.sampled_from(UIDS), unique=True).map(lambda some: [u for u in some if u not in waiting])
    )
    drafts = []
    for number, uid in zip(await ledger.of(SYNC).reserve_ids(len(uids)), uids, strict=True):
        linked = model.links.get(key(uid))
        name = draw.draw(st.sampled_from(("Lesson", "Exam")))
        draft = intent(number, run_id, uid, name=name)
        if linked is not None:
            op: Op = "delete" if draw.draw(st.booleans()) else "update"
            draft = replace(draft, op=op, remote_id=linked.remote_id, before=fields(linked.title))
        drafts.append(draft)
    await ledger.of(SYNC).intend(run_id, drafts)
    model.intents.update({draft.id: draft for draft in drafts})


async def settled(draw: st.DataObject, ledger: Ledger, model: Remembered, run_id: int) -> None:
    numbers = draw.draw(st.permutations(sorted(model.intents)))
    settlements = []
    for number in numbers[: draw.draw(st.integers(0, len(numbers)))]:
        waiting = model.intents[number]
        done = Deleted() if waiting.op == "delete" else Written(remote_id=waiting.remote_id or number, version=number)
        refused = SetAside(hold=hold(waiting.key.uid, reason=f"refused {number}"))
        lost = Unsettled(reason="cut"), Unsettled(reason="HTTP 500", ended=True)
        outcome = draw.draw(st.sampled_from((done, done, refused, *lost, Dropped())))
        settlements.append(Settlement(intent_id=number, outcome=outcome, at=float(number)))
    await ledger.of(SYNC).settle(run_id, settlements)
    for settlement in settlements:
        model.settle(settlement)


async def agree(ledger: Ledger, model: Remembered, run_id: int) -> None:
    assert await ledger.of(SYNC).links() == tuple(model.links[each] for each in sorted(model.links))
    assert await ledger.of(SYNC).holds() == tuple(model.holds[each] for each in sorted(model.holds))
    assert await ledger.of(SYNC).open_intents() == tuple(model.intents[each] for each in sorted(model.intents))
    assert [(each.op, each.before, each.after) for each in await ledger.of(SYNC).changes(run_id)] == model.changes


async def story(draw: st.DataObject, place: Path | Database) -> None:
    model = Remembered()
    ledger = await Ledger.open(place, now=1.0)
    try:  # Hypothesis ends some stories in the middle
        run_id = await ledger.of(SYNC).begin_run(1.0)
        for _ in range(draw.draw(st.integers(1, 8))):
            match draw.draw(st.sampled_from(("intend", "settle", "settle", "release", "absent", "reopen"))):
                case "intend":
                    await intended(draw, ledger, model, run_id)
                case "settle":
                    await settled(draw, ledger, model, run_id)
                case "release":
                    assert await ledger.of(SYNC).release(None) == len(model.holds)
                    model.holds.clear()
                    model.links = {each: replace(old, same_updates=0) for each, old in model.links.items()}
                case "absent":
                    gone = draw.draw(st.sets(st.sampled_from(UIDS)))
                    await ledger.of(SYNC).mark_absent({key(u) for u in gone}, {key(u) for u in UIDS if u not in gone})
                    for each, old in model.links.items():
                        passes = old.absent_passes + 1 if each.uid in gone else 0
                        model.links[each] = replace(old, absent_passes=passes)
                case "reopen":
                    await ledger.close()
                    ledger = await Ledger.open(place, now=2.0)
            await agree(ledger, model, run_id)
    finally:
        await ledger.close()


@settings(max_examples=40, deadline=None)
@given(draw=st.data())
def test_any_sequence_of_calls_leaves_what_a_dictionary_would_hold(draw: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(story(draw, Path(directory) / "syncd.db"))


def test_any_sequence_of_calls_leaves_the_same_in_a_database(postgres_server: str, worker_id: str) -> None:
    @settings(max_examples=25, deadline=None)
    @given(draw=st.data())
    def played(draw: st.DataObject) -> None:
        database = new_database(postgres_server, worker_id)
        asyncio.run(story(draw, database))
        dropped(database)

    played()
