"""Nobody waits for ever for a callback of the loop, or for the result of a thread, that found no memory."""

from __future__ import annotations

import argparse
import asyncio
import gc
import io
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import thread as pools
from typing import Any

import pytest
from rich.console import Console

from syncd.cli import execute, progress
from syncd.cli.event_loop import Loop
from syncd.errors import for_want_of_memory
from syncd.scrub import Scrubber
from syncd.threads import Threads


def _none(*_arguments: object, **_options: object) -> None:
    raise MemoryError


def ran(waiting: Callable[[list[str]], Any]) -> list[str]:
    """Run a coroutine that waits for ever unless the loop ends; return what its cancelled tasks noted."""
    noted: list[str] = []
    with pytest.raises(MemoryError), asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(waiting(noted))
    return noted


async def _endless(noted: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        noted.append(await asyncio.to_thread(str, "ended in order"))


def test_a_lost_callback_ends_the_loop_and_its_tasks_in_order() -> None:
    async def main(noted: list[str]) -> None:
        asyncio.get_running_loop().call_soon(_none)
        await _endless(noted)

    assert ran(main) == ["ended in order"]


def test_a_result_of_a_thread_that_the_loop_cannot_be_told_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(noted: list[str]) -> None:
        waiting = asyncio.get_running_loop().run_in_executor(None, go.wait)
        with monkeypatch.context() as short:
            short.setattr(asyncio.SelectorEventLoop, "call_soon_threadsafe", _none)
            go.set()
            await waiting
        noted.append("told")

    go = threading.Event()
    assert ran(main) == []


def test_a_wake_that_finds_no_memory_is_read_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    read = asyncio.SelectorEventLoop._read_from_self  # type: ignore[attr-defined]
    tried = iter((_none, read))

    def short(loop: Loop) -> None:
        next(tried, read)(loop)

    monkeypatch.setattr(asyncio.SelectorEventLoop, "_read_from_self", short)
    with asyncio.Runner(loop_factory=Loop) as runner:
        assert runner.run(asyncio.to_thread(str, 7)) == "7"
    assert (next(tried, None), caplog.text) == (None, "")


def test_want_of_memory_elsewhere_is_a_line_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        loop.call_exception_handler({"message": "Fatal read error", "exception": MemoryError()})
        loop.call_exception_handler({"message": "Another", "exception": ValueError("told as ever")})
        return 7

    with asyncio.Runner(loop_factory=Loop) as runner:
        assert runner.run(main()) == 7
    assert [one.getMessage() for one in caplog.records] == ["Fatal read error: no memory", "Another"]
    assert [bool(one.exc_info) for one in caplog.records] == [False, True]


def test_an_error_of_a_thread_for_want_of_memory_keeps_nothing_of_what_took_it() -> None:
    class Large:
        pass

    kept: list[weakref.ref[Large]] = []

    def greedy() -> None:
        large = Large()
        kept.append(weakref.ref(large))
        raise MemoryError("no memory for a thread")

    with Threads(max_workers=1) as threads:
        error = threads.submit(greedy).exception()
        gc.collect()
        assert (type(error), str(error), kept[0]()) == (MemoryError, "no memory for a thread", None)


def test_a_thread_that_died_is_replaced(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    with Threads(max_workers=1) as threads:
        assert threads.submit(str, 1).result() == "1"
        (first,) = threads._threads
        with monkeypatch.context() as short:
            short.setattr(pools._WorkItem, "run", _none)
            threads.submit(str, 2)
            first.join()
        assert "Exception in worker" in caplog.text
        assert [threads.submit(str, number).result() for number in (3, 4)] == ["3", "4"]
        assert first not in threads._threads


def test_a_group_is_for_want_of_memory_only_if_nothing_else_is_in_it() -> None:
    alone = ExceptionGroup("tasks", [MemoryError(), ExceptionGroup("others", [MemoryError()])])
    mixed = ExceptionGroup("tasks", [MemoryError(), ValueError()])
    library = ImportError("/usr/lib/x.so: failed to map segment from shared object")
    wanting = (MemoryError(), alone, library)
    assert [one for one in (*wanting, ValueError(), mixed, ImportError("x")) if for_want_of_memory(one)] == [*wanting]


def test_the_bar_is_drawn_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = io.StringIO()
    monkeypatch.setattr(progress, "Console", lambda **_options: Console(file=drawn, force_terminal=True, width=80))
    before = threading.active_count()
    with progress.make_bar() as bar:
        task = bar.add_task("shifts", total=100, note="")
        bar.update(task, completed=40, note="1:00 left")
        assert threading.active_count() == before
        assert "1:00 left" in drawn.getvalue()


def test_want_of_memory_in_a_task_of_the_daemon_is_told_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def command(_arguments: object, _stop: asyncio.Event) -> int:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(asyncio.to_thread(_none))
        return 0

    monkeypatch.setattr(execute, "command_of", lambda _name: command)
    arguments = argparse.Namespace(command="run", quiet=False, verbose=0, log_format="auto", json=False)
    assert execute.run(arguments, Scrubber()) == 7
    assert "MemoryMax" in capsys.readouterr().err


_NOISY = """
import io, logging, sys
from syncd import cli
from syncd.log import configure

class Left:
    def __init__(self, error): self.error = error
    def __del__(self): raise self.error

class Full(io.TextIOBase):
    def write(self, text): raise MemoryError

sys.argv = ["syncd", "version"]
cli.main()
Left(MemoryError())
Left(ValueError("a defect"))
configure("json", 0, Full())
logging.getLogger("asyncio").error("a line")
"""


def test_want_of_memory_where_nobody_can_catch_it_is_no_noise() -> None:
    done = subprocess.run((sys.executable, "-P", "-c", _NOISY), capture_output=True, text=True, check=True)
    assert done.stderr.count("Exception ignored") == 1
    assert ("ValueError: a defect" in done.stderr, "MemoryError" in done.stderr) == (True, False)
    assert "Logging error" not in done.stderr
