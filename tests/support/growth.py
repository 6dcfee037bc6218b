"""How the work grows with its size: a ratio of processor times, which a slow or busy machine leaves as it is."""

from __future__ import annotations

import time
from collections.abc import Callable

TRIES = 3
"""The best of so many counts: what else the machine does can only make a run dearer."""


def cpu_s(work: Callable[[], object]) -> float:
    """Return the processor seconds that `work` takes, the best of `TRIES`."""
    return min(_once(work) for _ in range(TRIES))


def _once(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def growth(small: Callable[[], object], large: Callable[[], object]) -> float:
    """Return how many times the processor time of `small` the work of `large` takes.

    What costs next to nothing both times has not grown: each is counted with a thousandth of a second more.
    """
    return (cpu_s(large) + 0.001) / (cpu_s(small) + 0.001)
