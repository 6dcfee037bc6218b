"""Checksums of rows: whatever syncd writes agrees with them, and whatever else changes a row does not."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

import syncd.state
from syncd.config.database import Database
from syncd.errors import StateError
from syncd.model.record import RunRecord, Settlement, Unsettled
from syncd.state.ledger import Ledger
from syncd.state.notes import Uids
from tests.state.values import SYNC, hold, intent, key, link

UPDATES = re.compile(r"UPDATE (?:links|intents|holds|notes|runs) SET (?!\{setting\(|\{_ENDED\}|\(\{RUN\}, sum\))")


async def filled(file_ledger: Ledger) -> None:
    """Write through every method that changes a row which is there already."""
    of = file_ledger.of(SYNC)
    run_id = await of.begin_run(1)  # a whole number, which a REAL column gives back as another type
    await of.adopt(run_id, [link("a"), link("b", remote_id=2), link("c", remote_id=3)], now=2)
    await of.hold([hold("d"), hold("e", reason="Grüße aus Köln 🎓")])
    ids = await of.reserve_ids(2)
    await of.intend(run_id, [intent(ids[0], run_id, "x"), intent(ids[1], run_id, "y")])
    await of.sent_again([ids[0]], now=3)
    await of.settle(run_id, [Settlement(intent_id=ids[1], outcome=Unsettled(reason="cut", ended=True), at=4)])
    await of.mark_absent([key("a")], [])
    await of.mark_absent([key("a")], [])
    await of.doubt([key("b")])
    await of.relearn({key("c"): 7})
    await of.learn_stamps({key("c"): "2026-12-01 10:00:00 1"})
    await of.release([key("e")])
    await of.note_uids(Uids(names={"a": "b"}), 5)
    await of.note_floor(12, 5)
    await of.end_run(run_id, RunRecord(id=run_id, sync=SYNC, started=1, finished=6, state="done", waited_s=0))
    await of.begin_run(7)


async def test_every_row_agrees_with_its_sum_whatever_wrote_it(ledger: Ledger, place: Path | Database) -> None:
    await filled(ledger)
    assert await ledger.check() == 3
    await ledger.of(SYNC).mark_absent([], [key("a")])
    await ledger.of(SYNC).release(None)
    assert await ledger.check() == 3
    await ledger.close()
    again = await Ledger.open(place, now=8)  # ends the run that was left running
    assert await again.check() == 3
    await again.close()


def test_no_statement_changes_a_row_and_leaves_its_sum() -> None:
    (folder,) = syncd.state.__path__
    found = [
        (path.name, match[0])
        for path in Path(folder).rglob("*.py")
        if path.name != "sums.py"
        for match in UPDATES.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def columns(path: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(path) as connection:
        return [
            (table, name)
            for table in ("links", "intents", "holds", "notes", "runs")
            for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")
            if (table, name) != ("runs", "id")
        ]


async def test_a_change_of_any_value_by_another_hand_is_told_by_the_next_start(file_ledger: Ledger) -> None:
    await filled(file_ledger)
    await file_ledger.close()
    sound = file_ledger.path.read_bytes()
    for table, name in columns(file_ledger.path):
        file_ledger.path.write_bytes(sound)
        connection = sqlite3.connect(file_ledger.path)
        value = f"CASE typeof({name}) WHEN 'text' THEN {name} || 'x' WHEN 'blob' THEN x'5b5d' ELSE 4711 END"
        connection.execute(f"UPDATE {table} SET {name} = {value} WHERE rowid = 1" if table != "notes" else
                           f"UPDATE notes SET {name} = {value} WHERE name = 'uids'")  # fmt: skip
        connection.commit()
        connection.close()
        for start in (Ledger.open(file_ledger.path, now=9), Ledger.open_readonly(file_ledger.path)):
            with pytest.raises(StateError, match="is damaged"):
                await start


async def test_a_change_record_by_another_hand_is_told_when_it_is_read(file_ledger: Ledger) -> None:
    await filled(file_ledger)
    connection = file_ledger.thread.connection
    await file_ledger.thread.do(lambda: connection.execute("UPDATE changes SET remote_id = 4711 WHERE id = 1"))
    with pytest.raises(StateError, match="is damaged"):
        await file_ledger.of(SYNC).changes(1)
    with pytest.raises(StateError, match="1 record of a change"):
        await file_ledger.check()
    await file_ledger.thread.do(lambda: connection.execute("UPDATE changes SET sum = NULL"))  # as of an earlier version
    assert len(await file_ledger.of(SYNC).changes(1)) == 3
