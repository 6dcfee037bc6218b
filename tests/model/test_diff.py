"""The decision table of syncd.model.diff, row by row, and its promises as properties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from syncd.lang.catalog import told
from syncd.lang.saying import restored, stored
from syncd.model.diff import make_plan
from syncd.model.entry import Window
from syncd.model.item import ANY_FINGERPRINT, Hold, Item, Key, Link, Observed, Place
from syncd.model.json_values import Fields
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
    counted: tuple[Key, ...] = (),
) -> Plan:
    wanted = Wanted(
        items=items,
        uids=uids if uids is not None else frozenset(one.key.uid for one in items),
        unusable=unusable,
        complete=complete,
    )
    return make_plan(
        wanted,
        links,
        holds or {},
        policy=policy or Policy(),
        window=WINDOW,
        now=now,
        observation=observed,
        counted=counted,
    )


def held(one: Item | Link, *, fingerprint: str | None = None, since: float = NOW, retry_at: float = NOW + 60) -> Hold:
    said = one.fingerprint if fingerprint is None else fingerprint
    return Hold(key=one.key, reason="no rights", fingerprint=said, attempts=1, since=since, retry_at=retry_at)


def in_conflict(one: Item) -> Hold:
    return held(one, fingerprint=ANY_FINGERPRINT, retry_at=float("inf"))


def by_key(*holds: Hold) -> dict[Key, Hold]:
    return {hold.key: hold for hold in holds}


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


def test_our_own_mark_counts_also_when_adopt_is_off() -> None:
    marked = replace(seen(50, item("a").fields), mark=COMPARISON.mark(item("a")))
    assert ops(plan_for(item("a"), policy=Policy(adopt=False), observed=observation(marked))) == [("adopt", "a")]


NOTED = Comparison(sync="s", defaults={"name": "", "start": "", "note": ""}, identity=("name", "start"))


def noted(remote_id: int, note: str) -> Observed:
    return seen(remote_id, {**item("a").fields, "note": note})


def with_note(uid: str, note: str = "ours") -> Item:
    return replace(item(uid), fields={**item(uid).fields, "note": note})


def looking(*events: Observed) -> Observation:
    return replace(observation(*events), comparison=NOTED)


def test_what_would_lose_something_of_its_own_is_left_and_its_twin_waits() -> None:
    plan = plan_for(with_note("a"), observed=looking(noted(50, "theirs")))
    assert (ops(plan), plan.held, [one.key.uid for one in plan.lookalikes]) == ([], 1, ["a"])
    assert "differs in note" in plan.problems[0].reason
    waits = held(with_note("a"), fingerprint=ANY_FINGERPRINT, retry_at=float("inf"))
    for changed in (with_note("a"), with_note("a", "another")):
        later = plan_for(changed, holds={waits.key: waits})
        assert (ops(later), later.held, later.conflicts, later.settled_holds) == ([], 1, (), ())
    over = plan_for(with_note("a"), holds={waits.key: waits}, observed=looking())
    assert (ops(over), over.held, over.settled_holds) == ([("create", "a")], 0, (waits.key,))


def test_the_event_that_loses_nothing_goes_before_older_ones_that_would() -> None:
    plan = plan_for(with_note("a"), observed=looking(noted(50, "theirs"), noted(51, ""), noted(52, "ours")))
    assert plan.changes[0].link is not None
    assert plan.changes[0].link.remote_id == 51
    both = plan_for(with_note("a"), with_note("b"), observed=looking(noted(50, "theirs"), noted(51, "")))
    assert (ops(both), both.held) == ([("adopt", "a"), ("update", "a")], 1)


def test_with_same_time_what_differs_is_put_right() -> None:
    policy = Policy(adopt="same-time")
    plan = plan_for(with_note("a"), policy=policy, observed=looking(noted(50, "theirs")))
    assert ops(plan) == [("adopt", "a"), ("update", "a")]
    assert plan.changes[1].fields == {"note": ("theirs", "ours")}


def test_thousands_of_twins_are_shared_out_quickly() -> None:
    several = [with_note(f"{number:05}") for number in range(3_000)]
    plan = plan_for(*several, observed=looking(*(noted(number, "theirs") for number in range(1, 3_001))))
    assert plan.held == 3_000


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


def test_a_conflict_goes_on_naming_who_edited_although_the_portal_tells_it_once() -> None:
    report = Policy(on_conflict="report")
    edited = observation(seen(100, {"name": "Edited", "start": "2026-12-01"}, version=2))
    told_by = replace(edited, by={100: "Ольга: Смирнова"})
    first = plan_for(item("a"), links=(linked(item("a")),), observed=told_by, policy=report)
    reason = first.conflicts[0].reason
    assert told(reason, "ru") == "изменено на портале (Ольга: Смирнова): название"
    kept = restored(stored(reason))
    for before, who in ((kept, "Ольга: Смирнова"), ("edited in the portal by Olga: name", "Olga"), ("no rights", "")):
        hold = Hold(key=item("a").key, reason=before, fingerprint=ANY_FINGERPRINT, attempts=0, since=NOW,
                    retry_at=float("inf"))  # fmt: skip
        later = plan_for(item("a"), links=(linked(item("a")),), observed=edited, policy=report, holds={hold.key: hold})
        by = f" by {who}" if who else ""
        assert later.conflicts[0].reason == f"edited in the portal{by}: name"


def test_an_event_that_somebody_edits_again_and_again_is_left_with_a_warning() -> None:
    edited = seen(100, {"name": "Edited", "start": "2026-12-01"}, version=2)
    tired = replace(linked(item("a")), same_updates=3)
    plan = plan_for(item("a"), links=(tired,), observed=observation(edited))
    assert plan.changes == ()
    assert "3 times in a row" in plan.problems[0].reason


def test_creates_of_an_entry_come_before_its_deletes() -> None:
    plan = plan_for(item("a", piece="2"), links=(linked(item("a", piece="1")),))
    assert [change.op for change in plan.changes] == ["create", "delete"]


def test_items_of_this_run_do_not_count_as_unchanged() -> None:
    links = (linked(item("a")), linked(item("b"), remote_id=101))
    for observed in (None, observation()):
        plan = plan_for(item("a"), item("b"), links=links, counted=(item("a").key,), observed=observed)
        assert (plan.unchanged, plan.present) == (1, frozenset({item("a").key, item("b").key}))


def test_a_hold_counts_from_its_beginning_until_just_before_its_retry_time() -> None:
    def creates(hold: Hold) -> bool:
        return bool(plan_for(item("a"), holds=by_key(hold)).changes)

    assert not creates(held(item("a"), since=NOW, retry_at=NOW + 1))
    assert creates(held(item("a"), since=NOW - 9, retry_at=NOW))
    assert creates(held(item("a"), since=NOW + 1, retry_at=NOW + 60))  # the clock was set back since


def test_a_hold_on_what_stands_there_already_is_over_once_it_was_looked_at() -> None:
    link = linked(item("a"))
    holds = by_key(held(item("a"), retry_at=NOW))
    assert plan_for(item("a"), links=(link,), holds=holds).settled_holds == ()
    looked = plan_for(item("a"), links=(link,), holds=holds, observed=observation(seen(100, link.sent)))
    assert (looked.settled_holds, looked.unchanged) == ((link.key,), 1)
    elsewhere = plan_for(item("a"), links=(link,), holds=holds, observed=observation(seen(7, link.sent)))
    assert elsewhere.settled_holds == ()


def test_a_hold_on_what_the_source_took_back_is_over_without_a_look() -> None:
    holds = by_key(held(item("a"), fingerprint="of the change that was refused"))
    plan = plan_for(item("a"), links=(linked(item("a")),), holds=holds)
    assert (plan.changes, plan.settled_holds, plan.unchanged) == ((), (item("a").key,), 1)


def test_holds_of_entries_that_are_gone_are_over_unless_absence_is_doubtful() -> None:
    holds = by_key(held(item("b")), held(item("a")))
    assert plan_for(holds=holds).settled_holds == (item("a").key, item("b").key)
    assert plan_for(holds=holds, complete=False).settled_holds == ()
    assert plan_for(holds=holds, unusable=frozenset({"a"})).settled_holds == (item("b").key,)
    assert plan_for(holds=holds, links=(linked(item("a")),)).settled_holds == (item("b").key,)
    assert item("a").key not in plan_for(item("a"), holds=holds).settled_holds


def test_a_conflict_is_over_once_a_look_finds_what_was_sent() -> None:
    link, holds = linked(item("a")), by_key(in_conflict(item("a")))
    plan = plan_for(item("a"), links=(link,), holds=holds, observed=observation(seen(100, link.sent)))
    assert (plan.conflicts, plan.settled_holds, plan.unchanged) == ((), (link.key,), 1)
    unread = plan_for(item("a"), links=(link,), holds=holds, observed=observation())
    assert (len(unread.conflicts), unread.settled_holds) == (1, ())


def test_a_conflict_about_an_item_without_a_link_lasts_until_the_portal_is_read() -> None:
    holds = by_key(in_conflict(item("a")))
    assert plan_for(item("a"), holds=holds).changes == ()
    assert ops(plan_for(item("a"), holds=holds, observed=observation())) == [("create", "a")]


def test_a_refused_delete_waits_for_its_retry_time() -> None:
    links = (linked(item("a", piece="1")), linked(item("a", piece="2"), remote_id=101))
    early = plan_for(item("a", piece="1"), links=links, holds=by_key(held(links[1])))
    assert (early.changes, early.held) == ((), 1)
    assert [(one.kind, one.where, one.reason) for one in early.problems] == [("held", "shifts.csv:a", "no rights")]
    late = plan_for(item("a", piece="1"), links=links, holds=by_key(held(links[1], retry_at=NOW)))
    assert [(change.op, change.key.piece) for change in late.changes] == [("delete", "2")]


def test_a_conflict_does_not_keep_a_stale_piece_from_being_deleted() -> None:
    links = (linked(item("a", piece="1")), linked(item("a", piece="2"), remote_id=101))
    plan = plan_for(item("a", piece="1"), links=links, holds=by_key(in_conflict(item("a", piece="2"))))
    assert [(change.op, change.key.piece) for change in plan.changes] == [("delete", "2")]


def series(piece: str, first: str, last: str, *, name: str = "Lesson") -> Item:
    return replace(item("a", piece=piece, day=first, name=name), ends_on=last, fields={"name": name, "start": last})


def test_what_follows_a_held_cut_waits_with_it() -> None:
    whole, cut, rest = (
        series("", "2026-12-01", "2026-12-31"),
        series("", "2026-12-01", "2026-12-10"),
        series("2", "2026-12-12", "2026-12-31"),
    )
    free = plan_for(cut, rest, links=(linked(whole),))
    assert [(change.op, change.key.piece) for change in free.changes] == [("update", ""), ("create", "2")]
    plan = plan_for(cut, rest, links=(linked(whole),), holds=by_key(held(cut)))
    assert (plan.changes, plan.held) == ((), 2)
    assert plan.waiting == {rest.key: "waits for another piece of its entry: no rights"}
    assert {(one.key, one.reason) for one in plan.problems} == {
        (str(cut.key), "no rights"),
        (str(rest.key), "waits for another piece of its entry: no rights"),
    }


def test_what_follows_a_cut_in_conflict_waits_with_it() -> None:
    whole, cut, rest = (
        series("", "2026-12-01", "2026-12-31"),
        series("", "2026-12-01", "2026-12-10"),
        series("2", "2026-12-12", "2026-12-31"),
    )
    policy = Policy(on_conflict="portal")
    plan = plan_for(cut, rest, links=(linked(whole),), holds=by_key(in_conflict(cut)), policy=policy)
    assert (plan.changes, plan.held, len(plan.conflicts)) == ((), 1, 1)
    edited = observation(seen(100, {"name": "Edited", "start": "2026-12-31"}, version=2))
    assert plan_for(cut, rest, links=(linked(whole),), observed=edited, policy=policy).waiting.keys() == {rest.key}
    damaged = observation(replace(seen(100, whole.fields, version=2), damage="one occurrence taken out"))
    assert plan_for(cut, rest, links=(linked(whole),), observed=damaged, policy=policy).waiting.keys() == {rest.key}


def test_a_damaged_series_is_deleted_so_that_the_next_plan_creates_it_or_it_is_reported() -> None:
    link = linked(item("a"))
    damaged = observation(replace(seen(100, link.sent, version=2), damage="one occurrence taken out"))
    plan = plan_for(item("a"), links=(link,), observed=damaged)
    assert ops(plan) == [("delete", "a")]
    assert plan.changes[0].reason == "edited in the portal: one occurrence taken out"
    left = plan_for(item("a"), links=(link,), observed=damaged, policy=Policy(on_conflict="portal"))
    assert (left.changes, [change.op for change in left.conflicts]) == ((), ["delete"])
    known = replace(link, version=2)
    assert plan_for(item("a"), links=(known,), observed=damaged).changes == ()


def test_an_edited_event_of_a_removed_entry_is_left_unless_the_source_wins() -> None:
    edited = observation(seen(100, {"name": "Edited", "start": "2026-12-01"}, version=2))
    for on_conflict, done in (("source", [("delete", "a")]), ("portal", []), ("report", [])):
        policy = Policy(on_removed="delete", removed_after=1, on_conflict=on_conflict)  # type: ignore[arg-type]
        plan = plan_for(links=(linked(item("a")),), observed=edited, policy=policy)
        assert ops(plan) == done
        assert plan.removed_uids == {uid for _, uid in done}
        assert [(change.op, change.reason) for change in plan.conflicts] == (
            [] if done else [("delete", "gone from the source, but edited in the portal since")]
        )
    untouched = observation(seen(100, item("a").fields, version=2))
    policy = Policy(on_removed="delete", removed_after=1, on_conflict="portal")
    assert ops(plan_for(links=(linked(item("a")),), observed=untouched, policy=policy)) == [("delete", "a")]


def test_an_event_moved_to_another_section_is_edited() -> None:
    moved = observation(seen(100, item("a").fields, version=2, section_id=8))
    plan = plan_for(item("a"), links=(linked(item("a")),), observed=moved)
    assert ops(plan) == [("update", "a")]
    assert plan.changes[0].reason == "edited in the portal: section"


def test_an_event_without_a_version_is_not_judged() -> None:
    unknown = replace(seen(100, {"name": "Edited", "start": "2026-12-01"}), version=None)
    plan = plan_for(item("a"), links=(linked(item("a")),), observed=observation(unknown))
    assert (plan.changes, plan.versions, plan.unchanged) == ((), {}, 1)


def test_a_look_that_finds_what_was_sent_ends_the_count_of_equal_updates() -> None:
    as_sent = observation(seen(100, item("a").fields, version=1))
    assert plan_for(item("a"), links=(linked(item("a")),), observed=as_sent).versions == {}
    tired = replace(linked(item("a")), same_updates=2)
    assert plan_for(item("a"), links=(tired,), observed=as_sent).versions == {item("a").key: 1}


def test_a_repeated_edit_is_still_put_right_when_the_source_has_changed_too() -> None:
    edited = observation(seen(100, {"name": "Edited", "start": "2026-12-01"}, version=2))
    tired = replace(linked(item("a")), same_updates=3)
    assert ops(plan_for(item("a", name="New"), links=(tired,), observed=edited)) == [("update", "a")]
    assert ops(plan_for(item("a"), links=(replace(tired, same_updates=2),), observed=edited)) == [("update", "a")]


def test_an_update_says_why() -> None:
    def reason(one: Item, link: Link) -> str:
        return plan_for(one, links=(link,)).changes[0].reason

    assert reason(item("a", name="New"), linked(item("a"))) == "source changed"
    assert reason(replace(item("a"), section="Other"), linked(item("a"))) == "section changed"
    doubted = replace(linked(item("a")), fingerprint="")
    assert reason(item("a"), doubted) == "the outcome of its last update is not known"


def test_a_field_that_came_back_from_the_ledger_as_a_list_is_no_difference() -> None:
    before = replace(item("a"), fields={"name": "Old", "start": "2026-12-01", "remind": [5]})
    after = replace(item("a"), fields={"name": "New", "start": "2026-12-01", "remind": (5,)})
    assert plan_for(after, links=(linked(before),)).changes[0].fields == {"name": ("Old", "New")}


def test_an_adopted_event_is_linked_as_it_stands_and_what_differs_is_put_right() -> None:
    mark = COMPARISON.mark(item("a"))
    stands = replace(seen(50, {"name": "Old name", "start": "2026-12-01"}, version=4), mark=mark)
    plan = plan_for(item("a"), observed=observation(stands))
    assert ops(plan) == [("adopt", "a"), ("update", "a")]
    link = plan.changes[0].link
    assert link is not None
    assert (link.remote_id, link.version, link.section_id) == (50, 4, 7)
    assert (link.sent, link.adopted) == ({"name": "Old name", "start": "2026-12-01"}, False)
    assert plan.changes[1].fields == {"name": ("Old name", "Lesson")}


def test_an_event_without_our_mark_is_noted_as_adopted() -> None:
    for mark in ("", "a mark of another item"):
        plan = plan_for(item("a"), observed=observation(replace(seen(50, item("a").fields), mark=mark)))
        assert ops(plan) == [("adopt", "a")]
        assert plan.changes[0].link is not None
        assert plan.changes[0].link.adopted
        assert plan.changes[0].link.fingerprint == item("a").fingerprint


def test_a_mark_goes_before_looks_and_the_oldest_event_before_its_twins() -> None:
    twins = (seen(52, item("a").fields), seen(51, item("a").fields))
    assert plan_for(item("a"), observed=observation(*twins)).changes[0].link == replace(
        linked(item("a"), remote_id=51), adopted=True
    )
    marked = replace(seen(60, {"name": "Else", "start": "2026-12-01"}), mark=COMPARISON.mark(item("a")))
    found = plan_for(item("a"), observed=observation(*twins, marked)).changes[0].link
    assert found is not None
    assert found.remote_id == 60


def test_what_is_damaged_or_elsewhere_or_has_no_section_yet_is_not_adopted() -> None:
    mark = COMPARISON.mark(item("a"))
    damaged = replace(seen(50, item("a").fields), damage="one occurrence taken out")
    elsewhere = replace(seen(50, item("a").fields), place=Place(kind="user", owner=6), mark=mark)
    assert ops(plan_for(item("a"), observed=observation(elsewhere))) == [("create", "a")]
    assert ops(plan_for(item("a"), observed=observation(damaged))) == []  # and no twin is made of it
    marked = replace(seen(50, item("a").fields), mark=mark)
    assert ops(plan_for(item("a", section_id=None), observed=observation(marked))) == [("create", "a")]
    assert ops(plan_for(item("a"), observed=observation(marked))) == [("adopt", "a")]


def test_present_and_absent_items_are_told_apart_for_the_count_of_absences() -> None:
    links = tuple(linked(item(uid), remote_id=100 + number) for number, uid in enumerate("abcd"))
    old = linked(item("e", day="2026-01-15"), remote_id=110)
    plan = plan_for(
        item("a"), links=(*links, old), uids=frozenset({"a", "b"}), unusable=frozenset({"c"}),
        observed=observation(gone=(100,)),
    )  # fmt: skip
    assert {key.uid for key in plan.present} == {"a", "b", "c", "e"}
    assert {key.uid for key in plan.absent} == {"d"}
    half = plan_for(item("a"), links=links, complete=False)
    assert (half.present, half.absent) == (frozenset(), frozenset())


def test_a_series_without_an_end_that_began_before_the_window_still_touches_it() -> None:
    policy = Policy(on_removed="delete", removed_after=1)
    endless = replace(linked(item("a", day="2020-01-01")), ends_on=None)
    assert ops(plan_for(links=(endless,), policy=policy)) == [("delete", "a")]


def test_an_entry_whose_delete_waits_for_a_complete_source_is_left_as_a_whole_and_others_are_not() -> None:
    old = linked(item("a", piece="1"))
    plan = plan_for(item("a", piece="2"), item("b"), links=(old,), complete=False)
    assert ops(plan) == [("create", "b")]
    assert [(one.kind, one.key) for one in plan.problems] == [("warning", str(old.key))]


def test_a_plan_counts_entries_for_the_guard() -> None:
    policy = Policy(on_removed="delete", removed_after=1)
    links = tuple(linked(item(uid), remote_id=100 + number) for number, uid in enumerate("abcd"))
    stale = linked(item("b", piece="2"), remote_id=110)
    plan = plan_for(
        item("a", name="New"), item("b"), item("c"), item("n"), links=(*links, stale), policy=policy,
        observed=observation(gone=(102,)),
    )  # fmt: skip
    assert plan.known_uids == 4
    assert plan.changed_uids == {"a", "b"}
    assert plan.removed_uids == {"d"}
    assert plan.vanished_uids == {"c"}
    assert plan.count("create") == 2


def test_changes_are_sorted_by_the_first_start_of_their_entry_and_problems_by_place() -> None:
    late, early = item("a", day="2026-12-09"), item("b", day="2026-12-03")
    first = item("z", day="2026-12-02", piece="1")
    plan = plan_for(late, early, first, links=(linked(item("z", day="2026-12-08", piece="2")),))
    assert ops(plan) == [("create", "z"), ("delete", "z"), ("create", "b"), ("create", "a")]
    holds = by_key(held(late), held(early), held(first))
    problems = plan_for(late, early, first, holds=holds).problems
    assert [one.where for one in problems] == ["shifts.csv:a", "shifts.csv:b", "shifts.csv:z"]


def test_a_held_item_that_stands_as_asked_for_keeps_no_other_piece_waiting() -> None:
    links = (linked(item("a")), linked(item("a", piece="2"), remote_id=101))
    for hold in (held(item("a")), in_conflict(item("a"))):
        plan = plan_for(item("a"), links=links, holds=by_key(hold))
        assert [(change.op, change.key.piece) for change in plan.changes] == [("delete", "2")]


def test_a_conflict_whose_event_is_found_gone_is_decided_again() -> None:
    holds, links = by_key(in_conflict(item("a"))), (linked(item("a")),)
    assert ops(plan_for(item("a"), links=links, holds=holds, observed=observation(gone=(100,)))) == [("create", "a")]


def test_what_shows_no_edit_is_deleted_whoever_wins() -> None:
    policy = Policy(on_removed="delete", removed_after=1, on_conflict="portal")
    unversioned = replace(seen(100, {"name": "Edited", "start": "2026-12-01"}), version=None)
    for observed in (observation(), observation(unversioned)):
        assert ops(plan_for(links=(linked(item("a")),), observed=observed, policy=policy)) == [("delete", "a")]


def test_an_edit_that_is_left_by_policy_is_not_called_a_repeated_one() -> None:
    edited = observation(seen(100, {"name": "Edited", "start": "2026-12-01"}, version=2))
    tired = replace(linked(item("a")), same_updates=3)
    plan = plan_for(item("a"), links=(tired,), observed=edited, policy=Policy(on_conflict="report"))
    assert [one.reason for one in plan.problems] == ["edited in the portal: name"]


def test_an_entry_gone_for_long_is_neither_deleted_nor_announced_when_it_is_to_be_kept() -> None:
    links = (linked(item("a"), absent_passes=9),)
    kept = plan_for(links=links, policy=Policy(on_removed="keep", removed_after=2))
    assert (kept.changes, kept.problems, kept.removed_uids) == ((), (), frozenset())
    half = plan_for(links=links, policy=Policy(on_removed="delete", removed_after=2), complete=False)
    assert (half.changes, half.problems, half.removed_uids) == ((), (), frozenset())


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


def test_what_cannot_be_read_is_neither_changed_nor_deleted() -> None:
    one, other = linked(item("a")), linked(item("b"), remote_id=200)
    unread = replace(observation(), unread=frozenset({100, 200}), whole=False)
    policy = Policy(on_removed="delete", removed_after=1)
    plan = plan_for(item("a", name="New name"), links=(one, other), observed=unread, policy=policy)
    assert (plan.changes, plan.held) == ((), 2)
    assert [problem.kind for problem in plan.problems] == ["held", "held"]
