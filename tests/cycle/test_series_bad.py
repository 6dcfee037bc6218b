"""Series that contradict themselves: one problem line each or the RFC's reading, nothing else spoilt, no hanging."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cycle.browser import OWNER, series_stage
from tests.support.sandbox import Stage, run_inline

NOW = datetime(2026, 1, 12, 9, tzinfo=UTC)
MOSCOW = "DTSTART;TZID=Europe/Moscow:20260105T090000\nDTEND;TZID=Europe/Moscow:20260105T100000\n"
WEEKLY = MOSCOW + "RRULE:FREQ=WEEKLY;COUNT=5\n"


def changed(at: str, to: str = "20260113T120000", title: str = "Changed", *more: str) -> str:
    """Return a further VEVENT that changes one occurrence of the series."""
    lines = [f"RECURRENCE-ID{at}", f"DTSTART;TZID=Europe/Moscow:{to}", "DURATION:PT1H", f"SUMMARY:{title}", *more]
    return "END:VEVENT\nBEGIN:VEVENT\nUID:bad\nDTSTAMP:20260101T000000Z\n" + "\n".join(lines) + "\n"


CHANGED = ";TZID=Europe/Moscow:20260112T090000"
CASES: dict[str, tuple[str, str, str, list[str]]] = {
    "COUNT and UNTIL": (
        MOSCOW + "RRULE:FREQ=WEEKLY;COUNT=5;UNTIL=20260119T060000Z\n",
        "warning",
        "COUNT and UNTIL exclude each other",
        ["Bad 5 Jan 09:00", "Bad 12 Jan 09:00", "Bad 19 Jan 09:00"],
    ),
    "a rule that never fires": (
        MOSCOW + "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\n",
        "warning",
        "never fires",
        ["Bad 5 Jan 09:00"],
    ),
    "an end before the start": (
        MOSCOW + "RRULE:FREQ=DAILY;UNTIL=20251231T000000Z\n",
        "warning",
        "UNTIL lies before the start",
        [],
    ),
    "an EXDATE that hits nothing": (
        WEEKLY + "EXDATE;TZID=Europe/Moscow:20260112T093000\n",
        "warning",
        "hits no occurrence",
        [f"Bad {day} 09:00" for day in ("5 Jan", "12 Jan", "19 Jan", "26 Jan", "2 Feb")],
    ),
    "a change of an occurrence that is not there": (
        WEEKLY + changed(";TZID=Europe/Moscow:20260113T090000"),
        "warning",
        "names no occurrence",
        [
            *(f"Bad {day} 09:00" for day in ("5 Jan", "12 Jan", "19 Jan", "26 Jan", "2 Feb")),
            "Changed 13 Jan 12:00",
        ],
    ),
    "a change named in another zone": (
        WEEKLY + changed(";TZID=Asia/Vladivostok:20260112T160000"),
        "",
        "",
        [*(f"Bad {day} 09:00" for day in ("5 Jan", "19 Jan", "26 Jan", "2 Feb")), "Changed 13 Jan 12:00"],
    ),
    "a change named by its date": (
        WEEKLY + changed(";VALUE=DATE:20260112"),
        "",
        "",
        [*(f"Bad {day} 09:00" for day in ("5 Jan", "19 Jan", "26 Jan", "2 Feb")), "Changed 13 Jan 12:00"],
    ),
    "two changes of one occurrence, in two zones": (
        WEEKLY + changed(CHANGED) + changed(":20260112T060000Z", "20260114T120000", "Again"),
        "warning",
        "two overrides for the occurrence",
        [*(f"Bad {day} 09:00" for day in ("5 Jan", "19 Jan", "26 Jan", "2 Feb")), "Again 14 Jan 12:00"],
    ),
    "two changes of one occurrence, word for word": (
        WEEKLY + changed(CHANGED) + changed(CHANGED, "20260114T120000", "Again"),
        "rejected",
        "other content",
        [*(f"Bad {day} 09:00" for day in ("5 Jan", "19 Jan", "26 Jan", "2 Feb")), "Changed 13 Jan 12:00"],
    ),
    "a change of an occurrence that EXDATE removes": (
        WEEKLY + "EXDATE;TZID=Europe/Moscow:20260112T090000\n" + changed(CHANGED),
        "warning",
        "EXDATE removes the occurrence",
        [f"Bad {day} 09:00" for day in ("5 Jan", "19 Jan", "26 Jan", "2 Feb")],
    ),
    "a million occurrences": (
        MOSCOW + "RRULE:FREQ=MINUTELY\n",
        "rejected",
        "too often",
        [],
    ),
    "a million occurrences, counted": (
        MOSCOW + "RRULE:FREQ=SECONDLY;COUNT=1000000\n",
        "rejected",
        "COUNT is not between",
        [],
    ),
    "a million occurrences, two years long": (
        MOSCOW + "RRULE:FREQ=SECONDLY;UNTIL=20280101T000000Z\n",
        "rejected",
        "too often",
        [],
    ),
    "a rule that is none": (MOSCOW + "RRULE:EVERY MONDAY\n", "rejected", "is not a recurrence rule", []),
    "a part that RFC 5545 does not know": (
        MOSCOW + "RRULE:FREQ=WEEKLY;BYEASTER=1\n",
        "rejected",
        "BYEASTER",
        [],
    ),
    "a zone that is not known": (
        WEEKLY.replace("Europe/Moscow", "Middle/Earth"),
        "rejected",
        "Middle/Earth",
        [],
    ),
}


def staged(folder: Path, event: str) -> Stage:
    begin = "BEGIN:VEVENT\nDTSTAMP:20260101T000000Z\n"
    blocks = (
        f"{begin}UID:one\nSUMMARY:Before\n{WEEKLY}END:VEVENT",
        f"{begin}UID:bad\nSUMMARY:Bad\n{event}END:VEVENT",
        f"{begin}UID:two\nSUMMARY:Behind\n{WEEKLY}END:VEVENT",
    )
    text = "\n".join(("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//tests//EN", *blocks, "END:VCALENDAR\n"))
    stage = series_stage(folder, now=NOW, future=60)
    stage.write("team.ics", text.replace("\n", "\r\n"))
    return stage


def shown(stage: Stage) -> dict[str, list[str]]:
    """Return what stands in January and February, by name."""
    found: dict[str, list[str]] = {}
    for row, start, _ in stage.world.occurrences("user", OWNER, datetime(2025, 12, 25), datetime(2026, 3, 1)):
        name = "good" if row.name in ("Before", "Behind") else "bad"
        found.setdefault(name, []).append(f"{row.name} {start.day} {start:%b %H:%M}")
    return found


@pytest.mark.parametrize("case", CASES)
def test_a_bad_series_gets_one_line_and_spoils_nothing_else(case: str, tmp_path: Path) -> None:
    event, kind, reason, expected = CASES[case]
    stage = staged(tmp_path, event)
    result = run_inline(stage.one_pass("series"))
    problems = [(problem.kind, problem.reason) for problem in result.record.problems]
    if kind:
        ((found, why),) = problems
        assert found == kind
        assert reason in why
    else:
        assert problems == []
    assert sorted(shown(stage).get("bad", [])) == sorted(expected)
    assert len(shown(stage)["good"]) == 10
    assert run_inline(stage.one_pass("series", verify=True)).record.counts["unchanged"] >= 2
