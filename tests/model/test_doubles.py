"""What proves that an event was made by a request of ours that came too late, and what does not."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from syncd.model.doubles import MOST_GIVEN_UP, GivenUp, doubles, given_up, remembered
from syncd.model.item import Item, Key, Link, Observed, Place
from syncd.model.json_values import packed_fields
from syncd.model.observation import Comparison, Observation, recovery_mark
from syncd.model.record import Intent
from syncd.model.unanswered import unanswered

CALLER = 1
PLACE = Place(kind="user", owner=3)
KEY = Key(uid="r1", place=PLACE)
COMPARISON = Comparison(sync="shifts", defaults={"name": "", "start": ""}, identity=("name", "start"))
FIELDS = {"name": "Early", "start": "2026-12-01T06:00:00"}
MARK = recovery_mark("shifts", KEY)
LINK = Link(
    key=KEY, remote_id=10, section="Shifts", section_id=4, fingerprint="f", sent=FIELDS, version=1, title="Early",
    where="shifts.csv:2", starts_on="2026-12-01", ends_on="2026-12-01", start="2026-12-01T06:00:00",
)  # fmt: skip
FIRST = Observed(
    remote_id=10, place=PLACE, section_id=4, version=1, fields=FIELDS, mark=MARK, stamp="1000000 1", creator=CALLER
)
LATE = replace(FIRST, remote_id=11, stamp="1001200 1")
GIVEN = GivenUp(mark=MARK, signature=COMPARISON.signature(FIRST), fields=FIELDS)


def found(late: Observed, *, creates: tuple[GivenUp, ...] = (GIVEN,), first: Observed = FIRST) -> list[bool]:
    seen = Observation(events={10: first, late.remote_id: late}, gone=frozenset(), comparison=COMPARISON)
    return [one.ours for one in doubles([LINK], seen, creates, CALLER, "11111111")]


def test_a_create_that_was_given_up_is_noted_with_its_fields_however_they_are_kept() -> None:
    item = Item(key=KEY, section="Shifts", section_id=4, fields=packed_fields(FIELDS), title="Early", where="a.csv:2",
                starts_on="2026-12-01", ends_on="2026-12-01", start="2026-12-01T06:00:00")  # fmt: skip
    assert msgspec.to_builtins(given_up(item, COMPARISON)) == msgspec.to_builtins(GIVEN)


def test_an_update_that_nobody_answered_is_noted_with_its_fields_however_they_are_kept() -> None:
    intent = Intent(
        id=1, sync="shifts", run_id=1, op="update", key=KEY, remote_id=10, section="Shifts", section_id=4,
        fingerprint="f", fields=packed_fields(FIELDS), title="Early", where="a.csv:2", starts_on="2026-12-01",
        ends_on="2026-12-01", start="2026-12-01T06:00:00", created_at=0.0,
    )  # fmt: skip
    (noted,) = msgspec.to_builtins(unanswered([intent]))
    assert noted["fields"] == FIELDS


def test_an_untouched_twin_made_by_the_caller_beside_a_create_that_was_given_up_is_ours() -> None:
    assert found(LATE) == [True]


@pytest.mark.parametrize(
    "late",
    [
        replace(LATE, creator=7),
        replace(LATE, version=2),
        replace(LATE, fields={**FIELDS, "name": "Mine"}),
        replace(LATE, damage="occurrences taken out"),
        replace(LATE, masked=True),
        replace(LATE, stamp="1090000 1"),
        replace(LATE, stamp=""),
        replace(LATE, mark=""),
        replace(LATE, ledger="22222222"),
    ],
)
def test_whatever_a_person_may_have_made_is_only_told(late: Observed) -> None:
    assert found(late) == [False]


def test_a_copy_is_only_told_where_no_create_was_given_up_or_people_were_invited() -> None:
    assert found(LATE, creates=()) == [False]
    meeting = GivenUp(mark=MARK, signature=GIVEN.signature, fields={**FIELDS, "meeting": {"attendees": [3]}})
    assert found(LATE, creates=(meeting,)) == [False]


def test_what_bears_no_mark_of_ours_and_looks_like_nothing_given_up_is_not_told() -> None:
    assert found(replace(LATE, mark=""), creates=()) == []
    assert found(replace(LATE, mark="0123456789abcdef")) == []
    assert found(replace(LATE, place=Place(kind="user", owner=5))) == []


def test_an_origin_is_proof_by_itself_for_only_a_program_can_set_it() -> None:
    """Activities tell neither VERSION nor creator (PORTAL.md 6.4)."""
    comparison = replace(COMPARISON, identity=(), mark_field="origin")
    link = replace(LINK, sent={**FIELDS, "origin": "shifts.r1"})
    first = replace(FIRST, mark="shifts.r1", version=1_800_000_000, creator=0, stamp="")
    events = {10: first, 11: replace(first, remote_id=11)}
    seen = Observation(events=events, gone=frozenset(), comparison=comparison)
    create = GivenUp(mark="shifts.r1", signature="", fields=FIELDS)
    assert [one.ours for one in doubles([link], seen, [create], CALLER)] == [True]
    assert [one.ours for one in doubles([link], seen, [], CALLER)] == [False]


def test_what_is_remembered_is_bounded_and_ends_with_its_coming() -> None:
    many = [GivenUp(mark=str(n), signature="", fields={}) for n in range(MOST_GIVEN_UP + 5)]
    kept = remembered(many[:10], more=many[10:])
    assert len(kept) == MOST_GIVEN_UP
    assert kept[-1].mark == many[-1].mark
    assert [one.mark for one in remembered(kept, come=[kept[0].mark])] == [one.mark for one in kept[1:]]
