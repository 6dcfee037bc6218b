"""A calendar of meetings with guests, for the tests of this room."""

from __future__ import annotations

from pathlib import Path

from syncd.sandbox.tables.database import Event
from tests.support.sandbox import SHIFTS, Stage

MEETINGS = SHIFTS.replace('location = "Place"', 'location = "Place"\nattendees = "Guests"\ncategories = "Kind"') + (
    '[sync.fields]\nattendees = "source"\n'
)
HEADER = "ID,Shift,Start,End,E-mail,Place,Guests,Kind\n"
ROW = "1,Council,2026-12-01 10:00,2026-12-01 11:00,anna.petrova@school.example,Hall,{guests},{kind}\n"


def staged(folder: Path, guests: str, more: str = "", *, kind: str = "", config: str = MEETINGS) -> Stage:
    stage = Stage(folder, config + more)
    rewrite(stage, guests, kind=kind)
    return stage


def rewrite(stage: Stage, guests: str, *, kind: str = "", title: str = "Council") -> None:
    row = ROW.format(guests=f'"{guests}"', kind=f'"{kind}"').replace("Council", title)
    stage.write("shifts.csv", HEADER + row)


def event_of(stage: Stage, owner: int) -> Event:
    (event,) = stage.world.events("user", owner)
    return event
