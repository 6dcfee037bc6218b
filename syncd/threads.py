"""Threads for blocking work, where the system may allow no more of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor


class Threads(ThreadPoolExecutor):
    """A thread pool that makes do with the threads it has, and raises MemoryError if it can have none at all.

    A thread may not begin for want of memory (RLIMIT_AS, MemoryMax=) or of threads (TasksMax=, ulimit -u). Python
    says RuntimeError for both, which would pass for a defect.
    """

    def _adjust_thread_count(self) -> None:
        try:
            super()._adjust_thread_count()
        except RuntimeError as error:
            if not self._threads:
                raise MemoryError(str(error)) from None
