"""When and by whom an event was made, in every form in which the portal says it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model.evidence import Stamp, agreement, answered, made_since, stamp_of

AT = int(datetime(2026, 11, 21, 13, 5, 9, tzinfo=UTC).timestamp())
LONG_AGO = datetime(2000, 1, 1)
FORMATS = ("%d.%m.%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M:%S%p")
moments = st.datetimes(LONG_AGO, datetime(2037, 12, 31)).map(lambda moment: moment.replace(microsecond=0))


@given(moments, st.sampled_from(FORMATS), st.integers(0, 10**6))
def test_every_format_of_the_portal_is_read(moment: datetime, form: str, user: int) -> None:
    stamp = Stamp.parse(stamp_of(moment.strftime(form).lower(), str(user)))
    assert stamp == Stamp(at=int(moment.replace(tzinfo=UTC).timestamp()), by=user)


@pytest.mark.parametrize("text", ["", "today", "99.99.2026 10:00:00", "1.1.2026", None, 5, {}, "2026-13-40 10:00:00"])
def test_what_is_no_moment_makes_no_stamp(text: object) -> None:
    assert stamp_of(text, "1") == ""


@given(st.integers(-(10**10), 10**10), st.integers(0, 10**9), st.booleans())
def test_a_stamp_survives_the_ledger(at: int, by: int, read: bool) -> None:
    stamp = Stamp(at=at, by=by, read=read)
    assert Stamp.parse(str(stamp)) == stamp


@pytest.mark.parametrize("text", ["", "x 1", "1", "5 -1", "~~1 2", "1 2 3"])
def test_what_is_no_stamp_is_not_read_as_one(text: str) -> None:
    assert Stamp.parse(text) is None


def stamp(apart_s: float = 0, by: int = 1, *, read: bool = True) -> str:
    return str(Stamp(at=AT + int(apart_s), by=by, read=read))


@pytest.mark.parametrize(
    ("known", "seen", "said"),
    [
        (stamp(), stamp(), "same"),
        (stamp(), stamp(1), "other"),
        (stamp(), stamp(by=2), "other"),
        (stamp(by=0), stamp(by=2), "same"),
        (stamp(), stamp(3600), "shifted"),
        (stamp(), stamp(-5.75 * 3600), "shifted"),
        (stamp(), stamp(3601), "other"),
        (stamp(), stamp(27 * 3600), "other"),
        (stamp(), stamp(3600, by=2), "other"),
        (stamp(read=False), stamp(3), "near"),
        (stamp(read=False), stamp(), "near"),
        (stamp(read=False), stamp(9), "other"),
        (stamp(read=False), stamp(by=2), "shifted"),
        (stamp(read=False), stamp(9, by=2), "other"),
        (stamp(read=False), stamp(3603), "shifted"),
        ("", stamp(), "unknown"),
        (stamp(), "", "unknown"),
    ],
)
def test_stamps_agree_or_not(known: str, seen: str, said: str) -> None:
    assert agreement(known, seen) == said


@given(moments, st.sampled_from(FORMATS), st.sampled_from(FORMATS))
def test_a_changed_format_makes_no_other_event(moment: datetime, one: str, other: str) -> None:
    before, after = stamp_of(moment.strftime(one), "1"), stamp_of(moment.strftime(other), "1")
    assert agreement(before, after) in ("same", "shifted")


def test_a_format_that_swaps_day_and_month_unseen_is_still_no_other_event() -> None:
    assert agreement(stamp_of("05/12/2026 10:00:00", "1"), stamp_of("12/05/2026 10:00:00", "1")) == "shifted"


def test_an_answer_tells_the_moment_unless_it_was_slow() -> None:
    offset = timedelta(hours=3).seconds
    assert answered(AT, AT + 2, 7, offset) == str(Stamp(at=AT + 1 + offset, by=7, read=False))
    assert [answered(None, AT, 7, 0), answered(AT, None, 7, 0), answered(AT, AT + 60, 7, 0)] == ["", "", ""]


def test_what_is_not_known_was_not_made_since() -> None:
    assert [made_since(one, AT) for one in (stamp(), stamp(-1), "")] == [True, False, False]
