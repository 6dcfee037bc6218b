"""Whose calendars in Microsoft 365 are read: by address, in a file, by a domain, all rooms, further calendars."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from syncd.errors import SourceError
from syncd.source.base import FileBacked
from tests.source.graph.graph_site import GraphSite, microsoft
from tests.source.graph.graph_world import single
from tests.source.graph.test_graph_source import ANN, BOB, READ, opened, read, weekly
from tests.source.web.serving import QuickClock


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[GraphSite]:
    async with microsoft(tmp_path) as served:
        yield served


async def test_shared_mailboxes_rooms_domains_lists_and_further_calendars_are_read(
    site: GraphSite, tmp_path: Path
) -> None:
    for mailbox in (ANN, BOB, "sales@example.com", "room1@other.example"):
        site.tenant.put(mailbox, single(mailbox, "2026-12-01T09:00:00", "2026-12-01T10:00:00"))
    site.tenant.put(ANN, single("team", "2026-12-01T09:00:00", "2026-12-01T10:00:00"), calendar="Team plan")
    site.tenant.rooms = ["room1@other.example"]
    (tmp_path / "users.csv").write_text(f"calendar;owner\n{BOB};boss@example.com\nsales@example.com;\n")

    async def owners(*calendars: str) -> dict[str, str]:
        snapshot = await read(site, tmp_path, calendars=list(calendars))
        assert snapshot.complete
        return {entry.uid: entry.details.owner for entry in snapshot.entries}

    assert await owners("@example.com") == {one: one for one in (ANN, BOB, "sales@example.com")}
    assert await owners("users.csv") == {BOB: "boss@example.com", "sales@example.com": "sales@example.com"}
    assert await owners("rooms") == {"room1@other.example": "room1@other.example"}
    assert await owners(f"{ANN}/team*") == {"team": ANN}


@pytest.mark.parametrize("calendars", ["@nobody.example", "rooms"])
async def test_a_domain_without_anybody_and_no_rooms_are_errors_and_no_empty_schedule(
    site: GraphSite, tmp_path: Path, calendars: str
) -> None:
    site.tenant.put(ANN, weekly())
    with pytest.raises(SourceError, match=r"the (people of nobody\.example|rooms): Graph lists none"):
        await read(site, tmp_path, calendars=calendars)
    # Beside others nothing tells who is missing, so nothing may be called whole either.
    with pytest.raises(SourceError, match="Graph lists none"):
        await read(site, tmp_path, calendars=[ANN, calendars])


async def test_a_list_that_is_suddenly_empty_stands_as_it_was(site: GraphSite, tmp_path: Path) -> None:
    site.tenant.put("room1@other.example", weekly())
    site.tenant.rooms = ["room1@other.example"]
    clock = QuickClock()
    now = clock.now()
    source = opened(site, tmp_path, clock, calendars="rooms")
    assert (await source.read(READ)).complete
    site.tenant.rooms = []
    clock.now = lambda: now + 3601  # type: ignore[method-assign]
    again = await source.read(READ)
    assert len(again.entries) == 1
    assert "the rooms: Graph lists none" in again.incomplete_because


async def test_members_of_a_domain_are_listed_once_an_hour(site: GraphSite, tmp_path: Path) -> None:
    clock = QuickClock()
    source = opened(site, tmp_path, clock, calendars="@example.com")
    for _ in range(5):
        await source.read(READ)
    assert sum("/users?" in one for one in site.asked) == 1


async def test_somebody_of_a_domain_without_a_mailbox_is_passed_over_and_one_who_had_one_is_missed(
    site: GraphSite, tmp_path: Path
) -> None:
    site.tenant.put(ANN, weekly())
    site.tenant.put(BOB, weekly("t"))
    site.tenant.traps.not_here = {BOB}
    assert (await read(site, tmp_path, calendars="@example.com")).complete
    assert not (await read(site, tmp_path, calendars=[ANN, BOB])).complete
    site.tenant.traps.not_here = set()
    source = opened(site, tmp_path, calendars="@example.com")
    assert len((await source.read(READ)).entries) == 2
    site.tenant.traps.not_here = {BOB}
    snapshot = await source.read(READ)
    assert len(snapshot.entries) == 2
    assert not snapshot.complete


def test_a_source_of_a_list_in_a_file_has_it_watched(site: GraphSite, tmp_path: Path) -> None:
    listed = opened(site, tmp_path, calendars="users.csv")
    assert isinstance(listed, FileBacked)
    assert listed.files() == (tmp_path / "users.csv",)
    assert listed.folder() == (tmp_path, False)
    assert not isinstance(opened(site, tmp_path), FileBacked)
