"""What may happen to two machines that share portals over one PostgreSQL, and what is heard of it: for `lease_load`."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from asyncio.subprocess import Process
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from aiohttp import web

from tests.bench.kill_relay import deeds_of
from tests.bench.relay import Relay, cut
from tests.support import set_clock
from tests.support.database_clock import SET
from tests.support.held_line import HeldLine
from tests.support.postgres import Server

SET_CLOCK = Path(*set_clock.__path__)
_CODE = re.compile(r"/rest/1/(machine\w+)/")
HISTORY = """
CREATE TABLE IF NOT EXISTS lease_history (
  at timestamptz NOT NULL DEFAULT real_clock_timestamp(),
  portal text NOT NULL, holder text NOT NULL, epoch bigint NOT NULL
);
CREATE OR REPLACE FUNCTION note_epoch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO {schema}.lease_history (portal, holder, epoch) VALUES (NEW.portal, NEW.holder, NEW.epoch);
  RETURN NEW;
END $$;
DROP TRIGGER IF EXISTS noted ON leases;
CREATE TRIGGER noted AFTER UPDATE OF epoch ON leases FOR EACH ROW EXECUTE FUNCTION note_epoch();
"""


@dataclass(slots=True)
class Sent:
    """One request that changes a portal: when it arrived in unix time, and the process that sent it."""

    at: float
    portal: str
    pid: int
    deeds: str


@dataclass(slots=True)
class Machine:
    """One machine: its process, its own line to the database, and the code by which the portals know it."""

    name: str
    folder: Path
    line: HeldLine
    process: Process | None = None
    pid: int = 0
    frozen: bool = False
    logged: int = 0
    """Where in the log the present process begins."""

    def set_clock(self, ahead_s: float) -> None:
        """Set the machine's calendar clock so far ahead of the true time, while its process runs."""
        (fresh := self.folder / "clock.new").write_text(str(ahead_s))
        fresh.replace(self.folder / "clock")

    @property
    def environ(self) -> dict[str, str]:
        """What its processes begin with."""
        return os.environ | {
            "PYTHONPATH": str(SET_CLOCK), "SYNCD_TESTS_CLOCK": str(self.folder / "clock"),
        }  # fmt: skip

    @property
    def code(self) -> str:
        return f"machine{self.name}"

    async def start(self) -> None:
        """Start the daemon, unless it runs."""
        if self.process is not None and self.process.returncode is None:
            return
        with (self.folder / "log").open("ab") as log:
            self.logged = log.tell()
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "syncd", "--config", str(self.folder / "syncd.toml"), "-v", "run",
                stdout=log, stderr=log, env=self.environ,
            )  # fmt: skip
        self.pid, self.frozen = self.process.pid, False

    def begun(self) -> bool:
        """Return True once the process listens to signals: before that they end it as they end any program."""
        return b"daemon.started" in (self.folder / "log").read_bytes()[self.logged :]

    def send(self, number: signal.Signals) -> None:
        """Send the process a signal, if it lives."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)
            self.frozen = number == signal.SIGSTOP or (self.frozen and number != signal.SIGCONT)

    async def ended(self, within_s: float) -> int:
        """Wait until the process has ended."""
        assert self.process is not None
        return await asyncio.wait_for(self.process.wait(), within_s)


@dataclass(slots=True)
class Watched(Relay):
    """The address of one portal that both machines know; writes down who changes it, and may lose answers."""

    name: str
    path: str
    machines: Mapping[str, Machine]
    sent: list[Sent] = field(default_factory=list)
    losing: int = 0
    """So many answers of changes are lost from now on."""
    late_s: float = 0.0
    """For so long the next change is kept back; its sender is killed meanwhile."""
    met: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass it on for the machine that sent it, unless it is to be late, or its answer lost."""
        body = await request.read()
        found = _CODE.search(request.path)
        assert found is not None
        machine = self.machines[found[1].removeprefix("machine")]
        path = _CODE.sub(lambda _: self.path, request.rel_url.raw_path_qs)
        deeds = deeds_of(request.path, body)
        if deeds == "read":
            return await self.forward(request, path, body)
        self.sent.append(Sent(time.time(), self.name, machine.pid, deeds))
        self.met.set()
        if self.late_s:
            delay, self.late_s = self.late_s, 0.0
            machine.send(signal.SIGKILL)
            task = asyncio.create_task(self.forward(request, path, body, delay))
            self.late.add(task)
            task.add_done_callback(self.late.discard)
            return cut(request)
        answer = await self.forward(request, path, body)
        if self.losing:
            self.losing -= 1
            return cut(request)
        return answer


@dataclass(slots=True)
class Store:
    """The database: its server, and what is asked of it."""

    server: Server
    schema: str

    def ask(self, sql: str, *values: Any) -> list[Any]:
        """Return the rows of a query; retried while the server starts again."""
        for _ in range(100):
            try:
                with psycopg.connect(self.server.address, autocommit=True) as line:
                    line.execute(f"SET search_path TO {self.schema}".encode())
                    cursor = line.execute(sql.encode(), values or None)
                    return cursor.fetchall() if cursor.description is not None else []
            except psycopg.OperationalError:
                time.sleep(0.1)
        raise RuntimeError("the database does not come back")

    def set_clock(self, ahead_s: float) -> None:
        """Set the database's clock so far ahead of the true time."""
        self.ask(SET, round(ahead_s * 1e6))

    def watch(self) -> None:
        """Have every take of a lease written down."""
        with psycopg.connect(self.server.address, autocommit=True) as line:
            line.execute(f"SET search_path TO {self.schema}".encode())
            line.execute(HISTORY.format(schema=self.schema).encode())

    def takes(self) -> list[tuple[float, str, int, int]]:
        """Return (unix time, portal, pid, epoch) of every take so far."""
        rows = self.ask("SELECT extract(epoch FROM at)::float8, portal, holder, epoch FROM lease_history ORDER BY at")
        return [(at, portal, int(holder.split(":")[1]), epoch) for at, portal, holder, epoch in rows]


def fallen(sent: list[Sent], takes: list[tuple[float, str, int, int]]) -> list[str]:
    """Return what arrived of an older epoch after something of a newer one had."""
    told = []
    by_portal: dict[str, list[Sent]] = defaultdict(list)
    for one in sent:
        by_portal[one.portal].append(one)
    for portal, requests in by_portal.items():
        newest = 0
        for one in requests:
            known = [epoch for at, name, pid, epoch in takes if name == portal and pid == one.pid and at <= one.at]
            epoch = max(known, default=0)
            if epoch < newest or not epoch:
                told.append(f"{one.deeds} of epoch {epoch} reached {portal} after epoch {newest}")
            newest = max(newest, epoch)
    return told


async def until(true: Callable[[], bool], within_s: float) -> bool:
    """Wait until something is true; return False if it is not in time."""
    ends = time.monotonic() + within_s
    while not true():
        if time.monotonic() > ends:
            return False
        await asyncio.sleep(0.05)
    return True
