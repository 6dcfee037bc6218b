"""A CalDAV account keeps what every source has to keep."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from syncd.source import Source, open_source
from syncd.source.conformance import SourceConformance
from tests.source.caldav.shapes import IS_CALENDAR, etag, found, gone, multistatus, named, playing, wanted
from tests.source.calendars import calendar
from tests.source.web.serving import Site
from tests.source.web.test_conformance import lesson

TEAM = "/cal/team/"


class TestCaldav(SourceConformance):
    secret = "s3cret"
    site: Site

    @pytest.fixture(autouse=True)
    async def served(self) -> AsyncIterator[None]:
        self.stored: dict[str, bytes] = {}
        self.refused = ""
        self.there = True
        paths = {f"PROPFIND {TEAM}": self._listing, f"REPORT {TEAM}": self._report}
        async with playing(paths) as self.site:
            yield

    def _listing(self, body: str) -> tuple[int, str]:
        return multistatus(found(TEAM, IS_CALENDAR, named("Team"))) if self.there else (404, "")

    def _report(self, body: str) -> tuple[int, str]:
        if "calendar-query" in body:
            return multistatus(*(found(href, etag(str(hash(data)))) for href, data in self.stored.items()))
        return multistatus(
            *(
                gone(href, "403 Forbidden")
                if href == self.refused
                else found(href, f"<cal:calendar-data>{escape(self.stored[href].decode())}</cal:calendar-data>")
                for href in wanted(body)
            )
        )

    def source(self, folder: Path) -> Source:
        keys = {"type": "caldav", "url": self.site.url + TEAM, "username": "ann", "password": "s3cret"}
        return open_source(keys, folder, where="test")

    def put(self, folder: Path, *uids: str) -> None:
        self.stored = {f"{TEAM}{uid}.ics": calendar(lesson(uid)) for uid in uids}

    def put_broken(self, folder: Path, good: str, bad: str) -> None:
        self.put(folder, good)
        self.stored[f"{TEAM}bad.ics"] = calendar(lesson(bad, "20260231"))

    def cut_short(self, folder: Path) -> None:
        self.stored[f"{TEAM}two.ics"] += b"\r\n"
        self.refused = f"{TEAM}two.ics"

    def remove(self, folder: Path) -> None:
        self.there = False
