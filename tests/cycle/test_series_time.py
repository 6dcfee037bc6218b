"""Clock times all the way: switches of three zones, whole days, midnight ends, zones that the portal would replace."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from syncd.model.entry import Window
from tests.cycle.browser import OWNER, differences, seen_by_month, series_stage
from tests.support.sandbox import Stage, run_inline

NOW = datetime(2026, 2, 20, 9, tzinfo=UTC)
PLACES = (
    ("Europe/Moscow", "Europe/Berlin"),
    ("Europe/Berlin", "America/New_York"),
    ("America/New_York", "Pacific/Auckland"),
    ("Pacific/Auckland", "America/Los_Angeles"),
    ("UTC", "Asia/Kolkata"),
)
"""Server and caller: zones that switch on different days, in both directions, or never."""


def ics(*events: str) -> str:
    """Return a calendar of events given as lines parted by blanks; each gets a name by its number."""
    blocks = [
        f"BEGIN:VEVENT UID:{number} DTSTAMP:20260101T000000Z SUMMARY:event-{number:02} {event} END:VEVENT"
        for number, event in enumerate(events)
    ]
    return (
        "\r\n".join(" ".join(("BEGIN:VCALENDAR VERSION:2.0 PRODID:-//tests//EN", *blocks, "END:VCALENDAR")).split())
        + "\r\n"
    )


def staged(folder: Path, text: str, server: str, caller: str, zone: str = "Europe/Berlin") -> Stage:
    future = 300 if text in (NIGHTS, WHOLE_DAYS) else 110
    stage = series_stage(folder, now=NOW, server=server, caller=caller, zone=zone, past=30, future=future)
    stage.write("team.ics", text)
    return stage


async def wrong(stage: Stage, text: str, zone: str) -> list[str]:
    """Run a pass and return how the months differ from the text, and what the pass had to say against it."""
    result = await stage.one_pass("series")
    async with stage.opened() as (syncs, app):
        window: Window = syncs["series"].window(app.clock.now())
    found = list(differences(await seen_by_month(stage, window), text, window, floating=zone))
    return found + [f"{problem.kind}: {problem.reason}" for problem in result.record.problems]


def timed(zone: str, start: str, end: str, *more: str) -> str:
    return " ".join((f"DTSTART;TZID={zone}:{start} DTEND;TZID={zone}:{end}", *more))


NIGHTS = ics(
    *(
        timed(zone, f"{day}T{start}00", f"{day}T{end}00", rule)
        for zone, days in (
            ("Europe/Berlin", ("20260322", "20261018")),
            ("America/New_York", ("20260301", "20261025")),
            ("Pacific/Auckland", ("20260329", "20260920")),
        )
        for day in days
        for start, end in (("0130", "0145"), ("0200", "0330"), ("0230", "0245"), ("0245", "0400"))
        for rule in ("RRULE:FREQ=DAILY;COUNT=10", "RRULE:FREQ=WEEKLY;BYDAY=SA,SU;COUNT=4")
    ),
    *(
        timed(zone, f"{day}T023000", f"{day}T024500")
        for zone, day in (
            ("Europe/Berlin", "20260329"),
            ("Europe/Berlin", "20261025"),
            ("America/New_York", "20261101"),
        )
    ),
)
WHOLE_DAYS = ics(
    "DTSTART;VALUE=DATE:20260308 DTEND;VALUE=DATE:20260309",
    "DTSTART;VALUE=DATE:20260328 DTEND;VALUE=DATE:20260331",
    "DTSTART;VALUE=DATE:20260405",
    "DTSTART;VALUE=DATE:20260927 DTEND;VALUE=DATE:20260928",
    "DTSTART;VALUE=DATE:20260301 DTEND;VALUE=DATE:20260302 RRULE:FREQ=DAILY;COUNT=60",
    "DTSTART;VALUE=DATE:20260302 DTEND;VALUE=DATE:20260304 RRULE:FREQ=WEEKLY EXDATE;VALUE=DATE:20260330",
    "DTSTART;VALUE=DATE:20260301 DTEND;VALUE=DATE:20260302 RRULE:FREQ=DAILY;UNTIL=20260410",
    "DTSTART;VALUE=DATE:20260315 DTEND;VALUE=DATE:20260316 RRULE:FREQ=MONTHLY",
)
MIDNIGHTS = ics(
    timed("Europe/Berlin", "20260302T220000", "20260303T000000", "RRULE:FREQ=WEEKLY;UNTIL=20260601T200000Z"),
    timed("Europe/Berlin", "20260302T000000", "20260303T000000", "RRULE:FREQ=WEEKLY;COUNT=20"),
    timed("Europe/Berlin", "20260302T000000", "20260302T003000", "RRULE:FREQ=DAILY;UNTIL=20260501T220000Z"),
    timed("Europe/Berlin", "20260302T233000", "20260303T003000", "RRULE:FREQ=DAILY;UNTIL=20260501T213000Z"),
    timed("Europe/Berlin", "20260307T000000", "20260308T000000"),
    timed("America/New_York", "20260307T220000", "20260308T060000", "RRULE:FREQ=DAILY;COUNT=10"),
)
ENDS = ics(
    *(
        timed(zone, "20260302T233000", "20260303T001500", f"RRULE:FREQ=DAILY;UNTIL={until}")
        for zone in ("America/New_York", "Pacific/Auckland")
        for until in ("20260415T033000Z", "20260415T033001Z", "20260415T032959Z", "20260415T103000Z")
    ),
    "DTSTART:20260302T093000 DTEND:20260302T101500 RRULE:FREQ=DAILY;UNTIL=20260415T093000",
    "DTSTART:20260302T093000 DTEND:20260302T101500 RRULE:FREQ=DAILY;UNTIL=20260415T092959",
)
UTC_SERIES = ics(
    "DTSTART:20260302T070000Z DTEND:20260302T080000Z RRULE:FREQ=WEEKLY;BYDAY=MO,TH "
    "EXDATE;TZID=Europe/Berlin:20260305T080000 EXDATE;TZID=Europe/Berlin:20260402T090000",
    "DTSTART:20260302T233000Z DTEND:20260303T003000Z RRULE:FREQ=DAILY;COUNT=50 "
    "EXDATE;TZID=America/New_York:20260310T193000 EXDATE;TZID=Pacific/Auckland:20260406T113000",
)


@pytest.mark.parametrize(("server", "caller"), PLACES)
@pytest.mark.parametrize("text", [NIGHTS, WHOLE_DAYS, MIDNIGHTS, ENDS, UTC_SERIES],
                         ids=["nights", "whole days", "midnights", "ends", "utc"])  # fmt: skip
def test_every_clock_time_stands_as_in_the_file(text: str, server: str, caller: str, tmp_path: Path) -> None:
    assert run_inline(wrong(staged(tmp_path, text, server, caller), text, "Europe/Berlin")) == []


NAMES = (
    ("Europe/Kiev", "Europe/Kyiv"),
    ("Asia/Calcutta", "Asia/Kolkata"),
    ("FLE Standard Time", "Europe/Kyiv"),
    ("Russian Standard Time", "Europe/Moscow"),
    ('"(UTC+03:00) Moscow, St. Petersburg"', "Europe/Moscow"),
    ("US/Eastern", "America/New_York"),
)


def test_zones_that_the_portal_would_replace_arrive_under_the_name_it_knows(tmp_path: Path) -> None:
    lines = [
        timed(name.replace(" ", "\0"), "20260302T090000", "20260302T100000", "RRULE:FREQ=DAILY;COUNT=90")
        for name, _ in NAMES
    ]
    text = ics(*lines).replace("\0", " ")
    stage = staged(tmp_path, text, "Asia/Yekaterinburg", "America/New_York")
    assert run_inline(stage.one_pass("series")).state == "done"
    rows = sorted(stage.world.events("user", OWNER), key=lambda row: row.name)
    assert [row.stored.tz_from for row in rows] == [zone for _, zone in NAMES]
    assert {row.stored.date_from for row in rows} == {datetime(2026, 3, 2, 9)}


def test_a_fixed_offset_keeps_its_hour_all_year(tmp_path: Path) -> None:
    text = ics(timed("Etc/GMT+3", "20260302T090000", "20260302T100000", "RRULE:FREQ=WEEKLY"))
    stage = staged(tmp_path, text, "Europe/Berlin", "America/New_York")
    assert run_inline(wrong(stage, text, "Europe/Berlin")) == []
    assert {row.stored.tz_from for row in stage.world.events("user", OWNER)}.isdisjoint({"Etc/GMT+3", "Europe/Berlin"})


@pytest.mark.parametrize("server", ["Europe/Moscow", "America/New_York", "Pacific/Auckland"])
def test_an_end_given_as_a_date_has_its_whole_day_in_the_zone_of_the_start(server: str, tmp_path: Path) -> None:
    places = ("TZID=America/New_York:", "TZID=Pacific/Auckland:", "X-A=1:")
    text = ics(*(f"DTSTART;{place}20260302T233000 RRULE:FREQ=DAILY;UNTIL=20260415" for place in places))
    stage = staged(tmp_path, text, server, "Europe/Berlin")
    assert run_inline(stage.one_pass("series")).state == "done"
    shown = stage.world.occurrences("user", OWNER, datetime(2026, 4, 1), datetime(2026, 5, 1))
    last = {row.name: start for row, start, _ in shown}
    assert list(last.values()) == [datetime(2026, 4, 15, 23, 30)] * len(places)


@pytest.mark.parametrize(
    ("server", "caller"),
    [
        ("Europe/Moscow", "Pacific/Honolulu"),
        ("Europe/Moscow", "Pacific/Kiritimati"),
        ("America/New_York", "Asia/Kamchatka"),
        ("America/New_York", ""),
        ("Pacific/Auckland", "Pacific/Honolulu"),
    ],
)
def test_whole_days_stay_on_their_day_for_callers_east_and_west(server: str, caller: str, tmp_path: Path) -> None:
    assert run_inline(wrong(staged(tmp_path, WHOLE_DAYS, server, caller), WHOLE_DAYS, "Europe/Berlin")) == []
