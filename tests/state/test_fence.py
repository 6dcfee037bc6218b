"""Two ledgers on one database: what is written of a portal is written by its holder, and by nobody late."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.app.authorising import ledger_tokens
from syncd.clock import SystemClock
from syncd.config import AppConfig, LimitsConfig, PortalConfig
from syncd.config.database import Database
from syncd.config.secrets import Secret
from syncd.errors import LostLeaseError, StateError, StateLockedError
from syncd.model.lease import LeaseTerms
from syncd.model.record import Settlement, ToldTrouble, Written
from syncd.portal.oauth.grants import Authorisation, Chain
from syncd.state.ledger import Ledger
from syncd.state.tokens import LedgerTokens
from tests.state.values import OTHER, SYNC, intent

psycopg = pytest.importorskip("psycopg")

from syncd.state.postgres import leases  # noqa: E402 - needs psycopg

TERMS = LeaseTerms(ttl_s=1.0, renew_s=0.3, margin_s=0.2)
SLOW = LeaseTerms(ttl_s=60.0, renew_s=20.0, margin_s=5.0)
PORTALS = {SYNC: "main", OTHER: "branch"}

STALE = ToldTrouble(text="stale", portal="main")


@asynccontextmanager
async def shared(database: Database, terms: LeaseTerms = SLOW) -> AsyncIterator[Ledger]:
    ledger = await Ledger.open(database, now=1000.0)
    try:
        await ledger.share(terms, SystemClock())
        ledger.serve(PORTALS)
        yield ledger
    finally:
        await ledger.close()


async def take(ledger: Ledger, portal: str = "main") -> bool:
    assert ledger.leases is not None
    return await ledger.leases.take(portal) is not None


async def intended(ledger: Ledger, uid: str) -> tuple[int, int]:
    """Write down a create and return its run and its number."""
    run_id = await ledger.of(SYNC).begin_run(1000.0)
    (number,) = await ledger.of(SYNC).reserve_ids(1)
    await ledger.of(SYNC).intend(run_id, [intent(number, run_id, uid)])
    return run_id, number


def expire(database: Database) -> None:
    """Let every lease end, as the database counts, without its holder's having heard."""
    with psycopg.connect(database.url.reveal(), autocommit=True) as line:
        line.execute(f"UPDATE {database.schema}.leases SET expires_at = clock_timestamp()".encode())


async def test_nothing_is_written_of_a_portal_that_nobody_holds(database: Database) -> None:
    async with shared(database) as ledger:
        with pytest.raises(LostLeaseError, match="portal main is held by no machine yet"):
            await ledger.of(SYNC).begin_run(1000.0)
        with pytest.raises(LostLeaseError):
            await ledger.of_portal("main").note_budget({}, 1000.0)
        assert await ledger.of(SYNC).runs(10) == ()


async def test_who_holds_one_portal_writes_of_that_one_only(database: Database) -> None:
    async with shared(database) as one, shared(database) as other:
        assert await take(one, "main")
        assert await take(other, "branch")
        await one.of(SYNC).begin_run(1000.0)
        await other.of(OTHER).begin_run(1000.0)
        for ledger, sync in ((one, OTHER), (other, SYNC)):
            with pytest.raises(LostLeaseError, match="is held by"):
                await ledger.of(sync).begin_run(1000.0)


async def test_the_epoch_of_its_lease_goes_along_with_every_intent(database: Database) -> None:
    epochs = []
    for uid in ("a", "b"):
        async with shared(database) as ledger:
            assert await take(ledger)
            epochs.append(ledger.tenure("main").epoch)  # type: ignore[union-attr] # it was just taken
            await intended(ledger, uid)
    with psycopg.connect(database.url.reveal(), autocommit=True) as line:
        found = line.execute(f"SELECT epoch FROM {database.schema}.intents ORDER BY id".encode()).fetchall()
    assert [epoch for (epoch,) in found] == epochs
    assert epochs[0] < epochs[1]


async def test_an_answer_that_comes_after_the_lease_has_ended_is_not_settled(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_NOTIFY", "SELECT 1")  # the news of the take is slower than the answer
    async with shared(database) as one, shared(database) as other:
        assert await take(one)
        run_id, number = await intended(one, "a")
        expire(database)
        assert await take(other)
        done = Settlement(intent_id=number, outcome=Written(remote_id=812, version=1), at=1001.0)
        with pytest.raises(LostLeaseError, match="the database says that it has ended"):
            await one.of(SYNC).settle(run_id, [done])
        (left,) = await other.of(SYNC).open_intents()
        assert left.id == number
        assert await other.of(SYNC).links() == ()
        assert one.tenure("main") is not None
        assert not one.tenure("main").valid()  # type: ignore[union-attr] # and nothing leaves for the portal either


async def test_what_another_left_unfinished_is_ended_by_who_takes_over(database: Database) -> None:
    async with shared(database, TERMS) as one, shared(database) as other:
        assert await take(one)
        run_id = await one.of(SYNC).begin_run(1000.0)
        expire(database)
        assert await take(other)
        await other.of(SYNC).end_left_runs(1010.0)
        record = await other.run(run_id)
        assert record is not None
        assert (record.state, record.finished) == ("failed", 1010.0)


async def test_each_holder_keeps_the_alerts_of_its_own_portals(database: Database) -> None:
    async with shared(database) as one, shared(database) as other:
        assert await take(one, "main")
        assert await take(other, "branch")
        await one.note_told_alerts({f"sync {SYNC}": STALE}, 1000.0)
        await other.note_told_alerts(
            {"portal branch": ToldTrouble(text="refuses"), f"sync {OTHER} (held)": ToldTrouble(text="3 held")}, 1000.0
        )
        assert await one.told_alerts() == {f"sync {SYNC}": STALE}
        await other.note_told_alerts({}, 1001.0)
        assert await one.told_alerts() == {f"sync {SYNC}": STALE}
        assert await other.told_alerts() == {}
        assert one.leases is not None
        await one.leases.give_back(["main"])
        assert await take(other, "main")
        assert await other.told_alerts() == {f"sync {SYNC}": STALE}


async def test_tokens_are_renewed_by_who_holds_the_portal_and_by_nobody_else(database: Database) -> None:
    async with shared(database) as one, shared(database) as other:
        assert await take(one)
        await other.leases.look()  # type: ignore[union-attr] # it is shared
        for ledger, held in ((one, True), (other, False)):
            tokens = LedgerTokens(
                ledger, "main", clock=SystemClock(), key=None, open_for_writing=lambda: shared(database)
            )
            if held:
                async with tokens.held():
                    assert await tokens.load() is None
                continue
            with pytest.raises(StateLockedError, match="portal main is held by"):
                async with tokens.held():
                    raise AssertionError("a renewal would end the holder's tokens")


async def test_who_only_looks_stores_tokens_with_a_lease_of_a_moment_unless_another_machine_has_it(
    database: Database,
) -> None:
    app = AppConfig(
        address="https://a.example", client_id="local.1", client_secret=Secret("s"), server="https://oauth.example",
        events="offline", events_every=timedelta(minutes=1),
    )  # fmt: skip
    portal = PortalConfig(name="main", app=app, host="a.example", tariff="standard", limits=LimitsConfig())
    authorised = Authorisation(
        client_id="local.1", member_id="0815", home="https://a.example", endpoint="https://a.example/rest/",
        chain=Chain(access_token="access", refresh_token="refresh", since=1.0),
    )  # fmt: skip
    async with shared(database) as one:
        looking = await Ledger.open_readonly(database, terms=LeaseTerms(ttl_s=600, renew_s=200, margin_s=5))
        try:
            tokens = ledger_tokens(portal, app, looking, SystemClock())
            assert await take(one, "branch")
            async with tokens.held():
                assert not await take(one, "main")
                assert one.leases is not None
                held = (await one.leases.look()).lease("main")
                assert held is not None
                assert held.left_s > 500  # by the terms of its config
                await tokens.store(authorised)
            assert await tokens.load() == authorised
            assert await take(one, "main")  # given back at once
            with pytest.raises(StateLockedError, match=rf"portal main is held by .* \(pid {os.getpid()}\)"):
                async with tokens.held():
                    raise AssertionError("a renewal would end the holder's tokens")
        finally:
            await looking.close()


async def test_who_is_frozen_within_a_transaction_keeps_others_out_for_no_longer_than_its_lease(
    database: Database,
) -> None:
    async with shared(database, TERMS) as one, shared(database) as other:
        assert await take(one)
        entered, thawed = threading.Event(), threading.Event()

        def work() -> None:
            entered.set()
            thawed.wait(20)

        frozen = asyncio.create_task(one.thread.do(work, writes=True, scope=f"sync/{SYNC}"))
        await asyncio.to_thread(entered.wait, 10)
        assert one.leases is not None
        one.leases.forget(["main"])  # nothing of it renews any more
        began = time.monotonic()
        while not await take(other):
            assert time.monotonic() - began < 6
            await asyncio.sleep(0.1)
        thawed.set()
        with pytest.raises(LostLeaseError):
            await frozen


async def test_a_ledger_that_is_closed_gives_its_leases_back(database: Database) -> None:
    async with shared(database) as one:
        assert await take(one)
    async with shared(database) as other:
        assert await take(other)
        assert other.tenure("main").orderly  # type: ignore[union-attr] # it was just taken


async def test_a_board_can_be_looked_at_without_a_say(database: Database) -> None:
    async with shared(database) as one:
        assert await take(one)
        looked = await Ledger.open_readonly(database)
        board = await looked.board()
        await looked.close()
    assert board is not None
    assert [(lease.portal, lease.held) for lease in board.leases] == [("main", True)]


async def test_writes_that_would_wait_for_a_silent_database_are_refused_at_once_without_a_lease(
    database: Database,
) -> None:
    async with shared(database) as ledger:
        assert await take(ledger)
        assert ledger.leases is not None
        blocked = asyncio.get_running_loop().run_in_executor(None, _block, database)
        await asyncio.sleep(0.3)
        waiting = asyncio.ensure_future(ledger.of(SYNC).begin_run(1000.0))
        await asyncio.sleep(0.1)
        ledger.leases.forget(["main"])
        with pytest.raises(LostLeaseError):
            await asyncio.wait_for(ledger.of(SYNC).begin_run(1000.0), 0.5)
        ledger.break_off()
        with pytest.raises((LostLeaseError, StateError)):
            await asyncio.wait_for(waiting, 5)
        await blocked
        assert await ledger.of(SYNC).runs(10) == ()


def _block(database: Database) -> None:
    """Hold the table of runs for a while."""
    with psycopg.connect(database.url.reveal()) as line:
        line.execute(f"LOCK TABLE {database.schema}.runs IN ACCESS EXCLUSIVE MODE".encode())
        line.execute("SELECT pg_sleep(1.5)")


# take: 0, 1: let one of two ledgers take; write: one of them begins a run; end: every lease ends unheard.
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["take", "write", "give back"]), st.integers(0, 1)),
        st.just(("end", 0)),
    ),
    max_size=14,
)


@given(steps)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_two_ledgers_do_only_the_latest_holder_writes(
    database: Database, played: list[tuple[str, int]]
) -> None:
    async def main() -> None:
        async with shared(database) as first, shared(database) as second:
            both, holder, epoch = (first, second), -1, 0
            for what, who in played:
                ledger = both[who]
                assert ledger.leases is not None
                match what:
                    case "take":
                        got = await ledger.leases.take("main")
                        assert (got is not None) == (holder == -1)
                        if got is not None:
                            assert got.epoch > epoch
                            holder, epoch = who, got.epoch
                    case "give back":
                        await ledger.leases.give_back(["main"])
                        holder = -1 if holder == who else holder
                    case "write":
                        try:
                            await ledger.of(SYNC).begin_run(1000.0)
                        except LostLeaseError:
                            assert holder != who
                        else:
                            assert holder == who
                    case _:
                        expire(database)
                        holder = -1

    asyncio.run(main())
