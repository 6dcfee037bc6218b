"""What the guard lets through and what it stops, at its limits, and when an empty source is believed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from syncd.errors import GuardError
from syncd.lang.catalog import told
from syncd.model.entry import Snapshot, Window
from syncd.model.guard import Guard, Threshold, believed
from syncd.model.item import Change, Link
from syncd.model.plan import Plan
from tests.model.entries import entry
from tests.model.test_diff import item, linked


@pytest.mark.parametrize(
    ("text", "number", "of", "allowed"),
    [
        ("20%", 20, 100, True),
        ("20%", 21, 100, False),
        ("20%", 1, 4, False),
        ("33.4%", 1, 3, True),
        ("33.3%", 1, 3, False),
        ("0%", 0, 0, True),
        ("0%", 1, 10, False),
        ("100%", 10, 10, True),
        (5, 5, 5, True),
        (5, 6, 1000, False),
        (500, 500, 1000, True),
        (0, 0, 10, True),
        (0, 1, 10, False),
    ],
)
def test_a_threshold_allows_up_to_and_including_its_limit(text: str | int, number: int, of: int, allowed: bool) -> None:
    assert Threshold.parse(text).allows(number, of) is allowed


@pytest.mark.parametrize("text", ["", "20", "-5%", "101%", "20 percent", -1, True, "20%%"])
def test_what_is_neither_number_nor_percentage_is_refused(text: str | int) -> None:
    with pytest.raises(ValueError, match="percentage"):
        Threshold.parse(text)


def test_a_threshold_prints_as_the_config_has_it() -> None:
    assert [str(Threshold.parse(each)) for each in ("20%", 5, "0.5 %")] == ['"20%"', "5", '"0.5%"']
    assert Threshold.parse("20%") == Threshold(limit=Decimal(20), percent=True)


def uids(number: int) -> frozenset[str]:
    return frozenset(f"e{one:02}" for one in range(number))


def guard(*, removed: str | int = "20%", changed: str | int = "50%") -> Guard:
    return Guard(max_removed=Threshold.parse(removed), max_changed=Threshold.parse(changed))


def plan(known: int, *, removed: int = 0, vanished: int = 0, changed: int = 0) -> Plan:
    """A plan about `known` entries whose first ones are removed, or vanished, or changed."""
    items = [item(uid, name=f"Lesson {uid}") for uid in sorted(uids(max(removed, vanished, changed)))]
    return Plan(
        changes=tuple(Change(op="update", key=one.key, item=one, reason="") for one in items),
        known_uids=known,
        removed_uids=uids(removed),
        vanished_uids=uids(vanished),
        changed_uids=uids(changed),
    )


def refusal(by: Guard, of: Plan) -> GuardError:
    with pytest.raises(GuardError) as caught:
        by.check(of, "shifts")
    return caught.value


@pytest.mark.parametrize("kind", ["removed", "vanished", "changed"])
def test_exactly_the_limit_passes_and_one_more_is_stopped(kind: str) -> None:
    limits = guard(removed="25%", changed="25%")
    limits.check(plan(40, **{kind: 10}), "shifts")
    refusal(limits, plan(40, **{kind: 11}))


def test_nothing_to_do_passes_the_strictest_guard_even_with_nothing_known() -> None:
    guard(removed=0, changed=0).check(plan(0), "shifts")
    guard(removed="0%", changed="0%").check(plan(40), "shifts")


@pytest.mark.parametrize("kind", ["removed", "vanished", "changed"])
def test_a_limit_of_nothing_refuses_any_change(kind: str) -> None:
    refusal(guard(removed=0, changed=0), plan(40, **{kind: 1}))


@pytest.mark.parametrize("kind", ["vanished", "changed"])
def test_changes_are_limited_from_twenty_known_entries_on(kind: str) -> None:
    guard().check(plan(19, **{kind: 19}), "shifts")
    refusal(guard(), plan(20, **{kind: 11}))


def test_removals_are_limited_however_few_entries_are_known() -> None:
    refusal(guard(), plan(4, removed=1))


def test_removals_changes_and_vanished_events_are_limited_apart() -> None:
    guard(removed="20%", changed="50%").check(plan(40, removed=8, vanished=20, changed=20), "shifts")


def test_what_is_removed_is_measured_by_max_removed_alone() -> None:
    guard(removed="100%", changed=0).check(plan(40, removed=40), "shifts")
    refused = refusal(guard(removed=0, changed="100%"), plan(40, removed=1, vanished=40, changed=40))
    assert "max_removed = 0 allows" in refused.message


def test_a_refusal_names_numbers_option_titles_and_remedy() -> None:
    removed = refusal(guard(), plan(40, removed=9))
    assert removed.message == (
        "shifts: 9 of 40 known entries are gone from the source and would be deleted, more than max_removed ="
        ' "20%" allows («Lesson e00», «Lesson e01», «Lesson e02», «Lesson e03», «Lesson e04» and 4 more); nothing was'
        " sent"
    )
    assert "raise max_removed in [[sync]] shifts" in removed.remedy
    assert "«Lesson e04» and 1 more)" in refusal(guard(removed=0), plan(40, removed=6)).message
    vanished = refusal(guard(changed=3), plan(40, vanished=4))
    assert "the events of 4 of 40 known entries no longer exist" in vanished.message
    assert "max_changed = 3 allows («Lesson e00», «Lesson e01», «Lesson e02», «Lesson e03»)" in vanished.message
    assert "can still see these calendars" in vanished.remedy
    changed = refusal(guard(), plan(40, changed=21))
    assert "21 of 40 known entries would change" in changed.message
    assert "syncd plan shifts" in changed.remedy


def test_only_the_entries_that_are_too_many_serve_as_examples_each_once() -> None:
    pieces = [item("e00", name="Lesson", piece=piece) for piece in ("1", "2")]
    other = item("b", name="Another")
    changes = tuple(Change(op="update", key=one.key, item=one, reason="") for one in (other, *pieces))
    gone = linked(item("e01", name="Gone"))
    changes += (Change(op="delete", key=gone.key, link=gone, reason=""),)
    refused = refusal(guard(), Plan(changes=changes, known_uids=2, removed_uids=uids(2)))
    assert "allows («Lesson», «Gone»); nothing" in refused.message


def test_examples_differ_and_those_with_one_title_are_told_apart_by_their_days() -> None:
    days = [f"2026-12-0{day}" for day in (1, 1, 2, 3, 4, 5, 6, 7)]
    titles = ["Early"] * 6 + ["Late"] * 2
    items = [item(f"e{n:02}", name=titles[n], day=days[n]) for n in range(8)]
    changes = tuple(Change(op="delete", key=one.key, link=linked(one), reason="") for one in items)
    refused = refusal(guard(), Plan(changes=changes, known_uids=8, removed_uids=uids(8)))
    shown = "(«Early» 2026-12-01, «Late», «Early» 2026-12-02, «Early» 2026-12-03, «Early» 2026-12-04 and 3 more)"
    assert shown in told(refused.message, "en")
    assert "«Early» 02.12.2026" in told(refused.message, "ru")


WINDOW = Window(first=date(2026, 11, 1), last=date(2027, 10, 31))


def read(snapshot: Snapshot, links: Iterable[Link], *, removed_after: int = 3) -> Snapshot:
    return believed(snapshot, links, window=WINDOW, removed_after=removed_after)


def test_a_source_that_is_suddenly_empty_is_incomplete_and_says_why() -> None:
    snapshot = read(Snapshot(entries=()), [linked(item("a")), linked(item("b"))])
    assert snapshot.complete is False
    assert snapshot.incomplete_because == ("no entries, where 2 items were known (removed_after = 3 passes in a row)")


def test_an_emptiness_that_lasts_is_believed() -> None:
    assert read(Snapshot(entries=()), [linked(item("a"), absent_passes=1)]).complete is False
    assert read(Snapshot(entries=()), [linked(item("a"), absent_passes=2), linked(item("b"))]).complete is True
    assert read(Snapshot(entries=()), [linked(item("a"))], removed_after=1).complete is True


def test_an_empty_source_is_believed_where_nothing_was_known_in_the_window() -> None:
    assert read(Snapshot(entries=()), []).complete is True
    assert read(Snapshot(entries=()), [linked(item("a", day="2026-10-31"))]).complete is True
    assert read(Snapshot(entries=()), [linked(item("a", day="2026-11-01"))]).complete is False
    endless = replace(linked(item("a", day="2020-01-01")), ends_on=None)
    assert read(Snapshot(entries=()), [endless]).complete is False


def test_a_source_with_entries_usable_or_not_is_left_as_it_is() -> None:
    for snapshot in (Snapshot(entries=(entry(),)), Snapshot(entries=(), rejected_uids=frozenset({"a"}))):
        assert read(snapshot, [linked(item("a"))]) is snapshot


def test_what_was_incomplete_before_keeps_its_reason() -> None:
    cut = Snapshot(entries=(), complete=False, incomplete_because="cut short")
    assert read(cut, [linked(item("a"))]) is cut


@pytest.mark.parametrize(
    ("number", "said"), [(1, "исчезла 1 запись из 40"), (3, "исчезли 3 записи из 40"), (11, "исчезло 11 записей из 40")]
)
def test_a_guard_counts_as_the_reader_does(number: int, said: str) -> None:
    assert said in told(refusal(guard(removed=0), plan(40, removed=number)).message, "ru")
