"""What tells a create of ours that a person has edited before anybody had its id: the table of syncd.model.traces."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model.evidence import Stamp, beginning, made_during
from syncd.model.item import Item, Key, Observed, Place
from syncd.model.observation import Comparison, Observation
from syncd.model.traces import Heard, Sending, Suspect, remembered_suspects, still_suspected, traces
from syncd.target.calendar.portal_event import comparison_of

ANNA, IVAN = Place(kind="user", owner=3), Place(kind="user", owner=5)
SENT_AT = 1_000_000.0
COMPARISON: Comparison = comparison_of("s")
BORN = "20261201T030000Z-0123456789abcdef0123456789abcdef@portal"
FLOOR = 100


def item(uid: str = "a", title: str = "Early", hour: int = 6) -> Item:
    start = f"2026-12-01T{hour:02}:00:00"
    return Item(
        key=Key(uid=uid, place=ANNA, piece=""), section="Shifts", section_id=7,
        fields={"name": title, "start": start, "end": start, "zone_from": "Europe/Moscow", "zone_to": "Europe/Moscow"},
        title=title, where="x:1", starts_on="2026-12-01", ends_on="2026-12-01", start=start,
    )  # fmt: skip


def sending(one: Item | None = None, by: int = 1) -> Sending:
    return Sending(item=one or item(), first=SENT_AT - 60, last=SENT_AT + 255, by=by)


def event(number: int = 101, **changes: Any) -> Observed:
    one = Observed(
        remote_id=number, place=ANNA, section_id=7, version=2,
        fields={"name": "Mine", "start": "2027-03-01T10:00:00", "zone_from": "Europe/Moscow"},
        title="Mine", stamp=str(Stamp(at=int(SENT_AT) + 3, by=1)), born=BORN,
    )  # fmt: skip
    return replace(one, **changes)


def told(
    *events: Observed, heard: Heard | None = None, sent: Sending | None = None, claimed: tuple[int, ...] = ()
) -> str:
    """Return "sure", "doubtful" or "none" for the only create."""
    seen = Observation(events={one.remote_id: one for one in events}, gone=frozenset(), comparison=COMPARISON)
    found = traces({1: sent or sending()}, seen, claimed, floor=FLOOR, heard=heard or Heard())
    return "sure" if 1 in found.own else "doubtful" if 1 in found.doubtful else "none"


UNNOTED: dict[str, object] = {"born": ""}
EARLY: dict[str, object] = {"fields": {"name": "Early"}}


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "sure"),
        ({"section_id": 8}, "sure"),
        ({"masked": True}, "sure"),
        ({"version": None}, "sure"),
        ({"version": 1}, "none"),
        ({"mark": "0123456789abcdef"}, "none"),
        ({"place": IVAN}, "none"),
        ({"stamp": ""}, "none"),
        ({"stamp": str(Stamp(at=int(SENT_AT) + 3, by=2))}, "none"),
        ({"stamp": str(Stamp(at=int(SENT_AT) - 61, by=1))}, "none"),
        ({"stamp": str(Stamp(at=int(SENT_AT) + 256, by=1))}, "none"),
        ({"stamp": str(Stamp(at=int(SENT_AT) + 3603, by=1))}, "doubtful"),
        ({"stamp": str(Stamp(at=int(SENT_AT) + 3603, by=1)), "remote_id": FLOOR}, "none"),
        ({"stamp": str(Stamp(at=int(SENT_AT) + 3, by=0))}, "doubtful"),
        ({"born": BORN.replace("T03", "T04")}, "none"),
        ({"born": BORN.replace("T03", "T06")}, "doubtful"),
        (UNNOTED, "doubtful"),
        ({**UNNOTED, "section_id": 8}, "none"),
        ({**UNNOTED, **EARLY}, "sure"),
        ({**UNNOTED, **EARLY, "section_id": 8}, "sure"),
        ({**UNNOTED, **EARLY, "stamp": str(Stamp(at=int(SENT_AT) + 3, by=0))}, "doubtful"),
    ],
)
def test_each_row_of_the_table(changes: dict[str, Any], verdict: str) -> None:
    assert told(event(**changes)) == verdict


def test_what_is_linked_or_was_told_to_be_made_by_others_is_nobodys_trace() -> None:
    assert told(event(), claimed=(101,)) == "none"
    assert told(event(), heard=Heard(saved=frozenset({101}))) == "sure"
    assert told(event(), heard=Heard(made=frozenset({101}))) == "none"


def test_without_knowing_whom_syncd_calls_as_nothing_is_sure() -> None:
    assert told(event(), sent=sending(by=0)) == "doubtful"


@given(st.permutations([101, 102, 103]), st.integers(0, 3))
def test_each_event_is_the_trace_of_one_create_and_titles_go_first(numbers: list[int], made: int) -> None:
    """Three shifts begin at one time; so many of them were made, and then moved or renamed."""
    sent = {number: sending(item(str(number), f"Shift {number}")) for number in (1, 2, 3)}
    events = {}
    for index, number in enumerate(numbers[:made], start=1):
        name = f"Shift {index}" if index != 2 else "Mine"
        events[number] = event(number, fields={"name": name})
    seen = Observation(events=events, gone=frozenset(), comparison=COMPARISON)
    found = traces(sent, seen, (), floor=FLOOR, heard=Heard())
    assert sorted(one.remote_id for one in found.own.values()) == sorted(events)
    assert found.doubtful == {}
    for number, one in found.own.items():
        assert str(one.fields["name"]) in ("Mine", f"Shift {number}")


def test_a_suspect_counts_until_it_is_gone_linked_or_moved_away() -> None:
    suspects = (Suspect(mark="m", kind="user", owner=3, section_id=7, remote_ids=(101, 102)),)

    def left(*events: Observed, claimed: tuple[int, ...] = ()) -> list[int]:
        seen = Observation(events={one.remote_id: one for one in events}, gone=frozenset(), comparison=COMPARISON)
        return [one.remote_id for one in still_suspected(suspects, seen, claimed).values()]

    assert left(event(101), event(102)) == [102]
    assert left(event(101), event(102), claimed=(102,)) == [101]
    assert left(event(101, section_id=8)) == []
    assert left() == []
    again = Suspect(mark="m", kind="user", owner=3, section_id=7, remote_ids=(103,))
    assert remembered_suspects(suspects, [again]) == (again,)


@pytest.mark.parametrize(
    ("start", "zone", "born", "verdict"),
    [
        ("2026-12-01T06:00:00", "Europe/Moscow", BORN, "same"),
        ("2026-12-01T03:00:00", "Europe/Moscow", BORN, "unknown"),
        ("2026-12-01T07:00:00", "Europe/Moscow", BORN, "other"),
        ("2026-12-01T06:00:00", "No/Where", BORN, "unknown"),
        ("2026-12-01", "", BORN, "same"),
        ("2026-12-02", "", BORN, "other"),
        ("", "", BORN, "unknown"),
        ("2026-12-01T06:00:00", "Europe/Moscow", "", "unknown"),
        ("2026-12-01T06:00:00", "Europe/Moscow", "20269901T030000Z-x", "unknown"),
        ("0001-01-01T00:00:00", "Europe/Moscow", BORN, "unknown"),
    ],
)
def test_the_portals_note_tells_the_start_in_utc(start: str, zone: str, born: str, verdict: str) -> None:
    assert beginning(start, zone, born) == verdict


@given(st.integers(-200_000, 200_000), st.integers(0, 400))
def test_of_other_zones_only_whole_quarters_of_an_hour_are_passed_over(apart: int, within: int) -> None:
    at = int(datetime(2026, 11, 27, 12, tzinfo=UTC).timestamp())
    stamp = str(Stamp(at=at + apart, by=1))
    assert made_during(stamp, at, at + within) is (0 <= apart <= within)
    if made_during(stamp, at, at + within, shifted=True) and not 0 <= apart <= within:
        assert abs(apart) <= 26 * 3600 + 900
        assert apart % 900 <= within or within >= 900
