"""The real process with its page and its state: hostile requests, and a backup that is put back, change nothing."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from pathlib import Path

import aiohttp

from syncd.sandbox.http_server import RunningSandbox
from tests.service.test_process import CODE, ROWS, Unit, _free_port
from tests.support.sandbox import HEADER

HOSTILE = (
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n\r\n",
    b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    b"POST /syncs/shifts/pass HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /%00%ff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    b"\x00" * 5000,
    b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
    b"CONNECT portal.example:443 HTTP/1.1\r\nHost: portal.example:443\r\n\r\n",
)
MORE = (("2,Late", "-02 "), ("3,Night", "-03 "))


def with_page(unit: Unit) -> int:
    port = _free_port()
    head, _, rest = unit.text.partition("[")
    unit.config.write_text(f'{head}\n[http]\nlisten = "127.0.0.1:{port}"\n[{rest}')
    return port


async def asked(port: int, request: bytes) -> bytes:
    """Send bytes and return all that comes back within five seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = b""
    try:
        writer.write(request)
        await writer.drain()
        writer.write_eof()
        said = await asyncio.wait_for(reader.read(100_000), 5)
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return said


async def test_hostile_requests_get_no_page_and_leave_no_error_in_the_log(
    tmp_path: Path, portal: RunningSandbox
) -> None:
    unit = Unit(tmp_path, portal)
    port = with_page(unit)
    await unit.start()
    await unit.hear("STATUS=next pass")
    answers = [await asked(port, request) for request in HOSTILE]
    for request, answer in zip(HOSTILE, answers, strict=True):
        status = int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else 0
        assert not 200 <= status < 300, (request[:60], answer[:200])
        assert b"shifts" not in answer.lower(), request[:60]
        assert CODE.encode() not in answer
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/healthz") as health:
        assert health.status == 200
    assert unit.process is not None
    unit.process.terminate()
    code, logged = await unit.end()
    assert code == 0
    assert "Traceback" not in logged
    assert '"level": "error"' not in logged
    assert len(logged) < 20_000


async def test_a_backup_that_is_put_back_under_the_service_doubles_nothing(
    tmp_path: Path, portal: RunningSandbox
) -> None:
    unit = Unit(tmp_path, portal)
    unit.text = unit.text.replace('name = "shifts"', 'name = "shifts"\nevery = "2s"\njitter = "0s"\nsettle = "1s"')
    unit.config.write_text(unit.text)
    late, night = (ROWS.replace("1,Early", row).replace("-01 ", day) for row, day in MORE)
    await unit.start()
    at = await unit.hear("STATUS=next pass", await unit.hear("STATUS=shifts"))
    backup = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "syncd", "--config", str(unit.config), "state", "backup", str(tmp_path / "kept.db")
    )
    assert await backup.wait() == 0
    (tmp_path / "shifts.csv").write_text(HEADER + ROWS + late)
    await until(portal, ["Early", "Late"])
    await unit.hear("STATUS=next pass", at)
    assert unit.process is not None
    unit.process.terminate()
    await unit.process.wait()
    for name in ("syncd.db-wal", "syncd.db-shm"):
        (tmp_path / "state" / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "kept.db", tmp_path / "state" / "syncd.db")
    (tmp_path / "shifts.csv").write_text(HEADER + ROWS + late + night)
    await unit.start()
    await until(portal, ["Early", "Late", "Night"])
    unit.process.terminate()
    code, logged = await unit.end()
    assert code == 0
    assert "Traceback" not in logged
    assert '"event": "ledger.doubted"' in logged
    assert names(portal) == ["Early", "Late", "Night"]


def names(portal: RunningSandbox) -> list[str]:
    return sorted(event.name for event in portal.world.events("user", 3) if event.name in ("Early", "Late", "Night"))


async def until(portal: RunningSandbox, wanted: list[str]) -> None:
    """Wait until the portal shows the events of these names."""
    ends = time.monotonic() + 60
    while names(portal) != wanted:
        assert time.monotonic() < ends, names(portal)
        await asyncio.sleep(0.1)
