"""Keys and fingerprints: what the ledger goes by from one version of syncd to the next."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from syncd.model.item import Item, Key, Link, Place, SentFields, fingerprint, slim
from syncd.model.json_values import packed_fields

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


def _item(fields: dict[str, Any], section: str = "Shifts") -> Item:
    key = Key(uid="a", place=Place(kind="user", owner=1))
    return Item(key=key, section=section, section_id=7, fields=fields, title="A", where="a.csv:2",
                starts_on="2026-12-01", ends_on="2026-12-01", start="2026-12-01T09:00:00")  # fmt: skip


def _link(item: Item, **changed: Any) -> Link:
    link = Link(key=item.key, remote_id=5, section=item.section, section_id=7, fingerprint=item.fingerprint,
                sent=packed_fields(item.fields), version=1, title="A", where="a.csv:2", starts_on="2026-12-01",
                ends_on="2026-12-01", start="2026-12-01T09:00:00")  # fmt: skip
    return replace(link, **changed)


@given(st.dictionaries(TEXTS, VALUES, max_size=4), TEXTS)
def test_a_slim_item_is_to_everybody_what_it_was(fields: dict[str, Any], section: str) -> None:
    item = _item(json.loads(json.dumps(fields)), section)
    slimmed = slim(item, {item.key: _link(item)})
    assert slimmed == item
    assert slimmed.fingerprint == item.fingerprint
    assert dict(slimmed.fields) == item.fields
    assert list(slimmed.fields) == list(item.fields)  # also in the order in which they are sent
    moved = replace(slimmed, section="elsewhere")
    assert moved.fingerprint == fingerprint(item.fields, "elsewhere")
    assert replace(slimmed, fields={"name": "B"}).fingerprint == fingerprint({"name": "B"}, section)


def test_a_slim_item_shares_the_text_of_its_link() -> None:
    item = _item({"name": "A", "remind": [15]})
    link = _link(item)
    slimmed = slim(item, {item.key: link})
    assert isinstance(slimmed.fields, SentFields)
    assert slimmed.fields.text is link.sent.text  # type: ignore[attr-defined]
    assert slimmed.fingerprint is link.fingerprint


def test_an_item_that_is_not_what_was_sent_stays_as_it_is() -> None:
    item = _item({"name": "A"})
    assert slim(item, {}) is item
    assert slim(item, {item.key: _link(item, fingerprint="")}) is item
    # An event that was taken over keeps what people had on it, so what it holds is not what the source asks for.
    adopted = _link(item, sent={"name": "A", "color": "#ff0000"}, adopted=True)
    assert dict(slim(item, {item.key: adopted}).fields) == {"name": "A"}
