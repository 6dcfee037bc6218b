"""Where the system allows no more threads, work waits for those that there are, and a command without any says so."""

from __future__ import annotations

import argparse
import asyncio
import threading
from collections.abc import Callable

import pytest

from syncd.cli import execute
from syncd.errors import OutOfMemoryError
from syncd.scrub import Scrubber
from syncd.threads import Threads
from tests.support.few_threads import allow_threads


def test_work_waits_for_the_threads_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    allow_threads(monkeypatch, 1)
    go = threading.Event()
    with Threads(max_workers=4) as threads:
        waiting = threads.submit(go.wait)
        others = [threads.submit(str, number) for number in range(3)]
        go.set()
        assert (waiting.result(), [one.result() for one in others]) == (True, ["0", "1", "2"])


def test_without_any_thread_it_is_memory_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    allow_threads(monkeypatch, 0)
    with Threads() as threads, pytest.raises(MemoryError):
        threads.submit(str)


@pytest.mark.parametrize(("number", "code"), [(0, OutOfMemoryError.exit_code), (1, 0)])
def test_a_command_ends_in_words_however_few_threads_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int, code: int
) -> None:
    async def command(_arguments: object, _stop: asyncio.Event) -> int:
        await asyncio.gather(*(asyncio.to_thread(str, number) for number in range(3)))
        return 0

    def command_of(_name: str) -> Callable[..., object]:
        return command

    allow_threads(monkeypatch, number)
    monkeypatch.setattr(execute, "command_of", command_of)
    arguments = argparse.Namespace(command="plan", quiet=False, verbose=0, log_format="auto", json=False)
    assert execute.run(arguments, Scrubber()) == code
    assert ("threads" in capsys.readouterr().err) == bool(code)
