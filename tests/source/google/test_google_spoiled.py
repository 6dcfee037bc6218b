"""Whatever stands in a list of events, each of them is an entry or told, and none costs the others."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.source.accounts.choice import Choice, ChoiceOptions
from syncd.source.accounts.groups import Composer, ReadCalendar, Series
from syncd.source.conformance import CONTEXT
from syncd.source.google.event_item import Surroundings, only_time
from syncd.source.google.google_api import Page
from syncd.source.google.listing import Keep, Known, merged, series_of
from tests.source.google.opened import ANNA
from tests.source.google.server import sample
from tests.source.google.world import Item

_ODD: tuple[Any, ...] = (
    None, "", " ", 0, -1, 10**18, True, [], {}, [{}], "\u2028\x00\x1b[31m", "2026-02-31", "9999-12-31T23:59:59+14:00",
    "0001-01-01T00:00:00-14:00", "RRULE:FREQ=SECONDLY", ["RRULE:FREQ=HOURLY;COUNT=999999999"], ["EXRULE:FREQ=DAILY"],
    ["RDATE:nonsense"], ["RRULE:FREQ=DAILY\nBEGIN:VEVENT"], {"date": "2026-12-01", "dateTime": "2026-12-01T09:00:00Z"},
    {"dateTime": "2026-12-01T09:00:00"}, {"date": "x"}, "Mars/Base", "END:VEVENT\r\nEND:VCALENDAR", "cancelled",
)  # fmt: skip


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return every place in a document, as its holder and key."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = []
    for key, one in list(members):
        found += [(value, key), *_places(one)]
    return found


def spoiled(random: Random) -> list[Item]:
    """Return the events of the sample, some of their values odd and others gone; their ids stay."""
    items = [json.loads(json.dumps(one)) for one in sample().calendar(ANNA).items.values()]
    for _ in range(random.randint(1, 4)):
        holder, key = random.choice([one for one in _places(items) if one[1] != "id"])
        if isinstance(holder, dict) and random.random() < 0.2:
            holder.pop(key, None)
        else:
            holder[key] = json.loads(json.dumps(random.choice(_ODD)))
    return [one for one in items if isinstance(one, dict)]


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32), busy_only=st.booleans())
def test_no_event_is_lost_in_silence_nor_costs_another(seed: int, busy_only: bool) -> None:
    items = [one for one in spoiled(Random(seed)) if isinstance(one.get("id"), str)]
    page = msgspec.json.decode(json.dumps({"items": items}), type=Page)
    keep: Keep = only_time if busy_only else lambda item: item
    known = Known(items=merged({}, [page], ANNA, keep))
    around = Surroundings(zone="Europe/Moscow", hidden=False, alarms=(), meanings={})
    series = tuple(series_of(known, ANNA, around))
    choice = Choice(options=ChoiceOptions(busy_only=busy_only))
    read = ReadCalendar(name=ANNA, owner=ANNA, series=series)
    snapshot = Composer(settings="", meanings={}).snapshot([read], {}, choice, CONTEXT)
    assert snapshot.complete
    assert not any("defect of syncd" in problem.reason for problem in snapshot.problems), snapshot.problems
    shown = {entry.uid for entry in snapshot.entries}
    states = {one.uid: _state(one) for one in series}
    assert {uid for uid, state in states.items() if state == "broken"} <= snapshot.rejected_uids
    if not snapshot.assumed:  # nothing that the config leaves out
        assert {uid for uid, state in states.items() if state == "alive"} <= shown | snapshot.rejected_uids


def _state(series: Series) -> str:
    try:
        return "alive" if any(one.status != "CANCELLED" for one in series.told()) else "gone"
    except (ValueError, OverflowError):
        return "broken"
