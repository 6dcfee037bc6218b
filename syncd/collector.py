"""A pause of Python's cyclic garbage collector while many values are made."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def resting() -> Iterator[None]:
    """Pause the cyclic garbage collector while the body runs, in all threads.

    For work that makes a hundred thousand values that are kept: none of them is garbage, and each of the collector's
    passes looks through all of them, which takes as long as making them. Cyclic garbage stays until the end, so the
    body must not run for minutes.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        # Nothing else: `gc.freeze` would spare the next young collection a look at the new values, but what it moves
        # is not counted, so that full collections stop coming and garbage in cycles is kept for ever.
        if enabled:
            gc.enable()
