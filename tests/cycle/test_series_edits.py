"""A series edited in its source: the fewest changes, in an order that never shows an occurrence twice for long."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random

import pytest

from syncd.cycle.run import PassResult
from syncd.model.entry import Moment, Override, Span
from syncd.sandbox.faults import parse_fault
from syncd.sandbox.settings import Settings
from tests.cycle.browser import OWNER, differences, seen_by_month, series_stage
from tests.cycle.calendar_text import CalendarText
from tests.model.referee import days, override, series, timed
from tests.support.sandbox import Stage, run_inline

ZONE = "Europe/Berlin"
NOW = datetime(2026, 1, 12, 9, tzinfo=UTC)
START = datetime(2025, 12, 1, 9)
LESSON = timed(START)
EVERY_WEEKDAY = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"
TWO_HUNDRED = f"{EVERY_WEEKDAY};UNTIL=20260904T070000Z"


def at(day: date, zone: str | None = ZONE) -> Moment:
    return Moment(wall=datetime(day.year, day.month, day.day, 9 if zone else 0), zone=zone)


def text(span: Span, rule: str, *, without: tuple[date, ...] = (), overrides: tuple[Override, ...] = ()) -> str:
    zone = ZONE if span is LESSON else None
    entry = series(span, rule, exdates=[at(day, zone) for day in without], overrides=overrides)
    return CalendarText(Random(1)).calendar([entry])


@dataclass
class Edited:
    """A stage, and how many requests in a row came in while something stood twice in the person's calendar."""

    stage: Stage
    in_a_row: int = 0
    longest: int = 0
    seconds: float = 0.0

    def look(self) -> None:
        whole = datetime(2025, 11, 1), datetime(2027, 3, 1)
        shown = Counter((first, last) for _, first, last in self.stage.world.occurrences("user", OWNER, *whole))
        self.in_a_row = self.in_a_row + 1 if any(count > 1 for count in shown.values()) else 0
        self.longest = max(self.longest, self.in_a_row)

    def brought(self, ics: str) -> Counter[str]:
        """Run a pass for the new text, check every month, and return the pass's counts.

        Nothing may stand twice for longer than from one request to the next, and reading all back finds nothing to do.
        """
        self.stage.write("team.ics", ics)
        self.in_a_row = self.longest = 0
        result, again, lines = run_inline(self._passes(ics))
        self.seconds = result.record.seconds
        assert lines == []
        assert result.state == "done"
        assert self.longest <= 1
        assert again.prepared is not None
        assert again.prepared.plan.changes == ()
        return Counter({name: result.record.counts[name] for name in ("created", "updated", "deleted")})

    async def _passes(self, ics: str) -> tuple[PassResult, PassResult, list[str]]:
        self.stage.transport.before = self.look
        result = await self.stage.one_pass("series")
        self.look()
        self.stage.transport.before = None
        async with self.stage.opened() as (syncs, app):
            window = syncs["series"].window(app.clock.now())
        lines = list(differences(await seen_by_month(self.stage, window), ics, window, floating=ZONE))
        return result, await self.stage.one_pass("series", verify=True), lines


def begun(folder: Path, ics: str, *, batch_size: int = 10) -> Edited:
    """Return a stage on which `ics` stands in the calendar."""
    stage = series_stage(folder, now=NOW, zone=ZONE, future=280)
    stage.config = stage.config.replace("[[sync]]", f"[portals.main.limits]\nbatch_size = {batch_size}\n\n[[sync]]")
    stage.write("team.ics", ics)
    assert run_inline(stage.one_pass("series")).state == "done"
    return Edited(stage)


def moved_to(day: date, to: datetime, *, future: bool = False) -> Override:
    return override(at(day), timed(to), future=future)


FIRST, SECOND, THIRD = date(2026, 3, 11), date(2026, 4, 20), date(2026, 4, 21)
EDITS: dict[str, tuple[str, str, int]] = {
    "an exception more": (text(LESSON, TWO_HUNDRED), text(LESSON, TWO_HUNDRED, without=(FIRST,)), 3),
    "an exception beside another": (
        text(LESSON, TWO_HUNDRED, without=(SECOND,)),
        text(LESSON, TWO_HUNDRED, without=(SECOND, THIRD)),
        3,
    ),
    "a further exception": (
        text(LESSON, TWO_HUNDRED, without=(SECOND,)),
        text(LESSON, TWO_HUNDRED, without=(FIRST, SECOND)),
        3,
    ),
    "another exception": (
        text(LESSON, TWO_HUNDRED, without=(FIRST,)),
        text(LESSON, TWO_HUNDRED, without=(SECOND,)),
        3,
    ),
    "an occurrence on another day": (
        text(LESSON, TWO_HUNDRED),
        text(LESSON, TWO_HUNDRED, overrides=(moved_to(FIRST, datetime(2026, 3, 14, 12)),)),
        3,
    ),
    "an occurrence at another time": (
        text(LESSON, TWO_HUNDRED, without=(SECOND,)),
        text(LESSON, TWO_HUNDRED, without=(SECOND,), overrides=(moved_to(FIRST, datetime(2026, 3, 11, 15)),)),
        3,
    ),
    "an occurrence moved again": (
        text(LESSON, TWO_HUNDRED, overrides=(moved_to(FIRST, datetime(2026, 3, 14, 12)),)),
        text(LESSON, TWO_HUNDRED, overrides=(moved_to(FIRST, datetime(2026, 3, 15, 12)),)),
        1,
    ),
    "an end put off": (text(LESSON, TWO_HUNDRED), text(LESSON, TWO_HUNDRED.replace("0904", "1020")), 1),
    "an end put off behind an exception": (
        text(LESSON, TWO_HUNDRED, without=(FIRST,)),
        text(LESSON, TWO_HUNDRED.replace("0904", "1020"), without=(FIRST,)),
        1,
    ),
    "an end taken away": (text(LESSON, TWO_HUNDRED), text(LESSON, EVERY_WEEKDAY), 1),
    "another time from a day on": (
        text(LESSON, TWO_HUNDRED),
        text(LESSON, TWO_HUNDRED, overrides=(moved_to(FIRST, datetime(2026, 3, 11, 15), future=True),)),
        2,
    ),
    "another time from a later day on": (
        text(LESSON, TWO_HUNDRED, overrides=(moved_to(FIRST, datetime(2026, 3, 11, 15), future=True),)),
        text(LESSON, TWO_HUNDRED, overrides=(moved_to(SECOND, datetime(2026, 4, 20, 15), future=True),)),
        3,
    ),
    "an exception among whole days": (
        text(days(date(2025, 12, 1)), "FREQ=WEEKLY;UNTIL=20291231"),
        text(days(date(2025, 12, 1)), "FREQ=WEEKLY;UNTIL=20291231", without=(date(2026, 3, 9),)),
        3,
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_costs_at_most_so_many_changes_and_so_does_taking_it_back(edit: str, tmp_path: Path) -> None:
    before, after, most = EDITS[edit]
    edited = begun(tmp_path, before)
    assert 1 <= edited.brought(after).total() <= most
    assert 1 <= edited.brought(before).total() <= most


def test_a_successor_waits_until_its_predecessor_is_cut_however_long_that_takes(tmp_path: Path) -> None:
    edited = begun(tmp_path, text(LESSON, TWO_HUNDRED), batch_size=1)
    block = parse_fault("block:method=calendar.event.update,times=2")
    edited.stage.set_faults(Settings(integer_stamps=False, faults=(block,)))
    assert edited.brought(text(LESSON, TWO_HUNDRED, without=(FIRST, SECOND))).total() == 3
    assert edited.seconds > 60
    assert edited.longest == 0


def test_a_series_the_portal_repeats_by_itself_needs_nothing_as_time_passes(tmp_path: Path) -> None:
    ics = text(LESSON, EVERY_WEEKDAY, without=(FIRST,))
    edited = begun(tmp_path, ics)
    for _ in range(3):
        edited.stage.clock.advance(40 * 86400.0)
        assert edited.brought(ics).total() == 0


def test_a_series_the_portal_cannot_repeat_gets_the_new_days_and_only_them_as_time_passes(tmp_path: Path) -> None:
    ics = text(LESSON, "FREQ=MONTHLY;BYDAY=-1FR")
    edited = begun(tmp_path, ics)
    created = []
    for _ in range(12):
        edited.stage.clock.advance(30 * 86400.0)
        counts = edited.brought(ics)
        assert (counts["updated"], counts["deleted"]) == (0, 0)
        created.append(counts["created"])
    assert sum(created) == 4  # stretches of the last Fridays in a year
    assert max(created) == 1
