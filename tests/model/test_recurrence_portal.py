"""The portal's expansion arithmetic against its recorded answers and the facts of PORTAL.md 4.7."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from syncd.model.recurrence import portal_arithmetic as portal
from syncd.model.recurrence.wall import as_datetime, clock_of, seconds
from syncd.model.rule import WEEKDAYS

VECTORS = Path(__file__).parent.parent / "vectors" / "expansion.json"
CASES: list[dict[str, Any]] = json.loads(VECTORS.read_text(encoding="utf-8"))["cases"]


def saved(case: dict[str, Any]) -> portal.Row:
    event = case["event"]
    return portal.save(
        server=clock_of(case["server_zone"]),
        start=seconds(datetime.fromisoformat(event["from"])),
        end=seconds(datetime.fromisoformat(event["to"])),
        zones=None if event["all_day"] else (event["tz"], event.get("tz_to", event["tz"])),
        rule=event["rrule"],
        excluded=[date.fromisoformat(day) for day in event["exdate"]],
    )


def rule_text(rule: Mapping[str, Any], until: date) -> str:
    """Return the rule as the portal keeps it: "KEY=value;" in the order sent, UNTIL last when it was not sent."""
    texts = {key: ",".join(value) if isinstance(value, list) else str(value) for key, value in rule.items()}
    texts["UNTIL"] = until.strftime("%d.%m.%Y")
    byday = rule.get("BYDAY")
    if isinstance(byday, str):
        texts["BYDAY"] = ",".join(name for name in byday.upper().split(",") if name in WEEKDAYS)
    if rule.get("FREQ") != "WEEKLY":
        texts.pop("BYDAY", None)
    return "".join(f"{key}={value};" for key, value in texts.items())


@pytest.mark.parametrize("number", range(len(CASES)))
def test_recorded_answers_of_the_portal_are_met(number: int) -> None:
    case = CASES[number]
    row = saved(case)
    first, last = (seconds(datetime.fromisoformat(day)) for day in case["window"])
    stored = case["stored"]
    assert as_datetime(row.start).isoformat() == stored["date_from"]
    assert as_datetime(row.end).isoformat() == stored["date_to"]
    assert (row.first_ts, row.last_ts, row.length) == (
        stored["date_from_ts_utc"],
        stored["date_to_ts_utc"],
        stored["dt_length"],
    )
    if not row.all_day:
        assert (row.offset_from, row.offset_to) == (stored["tz_offset_from"], stored["tz_offset_to"])
    assert rule_text(case["event"]["rrule"], row.until) == stored["rrule"]
    assert sorted(as_datetime(day * 86400).strftime("%d.%m.%Y") for day in row.excluded) == sorted(
        filter(None, stored["exdate"].split(";"))
    )
    assert portal.selects(row, first, last) == case["selected"]
    shown = [
        [as_datetime(start).isoformat(), as_datetime(end).isoformat()]
        for start, end in portal.occurrences(row, first, last)
    ]
    assert shown == case["occurrences"]
