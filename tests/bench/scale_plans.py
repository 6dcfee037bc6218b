"""Rows of `scale` about plans in a new process: first ones, of what is settled or has one change, and of series.

The bare loop beside each goes through the lines of the same file and makes a digest of each. `prepare` runs two passes,
as many as it takes until the second one has left nothing to do.
"""

from __future__ import annotations

import asyncio
import shutil
from datetime import date, datetime, timedelta
from hashlib import blake2b
from pathlib import Path

from syncd.cycle.plan import preview
from syncd.cycle.run import PassOptions, run_pass
from tests.bench.plan_load import COLUMNS, CONFIG, PEOPLE, fill, write
from tests.bench.scale_rows import STATE, Measured, Work, bare, make_csv, meter, opened, portal_beside


class Plan(Work):
    """A plan of a table or a feed in a new process; with `changes` there is one row more than at the last pass."""

    kind = "csv"
    changes = False

    def prepare(self, folder: Path, size: int) -> None:
        owner, columns = ("{organizer}", "") if self.kind == "ics" else ("{owner}", COLUMNS)
        (folder / "syncd.toml").write_text(CONFIG.format(kind=self.kind, columns=columns, owner=owner))
        self.write(folder, size, more=False)
        asyncio.run(fill(folder / "syncd.toml"))
        for _ in range(2):
            asyncio.run(_pass(folder))
        if self.changes:
            self.write(folder, size, more=True)

    def write(self, folder: Path, size: int, *, more: bool) -> None:
        """Write the source."""
        write(self.kind, size, folder, more=more)

    async def run(self, folder: Path, size: int) -> Measured:
        found = Measured()
        with bare(found), (folder / f"bench.{self.kind}").open("rb") as lines:
            for one in lines:
                blake2b(one, digest_size=16).digest()
        async with meter(found), opened(folder) as app:
            prepared = await preview(app.open_pass(app.sync("bench"), asyncio.Event()), verify=False)
        assert bool(prepared.plan.changes) == self.changes, prepared.counts
        assert prepared.plan.unchanged >= size
        return found


class SettledTable(Plan):
    name, size, unit = "settled table", 100_000, "rows of CSV"


class ChangedTable(Plan):
    name, size, unit, changes = "table with one change", 100_000, "rows of CSV", True


class MillionRows(ChangedTable):
    name, size, when_asked = "a million rows", 1_000_000, True


class FirstPlan(Work):
    """The plan of a table of which the portal holds nothing."""

    name, size, unit = "first plan", 100_000, "rows of CSV"

    def prepare(self, folder: Path, size: int) -> None:
        make_csv(folder, size)
        asyncio.run(_forget(folder))

    async def run(self, folder: Path, size: int) -> Measured:
        found = Measured()
        with bare(found), (folder / "bench.csv").open("rb") as lines:
            for one in lines:
                blake2b(one, digest_size=16).digest()
        with portal_beside(folder):
            async with meter(found), opened(folder) as app:
                prepared = await preview(app.open_pass(app.sync("bench"), asyncio.Event()), verify=False)
        assert prepared.plan.count("create") == size
        return found


async def _forget(folder: Path) -> None:
    async with opened(folder) as app:
        ledger = app.ledger.of("bench")
        await ledger.forget([link.key for link in await ledger.links()])


class SettledFeed(Plan):
    name, size, unit, kind = "settled feed", 100_000, "events of ICS", "ics"


class ChangedFeed(Plan):
    name, size, unit, kind, changes = "feed with one change", 100_000, "events of ICS", "ics", True


class FirstFeed(ChangedFeed):
    """The same where nothing is known of the feed, as in a first pass: all of it is parsed."""

    name = "feed parsed whole"

    def prepare(self, folder: Path, size: int) -> None:
        super().prepare(folder, size)
        shutil.rmtree(folder / f"{STATE}-index")


_EVENT = (
    "BEGIN:VEVENT\r\nUID:S{n}\r\nDTSTAMP:20260101T000000Z\r\n{kind}SUMMARY:Lesson {n}\r\nDTSTART{start}\r\n"
    "DTEND{end}\r\nORGANIZER:mailto:p{who}@x.example\r\nEND:VEVENT\r\n"
)


class SettledSeries(Plan):
    """Weekly lessons, each with a gap and two occurrences that were moved."""

    name, size, unit, kind = "settled series", 5_000, "series, 15,000 VEVENTs", "ics"

    def write(self, folder: Path, size: int, *, more: bool) -> None:
        lessons = "".join(map(_lesson, range(size + more)))
        text = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{lessons}END:VCALENDAR\r\n"
        (folder / "bench.ics").write_bytes(text.encode())


class ChangedSeries(SettledSeries):
    name, changes = "series with one change", True


def _lesson(n: int) -> str:
    today = date.today()  # noqa: DTZ011 - as plan_load: what is measured takes the day from the system's clock
    first = datetime(today.year, today.month, today.day, 6) + timedelta(days=n % 14 - 60, minutes=15 * (n % 41))

    def at(weeks: int, hours: int) -> str:
        return f";TZID=Europe/Moscow:{first + timedelta(weeks=weeks, hours=hours):%Y%m%dT%H%M%S}"

    rule = f"RRULE:FREQ=WEEKLY;COUNT={40 + n % 30}\r\nEXDATE{at(12, 0)}\r\n"
    moved = [
        _EVENT.format(n=n, kind=f"RECURRENCE-ID{at(w, 0)}\r\n", start=at(w, 2), end=at(w, 3), who=n % PEOPLE)
        for w in (10, 15)
    ]
    return _EVENT.format(n=n, kind=rule, start=at(0, 0), end=at(0, 1), who=n % PEOPLE) + "".join(moved)


async def _pass(folder: Path) -> None:
    async with opened(folder) as app:
        result = await run_pass(app.open_pass(app.sync("bench"), asyncio.Event()), PassOptions())
        assert result.error is None


_TABLES = (FirstPlan, SettledTable, ChangedTable, MillionRows)
_FEEDS = (SettledFeed, ChangedFeed, FirstFeed, SettledSeries, ChangedSeries)
PLANS: tuple[type[Work], ...] = (*_TABLES, *_FEEDS)
