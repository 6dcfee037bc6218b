"""Which of the portal's events an item without a link may be joined to, and which only look like it.

An event without a link that ...                     becomes
---------------------------------------------------  --------------------------------------------------------------
bears the item's own recovery mark                   ours again: linked, and whatever differs is put right; a series
                                                     from which people took occurrences is made again
looks like it (`Comparison.identity`), and is equal  taken over
 in all that syncd writes, or bare: what differs
 is empty in the event
looks like it otherwise                              left alone, and nothing is made beside it: a person decides; with
                                                     `adopt = "same-time"` it is taken over
is masked, at the time of a private item             left alone likewise: it may be the item, or something else
may be what an unanswered create of it made, and was  left alone likewise; once it looks like the item again, it is ours
 edited since (`model.traces`)
stands in another section of the calendar and bears  ours again, and stays there; left alone likewise if title or time
 the item's own mark                                 differ (looked for only where the ledger may have forgotten it)

With `adopt = false` looks decide nothing. People's guests stay on an event that is taken over, unless the sync invites
guests itself: the field is kept as it stands (`observation.keeping`), and such an event is never deleted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from syncd.lang.saying import say
from syncd.model.item import Item, Link, Observed, fingerprint, in_other_words
from syncd.model.json_values import Fields, Json
from syncd.model.labels import labels
from syncd.model.observation import Comparison, Observation, equal, recovery_mark
from syncd.model.plan import Adopt
from syncd.model.traces import suspected

_MOST_TWINS = 16
"""Of so many events that look like an item the best is chosen; to choose among thousands of twins would take too
long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """An event to be linked to an item. `ours`: it has the item's mark. `elsewhere`: it is in another section."""

    seen: Observed
    ours: bool
    elsewhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookalike:
    """An event that looks like an item and is somebody else's. `differs` names what syncd would overwrite.

    A `suspect` may be ours.
    """

    seen: Observed
    differs: tuple[str, ...]
    suspect: bool = False

    @property
    def reason(self) -> str:
        """Why the item waits, and what a person can do about it."""
        seen = self.seen
        if self.suspect:
            return suspected(seen)
        if "section" in self.differs:
            return say(
                "looks like «{title}» ({start}, id {remote_id}) in another section of the calendar,"
                " which syncd may have made and which differs in {differs}; not taken over, and"
                " nothing is made beside it. Delete that one or move it to the section of the sync, or set"
                ' adopt = "same-time" to take it over where it stands, or adopt = false to have another made',
                title=seen.title,
                start=seen.start,
                remote_id=seen.remote_id,
                differs=labels(self.differs),
            )
        if seen.masked:
            return say(
                "a private event that syncd's user may not see stands there at that time (id {remote_id});"
                " it may be this one, so nothing is made beside it. Let syncd work as somebody who may see it: who"
                " made it, the calendar's owner, or a guest",
                remote_id=seen.remote_id,
            )
        return say(
            "looks like «{title}» ({start}, id {remote_id}), which syncd did not make and which differs"
            " in {differs}; not taken over, and nothing is made beside it. Change or delete that one,"
            ' or set adopt = "same-time" to take it over, or adopt = false to have another made',
            title=seen.title,
            start=seen.start,
            remote_id=seen.remote_id,
            differs=labels(self.differs),
        )


class Adoptable:
    """The events that no link claims, by recovery mark and by signature. Each is given away only once."""

    def __init__(self, links: Iterable[Link], observation: Observation, adopt: Adopt) -> None:
        claimed = {link.remote_id for link in links if observation.verdict(link).standing != "foreign"}
        self.comparison = observation.comparison
        self._adopt = adopt
        self._suspects = observation.suspects
        self._by_name: dict[str, list[Observed]] = defaultdict(list)
        self._masked: dict[str, list[Observed]] = defaultdict(list)
        self._given: set[int] = set()
        self._others: dict[str, list[Observed]] = defaultdict(list)
        for seen in sorted(observation.elsewhere, key=lambda one: one.remote_id, reverse=True):
            self._others[seen.mark].append(seen)
        for remote_id in sorted(observation.events, reverse=True):
            seen = observation.events[remote_id]
            if remote_id not in claimed and seen.masked:
                self._masked[self.comparison.slot(seen)].append(seen)
            elif remote_id not in claimed:
                looks = {self.comparison.signature(seen), self.comparison.moment(seen)}
                for name in filter(None, (seen.mark, *looks)):
                    self._by_name[name].append(seen)

    def find(self, item: Item) -> Taken | Lookalike | None:
        """Return an event that is `item`, or that only looks like it, and do not give it away again.

        A mark takes precedence over looks. If several events can be taken, it is the oldest.
        """
        if item.section_id is None:  # its section has yet to be created, so nothing can be in it
            return None
        if not (self._by_name or self._masked or self._suspects):  # as at a first sync, for each of its many items
            return None
        found = self._marked(item) or self._suspected(item)
        if found is None and self._adopt:
            found = self._alike(item) or self._hidden(item)
        if found is not None:
            self._given.add(found.seen.remote_id)
        return found

    def worded(self, item: Item) -> Item:
        """Return `item`, in its other words if an event with those may be taken over."""
        if item.also is None or item.section_id is None:
            return item
        other = in_other_words(item)
        names = (self.comparison.mark(item), *(self.comparison.signature(one) for one in (item, other)))
        for name in filter(None, names):
            for seen in self._candidates(name, item):
                ours, others = (self.comparison.differing(one.fields, seen.fields) for one in (item, other))
                return other if len(others) < len(ours) else item
        return item

    def find_again(self, item: Item, link: Link) -> Taken | Lookalike | None:
        """Return, like `find`, what stands in the place of the event of `link`, which is gone.

        The person who deleted the event may have made it again as it was, while the source has changed since.
        """
        found = self.find(item)
        if found is None and link.fingerprint != item.fingerprint:
            was = replace(item, fields=link.sent, section=link.section, section_id=link.section_id)
            found = taken if isinstance(taken := self.find(was), Taken) else None
        return found

    def _marked(self, item: Item) -> Taken | None:
        mark = self.comparison.mark(item)
        return next((Taken(seen=one, ours=True) for one in self._candidates(mark, item)), None)

    def _suspected(self, item: Item) -> Taken | Lookalike | None:
        """Return the event that may be what an unanswered create of `item` made, if there is one."""
        seen = self._suspects.get(recovery_mark(self.comparison.sync, item.key)) if self._suspects else None
        if seen is None or seen.remote_id in self._given:
            return None
        if self.comparison.signature(seen) == self.comparison.signature(item):
            return Taken(seen=seen, ours=True)
        return Lookalike(seen=seen, differs=(), suspect=True)

    def _hidden(self, item: Item) -> Lookalike | None:
        """Return a masked event that may be the private `item`: only its time can be seen (PORTAL.md 4.5)."""
        masked = self._masked.get(self.comparison.slot(item)) if item.fields.get("private") else None
        return Lookalike(seen=masked.pop(), differs=()) if masked else None

    def _alike(self, item: Item) -> Taken | Lookalike | None:
        lookalikes: list[Lookalike] = []
        same_clock = self._candidates(self.comparison.signature(item), item)
        for seen in same_clock or self._candidates(self.comparison.moment(item), item):
            differs = self._lost(item, seen)
            if not differs or (self._adopt == "same-time" and not seen.damage):
                return Taken(seen=seen, ours=False)
            lookalikes.append(Lookalike(seen=seen, differs=differs))
        return lookalikes[0] if lookalikes else None

    def find_elsewhere(self, item: Item) -> Taken | Lookalike | None:
        """Return, like `find`, an event in another section of the calendar.

        Somebody has moved it there, or renamed the section. Only a mark proves that, because several syncs may show the
        same schedule in sections of one calendar.
        """
        found = self._elsewhere(item)
        if found is not None:
            self._given.add(found.seen.remote_id)
        return found

    def _elsewhere(self, item: Item) -> Taken | Lookalike | None:
        for seen in self._candidates(self.comparison.mark(item), item, self._others):
            differs = self.comparison.differing(item.fields, seen.fields)
            if not set(differs).intersection(self.comparison.identity) or self._adopt == "same-time":
                return Taken(seen=seen, ours=True, elsewhere=True)
            if self._adopt:
                return Lookalike(seen=seen, differs=(*differs, "section"))
        return None

    def _candidates(self, name: str, item: Item, among: dict[str, list[Observed]] | None = None) -> list[Observed]:
        """Return the oldest events of this name in the place of `item` that have not been given away."""
        events = (self._by_name if among is None else among).get(name, [])
        while events and events[-1].remote_id in self._given:
            events.pop()
        oldest = events[: -_MOST_TWINS - 1 : -1]
        return [one for one in oldest if one.remote_id not in self._given and one.place == item.key.place]

    def _lost(self, item: Item, seen: Observed) -> tuple[str, ...]:
        """Return the fields of `seen` that would be overwritten if it were taken over.

        A field that is empty there may be filled.
        """
        defaults = self.comparison.defaults
        moment = self.comparison.moment(item)
        clocks = {name for pair in self.comparison.clocks for name in pair}
        told = clocks if moment and moment == self.comparison.moment(seen) else ()  # the same times on another clock
        names = tuple(
            name
            for name in self.comparison.differing(item.fields, seen.fields)
            if name not in told and not equal(seen.fields.get(name, defaults[name]), defaults[name])
        )
        return (*names, "occurrences") if seen.damage else names


def link_of(item: Item, found: Taken, comparison: Comparison) -> tuple[Link, tuple[str, ...]]:
    """Return the link of `item` to an event as it is now, and the names of the fields to be corrected in it."""
    seen = found.seen
    kept = {name: _as_kept(seen.fields[name]) for name in comparison.left if seen.fields.get(name)}
    names = tuple(name for name in comparison.differing(item.fields, seen.fields) if name not in kept)
    sent: Fields = {**item.fields, **{name: seen.fields.get(name) for name in names}, **kept}
    link = Link(
        key=item.key,
        remote_id=seen.remote_id,
        section=item.section,
        section_id=seen.section_id,
        fingerprint=fingerprint(sent, item.section),
        sent=sent,
        version=seen.version,
        title=item.title,
        where=item.where,
        starts_on=item.starts_on,
        ends_on=item.ends_on,
        start=item.start,
        adopted=not found.ours,
        stamp=seen.stamp,
    )
    return link, names


def _as_kept(value: Json) -> Json:
    return {**value, "kept": True} if isinstance(value, Mapping) else value
