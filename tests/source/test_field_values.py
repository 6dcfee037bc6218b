"""Spans between wall clocks: one zone under two names is one zone."""

from __future__ import annotations

from datetime import datetime

import pytest

from syncd.source.field_values import timed_span


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
