"""Each value of a database becomes the text that says the same in a table."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.source.table.cell_values import duration
from syncd.source.table.typed_values import text_of
from syncd.source.table.when import DateOrders, read_cell

WEST = timezone(timedelta(hours=-5))
ORDERS = DateOrders(setting="auto")


class Kind(IntEnum):
    SHIFT = 3


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("", ""),
        ("E1   ", "E1   "),
        (True, "true"),
        (7, "7"),
        (Kind.SHIFT, "3"),
        (7.0, "7"),
        (1.5, "1.5"),
        (float("nan"), "nan"),
        (Decimal("7.00"), "7"),
        (Decimal("12.50"), "12.50"),
        (Decimal("1E+3"), "1000"),
        (Decimal("NaN"), "NaN"),
        (Decimal("1E+999999999"), "1E+999999999"),
        (date(2026, 12, 1), "2026-12-01"),
        (datetime(2026, 12, 1, 9), "2026-12-01 09:00:00"),
        (datetime(2026, 12, 1, 8, 59, 59, 997_000), "2026-12-01 09:00:00"),
        (datetime(9999, 12, 31, 23, 59, 59, 999_999), "9999-12-31 23:59:59"),
        (datetime(2026, 12, 1, 9, tzinfo=UTC), "2026-12-01T09:00:00+00:00"),
        (datetime(2026, 12, 1, 9, tzinfo=WEST), "2026-12-01T09:00:00-05:00"),
        (time(9, 30), "09:30:00"),
        (timedelta(hours=9, minutes=5), "9:05:00"),
        (timedelta(hours=-1), "-1:00:00"),
        (timedelta(days=5), "P5DT0H0M0S"),
        (b"\x80\x0a", "800a"),
        (memoryview(b"\x01"), "01"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (["a", 2, None], "a, 2, "),
        ([{"a": 1}], '[{"a":1}]'),
        ({"a": [1, "б"]}, '{"a":[1,"б"]}'),
        ({"a": Decimal("12.50")}, '{"a":12.50}'),
        ({"a": "\ud800"}, '{"a": "\\ud800"}'),
    ],
)
def test_a_value_has_this_text(value: object, text: str) -> None:
    assert text_of(value) == text


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2037, 1, 1)))
def test_a_moment_is_read_back_to_the_second_it_is_nearest_to(moment: datetime) -> None:
    found = read_cell(text_of(moment), ORDERS).wall()
    assert abs(found - moment) <= timedelta(milliseconds=500)


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2037, 1, 1)), st.integers(-56, 56))
def test_a_moment_with_a_zone_is_read_back_as_the_same_moment(moment: datetime, quarters: int) -> None:
    offset = timedelta(minutes=15 * quarters)
    found = read_cell(text_of(moment.replace(microsecond=0, tzinfo=timezone(offset))), ORDERS)
    assert (found.wall(), found.offset) == (moment.replace(microsecond=0), offset)


@given(st.integers(0, 3650 * 86_400))
def test_a_length_is_read_back(seconds: int) -> None:
    length = timedelta(seconds=seconds)
    assert duration(text_of(length)) == length
