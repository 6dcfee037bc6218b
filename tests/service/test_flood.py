"""A thousand connections that say nothing do not stop the syncs: the real process, with few descriptors."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from syncd.sandbox.http_server import RunningSandbox
from tests.service.test_process import ROWS, Unit
from tests.support.sandbox import HEADER

_LEFT_FOR_SYNCS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """What a flood of connections did to the service: kB of memory, bytes of log, seconds until a change was synced."""

    before_kb: int
    after_kb: int
    logged: str
    synced_s: float
    answered: bool


async def flood(unit: Unit, connections: int, descriptors: int) -> Flood:
    """Open half-open `connections` to the page of a service with so many `descriptors`, and change its source."""
    port = _free_port()
    head, _, rest = unit.text.partition("[")
    unit.config.write_text(f'{head}\n[http]\nlisten = "127.0.0.1:{port}"\n[{rest}')
    await unit.start()
    assert unit.process is not None
    resource.prlimit(unit.process.pid, resource.RLIMIT_NOFILE, (descriptors, descriptors))
    at = await unit.hear("STATUS=next pass: shifts at 20", await unit.hear("STATUS=shifts"))
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/healthz") as answer:
        assert answer.status == 200
    before = _resident_kb(unit.process.pid)
    held = [await _half_open(port, number) for number in range(connections)]
    began = time.monotonic()
    (unit.folder / "shifts.csv").write_text(HEADER + ROWS + ROWS.replace("1,Early", "2,Late"))
    at = await unit.hear("STATUS=shifts", at)
    at = await unit.hear("STATUS=next pass: shifts at 20", at)
    synced_s = time.monotonic() - began
    after = _resident_kb(unit.process.pid)
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/healthz") as answer:
        answered = answer.status == 200
    for connection in held:
        connection.close()
    unit.process.terminate()
    code, logged = await unit.end()
    assert code == 0
    return Flood(before_kb=before, after_kb=after, logged=logged, synced_s=synced_s, answered=answered)


async def test_connections_that_say_nothing_stop_no_sync_and_cost_neither_memory_nor_log(
    tmp_path: Path, portal: RunningSandbox
) -> None:
    unit = Unit(tmp_path, portal)
    seen = await flood(unit, connections=500, descriptors=64 + _LEFT_FOR_SYNCS)
    assert seen.logged.count('"event": "pass.done"') == 2
    assert seen.logged.count('"created": 1') == 2
    assert seen.answered
    assert seen.after_kb - seen.before_kb < 20_000
    assert seen.logged.count("page.crowded") == 1
    assert "Traceback" not in seen.logged
    assert len(seen.logged) < 20_000


async def _half_open(port: int, number: int) -> socket.socket:
    connection = socket.socket()
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    with suppress(OSError):  # cut off already
        await loop.sock_connect(connection, ("127.0.0.1", port))
        if number % 2:
            await loop.sock_sendall(connection, b"GET / HTTP/1.1\r\nHost: localh")
    return connection


def _resident_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
