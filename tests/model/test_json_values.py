"""Packed fields are what was packed, whoever looks, and take little more than their text."""

from __future__ import annotations

import copy
import gc
import pickle
import tracemalloc
from collections.abc import Mapping

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model.item import SentFields
from syncd.model.json_values import Json, PackedFields, kept_json, packed_fields

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


@given(st.dictionaries(st.text("abcdef", max_size=4), VALUES, max_size=5))
def test_packed_fields_are_read_as_a_dict_is(fields: dict[str, Json]) -> None:
    packed = packed_fields(fields)
    assert isinstance(packed, Mapping)
    assert list(packed) == list(packed.keys()) == list(fields)
    assert list(packed.items()) == list(fields.items())
    assert list(packed.values()) == [packed[name] for name in fields]
    assert {**packed} == fields == dict(orjson.loads(kept_json(packed)))
    assert ("abcdef" in packed, packed.get("abcdef", 7), bool(packed), repr(packed)) == (
        False, 7, bool(fields), repr(fields),
    )  # fmt: skip
    with pytest.raises(TypeError, match="unhashable"):
        hash(packed)


@pytest.mark.parametrize("packed", [PackedFields(b'{"name":"A"}'), SentFields(b'{"name":"A"}', "Shifts", "f")])
def test_packed_fields_can_be_copied_and_pickled(packed: PackedFields) -> None:
    for copied in (copy.copy(packed), copy.deepcopy(packed), pickle.loads(pickle.dumps(packed))):
        assert type(copied) is type(packed)
        assert copied == packed == {"name": "A"}
        assert repr(msgspec.structs.astuple(copied)) == repr(msgspec.structs.astuple(packed))


@pytest.mark.parametrize("one", [PackedFields(b'{"name":[1]}'), SentFields(b'{"name":[1]}', "Shifts", "f")])
def test_the_collector_looks_at_no_packed_fields_and_what_is_unpacked_hangs_on_none(one: PackedFields) -> None:
    assert one["name"] == [1]
    assert not gc.is_tracked(one)
    assert {type(value) for value in msgspec.structs.astuple(one)} <= {bytes, str}
    with pytest.raises(AttributeError):
        one.more = one  # type: ignore[attr-defined]


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


def test_what_was_looked_at_takes_no_more_than_what_was_not() -> None:
    kept = [packed_fields({"name": f"Shift {number}", "guests": [number]}) for number in range(2_000)]
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        assert sum(one["guests"] == [number] for number, one in enumerate(kept)) == len(kept)
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert used / len(kept) < 20
