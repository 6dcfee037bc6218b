"""The switches of the simulated portal: what PORTAL.md says both ways, each tried in both positions."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from syncd.errors import ConfigError
from syncd.sandbox.seed.language_school import default_world
from syncd.sandbox.settings import SWITCHES, Settings, parse_switch, switched
from tests.sandbox.asking import Caller, add_command, company, portal

TIMES = {"timezone_from": "Europe/Moscow", "timezone_to": "Europe/Moscow"}
COLUMNS = {"ACTIVE", "DT_FROM", "DT_TO", "TEXT_COLOR"}


def council(caller: Caller, **params: Any) -> int:
    """Add a meeting to user 3's calendar."""
    return caller.add(**{"ownerId": 3, "section": 3, "is_meeting": "Y", "attendees": [3, 7], "host": 3, **params})


# host_rule (PORTAL.md 4.2, 4.3)


def test_by_the_source_host_is_the_organiser_and_an_update_may_change_it() -> None:
    caller = portal()
    made = council(caller)
    assert caller.read(made)["MEETING_HOST"] == "3"
    assert caller.update(made, ownerId=3, is_meeting="Y", attendees=[3, 7], host=1, **TIMES) == made
    assert caller.read(made)["MEETING_HOST"] == "1"


def test_by_the_documentation_the_caller_is_the_organiser_for_good() -> None:
    caller = portal(host_rule="docs")
    made = council(caller)
    assert caller.read(made)["MEETING_HOST"] == "1"
    given = {"id": made, "type": "user", "ownerId": 3, "is_meeting": "Y", "attendees": [3], "name": "new", **TIMES}
    assert caller.refused("calendar.event.update", **given, host=3) == (400, "", "Access denied")
    assert caller.row(made).name == "Lesson"
    assert caller.ask("calendar.event.update", **given) == made, "the caller is the organiser"
    assert caller.ask("calendar.event.update", **given, host=1) == made


def test_by_the_documentation_another_caller_has_to_name_the_present_organiser() -> None:
    caller = portal(host_rule="docs")
    caller.world.tables.sections[3].access = {"U2": "edit"}
    made = council(caller)
    caller.user = 2
    given = {"id": made, "type": "user", "ownerId": 3, "is_meeting": "Y", "attendees": [3, 7], **TIMES}
    assert caller.refused("calendar.event.update", **given)[2] == "Access denied"
    assert caller.ask("calendar.event.update", **given, host=1) == made


@pytest.mark.parametrize("rule", SWITCHES["host_rule"])
def test_an_update_that_says_nothing_of_the_meeting_needs_no_host(rule: str) -> None:
    caller = portal(host_rule=rule)
    made = council(caller)
    assert caller.update(made, ownerId=3, name="new", **TIMES) == made


@pytest.mark.parametrize("rule", SWITCHES["host_rule"])
def test_the_host_that_was_read_is_right_by_both_rules(rule: str) -> None:
    caller = portal(host_rule=rule)
    made = council(caller)
    plain = caller.add(ownerId=3, section=3)
    assert caller.read(plain)["MEETING_HOST"] == "3", "of an event that is no meeting it is the owner"
    for event in (made, plain):
        host = int(caller.read(event)["MEETING_HOST"])
        given = {"ownerId": 3, "is_meeting": "Y", "attendees": [3, 8], "host": host, **TIMES}
        assert caller.update(event, **given) == event
        assert caller.read(event)["MEETING_HOST"] == str(host)


# batch_counter (PORTAL.md 3.2)


def costly(caller: Caller, commands: int, **params: Any) -> Any:
    return caller.batch({f"c{number}": add_command(**params) for number in range(commands)})


def test_a_batch_uses_up_the_time_of_all_webhooks_or_of_its_own() -> None:
    for counter, blocked in (("shared", True), ("own", False)):
        caller = portal(batch_counter=counter, operating_limit_s=10, costs_s={"calendar.event.add": 2.0})
        costly(caller, 7)
        caller.user = 2
        answer = caller.batch({"a": add_command(ownerId=2)})
        assert bool(answer["result_error"]) is blocked, counter
        caller.user = 1
        assert caller.batch({"a": add_command()})["result_error"], "its own is used up either way"


def test_what_is_billed_to_batch_blocks_every_command_of_a_batch_but_no_single_call() -> None:
    caller = portal(batch_counter="batch", operating_limit_s=10, costs_s={"calendar.event.add": 2.0})
    answer = costly(caller, 7)
    assert [error["error"] for error in answer["result_error"].values()] == ["OPERATION_TIME_LIMIT"]
    assert answer["result_time"]["c5"]["operating"] > 10
    error = caller.batch({"a": "user.current"})["result_error"]["a"]["error"]
    assert error == "OPERATION_TIME_LIMIT"
    assert isinstance(caller.add(), int)


# sections_for (PORTAL.md 5)


@pytest.mark.parametrize(
    ("who", "admin", "made"), [("anyone", False, True), ("admins", False, False), ("admins", True, True)]
)
def test_sections_in_another_users_calendar(who: str, admin: bool, made: bool) -> None:
    caller = portal(company(admin=admin), sections_for=who)
    given = {"type": "user", "ownerId": 3, "name": "Shifts"}
    if made:
        assert isinstance(caller.ask("calendar.section.add", **given), int)
    else:
        assert caller.refused("calendar.section.add", **given)[2] == "Access denied"
    assert isinstance(caller.ask("calendar.section.add", type="user", ownerId=1, name="Own"), int)


def test_a_group_that_has_its_calendar_off_gets_no_section() -> None:
    world = default_world()
    groups = tuple(msgspec.structs.replace(group, calendar=group.id != 1) for group in world.groups)
    caller = portal(msgspec.structs.replace(world, groups=groups))
    assert caller.refused("calendar.section.add", type="group", ownerId=1, name="Shifts")[2] == "Access denied"


@pytest.mark.parametrize("name", ["name", "description"])
def test_numbers_are_no_texts_of_a_section(name: str) -> None:
    caller = portal()
    given = {"type": "user", "ownerId": 1, "name": "Shifts", name: 5}
    assert f'"{name}"' in caller.refused("calendar.section.add", **given)[2]
    assert f'"{name}"' in caller.refused("calendar.section.update", id=1, **given)[2]


# admin_groups, collabs (PORTAL.md 7)


def with_secret(scopes: tuple[str, ...] = ("sonet_group", "socialnetwork")) -> Any:
    world = default_world()
    groups = tuple(
        msgspec.structs.replace(group, secret=group.id == 3, owner=2 if group.id == 3 else group.owner, members=(2,))
        for group in world.groups
    )
    collab = msgspec.structs.replace(groups[0], id=90, name="Partners", kind="collab")
    hooks = tuple(msgspec.structs.replace(hook, scopes=scopes) for hook in world.webhooks)
    return msgspec.structs.replace(world, groups=(*groups, collab), webhooks=hooks)


@pytest.mark.parametrize(("position", "unasked"), [("asked", False), ("always", True)])
def test_administrators_see_admin_groups_when_they_ask(position: str, unasked: bool) -> None:
    caller = portal(with_secret(), admin_groups=position)
    ids = {row["ID"] for row in caller.ask("sonet_group.get")}
    assert ("3" in ids) is unasked
    assert "3" in {row["ID"] for row in caller.ask("sonet_group.get", IS_ADMIN="Y")}
    assert [row["ID"] for row in caller.ask("sonet_group.get", GROUP_ID=1)] == ["1"]
    assert "90" not in {row["ID"] for row in caller.ask("sonet_group.get", IS_ADMIN="Y")}


def test_the_newer_method_lists_collabs_and_only_ids_without_select() -> None:
    caller = portal(with_secret())
    rows = caller.ask("socialnetwork.api.workgroup.list", select=["ID", "NAME", "TYPE"], params={"IS_ADMIN": "Y"})
    named = {row["id"]: (row["name"], row["type"]) for row in rows["workgroups"]}
    assert named["90"] == ("Partners", "collab")
    assert "3" in named
    assert all(set(row) == {"id"} for row in caller.ask("socialnetwork.api.workgroup.list")["workgroups"])


# private_hidden and masks (PORTAL.md 4.5)


@pytest.mark.parametrize("hidden", [True, False])
def test_private_events_of_others_before_an_administrator(hidden: bool) -> None:
    caller = portal(private_hidden=hidden)
    made = council(caller, private_event="Y", description="why")
    row = caller.read(made)
    if hidden:
        assert (row["NAME"], row["IS_ACCESSIBLE_TO_USER"]) == ("[busy]", False)
        assert "DESCRIPTION" not in row
    else:
        assert (row["NAME"], row["DESCRIPTION"]) == ("Lesson", "why")


def test_the_right_to_titles_shows_the_title_and_hides_the_rest_without_a_word() -> None:
    caller = portal()
    caller.world.tables.sections[3].access = {"U2": "view_title"}
    made = caller.add(ownerId=3, section=3, accessibility="free", description="why", location="Hall")
    caller.user = 2
    row = caller.read(made)
    assert row["NAME"] == "Lesson [free]"
    assert "IS_ACCESSIBLE_TO_USER" not in row
    assert not {"DESCRIPTION", "LOCATION", "REMIND", "ATTENDEE_LIST", "UF_CRM_CAL_EVENT"} & set(row)


# crm_fields, recurrence_mode, listing_columns: older builds (PORTAL.md 4, 4.6)


@pytest.mark.parametrize("known", [True, False])
def test_links_to_the_crm_are_made_where_the_build_knows_them(known: bool) -> None:
    caller = portal(crm_fields=known)
    made = caller.add(crm_fields=["C_5"])
    assert caller.read(made)["UF_CRM_CAL_EVENT"] == (["C_5"] if known else "")
    caller.update(made, crm_fields=["C_404"] if not known else [], **TIMES)
    assert caller.read(made)["UF_CRM_CAL_EVENT"] == ""


@pytest.mark.parametrize("known", [True, False])
def test_a_part_of_a_series_is_edited_where_the_build_knows_modes(known: bool) -> None:
    caller = portal(recurrence_mode=known)
    made = caller.add(rrule={"FREQ": "DAILY", "INTERVAL": 1, "COUNT": 3})
    caller.update(made, name="one", recurrence_mode="this", current_date_from="2026-12-02", **TIMES)
    assert caller.row(made).name == ("Lesson" if known else "one")


@pytest.mark.parametrize("older", [True, False])
def test_listings_of_older_builds_have_more_columns(older: bool) -> None:
    caller = portal(listing_columns=older)
    caller.add()
    (row,) = caller.ask("calendar.event.get", type="user", ownerId=1, **{"from": "2026-12-01", "to": "2026-12-01"})
    assert COLUMNS & set(row) == (COLUMNS if older else set())


# what the server does whatever its switches


@pytest.mark.parametrize("section", ["x", 0, 999])
def test_an_update_refuses_a_section_that_is_not_there(section: Any) -> None:
    caller = portal()
    made = caller.add()
    given = {"id": made, "type": "user", "ownerId": 1, "recurrence_mode": "some", "section": section}
    assert caller.refused("calendar.event.update", **given)[2].startswith("You specified"), (
        "before the mode is looked at"
    )


@pytest.mark.parametrize("number", ["x", 0, "", None])
def test_a_delete_without_a_number_has_no_id(number: Any) -> None:
    assert portal().refused("calendar.event.delete", id=number)[2] == "Event id not specified"


def test_importance_is_taken_in_any_case_and_reinvite_is_never_stored() -> None:
    caller = portal()
    made = council(caller, importance="HIGH", meeting={"reinvite": True, "notify": True})
    row = caller.read(made)
    assert row["IMPORTANCE"] == "high"
    assert (row["MEETING"]["REINVITE"], row["MEETING"]["NOTIFY"]) == (False, True)


def test_guests_copies_carry_the_colour_and_the_flags() -> None:
    caller = portal()
    made = council(caller, color="#123456", meeting={"hide_guests": True})
    (copy,) = caller.world.tables.copies_of(made)
    row = caller.read(copy.id)
    assert (row["COLOR"], row["MEETING"]["HIDE_GUESTS"]) == ("#123456", True)


def test_a_plain_event_names_its_owner_with_status_h() -> None:
    caller = portal()
    row = caller.read(caller.add(ownerId=3, section=3))
    assert row["ATTENDEE_LIST"] == [{"id": 3, "entryId": row["ID"], "status": "H"}]


@pytest.mark.parametrize("zoned", [("2026-12-01T10:00:00Z", True), ("2026-12-01T10:00:00z", False)])
def test_only_an_upper_case_z_discards_the_zone(zoned: tuple[str, bool]) -> None:
    date, discards = zoned
    caller = portal(company(caller_zone="Europe/Riga"))
    made = caller.add(**{"from": date, "to": date, "timezone_from": "Asia/Tokyo", "timezone_to": "Asia/Tokyo"})
    assert caller.read(made)["TZ_FROM"] == ("Europe/Riga" if discards else "Asia/Tokyo")


# names and positions


def test_every_switch_takes_each_of_its_positions() -> None:
    for name, positions in SWITCHES.items():
        for position in positions:
            value = getattr(switched(Settings(), [parse_switch(f"{name}={position}")]), name)
            assert value == {"yes": True, "no": False}.get(position, position)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("host_rule", "NAME=POSITION"),
        ("host=docs", "host_rule"),
        ("host_rule=mine", "source, docs"),
        ("waf=1", "no, yes"),
    ],
)
def test_an_unknown_switch_or_position_is_named(text: str, names: str) -> None:
    with pytest.raises(ConfigError) as error:
        switched(Settings(), [parse_switch(text)])
    assert names in error.value.remedy


# crm_items (PORTAL.md 6.8)


@pytest.mark.parametrize("position", SWITCHES["crm_items"])
def test_builds_differ_in_crm_item_list(position: str) -> None:
    caller = portal(crm_items=position)
    if position == "none":
        refused = caller.refused("crm.item.list", entityTypeId=3)
        assert refused == (404, "ERROR_METHOD_NOT_FOUND", "Method not found!")
        return
    (row,) = caller.ask("crm.item.list", entityTypeId=3, filter={"@id": [1]}, select=["*"])["items"]
    assert (row["id"], row["hasPhone"], "fm" in row) == (1, "Y", position == "full")
    (named,) = caller.ask("crm.item.list", entityTypeId=3, filter={"id": 1}, select=["id", "fm"])["items"]
    assert named == {"id": 1}
    assert caller.refused("crm.item.list", entityTypeId=999)[1] == "NOT_FOUND"
    assert caller.refused("crm.item.list", entityTypeId=3, filter={"nonsense": 1})[1] == "INVALID_ARG_VALUE"
