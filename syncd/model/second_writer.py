"""Whether another syncd writes the same entries into the same calendars, with a ledger of its own. Pure.

Both ledgers take a new row for theirs, so its event stands twice. What a person may do looks different: the two events
are the same in every field, nobody has edited either, both were made by the webhook's user, within an hour of each
other, and no request of ours was given up that could have come late. One such pair proves little, for somebody may have
copied an event in that hour; several do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from syncd.errors import GuardError
from syncd.model.doubles import GivenUp
from syncd.model.item import Link, Observed
from syncd.model.observation import Observation
from syncd.model.stamp import Stamp

SURE_FROM: Final = 3
_TOGETHER_S: Final = 3600
_SHOWN: Final = 3


def written_twice(
    links: Sequence[Link],
    observation: Observation,
    creates: Iterable[GivenUp],
    caller: int,
    taken: Collection[int] = (),
) -> tuple[Link, ...]:
    """Return the links beside whose events another writer's stand.

    `creates` were given up and may have come late, `taken` are the ids of events that are about to be taken over.
    """
    linked = {link.remote_id for link in links}.union(taken)
    late = {one.signature for one in creates}
    free: dict[str, list[Observed]] = defaultdict(list)
    for remote_id, seen in observation.events.items():
        if remote_id not in linked and _may_be_anothers(seen, caller):
            free[observation.comparison.signature(seen)].append(seen)
    for signature in {"", *late}:
        free.pop(signature, None)
    if not free:  # as always but where somebody copies: nothing more is worked out for 100,000 links
        return ()
    found: list[Link] = []
    for link in links:
        own = observation.of(link)
        if own is None or not _may_be_anothers(own, caller):
            continue
        others = free.get(observation.comparison.signature(own), ())
        if any(_is_twin(own, other, observation) for other in others):
            found.append(link)
    return tuple(found)


def _may_be_anothers(seen: Observed, caller: int) -> bool:
    """Return True if the webhook's user made the event, and nobody has edited it since."""
    return seen.creator == caller > 0 and seen.version == 1 and not seen.masked and not seen.damage


def _is_twin(own: Observed, other: Observed, observation: Observation) -> bool:
    one, two = Stamp.parse(own.stamp), Stamp.parse(other.stamp)
    together = one is not None and two is not None and abs(one.at - two.at) <= _TOGETHER_S
    return together and not observation.comparison.differing(own.fields, other.fields)


def check_alone(twice: Sequence[Link], sync: str) -> None:
    """Raise GuardError if so many items are written twice that another syncd must be doing it."""
    if len(twice) < SURE_FROM:
        return
    examples = ", ".join(f"«{link.title}» {link.start[:16]}" for link in twice[:_SHOWN])
    raise GuardError(
        f"{sync}: another syncd seems to write the same entries with a state of its own: {len(twice)} events stand"
        f" twice, made by the webhook's user within an hour of ours ({examples}); nothing was sent",
        "stop that one, or let both use one `state`, and delete the copies in the portal; if people made them, run once"
        " with --force",
    )
