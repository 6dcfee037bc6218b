"""The bundled schedules, moved by whole weeks so that they begin in the week of the demonstration."""

from __future__ import annotations

import re
from datetime import date, timedelta
from importlib.resources import files

FIRST_MONDAY = date(2026, 9, 7)
"""The Monday with which the bundled files begin."""

_RUSSIAN_DATE = re.compile(r"\b(\d\d)\.(\d\d)\.(2026)\b")
_ICS_DATE = re.compile(r"(?<=[:=])(2026)(\d\d)(\d\d)(?=T|\b)")


def timetable(today: date) -> bytes:
    """Return the school timetable as Excel saves it in Russian: cp1251, semicolons, dd.mm.yyyy."""
    # Kept in cp1251, since the demonstration is to show that the encoding is found without being named.
    text = files("syncd.demo").joinpath("timetable.csv").read_bytes().decode("cp1251")
    moved = _RUSSIAN_DATE.sub(
        lambda found: _moved(int(found[3]), int(found[2]), int(found[1]), today).strftime("%d.%m.%Y"), text
    )
    return moved.encode("cp1251")


def appointments(today: date) -> bytes:
    """Return the clinic's appointments: phones in every format, one of which belongs to no contact."""
    text = files("syncd.demo").joinpath("appointments.csv").read_bytes().decode("utf-8-sig")
    moved = _RUSSIAN_DATE.sub(
        lambda found: _moved(int(found[3]), int(found[2]), int(found[1]), today).strftime("%d.%m.%Y"), text
    )
    return moved.encode("utf-8-sig")


def team(today: date) -> bytes:
    """Return the team calendar as an ICS file."""
    text = files("syncd.demo").joinpath("team.ics").read_bytes().decode("utf-8")
    return _ICS_DATE.sub(
        lambda found: _moved(int(found[1]), int(found[2]), int(found[3]), today).strftime("%Y%m%d"), text
    ).encode("utf-8")


def _moved(year: int, month: int, day: int, today: date) -> date:
    # Whole weeks: the weekdays of the schedules stay, and with them the rules of its series.
    this_monday = today - timedelta(days=today.weekday())
    return date(year, month, day) + (this_monday - FIRST_MONDAY)
