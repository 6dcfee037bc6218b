"""The control socket by itself: clients that do not read, and what errors and questions may say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from syncd.clock import SystemClock
from syncd.errors import ConfigError
from syncd.scrub import Scrubber
from syncd.service import control
from syncd.service.control import Caller, Carry, Control
from syncd.service.protocol import VERSION, Answer, Request, Text, line

SECRET = "https://school.bitrix24.com/rest/1/abcdef123456/"
REQUEST = line(Request(version=VERSION, do="sync"))


@asynccontextmanager
async def opened(folder: Path, carry: Carry) -> AsyncIterator[Control]:
    clean = Scrubber([SECRET]).shown
    made = Control([folder / "s.sock"], lambda: folder / "syncd.toml", carry, clean=clean)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


async def asking(folder: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect and send a request; little is read ahead."""
    reader, writer = await asyncio.open_unix_connection(str(folder / "s.sock"), limit=1024)
    writer.write(REQUEST)
    return reader, writer


async def until_left(made: Control) -> None:
    await asyncio.wait_for(asyncio.gather(*made._clients), 20)
    assert not made._clients


async def test_a_client_that_reads_nothing_is_cut_off_and_what_it_left_is_let_go(tmp_path: Path) -> None:
    kept: list[int] = []
    done = asyncio.Event()

    async def carry(_request: Request, caller: Caller) -> int:
        while not caller.gone:
            caller.send(Text(to="out", text="x" * 1_000_000))
        kept.append(caller._writer.transport.get_write_buffer_size())
        done.set()
        return 0

    async with opened(tmp_path, carry) as made:
        _, writer = await asking(tmp_path)
        await asyncio.wait_for(done.wait(), 20)
        await until_left(made)
        writer.close()
    assert kept == [0]


async def test_a_client_that_does_not_read_the_end_is_hung_up_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_READ_WITHIN_S", 0.2)
    closed: list[asyncio.WriteTransport] = []
    done = asyncio.Event()

    async def carry(_request: Request, caller: Caller) -> int:
        caller.send(Text(to="out", text="x" * 8_000_000))
        closed.append(caller._writer.transport)
        done.set()
        return 0

    async with opened(tmp_path, carry) as made:
        _, writer = await asking(tmp_path)
        await asyncio.wait_for(done.wait(), 20)
        assert made._clients  # it counts until it is gone
        await until_left(made)
        assert closed[0].get_write_buffer_size() == 0
        writer.close()


async def test_clients_that_say_or_read_nothing_neither_delay_the_end_nor_leave_an_error_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done = asyncio.Event()

    async def carry(_request: Request, caller: Caller) -> int:
        caller.send(Text(to="out", text="x" * 8_000_000))
        done.set()
        return 0

    async with opened(tmp_path, carry) as made:
        silent, silents = await asyncio.open_unix_connection(str(tmp_path / "s.sock"))
        assert b"hello" in await silent.readline()
        _, writer = await asking(tmp_path)
        await asyncio.wait_for(done.wait(), 20)
        await asyncio.sleep(0)
        await asyncio.wait_for(made.close(), 20)
    silents.close()
    writer.close()
    await asyncio.sleep(0)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_no_error_or_question_carries_a_secret_or_a_control_character(tmp_path: Path) -> None:
    async def carry(_request: Request, caller: Caller) -> int:
        await caller.ask(f"ask {SECRET} of \x1b[2Jlesson?", SystemClock())
        raise ConfigError(f"{SECRET} is \x1b[2Jgone", f"renew {SECRET}")

    async with opened(tmp_path, carry):
        reader, writer = await asking(tmp_path)
        await reader.readline()
        question = json.loads(await asyncio.wait_for(reader.readline(), 20))
        writer.write(line(Answer(yes=True)))
        failed = json.loads(await asyncio.wait_for(reader.readline(), 20))
        writer.close()
    assert question == {"is": "ask", "question": r"ask *** of \x1b[2Jlesson?"}
    assert failed == {"is": "failed", "error": r"*** is \x1b[2Jgone", "remedy": "renew ***", "code": 2}
