"""Two real daemons on one real PostgreSQL, two portals and a few faults; `tests.bench.lease_load` plays hundreds."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from random import Random

import pytest

pytest.importorskip("psycopg")

from tests.bench.lease_faults import Machine, until
from tests.bench.lease_load import TTL_S, Campaign, Tally, campaign, straight
from tests.support.postgres import MISSING, Server, program

pytestmark = pytest.mark.skipif(program("postgres") is None, reason=MISSING)


@asynccontextmanager
async def two(folder: Path, way: Callable[[Server], AbstractContextManager[int]] = straight) -> AsyncIterator[Campaign]:
    """Start both machines, and wait until the portals show what the sources say."""
    async with campaign(folder, Random(1), Tally(), way) as one:
        await one.check()
        assert await until(lambda: all(one.holder(portal) is not None for portal in one.portals), 30)
        yield one


def shared_out(one: Campaign) -> bool:
    """Return True if each machine holds one portal: then nothing moves any more by itself."""
    a, b = one.holder("a"), one.holder("b")
    return a is not None and b is not None and a is not b


def ttl_of(one: Campaign, portal: str) -> float:
    """Return how long the lease of a portal lasts, by what its row says."""
    rows = one.store.ask("SELECT extract(epoch FROM ttl)::float8 FROM leases WHERE portal = %s", portal)
    return float(rows[0][0])


async def command(machine: Machine, *words: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "syncd", "--config", str(machine.folder / "syncd.toml"), *words,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


async def pushing(one: Campaign, portal: str) -> Machine:
    """Change the sources, and return who holds the portal once it sends the first of it."""
    one.relays[portal].met.clear()
    one.edit()
    await asyncio.wait_for(one.relays[portal].met.wait(), 30)
    holder = one.holder(portal)
    assert holder is not None
    return holder


async def test_a_machine_that_dies_is_replaced_in_time_and_one_that_stops_at_once(tmp_path: Path) -> None:
    async with two(tmp_path) as one:
        assert await until(lambda: shared_out(one), 20)
        await one.kill(await pushing(one, "a"), "a")
        assert one.tally.takeovers[-1] < TTL_S + 2
        await one.check()
        # The machine that died is back, and the portals are shared out again: what moves by itself is no hand-over.
        assert await until(lambda: shared_out(one), 20)
        holder = one.holder("a")
        assert holder is not None
        config = holder.folder / "syncd.toml"
        config.write_text(config.read_text().replace(f'ttl = "{TTL_S}s"', 'ttl = "77s"'))
        holder.send(signal.SIGHUP)
        assert await until(lambda: ttl_of(one, "a") == 77, 10)  # other terms count from the reload on
        config.write_text(config.read_text().replace('ttl = "77s"', f'ttl = "{TTL_S}s"'))
        holder.send(signal.SIGHUP)
        assert await until(lambda: ttl_of(one, "a") == TTL_S, 10)
        await one.stop(holder, "a")
        assert one.tally.handovers[-1] < 2  # within a second where the machine is not this busy
        await one.check()


async def test_a_machine_that_freezes_or_is_cut_off_writes_nothing_when_it_comes_back(tmp_path: Path) -> None:
    async with two(tmp_path) as one:
        frozen = await pushing(one, "a")
        frozen.send(signal.SIGSTOP)
        assert await until(lambda: one.holder("a") not in (None, frozen), TTL_S + 10)
        frozen.send(signal.SIGCONT)
        await one.check()  # no older epoch has written after a newer one
        cut_off = await pushing(one, "b")
        cut_off.line.hold()
        assert await until(lambda: one.holder("b") not in (None, cut_off), TTL_S + 10)
        one.edit()
        await asyncio.sleep(2)
        cut_off.line.deliver()
        await one.check()


async def test_clocks_that_are_set_have_nothing_written_by_two(tmp_path: Path) -> None:
    async with two(tmp_path) as one:
        for ahead_s in (7200.0, -7200.0):
            holder = await pushing(one, "a")
            holder.set_clock(ahead_s)
            for portal in ("a", "b"):
                one.relays[portal].met.clear()
        one.store.set_clock(30.0)  # longer than any lease lasts
        await asyncio.sleep(1)
        one.edit()
        await one.check()
        await pushing(one, "b")
        one.store.set_clock(-3600.0)
        await one.check()
        holder = await pushing(one, "a")
        holder.send(signal.SIGKILL)
        assert await until(lambda: one.holder("a") not in (None, holder), 2 * TTL_S + 10)
        await one.check()


@pytest.mark.usefixtures("measured_programs")
async def test_a_command_goes_to_the_daemon_that_holds_the_portal_or_names_it(tmp_path: Path) -> None:
    async with two(tmp_path) as one:
        assert await until(lambda: shared_out(one), 20)
        holder = one.holder("a")
        assert holder is not None
        other = next(machine for machine in one.machines.values() if machine is not holder)
        code, said = await command(holder, "sync", "shifts")
        assert (code, "shifts: done" in said) == (0, True)
        code, said = await command(other, "sync", "shifts")
        assert code == 6
        assert f"(pid {holder.pid}) since" in said
        assert "syncd lease release a" in said
        code, said = await command(other, "lease", "list", "--json")
        told = {row["portal"]: row["pid"] for row in json.loads(said)["leases"]}
        assert (code, told["a"], len(told)) == (0, holder.pid, 2)
        code, said = await command(other, "status", "--json")
        assert (code, len(json.loads(said)["members"])) == (0, 2)
        code, said = await command(holder, "lease", "release", "a")
        assert (code, f"(pid {other.pid})" in said) == (0, True), said
        other.send(signal.SIGTERM)
        holder.send(signal.SIGTERM)
        assert (await other.ended(30), await holder.ended(30)) == (0, 0)
        began = time.monotonic()
        code, said = await command(other, "sync", "shifts")  # with a lease of its own
        assert (code, "shifts: done" in said) == (0, True), said
        assert one.holder("a") is None  # given back, not run out
        assert time.monotonic() - began < TTL_S + 10
        await one.check()
