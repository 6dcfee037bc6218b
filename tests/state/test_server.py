"""A ledger in PostgreSQL whose server is cut off, stopped, full, strange or not let in to: told, and never guessed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import Any

import psycopg
import pytest
import structlog
from structlog.testing import capture_logs

from syncd import events
from syncd.config.database import Database, database_at
from syncd.config.secrets import Secret
from syncd.errors import StateError, StateUnavailableError, StateUnreachableError
from syncd.state.ledger import Ledger
from syncd.state.postgres.connection import PostgresConnection
from syncd.state.postgres.schema import STEPS
from syncd.state.postgres.store import PAUSES_S, PostgresStore
from syncd.state.postgres.trouble import UnknownCommitError
from tests.state.values import OTHER, SYNC, hold, intent, key, link
from tests.support.pooler import Pooler
from tests.support.postgres import MISSING, NAMED, USER, Server, free_port, installed, new_database


@pytest.fixture
async def ledger(database: Database) -> AsyncIterator[Ledger]:
    opened = await Ledger.open(database, now=1.0)
    store_of(opened)._pause = lambda _: None
    yield opened
    await opened.close()


def store_of(ledger: Ledger) -> PostgresStore:
    assert isinstance(ledger.thread, PostgresStore)
    return ledger.thread


@contextmanager
def administrator(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database.url.reveal(), autocommit=True) as connection:
        connection.execute("SET client_min_messages TO warning")
        connection.execute(f'SET search_path TO "{database.schema}"'.encode())
        yield connection


def terminate(database: Database, pid: int) -> None:
    with administrator(database) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


async def pid_of(ledger: Ledger) -> int:
    connection = store_of(ledger).connection
    row: tuple[int] = await ledger.thread.do(lambda: connection.execute("SELECT pg_backend_pid()").fetchone())
    return row[0]


async def test_a_session_that_was_ended_between_two_calls_is_made_again(ledger: Ledger, database: Database) -> None:
    for _ in range(2):
        terminate(database, await pid_of(ledger))
        await ledger.of(SYNC).hold([hold()])
        terminate(database, await pid_of(ledger))
        assert await ledger.of(SYNC).holds() == (hold(),)


async def test_what_was_lost_in_the_middle_is_done_again_and_once(ledger: Ledger, database: Database) -> None:
    pid, begun = await pid_of(ledger), 0

    def work() -> int:
        nonlocal begun
        begun += 1
        connection = ledger.thread.connection
        connection.execute("UPDATE counters SET next = next + 5 WHERE name = 'intent'")
        if begun == 1:
            terminate(database, pid)
        return int(connection.execute("SELECT next FROM counters WHERE name = 'intent'").fetchone()[0])

    assert await ledger.thread.do(work, writes=True) == 6
    assert begun == 2
    assert await ledger.of(SYNC).reserve_ids(1) == range(6, 7)


async def test_who_was_chosen_to_end_a_deadlock_does_its_work_again(ledger: Ledger, database: Database) -> None:
    begun = 0
    lock = f'LOCK TABLE "{database.schema}".{{}} IN ACCESS EXCLUSIVE MODE'

    with administrator(database) as other, ThreadPoolExecutor(1) as beside:

        def cross() -> None:
            with suppress(psycopg.errors.DeadlockDetected), other.transaction():
                other.execute("SET LOCAL deadlock_timeout TO '60s'")
                other.execute(lock.format("holds").encode())
                crossing.set()
                other.execute(lock.format("links").encode())

        def work() -> None:
            nonlocal begun
            begun += 1
            connection = ledger.thread.connection
            connection.execute(lock.format("links"))
            if begun == 1:
                beside.submit(cross)
                assert crossing.wait(10)
            connection.execute(lock.format("holds"))

        crossing = Event()
        await ledger.thread.do(work, writes=True)
    assert begun == 2


async def test_a_transaction_that_stood_still_too_long_is_ended_by_the_server_and_done_again(
    ledger: Ledger, database: Database
) -> None:
    assert isinstance(ledger.thread, PostgresStore)
    ledger.thread.idle_s = 0.15
    begun = 0

    def work() -> None:
        nonlocal begun
        begun += 1
        ledger.thread.connection.execute("UPDATE counters SET next = next + 5 WHERE name = 'intent'")
        if begun == 1:
            with administrator(database) as other:  # as a process that is frozen lets time pass
                other.execute("SELECT pg_sleep(0.5)")

    await ledger.thread.do(work, writes=True)
    assert begun > 1  # where the machine is busy, more often
    assert await ledger.of(SYNC).reserve_ids(1) == range(6, 7)


async def test_who_has_waited_for_a_server_in_vain_does_not_wait_again(ledger: Ledger, database: Database) -> None:
    store, waited = store_of(ledger), list[float]()
    store._pause = waited.append
    there = store.database
    store.database = database_at(Secret(f"postgresql://127.0.0.1:{free_port()}/x"))
    terminate(database, await pid_of(ledger))
    for _ in range(3):
        with pytest.raises(StateUnreachableError):
            await ledger.of(SYNC).holds()
    assert len(waited) < len(PAUSES_S)
    store.database = there
    await ledger.of(SYNC).hold([hold()])
    terminate(database, await pid_of(ledger))
    assert await ledger.of(SYNC).holds() == (hold(),)


def lose_commit(monkeypatch: pytest.MonkeyPatch, *, carried_out: bool) -> None:
    """Let the connection go away when the next transaction is committed: before or after the server has done it."""
    commit, left = PostgresConnection.commit, [1]

    def lost(self: PostgresConnection) -> None:
        if not left:
            return commit(self)
        left.pop()
        if carried_out:
            commit(self)
        self.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(PostgresConnection, "commit", lost)


@pytest.mark.parametrize("carried_out", [True, False])
async def test_a_commit_that_was_not_answered_counts_as_what_the_server_says_became_of_it(
    ledger: Ledger, carried_out: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await ledger.of(SYNC).begin_run(1.0)
    ids = await ledger.of(SYNC).reserve_ids(1)
    lose_commit(monkeypatch, carried_out=carried_out)
    await ledger.of(SYNC).intend(run_id, [intent(ids[0], run_id)])  # twice, it would be refused as in use
    assert [one.id for one in await ledger.of(SYNC).open_intents()] == list(ids)


@pytest.mark.parametrize("carried_out", [True, False])
async def test_a_commit_that_nobody_can_tell_of_is_no_success_and_what_is_there_is_the_truth(
    ledger: Ledger, carried_out: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await ledger.of(SYNC).begin_run(1.0)
    ids = await ledger.of(SYNC).reserve_ids(1)
    begin = PostgresConnection.begin
    lose_commit(monkeypatch, carried_out=carried_out)

    def of_another_server(self: PostgresConnection, **how: Any) -> str:
        return begin(self, **how) and str(2**50)

    monkeypatch.setattr(PostgresConnection, "begin", of_another_server)
    with pytest.raises(UnknownCommitError, match="cannot say whether it was"):
        await ledger.of(SYNC).intend(run_id, [intent(ids[0], run_id)])
    assert [one.id for one in await ledger.of(SYNC).open_intents()] == (list(ids) if carried_out else [])


async def test_an_error_within_a_transaction_leaves_nothing_and_the_connection_goes_on(ledger: Ledger) -> None:
    def work() -> None:
        ledger.thread.connection.execute("UPDATE counters SET next = 99 WHERE name = 'intent'")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await ledger.thread.do(work, writes=True)
    assert await ledger.of(SYNC).reserve_ids(1) == range(1, 2)


async def test_a_failed_statement_whose_error_was_swallowed_is_not_taken_for_committed(ledger: Ledger) -> None:
    def work() -> None:
        with suppress(psycopg.Error):
            ledger.thread.connection.execute("SELECT nonsense")

    with pytest.raises(StateError):
        await ledger.thread.do(work, writes=True)
    await ledger.of(SYNC).hold([hold()])


async def test_a_server_that_is_restarted_at_once_is_found_again(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = Server(Server.place(tmp_path_factory.mktemp("own")), free_port())
    server.make()
    server.start()
    try:
        ledger = await Ledger.open(new_database(server.address, "own"), now=1.0)
        await ledger.of(SYNC).hold([hold("a")])
        await asyncio.to_thread(server.restart_at_once)
        await ledger.of(SYNC).hold([hold("b")])
        assert {one.key for one in await ledger.of(SYNC).holds()} == {key("a"), key("b")}
        await asyncio.to_thread(server.stop)
        store_of(ledger)._pause = lambda _: None
        with pytest.raises(StateUnreachableError, match="cannot be reached"):
            await ledger.of(SYNC).hold([hold("c")])
        with pytest.raises(StateUnreachableError):
            await ledger.of(SYNC).holds()
        await ledger.close()
    finally:
        server.remove()


async def test_what_a_fallen_server_has_lost_is_done_again_though_its_number_was_given_to_another_transaction(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers that had not reached the log are given once more, so "committed" may be about somebody else's work."""
    server = Server(Server.place(tmp_path_factory.mktemp("own")), free_port())
    server.make()
    server.start()
    try:
        with psycopg.connect(server.address, autocommit=True) as direct:
            direct.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")  # nothing reaches the log before a commit
        server.restart_at_once()
        ledger = await Ledger.open(new_database(server.address, "own"), now=1.0)
        run_id = await ledger.of(SYNC).begin_run(1.0)
        ids = await ledger.of(SYNC).reserve_ids(1)
        commit = PostgresConnection.commit
        begun: list[int] = []

        def falls(self: PostgresConnection) -> None:
            if begun:
                return commit(self)
            ((number,),) = self.raw.execute("SELECT pg_current_xact_id()::text::bigint").fetchall()
            server.restart_at_once()
            with psycopg.connect(server.address, autocommit=True) as other:
                given = 0
                while given < number:
                    ((given,),) = other.execute("SELECT pg_current_xact_id()::text::bigint").fetchall()
                begun.extend((number, given))
            return commit(self)

        monkeypatch.setattr(PostgresConnection, "commit", falls)
        await ledger.of(SYNC).intend(run_id, [intent(ids[0], run_id)])
        assert begun[0] == begun[1]  # the same number twice
        assert [one.id for one in await ledger.of(SYNC).open_intents()] == list(ids)
        await ledger.close()
    finally:
        server.remove()


async def test_signatures_of_connections_that_are_long_gone_are_forgotten(ledger: Ledger, database: Database) -> None:
    await ledger.of(SYNC).hold([hold()])
    with administrator(database) as connection:
        connection.execute("INSERT INTO signatures VALUES ('gone', 7, clock_timestamp() - interval '31 days')")
        other = await Ledger.open(database, now=2.0)
        await other.close()
        found = connection.execute("SELECT count(*) FROM signatures WHERE connection = 'gone'").fetchone()
        (signed,) = connection.execute("SELECT max(count) FROM signatures").fetchone() or (0,)
    assert found == (0,)
    assert signed > 0


async def test_a_database_that_is_down_is_told_as_something_that_passes() -> None:
    database = database_at(Secret(f"postgresql://syncd:hush@127.0.0.1:{free_port()}/syncd"))
    for start in (Ledger.open(database, now=1.0), Ledger.open_readonly(database)):
        with pytest.raises(StateUnreachableError, match=r"postgresql://127.0.0.1:\d+/syncd cannot be reached") as told:
            await start
        assert told.value.exit_code == 3
        assert "hush" not in str(told.value)


@pytest.mark.parametrize("login", ["locked:wrong%20hush", "locked", "nobody_here:hush"])
@pytest.mark.skipif(NAMED in os.environ, reason="whom that server lets in is not up to the tests")
async def test_a_wrong_password_is_told_without_it(database: Database, login: str) -> None:
    with administrator(database) as connection:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'locked'").fetchone() is None:
            connection.execute("CREATE ROLE locked LOGIN PASSWORD 'right'")
    address = database.url.reveal()
    place = database_at(Secret(f"postgresql://{login}@{address.rpartition('@')[2]}"), database.schema)
    with pytest.raises(StateError, match="lets syncd not in") as told:
        await Ledger.open(place, now=1.0)
    assert not isinstance(told.value, StateUnavailableError)
    assert "hush" not in str(told.value)


async def test_a_database_that_does_not_exist_and_an_address_that_is_none_are_told(database: Database) -> None:
    address = database.url.reveal().rpartition("/")[0]
    with pytest.raises(StateError, match=r"does not exist.*create user and database"):
        await Ledger.open(database_at(Secret(f"{address}/none_such")), now=1.0)
    with pytest.raises(StateError, match="none that PostgreSQL's client library understands") as told:
        await Ledger.open(database_at(Secret("postgresql://a:hu%zzsh@127.0.0.1/b")), now=1.0)
    assert "zz" not in str(told.value)


async def test_a_user_without_rights_is_told_what_to_grant(database: Database) -> None:
    with administrator(database) as connection:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'guest'").fetchone() is None:
            connection.execute("CREATE ROLE guest LOGIN")
    address = database.url.reveal().rpartition("@")[2]
    with pytest.raises(StateError, match=r"does not allow it.*GRANT CREATE"):
        await Ledger.open(database_at(Secret(f"postgresql://guest@{address}"), database.schema), now=1.0)


async def test_a_user_of_tables_that_another_machine_has_made_newer_is_told_whose_they_are(
    ledger: Ledger, database: Database
) -> None:
    assert await ledger.of(SYNC).links() == ()
    address = database.url.reveal()
    with administrator(database) as connection:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'colleague'").fetchone() is None:
            connection.execute("CREATE ROLE colleague LOGIN")
        connection.execute(f'GRANT USAGE ON SCHEMA "{database.schema}" TO colleague'.encode())
        connection.execute(f'GRANT ALL ON ALL TABLES IN SCHEMA "{database.schema}" TO colleague'.encode())
        connection.execute("GRANT pg_monitor TO colleague")
        as_colleague = database_at(Secret(f"postgresql://colleague@{address.rpartition('@')[2]}"), database.schema)
        await (await Ledger.open(as_colleague, now=1.0)).close()
        connection.execute("REVOKE ALL ON signatures FROM colleague")
        with pytest.raises(StateError, match=r"does not allow it.*member of that role"):
            await Ledger.open(as_colleague, now=1.0)


async def test_tables_of_a_newer_syncd_and_of_another_program_are_refused(ledger: Ledger, database: Database) -> None:
    with administrator(database) as connection:
        connection.execute(f"UPDATE state SET version = {len(STEPS) + 1}".encode())
    for start in (Ledger.open(database, now=1.0), Ledger.open_readonly(database)):
        with pytest.raises(StateError, match=rf"newer syncd \(schema {len(STEPS) + 1}.*upgrade syncd"):
            await start
    with administrator(database) as connection:
        connection.execute("DROP TABLE state")
    for start in (Ledger.open(database, now=1.0), Ledger.open_readonly(database)):
        with pytest.raises(StateError, match="another program"):
            await start


async def test_who_works_with_tables_that_a_newer_syncd_has_brought_up_to_date_writes_no_more(
    ledger: Ledger, database: Database
) -> None:
    await ledger.of(SYNC).hold([hold("a")])
    with administrator(database) as connection:
        connection.execute(f"UPDATE state SET version = {len(STEPS) + 1}".encode())
    with pytest.raises(StateError, match=rf"newer syncd \(schema {len(STEPS) + 1}.*upgrade syncd"):
        await ledger.of(SYNC).hold([hold("b")])
    assert [one.key for one in await ledger.of(SYNC).holds()] == [key("a")]


async def test_a_missing_schema_reads_as_an_empty_ledger_and_is_not_made(database: Database) -> None:
    reader = await Ledger.open_readonly(database)
    assert await reader.of(SYNC).links() == ()
    with pytest.raises(StateError, match="cannot be opened for this"):
        await reader.of(SYNC).hold([hold()])
    await reader.close()
    with administrator(database) as connection:
        assert connection.execute("SELECT to_regnamespace(%s)", (database.schema,)).fetchone() == (None,)


async def test_who_only_looks_sees_what_is_committed_and_writes_nothing(ledger: Ledger, database: Database) -> None:
    reader = await Ledger.open_readonly(database)
    await ledger.of(SYNC).hold([hold()])
    assert await reader.of(SYNC).holds() == (hold(),)
    assert reader.readonly
    with pytest.raises(StateError, match="cannot be opened for this"):
        await reader.of(SYNC).release(None)
    await reader.close()


async def test_two_machines_that_start_at_once_make_the_tables_once(database: Database) -> None:
    ledgers = await asyncio.gather(*(Ledger.open(database, now=1.0) for _ in range(4)))
    ids = await asyncio.gather(*(one.of(SYNC).reserve_ids(3) for one in ledgers))
    assert len({number for some in ids for number in some}) == 12
    for one in ledgers:
        await one.close()


async def test_a_full_disk_of_the_server_is_told_and_loses_nothing(ledger: Ledger, database: Database) -> None:
    with administrator(database) as connection:
        connection.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"
        )
        connection.execute("CREATE TRIGGER full_disk BEFORE INSERT ON holds EXECUTE FUNCTION full_disk()")
        with pytest.raises(StateUnavailableError, match=r"disk of .* is full.*nothing is lost") as told:
            await ledger.of(SYNC).hold([hold()])
        assert told.value.exit_code == 7
        connection.execute("DROP TRIGGER full_disk ON holds")
    await ledger.of(SYNC).hold([hold()])


async def test_a_database_that_was_put_back_or_replaced_has_every_portal_read(
    ledger: Ledger, database: Database
) -> None:
    for sync in (SYNC, OTHER):
        run_id = await ledger.of(sync).begin_run(1.0)
        await ledger.of(sync).adopt(run_id, [link("a", remote_id=77)], now=1.0)
        await ledger.of(sync).note_verified("https://one.example", 1.0)
    again = await Ledger.open(database, now=2.0)
    assert again.doubt is None
    await again.close()
    with administrator(database) as connection:
        connection.execute("UPDATE state SET server = 'another'")
    again = await Ledger.open(database, now=3.0)
    assert again.doubt is not None
    assert again.doubt.replaced
    notes = await again.of(SYNC).notes()
    assert (notes.verified, notes.restored) == (None, 77)
    await again.close()
    third = await Ledger.open(database, now=4.0)
    assert third.doubt is None
    await third.close()


async def test_a_server_that_takes_over_while_the_ledger_is_in_use_has_every_portal_read(
    ledger: Ledger, database: Database
) -> None:
    run_id = await ledger.of(SYNC).begin_run(1.0)
    await ledger.of(SYNC).adopt(run_id, [link("a", remote_id=77)], now=1.0)
    await ledger.of(SYNC).note_verified("https://one.example", 1.0)
    with administrator(database) as connection:
        connection.execute("UPDATE state SET server = 'another'")
    await ledger.of(SYNC).hold([hold("a")])
    assert (await ledger.of(SYNC).notes()).verified is not None  # the same server as before: nobody has looked
    store_of(ledger)._timeline = "the one before"
    structlog.reset_defaults()
    with capture_logs() as logs:
        await ledger.of(SYNC).hold([hold("b")])
    notes = await ledger.of(SYNC).notes()
    assert (notes.verified, notes.restored) == (None, 77)
    assert [one["event"] for one in logs] == [events.LEDGER_DOUBTED]


@pytest.mark.skipif(NAMED in os.environ, reason="that server is not up to the tests")
async def test_a_standby_that_was_promoted_is_known_by_whoever_reaches_it_next(tmp_path: Path) -> None:
    if not installed():
        pytest.skip(MISSING)
    server, standby = (Server(Server.place(tmp_path).with_suffix(f".{number}"), free_port()) for number in (1, 2))
    try:
        server.make()
        server.start(replicated=True)
        both = f"127.0.0.1:{server.port},127.0.0.1:{standby.port}"
        database = database_at(Secret(f"postgresql://{USER}@{both}/postgres?target_session_attrs=read-write"))
        ledger = await Ledger.open(database, now=1.0)
        run_id = await ledger.of(SYNC).begin_run(1.0)
        await ledger.of(SYNC).adopt(run_id, [link("a", remote_id=77)], now=1.0)
        await ledger.of(SYNC).note_verified("https://one.example", 1.0)
        await asyncio.to_thread(standby.follow, server)
        await asyncio.to_thread(server.stop, "immediate")
        await asyncio.to_thread(standby.promote)
        await ledger.of(SYNC).hold([hold("a")])
        notes = await ledger.of(SYNC).notes()
        assert (notes.verified, notes.restored) == (None, 77)
        await ledger.close()
        again = await Ledger.open(database, now=2.0)
        assert again.doubt is None
        await again.close()
    finally:
        for one in (server, standby):
            if one.folder.exists():
                one.remove()


async def test_a_row_that_another_hand_has_changed_is_told(ledger: Ledger, database: Database) -> None:
    run_id = await ledger.of(SYNC).begin_run(1.0)
    ids = await ledger.of(SYNC).reserve_ids(1)
    await ledger.of(SYNC).intend(run_id, [intent(ids[0], run_id)])
    assert await ledger.check() == 0
    with administrator(database) as connection:
        connection.execute("UPDATE intents SET title = 'Other'")
    with pytest.raises(StateError, match="is damaged: a row of it is not what was written"):
        await ledger.of(SYNC).open_intents()
    with pytest.raises(StateError, match="is damaged: a row of its intents"):
        await ledger.check()


async def test_a_count_that_would_give_a_number_twice_is_told(ledger: Ledger, database: Database) -> None:
    run_id = await ledger.of(SYNC).begin_run(1.0)
    (number,) = await ledger.of(SYNC).reserve_ids(1)
    await ledger.of(SYNC).intend(run_id, [intent(number, run_id)])
    assert await ledger.check() == 0
    with administrator(database) as connection:
        connection.execute("UPDATE counters SET next = 1")
    with pytest.raises(StateError, match="is damaged: its count of changes is not what was written"):
        await ledger.check()


async def test_a_pooler_between_is_recognised_and_nothing_depends_on_the_session(database: Database) -> None:
    address = database.url.reveal()
    port = int(address.rpartition(":")[2].partition("/")[0])
    with Pooler(port) as pooler:
        through = database_at(Secret(address.replace(f":{port}/", f":{pooler.port}/")), database.schema)
        ledger = await Ledger.open(through, now=1.0)
        connection = store_of(ledger).connection
        assert connection.pooled
        assert connection.raw.prepare_threshold is None
        run_id = await ledger.of(SYNC).begin_run(1.0)
        await ledger.of(SYNC).adopt(run_id, [link()], now=1.0)
        assert await ledger.of(SYNC).links() == (link(),)
        names = "SELECT current_setting('search_path'), (SELECT count(*) FROM pg_prepared_statements)"
        assert connection.raw.execute(names).fetchone() == ('"$user", public', 0)
        await ledger.close()
    direct = await Ledger.open(database, now=1.0)
    assert not store_of(direct).connection.pooled
    await direct.close()


def test_the_steps_make_every_table_with_its_columns(tmp_path: Path) -> None:
    """What one store keeps, the other keeps too; only PostgreSQL has what several machines need."""
    from syncd.state.rows import SUMMED, SUMMED_CHANGE  # noqa: PLC0415

    made = " ".join(" ".join(step) for step in STEPS)
    for table, columns in (*SUMMED.items(), ("changes", SUMMED_CHANGE)):
        body = made.partition(f"CREATE TABLE {table} (")[2].partition("CREATE ")[0]
        assert [one for one in columns.split(", ") if f"{one} " not in body] == []


async def test_a_transaction_that_could_not_even_begin_leaves_the_connection_usable(
    ledger: Ledger, database: Database
) -> None:
    full = "BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END"
    with administrator(database) as connection:
        connection.execute(f"CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ {full} $$".encode())
        connection.execute(
            "CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON signatures EXECUTE FUNCTION full_disk()"
        )
        for _ in range(2):
            with pytest.raises(StateUnavailableError, match="is full: could not extend file"):
                await ledger.of(SYNC).hold([hold()])
            assert await ledger.of(SYNC).holds() == ()
        connection.execute("DROP FUNCTION full_disk CASCADE")
    await ledger.of(SYNC).hold([hold()])
    assert await ledger.of(SYNC).holds() == (hold(),)


async def test_answers_to_many_questions_are_taken_in_parts(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    executemany = psycopg.RawCursor.executemany

    def counted(self: Any, sql: Any, rows: Any, **options: Any) -> None:
        rows = list(rows)
        asked.append(len(rows))
        executemany(self, sql, rows, **options)

    own = ledger.of(SYNC)
    run = await own.begin_run(1.0)
    links = [link(str(number), remote_id=number + 1) for number in range(2500)]
    await own.adopt(run, links, now=2.0)
    monkeypatch.setattr(psycopg.RawCursor, "executemany", counted)
    assert await own.links_for([one.key for one in links]) == tuple(links)
    assert asked == [1000, 1000, 500]
    await own.doubt([one.key for one in links])
    assert {one.fingerprint for one in await own.links_for([one.key for one in links])} == {""}
