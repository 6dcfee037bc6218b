"""Updates and deletes that nobody answered: the portal may carry them out long after what followed them. Pure.

Then an event shows what was sent before the last change, or is gone, and nobody did that: it is put right whatever is
to become of people's edits. Only what was sent and not answered counts, not all that was ever sent: people may set an
event back to what it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from syncd.model.item import Key, Link
from syncd.model.observation import Observation
from syncd.model.record import Intent

MOST_UNANSWERED = 200


class Unanswered(msgspec.Struct, frozen=True, kw_only=True):
    """An update of the event `remote_id` to `fields` in a section, or its delete."""

    deletes: bool
    remote_id: int
    section_id: int
    fields: Mapping[str, Any]  # canonical JSON values, as an item has them


def unanswered(intents: Iterable[Intent]) -> list[Unanswered]:
    """Return what has to be remembered of requests that may still come, creates apart (see `model.doubles`)."""
    return [
        Unanswered(
            deletes=one.op == "delete",
            remote_id=one.remote_id,
            section_id=one.section_id,
            fields={} if one.op == "delete" else one.fields,
        )
        for one in intents
        if one.remote_id is not None
    ]


def kept_unanswered(known: Iterable[Unanswered], more: Iterable[Unanswered]) -> tuple[Unanswered, ...]:
    """Return what is to be remembered: the newest of `known` and `more`, each once."""
    left: list[Unanswered] = []
    for one in (*known, *more):
        if one in left:
            left.remove(one)
        left.append(one)
    return tuple(left[-MOST_UNANSWERED:])


def came_late(links: Iterable[Link], observation: Observation, requests: Sequence[Unanswered]) -> frozenset[Key]:
    """Return the keys of those of `links` whose events are as one of `requests` left them, after our last change."""
    by_id: dict[int, list[Unanswered]] = defaultdict(list)
    for one in requests:
        by_id[one.remote_id].append(one)
    concerned = (link for link in links if link.remote_id in by_id) if by_id else ()
    return frozenset(link.key for link in concerned if _is_late(link, observation, by_id[link.remote_id]))


def _is_late(link: Link, observation: Observation, requests: Sequence[Unanswered]) -> bool:
    if link.remote_id in observation.gone:
        return any(one.deletes for one in requests)
    seen = observation.of(link)
    if seen is None or seen.masked or seen.damage or seen.version == link.version:
        return False
    edits = observation.comparison.edits
    return any(
        not one.deletes and one.section_id == seen.section_id and not edits(one.fields, seen) for one in requests
    )
