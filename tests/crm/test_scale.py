"""2,000 appointments of 300 clients: once on each card, once in each calendar, for 1.1 commands a row."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

from syncd.sandbox.seed.world_schema import SeedElement, SeedUser, SeedWebhook, WorldSeed
from tests.crm.stage import HEADER, VISITS, activities
from tests.support.sandbox import Stage, run_inline

ROWS, CLIENTS, DOCTORS = 2_000, 300, 25
FIRST = datetime(2026, 11, 23, 8)
LOOK_UPS = ("crm.duplicate.findbycomm", "crm.item.list", "user.get", "user.current", "profile")


def clinic() -> WorldSeed:
    return WorldSeed(
        users=tuple(
            SeedUser(
                id=n, name="Dr", last_name=str(n), email=f"dr{n}@clinic.example", zone="Europe/Moscow", admin=n == 1
            )
            for n in range(1, DOCTORS + 1)
        ),
        webhooks=(SeedWebhook(user=1, code="sandboxadmin"),),
        elements=tuple(
            SeedElement(
                type="contact", id=n, name="Client", last_name=str(n), phones=(f"+7 916 {n:07}",), assigned_by=1
            )
            for n in range(1, CLIENTS + 1)
        ),
    )


def written(number: int) -> str:
    """A client's phone as different people write it."""
    return (f"8916{number:07}", f"+7(916){number:07}", f"7 916 {number:07}")[number % 3]


def lines(count: int = ROWS) -> list[str]:
    return [
        f"{n},{written(1 + n % CLIENTS)},{FIRST + timedelta(hours=n % 9, days=n // 30):%Y-%m-%d %H:%M},30,"
        f"Visit {n},DR{1 + n % DOCTORS}@clinic.example,Room {n % 7},\n"
        for n in range(count)
    ]


def test_a_clinics_appointments_stand_once_everywhere_at_little_more_than_a_command_each(tmp_path: Path) -> None:
    stage = Stage(tmp_path, VISITS, seed=clinic())
    stranger = f"9999,+44 20 7946 0000,{FIRST:%Y-%m-%d %H:%M},30,Stranger,,,\n"
    stage.write("visits.csv", HEADER + "".join(lines()) + stranger)
    result = run_inline(stage.one_pass("visits"))
    assert (result.exit_code, result.record.counts["created"], result.record.counts["held"]) == (1, ROWS, 1)
    (problem,) = result.record.problems
    assert problem.where == f"visits.csv:{ROWS + 2}"
    assert "+44 20 7946 0000" in problem.reason
    assert dict(stage.world.traffic.refused) == {}

    made = activities(stage)
    assert Counter(one.owner_id for one in made) == Counter(1 + n % CLIENTS for n in range(ROWS))
    shown = Counter(
        (calendar[1], event.name) for calendar in stage.world.calendars() for event in stage.world.events(*calendar)
    )
    assert shown == Counter((1 + n % DOCTORS, f"Visit {n}") for n in range(ROWS))

    commands = stage.world.traffic.commands
    assert commands["crm.duplicate.findbycomm"] <= CLIENTS / 20 + 2
    assert commands["crm.item.list"] <= CLIENTS / 50 + 1
    assert sum(number for method, number in commands.items() if method not in LOOK_UPS) <= 1.1 * ROWS

    before = Counter(commands)
    changed = lines()
    changed[700] = changed[700].replace("Visit 700", "Operation")
    stage.write("visits.csv", HEADER + "".join(changed) + stranger)
    again = run_inline(stage.one_pass("visits"))
    assert (again.record.counts["updated"], again.record.counts["unchanged"]) == (1, ROWS - 1)
    # The stranger is asked for again, once as the number is written and once as it is dialled at home.
    asked = {method: number for method, number in (commands - before).items() if number}
    # It is looked at before it is changed.
    assert asked == {"crm.activity.get": 1, "crm.activity.update": 1, "crm.duplicate.findbycomm": 2}

    stage.clock.advance(7 * 3600)
    verified = run_inline(stage.one_pass("visits"))
    assert verified.record.counts["unchanged"] == ROWS
    assert len(stage.world.tables.crm_rows.activities) == ROWS
    assert dict(stage.world.traffic.refused) == {}
