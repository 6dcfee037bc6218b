"""Threads for blocking work, where the system may allow no more of them or has no memory for one."""

from __future__ import annotations

import mmap
import resource
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Thread
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_FEW_BYTES = 1 << 20
"""What a thread takes at first besides its stack, with much to spare: its first call takes 16 kB."""
_STACK_BYTES = 8 << 20
"""The most that is asked for as a stack: a larger one never fills, and it is smaller where the system sets no limit."""


def begin(thread: Thread) -> None:
    """Start `thread`; raises MemoryError if the system allows no more threads, or has no memory for its first steps.

    A thread without memory for its first call ends before it has told that it runs, and `Thread.start` waits for that
    for ever, with everything that its own thread should do.
    """
    require_room()
    try:
        thread.start()
    except RuntimeError as error:
        raise MemoryError(str(error)) from None


def require_room() -> None:
    """Raise MemoryError if a thread would not find the memory that it begins with.

    Others may take it in between, so it is asked for with much to spare.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_STACK)
    stack = _STACK_BYTES if limit == resource.RLIM_INFINITY else min(limit, _STACK_BYTES)
    try:
        # Private, for RLIMIT_DATA counts nothing else; never touched, so that it costs nothing.
        mmap.mmap(-1, stack + _FEW_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError:
        raise MemoryError("no memory for a thread") from None


class Threads(ThreadPoolExecutor):
    """A thread pool that makes do with the threads it has, and raises MemoryError if it can have none at all.

    A thread may not begin for want of memory (RLIMIT_AS, MemoryMax=) or of threads (TasksMax=, ulimit -u). Python
    says RuntimeError for both, which would pass for a defect, or waits for ever (see `begin`).
    """

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a thread call `fn`, and return the future of its result."""
        return super().submit(_freed, fn, *args, **kwargs)

    def _adjust_thread_count(self) -> None:
        self._count_out_the_dead()
        try:
            if len(self._threads) < self._max_workers:
                require_room()
            super()._adjust_thread_count()
        except (RuntimeError, MemoryError) as error:
            if not self._threads:
                self._work_queue.get_nowait()  # who is told that it was not done must not find it done later
                raise MemoryError(str(error)) from None

    def _count_out_the_dead(self) -> None:
        """Let others take the places of threads that found no memory to tell what became of their work, and ended."""
        dead = {thread for thread in self._threads if not thread.is_alive()}
        if dead:
            self._threads -= dead
            while self._idle_semaphore.acquire(blocking=False):  # how many of those wait for work, nobody knows
                pass


def _freed(fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `fn`; a MemoryError that it raises keeps nothing of the memory that was taken.

    Whoever waits for the result is told by calls that take memory themselves; without any he would wait for ever. The
    frames of an error hold all that its functions had made.
    """
    try:
        return fn(*args, **kwargs)
    except MemoryError as error:
        text = str(error)
    raise MemoryError(text)
