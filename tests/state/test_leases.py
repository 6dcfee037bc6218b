"""Leases in a real PostgreSQL: one holder at any moment, by the database's clock alone."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

psycopg = pytest.importorskip("psycopg")

from syncd.config.database import Database  # noqa: E402 - needs psycopg
from syncd.errors import LostLeaseError, StateUnavailableError, StateUnreachableError  # noqa: E402 - needs psycopg
from syncd.model.lease import Board, LeaseTerms  # noqa: E402
from syncd.state.ledger import Ledger  # noqa: E402
from syncd.state.postgres import leases  # noqa: E402
from syncd.state.postgres.keeper import Keeper  # noqa: E402
from syncd.state.postgres.leases import Connection, Identity, Taken  # noqa: E402
from tests.support.few_threads import allow_threads  # noqa: E402
from tests.support.held_line import HeldLine  # noqa: E402

TERMS = LeaseTerms(ttl_s=1.0, renew_s=0.3, margin_s=0.2)


def who(name: str) -> Identity:
    return Identity(holder=name, host=f"host-{name}", pid=1, version="1")


Connect = Callable[[], Connection]
FENCE = (
    "SELECT 1 FROM leases WHERE portal = %s AND holder = %s AND epoch = %s AND expires_at > clock_timestamp()"
    " FOR KEY SHARE"
)


@pytest.fixture
async def connect(database: Database) -> Connect:
    await (await Ledger.open(database, now=1000.0)).close()  # makes the tables

    def opened() -> Connection:
        found: Connection = psycopg.connect(
            database.url.reveal(),
            autocommit=True,
            options=f"-c search_path={database.schema}",
            application_name=database.schema,
        )
        return found

    return opened


@pytest.fixture
def line(connect: Connect) -> Iterator[Connection]:
    with connect() as one:
        yield one


@asynccontextmanager
async def keeping(connect: Connect, name: str, terms: LeaseTerms = TERMS) -> AsyncIterator[Keeper]:
    def opened() -> tuple[Connection, str, bool]:
        made = connect()
        return made, made.info.parameter_status("application_name") or "", False

    keeper = Keeper(opened, who(name), terms, clock=time.monotonic)
    await keeper.open()
    try:
        yield keeper
    finally:
        await keeper.close()


def take(line: Connection, name: str, portal: str = "main") -> Taken | None:
    with line.transaction():
        return leases.take(line, who(name), TERMS, portal)


async def until(true: Callable[[], bool], within_s: float = 10.0) -> float:
    """Wait until something is true, and return how long that took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < within_s
        await asyncio.sleep(0.01)
    return time.monotonic() - began


def test_a_lease_has_one_holder_and_its_epoch_grows_with_each_take(line: Connection) -> None:
    taken = take(line, "a")
    assert taken is not None
    assert take(line, "b") is None
    leases.give_back(line, who("a"), {"main": taken.epoch})
    again = take(line, "b")
    assert again is not None
    assert again.orderly
    assert again.epoch > taken.epoch


def test_an_epoch_does_not_fall_when_somebody_deletes_the_row(line: Connection) -> None:
    first = take(line, "a")
    line.execute("DELETE FROM leases")
    second = take(line, "b")
    assert first is not None
    assert second is not None
    assert second.epoch > first.epoch
    assert leases.renew(line, who("a"), TERMS, {"main": first.epoch}) == frozenset()


def test_a_lease_that_ran_out_was_not_left_in_order(line: Connection) -> None:
    take(line, "a")
    line.execute("UPDATE leases SET expires_at = clock_timestamp()")
    taken = take(line, "b")
    assert taken is not None
    assert not taken.orderly


def test_who_was_late_renews_nothing_and_passes_no_fence(line: Connection) -> None:
    taken = take(line, "a")
    assert taken is not None
    fence = ("main", "a", taken.epoch)
    assert line.execute(FENCE, fence).fetchone() is not None
    line.execute("UPDATE leases SET expires_at = clock_timestamp()")
    assert line.execute(FENCE, fence).fetchone() is None
    assert leases.renew(line, who("a"), TERMS, {"main": taken.epoch}) == frozenset()


def test_a_take_waits_for_the_transaction_that_has_passed_the_fence_and_a_renewal_does_not(
    connect: Connect, line: Connection
) -> None:
    taken = take(line, "a")
    assert taken is not None
    with connect() as writer:
        with writer.transaction():
            assert writer.execute(FENCE, ("main", "a", taken.epoch)).fetchone() is not None
            assert leases.renew(line, who("a"), TERMS, {"main": taken.epoch}) == {"main"}
            time.sleep(TERMS.ttl_s + 0.05)
            assert take(line, "b") is None
        assert take(line, "b") is not None


def test_of_many_that_take_at_once_one_gets_it(connect: Connect) -> None:
    got: list[str] = []
    together = threading.Barrier(8)

    def take_one(name: str) -> None:
        with connect() as one:
            together.wait()
            if take(one, name) is not None:
                got.append(name)

    threads = [threading.Thread(target=take_one, args=(str(number),)) for number in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(got) == 1


def test_an_end_that_somebody_wrote_by_hand_keeps_nobody_out(line: Connection) -> None:
    take(line, "a")
    line.execute("UPDATE leases SET expires_at = 'infinity'")
    leases.mend(line)
    assert leases.look(line).leases[0].left_s <= TERMS.ttl_s
    time.sleep(TERMS.ttl_s)
    assert take(line, "b") is not None


def test_a_member_is_alive_until_it_is_no_longer_heard_of(line: Connection) -> None:
    leases.beat(line, who("a"), TERMS, {"main": 3})
    (one,) = leases.look(line).members
    assert (one.holder, one.portals) == ("a", {"main": 3})
    assert 0 < one.left_s <= TERMS.ttl_s
    line.execute("UPDATE members SET portals = 'edited by hand'")
    assert leases.look(line).members[0].portals == {}
    leases.leave(line, who("a"))
    assert leases.look(line).members == ()


def test_a_member_that_died_before_the_database_s_clock_was_set_back_is_dead_in_time(line: Connection) -> None:
    with line.transaction():
        leases.beat(line, who("a"), TERMS, {"main": 1})
    line.execute("UPDATE members SET expires_at = expires_at + interval '2 hours'")  # as the clock sees it then
    assert leases.look(line).members[0].left_s > 7000
    leases.mend(line)
    assert leases.look(line).members[0].left_s <= TERMS.ttl_s


def test_who_was_asked_back_by_a_clock_that_was_ahead_is_not_avoided_for_so_long(line: Connection) -> None:
    assert take(line, "a") is not None
    assert leases.ask_back(line, "main")
    assert leases.look(line).leases[0].avoids == "a"
    line.execute("UPDATE leases SET asked_back_at = asked_back_at + interval '2 hours'")
    assert leases.look(line).leases[0].avoids == ""


async def test_a_lease_is_renewed_as_long_as_its_keeper_runs(connect: Connect, line: Connection) -> None:
    async with keeping(connect, "a") as keeper:
        got = await keeper.take("main")
        assert got is not None
        await asyncio.sleep(2.5 * TERMS.ttl_s)
        assert got.valid()
        assert take(line, "b") is None
    assert not got.valid()
    assert take(line, "b") is not None


async def test_a_lease_that_a_step_of_the_database_s_clock_has_ended_is_taken_by_nobody_for_a_while(
    connect: Connect, line: Connection
) -> None:
    ahead_s = 0.0

    def clock() -> float:  # the database's cannot be set here, so this one and its holder's are set back
        return time.monotonic() - ahead_s

    def opened() -> tuple[Connection, str, bool]:
        made = connect()
        return made, made.info.parameter_status("application_name") or "", False

    keeper = Keeper(opened, who("b"), TERMS, clock=clock)
    await keeper.open()
    try:
        assert take(line, "a") is not None
        await keeper.look()
        ahead_s = 60.0
        line.execute("UPDATE leases SET expires_at = clock_timestamp() - interval '1s'")
        assert await keeper.take("main") is None
        began = time.monotonic()
        for _ in range(400):
            if await keeper.take("main") is not None:
                break
            await asyncio.sleep(0.05)
        assert keeper.tenures["main"].valid()
        assert time.monotonic() - began > TERMS.ttl_s - 0.2
        await keeper.give_back(["main"])
        ahead_s = 120.0
        assert await keeper.take("main") is not None  # what was given back is free
    finally:
        await keeper.close()


async def test_leases_go_by_other_terms_from_the_next_renewal_on(connect: Connect, line: Connection) -> None:
    def left_s() -> float:
        return leases.look(line).leases[0].left_s

    async with keeping(connect, "a") as keeper:
        got = await keeper.take("main")
        assert got is not None
        keeper.go_by(LeaseTerms(ttl_s=60, renew_s=20, margin_s=5))
        await until(lambda: left_s() > 50)
        await until(lambda: got.left_s() > 50)
        assert got.left_s() < left_s()
        keeper.go_by(TERMS)
        await until(lambda: left_s() < TERMS.ttl_s)
        await until(lambda: got.left_s() < TERMS.ttl_s - TERMS.margin_s)
        assert got.valid()


async def test_shorter_terms_that_the_database_did_not_answer_to_shorten_a_lease_all_the_same(
    connect: Connect, line: Connection
) -> None:
    held = HeldLine(line.info.port)
    await held.open()

    def through() -> tuple[Connection, str, bool]:
        made = psycopg.connect(line.info.dsn, port=held.port, autocommit=True)
        return made, line.info.parameter_status("application_name") or "", True

    keeper = Keeper(through, who("a"), LeaseTerms(ttl_s=60, renew_s=20, margin_s=5), clock=time.monotonic)
    await keeper.open()
    try:
        got = await keeper.take("main")
        assert got is not None
        held.hold()
        keeper.go_by(TERMS)
        await until(lambda: not got.valid(), within_s=TERMS.ttl_s + 1)
        held.deliver()
    finally:
        await keeper.close()
        await held.close()


async def test_what_is_given_back_or_taken_is_heard_of_at_once(connect: Connect) -> None:
    slow = LeaseTerms(ttl_s=30, renew_s=10, margin_s=3)
    async with keeping(connect, "a", slow) as one, keeping(connect, "b", slow) as other:
        await one.take("main")
        assert (await other.look()).lease("main") is not None
        began = time.monotonic()
        await one.give_back(["main"])
        await until(lambda: not other.board.leases[0].held)
        assert await other.take("main") is not None
        assert time.monotonic() - began < 1.0
        await until(lambda: one.board.leases[0].holder == "b", within_s=2.0)


async def test_what_is_given_back_while_the_board_is_looked_at_is_heard_of_at_once(
    connect: Connect, line: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = LeaseTerms(ttl_s=30, renew_s=10, margin_s=3)
    taken = take(line, "a")
    assert taken is not None
    look = leases.look

    async with keeping(connect, "b", slow) as keeper:

        def looked(connection: Connection) -> Board:
            found = look(connection)
            monkeypatch.undo()
            leases.give_back(line, who("a"), {"main": taken.epoch})
            return found

        line.execute("UPDATE leases SET expires_at = clock_timestamp() + interval '20s', ttl = '20s'")
        assert (await keeper.look()).leases[0].held
        monkeypatch.setattr(leases, "look", looked)
        leases.give_back(line, who("a"), {})  # nothing, but it is told
        await until(lambda: not keeper.board.leases[0].held, within_s=2.0)


async def test_a_session_that_the_server_ended_costs_no_lease(connect: Connect, line: Connection) -> None:
    async with keeping(connect, "a") as keeper:
        got = await keeper.take("main")
        assert got is not None
        for _ in range(4):
            line.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()"
            )
            await asyncio.sleep(0.5)
        assert got.valid()
        assert keeper.trouble == ""


async def test_who_is_cut_off_stops_before_another_may_begin(connect: Connect, line: Connection) -> None:
    server = line.info
    proxy = HeldLine(server.port)
    await proxy.open()

    def through() -> tuple[Connection, str, bool]:
        found: Connection = psycopg.connect(
            host="127.0.0.1", port=proxy.port, user=server.user, dbname=server.dbname, autocommit=True,
            connect_timeout=2,
        )  # fmt: skip
        return found, line.info.parameter_status("application_name") or "", False

    keeper = Keeper(through, who("a"), TERMS, clock=time.monotonic)
    await keeper.open()
    got = await keeper.take("main")
    assert got is not None
    await asyncio.sleep(0.5)
    proxy.hold()
    await until(lambda: not got.valid(), TERMS.ttl_s)
    assert take(line, "b") is None  # the margin
    await asyncio.sleep(TERMS.margin_s + 0.1)
    taken = take(line, "b")
    assert taken is not None
    proxy.deliver()  # and what was held back arrives late
    await asyncio.sleep(1.0)
    assert leases.look(line).leases[0].epoch == taken.epoch
    with pytest.raises(LostLeaseError):
        got.check()
    await keeper.close()
    await proxy.close()


async def test_a_keeper_says_why_the_database_cannot_be_asked() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

    def nowhere() -> tuple[Connection, str, bool]:
        return psycopg.connect(host="127.0.0.1", port=port, autocommit=True), "", False

    keeper = Keeper(nowhere, who("a"), TERMS, clock=time.monotonic)
    with pytest.raises(StateUnreachableError, match="refused"):  # which a daemon that starts waits for
        await keeper.open()
    assert "refused" in keeper.trouble


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_who_waits_for_a_keeper_that_a_defect_has_ended_is_told(
    connect: Connect, line: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, asked = threading.Event(), threading.Event()

    def broken(_: Connection) -> Board:
        begun.set()
        assert asked.wait(10)
        raise LookupError("a defect")

    async with keeping(connect, "a") as keeper:
        monkeypatch.setattr(leases, "look", broken)
        leases.give_back(line, who("a"), {})  # which is told, so that it looks
        assert await asyncio.to_thread(begun.wait, 10)
        waiting = asyncio.create_task(keeper.take("main"))
        await asyncio.sleep(0)
        asked.set()
        for late in (waiting, keeper.take("main")):
            with pytest.raises(StateUnavailableError, match="no longer kept"):
                await asyncio.wait_for(late, 5)
        assert isinstance(keeper.failure, LookupError)


async def test_a_server_that_is_away_for_a_while_costs_the_lease_and_nothing_else(
    connect: Connect, line: Connection
) -> None:
    """Each connection is broken as soon as it is made, until the server is back."""
    away = False

    def opened() -> tuple[Connection, str, bool]:
        made = connect()
        if away:
            with socket.socket(fileno=os.dup(made.fileno())) as half:
                half.shutdown(socket.SHUT_RDWR)
        return made, line.info.parameter_status("application_name") or "", False

    keeper = Keeper(opened, who("a"), TERMS, clock=time.monotonic)
    await keeper.open()
    got = await keeper.take("main")
    assert got is not None
    away = True
    line.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()"
    )
    await until(lambda: not got.valid(), 3.0)
    await asyncio.sleep(1.5)
    assert keeper.failure is None
    assert keeper.trouble
    away = False
    await until(lambda: not keeper.trouble, 3.0)
    assert await keeper.take("main") is not None
    await keeper.close()


async def test_a_machine_without_room_for_a_thread_is_as_one_whose_server_is_away(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with keeping(connect, "a") as keeper:
        with monkeypatch.context() as none:
            allow_threads(none, 0)
            await until(lambda: "can't start new thread" in keeper.trouble, 3.0)
            assert keeper.failure is None
        await until(lambda: not keeper.trouble, 3.0)
        assert await keeper.take("main") is not None
