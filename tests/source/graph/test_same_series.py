"""A series in Graph's terms and the same series in an ICS file become the same events of the portal."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from syncd.model.entry import Entry, Window
from syncd.model.template import compile_template
from syncd.portal.people.directory import Caller, Directory, Section
from syncd.source import open_source
from syncd.source.conformance import CONTEXT
from syncd.target.base import ShapeContext
from syncd.target.calendar.calendar_target import CalendarSettings, CalendarTarget
from tests.source.graph.graph_site import GraphSite, microsoft
from tests.source.graph.same_series import FIRST, LAST, Sample, sample, vevents
from tests.source.web.serving import QuickClock

ANN = "ann@example.com"
GROUPS = int(os.environ.get("SYNCD_GRAPH_SERIES", "200")) // 50
DIRECTORY = Directory(
    read_at=1.0,
    caller=Caller(id=1, zone="Europe/Moscow", admin=True),
    server_offset_s=10_800,
    users=(),
    sections={"user/1": (Section(id=11, name="Shifts", writable=True, external=""),)},
)
READ = replace(CONTEXT, window=Window(first=FIRST, last=LAST))
SHAPE = ShapeContext(directory=DIRECTORY, window=READ.window, today=date(2026, 11, 21), portal_zone="Europe/Moscow")


def shaped(entry: Entry) -> list[tuple[object, ...]]:
    """Return what of the portal's events of an entry does not come from where it was read."""
    name, owner, empty = (compile_template(text, where="t") for text in ("{title}", "1", ""))
    settings = CalendarSettings(
        sync="s", calendar="user", section="Shifts", owner=owner, name=name, description=empty, location=empty
    )
    items = CalendarTarget(settings).shape(entry, SHAPE).items
    return sorted((str(item.key), item.title, str(item.fields), item.starts_on, item.ends_on) for item in items)


async def read_both(site: GraphSite, folder: Path, samples: list[Sample]) -> tuple[dict[str, Entry], dict[str, Entry]]:
    """Return the entries of samples by uid, as Graph's and as an ICS file's."""
    site.tenant.box(ANN).events.clear()
    for made in samples:
        site.tenant.put(ANN, made.master)
        if made.cancelled:
            site.tenant.cancel(ANN, made.id, *made.cancelled)
        for day, changed in made.changed.items():
            site.tenant.change(ANN, made.id, day, **changed)
    graph = await open_source(site.options(), folder, where="test", clock=QuickClock()).read(READ)
    assert graph.complete
    assert graph.problems == ()
    text = "".join(map(vevents, samples))
    (folder / "same.ics").write_text(f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{text}END:VCALENDAR\r\n")
    ics = await open_source({"type": "ics", "path": "same.ics"}, folder, where="test").read(READ)
    assert ics.problems == ()
    return {one.uid: one for one in graph.entries}, {one.uid: one for one in ics.entries}


@pytest.mark.parametrize("group", range(GROUPS))
@pytest.mark.parametrize("knows_cancelled", [True, False])
async def test_the_events_of_the_portal_are_the_same(tmp_path: Path, group: int, knows_cancelled: bool) -> None:
    samples = [sample(seed, inside=not knows_cancelled) for seed in range(group * 50, group * 50 + 50)]
    async with microsoft(tmp_path) as site:
        site.tenant.traps.no_cancelled = not knows_cancelled
        graph, ics = await read_both(site, tmp_path, samples)
    for made in samples:
        seen, wanted = graph.get(made.id), ics[made.id]
        # A series whose every day lies outside the views is not listed, and the portal shows nothing of it either.
        assert (shaped(seen) if seen is not None else []) == shaped(wanted), made
