"""A ledger that moves between a file and a database: whole, compared, and only one of the two can be used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from syncd.app.state_move import hint, move_state, target_of
from syncd.config.database import Database, database_at
from syncd.config.secrets import Secret
from syncd.errors import ConfigError, StateError, StateLockedError
from syncd.model.record import Deleted, Outcome, RunRecord, Settlement, Unsettled, Written
from syncd.state import moving
from syncd.state.ledger import Ledger
from syncd.state.notes import Uids
from syncd.state.postgres.moving import ArrivingTables, LeavingTables
from syncd.state.sqlite.moving import ArrivingFile, LeavingFile
from tests.state.values import OTHER, SYNC, fields, hold, intent, link

Place = Path | Database
ODD = 'q"\x00|\x01\n\\N\t'


async def filled(place: Place) -> None:
    """Make a ledger with rows of every kind, of which the newest run and change are gone again."""
    ledger = await Ledger.open(place, now=1.0)
    own = ledger.of(SYNC)
    run_id = await own.begin_run(1.0)
    await own.adopt(run_id, [link("a"), link(ODD, remote_id=2), replace(link("я", remote_id=3), stamp="~5 1")], now=1.5)
    ids = await own.reserve_ids(4)
    update = intent(ids[1], run_id, "a", op="update", remote_id=812, name=ODD, before=fields())
    gone = intent(ids[2], run_id, "я", op="delete", remote_id=3)
    await own.intend(run_id, [intent(ids[0], run_id, "n"), update, gone, intent(ids[3], run_id, "o")])
    outcomes: tuple[Outcome, ...] = (Unsettled(reason="cut"), Written(remote_id=812, version=4), Deleted())
    await own.settle(run_id, [Settlement(intent_id=n, outcome=o, at=2.25) for n, o in zip(ids, outcomes, strict=False)])
    await own.hold([replace(hold("h"), retry_at=float("inf")), hold(ODD, reason=ODD)])
    await own.note_uids(Uids(names={"k": ODD}), 3.0)
    await own.end_run(run_id, RunRecord(id=run_id, sync=SYNC, started=1.0, finished=4.0, state="done"))
    await ledger.of(OTHER).begin_run(5.0)
    await ledger.of_portal("main").note_budget({"a": [1, 2.5]}, 6.0)
    await ledger.close()


async def content(place: Place) -> list[Any]:
    ledger = await Ledger.open_readonly(place)
    try:
        found: list[Any] = []
        for own in (ledger.of(SYNC), ledger.of(OTHER)):
            runs = await own.runs(9)
            changes = [await own.changes(one.id) for one in runs]
            found += [await own.links(), await own.holds(), await own.open_intents(), runs, changes]
            found += [await own.notes(), await own.tally()]
        return [*found, await ledger.of_portal("main").budget()]
    finally:
        await ledger.close()


def both_ways(tmp_path: Path, database: Database) -> list[tuple[Place, Place]]:
    file = tmp_path / "syncd.db"
    return [(file, database), (database, file)]


@pytest.mark.parametrize("way", [0, 1])
async def test_everything_arrives_and_ids_go_on_where_they_were(tmp_path: Path, database: Database, way: int) -> None:
    source, target = both_ways(tmp_path, database)[way]
    await filled(source)
    before = await content(source)
    moved = move_state(source, target, 0.0)
    assert dict(moved.rows) == {"runs": 2, "links": 2, "holds": 2, "intents": 2, "changes": 5, "notes": 2}
    assert await content(target) == before
    ledger = await Ledger.open(target, now=9.0)
    assert ledger.doubt is None
    assert await ledger.check() == 2
    assert await ledger.of(SYNC).reserve_ids(1) == range(5, 6)
    assert await ledger.of(SYNC).begin_run(9.0) == 3
    await ledger.close()


@pytest.mark.parametrize("way", [0, 1])
async def test_the_old_one_refuses_and_says_where_it_went(tmp_path: Path, database: Database, way: int) -> None:
    source, target = both_ways(tmp_path, database)[way]
    await filled(source)
    move_state(source, target, 0.0)
    shown = str(target) if isinstance(target, Path) else target.shown
    for start in (Ledger.open(source, now=1.0), Ledger.open_readonly(source)):
        with pytest.raises(StateError, match="was moved to") as told:
            await start
        assert shown in str(told.value)
    with pytest.raises(StateError, match="was moved to"):
        move_state(source, replaced(target, tmp_path), 0.0)


def replaced(target: Place, tmp_path: Path) -> Place:
    return tmp_path / "third.db" if isinstance(target, Path) else database_at(target.url, f"{target.schema}_b")


async def test_it_moves_there_and_back_and_there_again(tmp_path: Path, database: Database) -> None:
    file = tmp_path / "syncd.db"
    await filled(file)
    before = await content(file)
    for source, target in ((file, database), (database, file), (file, database)):
        move_state(source, target, 0.0)
    assert await content(database) == before
    with pytest.raises(StateError, match="was moved to"):
        await Ledger.open(file, now=1.0)


TAKEN_BACK = {2: "DROP TABLE signatures", 1: "DROP TABLE signatures; ALTER TABLE members DROP COLUMN ttl"}
"""What makes the tables those of an earlier version."""


def made_older(database: Database, version: int) -> None:
    with psycopg.connect(database.url.reveal()) as connection:
        connection.execute(f'SET search_path TO "{database.schema}"'.encode())
        connection.execute(TAKEN_BACK[version].encode())
        connection.execute(f"UPDATE state SET version = {version}".encode())


@pytest.mark.parametrize("version", TAKEN_BACK)
@pytest.mark.parametrize("started", [True, False])
async def test_tables_of_an_older_syncd_are_brought_up_to_date_by_a_start_and_by_a_move(
    tmp_path: Path, database: Database, version: int, started: bool
) -> None:
    await filled(database)
    before = await content(database)
    made_older(database, version)
    with pytest.raises(StateError, match="made by an older syncd"):
        await Ledger.open_readonly(database)
    if started:
        ledger = await Ledger.open(database, now=5.0)
        assert ledger.doubt is None
        await ledger.close()
        assert await content(database) == before
    move_state(database, tmp_path / "syncd.db", 0.0)
    assert await content(tmp_path / "syncd.db") == before
    made_older(database, version)
    move_state(tmp_path / "syncd.db", database, 0.0)
    assert await content(database) == before


async def test_tables_that_an_upgrade_leaves_as_they_are_can_be_read_before_it(database: Database) -> None:
    await filled(database)
    before = await content(database)
    with psycopg.connect(database.url.reveal()) as connection:
        connection.execute(f'UPDATE "{database.schema}".state SET version = 3'.encode())
    assert await content(database) == before


async def test_a_ledger_keeps_its_name_wherever_it_moves(tmp_path: Path, database: Database) -> None:
    file = tmp_path / "syncd.db"
    ledger = await Ledger.open(file, now=1.0)
    name = await ledger.name(1.0)
    await ledger.close()
    for source, target in ((file, database), (database, file)):
        move_state(source, target, 0.0)
        ledger = await Ledger.open(target, now=2.0)
        assert await ledger.name(2.0) == name
        await ledger.close()


@pytest.mark.parametrize("way", [0, 1])
async def test_a_place_that_holds_a_ledger_is_left_alone(tmp_path: Path, database: Database, way: int) -> None:
    source, target = both_ways(tmp_path, database)[way]
    await filled(source)
    await filled(target)
    before = await content(target)
    with pytest.raises(StateError, match="holds a state already"):
        move_state(source, target, 0.0)
    assert await content(target) == before == await content(source)


async def test_a_ledger_that_somebody_works_with_does_not_move(tmp_path: Path, database: Database) -> None:
    file = tmp_path / "syncd.db"
    await filled(file)
    await filled(database)
    ledger = await Ledger.open(file, now=1.0)
    with pytest.raises(StateLockedError, match="in use"):
        move_state(file, database, 0.0)
    await ledger.close()
    ledger = await Ledger.open(database, now=1.0)
    lease = (
        "INSERT INTO leases (portal, holder, epoch, expires_at, host, pid)"
        " VALUES ('main', 'h', 7, clock_timestamp() + interval '9 s', 'one', 815)"
    )
    await ledger.thread.do(lambda: ledger.thread.connection.execute(lease), writes=True)
    with pytest.raises(StateLockedError, match=r"in use: one \(pid 815\) works with the portal main"):
        move_state(database, tmp_path / "new.db", 0.0)
    await ledger.thread.do(
        lambda: ledger.thread.connection.execute("UPDATE leases SET expires_at = clock_timestamp()"), writes=True
    )
    move_state(database, tmp_path / "new.db", 0.0)
    with pytest.raises(StateError, match="was moved to"):  # by a process that had it open all the time
        await ledger.of(SYNC).hold([hold()])
    await ledger.close()


class DiedError(Exception):
    pass


def dying(*_: object) -> None:
    raise DiedError


ENDS: list[tuple[str, tuple[type, type]]] = [
    ("put_numbers", (ArrivingFile, ArrivingTables)),  # before anything is kept
    ("mark_moved", (LeavingFile, LeavingTables)),  # before the old one is marked
    ("let_go", (ArrivingFile, ArrivingTables)),  # before the new one is let go
]


@pytest.mark.parametrize("way", [0, 1])
@pytest.mark.parametrize("step", range(3))
async def test_a_move_that_ends_halfway_leaves_one_that_can_be_used_at_most_and_is_carried_on(
    tmp_path: Path, database: Database, way: int, step: int
) -> None:
    source, target = both_ways(tmp_path, database)[way]
    await filled(source)
    before = await content(source)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(DiedError):
        name, kinds = ENDS[step]
        for one in kinds:
            patch.setattr(one, name, dying)
        move_state(source, target, 0.0)
    usable = []
    for place in (source, target):
        try:
            usable.append(bool((await content(place))[0]))
        except StateError as error:
            assert "moved to" in str(error) or "move has not been finished" in str(error)
            usable.append(False)
    assert usable == [step < 2, False]
    moved = move_state(source, target, 0.0)
    assert moved.finished == (step == 2)
    assert await content(target) == before


@pytest.mark.parametrize("way", [0, 1])
async def test_what_does_not_arrive_as_it_left_is_told_and_nothing_has_moved(
    tmp_path: Path, database: Database, way: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = both_ways(tmp_path, database)[way]
    await filled(source)
    before = await content(source)
    for one in (ArrivingFile, ArrivingTables):
        put = one.put

        def forgetting(self: Any, table: str, columns: str, rows: Any, put: Any = put) -> None:
            put(self, table, columns, (row for number, row in enumerate(rows) if table != "holds" or number))

        monkeypatch.setattr(one, "put", forgetting)
    with pytest.raises(StateError, match="has 1 holds that are not the 2 of"):
        move_state(source, target, 0.0)
    assert await content(source) == before


def test_two_files_and_one_place_are_no_move(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="moves between a file and a database"):
        move_state(tmp_path / "a", tmp_path / "b", 0.0)


async def test_a_missing_state_has_nothing_to_move(tmp_path: Path, database: Database) -> None:
    with pytest.raises(StateError, match="no state at"):
        move_state(tmp_path / "none.db", database, 0.0)
    with pytest.raises(StateError, match="no state in"):
        move_state(database, tmp_path / "new.db", 0.0)
    assert not (tmp_path / "new.db").exists()


def test_a_target_is_a_path_or_an_address_and_never_repeats_a_password(tmp_path: Path) -> None:
    learnt: list[str] = []
    (tmp_path / "address").write_text("postgresql://u:hush@h/d\n")
    found = target_of(f"file:{tmp_path / 'address'}", "other", {}, learnt.append)
    assert found == database_at(Secret("postgresql://u:hush@h/d"), "other")
    assert learnt == ["hush", "postgresql://u:hush@h/d"]
    assert target_of("env:PLACE", "syncd", {"PLACE": "postgresql://h/d"}, learnt.append) == database_at(
        Secret("postgresql://h/d")
    )
    assert target_of("/a/b.db", "syncd", {}, learnt.append) == Path("/a/b.db")
    for bad in ("postgresql://u:hush@h/d", "postgresql://u@h/d?password=hush"):
        with pytest.raises(ConfigError, match="every user of this machine can read") as told:
            target_of(bad, "syncd", {}, learnt.append)
        assert "hush" not in str(told.value)
    for bad in ("mysql://h/d", "postgresql://h", "env:NONE", " "):
        with pytest.raises(ConfigError, match="--to"):
            target_of(bad, "syncd", {}, learnt.append)
    assert hint(Path("/a/b.db")) == 'state = "/a/b.db"'


def test_every_table_with_sums_is_moved() -> None:
    from syncd.state.rows import SUMMED  # noqa: PLC0415

    assert set(moving.TABLES) == {*SUMMED, "changes"}


@pytest.mark.parametrize("schema", ["Syncd", 'a"b', "pg_syncd", "", "a" * 64])
def test_a_schema_that_no_config_could_name_is_refused_before_anything_moves(schema: str) -> None:
    with pytest.raises(ConfigError, match="--schema is no name for a schema"):
        target_of("postgresql://h/d", schema, {}, lambda _: None)
