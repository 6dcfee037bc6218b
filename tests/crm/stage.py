"""Appointments into the CRM: the config and the rows that the tests of this room share."""

from __future__ import annotations

from pathlib import Path

from syncd.sandbox.tables.crm_rows import Activity
from tests.support.sandbox import WEBHOOK, Stage

VISITS = f"""
[portals.main]
webhook = "{WEBHOOK}"

[[sync]]
name = "visits"
timezone = "Europe/Moscow"
on_removed = "delete"
removed_after = 1
max_removed = "100%"
max_changed = "100%"

[sync.source]
type = "csv"
path = "visits.csv"

[sync.source.columns]
uid = "No"
title = "Subject"
start = "Start"
duration = "Minutes"
owner = "Doctor"
contact_phone = "Phone"
location = "Room"
status = "State"

[sync.target]
type = "activity"
contact = "{{contact_phone}}"
responsible = "{{owner}}"
"""
HEADER = "No,Phone,Start,Minutes,Subject,Doctor,Room,State\n"
ROWS = (
    "1,8 (916) 111-22-33,2026-12-01 10:00,30,First visit,anna.petrova@school.example,Room 4,\n"
    "2,+371 29 123456,2026-12-01 11:00,60,Check-up,IVAN.SOKOLOV@school.example,Room 5,\n"
    "3,79161112233,2026-12-08 10:00,30,Second visit,,Room 4,\n"
)


def staged(folder: Path, rows: str = ROWS, config: str = VISITS) -> Stage:
    stage = Stage(folder, config)
    stage.write("visits.csv", HEADER + rows)
    return stage


def activities(stage: Stage) -> list[Activity]:
    """All activities of the portal by subject."""
    return sorted(stage.world.tables.crm_rows.activities.values(), key=lambda one: (one.subject, one.id))
