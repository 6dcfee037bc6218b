"""calendar.event.add: dates (PORTAL.md 4.1), fields (4.2), and what is read back (4.6)."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from tests.sandbox.asking import NOW, Caller, add_command, company, portal

SERVER = "Europe/Moscow"


@pytest.fixture
def caller() -> Caller:
    return portal()


# The table of 4.1. It is July for the caller: Riga is level with Moscow's unchanging +3 (in winter an hour behind),
# London two hours behind, New York seven.

TIMED = [
    # caller zone, from, extra parameters, stored wall clock, stored zone
    ("Europe/Moscow", "2026-12-01T10:00:00", {"timezone_from": "Europe/Riga"}, "2026-12-01T10:00", "Europe/Riga"),
    ("Europe/Riga", "2026-12-01T10:00:00", {}, "2026-12-01T10:00", "Europe/Riga"),
    ("", "2026-12-01T10:00:00", {}, "2026-12-01T10:00", "Europe/Moscow"),
    ("Europe/Moscow", "2026-12-01T10:00:00Z", {"timezone_from": "Asia/Tokyo"}, "2026-12-01T13:00", "Europe/Moscow"),
    ("Europe/Riga", "2026-12-01T10:00:00+00:00", {}, "2026-12-01T13:00", "Europe/Riga"),
    ("Europe/Riga", "2026-12-01T10:00:00Z", {}, "2026-12-01T13:00", "Europe/Riga"),
    ("Europe/Riga", "2026-07-20T10:00:00Z", {}, "2026-07-20T13:00", "Europe/Riga"),
    ("Europe/London", "2026-07-20T10:00:00Z", {}, "2026-07-20T11:00", "Europe/London"),
    ("Europe/London", "2026-12-01T10:00:00Z", {}, "2026-12-01T11:00", "Europe/London"),
    ("America/New_York", "2026-12-01T10:00:00+0300", {}, "2026-12-01T03:00", "America/New_York"),
    ("Europe/Riga", "2026-12-01 10:00 Europe/Berlin", {}, "2026-12-01T12:00", "Europe/Riga"),
    ("Europe/Moscow", "20.03.2027 09:30", {}, "2027-03-20T09:30", "Europe/Moscow"),
    ("Europe/Moscow", "2027-02-30 09:30", {}, "2027-03-02T09:30", "Europe/Moscow"),
    ("Europe/Moscow", "2027-02-03T24:00", {}, "2027-02-04T00:00", "Europe/Moscow"),
    ("Europe/Moscow", "tomorrow 08:00", {}, "2026-07-16T08:00", "Europe/Moscow"),
    ("Asia/Tokyo", "20-03-2027", {"timezone_from": "Europe/Riga"}, "2027-03-20T06:00", "Asia/Tokyo"),
    ("Europe/Moscow", "2026-12-01T10:00:59", {}, "2026-12-01T10:00", "Europe/Moscow"),
]


@pytest.mark.parametrize(("zone", "sent", "more", "wall", "stored_zone"), TIMED)
def test_timed_dates_follow_the_table(zone: str, sent: str, more: dict[str, str], wall: str, stored_zone: str) -> None:
    caller = portal(company(caller_zone=zone))
    made = caller.ask(
        "calendar.event.add", type="user", ownerId=1, name="x", **{"from": sent, "to": "2029-01-01T00:00:00"}, **more
    )
    stored = caller.row(made).stored
    assert (stored.date_from, stored.tz_from) == (datetime.fromisoformat(wall), stored_zone)


ALL_DAY = [
    ("Europe/Moscow", "2026-06-14", "2026-06-14"),
    ("Europe/Riga", "2026-06-14", "2026-06-14"),
    ("Europe/Kaliningrad", "2026-06-14", "2026-06-13"),
    ("Asia/Yekaterinburg", "2026-06-14", "2026-06-14"),
    ("America/New_York", "2026-06-14", "2026-06-13"),
    ("America/New_York", "2026-06-14T12:00:00", "2026-06-14"),
    ("Asia/Tokyo", "2026-06-14T12:00:00", "2026-06-14"),
    ("Asia/Tokyo", "2026-06-14T22:00:00", "2026-06-15"),
    ("Europe/Moscow", "2026-06-14T22:30:00Z", "2026-06-15"),
]


@pytest.mark.parametrize(("zone", "sent", "day"), ALL_DAY)
def test_all_day_dates_move_by_the_callers_offset_of_today(zone: str, sent: str, day: str) -> None:
    caller = portal(company(caller_zone=zone))
    made = caller.add(**{"from": sent, "to": sent, "skip_time": "Y", "timezone_from": "Asia/Tokyo"})
    stored = caller.row(made).stored
    assert stored.skip_time
    assert stored.date_from == datetime.fromisoformat(day)
    assert (stored.tz_from, stored.length) == (None, 86400)


def test_the_offset_used_is_that_of_the_day_of_the_call() -> None:
    summer, winter = (portal(company(caller_zone="Europe/Riga"), integer_stamps=False) for _ in range(2))
    winter.now = datetime(2026, 12, 15, 12).timestamp()
    walls = [
        caller.row(caller.add(**{"from": "2026-12-01T10:00:00Z", "to": "2026-12-01T11:00:00Z"})).stored.date_from
        for caller in (summer, winter)
    ]
    assert walls == [datetime(2026, 12, 1, 13), datetime(2026, 12, 1, 12)]


@pytest.mark.parametrize(("value", "all_day"), [("Y", True), (True, False), ("y", False), ("1", False), ("N", False)])
def test_skip_time_must_be_exactly_y(caller: Caller, value: Any, *, all_day: bool) -> None:
    assert caller.row(caller.add(skip_time=value)).stored.skip_time is all_day


def test_skip_time_without_underscore_overrides(caller: Caller) -> None:
    assert caller.row(caller.add(skip_time="N", skipTime="Y")).stored.skip_time


@pytest.mark.parametrize("junk", ["1718000000", "junk", "2026-13-01", "", 1718000000, False, "2026-12-01T25:00"])
def test_unreadable_dates_are_missing(caller: Caller, junk: Any) -> None:
    status, code, text = caller.refused("calendar.event.add", type="user", ownerId=1, name="x", **{"from": junk})
    assert (status, code) == (400, "")
    assert text == 'The required parameter "from" for the method "calendar.event.add" is not set'


def test_an_array_for_a_date_is_a_php_error(caller: Caller) -> None:
    assert caller.raw("calendar.event.add", {"from": ["2026-12-01"]}).status == 500


def test_stamps_become_wall_clock_of_the_server_labelled_with_the_zone_given(caller: Caller) -> None:
    at = int(datetime.fromisoformat("2026-12-01T10:00:00+03:00").timestamp())
    made = caller.ask(
        "calendar.event.add", type="user", ownerId=1, name="x", from_ts=at, to_ts=at + 3600, timezone_from="Asia/Tokyo"
    )
    stored = caller.row(made).stored
    assert (stored.date_from, stored.tz_from, stored.tz_to) == (datetime(2026, 12, 1, 10), "Asia/Tokyo", "Asia/Tokyo")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Europe/Kyiv", "Europe/Kyiv"),
        ("UTC", "UTC"),
        ("Europe/Kiev", SERVER),
        ("US/Eastern", SERVER),
        ("Asia/Calcutta", SERVER),
        ("Etc/UTC", SERVER),
        ("GMT", SERVER),
        ("Etc/GMT+3", SERVER),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("Nowhere/Atall", SERVER),
    ],
)
def test_zone_names_are_canonical_or_silently_the_servers(caller: Caller, sent: str, kept: str) -> None:
    assert caller.read(caller.add(timezone_from=sent, timezone_to=sent))["TZ_FROM"] == kept


def test_an_end_before_the_start_becomes_the_start(caller: Caller) -> None:
    made = caller.add(**{"to": "2026-11-30T11:00:00", "timezone_to": "Asia/Tokyo"})
    stored = caller.row(made).stored
    assert (stored.date_to, stored.tz_to, stored.length) == (stored.date_from, "Europe/Moscow", 0)


# fields

REQUIRED = ["from", "to", "name", "ownerId", "type"]


@pytest.mark.parametrize("at", range(5))
def test_missing_parameters_are_named_in_the_portals_order(caller: Caller, at: int) -> None:
    given = {"from": "2026-12-01", "to": "2026-12-01", "name": "x", "ownerId": 1, "type": "user"}
    sent = {key: given[key] for key in REQUIRED[:at]}
    assert f'"{REQUIRED[at]}"' in caller.refused("calendar.event.add", **sent)[2]


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"name": "0"}, 'The required parameter "name"'),
        ({"name": ""}, 'The required parameter "name"'),
        ({"name": 5}, 'Invalid value for the parameter "name"'),
        ({"name": ["x"]}, 'Invalid value for the parameter "name"'),
        ({"description": 5}, 'Invalid value for the parameter "description"'),
        ({"auto_detect_section": "N"}, 'The required parameter "section"'),
        ({"section": 999}, "You specified an invalid calendar section ID"),
        ({"section": 2}, "You specified an invalid calendar section ID"),
        ({"crm_fields": "C_5"}, "The list of event links to CRM must be an array"),
        ({"crm_fields": ["C_5", "C_404"]}, 'Invalid value for the parameter "crm_fields"'),
        ({"ownerId": 404}, "An error occurred while creating the event"),
        ({"type": "nonsense"}, "An error occurred while creating the event"),
    ],
)
def test_bad_values_are_refused(caller: Caller, params: dict[str, Any], text: str) -> None:
    given = {"type": "user", "ownerId": 1, "name": "x", "from": "2026-12-01", "to": "2026-12-01"}
    status, code, told = caller.refused("calendar.event.add", **{**given, **params})
    assert (status, code) == (400, "")
    assert told.startswith(text)
    assert caller.world.events("user", 1) == ()


def test_errors_speak_the_portals_language() -> None:
    caller = portal(company(language="ru"))
    assert caller.refused("calendar.event.add")[2].startswith('Не задан обязательный параметр "from"')


FIELDS = [
    ("name", "  Lesson  ", "NAME", "Lesson"),
    ("name", "   ", "NAME", "New event"),
    ("name", "я" * 300, "NAME", "я" * 255),
    ("name", "Урок 🎓", "NAME", "Урок 🎓"),
    ("description", "  a\nb  ", "DESCRIPTION", "a\nb"),
    ("description", "[b]a[/b] <i>&\nb", "~DESCRIPTION", "<b>a</b> &lt;i&gt;&amp;<br />b"),
    ("color", "#9cbe1c", "COLOR", "#9cbe1c"),
    ("color", "", "COLOR", "#9dcf00"),
    ("color", "#fff", "COLOR", "#9dcf00"),
    ("color", "red and blue", "COLOR", "#redand"),
    ("text_color", "#ffffff", "COLOR", ""),
    ("accessibility", "FREE", "ACCESSIBILITY", "free"),
    ("accessibility", "maybe", "ACCESSIBILITY", "busy"),
    ("importance", "high", "IMPORTANCE", "high"),
    ("importance", "urgent", "IMPORTANCE", "normal"),
    ("private_event", "Y", "PRIVATE_EVENT", "1"),
    ("private_event", True, "PRIVATE_EVENT", ""),
    ("location", " Room 5 ", "LOCATION", "Room 5"),
    ("remind", [{"type": "day", "count": 1}, {"type": "min", "count": "15"}, {"type": "week", "count": 1}, 5], "REMIND",
     [{"type": "min", "count": 5}, {"type": "min", "count": 15}, {"type": "day", "count": 1}]),
    ("remind", "15", "REMIND", []),
    ("crm_fields", ["C_5", "D_7"], "UF_CRM_CAL_EVENT", ["C_5", "D_7"]),
    ("crm_fields", [], "UF_CRM_CAL_EVENT", ""),
    ("is_meeting", "N", "IS_MEETING", False),
    ("UF_ANYTHING", "x", "EXDATE", ""),
]  # fmt: skip


@pytest.mark.parametrize(("param", "sent", "field", "kept"), FIELDS)
def test_fields_are_cleaned_before_they_are_kept(caller: Caller, param: str, sent: Any, field: str, kept: Any) -> None:
    assert caller.read(caller.add(**{param: sent}))[field] == kept


def test_the_row_reads_back_with_the_documented_types(caller: Caller) -> None:
    made = caller.add(remind=[{"type": "min", "count": 15}])
    row = caller.read(made)
    for name in ("ID", "PARENT_ID", "OWNER_ID", "SECTION_ID", "TZ_OFFSET_FROM", "DATE_FROM_TS_UTC", "VERSION"):
        assert isinstance(row[name], str), name
    assert row["ID"] == row["PARENT_ID"] == str(made)
    assert (row["DT_LENGTH"], row["IS_MEETING"], row["RECURRENCE_ID"], row["RRULE"]) == (3600, False, None, "")
    assert row["DATE_FROM"] == "01.12.2026 10:00:00"
    assert row["DATE_FROM_FORMATTED"] == "Tue Dec 01 2026 10:00:00"
    assert row["ATTENDEE_LIST"] == [{"id": 1, "entryId": str(made), "status": "H"}]
    assert not {"ACTIVE", "DT_FROM", "DT_TO", "TEXT_COLOR"} & set(row)
    listed = caller.ask("calendar.event.get", type="user", ownerId=1, **{"from": "2026-12-01", "to": "2026-12-01"})
    assert not {"ACTIVE", "DT_FROM", "DT_TO", "TEXT_COLOR"} & set(listed[0])
    assert "~DESCRIPTION" not in listed[0]


def test_american_culture_writes_am_and_pm_but_formatted_dates_stay_english() -> None:
    caller = portal(company(culture="us", language="ru"))
    row = caller.read(caller.add(**{"from": "2026-12-01T17:59:00", "to": "2026-12-01T18:59:00"}))
    assert row["DATE_FROM"] == "12/01/2026 05:59:00 pm"
    assert row["DATE_FROM_FORMATTED"] == "Tue Dec 01 2026 17:59:00"


def test_ts_utc_is_short_by_the_servers_offset(caller: Caller) -> None:
    row = caller.read(caller.add())
    true_utc = datetime.fromisoformat("2026-12-01T10:00:00+03:00").timestamp()
    assert int(row["DATE_FROM_TS_UTC"]) == true_utc - 10800
    on_utc = portal(company(server_zone="UTC"))
    assert int(on_utc.read(on_utc.add())["DATE_FROM_TS_UTC"]) == true_utc


def test_all_day_ends_are_inclusive_and_carry_no_zone(caller: Caller) -> None:
    row = caller.read(caller.add(**{"from": "2026-12-01T12:00", "to": "2026-12-03T12:00", "skip_time": "Y"}))
    assert (row["DT_SKIP_TIME"], row["DT_LENGTH"], row["TZ_FROM"]) == ("Y", 3 * 86400, None)
    assert (row["DATE_FROM_FORMATTED"], row["DATE_TO_FORMATTED"]) == ("Tue Dec 01 2026", "Thu Dec 03 2026")


def test_dav_ids_made_in_one_second_are_the_same(caller: Caller) -> None:
    result = caller.batch({key: add_command(key) for key in "ab"})
    first, second = (caller.row(made).dav_xml_id for made in result["result"].values())
    assert first == second
    caller.now += 2
    third = caller.row(caller.add()).dav_xml_id
    assert third != first
    assert third.startswith("20261201T070000Z-")


def test_without_a_section_the_last_used_one_is_taken_else_one_is_made(caller: Caller) -> None:
    made = caller.ask("calendar.section.add", type="user", ownerId=1, name="Shifts")
    assert caller.row(caller.add(section=made)).section_id == made
    assert caller.row(caller.add()).section_id == made
    bare = portal(company(sections=(), events=()))
    section = bare.world.tables.sections[bare.row(bare.add(section=0)).section_id]
    assert (section.name, section.calendar) == ("My calendar", ("user", 1))


def test_type_and_owner_are_taken_from_the_section(caller: Caller) -> None:
    made = caller.add(type="company_calendar", ownerId=0, section=30)
    assert caller.row(made).calendar == ("company_calendar", 0)


# rights


def test_others_calendars_need_an_administrator_or_granted_access() -> None:
    caller = portal(company(admin=False))
    given = {"type": "user", "ownerId": 3, "name": "x", "from": "2026-12-01", "to": "2026-12-01"}
    assert caller.refused("calendar.event.add", **given, section=3)[2] == "Access denied"
    assert caller.row(caller.ask("calendar.event.add", **given)).section_id == 3, "without a section nobody is asked"
    caller.world.tables.sections[3].access = {"U1": "edit"}
    assert isinstance(caller.ask("calendar.event.add", **given, section=3), int)
    assert isinstance(caller.add(), int)


def test_members_edit_their_groups_calendar_and_others_do_not() -> None:
    caller = portal()
    caller.user = 2
    given = {"type": "group", "name": "x", "from": "2026-12-01", "to": "2026-12-01"}
    assert isinstance(caller.ask("calendar.event.add", **given, ownerId=1), int)
    assert caller.refused("calendar.event.add", **given, ownerId=3, section=23)[2].startswith("You specified")


def test_the_host_of_an_add_decides_whose_rights_count_in_the_sources_reading_only() -> None:
    given = {
        "type": "user", "ownerId": 3, "section": 3, "is_meeting": "Y",
        "name": "x", "from": "2026-12-01", "to": "2026-12-01",
    }  # fmt: skip
    caller = portal()
    assert caller.row(caller.ask("calendar.event.add", **given, host=3)).host == 3
    assert caller.refused("calendar.event.add", **given, host=5)[2] == "An error occurred while creating the event"
    assert caller.refused("calendar.event.add", **given, host=404)[2] == "An error occurred while creating the event"
    docs = portal(host_rule="docs")
    assert docs.row(docs.ask("calendar.event.add", **given, host=5)).host == 1


# rooms (trap 41)


def test_a_location_that_names_a_room_books_it(caller: Caller) -> None:
    first = caller.read(caller.add(location="calendar_41"))
    booking = caller.world.events("location", 0)[0]
    assert first["LOCATION"] == f"calendar_41_{booking.id}"
    assert booking.parent_id == int(first["ID"])
    assert caller.read(caller.add(location="calendar_41"))["LOCATION"] == "", "busy"
    assert caller.read(caller.add(location="calendar_404 and more"))["LOCATION"] == ""
    assert caller.read(caller.add(location="ECMR_7"))["LOCATION"] == ""
    caller.ask("calendar.event.delete", id=int(first["ID"]))
    assert caller.world.events("location", 0) == ()


def test_a_booking_moves_with_its_event_and_goes_with_its_location(caller: Caller) -> None:
    made = caller.add(location="calendar_41")
    caller.update(made, **{"from": "2026-12-02T10:00:00", "to": "2026-12-02T11:00:00", "timezone_from": SERVER})
    (booking,) = caller.world.events("location", 0)
    assert booking.stored.date_from == datetime(2026, 12, 2, 10)
    caller.update(made, location="")
    assert caller.world.events("location", 0) == ()


def test_ids_and_answers_do_not_depend_on_anything_but_time_and_requests() -> None:
    def story() -> list[bytes]:
        caller = portal(jitter=0.2, seed=4)
        given = {"type": "user", "name": "x", "from": "now", "to": "now"}
        return [caller.raw("calendar.event.add", {**given, "ownerId": owner}).body for owner in (1, 2, 3)]

    assert story() == story()
    assert json.loads(story()[0])["time"]["start"] == int(NOW)
