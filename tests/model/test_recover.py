"""The decision table of syncd.model.recover, row by row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncd.model.item import Hold, Observed, Place
from syncd.model.json_values import Fields
from syncd.model.observation import Comparison, Observation, recovery_mark
from syncd.model.record import (
    FIRST_RETRY_S,
    Deleted,
    Dropped,
    Intent,
    SetAside,
    Unsettled,
    Written,
    next_hold,
    refusal,
)
from syncd.model.recover import Finding, findings, unlinked
from tests.model.test_diff import NOW, item, linked, observation, seen

SENT: Fields = {"name": "Lesson", "start": "2026-12-01"}
BEFORE: Fields = {"name": "Old lesson", "start": "2026-12-01"}

DENIED = refusal("Access denied")


def create(uid: str = "a", number: int = 1) -> Intent:
    one = item(uid)
    return Intent(
        id=number, sync="s", run_id=1, op="create", key=one.key, remote_id=None, section=one.section, section_id=7,
        fingerprint=one.fingerprint, fields=one.fields, title=one.title, where=one.where, starts_on=one.starts_on,
        ends_on=one.ends_on, start=one.start, created_at=NOW,
    )  # fmt: skip


def update(note: str = "") -> Intent:
    return replace(create(), op="update", remote_id=100, before=BEFORE, note=note)


def delete(note: str = "") -> Intent:
    return replace(create(), op="delete", remote_id=100, before=SENT, note=note)


def found(
    intent: Intent, seen_now: Observation, *, claimed: tuple[int, ...] = (), floor: int = 0, hold: Hold | None = None
) -> Finding:
    (one,) = findings(
        [intent],
        seen_now,
        free=unlinked(seen_now, claimed, floor),
        links={intent.key: replace(linked(item(intent.key.uid)), remote_id=100, sent=BEFORE)},
        holds={} if hold is None else {intent.key: hold},
        now=NOW,
    )
    return one


def kinds(one: Finding) -> list[str]:
    return [fate.kind for fate in one.fates]


def test_a_create_that_is_found_is_linked_with_the_version_it_shows() -> None:
    one = found(create(), observation(seen(5, SENT, version=1)))
    assert (one.outcome, kinds(one), one.doubted) == (Written(remote_id=5, version=1), ["created"], False)


def test_a_create_that_is_not_found_is_dropped() -> None:
    one = found(create(), observation(seen(5, BEFORE)))
    assert (one.outcome, kinds(one)) == (Dropped(), ["dropped"])


@pytest.mark.parametrize(("claimed", "floor"), [((5,), 0), ((), 5)], ids=["linked", "older than the create"])
def test_an_event_that_is_linked_or_older_is_not_taken_for_the_create(claimed: tuple[int, ...], floor: int) -> None:
    assert found(create(), observation(seen(5, SENT)), claimed=claimed, floor=floor).outcome == Dropped()


def test_an_event_just_above_the_floor_is_taken() -> None:
    assert found(create(), observation(seen(6, SENT)), floor=5).outcome == Written(remote_id=6, version=1)


def test_a_mark_goes_before_the_looks_and_an_edited_event_is_written_again() -> None:
    marked = replace(seen(5, BEFORE), mark=recovery_mark("s", create().key))
    one = found(create(), observation(marked, seen(6, SENT)))
    assert (one.outcome, one.doubted) == (Written(remote_id=5, version=None), True)


def test_what_bears_another_ledgers_name_is_not_taken_for_a_create_of_ours() -> None:
    ours = replace(seen(5, SENT), mark=recovery_mark("s", create().key), ledger="11111111")
    theirs = replace(ours, remote_id=6, ledger="22222222")
    both = observation(ours, theirs)
    assert unlinked(both, (), 0, ledger="11111111") == {ours.mark: [5], both.comparison.signature(ours): [5]}


@pytest.mark.parametrize(("version", "note", "taken"), [(1, "theirs", False), (2, "theirs", True), (1, "", True)])
def test_one_that_says_more_than_was_sent_and_was_never_edited_is_somebody_elses(
    version: int, note: str, taken: bool
) -> None:
    comparison = Comparison(sync="s", defaults={"name": "", "start": "", "note": ""}, identity=("name", "start"))
    stands = replace(observation(seen(5, {**SENT, "note": note}, version=version)), comparison=comparison)
    assert kinds(found(create(), stands)) == (["created"] if taken else ["dropped"])
    marked = replace(stands.events[5], mark=comparison.mark(item("a")))
    assert kinds(found(create(), replace(stands, events={5: marked}))) == ["created"]


def test_of_events_that_look_alike_the_newest_untouched_one_is_ours() -> None:
    touched = replace(seen(8, SENT), damage="an occurrence was moved")
    one = found(create(), observation(seen(5, SENT), seen(6, SENT), touched))
    assert one.outcome == Written(remote_id=6, version=1)


def test_a_damaged_event_alone_is_linked_without_a_version_so_that_the_next_reading_sees_the_edit() -> None:
    touched = replace(seen(8, SENT, version=3), damage="an occurrence was moved")
    one = found(create(), observation(touched))
    assert (one.outcome, one.doubted) == (Written(remote_id=8, version=None), False)


def test_an_event_of_another_place_is_not_ours() -> None:
    elsewhere = Observed(
        remote_id=5,
        place=Place(kind="user", owner=9),
        section_id=7,
        version=1,
        fields=SENT,
    )
    assert found(create(), observation(elsewhere)).outcome == Dropped()


def test_twins_get_one_event_each() -> None:
    both = observation(seen(5, SENT), seen(6, SENT))
    one, other = findings(
        [create("a", 1), create("b", 2)], both, free=unlinked(both, (), 0), links={}, holds={}, now=NOW
    )
    assert {one.outcome, other.outcome} == {Written(remote_id=5, version=1), Written(remote_id=6, version=1)}


def test_an_update_that_shows_is_done_and_keeps_the_version_seen() -> None:
    one = found(update(), observation(seen(100, SENT, version=4)))
    assert (one.outcome, kinds(one), one.doubted) == (Written(remote_id=100, version=4), ["updated"], False)


@pytest.mark.parametrize("shows", [BEFORE, {"name": "A person's", "start": "2026-12-01"}], ids=["old", "edited"])
def test_an_update_that_may_not_have_been_made_is_written_again(shows: Fields) -> None:
    one = found(update(), observation(seen(100, shows, version=4)))
    assert (one.outcome, kinds(one), one.doubted) == (Dropped(), ["dropped"], True)


def test_an_update_that_changes_nothing_visible_is_written_again() -> None:
    same = replace(update(), before=SENT)
    assert found(same, observation(seen(100, SENT, version=4))).doubted


def test_an_update_in_another_section_is_not_taken_for_done() -> None:
    assert found(update(), observation(seen(100, SENT, section_id=8))).doubted


def test_an_update_of_a_vanished_event_is_dropped_and_told() -> None:
    one = found(update(), observation(gone=(100,)))
    assert (one.outcome, kinds(one), one.fates[-1].remote_id) == (Dropped(), ["dropped", "vanished"], 100)


def test_a_delete_of_an_event_that_is_gone_is_done() -> None:
    one = found(delete(), observation(gone=(100,)))
    assert (one.outcome, kinds(one)) == (Deleted(), ["deleted"])


def test_a_delete_that_was_not_made_is_left_to_the_next_plan() -> None:
    one = found(delete(), observation(seen(100, SENT)))
    assert (one.outcome, kinds(one), one.doubted) == (Dropped(), ["dropped"], False)


@pytest.mark.parametrize("intent", [update(DENIED), delete(DENIED), update("refused: Access denied")])
def test_a_refusal_is_held_while_the_event_exists_and_waits_longer_each_time(intent: Intent) -> None:
    first = found(intent, observation(seen(100, SENT)))
    assert isinstance(first.outcome, SetAside)
    hold = first.outcome.hold
    assert (hold.reason, hold.attempts, hold.retry_at) == ("Access denied", 1, NOW + FIRST_RETRY_S)
    assert kinds(first) == ["refused"]
    again = found(intent, observation(seen(100, SENT)), hold=hold)
    assert isinstance(again.outcome, SetAside)
    assert again.outcome.hold.retry_at == NOW + 2 * FIRST_RETRY_S


def test_a_refused_change_of_an_event_that_is_gone_is_no_refusal() -> None:
    assert found(delete(DENIED), observation(gone=(100,))).outcome == Deleted()


def test_an_intent_stays_open_only_as_long_as_nothing_was_read() -> None:
    every = [create(), update(), delete(), update(refusal("no"))]
    outcomes = [found(one, observation(seen(100, BEFORE))).outcome for one in every]
    assert not any(isinstance(one, Unsettled) for one in outcomes)


def test_the_retry_time_starts_over_for_another_request_and_is_a_day_at_most() -> None:
    key = item("a").key
    hold = None
    for _ in range(40):
        hold = next_hold(key, "no", "f", hold, NOW, title="", where="")
    assert hold is not None
    assert (hold.attempts, hold.retry_at, hold.since) == (40, NOW + 86_400, NOW)
    other = next_hold(key, "no", "g", hold, NOW + 5, title="", where="")
    assert (other.attempts, other.retry_at, other.since) == (1, NOW + 5 + FIRST_RETRY_S, NOW + 5)
