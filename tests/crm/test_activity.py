"""Appointments become meetings on the cards of clients, once, whatever happens on the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from syncd.errors import ConfigError
from syncd.sandbox.faults import parse_fault
from syncd.sandbox.seed.world_schema import SeedElement
from syncd.sandbox.settings import Settings
from tests.crm.stage import HEADER, ROWS, VISITS, activities, staged
from tests.support.sandbox import Stage, run_inline

MOSCOW = ZoneInfo("Europe/Moscow")


def wall(at: float | None) -> str:
    return datetime.fromtimestamp(at or 0, MOSCOW).strftime("%Y-%m-%d %H:%M")


def test_rows_become_meetings_on_the_right_cards_with_the_right_people(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    result = run_inline(stage.one_pass("visits"))
    assert (result.state, result.exit_code) == ("done", 0), result.record.problems
    check, first, second = activities(stage)
    assert (first.owner_type_id, first.owner_id, first.type_id, first.responsible) == (3, 1, 1, 3)
    assert (wall(first.start), wall(first.end), first.location) == ("2026-12-01 10:00", "2026-12-01 10:30", "Room 4")
    assert [(one.value, one.entity_id) for one in first.communications] == [("+7 916 111-22-33", 1)]
    assert (check.owner_id, check.responsible) == (2, 5)
    assert second.responsible == 3  # nobody is named, so the contact's own
    assert (first.originator_id, first.origin_id) == ("syncd", "visits.1")
    assert (first.completed, first.priority, first.direction) == (False, 2, 2)


def test_each_meeting_stands_once_on_the_card_and_once_in_the_calendar(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass("visits"))
    assert stage.names("user", 3) == ["First visit", "Second visit"]
    assert stage.names("user", 5) == ["Check-up"]
    quiet = run_inline(stage.one_pass("visits"))
    assert quiet.record.counts["unchanged"] == 3
    assert (quiet.record.requests, len(activities(stage))) == (0, 3)


def test_a_changed_row_updates_one_activity_and_keeps_the_place(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass("visits"))
    stage.write("visits.csv", HEADER + ROWS.replace("First visit", "Visit"))
    result = run_inline(stage.one_pass("visits"))
    assert (result.record.counts["updated"], result.record.commands) == (1, 2)  # looked at before
    assert stage.names("user", 3) == ["Second visit", "Visit"]
    assert {event.location for event in stage.world.events("user", 3)} == {"Room 4"}


def test_an_update_leaves_what_people_did_on_the_card(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass("visits"))
    _, first, _ = activities(stage)
    first.bindings = (*first.bindings, (2, 7))  # somebody bound it to a deal, and completed it
    first.completed = True
    stage.write("visits.csv", HEADER + ROWS.replace("First visit", "Visit"))
    run_inline(stage.one_pass("visits"))
    assert (first.subject, first.completed, first.bindings[-1]) == ("Visit", True, (2, 7))


def test_another_client_is_another_card(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass("visits"))
    stage.write("visits.csv", HEADER + ROWS.replace("8 (916) 111-22-33", "+46701234567"))
    result = run_inline(stage.one_pass("visits"))
    assert (result.record.counts["created"], result.record.counts["deleted"]) == (1, 1)
    assert [(one.subject, one.owner_id) for one in activities(stage)] == [
        ("Check-up", 2), ("First visit", 2), ("Second visit", 1),
    ]  # fmt: skip


def test_a_removed_or_cancelled_row_takes_the_activity_and_its_event_away(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass("visits"))
    rows = "".join(ROWS.splitlines(keepends=True)[:2]).replace("Room 5,", "Room 5,cancelled")
    stage.write("visits.csv", HEADER + rows)
    result = run_inline(stage.one_pass("visits"))
    assert result.record.counts["deleted"] == 2
    assert [one.subject for one in activities(stage)] == ["First visit"]
    assert stage.names() == ["First visit"]


def test_a_lost_state_costs_nothing(tmp_path: Path) -> None:
    config = VISITS.replace("removed_after = 1", "removed_after = 1\nadopt = false")
    stage = staged(tmp_path, config=config)
    run_inline(stage.one_pass("visits"))
    for file in (tmp_path / "state").iterdir():
        file.unlink()
    stage.write("visits.csv", HEADER + ROWS.replace("First visit", "Visit"))
    result = run_inline(stage.one_pass("visits"))
    counts = result.record.counts
    assert (counts["adopted"], counts["created"], counts["updated"]) == (3, 0, 1)
    assert [one.subject for one in activities(stage)] == ["Check-up", "Second visit", "Visit"]


def test_unknown_ambiguous_and_wrong_clients_are_told_by_row(tmp_path: Path) -> None:
    rows = ROWS + (
        "4,+1 555 000,2026-12-01 12:00,30,Nobody,anna.petrova@school.example,,\n"
        "5,+7 916 555-00-99,2026-12-01 12:00,30,Two of them,anna.petrova@school.example,,\n"
        "6,none,2026-12-01 12:00,30,No phone,anna.petrova@school.example,,\n"
        "7,,2026-12-01 12:00,30,Empty,anna.petrova@school.example,,\n"
        "8,8-916-555-00-01,2026-12-01 12:00,30,Nobody responsible,,,\n"
        "9,8-916-555-00-01,2026-12-01 12:00,30,Unknown doctor,dr@nowhere.example,,\n"
    )
    stage = staged(tmp_path, rows)
    result = run_inline(stage.one_pass("visits"))
    assert (result.exit_code, result.record.counts["created"], result.record.counts["held"]) == (1, 3, 6)
    told = {problem.where.rpartition(":")[2]: problem.reason for problem in result.record.problems}
    assert "no contact with '+1 555 000'" in told["5"]
    assert "2 contacts have '+7 916 555-00-99': contact 6 Семья Орловы, contact 8 Игорь Орлов" in told["6"]
    assert "'none' is no phone, e-mail or id" in told["7"]
    assert "no contact is named" in told["8"]
    assert "contact 5 Vera Holm has no responsible person" in told["9"]
    assert "dr@nowhere.example" in told["10"]


def test_a_client_added_later_is_found_within_a_quarter_of_an_hour(tmp_path: Path) -> None:
    stage = staged(tmp_path, "1,+1 555 000 11 22,2026-12-01 10:00,30,Visit,anna.petrova@school.example,,\n")
    assert run_inline(stage.one_pass("visits")).record.counts["held"] == 1
    rows = stage.world.tables.crm_rows
    rows.elements[3, 90] = type(rows.elements[3, 1])(type_id=3, id=90, name="New", phones=("1 (555) 000-11-22",))
    stage.clock.advance(901)
    assert run_inline(stage.one_pass("visits")).record.counts["created"] == 1
    assert [one.owner_id for one in activities(stage)] == [90]


@pytest.mark.parametrize(
    ("on_unresolved", "held", "created"),
    [("hold", 2, 0), ("skip", 0, 0), ('fallback"\nfallback_owner = "10', 1, 1)],
)
def test_on_unresolved_decides_about_clients_and_responsible_people(
    tmp_path: Path, on_unresolved: str, held: int, created: int
) -> None:
    rows = (
        "1,+1 555 000,2026-12-01 10:00,30,Unknown client,anna.petrova@school.example,,\n"
        "2,+79161112233,2026-12-01 10:00,30,Unknown doctor,dr@nowhere.example,,\n"
    )
    stage = staged(tmp_path, rows, VISITS + f'on_unresolved = "{on_unresolved}"\n')
    result = run_inline(stage.one_pass("visits"))
    counts, skipped = result.record.counts, 2 if on_unresolved == "skip" else 0
    assert (counts["held"], counts["created"], counts["skipped"]) == (held, created, skipped)
    assert sum(problem.kind == "skipped" for problem in result.record.problems) == skipped
    assert [one.responsible for one in activities(stage)] == [10] * created


@pytest.mark.parametrize(
    ("target", "rows", "owner", "value"),
    [
        ('contact = "{contact_phone}"', "oscar@LIND.example", (3, 2), "+371 29 123 456"),
        ('contact = "{Phone}"', "3", (3, 3), "zimin@mail.example"),
        ('contact = "{Phone}"', "CO_1", (4, 1), "+371 67 000 111"),
        ('contact = "{Phone}"\nowner_type = "deal"', "7", (2, 7), "+371 29 123 456"),
        ('contact = "{Phone}"\nowner_type = "lead"', "89160000044", (1, 4), "+79160000044"),
        ('contact = "{Phone}"\nowner_type = "company"', "+371 67000111", (4, 1), "+371 67 000 111"),
    ],
)
def test_clients_are_found_by_phone_e_mail_and_id_of_every_type(
    tmp_path: Path, target: str, rows: str, owner: tuple[int, int], value: str
) -> None:
    config = VISITS.replace('contact = "{contact_phone}"', target)
    stage = staged(tmp_path, f"1,{rows},2026-12-01 10:00,30,Visit,anna.petrova@school.example,,\n", config)
    result = run_inline(stage.one_pass("visits"))
    assert result.exit_code == 0, result.record.problems
    (made,) = activities(stage)
    assert (made.owner_type_id, made.owner_id) == owner
    assert made.communications[0].value == value


def test_a_call_needs_a_phone_and_brings_no_event(tmp_path: Path) -> None:
    config = VISITS.replace('contact = "{contact_phone}"', 'contact = "{Phone}"\nactivity = "call"')
    rows = "1,1,2026-12-01 10:00,5,Ring up,,,\n2,3,2026-12-01 10:00,5,No phone,,,\n"
    stage = staged(tmp_path, rows, config)
    result = run_inline(stage.one_pass("visits"))
    assert [(one.subject, one.type_id) for one in activities(stage)] == [("Ring up", 2)]
    assert "contact 3 Пётр Зимин has no phone, and a call needs one" in result.record.problems[0].reason
    assert stage.names() == []


def test_a_series_becomes_single_activities_within_the_window(tmp_path: Path) -> None:
    config = VISITS.replace('location = "Room"', 'rrule = "Room"')
    rows = "1,1,2026-12-01 10:00,30,Weekly,anna.petrova@school.example,FREQ=WEEKLY;COUNT=4,\n"
    stage = staged(tmp_path, rows, config.replace("{contact_phone}", "{Phone}"))
    run_inline(stage.one_pass("visits"))
    assert [wall(one.start) for one in sorted(activities(stage), key=lambda one: one.id)] == [
        "2026-12-01 10:00", "2026-12-08 10:00", "2026-12-15 10:00", "2026-12-22 10:00",
    ]  # fmt: skip
    stage.write("visits.csv", HEADER + rows.replace("COUNT=4", "COUNT=3"))
    counts = run_inline(stage.one_pass("visits")).record.counts
    assert (counts["deleted"], counts["unchanged"]) == (1, 3)


def test_what_is_past_is_completed_and_a_template_may_say_otherwise(tmp_path: Path) -> None:
    rows = "1,+79161112233,2026-11-18 10:00,30,Old,,,\n2,+79161112233,2026-11-25 10:00,30,New,,,\n"
    stage = staged(tmp_path, rows)
    run_inline(stage.one_pass("visits"))
    assert [(one.subject, one.completed) for one in activities(stage)] == [("New", False), ("Old", True)]
    other = tmp_path / "other"
    other.mkdir()
    stage = staged(other, rows.replace("New,,,", "New,,yes,"), VISITS + 'completed = "{Room}"\n')
    run_inline(stage.one_pass("visits"))
    assert [(one.subject, one.completed) for one in activities(stage)] == [("New", True), ("Old", False)]


@pytest.mark.parametrize(
    ("name", "value", "counts"),
    [
        ("subject", "Something else", (1, 2)),
        ("responsible", 8, (1, 2)),
        ("location", "", (1, 2)),
        ("start", 1.0, (1, 2)),
        ("completed", True, (0, 3)),
        ("description", "\n--\nSent by the portal", (0, 3)),
    ],
)
def test_a_verify_pass_puts_edits_right_and_leaves_what_the_portal_does_itself(
    tmp_path: Path, name: str, value: object, counts: tuple[int, int]
) -> None:
    config = VISITS + '[sync.fields]\ndescription = "Bring your papers"\n'
    stage = staged(tmp_path, config=config)
    run_inline(stage.one_pass("visits"))
    _, first, _ = activities(stage)
    if name == "description":
        value = f"{first.description}{value}"
    setattr(first, name, value)
    first.changed_at += 5
    result = run_inline(stage.one_pass("visits", verify=True))
    assert (result.record.counts["updated"], result.record.counts["unchanged"]) == counts, result.prepared
    assert len(activities(stage)) == 3


def test_a_deleted_activity_comes_back_on_a_verify_pass(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass("visits"))
    rows = stage.world.tables.crm_rows
    rows.remove(activities(stage)[0])
    result = run_inline(stage.one_pass("visits", verify=True))
    assert (result.record.counts["created"], len(activities(stage))) == (1, 3)


def test_an_update_of_a_deleted_activity_creates_it_anew(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass("visits"))
    stage.world.tables.crm_rows.remove(activities(stage)[0])
    stage.write("visits.csv", HEADER + ROWS.replace("Check-up", "Checking"))
    result = run_inline(stage.one_pass("visits"))
    assert result.exit_code == 0, result.record.problems
    assert [one.subject for one in activities(stage)] == ["Checking", "First visit", "Second visit"]


def test_a_client_deleted_meanwhile_is_told_in_the_portals_words_and_what_they_mean(tmp_path: Path) -> None:
    stage = staged(tmp_path, "")
    run_inline(stage.one_pass("visits"))
    stage.write("visits.csv", HEADER + ROWS)
    elements = stage.world.tables.crm_rows.elements
    result = run_inline(stage.one_pass("visits", approve=lambda _: elements.pop((3, 2))))
    assert (result.record.counts["created"], result.record.counts["held"]) == (2, 1)
    assert [problem.reason for problem in result.record.problems] == [
        "Could not find 'CONTACT' with ID: 2 (it was deleted in the CRM since it was looked up; the next try looks it "
        "up again)"
    ]


@pytest.mark.parametrize("kind", ["cut-after", "cut-during:keep=2", "error-after", "half", "hang:seconds=90"])
def test_no_fault_makes_a_meeting_twice(tmp_path: Path, kind: str) -> None:
    stage = staged(tmp_path)
    fault = parse_fault(f"{kind}{',' if ':' in kind else ':'}method=crm.activity.add,times=1")
    stage.set_faults(Settings(integer_stamps=False, faults=(fault,)))
    result = run_inline(stage.one_pass("visits"))
    assert result.exit_code == 0, result.record.problems
    assert [one.subject for one in activities(stage)] == ["Check-up", "First visit", "Second visit"]


def test_times_survive_a_caller_whose_clock_switches_and_the_servers_does_not(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    world = stage.seed
    users = tuple(msgspec.structs.replace(user, zone="Europe/Riga") if user.id == 1 else user for user in world.users)
    rows = ROWS + "4,+79161112233,2027-07-01 10:00,30,Summer,anna.petrova@school.example,,\n"
    config = VISITS.replace("[[sync]]", 'server_timezone = "Europe/Moscow"\n\n[[sync]]')
    stage = Stage(tmp_path, config, seed=msgspec.structs.replace(world, users=users))
    stage.write("visits.csv", HEADER + rows)
    run_inline(stage.one_pass("visits"))
    assert {one.subject: wall(one.start) for one in activities(stage)} == {
        "First visit": "2026-12-01 10:00", "Check-up": "2026-12-01 11:00", "Second visit": "2026-12-08 10:00",
        "Summer": "2027-07-01 10:00",
    }  # fmt: skip
    assert run_inline(stage.one_pass("visits", verify=True)).record.counts["unchanged"] == 4


def test_links_of_another_kind_of_target_are_never_touched(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass("visits"))
    target = VISITS.index("[sync.target]")
    stage.config = VISITS[:target] + '[sync.target]\nowner = "{owner}"\n'
    result = run_inline(stage.one_pass("visits"))
    assert isinstance(result.error, ConfigError)
    assert "has written to meeting-contact/" in result.error.message
    assert len(activities(stage)) == 3


def test_somebody_dismissed_in_mid_run_is_told(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass("visits"))
    stage.world.tables.users[3].active = False
    stage.write("visits.csv", HEADER + ROWS.replace("First visit", "Visit"))
    result = run_inline(stage.one_pass("visits", verify=True))
    reasons = [problem.reason for problem in result.record.problems]
    assert any("is dismissed" in reason for reason in reasons)
    assert len(activities(stage)) == 3  # nothing was deleted because of it


def test_a_phone_the_portal_knows_better_is_asked_for_alone(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    odd = SeedElement(type="contact", id=50, name="Odd", phones=("00 7 916 777 00 11",), assigned_by=3)
    stage = Stage(tmp_path, VISITS, seed=msgspec.structs.replace(stage.seed, elements=(*stage.seed.elements, odd)))
    stage.write("visits.csv", HEADER + "1,89167770011,2026-12-01 10:00,30,Odd,,,\n")
    run_inline(stage.one_pass("visits"))
    assert [one.owner_id for one in activities(stage)] == [50]


def test_numbers_that_are_made_anew_at_every_export_leave_the_meetings_and_their_origins_alone(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.one_pass("visits"))
    rows = [row.partition(",")[2] for row in ROWS.splitlines(keepends=True)]
    for export in ("a", "b"):
        stage.write("visits.csv", HEADER + "".join(f"{export}{at},{row}" for at, row in enumerate(rows)))
        result = run_inline(stage.one_pass("visits"))
        assert (result.record.counts["unchanged"], result.record.requests) == (3, 0)
    assert sorted(one.origin_id for one in activities(stage)) == ["visits.1", "visits.2", "visits.3"]


@pytest.mark.parametrize("kind", ["activity", "todo"])
def test_a_long_description_is_cut_to_what_the_card_holds_and_told_of(tmp_path: Path, kind: str) -> None:
    config = VISITS.replace('type = "activity"', f'type = "{kind}"').replace(
        'location = "Room"', 'location = "Room"\ndescription = "Room"'
    )
    stage = staged(tmp_path, ROWS.replace("Room 4,\n", "приём врача " * 4000 + ",\n", 1), config)
    result = run_inline(stage.one_pass("visits"))
    assert result.record.counts["created"] == 3
    (told,) = (one for one in result.record.problems if "the description takes" in one.reason)
    assert (told.kind, told.where) == ("warning", "visits.csv:2")
    stored = next(one.description for one in activities(stage) if one.subject == "First visit")
    assert 59_900 < len(stored.encode()) <= 60_000


def add_contact(stage: Stage, number: int, phone: str) -> None:
    tables = stage.world.tables
    (some,) = [one for one in tables.crm_rows.of_type(3) if one.id == 1]
    tables.crm_rows.elements[3, number] = replace(some, id=number, name="New", phones=(phone,), emails=())


def test_a_client_added_to_the_crm_is_found_by_the_next_pass(tmp_path: Path) -> None:
    stage = staged(tmp_path, ROWS + "4,8 (495) 777-66-55,2026-12-09 10:00,30,Fourth visit,,Room 4,\n")
    assert run_inline(stage.one_pass("visits")).record.counts["held"] == 1
    add_contact(stage, 77, "495 777 66 55")
    stage.clock.advance(60)
    result = run_inline(stage.one_pass("visits"))
    assert (result.exit_code, result.record.counts["created"], result.record.counts["held"]) == (0, 1, 0)
    assert [one.owner_id for one in activities(stage) if one.subject == "Fourth visit"] == [77]


def test_the_syncs_country_says_where_phones_without_a_code_belong(tmp_path: Path) -> None:
    rows = "1,030 123456,2026-12-01 10:00,30,Visit,anna.petrova@school.example,Room 4,\n"
    stage = staged(tmp_path, rows, VISITS.replace('name = "visits"', 'name = "visits"\ncountry = "DE"'))
    add_contact(stage, 77, "+49 30 123456")
    assert run_inline(stage.one_pass("visits")).exit_code == 0
    assert [one.owner_id for one in activities(stage)] == [77]
