"""Keys and fingerprints: what the ledger goes by from one version of syncd to the next."""

from __future__ import annotations

import hashlib
import json
from types import MappingProxyType
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from syncd.model.item import Key, Place, fingerprint

TEXTS = st.text(st.sampled_from('aB1é\u0416\u2028\U0001f600\ud83d\x00\x1f\x7f\t\n"\\/'), max_size=4)
ONE = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | TEXTS
VALUES: st.SearchStrategy[Any] = ONE | st.lists(ONE, max_size=3).map(tuple) | st.dictionaries(TEXTS, ONE, max_size=3)
FIELDS: dict[str, Any] = {
    "name": 'Смена "A"\n',
    "start": "2026-12-01T09:00:00",
    "rule": {"freq": "WEEKLY", "count": None, "weekdays": ["MO"]},
    "remind": (15, 1440),
    "all_day": False,
    "n": -3,
}


def test_a_fingerprint_is_the_same_in_every_version_or_everything_would_be_sent_again() -> None:
    assert fingerprint(FIELDS, "Shifts") == "340017a982ffc40e4044f4075dbacf57"
    odd = fingerprint({**FIELDS, "odd": "\ud83d \u007f\u2028\\"}, "Shifts")
    assert odd == "d89b06e297d0860b59d576c094c10717"


@given(st.dictionaries(TEXTS, VALUES, max_size=4), TEXTS)
def test_a_fingerprint_is_that_of_plain_json_with_sorted_keys(fields: dict[str, Any], section: str) -> None:
    text = json.dumps([section, fields], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    expected = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    assert fingerprint(fields, section) == expected
    assert fingerprint(dict(reversed(fields.items())), section) == expected


def test_fields_of_any_mapping_have_the_fingerprint_of_their_dict() -> None:
    rule: Any = MappingProxyType({"freq": "WEEKLY", "count": None, "weekdays": ("MO",)})
    assert fingerprint(MappingProxyType({**FIELDS, "rule": rule}), "Shifts") == fingerprint(FIELDS, "Shifts")
    odd: Any = MappingProxyType({"name": "\ud83d", "rule": rule})
    assert fingerprint(odd, "Shifts") == fingerprint({"name": "\ud83d", "rule": dict(rule)}, "Shifts")


def test_keys_sort_by_uid_then_calendar_then_piece() -> None:
    here, there = Place(kind="group", owner=9), Place(kind="user", owner=1)
    keys = [
        Key(uid=uid, place=calendar, piece=piece)
        for uid in ("a", "b")
        for calendar in (here, there)
        for piece in ("", "20260105")
    ]
    assert sorted(set(keys)) == keys
    assert len({*keys, Key(uid="a", place=Place(kind="group", owner=9))}) == len(keys)
