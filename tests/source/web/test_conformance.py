"""A feed over HTTP keeps what every source has to keep."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from syncd.source import Source
from syncd.source.conformance import SourceConformance
from tests.source.calendars import calendar, event
from tests.source.web.serving import Site, ok, serving, source


def lesson(uid: str, day: str = "20261201") -> str:
    return event(f"DTSTART:{day}T090000", f"DTEND:{day}T100000", f"SUMMARY:{uid}", uid=uid)


class TestHttp(SourceConformance):
    secret = "s3cret"
    site: Site

    @pytest.fixture(autouse=True)
    async def served(self) -> AsyncIterator[None]:
        async with serving(ok()) as self.site:
            yield

    def source(self, folder: Path) -> Source:
        return source(f"{self.site.url}/s3cret/team.ics?key=s3cret", token="s3cret")

    def put(self, folder: Path, *uids: str) -> None:
        self.site.answers = [ok(calendar(*map(lesson, uids)), ETag=f'"{" ".join(uids)}"')]

    def put_broken(self, folder: Path, good: str, bad: str) -> None:
        self.site.answers = [ok(calendar(lesson(good), lesson(bad, "20260231")))]

    def cut_short(self, folder: Path) -> None:
        self.site.answers = [ok(calendar(lesson("one"), lesson("two"))[:-40])]

    def remove(self, folder: Path) -> None:
        self.site.answers = [web.Response(status=404)]
