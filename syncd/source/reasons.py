"""What is wrong, as messages: the one that an error was made of, and several things as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce

from syncd.lang.saying import Saying, Value, say


def reason_of(error: Exception) -> str:
    """Return what an error says, as the message that it was made of; `str` would give its English text alone."""
    first = error.args[0] if error.args else ""
    return first if isinstance(first, Saying) else str(error)


def some_of(things: Sequence[str], others: int) -> Value:
    """Return `things` to be told one by one, with the number of the others behind them, if there are any."""
    return say("{titles} and {more} more", titles=tuple(things), more=others) if others > 0 else tuple(things)


def with_and(things: Iterable[str]) -> str:
    """Return one thing or several, with "and" between them."""
    return reduce(lambda one, other: say("{one} and {other}", one=one, other=other), things)
