"""Dates at the ends of the calendar, 0001 to 9999, in every zone: no entry breaks its shaping, nor anybody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from syncd.cycle.plan import preview
from syncd.cycle.prepared import Prepared
from syncd.cycle.run import PassOptions, PassResult, run_pass
from syncd.model.entry import AllDay, Details, Entry, Moment, Override, Recurrence, Reminder, Snapshot, Span, Timed
from syncd.source.base import ReadContext
from syncd.target.base import ShapeContext, Shaped
from tests.crm.stage import VISITS
from tests.cycle.test_pass import ROWS
from tests.cycle.test_restored import ICS, feed
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

ZONES = sorted(available_timezones() - {"localtime"})
MOSCOW = "Europe/Moscow"
BEGINNING = datetime(1, 1, 1)
END = datetime(9999, 12, 31, 23, 59, 59)
OPEN_END = Timed(start=datetime(2026, 12, 1, 9), end=END, zone=MOSCOW, end_zone=MOSCOW)

moments = st.one_of(
    st.datetimes().map(lambda one: one.replace(microsecond=0)),
    st.sampled_from((BEGINNING, datetime(1, 1, 1, 12), datetime(1969, 12, 31), datetime(2038, 1, 19, 4), END)),
)
zones = st.sampled_from(ZONES) | st.sampled_from(("UTC", "Pacific/Kiritimati", "Pacific/Niue", "Europe/Moscow"))
"""Offsets reach from -12 to +14 hours, so both ends of the calendar are crossed."""


@st.composite
def spans(draw: st.DrawFn) -> Span:
    one, other = sorted((draw(moments), draw(moments)))
    if draw(st.booleans()):
        return Timed(start=one, end=other, zone=draw(zones), end_zone=draw(zones))
    first, end = one.date(), other.date()
    return (
        AllDay(first=first, end=end) if end > first else AllDay(first=min(first, date.max - timedelta(1)), end=date.max)
    )


RULES = ("FREQ=DAILY", "FREQ=YEARLY", "FREQ=WEEKLY;BYDAY=MO,FR", "FREQ=MONTHLY;BYMONTHDAY=31", "FREQ=DAILY;COUNT=5",
         "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "FREQ=MONTHLY;BYDAY=-1SU", "FREQ=DAILY;UNTIL=99991231T235959Z",
         "FREQ=WEEKLY;INTERVAL=500;UNTIL=00010101", "FREQ=HOURLY;INTERVAL=13;COUNT=9")  # fmt: skip


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    span = draw(spans())
    recurrence: Recurrence | None = None
    overrides: tuple[Override, ...] = ()
    if draw(st.booleans()):
        start = min(draw(moments), END - timedelta(hours=2))
        span = Timed(start=start, end=start + timedelta(hours=2), zone=draw(zones), end_zone=draw(zones))
        exdates = tuple(Moment(wall=wall, zone=draw(st.none() | zones)) for wall in draw(st.lists(moments, max_size=2)))
        recurrence = Recurrence(
            rules=(draw(st.sampled_from(RULES)),), rdates=tuple(draw(st.lists(spans(), max_size=1))), exdates=exdates
        )
        if draw(st.booleans()):
            at = Moment(wall=draw(moments), zone=draw(st.none() | zones))
            changed = Override(
                at=at,
                span=draw(spans()),
                details=Details(title="Moved"),
                where="x",
                this_and_future=draw(st.booleans()),
            )
            overrides = (changed,)
    before = draw(st.sampled_from((timedelta(0), timedelta(minutes=15), timedelta(days=40_000), timedelta.max)))
    details = Details(title="Far", owner="3", reminders=(Reminder(before=before),))
    return Entry(uid="u", where="far.ics:1", details=details, span=span, recurrence=recurrence, overrides=overrides)


OPEN = Entry(uid="open", where="far.ics:1", details=Details(title="Far", owner="3"), span=OPEN_END)


@dataclass(frozen=True)
class Fixed:
    """A source that holds these entries."""

    entries: tuple[Entry, ...]

    async def read(self, context: ReadContext) -> Snapshot:
        return Snapshot(entries=self.entries)

    def describe(self) -> str:
        return "far"


GOOD = Entry(
    uid="good",
    where="far.ics:99",
    details=Details(title="Good", owner="3"),
    span=Timed(
        start=datetime(2026, 12, 1, 9), end=datetime(2026, 12, 1, 10), zone="Europe/Moscow", end_zone="Europe/Moscow"
    ),
)
CARDS = VISITS.replace('contact = "{contact_phone}"', 'contact = "1"').replace('name = "visits"', 'name = "shifts"')
CONFIGS = {
    "calendar": SHIFTS,
    "by content": SHIFTS.replace("removed_after", 'uids = "content"\nremoved_after'),
    "activity": CARDS,
    "todo": CARDS.replace('type = "activity"', 'type = "todo"'),
}


@contextmanager
def stage_of(kind: str) -> Iterator[Stage]:
    """Give a portal and a sync into it."""
    with TemporaryDirectory() as folder:
        stage = Stage(Path(folder), CONFIGS[kind])
        stage.write("shifts.csv", "")
        yield stage


async def planned(stage: Stage, entries: tuple[Entry, ...], *, verify: bool, everything: bool) -> Prepared:
    async with stage.opened() as (syncs, app):
        sync = replace(syncs["shifts"], source=Fixed(entries))
        run = app.open_pass(sync.unbounded() if everything else sync, asyncio.Event())
        found = await preview(run, verify=verify)
        assert found.forecast.requests >= 0
        assert found.notices >= 0
        return found


@pytest.mark.parametrize("kind", CONFIGS)
@settings(max_examples=12, deadline=None)
@given(far=entries(), verify=st.booleans(), everything=st.booleans())
@example(far=OPEN, verify=False, everything=False)
@example(far=OPEN, verify=True, everything=True)
def test_no_date_breaks_a_pass_or_keeps_another_entry_from_its_place(
    kind: str, far: Entry, verify: bool, everything: bool
) -> None:
    everything = everything and far.recurrence is None  # a series of 8,000 years becomes as many events
    with stage_of(kind) as stage:
        found = run_inline(planned(stage, (far, GOOD), verify=verify, everything=everything))
    assert [change.op for change in found.plan.changes if change.item and change.item.title == "Good"] == ["create"]
    for problem in found.problems:
        assert problem.reason
        assert "defect" not in problem.reason


async def broken_shape(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> PassResult:
    async with stage.opened() as (syncs, app):
        sync = syncs["shifts"]
        shape = sync.target.shape

        def breaks(entry: Entry, context: ShapeContext) -> Shaped:
            if entry.details.title == "Late shift":
                raise ZeroDivisionError("division by zero")
            return shape(entry, context)

        monkeypatch.setattr(sync.target, "shape", breaks)
        return await run_pass(app.open_pass(sync, asyncio.Event()), PassOptions())


def test_a_defect_that_one_entry_meets_is_its_problem_line_and_the_others_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path, SHIFTS)
    stage.write("shifts.csv", HEADER + ROWS)
    result = run_inline(broken_shape(stage, monkeypatch))
    (problem,) = result.record.problems
    assert (problem.where, problem.kind, problem.title) == ("shifts.csv:3", "rejected", "Late shift")
    assert "a defect of syncd: ZeroDivisionError" in problem.reason
    assert (result.exit_code, result.record.counts["created"], stage.names()) == (1, 2, ["Early shift", "Night shift"])


@pytest.mark.parametrize("end", ["9999-12-31 00:00", "9999-12-31 23:59:59", "9999-12-31"])
def test_an_open_end_in_a_table_costs_no_other_row(tmp_path: Path, end: str) -> None:
    stage = Stage(tmp_path, SHIFTS)
    row = f"4,Open,2026-12-01 06:00,{end},anna.petrova@school.example,Desk 1\n"
    stage.write("shifts.csv", HEADER + ROWS + row)
    result = run_inline(stage.one_pass())
    assert set(stage.names()) >= {"Early shift", "Late shift", "Night shift"}
    assert result.exit_code in (0, 1)
    assert all(problem.where == "shifts.csv:5" for problem in result.record.problems)
    assert run_inline(stage.one_pass(verify=True)).record.counts["created"] == 0


@pytest.mark.parametrize("times", [
    "DTSTART:99991231T230000Z\nDTEND:99991231T235959Z", "DTSTART;VALUE=DATE:99991231",
    "DTSTART:20261201T060000Z\nDTEND:20261201T070000Z\nRRULE:FREQ=YEARLY;UNTIL=99991231T235959Z",
    "DTSTART;TZID=Europe/Moscow:00010101T000000\nDTEND;TZID=Europe/Moscow:00010101T010000\nRRULE:FREQ=DAILY;COUNT=3",
])  # fmt: skip
def test_a_date_at_the_end_of_the_calendar_in_a_feed_costs_no_other_event(tmp_path: Path, times: str) -> None:
    stage = Stage(tmp_path, ICS)
    odd = f"BEGIN:VEVENT\nUID:odd\nSUMMARY:Odd\n{times}\nEND:VEVENT\n"
    stage.write("shifts.ics", feed(1, 2).replace("END:VCALENDAR", f"{odd}END:VCALENDAR"))
    result = run_inline(stage.one_pass())
    assert set(stage.names()) >= {"Lesson 1", "Lesson 2"}
    assert result.exit_code in (0, 1)
