"""A process beside this one that parses groups of a large file, and may die: what it leaves is parsed here.

There is one, however many cores there are: it takes 40 MB, and half of the work is done here.
"""

from __future__ import annotations

import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Thread, Timer
from types import TracebackType
from typing import Self

from syncd import child
from syncd.control_groups import cores
from syncd.model.encoding import packed
from syncd.source.ical.asking import AskedGroup, Asking, receive, send
from syncd.threads import begin

_MEMORY_BYTES = 1 << 30
_LEAST_CORES = 1.5
_SECONDS = 60.0
"""The most that the process may take for one chunk, which is read in a few hundredths of a second."""

Chunks = deque[list[int]]


def has_room_beside() -> bool:
    """Return True if there is a core for a second process, or half of one."""
    return cores() >= _LEAST_CORES


class Beside:
    """Has a process work through `chunks` from the end, while others take them from the front.

    `asked` returns the groups of a chunk. When the context ends, `done` are the chunks that the process has read, with
    its answers. One during which it died or took too long is among `chunks` again.
    """

    def __init__(self, asking: Asking, asked: Callable[[Sequence[int]], list[AskedGroup]], chunks: Chunks) -> None:
        self._asking = asking
        self._asked = asked
        self._chunks = chunks
        self._thread = Thread(target=self._run, name="feed beside")
        self._process: subprocess.Popen[bytes] | None = None
        self.done: list[tuple[list[int], bytes]] = []

    def __enter__(self) -> Self:
        # There may be no more threads (TasksMax=, ulimit -u); then all chunks are left to others.
        with suppress(MemoryError):
            begin(self._thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._chunks.clear()
            if self._process is not None:
                self._process.kill()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            self._process = process = child.start("syncd.source.ical.worker", str(_MEMORY_BYTES))
        except OSError:
            return  # there may be no more processes, or no memory for one
        try:
            assert process.stdin is not None
            send(process.stdin, packed(self._asking))
            while numbers := next_of(self._chunks, from_end=True):
                if not self._has_done(process, numbers):
                    return
        except (OSError, ValueError):
            pass  # it died before its first chunk, or the name of the file is no text
        finally:
            process.kill()
            process.communicate()

    def _has_done(self, process: subprocess.Popen[bytes], numbers: list[int]) -> bool:
        """Let the process read one chunk, and return True if it has; otherwise the chunk is left to others."""
        assert process.stdin is not None
        assert process.stdout is not None
        # A pipe has no time-outs; what takes too long is killed, which ends the answer.
        watch = Timer(_SECONDS, process.kill)
        answer = b""
        try:
            begin(watch)
            send(process.stdin, packed(self._asked(numbers)))
            answer = receive(process.stdout)
        except (OSError, ValueError, MemoryError, OverflowError):
            pass  # it died or answers nonsense, a UID is no text, or there may be no more threads
        finally:
            watch.cancel()
            if answer:
                self.done.append((numbers, answer))
            else:
                self._chunks.append(numbers)
        return bool(answer)


def next_of(chunks: Chunks, *, from_end: bool = False) -> list[int]:
    """Take a chunk, and return it; [] if there is none."""
    try:
        return chunks.pop() if from_end else chunks.popleft()
    except IndexError:  # asking first would be no use: others take from the same ones
        return []
