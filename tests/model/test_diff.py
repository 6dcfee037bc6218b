"""The decision table of syncd.model.diff, row by row, and its promises as properties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from syncd.model.diff import ANY_FINGERPRINT, make_plan
from syncd.model.entry import Window
from syncd.model.item import Fields, Hold, Item, Key, Link, Observed, Place
from syncd.model.observation import Comparison, Observation
from syncd.model.plan import Plan, Policy, Wanted

CALENDAR = Place(kind="user", owner=5)
WINDOW = Window(first=date(2026, 11, 1), last=date(2027, 10, 31))
NOW = 1_800_000_000.0


def item(
    uid: str, *, name: str = "Lesson", piece: str = "", day: str = "2026-12-01", section_id: int | None = 7
) -> Item:
    return Item(
        key=Key(uid=uid, place=CALENDAR, piece=piece),
        section="Shifts",
        section_id=section_id,
        fields={"name": name, "start": day},
        title=name,
        where=f"shifts.csv:{uid}",
        starts_on=day,
        ends_on=day,
        start=f"{day}T09:00:00+03:00",
    )


def linked(one: Item, remote_id: int = 100, version: int | None = 1, absent_passes: int = 0) -> Link:
    return Link(
        key=one.key,
        remote_id=remote_id,
        section=one.section,
        section_id=7,
        fingerprint=one.fingerprint,
        sent=one.fields,
        version=version,
        title=one.title,
        where=one.where,
        starts_on=one.starts_on,
        ends_on=one.ends_on,
        start=one.start,
        absent_passes=absent_passes,
    )


def seen(remote_id: int, fields: Fields, *, version: int = 1, section_id: int = 7) -> Observed:
    return Observed(
        remote_id=remote_id,
        place=CALENDAR,
        section_id=section_id,
        version=version,
        fields=fields,
    )


COMPARISON = Comparison(sync="s", defaults={"name": "", "start": ""}, identity=("name", "start"))


def observation(*events: Observed, gone: tuple[int, ...] = ()) -> Observation:
    return Observation(events={one.remote_id: one for one in events}, gone=frozenset(gone), comparison=COMPARISON)


def plan_for(
    *items: Item,
    links: tuple[Link, ...] = (),
    uids: frozenset[str] | None = None,
    unusable: frozenset[str] = frozenset(),
    complete: bool = True,
    policy: Policy | None = None,
    holds: Mapping[Key, Hold] | None = None,
    observed: Observation | None = None,
    now: float = NOW,
) -> Plan:
    wanted = Wanted(
        items=items,
        uids=uids if uids is not None else frozenset(one.key.uid for one in items),
        unusable=unusable,
        complete=complete,
    )
    return make_plan(
        wanted, links, holds or {}, policy=policy or Policy(), window=WINDOW, now=now, observation=observed
    )


def ops(plan: Plan) -> list[tuple[str, str]]:
    return [(change.op, change.key.uid) for change in plan.changes]


def test_an_item_without_a_link_is_created() -> None:
    assert ops(plan_for(item("a"))) == [("create", "a")]


def test_an_item_with_the_same_fingerprint_is_left_alone() -> None:
    plan = plan_for(item("a"), links=(linked(item("a")),))
    assert plan.changes == ()
    assert plan.unchanged == 1


def test_an_update_tells_before_and_after_of_each_field() -> None:
    plan = plan_for(item("a", name="New"), links=(linked(item("a", name="Old")),))
    assert ops(plan) == [("update", "a")]
    assert plan.changes[0].fields == {"name": ("Old", "New")}


def test_a_move_to_another_section_is_an_update_that_says_so() -> None:
    plan = plan_for(replace(item("a"), section="Other"), links=(linked(item("a")),))
    assert plan.changes[0].fields == {"section": ("Shifts", "Other")}


def test_a_move_to_another_calendar_creates_there_and_deletes_here_whatever_on_removed_says() -> None:
    moved = replace(item("a"), key=Key(uid="a", place=Place(kind="user", owner=6)))
    plan = plan_for(moved, links=(linked(item("a")),), policy=Policy(on_removed="keep"))
    assert [(change.op, change.key.place.owner) for change in plan.changes] == [("create", 6), ("delete", 5)]


def test_an_entry_gone_from_the_source_stays_by_default() -> None:
    plan = plan_for(links=(linked(item("a")),))
    assert plan.changes == ()
    assert plan.absent == {item("a").key}


def test_an_entry_gone_is_deleted_only_after_removed_after_passes() -> None:
    policy = Policy(on_removed="delete", removed_after=3)
    second = plan_for(links=(linked(item("a"), absent_passes=1),), policy=policy)
    third = plan_for(links=(linked(item("a"), absent_passes=2),), policy=policy)
    assert second.changes == ()
    assert "2 of 3 passes" in second.problems[0].reason
    assert ops(third) == [("delete", "a")]
    assert third.removed_uids == {"a"}


def test_an_incomplete_snapshot_never_deletes_nor_counts_an_absence() -> None:
    policy = Policy(on_removed="delete", removed_after=1)
    plan = plan_for(item("b"), links=(linked(item("a"), absent_passes=9),), policy=policy, complete=False)
    assert ops(plan) == [("create", "b")]
    assert plan.absent == frozenset()


def test_an_entry_that_needs_a_delete_waits_as_a_whole_while_the_snapshot_is_incomplete() -> None:
    old = linked(item("a", piece="1"))
    plan = plan_for(item("a", piece="2"), links=(old,), complete=False)
    assert plan.changes == ()
    assert "complete" in plan.problems[0].reason


def test_an_entry_that_could_not_be_used_this_time_keeps_its_items() -> None:
    policy = Policy(on_removed="delete", removed_after=1)
    plan = plan_for(links=(linked(item("a")),), uids=frozenset({"a"}), unusable=frozenset({"a"}), policy=policy)
    assert plan.changes == ()


def test_what_lies_outside_the_window_is_never_deleted() -> None:
    policy = Policy(on_removed="delete", removed_after=1)
    history = linked(item("a", day="2026-01-15"))
    assert plan_for(links=(history,), policy=policy).changes == ()


def test_a_stale_piece_of_an_entry_that_is_still_there_is_deleted_at_once() -> None:
    links = (linked(item("a", piece="1")), linked(item("a", piece="2"), remote_id=101))
    plan = plan_for(item("a", piece="1"), links=links)
    assert [(change.op, change.key.piece) for change in plan.changes] == [("delete", "2")]
    assert plan.removed_uids == frozenset()


def test_a_held_item_waits_until_its_time_and_says_why() -> None:
    hold = Hold(key=item("a").key, reason="no rights", fingerprint=item("a").fingerprint, attempts=1, since=NOW,
                retry_at=NOW + 60)  # fmt: skip
    early = plan_for(item("a"), holds={hold.key: hold})
    late = plan_for(item("a"), holds={hold.key: hold}, now=NOW + 60)
    assert (early.changes, early.held, early.problems[0].reason) == ((), 1, "no rights")
    assert ops(late) == [("create", "a")]


def test_a_change_in_the_source_releases_a_hold() -> None:
    hold = Hold(key=item("a").key, reason="no rights", fingerprint="of before", attempts=1, since=NOW,
                retry_at=NOW + 60)  # fmt: skip
    assert ops(plan_for(item("a"), holds={hold.key: hold})) == [("create", "a")]


def test_an_identical_event_that_stands_unlinked_is_adopted_once() -> None:
    plan = plan_for(item("a"), item("b"), observed=observation(seen(50, item("a").fields)))
    assert ops(plan) == [("adopt", "a"), ("create", "b")]


def test_an_event_of_another_section_is_not_adopted() -> None:
    plan = plan_for(item("a"), observed=observation(seen(50, item("a").fields, section_id=8)))
    assert ops(plan) == [("create", "a")]


def test_nothing_is_adopted_when_adopt_is_off() -> None:
    plan = plan_for(item("a"), policy=Policy(adopt=False), observed=observation(seen(50, item("a").fields)))
    assert ops(plan) == [("create", "a")]


def test_an_event_of_another_link_is_never_adopted() -> None:
    other = linked(item("b"), remote_id=50)
    plan = plan_for(item("a"), item("b"), links=(other,), observed=observation(seen(50, item("a").fields)))
    assert ops(plan) == [("create", "a")]


def test_the_portal_s_own_rewriting_without_a_new_version_is_no_edit() -> None:
    rewritten = seen(100, {"name": "Les son", "start": "2026-12-01"}, version=1)
    assert plan_for(item("a"), links=(linked(item("a")),), observed=observation(rewritten)).changes == ()


def test_a_new_version_with_our_fields_intact_is_only_learned() -> None:
    touched = seen(100, item("a").fields, version=4)
    plan = plan_for(item("a"), links=(linked(item("a")),), observed=observation(touched))
    assert plan.changes == ()
    assert plan.versions == {item("a").key: 4}


def test_an_edit_in_the_portal_follows_on_conflict() -> None:
    edited = seen(100, {"name": "Edited", "start": "2026-12-01"}, version=2)
    decided = {
        policy: plan_for(
            item("a"), links=(linked(item("a")),), observed=observation(edited), policy=Policy(on_conflict=policy)
        )
        for policy in ("source", "portal", "report")
    }
    assert ops(decided["source"]) == [("update", "a")]
    assert decided["source"].changes[0].fields == {"name": ("Edited", "Lesson")}
    for policy in ("portal", "report"):
        assert decided[policy].changes == ()
        assert [change.key.uid for change in decided[policy].conflicts] == ["a"]
        assert decided[policy].problems[0].kind == "conflict"


def test_a_conflict_stays_put_in_ordinary_passes_unless_the_source_wins_and_changes() -> None:
    hold = Hold(key=item("a").key, reason="edited", fingerprint=ANY_FINGERPRINT, attempts=0, since=NOW,
                retry_at=float("inf"))  # fmt: skip
    for policy in (Policy(on_conflict="portal"), Policy(on_conflict="report")):
        plan = plan_for(item("a", name="New"), links=(linked(item("a")),), holds={hold.key: hold}, policy=policy)
        assert plan.changes == ()
        assert len(plan.conflicts) == 1
    unchanged = plan_for(item("a"), links=(linked(item("a")),), holds={hold.key: hold})
    assert (unchanged.changes, len(unchanged.conflicts)) == ((), 1)
    assert ops(plan_for(item("a", name="New"), links=(linked(item("a")),), holds={hold.key: hold})) == [("update", "a")]


def test_an_event_deleted_in_the_portal_is_created_again_or_reported() -> None:
    links = (linked(item("a")),)
    again = plan_for(item("a"), links=links, observed=observation(gone=(100,)))
    left = plan_for(item("a"), links=links, observed=observation(gone=(100,)), policy=Policy(on_conflict="report"))
    assert ops(again) == [("create", "a")]
    assert left.changes == ()
    assert left.conflicts[0].reason == "deleted in the portal"


def test_an_event_that_somebody_edits_again_and_again_is_left_with_a_warning() -> None:
    edited = seen(100, {"name": "Edited", "start": "2026-12-01"}, version=2)
    tired = replace(linked(item("a")), same_updates=3)
    plan = plan_for(item("a"), links=(tired,), observed=observation(edited))
    assert plan.changes == ()
    assert "3 times in a row" in plan.problems[0].reason


def test_creates_of_an_entry_come_before_its_deletes() -> None:
    plan = plan_for(item("a", piece="2"), links=(linked(item("a", piece="1")),))
    assert [change.op for change in plan.changes] == ["create", "delete"]


@st.composite
def _schedules(draw: st.DrawFn) -> tuple[tuple[Item, ...], tuple[Link, ...]]:
    uids = draw(st.lists(st.sampled_from("abcdefgh"), unique=True))
    names = st.sampled_from(("One", "Two"))
    days = st.sampled_from(("2026-12-01", "2027-03-05", "2026-01-01"))
    items = tuple(item(uid, name=draw(names), day=draw(days)) for uid in uids)
    linked_uids = draw(st.lists(st.sampled_from("abcdefgh"), unique=True))
    links = tuple(
        linked(item(uid, name=draw(names), day=draw(days)), remote_id=100 + number)
        for number, uid in enumerate(linked_uids)
    )
    return items, links


@given(_schedules(), st.randoms(use_true_random=False))
def test_the_plan_does_not_depend_on_the_order_of_its_input(
    schedule: tuple[tuple[Item, ...], tuple[Link, ...]], random: object
) -> None:
    items, links = schedule
    shuffled_items, shuffled_links = list(items), list(links)
    random.shuffle(shuffled_items)  # type: ignore[attr-defined]
    random.shuffle(shuffled_links)  # type: ignore[attr-defined]
    policy = Policy(on_removed="delete", removed_after=1)
    assert plan_for(*items, links=links, policy=policy) == plan_for(
        *shuffled_items, links=tuple(shuffled_links), policy=policy
    )


@given(_schedules())
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(
    schedule: tuple[tuple[Item, ...], tuple[Link, ...]],
) -> None:
    items, links = schedule
    policy = Policy(on_removed="delete", removed_after=1)
    after = {link.key: link for link in links}
    for number, change in enumerate(plan_for(*items, links=links, policy=policy).changes):
        if change.op == "delete":
            del after[change.key]
        else:
            assert change.item is not None
            after[change.key] = linked(change.item, remote_id=500 + number)
    assert plan_for(*items, links=tuple(after.values()), policy=policy).changes == ()
