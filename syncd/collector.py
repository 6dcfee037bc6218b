"""Python's search for garbage among objects that refer to each other."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def resting() -> Iterator[None]:
    """Keep Python from looking for garbage meanwhile, in all threads.

    For work that makes a hundred thousand values to keep: none of them is garbage, and looking through them again and
    again takes as long as making them. What is garbage waits until the end, so the work must not last for minutes.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            # What was made counts as old at once: frozen and thawed, it is in the oldest generation, where it would end
            # up anyway after two more searches. It is looked through with everything else that is old.
            gc.freeze()
            gc.unfreeze()
            gc.enable()
