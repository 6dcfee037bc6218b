"""5,000 rows for 40 people under the standard tariff: no request refused, read back equal, then silence."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

from syncd.sandbox.seed.world_schema import SeedUser, SeedWebhook, WorldSeed
from syncd.sandbox.settings import Settings
from tests.support.sandbox import HEADER, SHIFTS, Stage, run_inline

PEOPLE = 40
ROWS = 5_000


def big_company() -> WorldSeed:
    return WorldSeed(
        users=tuple(
            SeedUser(id=n, name="P", last_name=str(n), email=f"p{n}@x.example", zone="Europe/Moscow", admin=n == 1)
            for n in range(1, PEOPLE + 1)
        ),
        webhooks=(SeedWebhook(user=1, code="sandboxadmin"),),
    )


def plan_rows() -> list[tuple[int, str, datetime, datetime, int]]:
    first = date(2026, 11, 23)
    rows = []
    for n in range(ROWS):
        day = first + timedelta(days=n // PEOPLE % 125)
        start = datetime(day.year, day.month, day.day, 6 + n % 12)
        rows.append((n, f"Shift {n}", start, start + timedelta(hours=8), 1 + n % PEOPLE))
    return rows


def test_five_thousand_rows_go_through_without_a_refused_request_and_read_back_equal(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SHIFTS, seed=big_company())
    rows = plan_rows()
    lines = (f"{n},{title},{a:%Y-%m-%d %H:%M},{b:%Y-%m-%d %H:%M},p{who}@x.example,\n" for n, title, a, b, who in rows)
    stage.write("shifts.csv", HEADER + "".join(lines))
    result = run_inline(stage.one_pass())
    assert (result.exit_code, result.record.counts["created"]) == (0, ROWS)
    assert dict(stage.world.traffic.refused) == {}
    stored = {
        (event.name, event.stored.date_from, event.stored.date_to, calendar[1])
        for calendar in stage.world.calendars()
        for event in stage.world.events(*calendar)
    }
    assert stored == {(title, a, b, who) for _, title, a, b, who in rows}
    requests = stage.transport.requests
    quiet = run_inline(stage.one_pass())
    assert quiet.record.counts["unchanged"] == ROWS
    assert stage.transport.requests == requests
    stage.clock.advance(7 * 3600)
    verified = run_inline(stage.one_pass())
    assert verified.record.counts["unchanged"] == ROWS
    assert dict(stage.world.traffic.refused) == {}


def test_whole_second_stamps_make_batches_no_smaller(tmp_path: Path) -> None:
    requests: dict[bool, int] = {}
    for whole in (True, False):
        folder = tmp_path / str(whole)
        folder.mkdir()
        stage = Stage(folder, SHIFTS, settings=Settings(integer_stamps=whole, costs_s={"calendar.event.add": 0.08}))
        day = date(2026, 12, 1)
        rows = "".join(
            f"{n},Shift {n},{day + timedelta(n % 90)} 09:00,{day + timedelta(n % 90)} 10:00,E00{n % 9 + 1},\n"
            for n in range(600)
        )
        stage.write("shifts.csv", HEADER + rows)
        requests[whole] = run_inline(stage.one_pass()).record.requests
    assert requests[True] <= requests[False] * 1.1
