"""Sources that make new uids, at every fetch or once: nothing is doubled, nothing that stands there yet is deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random

import pytest

from syncd.cycle.plan import preview
from syncd.cycle.prepared import Prepared
from syncd.cycle.run import PassResult
from syncd.cycle.takeback import Offer, Taken, undo
from syncd.sandbox.tables.database import Event
from tests.support.sandbox import WEBHOOK, Stage, run_inline

CONFIG = f"""
[portals.main]
webhook = "{WEBHOOK}"

[[sync]]
name = "shifts"
timezone = "Europe/Moscow"
on_removed = "delete"
removed_after = 1
max_removed = "100%"
{{more}}

[sync.source]
type = "ics"
path = "feed.ics"

[sync.target]
calendar = "company"
section = "Feed"

[sync.filter]
exclude = ["uid ~ ^private"]
"""
TITLES = ("Algebra", "Biology", "Chemistry", "Drawing", "English")
uids = map("{:08x}-made-up".format, count(7919, 7919))


def event(title: str, *lines: str, day: int = 1, hour: int = 9, uid: str = "") -> str:
    """Return an event of an hour in December 2026, under a uid that was never there before unless one is given."""
    span = (("START", hour), ("END", hour + 1))
    times = [f"DT{end};TZID=Europe/Moscow:202612{day:02}T{at:02}0000" for end, at in span]
    return "\n".join(["BEGIN:VEVENT", f"UID:{uid or next(uids)}", f"SUMMARY:{title}", *times, *lines, "END:VEVENT"])


def timetable(*titles: str) -> Iterator[str]:
    return (event(title, day=day) for day, title in enumerate(titles or TITLES, 1))


class School:
    """A feed, the portal it goes into, and the program that is started for every pass."""

    def __init__(self, folder: Path, *more: str) -> None:
        self.stage = Stage(folder, CONFIG.replace("{more}", "\n".join(more)))
        self._foreign = {one.id for one in self._events()}

    def _events(self) -> tuple[Event, ...]:
        return self.stage.world.events("company_calendar", 0)

    def feed(self, *events: str, whole: bool = True) -> PassResult:
        """Write the feed and run a pass."""
        self.write(*events, whole=whole)
        return run_inline(self.stage.one_pass())

    def write(self, *events: str, whole: bool = True) -> None:
        ends = ["END:VCALENDAR", ""] if whole else [""]
        self.stage.write("feed.ics", "\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *events, *ends]))

    def lose_state(self) -> None:
        for path in (self.stage.folder / "state").iterdir():
            path.unlink()

    @property
    def shown(self) -> dict[int, tuple[str, str, int]]:
        """The events by id: name, place and version."""
        return {one.id: (one.name, one.location, one.version) for one in self._events() if one.id not in self._foreign}

    @property
    def names(self) -> list[str]:
        return sorted(name for name, _, _ in self.shown.values())


@pytest.fixture
def school(tmp_path: Path) -> School:
    return School(tmp_path)


def changes(result: PassResult) -> dict[str, int]:
    told = ("created", "updated", "deleted", "adopted", "held", "rejected")
    return {name: number for name in told if (number := result.record.counts[name])}


def warnings(result: PassResult) -> list[str]:
    return [problem.reason for problem in result.record.problems if problem.kind == "warning"]


def test_a_feed_with_new_uids_at_every_fetch_is_written_once_and_an_edit_in_between_is_one_update(
    school: School,
) -> None:
    assert changes(school.feed(*timetable())) == {"created": 5}
    shown, requests = school.shown, school.stage.transport.requests
    second = school.feed(*timetable())
    assert (changes(second), second.exit_code, school.stage.transport.requests) == ({}, 0, requests)
    third = school.feed(event("Algebra", "LOCATION:Gym"), *list(timetable())[1:])
    assert changes(third) == {"updated": 1}
    requests = school.stage.transport.requests
    fourth = school.feed(event("Algebra", "LOCATION:Gym"), *list(timetable())[1:])
    assert (changes(fourth), school.stage.transport.requests) == ({}, requests)
    assert school.shown.keys() == shown.keys()
    assert [place for _, place, _ in school.shown.values()] == ["Gym", "", "", "", ""]


def test_a_feed_that_also_stamps_every_description_anew_is_not_doubled(tmp_path: Path) -> None:
    school = School(tmp_path, "max_changed = 99")
    for stamp in ("noon", "one"):
        stamped = [event(title, f"DESCRIPTION:exported at {stamp}", day=day) for day, title in enumerate(TITLES, 1)]
        result = school.feed(*stamped)
    assert changes(result) == {"updated": 5}
    assert school.names == list(TITLES)


def test_the_pass_that_finds_new_uids_names_the_source_what_follows_and_the_remedy(school: School) -> None:
    assert warnings(school.feed(*timetable())) == []
    result = school.feed(*timetable())
    (problem,) = result.record.problems
    assert (problem.where, problem.kind) == ("ics feed.ics", "warning")
    for said in ("new uids for 5 of the 5 entries", 'on_removed = "delete"', 'uids = "content" in [[sync]] shifts'):
        assert said in problem.reason
    assert warnings(run_inline(school.stage.one_pass())) == []  # the same file again


def test_a_new_title_or_start_is_a_new_entry_and_the_old_one_goes(school: School) -> None:
    school.feed(*timetable())
    result = school.feed(*timetable("Astronomy", *TITLES[1:]))
    assert changes(result) == {"created": 1, "deleted": 1}
    assert school.names == ["Astronomy", *TITLES[1:]]
    moved = [event("Astronomy", hour=15), *(event(title, day=day) for day, title in enumerate(TITLES[1:], 2))]
    assert changes(school.feed(*moved)) == {"created": 1, "deleted": 1}
    assert len(school.names) == 5


def test_an_entry_that_is_gone_from_a_feed_with_new_uids_is_deleted_and_a_new_one_created(school: School) -> None:
    school.feed(*timetable())
    result = school.feed(*list(timetable())[:4], event("French", day=6))
    assert changes(result) == {"created": 1, "deleted": 1}
    assert school.names == ["Algebra", "Biology", "Chemistry", "Drawing", "French"]


def test_a_source_that_changes_its_uids_once_is_an_ordinary_one_from_then_on(school: School) -> None:
    school.feed(*timetable())
    ids = school.shown.keys()
    moved = [event(title, day=day, uid=f"new{day}") for day, title in enumerate(TITLES, 1)]
    assert changes(school.feed(*moved)) == {}
    renamed = [event("Astronomy", hour=15, uid="new1"), *moved[1:]]
    result = school.feed(*renamed)
    assert (changes(result), warnings(result)) == ({"updated": 1}, [])
    assert school.names == ["Astronomy", *TITLES[1:]]
    assert school.shown.keys() == ids
    assert changes(school.feed(*renamed[1:])) == {"deleted": 1}


def test_where_only_some_uids_change_the_same_entries_stay_and_the_others_are_as_ever(school: School) -> None:
    steady = [event(title, day=day, uid=title) for day, title in enumerate(TITLES[:4], 1)]
    school.feed(*steady, event("English", day=5))
    result = school.feed(*steady, event("English", day=5))
    assert changes(result) == {}
    assert "1 entry came under new uids" in warnings(result)[0]
    edited = school.feed(event("Art", day=1, uid="Algebra"), *steady[1:], event("English", day=5))
    assert changes(edited) == {"updated": 1}
    assert school.names == ["Art", *TITLES[1:]]


def test_in_an_ordinary_source_an_entry_that_only_resembles_one_that_went_is_a_new_one(tmp_path: Path) -> None:
    school = School(tmp_path, 'on_removed = "keep"')
    school.stage.config = school.stage.config.replace('on_removed = "delete"\n', "")
    steady = [event(title, day=day, uid=title) for day, title in enumerate(TITLES[:4], 1)]
    school.feed(*steady, event("English", "LOCATION:Hall", day=5, uid="old"))
    result = school.feed(*steady, event("English", "LOCATION:Gym", day=5, uid="new"))
    assert (changes(result), warnings(result)) == ({"created": 1}, [])
    assert sorted(place for name, place, _ in school.shown.values() if name == "English") == ["Gym", "Hall"]


def test_twins_stay_as_many_as_they_are(school: School) -> None:
    school.feed(*(event("Consultation") for _ in range(3)), *timetable())
    assert changes(school.feed(*(event("Consultation") for _ in range(3)), *timetable())) == {}
    assert changes(school.feed(*(event("Consultation") for _ in range(2)), *timetable())) == {"deleted": 1}
    assert changes(school.feed(*(event("Consultation") for _ in range(4)), *timetable())) == {"created": 2}
    assert school.names.count("Consultation") == 4


def test_a_uid_that_comes_back_beside_its_successor_is_an_entry_of_its_own(school: School) -> None:
    rest = [event(title, day=day, uid=title) for day, title in enumerate(TITLES[1:], 2)]
    school.feed(event("Algebra", uid="old"), *rest)
    school.feed(event("Algebra", uid="new"), *rest)
    assert changes(school.feed(event("Algebra", uid="old"), event("Algebra", uid="new"), *rest)) == {"created": 1}
    assert school.names.count("Algebra") == 2
    assert changes(school.feed(event("Algebra", uid="new"), *rest)) == {"deleted": 1}


def test_series_with_exceptions_are_known_again_and_edited_in_place(school: School) -> None:
    def weekly(*lines: str) -> str:
        uid = next(uids)
        rule = ("RRULE:FREQ=WEEKLY;COUNT=10", "EXDATE;TZID=Europe/Moscow:20261208T090000", *lines)
        changed = event("Choir", "RECURRENCE-ID;TZID=Europe/Moscow:20261215T090000", day=16, hour=12, uid=uid)
        return "\n".join([event("Choir", *rule, uid=uid), changed])

    school.feed(weekly(), *timetable())
    shown = school.shown
    assert changes(school.feed(weekly(), *timetable())) == {}
    edited = school.feed(weekly("LOCATION:Hall"), *timetable())
    assert set(changes(edited)) == {"updated"}
    assert school.shown.keys() == shown.keys()


def test_an_entry_that_is_cancelled_under_a_new_uid_goes(tmp_path: Path) -> None:
    school = School(tmp_path)
    school.stage.config = school.stage.config.replace('on_removed = "delete"\n', "")
    school.feed(*timetable())
    result = school.feed(event("Algebra", "STATUS:CANCELLED"), *list(timetable())[1:])
    assert changes(result) == {"deleted": 1}
    assert school.names == list(TITLES[1:])


def test_an_entry_that_cannot_be_read_under_its_new_uid_is_not_taken_for_gone(school: School) -> None:
    school.feed(*timetable())
    broken = [event("Algebra").replace("20261201T09", "20260231T09"), *list(timetable())[1:]]
    for _ in range(3):
        result = school.feed(*broken)
        assert changes(result) == {"rejected": 1}
        assert any("1 event that seems gone" in said for said in warnings(result))
        assert changes(run_inline(school.stage.one_pass())) == {"rejected": 1}  # nor when the file stays the same
    assert school.names == list(TITLES)


def test_an_entry_that_never_could_be_read_keeps_nothing_from_being_deleted_once_the_uids_are_steady(
    school: School,
) -> None:
    broken = event("Broken", uid="broken").replace("20261201T09", "20260231T09")
    school.feed(*timetable(), broken)
    steady = [event(title, day=day, uid=title) for day, title in enumerate(TITLES, 1)]
    assert changes(school.feed(*steady, broken.replace("UID:broken", "UID:other"))) == {"rejected": 1}
    assert changes(school.feed(*steady[1:], broken.replace("UID:broken", "UID:other"))) == {"deleted": 1, "rejected": 1}
    assert school.names == list(TITLES[1:])


def test_a_feed_cut_short_with_new_uids_deletes_nothing_and_doubles_nothing(school: School) -> None:
    school.feed(*timetable())
    result = school.feed(*list(timetable())[:3], "BEGIN:VEVENT\nUID:x", whole=False)
    assert result.exit_code == 5
    assert not {"created", "updated", "deleted"} & changes(result).keys()
    assert changes(school.feed(*timetable())) == {}
    assert school.names == list(TITLES)


def test_after_a_lost_state_the_events_are_taken_over_under_whatever_uids_there_are(school: School) -> None:
    school.feed(*timetable())
    shown = school.shown
    school.lose_state()
    assert changes(school.feed(*timetable())) == {"adopted": 5}
    assert changes(school.feed(*timetable())) == {}
    assert school.shown == shown


def test_recovery_marks_stay_with_their_events_when_uids_change(tmp_path: Path) -> None:
    school = School(tmp_path, 'marker = "description"')
    school.feed(*timetable())
    shown = school.shown
    assert changes(school.feed(*timetable())) == {}
    assert school.shown == shown


def test_a_look_at_the_plan_remembers_nothing(school: School) -> None:
    async def planned() -> Prepared:
        async with school.stage.opened() as (syncs, app):
            return await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False)

    school.feed(*timetable())
    school.write(*timetable())
    for _ in range(2):
        prepared = run_inline(planned())
        assert prepared.plan.changes == ()
        assert "new uids for 5 of the 5" in prepared.problems[0].reason


def test_a_run_can_be_undone_after_the_uids_have_changed(school: School) -> None:
    async def yes(_offer: Offer) -> bool:
        return True

    async def undone(run_id: int) -> Taken:
        async with school.stage.opened() as (syncs, app):
            return await undo(app.open_pass(syncs["shifts"], asyncio.Event()), run_id, confirm=yes)

    school.feed(*timetable())
    school.feed(*timetable())
    assert run_inline(undone(1)).exit_code == 0
    assert school.names == []


def test_uids_made_from_content_keep_every_event_and_need_no_warning(tmp_path: Path) -> None:
    school = School(tmp_path, 'uids = "content"', 'marker = "description"')
    assert changes(school.feed(*timetable())) == {"created": 5}
    result = school.feed(event("Algebra", "LOCATION:Gym"), *list(timetable())[1:])
    assert (changes(result), warnings(result)) == ({"updated": 1}, [])
    school.lose_state()
    assert changes(school.feed(event("Algebra", "LOCATION:Gym"), *list(timetable())[1:])) == {"adopted": 5}
    assert changes(school.feed(event("Algebra", "LOCATION:Gym"), *list(timetable())[1:])) == {}
    assert len(school.names) == 5


def test_turning_to_content_and_back_keeps_every_event(school: School) -> None:
    school.feed(*timetable())
    shown = school.shown
    former = school.stage.config
    school.stage.config = former.replace("max_removed", 'uids = "content"\nmax_removed')
    assert changes(school.feed(*timetable())) == {}
    assert changes(school.feed(*timetable())) == {}
    school.stage.config = former
    assert changes(school.feed(*timetable())) == {}
    assert school.shown == shown


def test_twins_named_by_content_do_not_depend_on_their_order(tmp_path: Path) -> None:
    school = School(tmp_path, 'uids = "content"')
    rooms = [("LOCATION:Hall",), ("LOCATION:Gym",), ()]
    assert changes(school.feed(*(event("Consultation", *room) for room in rooms))) == {"created": 3}
    shown = school.shown
    assert changes(school.feed(*(event("Consultation", *room) for room in reversed(rooms)))) == {}
    assert school.shown == shown


def test_what_cannot_be_read_where_content_names_is_not_taken_for_gone(tmp_path: Path) -> None:
    school = School(tmp_path, 'uids = "content"')
    school.feed(*timetable())
    result = school.feed(event("Algebra").replace("20261201T09", "20260231T09"), *list(timetable())[1:])
    assert changes(result) == {"rejected": 1}
    assert school.names == list(TITLES)


def test_a_filter_sees_the_uids_of_the_source_whatever_names_its_entries(tmp_path: Path) -> None:
    for folder, more in (("a", ""), ("b", 'uids = "content"')):
        (tmp_path / folder).mkdir()
        school = School(tmp_path / folder, more)
        school.feed(*timetable(), event("Secret", day=9, uid="private-1"))
        school.feed(*timetable(), event("Secret", day=9, uid="private-2"))
        assert school.names == list(TITLES)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("share", [1.0, 0.3])
def test_whatever_changes_together_with_uids_each_entry_is_there_once_and_what_stayed_is_not_touched(
    seed: int, share: float, tmp_path: Path
) -> None:
    rng = Random(f"{seed}/{share}")
    school = School(tmp_path, "max_changed = 99")
    rows = [(f"Lesson {number}", 1 + number, "Hall") for number in range(16)]
    names = [next(uids) for _ in rows]
    for step in range(8):
        names = [next(uids) if rng.random() < share else name for name in names]
        if step == 5:
            school.lose_state()
        elif step:
            edited, gone = rng.sample(range(len(rows)), 2)
            rows[edited] = (*rows[edited][:2], rng.choice(("Gym", "Hall", "Lab")))
            rows[gone], names[gone] = (f"New {step}", rng.randrange(1, 20), "Hall"), next(uids)
        stood = school.shown
        result = school.feed(
            *(
                event(title, f"LOCATION:{place}", day=day, uid=uid)
                for (title, day, place), uid in zip(rows, names, strict=True)
            )
        )
        assert result.error is None, result.error
        wanted = sorted((title, place) for title, _, place in rows)
        assert sorted((name, place) for name, place, _ in school.shown.values()) == wanted
        assert len(stood.items() & school.shown.items()) >= (len(rows) - 2 if step else 0)
