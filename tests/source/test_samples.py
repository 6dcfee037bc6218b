from datetime import date, datetime, timedelta
from pathlib import Path

from syncd.model.entry import AllDay, Entry, Moment, Reminder, Snapshot, Timed
from syncd.source import open_source
from syncd.source.conformance import CONTEXT

SAMPLES = Path(__file__).parent / "samples"


async def read(name: str, **options: object) -> Snapshot:
    kind = name.rpartition(".")[2]
    return await open_source({"type": kind, "path": name, **options}, SAMPLES, where="test").read(CONTEXT)


def named(snapshot: Snapshot) -> dict[str, Entry]:
    return {entry.uid: entry for entry in snapshot.entries}


def times(entry: Entry) -> tuple[str, str, str]:
    assert isinstance(entry.span, Timed)
    return entry.span.start.isoformat(" ", "minutes"), entry.span.end.isoformat(" ", "minutes"), entry.span.zone


async def test_a_timetable_saved_by_a_russian_excel() -> None:
    columns = {
        "uid": "код",
        "title": "Занятие",
        "date": "Дата",
        "start_time": "Начало",
        "end_time": "Окончание",
        "owner": 6,
        "location": "Кабинет",
        "categories": "Группы",
        "description": "Примечание",
    }
    snapshot = await read("timetable-excel.csv", columns=columns)
    entries = named(snapshot)
    assert list(entries) == ["1001", "1002", "1003", "1004", "1005", "1007"]
    assert times(entries["1001"]) == ("2026-09-01 09:00", "2026-09-01 10:30", "Europe/Moscow")
    assert entries["1001"].details.owner == "ivanova@school.example"
    assert entries["1001"].details.categories == ("5А", "5Б")
    assert entries["1002"].details.description == "Принести тетради; учебник\nи ручку"
    assert entries["1003"].details.title == 'Кружок "Юный физик"'
    assert entries["1003"].where == "timetable-excel.csv:5"  # the row above takes two lines
    assert times(entries["1004"]) == ("2026-09-05 22:00", "2026-09-06 06:00", "Europe/Moscow")
    assert entries["1005"].span == AllDay(first=date(2026, 10, 26), end=date(2026, 10, 27))
    assert entries["1007"].details.columns[-2:] == (("Примечание", "№ 3 — ё"), ("Отменено", ""))
    (problem,) = snapshot.problems
    assert (problem.where, problem.kind, problem.key) == ("timetable-excel.csv:9", "rejected", "1006")
    assert problem.reason == "date '31.09.2026': there is no day 2026-09-31 (correct it)"
    assert snapshot.rejected_uids == {"1006"}
    assert snapshot.complete


async def test_an_export_of_outlook() -> None:
    snapshot = await read("outlook.ics")
    meeting, call, closed = snapshot.entries
    assert times(meeting) == ("2026-10-05 10:00", "2026-10-05 11:00", "Europe/Berlin")
    assert meeting.recurrence is not None
    assert meeting.recurrence.rules == ("FREQ=WEEKLY;COUNT=8;BYDAY=MO",)
    assert meeting.recurrence.exdates == (
        Moment(wall=datetime(2026, 10, 12, 10), zone="Europe/Berlin"),
        Moment(wall=datetime(2026, 10, 19, 10), zone="Europe/Berlin"),
    )
    (override,) = meeting.overrides
    assert override.at == Moment(wall=datetime(2026, 10, 26, 10), zone="Europe/Berlin")
    assert override.where == "outlook.ics:55"
    assert override.details.title == "Team meeting (moved)"
    details = meeting.details
    assert details.description == "Agenda\n1. Budget, staff\n2. Any other business"
    assert details.organizer == "anna.weber@example.com"
    assert (details.priority, details.transparent, details.classification) == (5, False, "PUBLIC")
    assert details.reminders == (Reminder(before=timedelta(minutes=15)),)
    assert dict(details.columns)["X-ALT-DESC"] == "<html><body>Agenda</body></html>"
    assert times(call) == ("2026-11-10 09:00", "2026-11-10 10:00", "Europe/Moscow")
    assert call.details.classification == "PRIVATE"
    assert call.details.reminders is None
    assert closed.span == AllDay(first=date(2026, 12, 24), end=date(2026, 12, 25))
    assert closed.details.transparent is True
    assert snapshot.problems == ()
    assert snapshot.complete


async def test_an_export_of_google_calendar() -> None:
    snapshot = await read("google.ics")
    utc, holidays, weekly, floating = snapshot.entries
    assert times(utc) == ("2026-12-01 06:00", "2026-12-01 07:00", "UTC")
    assert utc.details.title == "Планёрка с очень длинным названием, которое приходится переносить на другую строку"
    assert utc.details.location == "Переговорная, 2 этаж"
    assert dict(utc.details.columns)["X-WR-CALNAME"] == "Office"
    assert holidays.span == AllDay(first=date(2026, 12, 31), end=date(2027, 1, 9))
    assert (holidays.details.status, holidays.details.transparent) == ("TENTATIVE", True)
    assert [override.details.status for override in weekly.overrides] == ["", "CANCELLED"]
    assert isinstance(weekly.overrides[0].span, Timed)
    assert weekly.overrides[0].span.start == datetime(2026, 12, 9, 16)
    assert weekly.details.reminders == (Reminder(before=timedelta(minutes=10)),)
    assert times(floating) == ("2026-12-03 11:00", "2026-12-03 12:00", "Europe/Samara")  # the feed's X-WR-TIMEZONE
    assert snapshot.problems == ()


async def test_an_export_of_nextcloud() -> None:
    snapshot = await read("nextcloud.ics")
    shift, holiday = snapshot.entries
    assert times(shift) == ("2026-12-07 22:00", "2026-12-08 06:00", "Europe/Berlin")
    assert shift.uid == "6f2c6f0e-8a2b-4f7e-9a35-2e1d8f3c0001"
    assert shift.details.categories == ("Schicht", "Nacht, lang")
    assert shift.details.attendees == ("max@example.com",)
    assert shift.details.color == "darkslateblue"
    assert shift.details.reminders == (Reminder(before=timedelta(hours=1)), Reminder(before=timedelta(hours=2)))
    assert holiday.recurrence is not None
    assert holiday.recurrence.rdates == (
        AllDay(first=date(2026, 12, 12), end=date(2026, 12, 13)),
        AllDay(first=date(2026, 12, 14), end=date(2026, 12, 15)),
    )
    assert holiday.details.classification == "CONFIDENTIAL"
    late, task = sorted(snapshot.problems, key=lambda problem: "VTODO" in problem.reason)
    assert (late.kind, task.kind) == ("warning", "warning")
    assert "PT5M comes after the start" in late.reason
    assert task.reason == "1 task (VTODO) and 1 note (VJOURNAL) left out: only events are read"
    assert snapshot.complete
