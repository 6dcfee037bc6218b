from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from syncd.model.item import Key, Place, item_of
from syncd.model.record import Tally
from syncd.model.sent_links import Unseen
from syncd.state.codec import key_row
from syncd.state.ledger import Ledger
from tests.state.values import OTHER, SYNC, hold, intent, key, link


async def adopted(ledger: Ledger, *uids: str, sync: str = SYNC) -> None:
    run_id = await ledger.of(sync).begin_run(1.0)
    await ledger.of(sync).adopt(run_id, [link(uid, remote_id=number) for number, uid in enumerate(uids, 1)], now=1.0)


async def absent_passes(ledger: Ledger) -> dict[str, int]:
    return {each.key.uid: each.absent_passes for each in await ledger.of(SYNC).links()}


async def test_links_come_ordered_by_key(ledger: Ledger) -> None:
    calendars = [Place.parse(text) for text in ("user/10", "user/9", "company_calendar/0")]
    keys = [
        Key(uid=uid, place=calendar, piece=piece)
        for uid in ("я", "b", "Z", "😀", "\uffee")
        for calendar in calendars
        for piece in ("", "s1", "S2")
    ]
    run_id = await ledger.of(SYNC).begin_run(1.0)
    await ledger.of(SYNC).adopt(run_id, [replace(link(), key=each) for each in keys], now=1.0)
    await ledger.of(SYNC).hold([replace(hold(), key=each) for each in keys])
    assert [each.key for each in await ledger.of(SYNC).links()] == sorted(keys)
    assert [each.key for each in await ledger.of(SYNC).holds()] == sorted(keys)


async def test_any_mapping_and_any_text_can_be_kept(ledger: Ledger) -> None:
    run_id = await ledger.of(SYNC).begin_run(1.0)
    odd = replace(
        link('q"\x00|\n'),
        sent=MappingProxyType({"name": "\x00\u2028'; DROP TABLE links", "rrule": MappingProxyType({"BYDAY": ("MO",)})}),
    )
    await ledger.of(SYNC).adopt(run_id, [odd], now=1.0)
    (kept,) = await ledger.of(SYNC).links()
    assert kept == replace(odd, sent={"name": "\x00\u2028'; DROP TABLE links", "rrule": {"BYDAY": ["MO"]}})
    (change,) = await ledger.of(SYNC).changes(run_id)
    assert change.after == kept


async def test_what_was_sent_is_known_of_all_links_and_what_else_counts_is_set_apart(ledger: Ledger) -> None:
    run_id = await ledger.of(SYNC).begin_run(1.0)
    links = [link(uid, remote_id=number) for uid, number in (("a", 1), ("b", 2), ("c", 3), ("d", 3), ("e", 4))]
    await ledger.of(SYNC).adopt(run_id, links, now=1.0)
    other = await ledger.of(OTHER).begin_run(1.0)
    await ledger.of(OTHER).adopt(other, [link("b", remote_id=2)], now=1.0)
    await ledger.of(SYNC).mark_absent({key("a")}, ())
    found = await ledger.of(SYNC).sent({4, 99}, {"b", "z"})
    assert len({found.find(*key_row(SYNC, one.key)[1:], one.fingerprint) for one in links} - {-1}) == 5
    assert found.find(*key_row(SYNC, key("a"))[1:], "another") == -1
    assert found.find(*key_row(SYNC, key("z"))[1:], links[0].fingerprint) == -1
    assert (found.number, found.uids, found.places, found.named) == (5, 5, (key("a").place,), {"b"})
    assert found.apart == {key("a"), key("c"), key("d"), key("e")}


async def test_links_without_an_item_are_found_and_whose_uids_have_others_that_have_one(ledger: Ledger) -> None:
    run_id = await ledger.of(SYNC).begin_run(1.0)
    pieces = [
        replace(link("b"), key=Key(uid="b", place=key("b").place, piece=piece), remote_id=n)
        for n, piece in enumerate("xyz", 2)
    ]
    await ledger.of(SYNC).adopt(run_id, [link("a"), *pieces, link("c", remote_id=9)], now=1.0)
    kept = await ledger.of(SYNC).links()
    unseen = Unseen(await ledger.of(SYNC).sent())
    assert await ledger.of(SYNC).unseen(unseen) == (kept, set())
    for one in (kept[1], kept[3], kept[4]):
        assert unseen.undecided([item_of(one)]) == ()
    assert await ledger.of(SYNC).unseen(unseen) == ((kept[0], kept[2]), {"b"})


async def test_absence_counts_passes_in_a_row(ledger: Ledger) -> None:
    await adopted(ledger, "a", "b", "c")
    await ledger.of(SYNC).mark_absent({key("a"), key("b")}, {key("c")})
    await ledger.of(SYNC).mark_absent([key("a")], {key("b"), key("c"), key("not linked")})
    assert await absent_passes(ledger) == {"a": 2, "b": 0, "c": 0}
    await ledger.of(SYNC).mark_absent([], [])
    assert await absent_passes(ledger) == {"a": 2, "b": 0, "c": 0}


async def test_relearnt_versions_replace_the_expected_ones(ledger: Ledger) -> None:
    await adopted(ledger, "a", "b")
    await ledger.of(SYNC).relearn({key("b"): 9, key("not linked"): 3})
    assert [(each.key.uid, each.version) for each in await ledger.of(SYNC).links()] == [("a", 1), ("b", 9)]


async def test_forgetting_removes_links_of_one_sync_and_keeps_holds(ledger: Ledger) -> None:
    await adopted(ledger, "a", "b")
    await adopted(ledger, "a", sync=OTHER)
    await ledger.of(SYNC).hold([hold("a")])
    await ledger.of(SYNC).forget({key("a"), key("not linked")})
    assert [each.key.uid for each in await ledger.of(SYNC).links()] == ["b"]
    assert [each.key.uid for each in await ledger.of(OTHER).links()] == ["a"]
    assert await ledger.of(SYNC).holds() == (hold("a"),)


async def test_holds_are_replaced_and_released_by_key_or_all_at_once(ledger: Ledger) -> None:
    await ledger.of(SYNC).hold([hold("a"), hold("b"), hold("c")])
    await ledger.of(SYNC).hold([hold("b", reason="again", attempts=2)])
    await ledger.of(OTHER).hold([hold("a")])
    assert [(each.key.uid, each.attempts) for each in await ledger.of(SYNC).holds()] == [("a", 1), ("b", 2), ("c", 1)]
    assert await ledger.of(SYNC).release({key("a"), key("not held")}) == 1
    assert await ledger.of(SYNC).release(None) == 2
    assert await ledger.of(SYNC).release(()) == 0
    assert await ledger.of(SYNC).holds() == ()
    assert await ledger.of(OTHER).holds() == (hold("a"),)


async def test_the_tally_counts_entries_apart_from_items(ledger: Ledger) -> None:
    run_id = await ledger.of(SYNC).begin_run(1.0)
    pieces = [replace(link("a"), key=key("a", piece=piece)) for piece in ("s1", "s2")]
    await ledger.of(SYNC).adopt(run_id, [*pieces, link("b")], now=1.0)
    await ledger.of(SYNC).hold([hold("c")])
    (number,) = await ledger.of(SYNC).reserve_ids(1)
    await ledger.of(SYNC).intend(run_id, [intent(number, run_id, "d")])
    assert await ledger.of(SYNC).tally() == Tally(entries=2, items=3, held=1, open_intents=1)
    assert await ledger.of(OTHER).tally() == Tally(entries=0, items=0, held=0, open_intents=0)


async def test_ids_that_several_syncs_claim_are_those_of_the_kinds_asked_for(ledger: Ledger) -> None:
    places = {1: "user/5", 2: "group/7", 3: "meeting-contact/9"}
    for sync, more in ((SYNC, 0), (OTHER, 10), ("of another portal", 20)):
        run_id = await ledger.of(sync).begin_run(1.0)
        made = [
            replace(link(remote_id=number + more), key=Key(uid="a", place=Place.parse(place)))
            for number, place in places.items()
        ]
        await ledger.of(sync).adopt(run_id, made, now=1.0)
    assert await ledger.claimed([SYNC, OTHER], {"user", "meeting-contact"}) == {1, 3, 11, 13}
    assert await ledger.claimed([OTHER], {"group"}) == {12}
    assert await ledger.claimed([], {"group"}) == await ledger.claimed([SYNC], ()) == frozenset()
    assert await ledger.linked_ids([SYNC, OTHER], on_cards=False) == {1, 2, 11, 12}
    assert await ledger.linked_ids([SYNC, OTHER], on_cards=True) == {3, 13}
    assert await ledger.linked_ids([], on_cards=True) == frozenset()


async def test_open_creates_of_several_syncs_are_told_apart_by_where_they_go(ledger: Ledger) -> None:
    opened = []
    for sync in (SYNC, OTHER, "of another portal"):
        run_id = await ledger.of(sync).begin_run(1.0)
        ids = await ledger.of(sync).reserve_ids(3)
        event, update = (replace(intent(number, run_id, "a"), sync=sync) for number in ids[:2])
        card = replace(event, id=ids[2], key=Key(uid="a", place=Place.parse("todo-deal/9")))
        intents = [event, replace(update, op="update", remote_id=1), card]
        await ledger.of(sync).intend(run_id, intents)
        opened.append((event, card))
    (event, card), (other_event, other_card), _ = opened
    assert await ledger.open_creates([OTHER, SYNC], on_cards=False) == (event, other_event)
    assert await ledger.open_creates([OTHER, SYNC], on_cards=True) == (card, other_card)
    assert await ledger.open_creates([], on_cards=False) == ()


async def test_a_stamp_stays_with_its_link_and_may_be_learnt_later(ledger: Ledger) -> None:
    run_id = await ledger.of(SYNC).begin_run(1.0)
    await ledger.of(SYNC).adopt(run_id, [replace(link("a"), stamp="~5 1"), link("b", remote_id=2)], now=1.0)
    await ledger.of(SYNC).learn_stamps({key("b"): "7 3", key("unknown"): "9 9"})
    assert {each.key.uid: each.stamp for each in await ledger.of(SYNC).links()} == {"a": "~5 1", "b": "7 3"}
    (first, _) = await ledger.of(SYNC).changes(run_id)
    assert first.after is not None
    assert first.after.stamp == "~5 1"


async def test_links_are_found_by_the_event_they_are_to_in_whatever_sync(ledger: Ledger) -> None:
    await adopted(ledger, "a", "b")
    await adopted(ledger, "c", sync=OTHER)
    card = Key(uid="d", place=Place(kind="todo-contact", owner=1))
    run_id = await ledger.of(SYNC).begin_run(1.0)
    await ledger.of(SYNC).adopt(run_id, [replace(link(), key=card, remote_id=1)], now=1.0)

    async def found(*names: str, ids: tuple[int, ...], on_cards: bool = False) -> list[tuple[str, str]]:
        return [(name, one.key.uid) for name, one in await ledger.links_to(names, ids, on_cards=on_cards)]

    assert await found(SYNC, OTHER, ids=(1, 99)) == sorted([(SYNC, "a"), (OTHER, "c")])
    assert await found(SYNC, ids=(1, 2)) == [(SYNC, "a"), (SYNC, "b")]
    assert await found(SYNC, ids=(1, 2), on_cards=True) == [(SYNC, "d")]
    assert await found(SYNC, ids=()) == []
