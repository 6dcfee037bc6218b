"""calendar.event.update, its editing modes, and calendar.event.delete (PORTAL.md 4.3, 4.4, 4.7)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from tests.sandbox.asking import Caller, company, portal

TIMES = {"timezone_from": "Europe/Moscow", "timezone_to": "Europe/Moscow"}
DENIED = "Access denied"


@pytest.fixture
def caller() -> Caller:
    return portal()


@pytest.fixture
def elsewhere() -> Caller:
    """A caller in Riga of a portal in Moscow."""
    return portal(company(caller_zone="Europe/Riga"))


# The table of 4.3: what happens to omitted fields.


def test_without_skip_time_an_all_day_event_becomes_timed(caller: Caller) -> None:
    made = caller.add(**{"from": "2026-12-01T12:00", "to": "2026-12-01T12:00", "skip_time": "Y"})
    caller.update(made, name="Renamed")
    row = caller.read(made)
    assert (row["DT_SKIP_TIME"], row["DATE_FROM_FORMATTED"], row["DATE_TO_FORMATTED"]) == (
        "N",
        "Tue Dec 01 2026 00:00:00",
        "Tue Dec 01 2026 00:00:00",
    )


def test_without_zones_the_instant_moves_to_the_callers_zone(elsewhere: Caller) -> None:
    made = elsewhere.add(timezone_from="Asia/Tokyo", timezone_to="Asia/Tokyo")
    elsewhere.update(made, name="Renamed")
    row = elsewhere.read(made)
    assert (row["TZ_FROM"], row["TZ_TO"]) == ("Europe/Riga", "Europe/Riga")
    assert row["DATE_FROM_FORMATTED"] == "Tue Dec 01 2026 10:00:00"


KEPT: list[tuple[str, Any, str, Any]] = [
    ("name", "Lesson 5", "NAME", "Lesson 5"),
    ("description", "text", "DESCRIPTION", "text"),
    ("section", 1, "SECTION_ID", "1"),
    ("accessibility", "free", "ACCESSIBILITY", "free"),
    ("importance", "high", "IMPORTANCE", "high"),
    ("private_event", "Y", "PRIVATE_EVENT", "1"),
    ("location", "Room", "LOCATION", "Room"),
    ("crm_fields", ["C_5"], "UF_CRM_CAL_EVENT", ["C_5"]),
    ("remind", [{"type": "min", "count": 5}], "REMIND", [{"type": "min", "count": 5}]),
    ("color", "#123456", "COLOR", "#123456"),
]


@pytest.mark.parametrize(("param", "value", "field", "kept"), KEPT)
def test_what_is_omitted_is_kept(caller: Caller, param: str, value: Any, field: str, kept: Any) -> None:
    made = caller.add(**{param: value})
    other = {"description": "changed"} if param != "description" else {"name": "changed"}
    assert caller.update(made, **other, **TIMES) == made
    row = caller.read(made)
    assert row[field] == kept
    assert row["DATE_FROM_FORMATTED"] == "Tue Dec 01 2026 10:00:00"
    assert row["DATE_TO_FORMATTED"] == "Tue Dec 01 2026 11:00:00"


@pytest.mark.parametrize(
    ("param", "value", "field", "kept"),
    [
        ("name", "", "NAME", "New event"),
        ("name", "0", "NAME", "0"),
        ("description", "", "DESCRIPTION", ""),
        ("location", "", "LOCATION", ""),
        ("color", "", "COLOR", "#9dcf00"),
        ("crm_fields", [], "UF_CRM_CAL_EVENT", ""),
        ("remind", [], "REMIND", []),
        ("private_event", "N", "PRIVATE_EVENT", ""),
        ("name", None, "NAME", "Lesson"),
    ],
)
def test_what_is_given_empty_is_cleared_or_replaced(
    caller: Caller, param: str, value: Any, field: str, kept: Any
) -> None:
    full = {"description": "text", "location": "Room", "color": "#123456", "crm_fields": ["C_5"], "remind": [5]}
    made = caller.add(**full, private_event="Y")
    caller.update(made, **{param: value}, **TIMES)
    assert caller.read(made)[field] == kept


def test_every_save_counts_the_version_up_whether_or_not_anything_changed(caller: Caller) -> None:
    made = caller.add()
    for _ in range(2):
        caller.update(made)
    assert caller.read(made)["VERSION"] == "3"


def test_an_unreadable_start_becomes_now_and_with_the_end_all_of_today(caller: Caller) -> None:
    made = caller.add()
    caller.update(made, **{"from": "junk"}, **TIMES)
    assert caller.row(made).stored.date_from == datetime(2026, 7, 15, 12, 0)
    caller.update(made, **{"from": "junk", "to": "junk"}, **TIMES)
    stored = caller.row(made).stored
    assert (stored.skip_time, stored.date_from, stored.date_to) == (True, datetime(2026, 7, 15), datetime(2026, 7, 15))


def test_stale_zones_stay_when_a_timed_event_becomes_all_day(caller: Caller) -> None:
    made = caller.add()
    caller.update(made, skip_time="Y")
    row = caller.read(made)
    assert (row["DT_SKIP_TIME"], row["TZ_FROM"], row["TZ_OFFSET_FROM"]) == ("Y", "Europe/Moscow", "0")


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"id": None}, '"id"'),
        ({"ownerId": None}, '"ownerId"'),
        ({"type": ""}, '"type"'),
        ({"name": 5}, '"name"'),
        ({"description": ["x"]}, '"description"'),
        ({"recurrence_mode": "some"}, "An invalid editing type"),
        ({"recurrence_mode": "this"}, '"current_date_from"'),
        ({"recurrence_mode": "next", "current_date_from": "junk"}, '"current_date_from"'),
        ({"section": 999}, "You specified an invalid calendar section ID"),
        ({"crm_fields": ["C_404"]}, '"crm_fields"'),
        ({"crm_fields": "C_5"}, "must be an array"),
    ],
)
def test_bad_values_are_refused_and_change_nothing(caller: Caller, params: dict[str, Any], text: str) -> None:
    made = caller.add()
    given = {"id": made, "type": "user", "ownerId": 1, "name": "changed", **params}
    status, code, told = caller.refused("calendar.event.update", **given)
    assert (status, code) == (400, "")
    assert text in told
    assert caller.read(made)["VERSION"] == "1"


def test_another_calendars_section_hides_the_event_which_keeps_its_own_calendar(caller: Caller) -> None:
    made = caller.add()
    caller.update(made, ownerId=3, section=3, **TIMES)
    assert (caller.row(made).calendar, caller.row(made).section_id) == (("user", 1), 3)
    window = {"from": "2026-12-01", "to": "2026-12-01"}
    assert caller.ask("calendar.event.get", type="user", ownerId=1, **window) == []
    assert caller.ask("calendar.event.get", type="user", ownerId=3, **window) == []


# rights and missing events (traps 2, 22)


def test_without_rights_the_answer_is_a_sentence_with_status_200() -> None:
    caller = portal(company(language="ru"))
    made = caller.add()
    caller.user = 2
    assert caller.update(made, name="changed") == "Доступ запрещен"
    assert caller.row(made).version == 1


@pytest.mark.parametrize("deleted", [True, False])
def test_updating_what_is_not_there_looks_like_success_to_an_administrator(caller: Caller, *, deleted: bool) -> None:
    number = 4711
    if deleted:
        number = caller.add()
        caller.ask("calendar.event.delete", id=number)
    assert caller.update(number, name="x") == number
    assert caller.read(number) is None
    caller.user = 2
    assert caller.update(number, name="x") == DENIED


# recurrence


DAILY = {"FREQ": "DAILY", "INTERVAL": 1, "COUNT": 10}


def shown(caller: Caller, since: str = "2026-11-25", until: str = "2026-12-20") -> list[tuple[str, str]]:
    """Return name and start of what calendar.event.get shows of user 1, by start."""
    rows = caller.ask("calendar.event.get", type="user", ownerId=1, **{"from": since, "to": until})
    pairs = [(row["NAME"], row["DATE_FROM_FORMATTED"]) for row in rows]
    return sorted(pairs, key=lambda pair: datetime.strptime(pair[1], "%a %b %d %Y %H:%M:%S"))


def test_a_series_is_expanded_under_one_id(caller: Caller) -> None:
    made = caller.add(rrule=DAILY)
    rows = caller.ask("calendar.event.get", type="user", ownerId=1, **{"from": "2026-12-01", "to": "2026-12-31"})
    assert {row["ID"] for row in rows} == {str(made)}
    assert len(rows) == 10
    assert {row["~DATE_FROM"] for row in rows} == {"01.12.2026 10:00:00"}
    assert caller.read(made)["RRULE"] == {
        "FREQ": "DAILY",
        "INTERVAL": 1,
        "COUNT": 10,
        "UNTIL": "01.01.2038",
        "~UNTIL": "",
        "UNTIL_TS": 2145916800,
    }


@pytest.mark.parametrize("rule", ["FREQ=DAILY", [], {"FREQ": "NONE"}, {"FREQ": "daily"}, {"INTERVAL": 2}])
def test_what_is_no_rule_removes_the_recurrence(caller: Caller, rule: Any) -> None:
    made = caller.add(rrule=DAILY)
    caller.update(made, rrule=rule, **TIMES)
    assert caller.read(made)["RRULE"] == ""
    assert caller.read(caller.add(rrule=rule))["RRULE"] == ""


def test_null_rule_keeps_the_recurrence(caller: Caller) -> None:
    made = caller.add(rrule=DAILY)
    caller.update(made, rrule=None, **TIMES)
    assert caller.read(made)["RRULE"]["COUNT"] == 10


def test_hourly_poisons_the_calendar(caller: Caller) -> None:
    made = caller.add(rrule={"FREQ": "HOURLY", "INTERVAL": 1})
    assert caller.raw("calendar.event.get", {"type": "user", "ownerId": 1, "from": "2026-12-01"}).status == 500
    assert caller.raw("calendar.event.getbyid", {"id": made}).status == 500


def test_weekly_without_days_is_monday(caller: Caller) -> None:
    made = caller.add(rrule={"FREQ": "WEEKLY", "INTERVAL": 1})  # 1 December 2026 is a Tuesday
    assert caller.read(made)["RRULE"]["BYDAY"] == {"MO": "MO"}
    assert [day for _, day in shown(caller)] == ["Mon Dec 07 2026 10:00:00", "Mon Dec 14 2026 10:00:00"]


def test_count_without_interval_vanishes_from_later_windows_until_any_update(caller: Caller) -> None:
    made = caller.add(rrule={"FREQ": "DAILY", "COUNT": 10})
    assert shown(caller, since="2026-12-05") == []
    caller.update(made, **TIMES)
    assert len(shown(caller, since="2026-12-05")) >= 6
    assert "INTERVAL=1;" in caller.row(made).stored.rrule
    assert "UNTIL_TS=" in caller.row(made).stored.rrule


def test_mode_all_keeps_the_date_even_of_a_single_event(caller: Caller) -> None:
    for made in (caller.add(rrule=DAILY), caller.add()):
        moved = {"from": "2026-12-24T15:00:00", "to": "2026-12-24T16:30:00"}
        assert caller.update(made, recurrence_mode="all", **moved, **TIMES) == made
        stored = caller.row(made).stored
        assert (stored.date_from, stored.date_to) == (datetime(2026, 12, 1, 15), datetime(2026, 12, 1, 16, 30))


def test_no_mode_moves_the_series_and_leaves_detached_instances(caller: Caller) -> None:
    made = caller.add(rrule=DAILY)
    caller.update(made, recurrence_mode="this", current_date_from="2026-12-03", name="One", **TIMES)
    caller.update(made, name="All", **{"from": "2026-12-02T08:00", "to": "2026-12-02T09:00"}, **TIMES)
    names = shown(caller)
    assert names[0] == ("All", "Wed Dec 02 2026 08:00:00")
    assert ("One", "Thu Dec 03 2026 10:00:00") in names


def this_of(caller: Caller, made: int) -> list[int]:
    return [row.id for row in caller.world.tables.instances_of(made)]


def test_mode_this_excludes_the_day_makes_a_new_event_and_returns_the_master(caller: Caller) -> None:
    made = caller.add(rrule=DAILY, remind=[{"type": "min", "count": 5}])
    given = {"from": "2026-12-03T18:00", "to": "2026-12-03T19:00", "name": "Moved", "remind": []}
    answer = caller.update(made, recurrence_mode="this", current_date_from="2026-12-03", **given, **TIMES)
    assert answer == made
    (single,) = this_of(caller, made)
    row = caller.read(single)
    assert (row["RECURRENCE_ID"], row["ORIGINAL_DATE_FROM"]) == (made, "03.12.2026 10:00:00")
    assert row["RELATIONS"]["COMMENT_XML_ID"]
    assert row["DAV_XML_ID"] == caller.read(made)["DAV_XML_ID"]
    assert row["RRULE"] == ""
    assert row["REMIND"] == [{"type": "min", "count": 5}], "copied from the master"
    assert caller.read(made)["EXDATE"] == "03.12.2026"
    starts = [start for _, start in shown(caller)]
    assert len(starts) == 10
    assert "Thu Dec 03 2026 10:00:00" not in starts
    assert "Thu Dec 03 2026 18:00:00" in starts


def test_mode_this_takes_the_occurrences_date_when_the_series_start_is_given(caller: Caller) -> None:
    made = caller.add(rrule=DAILY)
    given = {"from": "2026-12-01T18:00", "to": "2026-12-01T19:30"}
    caller.update(made, recurrence_mode="this", current_date_from="2026-12-05", **given, **TIMES)
    stored = caller.row(this_of(caller, made)[0]).stored
    assert (stored.date_from, stored.date_to) == (datetime(2026, 12, 5, 18), datetime(2026, 12, 5, 19, 30))


def test_mode_this_takes_a_day_off_an_all_day_event_of_several(caller: Caller) -> None:
    made = caller.add(
        **{"from": "2026-12-01T12:00", "to": "2026-12-03T12:00"}, skip_time="Y", rrule={"FREQ": "WEEKLY", "INTERVAL": 1}
    )
    caller.update(made, recurrence_mode="this", current_date_from="2026-12-07", name="x", skip_time="Y")
    stored = caller.row(this_of(caller, made)[0]).stored
    assert (stored.date_from.date(), stored.date_to.date()) == (date(2026, 12, 7), date(2026, 12, 8))


def test_repeating_mode_this_makes_a_second_instance_and_any_day_is_taken(caller: Caller) -> None:
    made = caller.add(rrule=DAILY)
    for day in ("2026-12-03", "2026-12-03", "2027-05-05"):
        assert caller.update(made, recurrence_mode="this", current_date_from=day, name=day, **TIMES) == made
    assert len(this_of(caller, made)) == 3


def test_mode_all_cascades_but_an_instances_own_name_stays(caller: Caller) -> None:
    made = caller.add(rrule=DAILY, description="old")
    caller.update(made, recurrence_mode="this", current_date_from="2026-12-03", name="Own", **TIMES)
    caller.update(made, recurrence_mode="this", current_date_from="2026-12-04", location="Hall", **TIMES)
    moved = {"from": "2026-12-01T15:00", "to": "2026-12-01T16:00"}
    caller.update(made, recurrence_mode="all", name="New", location="Room", description="new", **moved, **TIMES)
    first, second = (caller.row(number) for number in this_of(caller, made))
    assert (first.name, first.location, first.description) == ("Own", "Room", "new")
    assert (second.name, second.location, second.version) == ("New", "Hall", 2)
    assert first.stored.date_from == datetime(2026, 12, 3, 15)


def test_mode_next_splits_the_series(caller: Caller) -> None:
    made = caller.add(rrule=DAILY)
    caller.update(made, recurrence_mode="this", current_date_from="2026-12-03", name="Before", **TIMES)
    caller.update(made, recurrence_mode="this", current_date_from="2026-12-08", name="After", **TIMES)
    caller.now += 5
    given = {"from": "2026-12-06T14:00", "to": "2026-12-06T15:00", "name": "Later"}
    answer = caller.update(made, recurrence_mode="next", current_date_from="2026-12-06", **given, **TIMES)
    later = answer["recEventId"]
    assert answer == {
        "originalDate": "06.12.2026 10:00:00",
        "originalDavXmlId": caller.row(made).dav_xml_id,
        "instanceTz": "Europe/Moscow",
        "recEventId": later,
        "id": made,
    }
    assert caller.row(later).dav_xml_id != caller.row(made).dav_xml_id
    old, new = caller.read(made)["RRULE"], caller.read(later)["RRULE"]
    assert ("COUNT" in old, old["UNTIL"]) == (False, "05.12.2026")
    assert (new["COUNT"], new["~UNTIL"]) == (5, "")
    assert len(this_of(caller, made)) == len(this_of(caller, later)) == 1
    assert [pair for pair in shown(caller) if pair[0] in ("Lesson", "Later")] == [
        *(("Lesson", f"{day} 2026 10:00:00") for day in ("Tue Dec 01", "Wed Dec 02", "Fri Dec 04", "Sat Dec 05")),
        *(("Later", f"{day} 2026 14:00:00") for day in ("Sun Dec 06", "Mon Dec 07", "Wed Dec 09", "Thu Dec 10")),
    ]


def test_mode_next_on_the_first_occurrence_updates_the_series(caller: Caller) -> None:
    made = caller.add(rrule=DAILY)
    answer = caller.update(made, recurrence_mode="next", current_date_from="2026-12-01", name="New", **TIMES)
    assert (answer["id"], answer["recEventId"]) == (None, made)
    assert len(caller.world.events("user", 1)) == 1
    assert caller.read(made)["NAME"] == "New"


def test_until_on_a_midnight_series_gives_one_day_more(caller: Caller) -> None:
    caller.add(
        rrule={"FREQ": "DAILY", "INTERVAL": 1, "UNTIL": "2026-12-03"},
        **{"from": "2026-12-01T00:00", "to": "2026-12-01T01:00"},
    )
    assert [day[4:10] for _, day in shown(caller)] == ["Dec 01", "Dec 02", "Dec 03", "Dec 04"]


def test_exact_expansion_is_a_switch() -> None:
    rule = {"FREQ": "DAILY", "INTERVAL": 1, "UNTIL": "2026-12-03"}
    counts = []
    for exact in (True, False):
        caller = portal(exact_expansion=exact)
        caller.add(rrule=rule, **{"from": "2026-12-01T00:00", "to": "2026-12-01T01:00"})
        counts.append(len(shown(caller)))
    assert counts == [3, 4]


# delete


@pytest.mark.parametrize("missing", [None, "", 0])
def test_delete_needs_an_id(caller: Caller, missing: Any) -> None:
    assert caller.refused("calendar.event.delete", id=missing)[2] == "Event id not specified"


def test_missing_deleted_and_forbidden_are_one_error(caller: Caller) -> None:
    made, gone = caller.add(), caller.add()
    assert caller.ask("calendar.event.delete", id=gone) is True
    caller.user = 2
    texts = {caller.refused("calendar.event.delete", id=number) for number in (made, gone, 4711)}
    assert texts == {(400, "", "An error occurred while deleting the event")}
    assert caller.world.tables.event(made) is not None


def test_type_and_owner_are_not_looked_at_on_delete(caller: Caller) -> None:
    made = caller.add()
    assert caller.ask("calendar.event.delete", id=str(made), type="group", ownerId=99) is True
    assert caller.read(made) is None


def test_deleting_a_detached_instance_deletes_the_series(caller: Caller) -> None:
    made = caller.add(rrule=DAILY)
    for day in ("2026-12-03", "2026-12-05"):
        caller.update(made, recurrence_mode="this", current_date_from=day, name=day, **TIMES)
    caller.ask("calendar.event.delete", id=this_of(caller, made)[0])
    assert caller.world.events("user", 1) == ()
    assert shown(caller) == []


def test_deleting_a_series_deletes_its_instances(caller: Caller) -> None:
    made, other = caller.add(rrule=DAILY), caller.add(name="Other")
    caller.update(made, recurrence_mode="this", current_date_from="2026-12-03", name="One", **TIMES)
    caller.ask("calendar.event.delete", id=made)
    assert [row.id for row in caller.world.events("user", 1)] == [other]
