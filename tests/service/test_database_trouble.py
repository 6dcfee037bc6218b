"""What may be wrong with the database that real machines share: edited by hand, behind a pooler, away, or another's."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("psycopg")

import psycopg

from tests.bench.lease_faults import Machine, until
from tests.bench.lease_load import TTL_S, Campaign
from tests.service.test_two_machines import command, pushing, shared_out, two
from tests.support.held_line import HeldLine
from tests.support.postgres import MISSING, NOBODY, USER, Server, free_port, program

pytestmark = pytest.mark.skipif(program("postgres") is None, reason=MISSING)

BY_HAND = (
    "UPDATE leases SET holder = 'somebody'",
    "UPDATE leases SET epoch = 1",
    "UPDATE leases SET expires_at = '2040-01-01'",
    "UPDATE leases SET expires_at = 'infinity', holder = 'somebody', ttl = '3 s'",
    "DELETE FROM leases",
    "DELETE FROM members",
)
CONFIG = """control = "{folder}/syncd.sock"
state_url = "{url}"
[lease]
ttl = "4s"
renew = "1s"
margin = "1s"
[portals.main]
webhook = "http://127.0.0.1:9/rest/1/code/"
[[sync]]
name = "shifts"
[sync.source]
type = "ics"
path = "shifts.ics"
[sync.target]
owner = "1"
"""


def taken(one: Campaign, portal: str) -> bool:
    """Return True if one of the machines holds a portal by a lease that has not run out."""
    rows = one.store.ask(
        "SELECT pid FROM leases WHERE portal = %s AND holder <> '' AND expires_at > clock_timestamp()", portal
    )
    return bool(rows) and rows[0][0] in {machine.pid for machine in one.machines.values()}


async def test_leases_that_somebody_edits_by_hand_let_nobody_write_twice_and_last_for_no_longer_than_one(
    tmp_path: Path,
) -> None:
    async with two(tmp_path) as one:
        for statement in BY_HAND:
            await pushing(one, "a")
            # In a thread: it may wait for a daemon's transaction, whose line to the database this loop serves.
            await asyncio.to_thread(one.store.ask, statement)
            await asyncio.sleep(1.5)  # whoever held one has looked
            assert await until(lambda: taken(one, "a") and taken(one, "b"), 3 * TTL_S + 10), statement
        await one.check()


PGBOUNCER = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")


@contextmanager
def pgbouncer(server: Server) -> Iterator[int]:
    """Run pgbouncer in transaction mode before a server, and give its port."""
    assert PGBOUNCER is not None
    folder, port = server.folder.with_name("pgbouncer"), free_port()
    folder.mkdir()
    (folder / "users").write_text(f'"{USER}" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={server.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {folder}/users\n"
        "pool_mode = transaction\ndefault_pool_size = 3\nserver_login_retry = 1\n"
    )
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    process = subprocess.Popen([PGBOUNCER, "-q", folder / "pgbouncer.ini"], **user)  # type: ignore[call-overload]
    try:
        yield port
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.skipif(PGBOUNCER is None, reason="there is no pgbouncer here")
async def test_a_pooler_in_transaction_mode_is_recognised_and_does_no_harm(tmp_path: Path) -> None:
    async with two(tmp_path, pgbouncer) as one:
        assert await until(lambda: shared_out(one), 20)
        holder = await pushing(one, "a")
        holder.send(signal.SIGKILL)
        assert await until(lambda: one.holder("a") not in (None, holder), TTL_S + 10)
        await one.check()
        assert await until(lambda: shared_out(one), 20)
        stopped = one.holder("b")
        assert stopped is not None
        await one.stop(stopped, "b")  # the other looks for itself, at every renewal
        await one.check()
        _, said = await command(stopped, "check")
        assert "through a pooler" in said


async def test_a_daemon_waits_for_its_database_and_begins_when_it_is_there(tmp_path: Path) -> None:
    server = Server(Server.place(tmp_path), free_port())
    server.make()
    machine = Machine("one", tmp_path, HeldLine(server.port))
    machine.set_clock(0.0)
    (tmp_path / "syncd.toml").write_text(CONFIG.format(folder=tmp_path, url=server.address))
    (tmp_path / "shifts.ics").write_text("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nEND:VCALENDAR\r\n")
    try:
        await machine.start()

        def told(event: bytes) -> bool:
            return event in (tmp_path / "log").read_bytes()

        assert await until(lambda: told(b"ledger.awaited"), 30)
        code, said = await command(machine, "status")
        assert (code, "cannot be reached" in said) == (3, True)
        await asyncio.to_thread(server.start)
        assert await until(lambda: told(b"daemon.started"), 60)
        with psycopg.connect(server.address, autocommit=True) as line:
            line.execute("UPDATE syncd.state SET version = 99")
        machine.send(signal.SIGTERM)
        assert await machine.ended(60) == 0
        code, said = await command(machine, "status")
        assert (code, "was made by a newer syncd (schema 99" in said) == (2, True)
        await machine.start()
        assert await machine.ended(60) == 2  # nothing will be better by waiting
    finally:
        machine.send(signal.SIGKILL)
        server.remove()
