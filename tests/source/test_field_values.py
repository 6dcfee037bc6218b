"""Spans between wall clocks: one zone under two names is one zone."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from syncd.source.field_values import iso_length, timed_span


@pytest.mark.parametrize(
    ("start_zone", "end_zone", "kept"),
    [
        ("America/New_York", "US/Eastern", "America/New_York"),
        ("Europe/Kiev", "Europe/Kyiv", "Europe/Kiev"),
        ("Europe/Berlin", "Europe/Moscow", "Europe/Moscow"),
        ("Etc/GMT+12", "Europe/Moscow", "Europe/Moscow"),
    ],
)
def test_an_end_keeps_its_zone_unless_it_is_another_name_of_the_starts(
    start_zone: str, end_zone: str, kept: str
) -> None:
    span = timed_span(datetime(2026, 3, 8, 2), datetime(2026, 3, 9, 3), start_zone, end_zone)
    assert (span.zone, span.end_zone) == (start_zone, kept)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("PT1H30M", timedelta(hours=1, minutes=30)),
        ("P0Y0M0DT1H0M0S", timedelta(hours=1)),
        ("P0000Y00M07DT00H00M00S", timedelta(days=7)),
        ("PT1.5H", timedelta(minutes=90)),
        ("PT0,5M", timedelta(seconds=30)),
        ("PT1H0M0.000S", timedelta(hours=1)),
        ("P1DT", timedelta(days=1)),
        ("P1H", timedelta(hours=1)),
        ("P1H15M", timedelta(minutes=75)),
        ("P3600S", timedelta(hours=1)),
        ("P2W", timedelta(weeks=2)),
    ],
)
def test_a_duration_is_read_as_exporters_write_it(text: str, length: timedelta) -> None:
    assert iso_length(text) == length
    assert iso_length(text.lower()) == length


@pytest.mark.parametrize("text", ["P", "PT", "P1M", "P1Y", "P15M", "PT1H30", "1H", "PT-1H", "PT60"])
def test_a_duration_without_one_meaning_is_refused(text: str) -> None:
    assert iso_length(text) is None
