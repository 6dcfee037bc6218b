"""Items and events that are kept as no more than their links are equal to what they were."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from syncd.model.as_sent import EventsOfLinks, ItemsOfLinks
from syncd.model.became import Became
from syncd.model.item import Item, Key, Link, Observed, Place, fingerprint, slim
from syncd.model.json_values import packed_fields

PLACE = Place(kind="user", owner=3)
SENT = {"name": "Shift", "start": "2026-12-01T06:00:00"}


def item(uid: str = "a", **more: Any) -> Item:
    known: dict[str, Any] = {
        "key": Key(uid=uid, place=PLACE), "section": "Shifts", "section_id": 7, "fields": dict(SENT),
        "title": "Shift", "where": f"a.csv:{uid}", "starts_on": "2026-12-01", "ends_on": "2026-12-01",
        "start": "2026-12-01 06:00",
    }  # fmt: skip
    return Item(**known | more)


def link(one: Item, remote_id: int = 5) -> Link:
    return Link(
        key=one.key, remote_id=remote_id, section=one.section, section_id=7, fingerprint=one.fingerprint,
        sent=packed_fields(one.fields), version=1, title=one.title, where="".join(one.where),
        starts_on=one.starts_on, ends_on=one.ends_on, start=one.start, stamp="100 1",
    )  # fmt: skip


def held(items: list[Item], links: dict[Key, Link]) -> ItemsOfLinks:
    kept = ItemsOfLinks(links)
    for one in items:
        kept.extend([slim(one, links)])
    return kept.complete()


def test_an_item_that_is_as_it_was_sent_is_kept_as_its_link() -> None:
    one = item()
    known = link(one)
    kept = held([one], {one.key: known})
    assert kept._held == [known]
    assert (list(kept), kept[0], kept[-1], kept[:1], len(kept)) == ([one], one, one, (one,), 1)
    made = kept[0]
    assert (made.fingerprint, made.key, made.title) == (one.fingerprint, known.key, known.title)
    assert made.fields == one.fields
    assert list(made.fields) == list(one.fields)


MORE: dict[str, Any] = {
    "section_id": None,
    "title": "Another",
    "where": "a.csv:9",
    "starts_on": "2026-12-02",
    "ends_on": None,
    "start": "2026-12-01 07:00",
    "summary": Became(rules=(), further_dates=0, exceptions=0, series=1, events=3),
    "fixed": True,
    "also": {"name": "Shift"},
    "fields": {"start": "2026-12-01T06:00:00", "name": "Shift"},
    "section": "Others",
}


@pytest.mark.parametrize("name", MORE)
def test_an_item_that_differs_in_anything_is_kept_itself(name: str) -> None:
    one = item()
    differs = replace(one, **{name: MORE[name]})
    known = {one.key: link(one)}
    kept = held([differs, item("new")], known)
    assert list(kept) == [slim(differs, known), item("new")]
    assert list(kept) == [differs, item("new")]
    assert list(kept._held) == list(kept)
    assert list(kept[0].fields) == list(differs.fields)


def test_every_field_of_an_item_is_looked_at() -> None:
    assert {one.name for one in fields(Item)} - {"key"} == MORE.keys()


def event(known: Link, **more: Any) -> Observed:
    shown: dict[str, Any] = {
        "remote_id": known.remote_id, "place": known.key.place, "section_id": known.section_id, "version": 1,
        "fields": known.sent, "title": known.title, "start": "2026-12-01T06:00:00", "stamp": "100 1", "creator": 1,
    }  # fmt: skip
    return Observed(**shown | more)


OTHER: dict[str, Any] = {
    "remote_id": 6, "place": Place(kind="user", owner=4), "section_id": 8, "version": None, "fields": {"name": "x"},
    "mark": "0123456789abcdef", "ledger": "l1", "title": "Another", "start": "2026-12-01T07:00:00", "damage": "d",
    "stamp": "200 2", "masked": True, "creator": 2, "host": 9, "born": "20261201T060000Z-", "answers": ((1, "Y"),),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER)
def test_an_event_comes_back_as_it_was_whatever_it_shows(name: str) -> None:
    known = link(item())
    events = EventsOfLinks({5: known})
    same, differs = event(known), event(known, **{name: OTHER[name]})
    events[5], events[6] = same, differs
    assert (events[5], events[6], dict(events)) == (same, differs, {5: same, 6: differs})
    events[5] = differs
    assert repr(events[5]) == repr(differs)
    assert events[5].fields is differs.fields


def test_every_field_of_an_event_is_looked_at() -> None:
    assert {one.name for one in fields(Observed)} == OTHER.keys()


def test_events_as_they_were_sent_take_no_more_than_what_they_have_in_common() -> None:
    known = {n: link(item(str(n)), n) for n in range(1, 50)}
    events = EventsOfLinks(known)
    for one in known.values():
        events[one.remote_id] = event(one)
    assert len({id(one) for one in events._held.values()}) == 1
    assert list(events.values()) == [event(one) for one in known.values()]
    assert (1 in events, 99 in events, events.get(99), len(events)) == (True, False, None, 49)
    assert events.keys() == known.keys()
    del events[1]
    assert events.pop(1, None) is None
    assert list(events) == list(range(2, 50))


def test_a_fingerprint_is_made_of_what_was_sent() -> None:
    one = item()
    assert held([one], {one.key: link(one)})[0].fingerprint == fingerprint(SENT, "Shifts")
