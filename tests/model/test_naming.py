"""What `syncd.model.naming` takes for the same entry under another uid, and what it never does."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from syncd.model.item import Hold, Item, Link
from syncd.model.naming import Recognised, content_names, recognise
from tests.model.entries import entry
from tests.model.test_diff import item, linked

titles = st.lists(st.sampled_from(("Algebra", "Biology", "Chemistry")), max_size=12)


def recognised(
    items: list[Item],
    links: list[Link],
    *,
    holds: tuple[Hold, ...] = (),
    also: frozenset[str] = frozenset(),
    unusable: frozenset[str] = frozenset(),
    doubted: frozenset[str] = frozenset(),
) -> Recognised:
    present = {one.key.uid for one in items} | also | unusable
    return recognise(items, links, holds, present=present, unusable=unusable, doubted=doubted)


def school(prefix: str, number: int = 10) -> list[Item]:
    return [item(f"{prefix}{day}", name=f"Lesson {day}", day=f"2026-12-{day:02}") for day in range(1, number + 1)]


def links_of(items: list[Item]) -> list[Link]:
    return [linked(one, remote_id) for remote_id, one in enumerate(items, 100)]


@given(titles, titles)
def test_as_long_as_uids_are_kept_nothing_is_recognised(before: list[str], after: list[str]) -> None:
    old = [item(str(number), name=title) for number, title in enumerate(before)]
    new = [item(str(number), name=title) for number, title in enumerate(after)]
    kept = {one.key.uid for one in old} & {one.key.uid for one in new}
    found = recognised(new, links_of(old))
    assert not kept & (found.names.keys() | set(found.names.values()))


@given(titles, titles)
def test_under_new_uids_as_many_of_each_kind_are_known_again_as_there_are_in_both(
    before: list[str], after: list[str]
) -> None:
    old = [item(f"old{number}", name=title) for number, title in enumerate(before)]
    new = [item(f"new{number}", name=title) for number, title in enumerate(after)]
    found = recognised(new, links_of(old)).names
    title_of = {one.key.uid: one.title for one in (*old, *new)}
    assert Counter(title_of[uid] for uid in found) == Counter(before) & Counter(after)
    assert all(title_of[uid] == title_of[known] for uid, known in found.items())
    assert len(set(found.values())) == len(found)


def test_what_only_resembles_counts_where_the_source_as_a_whole_has_new_uids() -> None:
    new = school("new")
    new[0] = replace(new[0], fields={**new[0].fields, "location": "Gym"})
    found = recognised(new, links_of(school("old")))
    assert (found.whole, len(found.names), found.names["new1"]) == (True, 10, "old1")


def test_a_source_of_another_year_is_not_the_old_one_renamed_for_a_few_that_resemble() -> None:
    new = [
        replace(one, fields={**one.fields, "location": "Gym"})
        if number < 3
        else item(one.key.uid, name=f"Course {number}")
        for number, one in enumerate(school("new"))
    ]
    assert recognised(new, links_of(school("old"))).names == {}
    assert len(recognised(new[:3], links_of(school("old"))).names) == 3
    assert recognised(new[:2], links_of(school("old"))).names == {}


def test_two_entries_known_by_uid_among_ten_make_a_source_an_ordinary_one() -> None:
    old, new = school("old"), school("new")
    new[0] = replace(new[0], fields={**new[0].fields, "location": "Gym"})
    steady = old[8:]
    found = recognised([*new[:8], *steady], links_of(old))
    assert (found.whole, len(found.names), found.known) == (False, 7, 2)
    assert "new1" not in found.names


def test_an_orphan_in_another_calendar_or_with_another_start_is_no_match() -> None:
    old = school("old", 1)
    key = msgspec.structs.replace(old[0].key, uid="new")
    elsewhere = msgspec.structs.replace(key, place=msgspec.structs.replace(key.place, owner=9))
    for other in (replace(old[0], key=elsewhere), replace(old[0], key=key, start="2026-12-01T15:00:00+03:00")):
        assert recognised([other], links_of(old)).names == {}


def test_a_mark_that_names_the_uid_is_nothing_that_people_see() -> None:
    old = [replace(one, fields={**one.fields, "mark": one.key.uid}) for one in school("old")]
    new = [replace(one, fields={**one.fields, "mark": one.key.uid}) for one in school("new")]
    assert len(recognised(new, links_of(old)).names) == 10


def test_a_uid_that_stands_in_the_source_without_items_is_no_orphan() -> None:
    assert recognised(school("new", 1), links_of(school("old", 1)), also=frozenset({"old1"})).names == {}


def test_half_of_the_pieces_of_a_series_are_enough_and_less_is_not() -> None:
    def pieces(uid: str, *days: int) -> list[Item]:
        return [item(uid, piece=f"202612{day:02}", day=f"2026-12-{day:02}") for day in days]

    old = links_of(pieces("old", 1, 2, 3, 4))
    assert recognised(pieces("new", 3, 4, 5, 6), old).names == {"new": "old"}
    assert recognised(pieces("new", 4, 5, 6, 7), old).names == {}


def test_an_item_that_waits_after_a_refusal_waits_on_under_its_new_uid() -> None:
    old, new = school("old", 1)[0], school("new", 1)[0]
    hold = Hold(key=old.key, reason="refused", fingerprint=old.fingerprint, attempts=1, since=0.0, retry_at=9.0)
    assert recognised([new], [], holds=(hold,)).names == {"new1": "old1"}
    assert recognised([replace(new, fields={"name": "Other"})], [], holds=(hold,)).names == {}


def test_orphans_are_uncertain_while_entries_of_new_uids_cannot_be_used() -> None:
    links = links_of(school("old"))
    broken = frozenset({"broken"})
    assert recognised(school("new")[:8], links, unusable=broken).uncertain == {"old9", "old10"}
    assert recognised([], links, unusable=broken).uncertain == frozenset()
    doubted = frozenset({"old9", "gone"})
    assert recognised([], links, unusable=broken, doubted=doubted).uncertain == {"old9"}
    assert recognised([], links, doubted=doubted).uncertain == frozenset()
    assert recognised(school("new")[:8], links, unusable=frozenset({"old9"})).uncertain == frozenset()


def test_names_made_from_content_tell_entries_by_owner_title_start_and_rule() -> None:
    lesson = replace(entry(), uid="1")
    others = [
        replace(lesson, uid="2", details=replace(lesson.details, title="Other")),
        replace(lesson, uid="3", details=replace(lesson.details, owner="anna@example.com")),
    ]
    same = replace(lesson, uid="4", where="x:9", details=replace(lesson.details, location="Gym", description="New"))
    names = content_names([lesson, *others])
    assert len(set(names.values())) == 3
    assert content_names([same])["4"] == names["1"]
