"""Recognises entries that come back under other uids, so that a source with new uids doubles no events.

A newcomer (its uid has no link) and an orphan (a linked uid that the source no longer has) are the same entry when

identical    at least half of the newcomer's items are, in all that people see, items of the orphan
similar      half of them have the orphan's place, title and start; counts only where the whole source is renamed

The whole source is renamed when nine in ten of the entries known at all are known in these two ways, they are at least
half of the newcomers (or of the orphans, if these are fewer), and one is identical or three are similar. Each orphan is
given away once, so that two equal entries stay two. What a uid looks like plays no part.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from syncd.model.entry import Again, AllDay, Entry, Snapshot
from syncd.model.item import Hold, Item, Link, fingerprint
from syncd.model.stowed import kept_like

_IDENTITY_FIELDS = frozenset({"mark", "origin"})
"""Fields that identify an item and show nothing to people."""
_RENAMED_PER_KNOWN = 9
_SIMILAR_AT_LEAST = 3
_Index = defaultdict[Hashable, deque[str]]
_NOBODY: deque[str] = deque()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """Entries that came under a new uid. `names` maps uids of the source to those by which their items are known.

    `whole` is True if the source as a whole has new uids. `known` is how many entries were known by their uid.
    `uncertain` are linked uids that may still be in the source, among entries with new uids that cannot be used.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False
    known: int = 0
    uncertain: frozenset[str] = frozenset()


def recognise(
    items: Iterable[Item],
    links: Collection[Link],
    holds: Collection[Hold],
    *,
    present: Collection[str],
    unusable: Collection[str],
    doubted: Collection[str] = (),
    familiar: int = 0,
    dropped: Callable[[], Iterable[Item]] = tuple,
) -> Recognised:
    """Return which of the uids of `items` stand for uids that are linked or held already.

    `present` are all uids of the snapshot, `unusable` those without items although they should have some. `doubted` are
    uids that were uncertain in the last pass. They remain so while something is unusable. `familiar` is how many
    entries besides those of `items` are known by their uid; their links need not be passed. `dropped` returns what
    cancelled entries would have become. It is called only if the whole source is renamed.
    """
    linked = {link.key.uid for link in links}
    known = linked | {hold.key.uid for hold in holds}
    orphans = known.difference(present)
    if not orphans:
        return Recognised()
    lost: dict[str, list[Link]] = defaultdict(list)
    for link in links:
        if link.key.uid in orphans:
            lost[link.key.uid].append(link)
    newcomers: dict[str, list[Item]] = defaultdict(list)
    seen = set()
    for item in items:
        if item.key.uid in known:
            seen.add(item.key.uid)
        else:
            newcomers[item.key.uid].append(item)
    familiar += len(seen)
    matching = _Matching(
        [link for uid in sorted(lost) for link in lost[uid]],
        [hold for hold in holds if hold.key.uid in orphans - linked],
    )
    names = matching.identical(newcomers)
    alike = matching.similar({uid: own for uid, own in newcomers.items() if uid not in names})
    number = len(names) + len(alike)
    whole = (
        number >= max(1, _RENAMED_PER_KNOWN * familiar)
        and 2 * number >= min(len(newcomers), len(orphans))
        and (bool(names) or number >= _SIMILAR_AT_LEAST)
    )
    if whole:
        cancelled: dict[str, list[Item]] = defaultdict(list)
        for item in dropped():
            if item.key.uid not in known:
                cancelled[item.key.uid].append(item)
        names |= alike | matching.similar(cancelled)
    uncertain: set[str] = set()
    if not known.issuperset(unusable):
        uncertain = (orphans if names else orphans & set(doubted)) - set(names.values())
    return Recognised(names=names, whole=whole, known=familiar, uncertain=frozenset(uncertain))


class _Matching:
    """The orphans, indexed by what identifies their items. Each is given away once."""

    def __init__(self, links: Sequence[Link], holds: Sequence[Hold]) -> None:
        self._links = links
        self._holds = holds
        self._taken: set[str] = set()

    def identical(self, newcomers: Mapping[str, Sequence[Item]]) -> dict[str, str]:
        """Return the orphans that look the same as newcomers in every field."""
        places = {_place(item) for own in newcomers.values() for item in own} & {_place(one) for one in self._links}
        index: _Index = defaultdict(deque)
        for link in self._links:
            if (place := _place(link)) in places:  # hashing every link would take long
                index[place, _content(link)].append(link.key.uid)
        held: _Index = defaultdict(deque)
        for hold in self._holds:
            held[hold.key.place, hold.key.piece, hold.fingerprint].append(hold.key.uid)

        def found(item: Item) -> deque[str]:
            if (place := _place(item)) in places:
                return index.get((place, _content(item)), _NOBODY)
            return held.get((item.key.place, item.key.piece, item.fingerprint), _NOBODY) if held else _NOBODY

        return self._given(newcomers, found)

    def similar(self, newcomers: Mapping[str, Sequence[Item]]) -> dict[str, str]:
        """Return the remaining orphans that share place, title and start with newcomers."""
        index: _Index = defaultdict(deque)
        for link in self._links:
            index[_place(link)].append(link.key.uid)
        return self._given(newcomers, lambda item: index.get(_place(item), _NOBODY))

    def _given(self, newcomers: Mapping[str, Sequence[Item]], found: Callable[[Item], deque[str]]) -> dict[str, str]:
        names: dict[str, str] = {}
        for uid, items in newcomers.items():
            candidates = [found(item) for item in items]
            for some in candidates:
                while some and some[0] in self._taken:
                    some.popleft()
            if len(items) == 1:  # counting votes among thousands of twins for each of them would be quadratic
                best = next(iter(candidates[0]), None)
            else:
                votes = Counter(one for some in candidates for one in some if one not in self._taken)
                best = min(votes, key=lambda one: (-votes[one], one), default=None)
                best = best if best is not None and 2 * votes[best] >= len(items) else None
            if best is not None:
                names[uid] = best
                self._taken.add(best)
        return names


def _place(one: Item | Link) -> Hashable:
    return one.key.place, one.key.piece, one.title, one.start


def _content(one: Item | Link) -> str:
    """Return the hash of what people see of an item."""
    fields = one.fields if isinstance(one, Item) else one.sent
    return fingerprint({name: value for name, value in fields.items() if name not in _IDENTITY_FIELDS}, one.section)


def content_names(entries: Iterable[Entry]) -> dict[str, str]:
    """Return for each entry's uid a name made from owner, title, start and rules. Equal names are numbered.

    Which of the entries gets which number depends on their other content, not on their order.
    """
    alike: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        alike[_content_name(entry)].append(entry)
    names: dict[str, str] = {}
    for name, twins in alike.items():
        if len(twins) > 1:
            twins.sort(key=lambda one: repr((one.details, one.span, one.recurrence)))
        for number, entry in enumerate(twins, 1):
            names[entry.uid] = name if number == 1 else f"{name}-{number}"
    return names


def _content_name(entry: Entry) -> str:
    span, rules = entry.span, entry.recurrence.rules if entry.recurrence else ()
    start = str(span.first) if isinstance(span, AllDay) else f"{span.start} {span.zone}"
    seen = blake2b(digest_size=10)
    for text in (entry.details.owner, entry.details.title, start, *sorted(rules)):
        seen.update(text.encode("utf-8", "surrogateescape") + b"\x1f")
    return f"content-{seen.hexdigest()}"


def renamed(snapshot: Snapshot, names: Mapping[str, str]) -> Snapshot:
    """Return the snapshot with its uids replaced by `names`, also in problems and among rejected uids."""
    if not names:
        return snapshot
    return replace(
        snapshot,
        entries=renamed_entries(snapshot.entries, names),
        problems=tuple(
            replace(one, key=names[one.key]) if one.key is not None and one.key in names else one
            for one in snapshot.problems
        ),
        rejected_uids=frozenset(names.get(uid, uid) for uid in snapshot.rejected_uids),
    )


def renamed_entries(entries: Sequence[Entry], names: Mapping[str, str]) -> Sequence[Entry]:
    """Return the entries with their uids replaced by `names`."""

    def under_names() -> Iterator[Entry]:
        return (replace(one, uid=names[one.uid]) if one.uid in names else one for one in entries)

    return Again(len(entries), under_names) if isinstance(entries, Again) else kept_like(entries, under_names())
