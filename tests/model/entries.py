"""Entries for the tests of templates and filters."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from syncd.model.entry import AllDay, Details, Entry, Span, Timed

LESSON: Span = Timed(
    start=datetime(2026, 12, 1, 9, 5), end=datetime(2026, 12, 1, 10, 0), zone="Europe/Moscow", end_zone="Europe/Moscow"
)
HOLIDAY: Span = AllDay(first=date(2026, 12, 1), end=date(2026, 12, 4))


def entry(*, span: Span = LESSON, columns: tuple[tuple[str, str], ...] = (), **details: Any) -> Entry:
    details.setdefault("title", "Lesson")
    return Entry(uid="u1", where="shifts.csv:14", details=Details(columns=columns, **details), span=span)
