"""Durations as the config writes them: "90s", "15m", "2h", "30d"."""

from __future__ import annotations

import re
from datetime import timedelta

from syncd.lang.saying import say

_DURATION = re.compile(r"(\d{1,9})\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST = timedelta(days=36_500)


def parse_duration(text: str) -> timedelta:
    """Return the duration `text`, at most a hundred years; raises ValueError for anything else.

    There are no months and years: they have no fixed length, and a window of "1y" would differ from year to year.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(say('must be a duration like "90s", "15m", "2h" or "30d", not "{text}"', text=text))
    duration = timedelta(seconds=int(found[1]) * _SECONDS[found[2]])
    if duration > _LONGEST:
        raise ValueError(say('must be at most {days} days, not "{text}"', days=_LONGEST.days, text=text))
    return duration
