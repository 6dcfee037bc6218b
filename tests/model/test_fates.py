"""What became of a run's items: counts, holds and exit code follow from the fates that were told, in their order."""

from __future__ import annotations

from syncd.model.fates import Fate, Fates
from syncd.model.item import Key, Place

HERE = Place(kind="user", owner=5)
A, B = Key(uid="a", place=HERE), Key(uid="b", place=HERE)


def fates(*told: tuple[Key, Fate]) -> Fates:
    made = Fates()
    for key, fate in told:
        made.add(key, fate)
    return made


def test_the_last_fate_says_how_an_item_stands() -> None:
    made = fates(
        (A, Fate(kind="unknown", reason="no answer")),
        (A, Fate(kind="created", remote_id=7)),
        (B, Fate(kind="created", remote_id=8)),
        (B, Fate(kind="doubtful", reason="Access denied")),
    )
    assert made.settled == {A}
    assert made.unknown == {B}
    assert made.remote_ids == {A: 7, B: 8}


def test_an_item_counts_as_often_as_it_was_changed() -> None:
    made = fates(
        (A, Fate(kind="deleted")),
        (A, Fate(kind="created", remote_id=7)),
        (B, Fate(kind="adopted", remote_id=9)),
        (B, Fate(kind="updated", remote_id=9)),
    )
    assert dict(made.counts()) == {"deleted": 1, "created": 1, "adopted": 1, "updated": 1}


def test_an_update_of_an_event_that_turned_out_to_have_vanished_does_not_count() -> None:
    made = fates((A, Fate(kind="updated", remote_id=7)), (A, Fate(kind="vanished", remote_id=7)))
    assert (dict(made.counts()), made.settled, dict(made.vanished)) == ({}, frozenset(), {A: 7})
    made.add(A, Fate(kind="created", remote_id=11))
    assert (dict(made.counts()), made.settled, made.remote_ids[A]) == ({"created": 1}, frozenset({A}), 11)


def test_a_refusal_stays_until_something_else_becomes_of_the_item() -> None:
    made = fates((B, Fate(kind="refused", reason="second")), (A, Fate(kind="refused", reason="first", where="x:1")))
    assert [(key, one.reason) for key, one in made.refused.items()] == [(A, "first"), (B, "second")]
    made.add(A, Fate(kind="created", remote_id=1))
    assert list(made.refused) == [B]


def test_what_was_not_sent_counts_only_in_the_round_it_belongs_to() -> None:
    made = Fates()
    made.begin_round([A, B])
    made.add(A, Fate(kind="not_sent"))
    assert made.not_sent == {A}
    made.begin_round([B])
    assert made.not_sent == frozenset()


def test_the_last_missing_answer_is_kept_also_when_something_became_of_the_item_since() -> None:
    made = fates(
        (A, Fate(kind="unknown", reason="first")),
        (A, Fate(kind="unknown", reason="cut", ended=True)),
        (A, Fate(kind="dropped")),
        (B, Fate(kind="doubtful", reason="Access denied")),
    )
    last = made.unanswered(A)
    assert last is not None
    assert (last.reason, last.ended) == ("cut", True)
    assert made.unanswered(B) is None
