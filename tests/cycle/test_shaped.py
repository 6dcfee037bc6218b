"""What the memory of shaping answers: always what shaping again would, and nothing is shaped twice that is the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.cycle.plan import preview
from syncd.cycle.run import PassOptions, run_pass
from syncd.model.entry import Details, Entry, Recurrence, Timed, Window
from syncd.model.template import compile_template
from syncd.portal.people.directory import Caller, Directory, Section, User
from syncd.target.base import ShapeContext, Shaped, ShapingMemory, Target
from syncd.target.calendar.calendar_target import CalendarSettings, CalendarTarget
from tests.support.calls import counting_calls
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

USERS = tuple(
    User(id=n, name="P", last_name=str(n), email=f"p{n}@x.example", xml_id="", zone="", active=True) for n in (1, 2)
)
DIRECTORY = Directory(
    read_at=1.0,
    caller=Caller(id=1, zone="Europe/Moscow", admin=True),
    server_offset_s=10_800,
    users=USERS,
    sections={f"user/{n}": (Section(id=10 + n, name="Shifts", writable=True, external=""),) for n in (1, 2)},
)
CONTEXT = ShapeContext(
    directory=DIRECTORY,
    window=Window(first=date(2026, 11, 1), last=date(2026, 12, 31)),
    today=date(2026, 11, 21),
    portal_zone="Europe/Moscow",
)
CONTEXTS = (
    CONTEXT,
    replace(CONTEXT, directory=replace(DIRECTORY, read_at=2.0)),
    replace(CONTEXT, directory=replace(DIRECTORY, users=(USERS[0], replace(USERS[1], active=False)))),
    replace(CONTEXT, directory=replace(DIRECTORY, users=(replace(USERS[0], email="p2@x.example"), USERS[1]))),
    replace(CONTEXT, directory=DIRECTORY.with_sections({"user/1": ()})),
    replace(CONTEXT, window=Window(first=date(2026, 11, 2), last=date(2027, 1, 1))),
    replace(CONTEXT, window=Window(first=None, last=None)),
    replace(CONTEXT, today=date(2026, 11, 22)),
    replace(CONTEXT, portal_zone="America/New_York"),
)
STARTS = (datetime(2026, 10, 31, 9), datetime(2026, 11, 1, 9), datetime(2026, 12, 1, 9), datetime(2027, 1, 1, 9))


def target() -> CalendarTarget:
    name, owner, empty = (compile_template(text, where="t") for text in ("{title}", "{owner}", ""))
    return CalendarTarget(
        CalendarSettings(
            sync="s", calendar="user", section="Shifts", owner=owner, name=name, description=empty, location=empty
        )
    )


def entry(number: int, *, owner: int = 1, start: datetime = STARTS[2], rule: str = "") -> Entry:
    return Entry(
        uid=f"u{number}",
        where=f"a.csv:{number}",
        details=Details(title=f"Lesson {number}", owner=f"p{owner}@x.example"),
        span=Timed(start=start, end=start + timedelta(hours=1), zone="Europe/Moscow", end_zone="Europe/Moscow"),
        recurrence=Recurrence(rules=(rule,)) if rule else None,
    )


class Counting:
    """A target that counts what it is asked to shape."""

    def __init__(self) -> None:
        self.target = target()
        self.asked: list[str] = []

    def shape(self, one: Entry, context: ShapeContext) -> Shaped:
        self.asked.append(one.uid)
        return self.target.shape(one, context)


def asked(memory: ShapingMemory, counting: Counting, entries: Iterable[Entry], context: ShapeContext) -> list[str]:
    """Return the uids that were shaped; what the memory answers is checked in any case."""
    counting.asked = []
    entries = tuple(entries)
    found = memory.shape(cast(Target, counting), entries, context)
    fresh = target()
    assert found == [(one, fresh.shape(one, context)) for one in entries]
    return counting.asked


def test_an_equal_entry_in_an_equal_context_is_shaped_once_and_a_changed_one_alone() -> None:
    memory, counting = ShapingMemory(), Counting()
    entries = [entry(n) for n in range(5)]
    assert len(asked(memory, counting, entries, CONTEXT)) == 5
    again = replace(CONTEXT, directory=replace(DIRECTORY))
    assert asked(memory, counting, [entry(n) for n in range(5)], again) == []
    entries[3] = entry(3, owner=2)
    assert asked(memory, counting, entries, CONTEXT) == ["u3"]
    moved = [replace(one, where=f"b.{one.where}") for one in entries]
    assert len(asked(memory, counting, moved, CONTEXT)) == 5


def test_entries_of_a_former_snapshot_are_let_go_of() -> None:
    memory, counting = ShapingMemory(), Counting()
    asked(memory, counting, [entry(n) for n in range(5)], CONTEXT)
    fresh = [entry(n) for n in range(5)]
    found = memory.shape(cast(Target, counting), fresh, CONTEXT)
    assert len(counting.asked) == 5
    assert all(pair[0] is one for pair, one in zip(found, fresh, strict=True))


def test_whatever_else_shaping_depends_on_has_everything_shaped_anew() -> None:
    entries = [entry(n, owner=1 + n % 2, start=STARTS[n % 4]) for n in range(8)]
    for before in CONTEXTS:
        for after in CONTEXTS:
            memory, counting = ShapingMemory(), Counting()
            asked(memory, counting, entries, before)
            assert len(asked(memory, counting, entries, after)) == (0 if after is before else 8)


def test_series_are_left_to_the_memory_of_their_compiler_and_one_pass_is_kept() -> None:
    memory, counting = ShapingMemory(), Counting()
    both = [entry(0), entry(1, rule="FREQ=WEEKLY;COUNT=3")]
    asked(memory, counting, both, CONTEXT)
    assert asked(memory, counting, both, CONTEXT) == ["u1"]
    assert asked(memory, counting, [entry(2)], CONTEXT) == ["u2"]
    assert asked(memory, counting, both, CONTEXT) == ["u0", "u1"]


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(CONTEXTS),
            st.lists(
                st.tuples(st.integers(0, 3), st.integers(1, 3), st.sampled_from(STARTS), st.booleans()),
                unique_by=lambda one: one[0],
            ),
        ),
        max_size=6,
    )
)
def test_whatever_passes_came_before_the_answer_is_that_of_shaping_anew(
    passes: list[tuple[ShapeContext, list[tuple[int, int, datetime, bool]]]],
) -> None:
    memory, counting = ShapingMemory(), Counting()
    for context, rows in passes:
        rule = "FREQ=DAILY;COUNT=2"
        made = [entry(n, owner=who, start=start, rule=rule if series else "") for n, who, start, series in rows]
        asked(memory, counting, made, context)


def test_a_process_that_goes_on_sees_an_owner_leave_and_the_window_roll_on(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SHIFTS.replace("removed_after = 1", 'removed_after = 1\nwindow = { future = "10d" }'))
    stage.write(
        "shifts.csv",
        HEADER
        + "1,Soon,2026-11-30 06:00,2026-11-30 14:00,anna.petrova@school.example,\n"
        + "2,Later,2026-12-03 06:00,2026-12-03 14:00,ivan.sokolov@school.example,\n",
    )

    async def passes() -> list[dict[str, int]]:
        counts = []
        async with stage.opened() as (syncs, app):
            for days in (0, 0, 5, 1):
                stage.clock.advance(days * 86_400)
                if days == 1:
                    (ivan,) = (user for user in stage.world.tables.users.values() if user.email.startswith("ivan."))
                    ivan.active = False
                result = await run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), PassOptions())
                counts.append({name: n for name, n in result.record.counts.items() if n})
        return counts

    assert run_inline(passes()) == [
        {"created": 1},
        {"unchanged": 1},
        {"created": 1, "unchanged": 1},
        {"unchanged": 1, "held": 1},
    ]


def test_an_unchanged_row_costs_few_calls(tmp_path: Path) -> None:
    """A bound on the work for each row, so that a large table stays quick: calls can be counted, seconds cannot."""

    def calls(rows: int) -> int:
        folder = tmp_path / str(rows)
        folder.mkdir()
        stage = Stage(folder, SHIFTS)
        days = (date(2026, 11, 22) + timedelta(days=n % 200) for n in range(rows))
        lines = (f"{n},Shift {n},{day} 06:00,{day} 14:00,anna.petrova@school.example,\n" for n, day in enumerate(days))
        stage.write("shifts.csv", HEADER + "".join(lines))
        run_inline(stage.one_pass())

        async def again() -> int:
            async with stage.opened() as (syncs, app):
                with counting_calls() as made:
                    prepared = await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False)
                assert prepared.plan.unchanged == rows
                return made.count

        return run_inline(again())

    assert (calls(200) - calls(100)) / 100 < 235  # 226 when this was written
