from __future__ import annotations

import orjson
import pytest

from syncd.errors import StateError
from syncd.model.json_values import Json
from syncd.model.record import ToldTrouble
from syncd.state.ledger import Ledger
from syncd.state.notes import Due, SyncNotes, Uids, Verified, drop_note, read_note, write_note
from syncd.state.rows import summed
from tests.state.values import OTHER, SYNC

PORTAL = "https://one.example"


async def stored(ledger: Ledger, scope: str, name: str, value: Json, at: float = 5.0) -> None:
    """Put a note into the table by hand, as an earlier version of syncd would have left it there."""
    row = summed((scope, name, orjson.dumps(value), at))
    put = "INSERT INTO notes VALUES (?, ?, ?, ?, ?)"
    await ledger.thread.do(lambda: ledger.thread.connection.execute(put, row), writes=True)


async def test_notes_are_replaced_read_with_their_time_and_dropped(ledger: Ledger) -> None:
    thread = ledger.thread

    async def read(scope: str) -> tuple[Json, float] | None:
        return await thread.do(lambda: read_note(thread.connection, scope, "budget"))

    async def write(scope: str, value: Json, at: float) -> None:
        await thread.do(lambda: write_note(thread.connection, scope, "budget", value, at), writes=True)

    assert await read("main") is None
    await write("main", {"calendar.event.add": [1.5, None, True]}, 1.0)
    assert await read("main") == ({"calendar.event.add": [1.5, None, True]}, 1.0)
    await write("main", {"calendar.event.add": [2.5]}, 2.0)
    await write("other", None, 3.0)
    assert await read("main") == ({"calendar.event.add": [2.5]}, 2.0)
    assert await read("other") == (None, 3.0)
    await thread.do(lambda: drop_note(thread.connection, "main", "budget"), writes=True)
    assert await read("main") is None


async def test_the_notes_that_earlier_versions_wrote_are_read(ledger: Ledger) -> None:
    scope = f"sync/{SYNC}"
    await stored(ledger, scope, "verified", PORTAL, 7.0)
    await stored(ledger, scope, "portal", PORTAL)
    await stored(ledger, scope, "highest id before creating", 812)
    await stored(ledger, scope, "uids", {"names": {"known": "of the source"}, "doubted": ["a", "b"]})
    await stored(ledger, scope, "due", 900.5, 8.0)
    await stored(ledger, "portal/main", "directory", {"portal": PORTAL, "directory": {"users": []}})
    await stored(ledger, "portal/main", "budget", {"version": 1})
    await stored(ledger, "portal/main", "sections under way", 2, 9.0)
    await stored(ledger, "alerts", "told", {"sync shifts": "it fails"})
    assert await ledger.of(SYNC).notes() == SyncNotes(
        verified=Verified(portal=PORTAL, at=7.0),
        home=PORTAL,
        floor=812,
        uids=Uids(names={"known": "of the source"}, doubted=frozenset({"a", "b"})),
        due=Due(at=900.5, noted=8.0),
    )
    assert await ledger.of(OTHER).notes() == SyncNotes()
    portal = ledger.of_portal("main")
    assert await portal.directory(PORTAL) == {"users": []}
    assert await portal.budget() == {"version": 1}
    assert await portal.sections_under_way() == (2, 9.0)
    assert await ledger.told_alerts() == {"sync shifts": ToldTrouble(text="it fails", portal=None)}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("highest id before creating", "812"),
        ("highest id before creating", None),
        ("due", "soon"),
        ("due", [900.5]),
        ("portal", None),
        ("of a later version", {"a": 1}),
    ],
)
async def test_a_note_on_a_sync_that_cannot_be_read_counts_as_absent(ledger: Ledger, name: str, value: Json) -> None:
    await stored(ledger, f"sync/{SYNC}", name, value)
    assert await ledger.of(SYNC).notes() == SyncNotes()


@pytest.mark.parametrize("value", [{"names": ["a"], "doubted": []}, "a"])
async def test_what_is_known_of_uids_is_not_taken_for_absent_or_entries_would_be_made_twice(
    ledger: Ledger, value: Json
) -> None:
    await stored(ledger, f"sync/{SYNC}", "uids", value)
    with pytest.raises(StateError, match=f"the uids of {SYNC} cannot be read"):
        await ledger.of(SYNC).notes()


async def test_notes_on_a_portal_and_alerts_that_cannot_be_read_count_as_absent(ledger: Ledger) -> None:
    await stored(ledger, "portal/main", "directory", ["of another shape"])
    await stored(ledger, "portal/main", "sections under way", "two")
    await stored(ledger, "alerts", "told", ["of another shape"])
    portal = ledger.of_portal("main")
    assert (await portal.directory(PORTAL), await portal.sections_under_way()) == (None, None)
    assert await ledger.told_alerts() == {}


async def test_every_note_on_a_sync_reads_back_as_it_was_written(ledger: Ledger) -> None:
    sync, uids = ledger.of(SYNC), Uids(names={"known": "of the source"}, doubted=frozenset({"b", "a"}))
    await sync.note_verified(PORTAL, 1.0)
    await sync.note_home(PORTAL, 2.0)
    await sync.note_floor(812, 3.0)
    await sync.note_uids(uids, 4.0)
    await sync.note_due(None, 5.0)
    written = SyncNotes(
        verified=Verified(portal=PORTAL, at=1.0), home=PORTAL, floor=812, uids=uids, due=Due(at=None, noted=5.0)
    )
    assert await sync.notes() == written
    assert await ledger.of(OTHER).notes() == SyncNotes()
    await sync.forget_verified()
    await sync.forget_floor()
    assert await sync.notes() == SyncNotes(home=PORTAL, uids=uids, due=Due(at=None, noted=5.0))


async def test_a_directory_counts_for_the_portal_it_was_read_from(ledger: Ledger) -> None:
    portal = ledger.of_portal("main")
    await portal.note_directory(PORTAL, {"users": []}, 1.0)
    assert await portal.directory(PORTAL) == {"users": []}
    assert await portal.directory("https://two.example") is None
    assert await ledger.of_portal("other").directory(PORTAL) is None
    await portal.forget_directory()
    assert await portal.directory(PORTAL) is None


async def test_no_sections_under_way_leave_no_note(ledger: Ledger) -> None:
    portal = ledger.of_portal("main")
    await portal.note_sections_under_way(3, 1.0)
    assert await portal.sections_under_way() == (3, 1.0)
    await portal.note_sections_under_way(0, 2.0)
    assert await portal.sections_under_way() is None


async def test_alerts_that_were_told_are_replaced_as_a_whole(ledger: Ledger) -> None:
    assert await ledger.told_alerts() == {}
    first, second = ToldTrouble(text="first", portal=""), ToldTrouble(text="second", portal="clinic")
    await ledger.note_told_alerts({"a": first, "b": second}, 1.0)
    await ledger.note_told_alerts({"b": second}, 2.0)
    assert await ledger.told_alerts() == {"b": second}
