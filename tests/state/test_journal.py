from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from syncd.config.database import Database
from syncd.errors import StateError
from syncd.model.item import Link
from syncd.model.record import Deleted, Dropped, Intent, Outcome, SetAside, Settlement, Unsettled, Written
from syncd.state.ledger import Ledger
from tests.state.values import OTHER, SYNC, fields, hold, intent, key, link


async def begun(ledger: Ledger, sync: str = SYNC) -> int:
    return await ledger.of(sync).begin_run(1000.0)


async def settled(ledger: Ledger, run_id: int, number: int, outcome: Outcome) -> None:
    await ledger.of(SYNC).settle(run_id, [Settlement(intent_id=number, outcome=outcome, at=1001.0)])


async def created(ledger: Ledger, uid: str, remote_id: int) -> Link:
    run_id = await begun(ledger)
    (number,) = await ledger.of(SYNC).reserve_ids(1)
    await ledger.of(SYNC).intend(run_id, [intent(number, run_id, uid)])
    await settled(ledger, run_id, number, Written(remote_id=remote_id, version=1))
    return next(each for each in await ledger.of(SYNC).links() if each.key == key(uid))


async def test_ids_are_never_handed_out_twice_even_after_a_restart(ledger: Ledger, place: Path | Database) -> None:
    first = await ledger.of(SYNC).reserve_ids(3)
    await ledger.close()
    again = await Ledger.open(place, now=1000.0)
    second = await again.of(SYNC).reserve_ids(2)
    await again.close()
    assert (len(first), len(second)) == (3, 2)
    assert not set(first) & set(second)


async def test_an_intent_survives_a_restart_word_for_word(ledger: Ledger, place: Path | Database) -> None:
    run_id = await begun(ledger)
    ids = await ledger.of(SYNC).reserve_ids(2)
    written = (
        intent(ids[0], run_id, "a"),
        intent(ids[1], run_id, "b", op="update", remote_id=812, before=fields("Old")),
    )
    await ledger.of(SYNC).intend(run_id, written)
    await ledger.close()
    again = await Ledger.open(place, now=2000.0)
    assert await again.of(SYNC).open_intents() == written
    assert await again.of(OTHER).open_intents() == ()
    await again.close()


async def test_a_created_item_becomes_a_link_and_a_change(ledger: Ledger) -> None:
    run_id = await begun(ledger)
    (number,) = await ledger.of(SYNC).reserve_ids(1)
    await ledger.of(SYNC).hold([hold("a")])
    await ledger.of(SYNC).intend(run_id, [intent(number, run_id, "a")])
    await settled(ledger, run_id, number, Written(remote_id=812, version=1))
    assert await ledger.of(SYNC).links() == (link("a"),)
    assert await ledger.of(SYNC).holds() == ()
    assert await ledger.of(SYNC).open_intents() == ()
    (change,) = await ledger.of(SYNC).changes(run_id)
    assert (change.op, change.key, change.remote_id, change.at) == ("create", key("a"), 812, 1001.0)
    assert (change.before, change.after) == (None, replace(link("a"), sent={}))


async def test_an_update_keeps_the_link_as_it_was_in_the_change_record(ledger: Ledger) -> None:
    before = await created(ledger, "a", 812)
    run_id = await begun(ledger)
    (number,) = await ledger.of(SYNC).reserve_ids(1)
    await ledger.of(SYNC).intend(
        run_id, [intent(number, run_id, op="update", name="New", remote_id=812, before=before.sent)]
    )
    await settled(ledger, run_id, number, Written(remote_id=812, version=4))
    (after,) = await ledger.of(SYNC).links()
    (change,) = await ledger.of(SYNC).changes(run_id)
    assert (change.before, change.after) == (before, replace(after, sent={"name": "New"}))
    assert (after.title, after.version, after.same_updates) == ("New", 4, 0)


async def test_updates_that_send_the_same_again_are_counted_until_one_differs(ledger: Ledger) -> None:
    await created(ledger, "a", 812)
    counts = []
    for name in ("Lesson", "Lesson", "New"):
        run_id = await begun(ledger)
        (number,) = await ledger.of(SYNC).reserve_ids(1)
        await ledger.of(SYNC).intend(run_id, [intent(number, run_id, op="update", name=name, remote_id=812)])
        await settled(ledger, run_id, number, Written(remote_id=812, version=None))
        counts.append((await ledger.of(SYNC).links())[0].same_updates)
    assert counts == [1, 2, 0]


async def test_a_deleted_item_leaves_a_change_that_says_what_stood_there(ledger: Ledger) -> None:
    before = await created(ledger, "a", 812)
    run_id = await begun(ledger)
    (number,) = await ledger.of(SYNC).reserve_ids(1)
    await ledger.of(SYNC).intend(run_id, [intent(number, run_id, op="delete", remote_id=812, before=before.sent)])
    await settled(ledger, run_id, number, Deleted())
    assert await ledger.of(SYNC).links() == ()
    (change,) = await ledger.of(SYNC).changes(run_id)
    assert (change.before, change.after) == (before, None)


async def test_deleting_a_duplicate_leaves_the_link_of_the_original(ledger: Ledger) -> None:
    original = await created(ledger, "a", 812)
    run_id = await begun(ledger)
    (number,) = await ledger.of(SYNC).reserve_ids(1)
    await ledger.of(SYNC).intend(run_id, [intent(number, run_id, op="delete", remote_id=900, before=original.sent)])
    await settled(ledger, run_id, number, Deleted())
    assert await ledger.of(SYNC).links() == (original,)
    (change,) = await ledger.of(SYNC).changes(run_id)
    assert change.remote_id == 900


async def test_a_refused_item_is_held_and_no_longer_intended(ledger: Ledger) -> None:
    run_id = await begun(ledger)
    (number,) = await ledger.of(SYNC).reserve_ids(1)
    await ledger.of(SYNC).intend(run_id, [intent(number, run_id)])
    await settled(ledger, run_id, number, SetAside(hold=hold()))
    assert await ledger.of(SYNC).holds() == (hold(),)
    assert await ledger.of(SYNC).open_intents() == ()
    assert await ledger.of(SYNC).changes(run_id) == ()


async def test_an_unknown_outcome_stays_open_with_its_reason_until_it_is_found_out(ledger: Ledger) -> None:
    run_id = await begun(ledger)
    (number,) = await ledger.of(SYNC).reserve_ids(1)
    await ledger.of(SYNC).intend(run_id, [intent(number, run_id)])
    await settled(ledger, run_id, number, Unsettled(reason="no answer within 75 s"))
    (waiting,) = await ledger.of(SYNC).open_intents()
    assert (waiting.state, waiting.note) == ("unknown", "no answer within 75 s")
    later = await begun(ledger)
    await settled(ledger, later, number, Written(remote_id=812, version=None))
    assert [each.remote_id for each in await ledger.of(SYNC).links()] == [812]
    assert len(await ledger.of(SYNC).changes(run_id)) == 1, "the change belongs to the run that sent it"
    assert await ledger.of(SYNC).changes(later) == ()


async def test_a_create_with_unknown_outcome_cannot_be_intended_again(ledger: Ledger) -> None:
    run_id = await begun(ledger)
    ids = await ledger.of(SYNC).reserve_ids(4)
    await ledger.of(SYNC).intend(run_id, [intent(ids[0], run_id)])
    await settled(ledger, run_id, ids[0], Unsettled(reason="cut"))
    with pytest.raises(StateError, match="no known outcome"):
        await ledger.of(SYNC).intend(run_id, [intent(ids[1], run_id, "b"), intent(ids[2], run_id)])
    assert [each.id for each in await ledger.of(SYNC).open_intents()] == [ids[0]]
    await settled(ledger, run_id, ids[0], Dropped())
    await ledger.of(SYNC).intend(run_id, [intent(ids[3], run_id)])
    assert [each.id for each in await ledger.of(SYNC).open_intents()] == [ids[3]]


@pytest.mark.parametrize(
    ("op", "outcome"),
    [
        ("create", Deleted()),
        ("delete", Written(remote_id=1, version=None)),
        ("create", SetAside(hold=hold("someone else"))),
    ],
)
async def test_a_settlement_that_fails_midway_leaves_nothing_behind(ledger: Ledger, op: str, outcome: Outcome) -> None:
    run_id = await begun(ledger)
    ids = await ledger.of(SYNC).reserve_ids(2)
    misfit: Intent = replace(intent(ids[1], run_id, "b"), op=op)  # type: ignore[arg-type]  # from the list above
    intents = (intent(ids[0], run_id, "a"), misfit)
    await ledger.of(SYNC).intend(run_id, intents)
    settlements: Sequence[Settlement] = [
        Settlement(intent_id=ids[0], outcome=Written(remote_id=1, version=1), at=1.0),
        Settlement(intent_id=ids[1], outcome=outcome, at=1.0),
    ]
    with pytest.raises(ValueError, match=r"cannot|intent"):
        await ledger.of(SYNC).settle(run_id, settlements)
    assert await ledger.of(SYNC).open_intents() == intents
    assert await ledger.of(SYNC).links() == ()
    assert await ledger.of(SYNC).changes(run_id) == ()


async def test_what_is_not_open_cannot_be_settled(ledger: Ledger) -> None:
    run_id = await begun(ledger)
    with pytest.raises(ValueError, match="no open intent 99"):
        await settled(ledger, run_id, 99, Dropped())


async def test_what_the_caller_knows_of_its_intents_settles_them_like_what_is_read(ledger: Ledger) -> None:
    run_id = await begun(ledger)
    ids = await ledger.of(SYNC).reserve_ids(2)
    intents = [intent(number, run_id, uid) for number, uid in zip(ids, "ab", strict=True)]
    await ledger.of(SYNC).intend(run_id, intents)
    settlements = [Settlement(intent_id=one, outcome=Written(remote_id=one, version=1), at=1.0) for one in ids]
    await ledger.of(SYNC).settle(run_id, settlements, intents[:1])
    told, read = await ledger.of(SYNC).links()
    assert replace(told, key=read.key, remote_id=read.remote_id) == read
    assert await ledger.of(SYNC).open_intents() == ()


@pytest.mark.parametrize("outcome", [Written(remote_id=9, version=1), Unsettled(reason="no answer", ended=False)])
async def test_an_intent_that_only_the_caller_takes_for_open_settles_nothing(ledger: Ledger, outcome: Outcome) -> None:
    run_id = await begun(ledger)
    ids = await ledger.of(SYNC).reserve_ids(2)
    intents = [intent(number, run_id, uid) for number, uid in zip(ids, "ab", strict=True)]
    await ledger.of(SYNC).intend(run_id, intents)
    await settled(ledger, run_id, ids[0], Dropped())
    both = [
        Settlement(intent_id=ids[1], outcome=Written(remote_id=8, version=1), at=1.0),
        Settlement(intent_id=ids[0], outcome=outcome, at=1.0),
    ]
    with pytest.raises(ValueError, match="not open"):
        await ledger.of(SYNC).settle(run_id, both, intents)
    assert [one.id for one in await ledger.of(SYNC).open_intents()] == [ids[1]]
    assert await ledger.of(SYNC).links() == ()


async def test_intents_need_a_reserved_id_and_their_own_run(ledger: Ledger) -> None:
    run_id = await begun(ledger)
    (number,) = await ledger.of(SYNC).reserve_ids(1)
    with pytest.raises(ValueError, match="another run"):
        await ledger.of(SYNC).intend(run_id, [intent(number, run_id + 1)])
    with pytest.raises(ValueError, match="not reserved"):
        await ledger.of(SYNC).intend(run_id, [intent(number + 1, run_id)])
    with pytest.raises(ValueError, match="cannot intend"):
        await ledger.of(SYNC).intend(run_id + 1, [intent(number, run_id + 1)])
    await ledger.of(SYNC).intend(run_id, [intent(number, run_id)])
    with pytest.raises(ValueError, match="in use"):
        await ledger.of(SYNC).intend(run_id, [intent(number, run_id, "b")])


async def test_adopted_events_are_links_with_a_change_record(ledger: Ledger) -> None:
    run_id = await begun(ledger)
    await ledger.of(SYNC).hold([hold("a")])
    await ledger.of(SYNC).adopt(run_id, [link("a"), link("b", remote_id=813)], now=1002.0)
    assert await ledger.of(SYNC).links() == (link("a"), link("b", remote_id=813))
    assert await ledger.of(SYNC).holds() == ()
    assert [(each.op, each.before, each.after) for each in await ledger.of(SYNC).changes(run_id)] == [
        ("adopt", None, link("a")),
        ("adopt", None, link("b", remote_id=813)),
    ]
    with pytest.raises(ValueError, match="no run 77"):
        await ledger.of(SYNC).adopt(77, [link("c")], now=1.0)


async def test_an_adopted_event_stays_an_adopted_one_through_updates(ledger: Ledger) -> None:
    run_id = await begun(ledger)
    await ledger.of(SYNC).adopt(run_id, [replace(link("a"), adopted=True)], now=1.0)
    ids = await ledger.of(SYNC).reserve_ids(2)
    update = intent(ids[0], run_id, "a", op="update", remote_id=812, name="New")
    await ledger.of(SYNC).intend(run_id, [update, intent(ids[1], run_id, "b", op="adopt", remote_id=813)])
    for number in ids:
        await settled(ledger, run_id, number, Written(remote_id=812, version=2))
    assert [(each.key.uid, each.adopted) for each in await ledger.of(SYNC).links()] == [("a", True), ("b", True)]
    assert (await created(ledger, "c", 814)).adopted is False


async def test_an_intent_sent_again_keeps_everything_but_its_time(ledger: Ledger) -> None:
    run_id = await begun(ledger)
    (number,) = await ledger.of(SYNC).reserve_ids(1)
    written = intent(number, run_id)
    await ledger.of(SYNC).intend(run_id, [written])
    await ledger.of(SYNC).sent_again([number], now=1099.0)
    assert await ledger.of(SYNC).open_intents() == (replace(written, created_at=1099.0),)
    with pytest.raises(ValueError, match="no open intent"):
        await ledger.of(SYNC).sent_again([number + 1], now=1099.0)
