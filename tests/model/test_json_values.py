"""Packed fields are what was packed, whoever looks, and take little more than their text."""

from __future__ import annotations

import tracemalloc
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model.json_values import Json, PackedFields, packed_fields

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abcdef", max_size=4), VALUES, max_size=5))
def test_packed_fields_equal_what_was_packed(fields: dict[str, Json]) -> None:
    packed = packed_fields(fields)
    assert isinstance(packed, PackedFields)
    assert dict(packed) == fields
    assert packed == fields == dict(packed_fields(packed))
    assert packed == packed_fields(fields)
    assert (packed != {**fields, "more": 1}) and len(packed) == len(fields)


def test_fields_that_are_no_json_stay_as_they_are() -> None:
    odd: Mapping[str, Json] = {"name": "half \ud800"}
    assert packed_fields(odd) is odd


@pytest.mark.parametrize("count", [2_000])
def test_what_is_kept_takes_no_more_than_its_text_and_a_little(count: int) -> None:
    fields = {"name": "Shift", "location": "Hall 7", "start": "2026-12-01T06:00:00"}
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = [packed_fields(fields) for _ in range(count)]
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(kept) == count
    assert used / count < 400
