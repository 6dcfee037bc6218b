"""Calendars in Microsoft 365 keep what every source has to keep."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from syncd.source import Source, open_source
from syncd.source.conformance import SourceConformance
from tests.source.graph.graph_site import SECRET, microsoft
from tests.source.graph.graph_world import single
from tests.source.web.serving import QuickClock

ANN = "ann@example.com"


class TestGraph(SourceConformance):
    secret = SECRET

    @pytest.fixture(autouse=True)
    async def served(self, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[None]:
        async with microsoft(tmp_path_factory.mktemp("entra")) as self.site:
            yield

    def source(self, folder: Path) -> Source:
        return open_source(self.site.options(), folder, where="test", clock=QuickClock())

    def put(self, folder: Path, *uids: str) -> None:
        tenant = self.site.tenant
        for uid in set(tenant.box(ANN).events) - set(uids):
            tenant.delete(ANN, uid)
        for uid in uids:
            if uid not in tenant.box(ANN).events:
                tenant.put(ANN, single(uid, "2026-12-01T09:00:00", "2026-12-01T10:00:00"))

    def put_broken(self, folder: Path, good: str, bad: str) -> None:
        self.put(folder, good)
        broken = single(bad, "2026-12-01T09:00:00", "2026-12-01T10:00:00")
        self.site.tenant.put(ANN, broken | {"start": {"dateTime": "2026-02-31T09:00:00.0000000", "timeZone": "UTC"}})

    def cut_short(self, folder: Path) -> None:
        self.site.tenant.put(ANN, single("two", "2026-12-01T09:00:00", "2026-12-01T10:30:00"))
        self.site.tenant.traps.cut_pages = 100

    def remove(self, folder: Path) -> None:
        del self.site.tenant.boxes[ANN]
