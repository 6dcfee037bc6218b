"""How fields compare and items are recognised: each kind of field, and what an observation says of a link."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncd.model.diff import make_plan
from syncd.model.draft import found_by
from syncd.model.item import Link
from syncd.model.json_values import Fields, Json
from syncd.model.observation import UNASKED, Comparison, Observation, Verdict, bare, recovery_mark
from syncd.model.plan import Policy, Wanted
from tests.model.test_diff import NOW, WINDOW, item, linked, observation, seen

COMPARISON = Comparison(
    sync="s",
    defaults={"title": "", "text": "", "at": "", "color": "", "people": []},
    texts=frozenset({"title", "text"}),
    extended=frozenset({"text"}),
    moments=frozenset({"at"}),
    chosen=frozenset({"color"}),
    identity=("title", "at"),
)


@pytest.mark.parametrize(
    ("name", "sent", "stands"),
    [
        ("title", "Tom &amp; Jerry", "Tom  & Jerry "),
        ("title", "A*B", "AB"),
        ("text", "Bring  books", "Bringbooks\nSent by our portal"),
        ("at", "2026-12-01T09:00:00+03:00", "2026-12-01T06:00:00+00:00"),
        ("at", "2026-12-01T09:00", "2026-12-01T09:00:00"),
        ("color", "", "#9cbe1c"),
        ("people", (3, 5), [3, 5]),
    ],
)
def test_what_the_portal_rewrites_is_no_difference(name: str, sent: Json, stands: Json) -> None:
    assert COMPARISON.differing({name: sent}, {name: stands}) == ()


@pytest.mark.parametrize(
    ("name", "sent", "stands"),
    [
        ("title", "Lesson", "Lesson 2"),
        ("text", "", "Sent by a person"),
        ("text", "Bring books", "Bring"),
        ("at", "2026-12-01T09:00:00+03:00", "2026-12-01T09:00:00+00:00"),
        ("at", "2026-12-01T09:00:00+03:00", "2026-12-01T09:00:00"),
        ("at", "2026-12-01T09:00:00+03:00", "soon"),
        ("color", "#9cbe1c", "#ff0000"),
        ("color", "#9cbe1c", ""),
        ("people", [3, 5], [5, 3]),
    ],
)
def test_everything_else_is_a_difference(name: str, sent: Json, stands: Json) -> None:
    assert COMPARISON.differing({name: sent}, {name: stands}) == (name,)


def test_differences_are_named_in_order_and_only_among_the_compared_fields() -> None:
    sent: Fields = {"title": "A", "color": "#000000", "mark": "x", "at": "1"}
    stands: Fields = {"title": "B", "color": "#ffffff", "mark": "y", "at": "2"}
    assert COMPARISON.differing(sent, stands) == ("at", "color", "title")


def test_a_field_that_is_left_out_has_its_default() -> None:
    assert COMPARISON.differing({}, {"title": " ", "people": ()}) == ()
    assert COMPARISON.differing({}, {"title": "A person's"}) == ("title",)


def test_an_item_and_the_event_it_becomes_have_one_signature() -> None:
    one = replace(item("a"), fields={"title": "A &amp; B", "at": "2026-12-01T09:00:00+03:00", "text": "said"})
    event = replace(seen(5, item("a").fields), fields={"title": "A & B", "at": "2026-12-01T06:00:00Z", "text": "read"})
    assert COMPARISON.signature(one) == COMPARISON.signature(event) != ""
    for other in (replace(event, section_id=8), replace(event, fields={**event.fields, "title": "C"})):
        assert COMPARISON.signature(other) != COMPARISON.signature(one)


def test_where_looks_prove_nothing_there_is_no_signature() -> None:
    assert replace(COMPARISON, identity=()).signature(item("a")) == ""


def test_a_mark_is_made_of_sync_and_key_or_is_what_a_field_says() -> None:
    one = replace(item("a"), fields={"origin": "s.a"})
    assert COMPARISON.mark(one) == recovery_mark("s", one.key)
    assert len({recovery_mark("s", item("a").key), recovery_mark("t", one.key), recovery_mark("s", item("b").key)}) == 3
    assert replace(COMPARISON, mark_field="origin").mark(one) == "s.a"


def test_bare_text_is_without_blanks_and_entities_even_when_these_are_written_twice() -> None:
    assert bare(" a\u00a0b\n&amp;lt; * ") == "ab<"


def test_an_observation_says_how_an_event_differs() -> None:
    link = linked(item("a"))
    other = {"name": "Edited", "start": "2026-12-01"}
    assert told(observation(seen(100, item("a").fields)), link) == (None, ())
    assert told(observation(seen(100, other, version=2)), link) == ("reads back differently: name", ("name",))
    assert told(observation(seen(100, other, version=2, section_id=8)), link)[1] == ("name", "section")
    assert told(observation(replace(seen(100, link.sent), damage="cut")), link)[1] == ("occurrences",)
    assert told(observation(gone=(100,)), link) == ("it is gone from the portal", ())
    assert told(observation(), link) == ("it could not be read back", ())


def told(read: Observation, link: Link) -> tuple[str | None, tuple[str, ...]]:
    """Return how the event of `link` differs from what was sent, in words and by the names of its fields."""
    verdict = read.verdict(link)
    return read.difference(link, verdict), read.differs(link, verdict)


def test_each_link_gets_one_verdict() -> None:
    link = linked(item("a"))
    other: Fields = {"name": "Edited", "start": "2026-12-01"}
    as_sent, stranger = seen(100, link.sent), seen(100, {"name": "Other", "start": "2026-12-09"}, version=2)
    edited = seen(100, other, version=2, section_id=8)
    assert observation(as_sent).verdict(link) == Verdict(standing="ours", seen=as_sent)
    assert observation(edited).verdict(link) == Verdict(
        standing="ours", seen=edited, saved=True, edited=("name", "section")
    )
    rewritten, stamped = replace(edited, version=link.version, stamp="5 1"), replace(link, stamp="5 1")
    assert observation(rewritten).verdict(stamped) == Verdict(standing="ours", seen=rewritten)
    assert observation(replace(as_sent, stamp="5 1")).verdict(link).stamp == "5 1"
    assert observation(replace(as_sent, stamp="5 1")).verdict(stamped).stamp == ""
    assert observation(stranger).verdict(link) == Verdict(standing="foreign")
    assert replace(observation(), alien=frozenset({100})).verdict(link) == Verdict(standing="foreign")
    assert observation(gone=(100,)).verdict(link) == Verdict(standing="gone")
    assert replace(observation(), unread=frozenset({100})).verdict(link) == Verdict(standing="unreadable")
    assert observation().verdict(link) is UNASKED


def owned(known: str, shown: str, fields: Fields, mark: str = "", *, version: int = 2) -> bool:
    """Return whether an event that shows all that is that of a link whose stamp is `known` and whose VERSION is 1."""
    link = replace(linked(item("a")), stamp=known)
    event = replace(seen(100, fields, version=version), stamp=shown, mark=mark)
    return observation(event).verdict(link).standing == "ours"


NEW: Fields = {"name": "Meeting", "start": "2026-12-09"}


@pytest.mark.parametrize(
    ("known", "shown", "fields", "ours"),
    [
        ("100 1", "100 1", NEW, True),  # however a person has edited it
        ("100 1", "101 1", {"name": "Lesson", "start": "2026-12-01"}, False),  # however alike it is
        ("100 1", "100 2", NEW, False),
        ("100 1", "3700 1", {"name": "Lesson", "start": "2026-12-09"}, True),  # read in another zone
        ("100 1", "3700 1", NEW, False),
        ("", "100 1", {"name": "Lesson", "start": "2026-12-09"}, True),
        ("", "100 1", {"name": "Meeting", "start": "2026-12-01"}, True),
        ("", "100 1", NEW, False),
        ("~100 1", "103 1", NEW, True),  # edited before it was ever read
    ],
)
def test_an_event_is_ours_by_who_made_it_and_when_else_by_its_looks(
    known: str, shown: str, fields: Fields, ours: bool
) -> None:
    assert owned(known, shown, fields) is ours


@pytest.mark.parametrize(
    ("known", "shown", "fields", "ours"),
    [
        ("100 1", "100 1", NEW, True),  # what the portal made of it
        ("~100 1", "103 1", NEW, False),
        ("~100 1", "103 1", {"name": "[busy]", "start": "2026-12-01"}, True),  # however it shows a title
        ("~100 1", "103 1", {"name": "Lesson", "start": "2026-12-02"}, True),  # or moved its time
        ("~100 1", "3703 1", {"name": "Meeting", "start": "2026-12-01"}, False),
        ("~100 1", "3703 1", {"name": "Less?n", "start": "2026-12-01"}, True),  # a title that it shortened
        ("~100 1", "3703 1", {"name": "", "start": "2026-12-01"}, True),
        ("", "100 1", {"name": "Meeting", "start": "2026-12-01"}, False),
        ("", "100 1", {"name": "Less on", "start": "2026-12-01"}, True),
    ],
)
def test_an_event_that_nobody_has_edited_shows_what_was_sent_or_is_another_one(
    known: str, shown: str, fields: Fields, ours: bool
) -> None:
    assert owned(known, shown, fields, version=1) is ours


def test_our_own_mark_says_more_than_a_stamp() -> None:
    assert owned("100 1", "7777 5", NEW, recovery_mark("s", item("a").key))
    assert not owned("100 1", "7777 5", NEW, recovery_mark("s", item("b").key))


def test_an_event_goes_to_the_link_it_looks_like() -> None:
    one, other = linked(item("a", name="First")), linked(item("b", name="Second"))
    event = replace(seen(100, {"name": "Second", "start": "2026-12-01"}), stamp="100 1")
    links = [replace(link, stamp="100 1") for link in (one, other)]
    parted = observation(event).parted(links)
    assert [link.key for link in links if parted.verdict(link).standing == "doubled"] == [one.key]
    assert observation(event).parted(links[:1]).verdict(links[0]).standing == "ours"


def test_an_event_that_is_taken_over_in_place_of_a_lost_one_is_not_gone_itself() -> None:
    first, second = item("a", name="First"), item("b", name="Second")
    links = [replace(linked(one), stamp="100 1") for one in (first, second)]
    shared = replace(seen(100, second.fields), stamp="100 1")  # so the link of the first has none
    mark = recovery_mark("s", first.key)
    damaged = replace(seen(200, first.fields), mark=mark, damage="an occurrence was taken out")
    read, wanted = observation(shared, damaged), Wanted(items=(first, second))
    plan = make_plan(wanted, links, {}, policy=Policy(), window=WINDOW, now=NOW, observation=read)
    assert [(change.op, change.link and change.link.remote_id) for change in plan.changes] == [
        ("adopt", 200),
        ("delete", 200),
    ]
    found = found_by(read, plan, wanted, links, may_not_write=lambda _: False, source_wins=True)
    assert found.lost == frozenset()
    assert found.gone == {first.key: 100}
