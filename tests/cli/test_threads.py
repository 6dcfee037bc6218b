"""Where the system allows no more threads, work waits for those that there are, and a command without any says so."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from syncd.cli import execute
from syncd.errors import OutOfMemoryError
from syncd.scrub import Scrubber
from syncd.threads import Threads, begin
from tests.support.few_threads import allow_threads


def test_work_waits_for_the_threads_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    allow_threads(monkeypatch, 1)
    go = threading.Event()
    with Threads(max_workers=4) as threads:
        waiting = threads.submit(go.wait)
        others = [threads.submit(str, number) for number in range(3)]
        go.set()
        assert (waiting.result(), [one.result() for one in others]) == (True, ["0", "1", "2"])


def test_without_any_thread_it_is_memory_that_is_missing_and_nothing_is_done_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []
    with Threads(max_workers=1) as threads:
        with monkeypatch.context() as none:
            allow_threads(none, 0)
            with pytest.raises(MemoryError):
                threads.submit(done.append, "refused")
        threads.submit(done.append, "accepted").result()
    assert done == ["accepted"]


_PINCHED = """
import re, resource, sys, threading
from pathlib import Path
from syncd.threads import Threads, begin
begin(thread := threading.Thread(target=str))  # with all the memory there is
thread.join()
waiting = [threading.Event(), threading.Event()]
begin(threading.Thread(target=lambda: (waiting[0].set(), waiting[1].wait())))  # keeps the stack that was kept
waiting[0].wait()
used = 1024 * int(re.search(r"VmData:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
stack, _ = resource.getrlimit(resource.RLIMIT_STACK)
resource.setrlimit(resource.RLIMIT_DATA, (used + stack + int(sys.argv[1]), resource.RLIM_INFINITY))
for ask in (lambda: Threads().submit(str), lambda: begin(threading.Thread(target=str))):
    try:
        ask()
    except MemoryError as error:
        print(error)
waiting[1].set()
"""


@pytest.mark.parametrize("more_bytes", [0, 4096, 12_000, 20_000])
def test_a_thread_without_memory_for_its_first_call_is_refused_and_not_waited_for(more_bytes: int) -> None:
    limited = ("-c", f"ulimit -s 8192; exec {sys.executable} -P -c '{_PINCHED}' {more_bytes}")
    done = subprocess.run(("sh", *limited), capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == ["no memory for a thread"] * 2


def test_a_single_thread_that_may_not_begin_is_memory_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    allow_threads(monkeypatch, 0)
    with pytest.raises(MemoryError, match="can't start new thread"):
        begin(threading.Thread(target=str))


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
