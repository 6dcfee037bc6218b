"""Google calendars keep what every source has to keep."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from syncd.source import Source, open_source
from syncd.source.conformance import SourceConformance
from tests.source.google.server import FakeGoogle, serving
from tests.source.web.serving import QuickClock

ANNA = "anna@example.com"


class TestGoogle(SourceConformance):
    secret = "app-s3cret"
    google: FakeGoogle

    @pytest.fixture(autouse=True)
    async def served(self) -> AsyncIterator[None]:
        async with serving(FakeGoogle()) as self.google:
            self.google.calendar(ANNA)
            yield

    def uid(self, name: str) -> str:
        return f"{name}@{ANNA}"

    def source(self, folder: Path) -> Source:
        keys = {"type": "google", "url": self.google.api, "token": self.google.token(), "calendars": [ANNA]}
        return open_source(keys, folder, where="test", clock=QuickClock())

    def put(self, folder: Path, *uids: str) -> None:
        calendar = self.google.calendar(ANNA)
        for name in [name for name, item in calendar.items.items() if item["status"] != "cancelled"]:
            calendar.delete(name)
        for name in uids:
            calendar.event(name, "2026-12-01T09:00", "2026-12-01T10:00")

    def put_broken(self, folder: Path, good: str, bad: str) -> None:
        self.put(folder, good)
        self.google.calendar(ANNA).put({"id": bad, "start": {"date": "2026-02-31"}, "end": {"date": "2026-03-01"}})

    def cut_short(self, folder: Path) -> None:
        self.google.calendar(ANNA).event("two", "2026-12-01T09:00", "2026-12-01T10:00", summary="Two")
        self.google.switches.no_token = True

    def remove(self, folder: Path) -> None:
        del self.google.calendars[ANNA]
