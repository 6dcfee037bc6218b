"""Declined, tentative and unanswered meetings, copies, and the preset that shows nothing but when somebody is busy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import datetime

import pytest

from syncd.source.accounts.choice import Choice, ChoiceOptions, choose
from syncd.source.accounts.groups import Composer, ReadCalendar, Series
from syncd.source.accounts.told import Answer, Told, Wall
from syncd.source.conformance import CONTEXT

NINE, TEN = datetime(2026, 12, 1, 9), datetime(2026, 12, 1, 10)
START, END = Wall(wall=NINE, zone="Europe/Moscow"), Wall(wall=TEN, zone="Europe/Moscow")
MEETING = Told(id="m", start=START, end=END, title="Dismissals", kind="default")
FULL = Told(
    id="m", start=START, end=END, recurrence=("RRULE:FREQ=DAILY;COUNT=2",), title="Secret", description="secret",
    location="secret", url="secret", conference="secret", color="#dc2127", status="TENTATIVE", free=False, private=True,
    priority=1, categories=("secret",), organizer="secret@example.com", guests=("secret@example.com",), alarms=(5,),
    kind="default", answer="accepted", is_organizer=False, extras=(("secret", "secret"),),
)  # fmt: skip


def chosen(
    told: Iterable[Told], options: ChoiceOptions, **more: frozenset[str]
) -> tuple[tuple[Told, ...], Counter[str]]:
    left_out = Counter[str]()
    return choose(told, Choice(options=options, **more), left_out), left_out


@pytest.mark.parametrize(
    ("answer", "options", "reads"),
    [
        ("declined", ChoiceOptions(), False),
        ("declined", ChoiceOptions(declined=True), True),
        ("tentative", ChoiceOptions(), True),
        ("tentative", ChoiceOptions(tentative=False), False),
        ("unanswered", ChoiceOptions(), True),
        ("unanswered", ChoiceOptions(unanswered=False), False),
        ("accepted", ChoiceOptions(tentative=False, unanswered=False), True),
        ("", ChoiceOptions(tentative=False, unanswered=False), True),
    ],
)
def test_the_answer_of_the_owner_decides(answer: Answer, options: ChoiceOptions, reads: bool) -> None:
    kept, left_out = chosen([replace(MEETING, answer=answer)], options)
    assert (bool(kept), dict(left_out)) == (reads, {} if reads else {answer: 1})


def test_a_declined_occurrence_is_taken_out_of_its_series() -> None:
    occurrence = replace(MEETING, id="m_1", at=START, answer="declined")
    kept, _ = chosen([MEETING, occurrence], ChoiceOptions())
    assert kept == (MEETING, Told(id="m_1", at=START, status="CANCELLED"))


def test_an_accepted_occurrence_of_a_declined_series_stands_for_itself() -> None:
    accepted = replace(MEETING, id="m_1", at=START, answer="accepted")
    gone = Told(id="m_2", at=END, status="CANCELLED")
    assert chosen([replace(MEETING, answer="declined"), accepted, gone], ChoiceOptions())[0] == (accepted,)


@pytest.mark.parametrize(("owners", "reads"), [(frozenset({"boss@example.com"}), False), (frozenset(), True)])
def test_a_copy_is_left_out_where_the_organizers_calendar_is_read_too(owners: frozenset[str], reads: bool) -> None:
    copy = replace(MEETING, organizer="Boss@example.com", is_organizer=False)
    assert bool(chosen([copy], ChoiceOptions(copies=False), owners=owners)[0]) == reads
    assert chosen([copy], ChoiceOptions(), owners=owners)[0] == (copy,)


def test_kinds_that_are_not_asked_for_are_left_out_and_counted() -> None:
    kept, left_out = chosen([MEETING, replace(MEETING, kind="birthday")], ChoiceOptions(), kinds=frozenset({"default"}))
    assert (kept, dict(left_out)) == ((MEETING,), {"birthday": 1})


def test_busy_only_leaves_nothing_but_the_time() -> None:
    (kept,), _ = chosen([FULL], ChoiceOptions(busy_only=True, busy_title="Занято"))
    assert "secret" not in repr(kept).lower()
    told = {one.name for one in fields(Told) if getattr(kept, one.name) != getattr(Told(id="m"), one.name)}
    assert told == {"start", "end", "recurrence", "title", "status", "free", "alarms"}
    assert (kept.title, kept.alarms) == ("Занято", ())


def test_busy_only_leaves_out_what_blocks_no_time() -> None:
    kept, left_out = chosen([replace(FULL, free=True)], ChoiceOptions(busy_only=True))
    assert (kept, dict(left_out)) == ((), {"free": 1})


def test_an_event_whose_details_are_hidden_has_the_title_of_the_busy() -> None:
    (kept,), _ = chosen([replace(MEETING, title="", hidden=True)], ChoiceOptions(busy_title="Занято"))
    assert kept.title == "Занято"


def _series(*told: Told) -> Series:
    return Series(id=told[0].id, uid=f"{told[0].id}@anna", digest=repr(told).encode(), told=lambda: told)


def test_a_snapshot_holds_the_owner_counts_what_is_left_out_and_rejects_a_bad_event_alone() -> None:
    bad = replace(MEETING, id="bad", recurrence=("nonsense",))
    series = [_series(MEETING), _series(bad), _series(replace(MEETING, id="no", answer="declined"))]
    calendar = ReadCalendar(name="Anna", owner="anna@example.com", series=series)
    composer = Composer(settings="", meanings={})
    snapshot = composer.snapshot([calendar], {}, Choice(options=ChoiceOptions()), CONTEXT)
    assert [(entry.uid, entry.details.owner, entry.where) for entry in snapshot.entries] == [
        ("m@anna", "anna@example.com", "Anna/m")
    ]
    assert (snapshot.complete, set(snapshot.rejected_uids)) == (True, {"bad@anna"})
    assert [(one.kind, one.where) for one in snapshot.problems] == [("rejected", "Anna/bad")]
    assert snapshot.assumed == ("left out: 1 declined",)
    assert composer.snapshot([calendar], {}, Choice(options=ChoiceOptions()), CONTEXT) is snapshot


def test_only_what_has_changed_is_read_again() -> None:
    composer, choice = Composer(settings="", meanings={}), Choice(options=ChoiceOptions())
    one, two = _series(MEETING), _series(replace(MEETING, id="n"))
    composer.snapshot([ReadCalendar(name="Anna", owner="", series=[one, two])], {}, choice, CONTEXT)
    changed = _series(replace(MEETING, id="n", title="New"))
    snapshot = composer.snapshot([ReadCalendar(name="Anna", owner="", series=[one, changed])], {}, choice, CONTEXT)
    assert (composer.parsed, [entry.details.title for entry in snapshot.entries]) == (1, ["Dismissals", "New"])
