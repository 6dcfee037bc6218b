"""What proves that another ledger is at work, and what may have been anybody's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncd.model.as_sent import EventsOfLinks
from syncd.model.item import Item, Link, Observed
from syncd.model.observation import Observation, recovery_mark
from syncd.model.second_writer import CLOCKS_APART_S, NOBODY, Looked, Own, Strangers, looked_at, strangers
from tests.model.test_diff import item, linked, observation
from tests.model.test_diff import seen as shown

US, THEM, LOST = "11111111", "22222222", "33333333"
CALLER = 1
FIRST, LAST = 1_000_000, 1_050_000
SINCE = FIRST + CLOCKS_APART_S
OWN = Own(
    name=US,
    looked=Looked(since=FIRST, first=200, at=LAST, last=300, others=(LOST,)),
    exact=True,
    wall_s=0,
    caller=CALLER,
)
NEW, OLD = item("new"), item("old")
LINK = replace(linked(OLD), remote_id=100)
FIELDS = {"name": "Lesson", "start": "2026-12-01"}


def event(number: int, uid: str, ledger: str = "", *, at: float = LAST + 100, by: int = CALLER) -> Observed:
    return replace(
        shown(number, FIELDS), mark=recovery_mark("s", item(uid).key), ledger=ledger, stamp=f"{int(at)} {by}"
    )


def found(*events: Observed, own: Own = OWN, items: tuple[Item, ...] = (NEW, OLD), link: Link = LINK) -> Strangers:
    return strangers(items, [link], observation(*events), own)


def made(*events: Observed, own: Own = OWN) -> list[int]:
    return [one.remote_id for one in found(*events, own=own).made]


STANDING = event(100, "old", US, at=FIRST - 100)
WRITTEN = replace(STANDING, ledger=THEM, version=(LINK.version or 0) + 1)


def test_what_bears_our_name_or_none_shows_nobody() -> None:
    assert found(STANDING) == found(replace(STANDING, ledger="")) == NOBODY


def test_our_event_with_another_ledgers_name_was_written_by_that_one() -> None:
    assert made(WRITTEN) == [100]
    assert made(replace(WRITTEN, version=None)) == [100]


@pytest.mark.parametrize("ledger", [THEM, LOST])
def test_an_event_of_which_only_the_link_is_kept_tells_the_same(ledger: str) -> None:
    at = SINCE if ledger == LOST else FIRST - 100
    link = replace(LINK, remote_id=250, title=STANDING.title, stamp=f"{int(at)} {CALLER}")
    one = replace(
        WRITTEN, remote_id=250, place=link.key.place, section_id=link.section_id, fields=link.sent, ledger=ledger,
        stamp=link.stamp,
    )  # fmt: skip
    events = EventsOfLinks({250: link})
    events[250] = one
    assert events[250] is not one
    kept, whole = (strangers([OLD], [link], replace(observation(), events=each), OWN) for each in (events, {250: one}))
    assert kept == whole
    assert [seen.remote_id for seen in kept.made] == ([250] if ledger == THEM else [])


@pytest.mark.parametrize("behind", [0, 1])
def test_another_ledgers_name_from_before_our_last_save_shows_a_portal_that_was_put_back(behind: int) -> None:
    assert LINK.version is not None
    answer = found(replace(WRITTEN, version=LINK.version - behind))
    assert (answer.made, dict(answer.taken)) == ((), {THEM: 1})


def test_what_was_taken_over_of_a_lost_ledger_bears_its_name_still() -> None:
    assert found(replace(WRITTEN, ledger=LOST)).made == ()
    assert found(WRITTEN, own=replace(OWN, lost=(THEM,))).made == ()


@pytest.mark.parametrize("ledger", [THEM, LOST])
@pytest.mark.parametrize(
    ("number", "at", "proves"),
    [
        (201, SINCE, True),
        (200, SINCE, False),  # an id that was there at the first look
        (201, SINCE - 1, False),  # made before, or by clocks that do not agree
    ],
)
def test_another_ledger_is_at_work_if_it_made_something_after_our_first_look(
    ledger: str, number: int, at: float, proves: bool
) -> None:
    one = event(number, "new", ledger, at=at)
    assert made(STANDING, one) == ([number] if proves else [])
    told = found(STANDING, one).taken
    assert dict(told) == ({ledger: 1} if not proves and ledger == THEM else {})


def test_before_the_first_look_all_that_stands_there_is_a_lost_ledgers() -> None:
    new = replace(OWN, looked=None, exact=False)
    answer = found(replace(STANDING, ledger=THEM), event(301, "new", THEM), own=new)
    assert (answer.made, dict(answer.taken)) == ((), {THEM: 2})
    assert looked_at(None, observation(STANDING), [LINK], answer, 9.0).others == (THEM,)


def test_marks_of_other_items_concern_nobody() -> None:
    other = replace(STANDING, mark=recovery_mark("s", item("another").key), ledger=THEM)
    assert found(other, event(301, "another", THEM)).made == ()


def test_a_copy_of_an_event_that_bore_the_name_proves_nothing_beside_it() -> None:
    copy = event(301, "old", LOST)
    assert made(replace(STANDING, ledger=LOST), copy) == made(STANDING, copy) == []


def test_beside_an_event_that_we_made_ourselves_there_is_no_copy_with_another_name() -> None:
    own = event(100, "old", US, at=FIRST - 100)
    mine = replace(own, remote_id=250, stamp=f"{int(SINCE)} {CALLER}")
    seen = observation(mine, event(301, "old", LOST))
    answer = strangers([OLD], [replace(LINK, remote_id=250)], seen, OWN)
    assert [one.remote_id for one in answer.made] == [301]


@pytest.mark.parametrize("past", [("adopt",), ("create", "delete"), ("create", "create"), ()])
def test_beside_an_event_that_was_not_the_first_of_its_item_another_name_may_be_that_of_a_copy(
    past: tuple[str, ...],
) -> None:
    mine = replace(event(250, "old", US, at=SINCE))
    own = replace(OWN, past={recovery_mark("s", OLD.key): past})
    for standing in ([mine], []):
        seen = observation(*standing, event(301, "old", LOST))
        answer = strangers([OLD], [replace(LINK, remote_id=250)], seen, own)
        assert answer.made == ()


@pytest.mark.parametrize("ledger", ["", US, LOST])
def test_the_mark_of_an_item_that_had_an_event_before_may_be_that_of_a_copy(ledger: str) -> None:
    one = event(301, "new", ledger)
    assert made(STANDING, one) == [301]
    assert made(STANDING, one, own=replace(OWN, past={recovery_mark("s", NEW.key): ("create", "delete")})) == []
    assert made(STANDING, one, own=replace(OWN, past={recovery_mark("s", OLD.key): ("create",)})) == [301]


@pytest.mark.parametrize("ledger", [THEM, LOST])
def test_beside_its_original_a_copy_proves_nothing_before_either_is_linked(ledger: str) -> None:
    assert made(STANDING, event(150, "new", ledger, at=FIRST - 50), event(301, "new", ledger)) == []


def test_what_stands_in_another_section_proves_nothing_and_is_told_where_it_is_taken_over() -> None:
    both = (event(301, "new", THEM), event(302, "old", THEM))
    answer = strangers([NEW, OLD], [LINK], replace(observation(STANDING), elsewhere=both), OWN)
    assert (answer.made, dict(answer.taken)) == ((), {THEM: 1})


@pytest.mark.parametrize("ledger", ["", US])
@pytest.mark.parametrize(
    ("own", "number", "by", "proves"),
    [
        (OWN, 301, CALLER, True),
        (OWN, 300, CALLER, False),
        (OWN, 301, 7, False),  # a person's copy of what is linked no more
        (replace(OWN, exact=False), 301, CALLER, False),  # after a crash we may have made it
        (replace(OWN, late=frozenset({recovery_mark("s", NEW.key)})), 301, CALLER, False),  # a create that came late
    ],
)
def test_what_bears_our_own_mark_and_no_request_of_ours_made_was_made_by_a_copy_of_the_ledger(
    ledger: str, own: Own, number: int, by: int, proves: bool
) -> None:
    answer = found(STANDING, event(number, "new", ledger, by=by), own=own)
    assert [one.remote_id for one in answer.made] == ([number] if proves else [])
    if proves:
        assert ("copy of this state" if ledger else "another syncd works") in str(answer.refusal("s"))


def test_without_marks_what_looks_like_ours_and_our_user_made_is_told_only() -> None:
    def alike(**more: int) -> list[int]:
        return [one.remote_id for one in found(STANDING, replace(event(301, "new", **more), mark="")).alike]  # type: ignore[arg-type]

    assert alike() == [301]
    assert alike(by=7) == []
    assert alike(at=LAST) == []


def test_an_observation_of_single_events_tells_of_these_only() -> None:
    seen: Observation = replace(observation(WRITTEN, event(301, "new", THEM)), whole=False)
    assert [one.remote_id for one in strangers([NEW, OLD], [LINK], seen, OWN).made] == [100, 301]
    seen = replace(observation(STANDING, event(301, "new")), whole=False)
    assert strangers([NEW, OLD], [LINK], seen, OWN) == NOBODY


def test_a_look_moves_the_last_one_on_and_a_writer_who_was_taken_over_the_first_one_too() -> None:
    seen = observation(STANDING, event(301, "new", THEM))
    moved = looked_at(OWN.looked, seen, [LINK], NOBODY, 2_000_000)
    assert (moved.since, moved.first, moved.at, moved.last) == (FIRST, 200, 2_000_000, 301)
    forced = looked_at(OWN.looked, seen, [LINK], found(STANDING, event(301, "new", THEM)), 2_000_000)
    assert (forced.since, forced.first, forced.others) == (2_000_000, 301, (THEM, LOST))
    assert found(STANDING, event(301, "new", THEM), own=replace(OWN, looked=forced)).made == ()
    assert looked_at(None, seen, [LINK], NOBODY, 2_000_000, lost=(LOST,)).others == (LOST,)
