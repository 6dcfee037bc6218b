"""calendar.event.get, getbyid and get.nearest; attendees, their copies and notices (PORTAL.md 4.5, 4.8 to 4.10)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import pytest

from syncd.sandbox.tables.database import Event
from tests.sandbox.asking import Caller, company, portal

TIMES = {"timezone_from": "Europe/Moscow", "timezone_to": "Europe/Moscow"}


@pytest.fixture
def caller() -> Caller:
    return portal()


def listed(caller: Caller, **params: Any) -> list[str]:
    given = {"type": "user", "ownerId": 1, "from": "2026-12-01", "to": "2026-12-01"}
    return [row["NAME"] for row in caller.ask("calendar.event.get", **{**given, **params})]


# windows (traps 13, 14)


@pytest.mark.parametrize(
    ("start", "window", "is_there"),
    [
        ("2026-12-01T10:00", {"from": "2026-12-01", "to": "2026-12-01"}, True),
        ("2026-12-01T23:30", {"from": "2026-12-01", "to": "2026-12-01"}, True),
        ("2026-12-02T02:30", {"from": "2026-12-01", "to": "2026-12-01"}, True),  # the shift of three hours
        ("2026-12-02T03:30", {"from": "2026-12-01", "to": "2026-12-01"}, False),
        ("2026-12-01T01:30", {"from": "2026-12-01", "to": "2026-12-01"}, False),  # likewise at the near edge
        ("2026-06-20T10:00", {}, True),
        ("2026-06-10T10:00", {}, False),
        ("2026-10-12T10:00", {"from": "junk", "to": ""}, True),
        ("2026-10-15T10:00", {}, False),
        ("2037-12-01T10:00", {"from": "2026-12-01"}, True),
        ("2026-11-01T10:00", {"from": "2026-12-01"}, False),
        ("1999-01-01T10:00", {"to": "2026-12-01"}, True),
    ],
)
def test_the_window_is_shifted_and_has_defaults(
    caller: Caller, start: str, window: dict[str, str], *, is_there: bool
) -> None:
    caller.add(**{"from": start, "to": start})
    found = caller.ask("calendar.event.get", type="user", ownerId=1, **window)
    assert bool(found) is is_there


def test_sections_filter_but_nonsense_filters_nothing(caller: Caller) -> None:
    shifts = caller.ask("calendar.section.add", type="user", ownerId=1, name="Shifts")
    caller.add(name="a", section=1)
    caller.add(name="b", section=shifts)
    assert listed(caller) == ["a", "b"]
    assert listed(caller, section=shifts) == ["b"]
    assert listed(caller, section=[1, str(shifts)]) == ["a", "b"]
    assert listed(caller, section=999) == []
    assert listed(caller, section=2) == []
    ignored: tuple[Any, ...] = ("x", -3, 0, [])
    for nonsense in ignored:
        assert listed(caller, section=nonsense) == ["a", "b"]


def test_type_is_required_and_the_owner_is_not(caller: Caller) -> None:
    assert caller.refused("calendar.event.get")[2].startswith('The required parameter "type"')
    caller.add()
    assert listed(caller, ownerId=None) == ["Lesson"]


def test_lists_have_no_paging() -> None:
    caller = portal(tariff="self-hosted")
    for number in range(120):
        caller.add(name=f"n{number}")
    assert len(listed(caller, start=50)) == 120


@pytest.mark.parametrize("number", [999, "x", -1])
def test_getbyid_of_nothing_is_null(caller: Caller, number: Any) -> None:
    assert caller.read(number) is None


# masking


def test_colleagues_see_only_that_one_is_busy() -> None:
    caller = portal(company(language="ru"))
    made = caller.add(description="secret", location="Room", remind=[5], crm_fields=["C_5"])
    caller.user = 2
    row = caller.read(made)
    assert (row["NAME"], row["IS_ACCESSIBLE_TO_USER"]) == ("[занят]", False)
    assert not [key for key in row if key in ("DESCRIPTION", "~DESCRIPTION", "LOCATION", "REMIND", "ATTENDEE_LIST")]
    assert not [key for key in row if key.startswith("UF_")]
    assert listed(caller) == ["[занят]"]


def test_granted_access_shows_details_but_not_of_private_events() -> None:
    caller = portal()
    caller.world.tables.sections[1].access = {"U2": "view"}
    open_, private = caller.add(name="Open"), caller.add(name="Private", private_event="Y")
    caller.user = 2
    assert caller.read(open_)["NAME"] == "Open"
    assert caller.read(private)["NAME"] == "[busy]"
    caller.world.tables.sections[1].access = {"U2": "denied"}
    assert caller.read(open_) is None
    assert listed(caller) == []


def test_an_administrator_does_not_see_another_person_s_private_event_either() -> None:
    caller = portal()
    caller.user = 2
    private = caller.add(name="Private", description="secret", private_event="Y", ownerId=2, section=None)
    caller.user = 1
    row = caller.read(private)
    assert (row["NAME"], row["IS_ACCESSIBLE_TO_USER"], row["PRIVATE_EVENT"]) == ("[busy]", False, "1")
    assert {"VERSION", "DATE_CREATE", "CREATED_BY", "SECTION_ID", "DATE_FROM_FORMATTED"} <= set(row)
    assert "DESCRIPTION" not in row


@pytest.mark.parametrize("why", ["creator", "owner", "guest"])
def test_creator_owner_and_guests_see_a_private_event(why: str) -> None:
    caller = portal()
    made = caller.add(name="Private", private_event="Y", ownerId=2, section=None)
    row = caller.world.tables.event(made)
    assert row is not None
    row.created_by, row.host = (1 if why == "creator" else 5), 5
    row.attendees = (1,) if why == "guest" else ()
    caller.user = 2 if why == "owner" else 1
    assert caller.read(made)["NAME"] == "Private"


def test_privacy_means_nothing_in_a_calendar_that_belongs_to_nobody() -> None:
    caller = portal()
    made = caller.add(name="Private", private_event="Y", type="company_calendar", ownerId=0, section=None)
    row = caller.world.tables.event(made)
    assert row is not None
    row.created_by, row.host = 5, 5
    assert caller.read(made)["NAME"] == "Private"


def test_extranet_callers_are_denied() -> None:
    world = company()
    users = tuple(msgspec.structs.replace(user, extranet=user.id == 2) for user in world.users)
    caller = portal(msgspec.structs.replace(world, users=users))
    caller.user = 2
    for method in ("calendar.event.get", "calendar.event.getbyid", "calendar.event.get.nearest"):
        assert caller.refused(method, type="user", id=1)[2] == "Access denied"


# nearest


def test_nearest_is_in_the_callers_zone_sorted_and_of_the_caller() -> None:
    caller = portal(company(caller_zone="America/New_York"))
    day = {"timezone_from": "Europe/Moscow", "timezone_to": "Europe/Moscow"}
    caller.add(name="late", **{"from": "2026-07-20T20:00", "to": "2026-07-20T21:00"}, **day)
    caller.add(name="early", **{"from": "2026-07-20T10:00", "to": "2026-07-20T11:00"}, **day)
    caller.add(name="far", **{"from": "2026-11-20T10:00", "to": "2026-11-20T11:00"}, **day)
    rows = caller.ask("calendar.event.get.nearest", type="user", ownerId=3)
    assert [row["NAME"] for row in rows] == ["early", "late"]
    assert rows[0]["DATE_FROM"] == "20.07.2026 03:00:00"
    assert not [key for key in rows[0] if key.startswith("TZ_")]
    assert caller.ask("calendar.event.get.nearest", type="user", ownerId=3, forCurrentUser=False) == []
    assert len(caller.ask("calendar.event.get.nearest", maxEventsCount=1)) == 1


# attendees and notices (traps 5, 6, 24)


def meeting(caller: Caller, **params: Any) -> int:
    return caller.add(**{"is_meeting": "Y", "attendees": [1, 3, 7], "host": 1, **params})


def copies(caller: Caller, made: int) -> dict[int, Event]:
    return {row.owner_id: row for row in caller.world.tables.copies_of(made)}


def told(caller: Caller) -> list[tuple[str, int]]:
    """Return the notices since the last look."""
    kinds: list[tuple[str, int]] = [(notice.kind, notice.to) for notice in caller.world.notices]
    caller.world.tables.notices.clear()
    return kinds


def answered(caller: Caller, made: int, user: int, answer: str) -> None:
    copies(caller, made)[user].meeting_status = answer
    told(caller)


def test_a_meeting_puts_copies_into_the_attendees_calendars(caller: Caller) -> None:
    made = meeting(caller)
    row = caller.read(made)
    assert (row["IS_MEETING"], row["MEETING_HOST"]) == (True, "1")
    assert row["ATTENDEES_CODES"] == ["U1", "U3", "U7"]
    assert [(guest["id"], guest["status"]) for guest in row["ATTENDEE_LIST"]] == [(1, "H"), (3, "Q"), (7, "Q")]
    copy = caller.read(copies(caller, made)[3].id)
    assert (copy["PARENT_ID"], copy["OWNER_ID"], copy["MEETING_STATUS"]) == (str(made), "3", "Q")
    assert listed(caller, ownerId=3) == ["Lesson"]
    assert told(caller) == [("invite", 3), ("invite", 7)]


def test_without_is_meeting_attendees_are_ignored(caller: Caller) -> None:
    assert copies(caller, caller.add(attendees=[3], host=3, is_meeting=True)) == {}


@pytest.mark.parametrize("nobody", [None, [], "3"])
def test_without_a_list_of_attendees_the_owner_is_alone(caller: Caller, nobody: Any) -> None:
    made = meeting(caller, attendees=nobody)
    assert caller.row(made).attendees == (1,)


def test_a_company_meeting_belongs_to_its_caller(caller: Caller) -> None:
    made = meeting(caller, type="company_calendar", ownerId=0, attendees=[1, 3])
    assert {owner: row.meeting_status for owner, row in copies(caller, made).items()} == {1: "H", 3: "Q"}
    assert told(caller) == [("invite", 3)]


def test_past_meetings_send_no_invitations(caller: Caller) -> None:
    made = meeting(caller, **{"from": "2026-01-01T10:00", "to": "2026-01-01T11:00"})
    assert set(copies(caller, made)) == {3, 7}
    assert told(caller) == []


def test_only_those_who_accepted_get_notices_and_only_of_visible_changes(caller: Caller) -> None:
    made = meeting(caller)
    copies(caller, made)[3].meeting_status = "Y"
    told(caller)
    caller.update(made, color="#123456", remind=[5], **TIMES)
    assert told(caller) == []
    for change in (
        {"name": "b"},
        {"description": "c"},
        {"location": "d"},
        {"to": "2026-12-01T12:00"},
        {"importance": "high"},
    ):
        caller.update(made, **change, **TIMES)
        assert told(caller) == [("change", 3)], change
    caller.update(made, importance="normal", **TIMES)
    assert told(caller) == []
    assert copies(caller, made)[7].name == "b"


def test_an_update_that_does_not_mention_the_meeting_keeps_it(caller: Caller) -> None:
    made = meeting(caller)
    caller.update(made, name="x", **TIMES)
    assert caller.row(made).attendees == (1, 3, 7)


def test_is_meeting_without_attendees_removes_everybody(caller: Caller) -> None:
    made = meeting(caller)
    answered(caller, made, 3, "Y")
    caller.update(made, is_meeting="Y", host=1, **TIMES)
    assert caller.row(made).attendees == (1,)
    assert copies(caller, made) == {}
    assert told(caller) == [("cancel", 3)], "who has not answered yet is told nothing"


def test_with_current_date_from_the_attendees_are_reloaded(caller: Caller) -> None:
    made = meeting(caller)
    caller.update(made, is_meeting="Y", host=1, current_date_from="2026-12-01", **TIMES)
    assert caller.row(made).attendees == (1, 3, 7)


def test_host_omitted_makes_the_caller_host_and_flags_omitted_are_false() -> None:
    caller = portal()
    made = meeting(caller, ownerId=2, host=2, attendees=[2, 3], meeting={"notify": True, "hide_guests": "1"})
    assert caller.read(made)["MEETING"]["HIDE_GUESTS"] is True
    caller.update(made, ownerId=2, is_meeting="Y", attendees=[2, 3], **TIMES)
    row = caller.read(made)
    assert row["MEETING_HOST"] == "1"
    assert not any(row["MEETING"][flag] for flag in ("NOTIFY", "REINVITE", "ALLOW_INVITE", "HIDE_GUESTS"))


def test_a_host_without_rights_is_denied_where_the_caller_has_them(caller: Caller) -> None:
    made = meeting(caller)
    given = {"is_meeting": "Y", "attendees": [1, 3], "name": "changed"}
    assert caller.update(made, host=5, **given, **TIMES) == "Access denied"
    assert caller.update(made, host=404, **given, **TIMES) == "Access denied", "nobody has no rights"


def test_ending_the_meeting_takes_the_copies_away(caller: Caller) -> None:
    made = meeting(caller)
    answered(caller, made, 3, "Y")
    answered(caller, made, 7, "N")
    caller.update(made, is_meeting="N", **TIMES)
    assert copies(caller, made) == {}
    assert told(caller) == [("cancel", 3)]


def test_changing_the_guests_invites_and_cancels(caller: Caller) -> None:
    made = meeting(caller)
    answered(caller, made, 3, "Y")
    caller.update(made, is_meeting="Y", attendees=[1, 7, 8], host=1, **TIMES)
    assert set(copies(caller, made)) == {7, 8}
    assert told(caller) == [("cancel", 3), ("invite", 8)]


def test_reinvite_resets_every_status_and_invites_again(caller: Caller) -> None:
    made = meeting(caller)
    copies(caller, made)[3].meeting_status = "Y"
    told(caller)
    given = {"is_meeting": "Y", "attendees": [1, 3, 7], "host": 1}
    caller.update(made, **given, meeting={"reinvite": False}, **TIMES)
    assert copies(caller, made)[3].meeting_status == "Y"
    caller.update(made, **given, meeting={"reinvite": True}, **TIMES)
    assert copies(caller, made)[3].meeting_status == "Q"
    assert told(caller) == [("invite", 3), ("invite", 7)]


def test_deleting_a_meeting_notifies_those_who_had_not_declined(caller: Caller) -> None:
    made = meeting(caller)
    copies(caller, made)[7].meeting_status = "N"
    told(caller)
    caller.ask("calendar.event.delete", id=made)
    assert told(caller) == [("cancel", 3)]
    assert listed(caller, ownerId=3) == []


def test_deleting_a_copy_with_rights_deletes_the_meeting(caller: Caller) -> None:
    made = meeting(caller)
    caller.ask("calendar.event.delete", id=copies(caller, made)[3].id)
    assert caller.read(made) is None


def test_deleting_ones_own_copy_without_rights_only_declines() -> None:
    caller = portal()
    made = meeting(caller, attendees=[1, 2], meeting={"notify": "1"})
    copy = copies(caller, made)[2]
    told(caller)
    caller.user = 2
    assert caller.ask("calendar.event.delete", id=copy.id) is True
    assert (copy.meeting_status, copy.deleted) == ("N", False)
    assert told(caller) == [("answer", 1)]
    assert caller.row(made).deleted is False


def test_a_meeting_in_anothers_calendar_stays_in_its_section(caller: Caller) -> None:
    made = meeting(caller, ownerId=3, attendees=[3, 7])
    other = caller.ask("calendar.section.add", type="user", ownerId=3, name="Other")
    caller.update(made, ownerId=3, section=other, **TIMES)
    assert caller.row(made).section_id == 3
    assert caller.row(made).created_by == 3


def test_mode_this_of_a_meeting_copies_the_attendees_and_notifies_them(caller: Caller) -> None:
    made = meeting(caller, rrule={"FREQ": "DAILY", "INTERVAL": 1, "COUNT": 5})
    told(caller)
    caller.update(made, recurrence_mode="this", current_date_from="2026-12-03", name="Moved", **TIMES)
    (single,) = caller.world.tables.instances_of(made)
    assert set(copies(caller, single.id)) == {3, 7}
    assert [notice for notice in told(caller) if notice[0] == "invite"] == [("invite", 3), ("invite", 7)]
    assert copies(caller, single.id)[3].recurrence_id == copies(caller, made)[3].id


# the page's and the tests' own questions


def test_the_world_returns_what_a_calendar_shows(caller: Caller) -> None:
    caller.add(name="b", **{"from": "2026-12-03T10:00", "to": "2026-12-03T11:00"})
    made = caller.add(name="a", rrule={"FREQ": "DAILY", "INTERVAL": 2, "COUNT": 2})
    found = caller.world.occurrences("user", 1, datetime(2026, 12, 1), datetime(2026, 12, 31))
    assert [(row.name, start.day) for row, start, _ in found] == [("a", 1), ("b", 3), ("a", 3)]
    assert [row.id for row in caller.world.events("user", 1, section=1)] == [made - 1, made]
    assert ("company_calendar", 0) in caller.world.calendars()
