"""Series from an iCalendar file, through a whole pass, to what calendar.event.get shows: as the RFC library reads them.

Three expansions meet here that share no code: the RFC library's, the compiler's proof, and the simulated portal's.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from syncd.cycle.run import PassResult
from syncd.model.entry import Entry, Window
from tests.cycle.browser import differences, seen_by_month, series_stage
from tests.cycle.calendar_text import CalendarText
from tests.model.generated import generated_series
from tests.support.sandbox import Stage, run_inline

SERVERS = ("Europe/Moscow", "Europe/Berlin", "America/New_York", "UTC", "Pacific/Auckland")
CALLERS = (*SERVERS, "Asia/Yekaterinburg", "America/Los_Angeles", "Asia/Kolkata")
FLOATING = ("Europe/Moscow", "Europe/Berlin", "America/New_York")
SERIES_IN_A_FILE = 20


@pytest.mark.parametrize("seed", range(7))
def test_every_month_shows_the_generated_series_as_the_file_says(seed: int, tmp_path: Path) -> None:
    assert compared(seed, tmp_path) == []


def compared(seed: int, folder: Path, number: int = SERIES_IN_A_FILE) -> list[str]:
    """Bring a generated file through a pass and return how what people see then differs from it."""
    rng = Random(seed)
    now = datetime(2021, 6, 1, 9, tzinfo=UTC) + timedelta(days=rng.randrange(2200), hours=rng.randrange(24))
    server, caller, floating = rng.choice(SERVERS), rng.choice(CALLERS), rng.choice(FLOATING)
    entries = [_named(generated_series(rng, around=now.date()), index) for index in range(number)]
    text = CalendarText(rng, floating=floating if rng.random() < 0.5 else None).calendar(entries)
    stage = series_stage(
        folder, now=now, server=server, caller=caller, zone=floating, future=rng.choice((60, 200, 400))
    )
    stage.write("team.ics", text)
    first, again, lines = run_inline(_looked_at(stage, text, floating))
    lines += [f"{problem.where}: {problem.reason}" for problem in first.record.problems if problem.kind != "warning"]
    counts = again.record.counts
    lines += [f"{counts[name]} {name} again" for name in ("created", "updated", "deleted", "adopted") if counts[name]]
    return lines


async def _looked_at(stage: Stage, text: str, floating: str) -> tuple[PassResult, PassResult, list[str]]:
    async with stage.opened() as (syncs, app):
        window: Window = syncs["series"].window(app.clock.now())
    first = await stage.one_pass("series")
    lines = list(differences(await seen_by_month(stage, window), text, window, floating=floating))
    return first, await stage.one_pass("series", verify=True), lines


def _named(entry: Entry, index: int) -> Entry:
    """Give an entry and its changed occurrences names of their own."""
    overrides = tuple(
        replace(one, details=replace(one.details, title=f"Lesson {index} changed {at}"))
        for at, one in enumerate(entry.overrides)
    )
    return replace(
        entry, uid=f"lesson-{index}", details=replace(entry.details, title=f"Lesson {index}"), overrides=overrides
    )
