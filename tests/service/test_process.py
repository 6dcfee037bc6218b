"""The real process, as systemd would run it: READY, WATCHDOG, RELOADING and STOPPING in order, and its exit codes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from pathlib import Path

import aiohttp

from syncd.sandbox.http_server import RunningSandbox
from tests.support.sandbox import HEADER, SHIFTS, WEBHOOK

CODE = "sandboxadmin"
ROWS = "1,Early,2026-12-01 06:00,2026-12-01 14:00,anna.petrova@school.example,Desk\n"


class Unit:
    """A `syncd run` with a socket where systemd would listen."""

    def __init__(self, folder: Path, portal: RunningSandbox) -> None:
        self.folder = folder
        self.config = folder / "syncd.toml"
        self.text = 'state = "state/syncd.db"\n' + SHIFTS.replace(WEBHOOK, f"{portal.url}/rest/1/{CODE}/")
        self.config.write_text(self.text)
        (folder / "shifts.csv").write_text(HEADER + ROWS)
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / "notify"))
        self._socket.setblocking(False)
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        environ = {
            **os.environ, "NOTIFY_SOCKET": str(self.folder / "notify"), "WATCHDOG_USEC": "900000",
            "MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": "1048576",  # as deploy/syncd.service
        }  # fmt: skip
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "syncd", "--config", str(self.config), "--log-format", "json", "run",
            env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def hear(self, wanted: str, after: int = 0, timeout_s: float = 60.0) -> int:
        """Wait for a line beginning with `wanted` after the first `after` ones; return how many there are up to it."""
        ends = time.monotonic() + timeout_s
        while True:
            self._drain()
            for index in range(after, len(self.heard)):
                if self.heard[index].startswith(wanted):
                    return index + 1
            assert time.monotonic() < ends, f"{wanted} was not heard: {self.heard}"
            await asyncio.sleep(0.02)

    def _drain(self) -> None:
        while True:
            try:
                self.heard += self._socket.recv(65_536).decode().split("\n")
            except BlockingIOError:
                return

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    async def end(self) -> tuple[int, str]:
        """Return the exit code and everything that was logged."""
        assert self.process is not None
        out, logged = await asyncio.wait_for(self.process.communicate(), 60)
        self._drain()
        self._socket.close()
        assert self.process.returncode is not None
        return self.process.returncode, (out + logged).decode()


async def test_systemd_hears_ready_watchdog_reloading_and_stopping_in_order(
    tmp_path: Path, portal: RunningSandbox
) -> None:
    unit = Unit(tmp_path, portal)
    await unit.start()
    at = await unit.hear("READY=1")
    at = await unit.hear("WATCHDOG=1", at)
    at = await unit.hear("STATUS=next pass: shifts at 20", at)
    unit.config.write_text(unit.text.replace("[sync.target]", "[sync.traget]"))
    unit.signal(signal.SIGHUP)
    at = await unit.hear("RELOADING=1", at)
    at = await unit.hear("MONOTONIC_USEC=", at)
    stamp = int(unit.heard[at - 1].partition("=")[2])
    assert 0 <= time.monotonic_ns() // 1000 - stamp < 20_000_000
    at = await unit.hear("READY=1", at)
    at = await unit.hear("STATUS=the new config is refused, the old one stays", at)
    unit.config.write_text(unit.text.replace('name = "shifts"', 'name = "shifts"\nevery = "2h"'))
    unit.signal(signal.SIGHUP)
    at = await unit.hear("RELOADING=1", at)
    at = await unit.hear("READY=1", at)
    unit.signal(signal.SIGTERM)
    at = await unit.hear("STOPPING=1", at)
    code, logged = await unit.end()
    assert code == 0
    assert unit.heard.index("READY=1") < unit.heard.index("WATCHDOG=1") < unit.heard.index("RELOADING=1")
    assert "WATCHDOG=1" not in unit.heard[at:]
    assert '"event": "config.refused"' in logged
    assert "traget" in logged
    assert '"event": "config.reloaded"' in logged
    assert "Traceback" not in logged


async def test_the_webhook_s_code_is_in_no_log_line_and_on_no_page(tmp_path: Path, portal: RunningSandbox) -> None:
    unit = Unit(tmp_path, portal)
    listen = _free_port()
    unit.config.write_text(
        f'[http]\nlisten = "127.0.0.1:{listen}"\n'.join(unit.text.split("\n", 1)).replace('db"', 'db"\n', 1)
    )
    await unit.start()
    await unit.hear("STATUS=next pass")
    pages = ""
    async with aiohttp.ClientSession() as session:
        for path in ("/", "/healthz", "/metrics", "/style.css", "/refresh.js", "/no/such"):
            async with session.get(f"http://127.0.0.1:{listen}{path}") as answer:
                pages += await answer.text() + repr(dict(answer.headers))
    unit.signal(signal.SIGTERM)
    code, logged = await unit.end()
    assert code == 0
    assert "shifts" in pages
    assert "pass.done" in logged
    assert CODE not in pages
    assert CODE not in logged


async def test_a_taken_port_is_a_clear_error_that_restarting_would_not_mend(
    tmp_path: Path, portal: RunningSandbox
) -> None:
    unit = Unit(tmp_path, portal)
    port = portal.url.rpartition(":")[2]
    unit.config.write_text(
        f'[http]\nlisten = "127.0.0.1:{port}"\n'.join(unit.text.split("\n", 1)).replace('db"', 'db"\n', 1)
    )
    await unit.start()
    code, logged = await unit.end()
    assert code == 2
    assert f"http.listen: 127.0.0.1:{port} cannot be used" in logged
    assert "Traceback" not in logged
    assert "READY=1" not in unit.heard


async def test_two_daemons_on_one_state_end_with_code_six(tmp_path: Path, portal: RunningSandbox) -> None:
    first = Unit(tmp_path, portal)
    await first.start()
    await first.hear("READY=1")
    second = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "syncd", "--config", str(first.config), "run",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await asyncio.wait_for(second.communicate(), 60)
    assert second.returncode == 6
    assert b"Traceback" not in said
    first.signal(signal.SIGTERM)
    assert (await first.end())[0] == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
