"""The portal's way with date texts: what strtotime makes of them, and which are said to have a zone (PORTAL.md 4.1)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.sandbox.php.strtotime import has_zone, strtotime
from syncd.sandbox.php.timezones import unix_to_wall, wall_to_unix

NOW = wall_to_unix(datetime(2026, 7, 15, 15, 30, 40), "Europe/Moscow")


def wall(text: str, zone: str = "Europe/Moscow") -> str | None:
    at = strtotime(text, zone, NOW)
    return None if at is None else unix_to_wall(at, zone).isoformat()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-03-20", "2025-03-20T00:00:00"),
        ("20.03.2025", "2025-03-20T00:00:00"),
        ("20-03-2025", "2025-03-20T00:00:00"),
        ("03/20/2025", "2025-03-20T00:00:00"),
        ("2025/3/7", "2025-03-07T00:00:00"),
        ("20250320", "2025-03-20T00:00:00"),
        ("20250320T150000Z", "2025-03-20T18:00:00"),
        ("20250320150000", "2025-03-20T15:00:00"),
        ("2025-03-20T10:20:30", "2025-03-20T10:20:30"),
        ("2025-03-20 10:20:30.999", "2025-03-20T10:20:30"),
        ("2025-03-20T10:00:00+05:00", "2025-03-20T08:00:00"),
        ("2025-03-20T10:00:00 -0130", "2025-03-20T14:30:00"),
        ("2025-03-20 10:00 Europe/Riga", "2025-03-20T11:00:00"),
        ("2025-03-20 10:00 America/New_York", "2025-03-20T17:00:00"),
        ("2025-03-20T10:00:00Asia/Tokyo", "2025-03-20T04:00:00"),
        ("2025-03-20 10:00 UTC", "2025-03-20T13:00:00"),
        ("2025-03-20 10:00z", "2025-03-20T13:00:00"),
        ("2026-00-00", "2025-11-30T00:00:00"),
        ("2026-00-31", "2025-12-31T00:00:00"),
        ("2025-02-30", "2025-03-02T00:00:00"),
        ("2025-03-20T24:00", "2025-03-21T00:00:00"),
        ("12/11/2024 05:59:00 pm", "2024-12-11T17:59:00"),
        ("12/11/2024 12:00:00 am", "2024-12-11T00:00:00"),
        ("Wed Dec 11 2024 17:59:00", "2024-12-11T17:59:00"),
        ("Wed, 11 Dec 2024 17:59:00 +0300", "2024-12-11T17:59:00"),
        ("Dec 11, 2024", "2024-12-11T00:00:00"),
        ("now", "2026-07-15T15:30:40"),
        ("today", "2026-07-15T00:00:00"),
        ("tomorrow", "2026-07-16T00:00:00"),
        ("yesterday noon", "2026-07-14T12:00:00"),
        ("tomorrow 10:00", "2026-07-16T10:00:00"),
        ("+1 day", "2026-07-16T15:30:40"),
        ("2025-01-31 +1 month", "2025-03-03T00:00:00"),
        ("2026-07-01 -2 weeks", "2026-06-17T00:00:00"),
        ("10:15", "2026-07-15T10:15:00"),
        ("2025", "2026-07-15T20:25:00"),
        ("@0", "1970-01-01T03:00:00"),
    ],
)
def test_texts_that_php_reads(text: str, expected: str) -> None:
    assert wall(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "1718000000",
            "junk",
            "2025-13-01",
            "2025-01-32",
            "10:60",
            "25:00",
            "13:00 pm",
            "0000-01-01",
            "99999",
        ),
        *("2025-03-20 2025-03-21", "2025-03-20T10:00:00 Mars/Base", "+99999999 year", "2025-03-20 +999999 years"),
    ],
)
def test_texts_that_php_refuses(text: str) -> None:
    assert wall(text) is None


@pytest.mark.parametrize("text", ["9999-12-31", "1899-12-30", "@253402300800"])
def test_years_out_of_reach_are_not_read(text: str) -> None:
    assert wall(text) is None


def test_a_time_in_the_servers_gap_moves_on() -> None:
    assert wall("2026-03-29T02:30:00", "Europe/Berlin") == "2026-03-29T03:30:00"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2025-03-20T10:00:00Z", True),
        ("2025-03-20T10:00:00+03:00", True),
        ("2025-03-20T10:00:00-0300", True),
        ("2025-03-20 10:00 Europe/Riga", True),
        ("20-03-2025", True),
        ("2025-03-20", False),
        ("2025-03-20T10:00:00", False),
        ("20.03.2025", False),
    ],
)
def test_a_zone_is_recognised_by_how_a_text_ends(text: str, *, said: bool) -> None:
    assert has_zone(text) is said


@given(st.datetimes(min_value=datetime(1980, 1, 1), max_value=datetime(2037, 12, 31)))
def test_iso_texts_are_read_exactly_in_a_zone_without_gaps(moment: datetime) -> None:
    moment = moment.replace(microsecond=0)
    assert strtotime(moment.isoformat(), "UTC", NOW) == wall_to_unix(moment, "UTC")
    assert strtotime(f"{moment:%d.%m.%Y %H:%M:%S}", "UTC", NOW) == wall_to_unix(moment, "UTC")
    late = strtotime(f"{moment.isoformat()}-01:00", "Europe/Moscow", NOW)
    assert late == wall_to_unix(moment + timedelta(hours=1), "UTC")


@given(st.text())
def test_no_text_is_an_error(text: str) -> None:
    result = strtotime(text, "Europe/Moscow", NOW)
    assert result is None or isinstance(result, int)
