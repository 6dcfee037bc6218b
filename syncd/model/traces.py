"""Which events are creates of ours that people edited before anybody had their ids. Pure.

A create that nobody answered is looked for by its mark or by its looks (`model.recover`). One without a mark that a
person has renamed or moved by then shows neither, but nobody can take from it when and by whom it was made.

no link claims it, syncd's user made it while the create may have been at work, it was saved again, and  so
-------------------------------------------------------------------------------------------------------  ---------------
the portal noted the create's start when it was made (`Observed.born`), and nobody else made it           ours
the portal noted nothing, but it has the title of the create                                             ours
the portal noted nothing, and it has another title                                                       may be ours
the portal noted another start, or has told that somebody else made it                                   somebody else's

Syncd's user is a person, too: hence all the conditions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from syncd.lang.saying import say
from syncd.model.evidence import Stamp, made_during
from syncd.model.item import Item, Observed
from syncd.model.observation import Comparison, Observation, bare

MOST_SUSPECTS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """Between which moments of the portal's wall clock a create was carried out, if it was, and as which user.

    `by` is 0 if the user is not known.
    """

    item: Item
    first: float
    last: float
    by: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Ids that the portal has reported: of events that others have saved, and of events that others have made."""

    saved: frozenset[int] = frozenset()
    made: frozenset[int] = frozenset()


class Suspect(msgspec.Struct, frozen=True, kw_only=True):
    """Events that may be the create of an item, by its recovery mark. While one exists, no event is made."""

    mark: str
    kind: str
    owner: int
    section_id: int
    remote_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What was found of creates, by their numbers: the event that each has made, or those that it may have made."""

    own: Mapping[int, Observed] = field(default_factory=dict)
    doubtful: Mapping[int, tuple[Observed, ...]] = field(default_factory=dict)


def traces(
    sendings: Mapping[int, Sending], observation: Observation, claimed: Collection[int], *, floor: int, heard: Heard
) -> Traces:
    """Return what was found of `sendings`. `claimed` are ids that belong to somebody, by a link or a certain look.

    `floor` is the highest id that was known before the sending.
    """
    comparison = observation.comparison
    free = [seen for number, seen in sorted(observation.events.items(), reverse=True) if number not in claimed]
    edited = [
        seen for seen in free if not seen.mark and comparison.is_edited(seen) and seen.remote_id not in heard.made
    ]
    proofs = {
        (number, seen.remote_id): proof
        for number, sending in sendings.items()
        for seen in edited
        if (proof := _proof(sending, seen, comparison, floor)) != "none"
    }
    own: dict[int, Observed] = {}
    taken: set[int] = set()
    for alike in (True, False):  # of two that were made for the same time each gets its own first
        for number, sending in sendings.items():
            for seen in edited if number not in own else ():
                sure = proofs.get((number, seen.remote_id)) == "sure" and seen.remote_id not in taken
                if sure and (not alike or _same_title(sending.item, seen, comparison)):
                    own[number] = seen
                    taken.add(seen.remote_id)
                    break
    doubtful = {
        number: tuple(
            seen
            for seen in edited
            if proofs.get((number, seen.remote_id)) == "doubtful" and seen.remote_id not in taken
        )
        for number in sendings
        if number not in own
    }
    return Traces(own=own, doubtful={number: found for number, found in doubtful.items() if found})


def _proof(sending: Sending, seen: Observed, comparison: Comparison, floor: int) -> Literal["sure", "doubtful", "none"]:
    made = Stamp.parse(seen.stamp)
    if seen.place != sending.item.key.place or made is None or (made.by and sending.by and made.by != sending.by):
        return "none"
    in_time = made_during(seen.stamp, sending.first, sending.last)
    if not in_time and seen.remote_id <= floor:  # as nearly all that stands there: nothing more is worked out for it
        return "none"
    begun = comparison.begins(sending.item.fields, seen)
    # The portal may tell moments in another zone than is known, which matters where it would be doubled otherwise.
    shifted = begun == "same" and seen.remote_id > floor
    if begun == "other" or not made_during(seen.stamp, sending.first, sending.last, shifted=shifted):
        return "none"
    proved = begun == "same" or _same_title(sending.item, seen, comparison)
    if proved and in_time and min(made.by, sending.by) > 0:
        return "sure"
    return "doubtful" if seen.section_id == (sending.item.section_id or 0) else "none"


def _same_title(item: Item, seen: Observed, comparison: Comparison) -> bool:
    title = comparison.identity[0]
    ours, theirs = (bare(str(one.get(title, ""))) for one in (item.fields, seen.fields))
    return bool(ours) and ours == theirs


def suspected(seen: Observed) -> str:
    """Return why an item waits whose event `seen` may be, and what a person can do about it."""
    return say(
        "«{title}» ({start}, id {remote_id}) may be this one: syncd's user made it while nobody answered syncd, and"
        " somebody has changed it since. Nothing is made beside it. Delete that one to have this made again; if it is"
        " something else, move it to another section, or make it once more and delete that one",
        title=seen.title,
        start=seen.start,
        remote_id=seen.remote_id,
    )


def still_suspected(
    suspects: Iterable[Suspect], observation: Observation, claimed: Collection[int]
) -> dict[str, Observed]:
    """Return, by mark, the newest event that may still be the create of an item.

    An event is no longer suspected once it is gone, linked, or in another section: whoever moved it may know better.
    """
    found: dict[str, Observed] = {}
    for suspect in suspects:
        for number in sorted(set(suspect.remote_ids) - set(claimed)):
            seen = observation.events.get(number)
            if seen is not None and seen.section_id == suspect.section_id:
                found[suspect.mark] = seen
    return found


def remembered_suspects(known: Iterable[Suspect], more: Sequence[Suspect]) -> tuple[Suspect, ...]:
    """Return what is to be remembered: `more`, and those of `known` that are about other items."""
    left = {one.mark: one for one in (*known, *more)}
    return tuple(left.values())[-MOST_SUSPECTS:]
