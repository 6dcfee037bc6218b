"""Sections, users, groups and departments of the simulated portal (PORTAL.md 5, 6.9, 7)."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from syncd.sandbox.seed.world_schema import SeedUser
from tests.sandbox.asking import Caller, company, portal


@pytest.fixture
def caller() -> Caller:
    return portal()


def ids(rows: list[dict[str, Any]]) -> list[int]:
    return [int(row["ID"]) for row in rows]


def scoped(*scopes: str) -> Caller:
    world = company()
    hooks = tuple(msgspec.structs.replace(hook, scopes=scopes) for hook in world.webhooks)
    return portal(msgspec.structs.replace(world, webhooks=hooks))


# sections


def test_sections_read_back_as_documented(caller: Caller) -> None:
    made = caller.ask("calendar.section.add", type="user", ownerId=3, name=" Shifts ", access={"U2": "calendar_edit"})
    section = next(row for row in caller.ask("calendar.section.get", type="user", ownerId=3) if row["ID"] == str(made))
    assert (section["NAME"], section["COLOR"], section["TEXT_COLOR"]) == ("Shifts", "#E6A469", "#000000")
    assert (section["OWNER_ID"], section["CREATED_BY"], section["EXTERNAL_TYPE"]) == ("3", "1", "local")
    assert section["DATE_CREATE"] == "2026-07-15 12:00:00"
    assert section["ACCESS"] == {"U2": 18}
    assert section["PERM"]["access"] is True
    assert not {"XML_ID", "SORT"} & set(section)


def test_a_section_can_be_made_for_another_and_names_may_repeat() -> None:
    caller = portal()
    caller.user = 2
    first, second = (caller.ask("calendar.section.add", type="user", ownerId=5, name="Shifts") for _ in range(2))
    assert first != second
    rows = caller.ask("calendar.section.get", type="user", ownerId=5)
    assert [row["PERM"]["edit"] for row in rows] == [False, False, False]


def test_owner_defaults_to_the_caller_for_user_calendars_only(caller: Caller) -> None:
    assert ids(caller.ask("calendar.section.get", type="user")) == [1]
    assert '"ownerId"' in caller.refused("calendar.section.get", type="group")[2]
    assert '"type"' in caller.refused("calendar.section.get")[2]
    assert ids(caller.ask("calendar.section.get", type="company_calendar", ownerId=0)) == [30]


@pytest.mark.parametrize("name", [None, 5, ["x"]])
def test_a_section_needs_a_name(caller: Caller, name: Any) -> None:
    told = caller.refused("calendar.section.add", type="user", name=name)
    assert told == (400, "", 'Invalid value for the parameter "name"')


def test_section_update_cannot_clear_and_overwrites_the_owner(caller: Caller) -> None:
    made = caller.ask("calendar.section.add", type="user", name="Shifts", description="old")
    assert caller.ask("calendar.section.update", id=made, type="user", name="", description="", color="#123456") == made
    section = caller.world.tables.sections[made]
    assert (section.name, section.description, section.color) == ("Shifts", "old", "#123456")
    caller.ask("calendar.section.update", id=made, type="user", ownerId=4)
    assert section.calendar == ("user", 4)


def test_deleting_a_section_takes_its_events_and_their_copies_silently(caller: Caller) -> None:
    made = caller.ask("calendar.section.add", type="user", name="Shifts")
    caller.add(section=made, is_meeting="Y", attendees=[1, 3])
    kept = caller.add(section=1)
    caller.world.tables.notices.clear()
    assert caller.ask("calendar.section.delete", id=made, type="user") is True
    assert [row.id for row in caller.world.events("user", 1)] == [kept]
    assert caller.world.events("user", 3) == ()
    assert caller.world.notices == ()


@pytest.mark.parametrize("method", ["calendar.section.update", "calendar.section.delete"])
def test_sections_out_of_reach_are_denied(method: str) -> None:
    caller = portal()
    caller.user = 2
    assert caller.refused(method, id=999, type="user")[2] == "Access denied"
    assert caller.refused(method, id=1, type="user")[2] == "Access denied"
    assert caller.refused(method, type="user")[2] == "Section ID is not set"


# users


def test_users_read_back_as_documented(caller: Caller) -> None:
    (user,) = caller.ask("user.get", ID=7)
    assert (user["ID"], user["EMAIL"], user["TIME_ZONE"]) == ("7", "emma.clarke@school.example", "Europe/London")
    assert (user["ACTIVE"], user["UF_DEPARTMENT"], user["USER_TYPE"]) == (True, [4], "employee")
    assert caller.ask("user.current")["ID"] == "1"
    assert caller.ask("profile")["ADMIN"] is True


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"FILTER": {"=EMAIL": "EMMA.clarke@school.example", "ACTIVE": True}}, [7]),
        ({"email": "emma.clarke@school.example"}, [7]),
        ({"filter": {"%LAST_NAME": "ко"}}, [2, 4, 5]),
        ({"FILTER": {"LAST_NAME": "Козлов"}}, [2]),
        ({"FILTER": {"@ID": [3, 5]}}, [3, 5]),
        ({"FILTER": {">ID": 10}}, [11, 12]),
        ({"FILTER": {">=ID": 11, "<ID": 12}}, [11]),
        ({"FILTER": {"UF_DEPARTMENT": 3}}, [5, 6, 10]),
        ({"FILTER": {"XML_ID": "E004"}}, [4]),
        ({"FILTER": {"!ID": 1}, "ORDER": "DESC", "sort": "ID"}, [12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]),
        ({"FILTER": {"NO_SUCH_FIELD": "x"}, "ID": 5}, [5]),
    ],
)
def test_users_are_filtered_at_top_level_and_inside_filter(
    caller: Caller, params: dict[str, Any], found: list[int]
) -> None:
    assert ids(caller.ask("user.get", **params)) == found


def test_a_filter_outside_the_scope_is_dropped_silently() -> None:
    brief = scoped("user_brief")
    rows = brief.ask("user.get", FILTER={"=EMAIL": "emma.clarke@school.example"})
    assert len(rows) == 12
    assert not {"EMAIL", "XML_ID", "TIME_ZONE"} & set(rows[0])
    assert len(scoped("user_basic").ask("user.get", FILTER={"=EMAIL": "emma.clarke@school.example"})) == 1


def test_dismissed_users_are_listed_unless_asked_not_to_be() -> None:
    world = company()
    users = tuple(msgspec.structs.replace(user, active=user.id != 9) for user in world.users)
    caller = portal(msgspec.structs.replace(world, users=users))
    assert 9 in ids(caller.ask("user.get"))
    assert ids(caller.ask("user.get", FILTER={"ACTIVE": False})) == [9]
    assert 9 not in ids(caller.ask("user.get", ACTIVE="Y"))
    assert ids(caller.ask("user.search", FILTER={"FIND": "Laura"})) == []


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"FILTER": {"FIND": "анна пет"}}, [3]),
        ({"FIND": "walker"}, [8]),
        ({"FILTER": {"NAME": "Ja"}}, [8]),
        ({"NAME": "Emma", "LAST_NAME": "Walker"}, []),
    ],
)
def test_search_goes_by_prefixes(caller: Caller, params: dict[str, Any], found: list[int]) -> None:
    assert ids(caller.ask("user.search", **params)) == found


def many(count: int) -> Caller:
    extra = tuple(
        SeedUser(id=number, name=f"N{number}", email=f"n{number}@x.example") for number in range(13, count + 1)
    )
    world = company()
    return portal(msgspec.structs.replace(world, users=world.users + extra))


@pytest.mark.parametrize(
    ("start", "first", "count", "following"),
    [
        (0, 1, 50, 50),
        (50, 51, 50, 100),
        (75, 51, 50, 100),
        (100, 101, 20, None),
        (500, 1, 50, 50),
        ("100", 101, 20, None),
    ],
)
def test_pages_round_down_and_start_again_beyond_the_end(start: Any, first: int, count: int, following: Any) -> None:
    answer = json.loads(many(120).raw("user.get", {"start": start}).body)
    assert ids(answer["result"])[:1] == [first]
    assert (len(answer["result"]), answer.get("next"), answer["total"]) == (count, following, 120)


def test_start_of_minus_one_does_not_count() -> None:
    answer = json.loads(many(120).raw("user.get", {"start": -1, "FILTER": {">ID": 60}}).body)
    assert (len(answer["result"]), answer["total"], "next" in answer) == (50, 0, False)


def test_totals_and_next_pages_stand_beside_the_result_of_a_batch() -> None:
    result = many(60).batch({"a": "user.get", "b": "user.get?ID=3"})
    assert (result["result_total"], result["result_next"]) == ({"a": 60, "b": 1}, {"a": 50})


# groups and departments


def test_groups_are_those_the_caller_may_see() -> None:
    caller = portal()
    assert ids(caller.ask("sonet_group.get")) == [1, 2, 3, 4]
    caller.user = 2
    assert ids(caller.ask("sonet_group.get")) == [1, 2]
    (group,) = caller.ask("sonet_group.get", FILTER={"NAME": "Timetable"})
    assert (group["ID"], group["OWNER_ID"], group["ACTIVE"]) == ("1", "1", "Y")


@pytest.mark.parametrize(
    ("condition", "found"),
    [({"%NAME": "отдел"}, [2]), ({"ID": [1, 4]}, [1, 4]), ({"CLOSED": "Y"}, []), ({"ACTIVE": "Y", "ID": 3}, [3])],
)
def test_groups_are_filtered(caller: Caller, condition: dict[str, Any], found: list[int]) -> None:
    assert ids(caller.ask("sonet_group.get", FILTER=condition)) == found


def test_groups_are_ordered_by_name_when_asked(caller: Caller) -> None:
    rows = caller.ask("sonet_group.get", ORDER={"NAME": "DESC"})
    assert [row["NAME"] for row in rows] == ["Учебный отдел", "Timetable", "Front desk", "Exam season"]


@pytest.mark.parametrize("scope", ["sonet_group", "sonet"])
def test_either_name_of_the_group_scope_opens_groups(scope: str) -> None:
    assert len(scoped(scope).ask("sonet_group.get")) == 4
    assert scoped("user").refused("sonet_group.get")[1] == "insufficient_scope"


@pytest.mark.parametrize(
    ("params", "found"), [({}, [1, 2, 3, 4]), ({"NAME": "Teachers"}, [2]), ({"PARENT": 1}, [2, 3]), ({"ID": [4]}, [4])]
)
def test_departments_are_found(caller: Caller, params: dict[str, Any], found: list[int]) -> None:
    assert ids(caller.ask("department.get", **params)) == found
