"""In which order starts come, whatever zones they are told in: their texts would put 09:00+09:00 after 08:00+03:00."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from math import inf

_OFFSET_AT = len("2026-12-01T09:00:00")


def instants(starts: Iterable[str]) -> Mapping[str, float]:
    """Return the unix time of each of `starts`, ISO dates or times.

    A date begins where most of the times beside it count their days. What is no time comes first of all.
    """
    found = set(starts)
    offsets = Counter(start[_OFFSET_AT:] for start in found if len(start) > _OFFSET_AT)
    usual = min(offsets, key=lambda offset: (-offsets[offset], offset), default="")
    zone = _read(f"2026-12-01T00:00:00{usual}", UTC).tzinfo
    return {start: _instant(start, zone or UTC) for start in found}


def _instant(start: str, zone: tzinfo) -> float:
    try:
        return _read(start, zone).timestamp()
    except (ValueError, OverflowError):  # none, or what an older version kept
        return -inf


def _read(text: str, zone: tzinfo) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
