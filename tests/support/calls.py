"""How many functions some work calls: a measure that is the same on every machine, whatever else that does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class Calls:
    """Counts the calls of functions, those written in C included, but not what notes the lines that tests reach."""

    count = 0

    def note(self, _frame: object, event: str, called: object) -> None:
        """Take an event of `sys.setprofile`."""
        if event == "call" or (event == "c_call" and getattr(called, "__module__", None) != "slipcover.probe"):
            self.count += 1


@contextmanager
def counting_calls() -> Iterator[Calls]:
    """Count what the body calls in this thread."""
    calls = Calls()
    sys.setprofile(calls.note)
    try:
        yield calls
    finally:
        sys.setprofile(None)
