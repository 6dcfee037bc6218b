"""In which order starts come, whatever zones they are told in: their texts would put 09:00+09:00 after 08:00+03:00."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from itertools import count
from math import inf

_OFFSET_AT = len("2026-12-01T09:00:00")


def instants(starts: Iterable[str]) -> Mapping[str, float]:
    """Return a number for each of `starts`, ISO dates or times, which grows with the moment.

    A date begins where most of the times beside it count their days. What is no time comes first of all.
    """
    found = dict.fromkeys(starts)
    if len({start[_OFFSET_AT:] for start in found if len(start) > _OFFSET_AT}) < 2:
        # As in most plans: then the texts are in the order of the moments, and quickly compared.
        return dict(zip(sorted(found), count(), strict=False))
    offsets = Counter(start[_OFFSET_AT:] for start in found if len(start) > _OFFSET_AT)
    usual = min(offsets, key=lambda offset: (-offsets[offset], offset))
    zone = _zone(usual)
    return {start: _instant(start, zone) for start in found}


def _zone(offset: str) -> tzinfo:
    try:
        return _read(f"2026-12-01T00:00:00{offset}", UTC).tzinfo or UTC
    except ValueError:
        return UTC


def _instant(start: str, zone: tzinfo) -> float:
    try:
        return _read(start, zone).timestamp()
    except (ValueError, OverflowError):  # none, or what an older version kept
        return -inf


def _read(text: str, zone: tzinfo) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
