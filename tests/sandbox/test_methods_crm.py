"""Activities, to-dos, clients and their hidden ties to the calendar in the simulated portal (PORTAL.md 6)."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from syncd.sandbox.seed.world_file import decode_world, dump_world
from syncd.sandbox.seed.world_schema import SeedElement
from syncd.sandbox.tables.database import Event
from syncd.sandbox.world import World
from tests.sandbox.asking import Caller, company, portal

FIELDS: dict[str, Any] = {
    "OWNER_TYPE_ID": 3,
    "OWNER_ID": 1,
    "TYPE_ID": 1,
    "SUBJECT": "First visit",
    "START_TIME": "2026-12-01T10:00:00+03:00",
    "END_TIME": "2026-12-01T11:00:00+03:00",
    "COMMUNICATIONS": [{"VALUE": "+79161112233", "ENTITY_ID": 1, "ENTITY_TYPE_ID": 3}],
    "LOCATION": "Room 4",
}


@pytest.fixture
def caller() -> Caller:
    return portal()


def without(*names: str, **more: Any) -> dict[str, Any]:
    return {name: value for name, value in {**FIELDS, **more}.items() if name not in names}


def added(caller: Caller, **more: Any) -> int:
    made = caller.ask("crm.activity.add", fields={**FIELDS, **more})
    assert isinstance(made, int)
    return made


def linked_event(caller: Caller, activity_id: int) -> Event:
    return caller.row(caller.world.tables.crm_rows.activities[activity_id].event_id)


# crm.activity.add


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (without("SUBJECT"), "The field SUBJECT is not defined or empty."),
        (without(SUBJECT="  "), "The field SUBJECT is not defined or empty."),
        (without("TYPE_ID"), "The field TYPE_ID is not defined or invalid."),
        (without(TYPE_ID=7), "The field TYPE_ID is not defined or invalid."),
        (without(TYPE_ID=6), "The custom activity without provider is not supported in current context."),
        (without(TYPE_ID=3), 'The activity type "Task" is not supported in current context".'),
        (without("COMMUNICATIONS"), "The field COMMUNICATIONS is not defined or invalid."),
        (
            without(COMMUNICATIONS=[{"VALUE": "1"}, {"VALUE": "2"}]),
            "The only one communication is allowed for activity of specified type.",
        ),
        (
            without(TYPE_ID=2, COMMUNICATIONS=[{"VALUE": "", "ENTITY_ID": 1, "ENTITY_TYPE_ID": 3}]),
            "The field COMMUNICATIONS is not defined or invalid.",
        ),
        (without(OWNER_ID=99), "Could not find 'CONTACT' with ID: 99"),
        (without(NOTIFY_TYPE=1), "NOTIFY_VALUE is not assigned."),
    ],
)
def test_a_missing_activity_field_is_refused_in_the_portals_words(
    caller: Caller, fields: dict[str, Any], text: str
) -> None:
    assert caller.refused("crm.activity.add", fields=fields) == (400, "", text)
    assert not caller.world.tables.crm_rows.activities


def test_an_activity_reads_back_with_texts_for_numbers_and_times_of_the_server(caller: Caller) -> None:
    made = added(caller, DEADLINE="2030-01-01", UNKNOWN="x", ORIGINATOR_ID="syncd", ORIGIN_ID="a1", ORIGIN_VERSION="7")
    row = caller.ask("crm.activity.get", id=made)
    assert (row["ID"], row["OWNER_ID"], row["TYPE_ID"], row["SUBJECT"]) == (str(made), "1", "1", "First visit")
    assert (row["START_TIME"], row["DEADLINE"]) == ("2026-12-01T10:00:00+03:00", "2026-12-01T10:00:00+03:00")
    assert (row["ORIGIN_ID"], row["RESPONSIBLE_ID"], row["SETTINGS"]) == ("a1", "3", [])
    assert not {"COMMUNICATIONS", "BINDINGS", "CALENDAR_EVENT_ID", "ORIGIN_VERSION"} & set(row)


def test_one_time_stands_for_both_and_an_unreadable_one_is_dropped(caller: Caller) -> None:
    row = caller.ask("crm.activity.get", id=added(caller, START_TIME="whenever"))
    assert row["START_TIME"] == row["END_TIME"] == "2026-12-01T11:00:00+03:00"
    endless = caller.ask("crm.activity.get", id=added(caller, START_TIME="", END_TIME=""))
    assert (endless["START_TIME"], endless["DEADLINE"][:4]) == ("", "9999")


def test_off_season_times_go_wrong_where_caller_and_server_switch_differently() -> None:
    caller = portal(company(caller_zone="Europe/Riga"))  # July: Riga is at the server's +3, in December it is not
    row = caller.ask("crm.activity.get", id=added(caller))
    assert row["START_TIME"] == "2026-12-01T11:00:00+03:00"


def test_a_caller_without_a_right_to_the_card_is_refused() -> None:
    world = company()
    hidden = SeedElement(type="contact", id=50, name="X", assigned_by=3, opened=False)
    caller = portal(msgspec.structs.replace(world, elements=(*world.elements, hidden)))
    caller.user = 2
    fields = without(OWNER_ID=50, COMMUNICATIONS=[{"VALUE": "1"}])
    assert caller.refused("crm.activity.add", fields=fields) == (400, "", "Access denied.")
    assert caller.refused("crm.contact.get", id=50) == (400, "", "Access denied.")
    assert "50" not in [row["ID"] for row in caller.ask("crm.contact.list")]


def test_the_scope_is_checked() -> None:
    world = company()
    hooks = tuple(msgspec.structs.replace(hook, scopes=("calendar",)) for hook in world.webhooks)
    caller = portal(msgspec.structs.replace(world, webhooks=hooks))
    assert caller.refused("crm.activity.add", fields=FIELDS)[1] == "insufficient_scope"


# crm.activity.list


def test_a_filter_that_is_not_in_the_field_list_is_dropped_and_everything_comes(caller: Caller) -> None:
    for number in range(3):
        added(caller, ORIGIN_ID=f"a{number}", ORIGINATOR_ID="syncd")

    def listed(**wanted: Any) -> Any:
        return caller.ask("crm.activity.list", filter=wanted)

    assert len(listed(**{"=ORIGIN_ID": "a1"})) == 1
    assert [row["ORIGIN_ID"] for row in listed(**{"@ORIGIN_ID": ["a0", "a2"]})] == ["a0", "a2"]
    assert len(listed(**{"=CALENDAR_EVENT_ID": 12345})) == 3
    assert len(listed(ORIGIN_VERSION="x")) == 3
    assert len(listed(**{">=START_TIME": "2026-12-02T00:00:00+03:00"})) == 0
    assert len(listed(BINDINGS=[{"OWNER_TYPE_ID": 3, "OWNER_ID": 1}] * 2)) == 6


def test_a_start_past_the_end_gives_the_first_page_again(caller: Caller) -> None:
    for number in range(60):
        added(caller, SUBJECT=f"visit {number:02}")

    def page(start: int) -> Any:
        return caller.ask("crm.activity.list", order={"ID": "ASC"}, start=start)

    assert len(page(0)) == 50
    assert [row["SUBJECT"] for row in page(57)] == [f"visit {number}" for number in range(50, 60)]
    assert page(100) == page(0)


def test_communications_come_only_when_they_are_named(caller: Caller) -> None:
    added(caller)
    (row,) = caller.ask("crm.activity.list", select=["ID", "COMMUNICATIONS", "NONSENSE"])
    assert set(row) == {"ID", "COMMUNICATIONS"}
    assert row["COMMUNICATIONS"][0]["VALUE"] == "+79161112233"


# update, delete and the calendar


def test_a_meeting_stands_in_the_calendar_of_the_responsible_and_a_call_does_not(caller: Caller) -> None:
    made = added(caller, RESPONSIBLE_ID=4, NOTIFY_TYPE=2, NOTIFY_VALUE=3)
    event = linked_event(caller, made)
    section = caller.world.tables.sections[event.section_id]
    assert (event.name, event.location, event.owner_id, section.name) == ("First visit", "Room 4", 4, "CRM")
    assert (event.stored.date_from.hour, event.stored.tz_from) == (12, "Asia/Yekaterinburg")
    assert (event.crm, event.is_meeting, event.remind) == (("C_1",), False, ({"type": "hour", "count": 3},))
    call = added(caller, TYPE_ID=2)
    assert caller.world.tables.crm_rows.activities[call].event_id == 0


def test_an_update_keeps_what_it_omits_except_the_place_of_the_event(caller: Caller) -> None:
    made = added(caller, DESCRIPTION="notes")
    assert caller.ask("crm.activity.update", id=made, fields={"SUBJECT": "Second visit"}) is True
    row = caller.ask("crm.activity.get", id=made)
    assert (row["SUBJECT"], row["DESCRIPTION"], row["LOCATION"]) == ("Second visit", "notes", "Room 4")
    event = linked_event(caller, made)
    assert (event.name, event.location, event.version) == ("Second visit", "", 2)


def test_an_update_cannot_move_an_activity_to_another_card_or_kind(caller: Caller) -> None:
    made = added(caller)
    caller.ask("crm.activity.update", id=made, fields={"OWNER_ID": 2, "TYPE_ID": 2, "DEADLINE": "2030-01-01"})
    row = caller.ask("crm.activity.get", id=made)
    assert (row["OWNER_ID"], row["TYPE_ID"], row["DEADLINE"]) == ("1", "1", "2026-12-01T10:00:00+03:00")


def test_another_responsible_takes_the_event_along(caller: Caller) -> None:
    made = added(caller)
    caller.ask("crm.activity.update", id=made, fields={"RESPONSIBLE_ID": 5, "LOCATION": "Room 4"})
    assert linked_event(caller, made).owner_id == 5
    assert not caller.world.events("user", 3)


def test_deleting_either_deletes_the_other_and_a_second_time_is_refused(caller: Caller) -> None:
    first, second = added(caller), added(caller)
    event = linked_event(caller, first)
    assert caller.ask("crm.activity.delete", id=first) is True
    assert caller.world.tables.event(event.id) is None
    assert caller.refused("crm.activity.delete", id=first)[2] == "Activity is not found."
    assert caller.refused("crm.activity.update", id=first, fields={})[2] == "Activity is not found."
    assert caller.refused("crm.activity.get", id=first) == (400, "", "")
    caller.ask("calendar.event.delete", id=linked_event(caller, second).id)
    assert second not in caller.world.tables.crm_rows.activities


def test_links_of_an_event_make_a_to_do_and_clearing_them_deletes_it(caller: Caller) -> None:
    event = caller.add(crm_fields=["C_2", "CO_1"])
    (todo,) = caller.ask("crm.activity.list")
    assert (todo["PROVIDER_ID"], todo["TYPE_ID"], todo["OWNER_ID"], todo["SUBJECT"]) == ("CRM_TODO", "6", "2", "Lesson")
    caller.update(event, name="Exam", crm_fields=["C_2"])
    assert [row["SUBJECT"] for row in caller.ask("crm.activity.list")] == ["Exam"]
    caller.update(event, crm_fields=[])
    assert caller.ask("crm.activity.list") == []
    assert caller.refused("calendar.event.update", id=event, type="user", ownerId=1, crm_fields=["C_77"])[2]


# crm.activity.todo


def test_a_todo_update_blanks_what_it_omits(caller: Caller) -> None:
    wanted = {"ownerTypeId": 3, "ownerId": 1, "deadline": "2026-12-01T10:00:00+03:00"}
    made = caller.ask(
        "crm.activity.todo.add", title="Ring", description="about", pingOffsets=[15], responsibleId=3, **wanted
    )
    assert list(made) == ["id"]
    row = caller.world.tables.crm_rows.activities[made["id"]]
    assert (row.subject, row.description, row.pings, row.responsible) == ("Ring", "about", (15,), 3)
    assert [notice.to for notice in caller.world.notices] == [3]
    caller.ask("crm.activity.todo.update", id=made["id"], **wanted)
    assert (row.subject, row.description, row.pings) == ("", "", ())
    assert row.event_id == 0
    row.completed = True
    assert caller.refused("crm.activity.todo.update", id=made["id"], **wanted)[1] == "CAN_NOT_UPDATE_COMPLETED_TODO"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ownerId": None}, "100"),
        ({"deadline": None}, "100"),
        ({"ownerId": 99}, "OWNER_NOT_FOUND"),
        ({"deadline": "whenever"}, "WRONG_DATETIME_FORMAT"),
    ],
)
def test_a_todo_names_what_it_lacks(caller: Caller, change: dict[str, Any], code: str) -> None:
    wanted = {"ownerTypeId": 3, "ownerId": 1, "deadline": "2026-12-01T10:00:00+03:00", **change}
    assert caller.refused("crm.activity.todo.add", **wanted)[1] == code
    assert caller.refused("crm.activity.todo.update", id=5, **{**wanted, "ownerId": 1, "deadline": "2026-12-01"})[
        1
    ] == ("NOT_FOUND")


# clients


@pytest.mark.parametrize("phone", ["+79161112233", "8 (916) 111-22-33", "007 916 111 22 33", "7916-111-22-33"])
def test_a_phone_is_found_however_it_is_written(caller: Caller, phone: str) -> None:
    found = caller.ask("crm.duplicate.findbycomm", type="PHONE", values=[phone], entity_type="CONTACT")
    assert found == {"CONTACT": [1]}


def test_two_contacts_with_one_phone_are_both_found_and_no_match_is_an_empty_list(caller: Caller) -> None:
    def find(**params: Any) -> Any:
        return caller.ask("crm.duplicate.findbycomm", **params)

    assert find(type="PHONE", values=["+7 916 555-00-99"]) == {"CONTACT": [6, 8]}
    assert find(type="EMAIL", values=["OSCAR@lind.example"]) == {"CONTACT": [2]}
    assert find(type="PHONE", values=["+1 555"]) == []
    everything = [f"+4420{number:08}" for number in range(20)] + ["+79161112233"]
    assert find(type="PHONE", values=everything, entity_type="CONTACT") == []  # the 21st value is not looked at


def test_phones_of_a_list_come_only_when_they_are_named(caller: Caller) -> None:
    rows = caller.ask("crm.contact.list", filter={"@ID": [1, 3]}, select=["ID", "PHONE", "ASSIGNED_BY_ID"])
    assert rows[0]["PHONE"][0]["VALUE"] == "+7 916 111-22-33"
    assert rows[1] == {"ID": "3", "ASSIGNED_BY_ID": "5"}
    assert "PHONE" not in caller.ask("crm.contact.list")[0]
    exact = caller.ask("crm.contact.list", filter={"PHONE": "+79161112233"})
    assert exact == []
    whole = caller.ask("crm.contact.get", id=3)
    assert (whole["HAS_PHONE"], whole["EMAIL"][0]["VALUE"], "PHONE" in whole) == ("N", "zimin@mail.example", False)
    assert caller.refused("crm.contact.get", id=77) == (400, "", "Not found")
    assert caller.ask("crm.deal.get", id=7)["CONTACT_ID"] == "2"
    assert {row["SYMBOL_CODE_SHORT"] for row in caller.ask("crm.enum.ownertype")} == {"L", "D", "C", "CO", "Q", "SI"}


def test_the_crm_survives_a_world_file(caller: Caller) -> None:
    made = added(caller, ORIGIN_ID="a1")
    again = World(caller.world.settings, decode_world(dump_world(caller.world.tables)))
    row = again.tables.crm_rows.activities[made]
    assert (row.origin_id, row.communications[0].value, row.event_id) == ("a1", "+79161112233", row.event_id)
    assert again.tables.crm_rows.of_event(row.event_id) is row
    assert datetime.fromtimestamp(row.start or 0, ZoneInfo("Europe/Moscow")).hour == 10


@pytest.mark.parametrize(
    ("element", "named"),
    [
        (SeedElement(type="contakt", id=1), "$.elements[0].type is 'contakt'"),
        (SeedElement(type="deal", id=1, assigned_by=99), "$.elements[0].assigned_by names 99"),
    ],
)
def test_a_wrong_crm_element_in_a_world_file_is_named(element: SeedElement, named: str) -> None:
    world = msgspec.structs.replace(company(), elements=(element,))
    with pytest.raises(Exception, match="elements") as caught:
        portal(world)
    assert named in str(caught.value)


def test_an_update_that_leaves_no_communication_is_refused(caller: Caller) -> None:
    made = added(caller)
    told = caller.refused("crm.activity.update", id=made, fields={"COMMUNICATIONS": []})
    assert told == (400, "", "The field COMMUNICATIONS is not defined or invalid.")
    assert caller.world.tables.crm_rows.activities[made].communications
