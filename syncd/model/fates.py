"""What became of every item in one run: the only record of it, from which counts, holds, report and exit code follow.

    created updated deleted adopted     the portal confirmed it, or looking found it done
    refused                             the portal said no, or what it depends on cannot be made: held
    unknown                             no usable answer; looking has to tell
    doubtful                            a refused update or delete, whose event may be gone, or a create that was
                                        answered with something else than an id: looking has to tell
    dropped                             looking found that it was not done: the next plan decides
    not_sent                            it never left: a stop, an unreachable portal, a change that it follows failed
    vanished                            the linked event no longer exists, and is to be created again

Fates are only ever added. The last one of an item says how it stands; all of them say what was done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal

from syncd.model.bulk import bulk_dataclass
from syncd.model.item import Key

FateKind = Literal[
    "created", "updated", "deleted", "adopted", "refused", "unknown", "doubtful", "dropped", "not_sent", "vanished"
]
DONE: frozenset[FateKind] = frozenset({"created", "updated", "deleted", "adopted"})
CONFIRMED: frozenset[FateKind] = frozenset({"created", "updated", "deleted"})
UNDECIDED: frozenset[FateKind] = frozenset({"unknown", "doubtful"})


@bulk_dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """One thing that happened to an item.

    `remote_id` is the event's id if it is known, `reason` why it was not done, `where` the item's place in the source.
    `ended` is for an unknown fate: the portal has answered, so it is no longer at work on the change.
    """

    kind: FateKind
    remote_id: int | None = None
    reason: str = ""
    where: str = ""
    ended: bool = False


class Fates:
    """The fates of one run's items, in the order in which they became known.

    A run sends its changes in rounds. A change that was not sent counts as such only until the next round begins,
    because that plans it again.
    """

    def __init__(self) -> None:
        self._last: dict[Key, Fate] = {}
        self._earlier: dict[Key, tuple[Fate, ...]] = {}  # of the few items with more than one fate
        self._round: tuple[Key, ...] = ()

    def begin_round(self, keys: Iterable[Key]) -> None:
        """Note that a round begins, for the items of `keys`."""
        self._round = tuple(keys)

    def add(self, key: Key, fate: Fate) -> None:
        """Note what happened to the item of `key`."""
        if (before := self._last.get(key)) is not None:
            self._earlier[key] = (*self._earlier.get(key, ()), before)
        self._last[key] = fate

    @property
    def settled(self) -> frozenset[Key]:
        """The items whose last change the portal confirmed."""
        return frozenset(key for key, fate in self._last.items() if fate.kind in CONFIRMED)

    @property
    def refused(self) -> Mapping[Key, Fate]:
        """The items that were refused, in order of their keys."""
        return dict(sorted((key, fate) for key, fate in self._last.items() if fate.kind == "refused"))

    @property
    def unknown(self) -> frozenset[Key]:
        """The items of which it is not known whether their change was made."""
        return frozenset(key for key, fate in self._last.items() if fate.kind in UNDECIDED)

    @property
    def not_sent(self) -> frozenset[Key]:
        """The items of the present round whose change was not sent."""
        not_sent = {key for key, fate in self._last.items() if fate.kind == "not_sent"}
        return frozenset(not_sent.intersection(self._round))

    @property
    def remote_ids(self) -> Mapping[Key, int]:
        """The ids of the events that were created or updated, by item."""
        found: dict[Key, int] = {}
        for key in self._last:
            for fate in self._all_of(key):
                if fate.kind in DONE and fate.remote_id is not None:
                    found[key] = fate.remote_id
        return found

    @property
    def vanished(self) -> Mapping[Key, int]:
        """The ids of linked events that no longer exist and are to be created again, by item.

        An item that has been made again is not among them: a portal that was restored from a backup may give it the
        same id.
        """
        found: dict[Key, int] = {}
        for key in self._last:
            for fate in self._all_of(key):
                if fate.kind == "vanished" and fate.remote_id is not None:
                    found[key] = fate.remote_id
                elif fate.kind in ("created", "adopted"):
                    found.pop(key, None)
        return found

    def unanswered(self, key: Key) -> Fate | None:
        """Return the last unknown fate of an item, None if every answer about it could be used."""
        return next((fate for fate in reversed(self._all_of(key)) if fate.kind == "unknown"), None)

    def counts(self) -> Counter[str]:
        """Return how many items were created, updated, deleted and adopted. An item counts each time.

        An update of an event that turned out to have vanished changed nothing, although the portal answers such a call
        as if it had (PORTAL.md 4.3), so it does not count.
        """
        counts: Counter[str] = Counter()
        for key in self._last:
            fates = self._all_of(key)
            for fate, after in zip(fates, (*fates[1:], None), strict=True):
                in_vain = fate.kind == "updated" and after is not None and after.kind == "vanished"
                if fate.kind in DONE and not in_vain:
                    counts[fate.kind] += 1
        return counts

    def _all_of(self, key: Key) -> tuple[Fate, ...]:
        """Return the fates of an item, in the order in which they became known."""
        last = self._last.get(key)
        return () if last is None else (*self._earlier.get(key, ()), last)
