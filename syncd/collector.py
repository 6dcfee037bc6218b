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
        if enabled:
            # Freezing and unfreezing moves everything to the oldest generation, where it would end up after two more
            # collections anyway. So the next young collection does not look through all the new values at once.
            gc.freeze()
            gc.unfreeze()
            gc.enable()
