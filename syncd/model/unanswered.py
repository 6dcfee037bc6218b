"""Updates and deletes that nobody answered, which the portal may carry out long after those that followed. Pure.

Then an event shows what was sent before the last change, or is gone, without anybody having done that. So it is put
right whatever the policy for people's edits is. Only requests without an answer count, not everything that was ever
sent, because people may set an event back to what it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from syncd.model.encoding import encoded_sorted
from syncd.model.item import Key, Link
from syncd.model.observation import Observation
from syncd.model.record import Intent

MOST_UNANSWERED = 200
_LATEST_S = 86_400.0
"""No portal keeps a request for longer: what comes after a look that was later still was done by somebody."""


class Unanswered(msgspec.Struct, frozen=True, kw_only=True):
    """An update of the event `remote_id` to `fields` in a section, or its delete, sent at a unix time."""

    deletes: bool
    remote_id: int
    section_id: int
    fields: Mapping[str, Any]  # canonical JSON values, as an item has them
    sent_at: float = 0.0


def unanswered(intents: Iterable[Intent]) -> list[Unanswered]:
    """Return what has to be remembered of requests that may still arrive, except creates (see `model.doubles`)."""
    return [
        Unanswered(
            deletes=one.op == "delete",
            remote_id=one.remote_id,
            section_id=one.section_id,
            fields={} if one.op == "delete" else dict(one.fields),
            sent_at=one.created_at,
        )
        for one in intents
        if one.remote_id is not None
    ]


def kept_unanswered(known: Iterable[Unanswered], more: Iterable[Unanswered]) -> tuple[Unanswered, ...]:
    """Return what is to be remembered: the newest of `known` and `more`, each once."""
    left: dict[bytes, Unanswered] = {}
    for one in (*known, *more):
        name = encoded_sorted(replace(one, sent_at=0.0))
        left.pop(name, None)
        left[name] = one
    return tuple(left.values())[-MOST_UNANSWERED:]


def came_late(
    links: Iterable[Link], observation: Observation, requests: Sequence[Unanswered], looked_at: float
) -> frozenset[Key]:
    """Return the keys of those of `links` whose events are as one of `requests` left them, after our last change.

    `looked_at` is the unix time of the last reading of the portal before this one, 0 for none.
    """
    by_id: dict[int, list[Unanswered]] = defaultdict(list)
    for one in requests:
        if looked_at - one.sent_at <= _LATEST_S:
            by_id[one.remote_id].append(one)
    concerned = (link for link in links if link.remote_id in by_id) if by_id else ()
    return frozenset(link.key for link in concerned if _is_late(link, observation, by_id[link.remote_id]))


def _is_late(link: Link, observation: Observation, requests: Sequence[Unanswered]) -> bool:
    if link.remote_id in observation.gone:
        return any(one.deletes for one in requests)
    seen = observation.verdict(link).seen
    if seen is None or seen.masked or seen.damage or seen.version == link.version:
        return False
    edits = observation.comparison.edits
    return any(
        not one.deletes and one.section_id == seen.section_id and not edits(one.fields, seen) for one in requests
    )
