"""Whether another ledger writes the events of this one: a copy of the config, an old server that still runs. Pure.

An event that bears the mark of an item of ours, and ...                                             shows
---------------------------------------------------------------------------------------------------  ------------------
another ledger's name, although we have written it since we first read the portal                    a second writer
another ledger's name, made since we first read the portal, for an item without a link, or beside
 the event of one                                                                                    a second writer
our name or none, made since we last read the portal, for an item without a link: no request of ours
 made it, so a copy of this ledger did                                                               a second writer
another ledger's name, and none of that                                                              a lost ledger's

What stands in another section shows nothing, nor what is older than our last save. For people copy events with their
marks, and a portal that is put back shows earlier ones: so neither does our name or a lost ledger's where the item had
an event before, nor any name beside an older event with that mark.

Without marks an event that looks like an item, made by our user since we last read the portal, may as well be that
person's own: it is told. When something was made is told by its id, for the portal counts them up, and by its stamp:
both have to say so, for each can deceive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

import msgspec
from msgspec.structs import replace

from syncd.errors import GuardError
from syncd.lang.saying import Saying, say, say_count
from syncd.model.entry import Problem
from syncd.model.evidence import Stamp, made_since
from syncd.model.item import Item, Link, Observed
from syncd.model.observation import Observation, mark_of
from syncd.model.zones import as_told

CLOCKS_APART_S: Final = 60.0
"""How far the portal's clock may be from what is known of it."""


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """How far the portal is known: unix time by its clock and highest id, at the first look and at the last one.

    `others` are the ledgers whose events were taken over.
    """

    since: float
    first: int
    at: float
    last: int
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What is known of this ledger: its name, "" for none yet, what it has looked at, and what it cannot know.

    `looked` is None if nothing can be told: before the first look, and after the ledger was put back. `exact` is True
    if the ledger knows everything that it has done since the last look. `wall_s` is how far the portal's wall clock is
    ahead of its unix time, and `caller` is the webhook's user. `late` holds the marks and signatures of creates that
    nobody answered. `lost` holds more ledgers whose events were taken over, for example before this one was put back.
    `past` tells by mark what was made of items, oldest first; it is None if the ledger was not asked for it.
    """

    name: str
    looked: Looked | None
    exact: bool
    wall_s: float
    caller: int
    late: frozenset[str] = frozenset()
    lost: tuple[str, ...] = ()
    past: Mapping[str, Sequence[str]] | None = None

    def is_foreign(self, seen: Observed) -> bool:
        """Return True if another ledger wrote the mark of an event."""
        return seen.ledger not in ("", self.name)

    def is_lost(self, seen: Observed) -> bool:
        """Return True if the ledger that wrote the mark of an event is one whose events were taken over."""
        return seen.ledger in self.lost or (self.looked is not None and seen.ledger in self.looked.others)

    def had(self, mark: str) -> bool:
        """Return True if the item of `mark` may have had an event before, of which people may have made copies."""
        return self.past is not None and bool(self.past.get(mark))

    def made_first(self, mark: str) -> bool:
        """Return True if no event of the item of `mark` can be older than the one that this ledger made."""
        return self.past is None or tuple(self.past.get(mark, ())) == ("create",)

    def made_since_first(self, seen: Observed) -> bool:
        """Return True if an event was certainly made after the first look."""
        looked = self.looked
        return looked is not None and seen.remote_id > looked.first and self._made_since(seen, looked.since)

    def made_since_last(self, seen: Observed) -> bool:
        """Return True if an event was certainly made after the last look, and by nothing that this ledger did."""
        looked = self.looked
        return (
            self.exact
            and looked is not None
            and seen.remote_id > looked.last
            and seen.mark not in self.late
            and self._made_since(seen, looked.at)
        )

    def made_it(self, seen: Observed) -> bool:
        """Return True if the webhook's user made an event."""
        stamp = Stamp.parse(seen.stamp)
        return stamp is not None and stamp.by == self.caller > 0

    def _made_since(self, seen: Observed, moment: float) -> bool:
        return made_since(seen.stamp, moment + self.wall_s + CLOCKS_APART_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Strangers:
    """What other ledgers did, as far as it can be seen.

    `made` holds the events that prove a second writer at work, in the order of their ids. `taken` counts, by ledger,
    the events with marks of lost ledgers that were found for the first time. `alike` holds events that may be another
    writer's. `own` is the name of this ledger.
    """

    made: tuple[Observed, ...] = ()
    taken: Mapping[str, int] = field(default_factory=dict)
    alike: tuple[Observed, ...] = ()
    own: str = ""

    def refusal(self, sync: str) -> GuardError:
        """Return the error of a pass of `sync` that meets a second writer at work (`made`)."""
        return GuardError(
            say(
                "{sync}: {who}, such as {event}; nothing was sent",
                sync=sync,
                who=self._who,
                event=_named(self.made[0]),
            ),
            say(
                "stop the other one, as an old server, a copy of the config or a run with another state; then run"
                " `syncd sync {sync} --force` once, which takes over what it made",
                sync=sync,
            ),
        )

    @property
    def _who(self) -> Saying:
        if others := self.writers:
            return say("another syncd (its ledger is {ledgers}) works on the same events", ledgers=others)
        # An activity's mark names no ledger, nor do those of earlier versions.
        if self.made[0].ledger:
            return say("another syncd with a copy of this state works on the same events")
        return say("another syncd works on the same events")

    @property
    def writers(self) -> tuple[str, ...]:
        """The other ledgers that are at work, as far as they have names."""
        return tuple(sorted({seen.ledger for seen in self.made} - {"", self.own}))

    def problems(self, where: str) -> tuple[Problem, ...]:
        """Return what people are told if the pass is not refused. `where` is the source."""
        told = [
            say_count(
                "takes over {count:,} event made by another ledger ({ledger}), as after a state was lost; if a syncd"
                " still works with that one, stop it",
                "takes over {count:,} events made by another ledger ({ledger}), as after a state was lost; if a syncd"
                " still works with that one, stop it",
                number,
                ledger=ledger,
            )
            for ledger, number in sorted(self.taken.items())
        ]
        if self.alike:
            told.append(
                say_count(
                    "syncd's own user made {count:,} event like those of this sync since it last looked, such as"
                    " {event}; if another syncd works with this config, stop it",
                    "syncd's own user made {count:,} events like those of this sync since it last looked, such as"
                    " {event}; if another syncd works with this config, stop it",
                    len(self.alike),
                    event=_named(self.alike[0]),
                )
            )
        return tuple(Problem(where=where, kind="warning", reason=one) for one in told)


def _named(seen: Observed) -> str:
    return say("«{title}» ({start}, id {id})", title=seen.title, start=as_told(seen.start, None), id=seen.remote_id)


NOBODY: Final = Strangers()


@dataclass(frozen=True, slots=True, kw_only=True)
class Writers:
    """What was found of other ledgers, and after a reading of everything what is to be noted of it.

    `doubted` is True if something stands there already that would be made, or another ledger has written what is ours:
    then the whole portal has to be read.
    """

    found: Strangers = NOBODY
    looked: Looked | None = None
    doubted: bool = False


NO_WRITERS: Final = Writers()


def strangers(items: Iterable[Item], links: Iterable[Link], observation: Observation, own: Own) -> Strangers:
    """Return what an observation shows of other ledgers. `items` are wanted, `links` are those of this ledger.

    Only a reading of everything tells something about items without a link.
    """
    by_id = {link.remote_id: link for link in links}
    foreign = [seen for seen in observation.events.values() if own.is_foreign(seen)]
    moved = [seen for seen in observation.elsewhere if own.is_foreign(seen)]
    free = [seen for number, seen in observation.events.items() if number not in by_id] if observation.whole else []
    fresh = [seen for seen in free if own.made_since_last(seen)]
    if not foreign and not fresh and not moved:
        return NOBODY
    holders = _Holders(items, by_id, observation)
    own_marked = [seen for seen in foreign if holders.has(seen)]
    made = {seen.remote_id: seen for seen in chain(_written(own_marked, holders, own), _copied(fresh, holders, own))}
    # What stands in another section may be that of another sync of this name; what it shows is taken over at most.
    known = [*own_marked, *(seen for seen in moved if seen.mark in holders.unlinked)]
    taken = Counter(seen.ledger for seen in known if seen.remote_id not in made and not own.is_lost(seen))
    alike = [seen for seen in fresh if not seen.mark and own.made_it(seen) and holders.show(seen, own.late)]
    return Strangers(made=_in_order(made.values()), taken=taken, alike=_in_order(alike), own=own.name)


def _in_order(events: Iterable[Observed]) -> tuple[Observed, ...]:
    return tuple(sorted(events, key=lambda seen: seen.remote_id))


def _written(foreign: Iterable[Observed], holders: _Holders, own: Own) -> Iterator[Observed]:
    """Yield the events with our marks and another ledger's name that only a ledger at work can have written."""
    if own.looked is None:
        return
    older = {
        (seen.mark, seen.ledger) for seen in foreign if holders.link(seen) is None and not own.made_since_first(seen)
    }
    for seen in foreign:
        link = holders.link(seen)
        if link is not None:
            # What was taken over of a lost ledger bears its name until it is written again, and a portal that is put
            # back shows what was before our last save.
            proves = not own.is_lost(seen) and not _was_before(link, seen)
        else:
            # A person's copy has the mark and the name of its original, which may stand there still.
            copied = (seen.mark, seen.ledger) in older or (own.is_lost(seen) and _may_be_copied(seen, holders, own))
            proves = own.made_since_first(seen) and not copied
        if proves:
            yield seen


def _may_be_copied(seen: Observed, holders: _Holders, own: Own) -> bool:
    """Return True if the item of `seen` may have had an event with the name of that ledger before.

    An item whose event this ledger made itself never had one.
    """
    if seen.mark not in holders.linked:
        return own.had(seen.mark)
    first = holders.beside(seen)
    return not own.made_first(seen.mark) or (first is not None and not own.made_since_first(first))


def _was_before(link: Link, seen: Observed) -> bool:
    """Return True if the event of `link` is as it was before our last save of it."""
    return link.version is not None and seen.version is not None and seen.version <= link.version


def _copied(fresh: Iterable[Observed], holders: _Holders, own: Own) -> Iterator[Observed]:
    """Yield the events with the mark of an item without a link that only a copy of this ledger can have made."""
    for seen in fresh:
        if own.is_foreign(seen) or seen.mark not in holders.unlinked or own.had(seen.mark):
            continue
        if holders.unforgeable or own.made_it(seen):
            yield seen


class _Holders:
    """The items of a sync by their marks, with and without a link, and by their looks."""

    def __init__(self, items: Iterable[Item], links: Mapping[int, Link], observation: Observation) -> None:
        self._observation, self._links = observation, links
        comparison = observation.comparison
        known = {link.key for link in links.values()}
        self._new = [item for item in items if item.key not in known]
        self.unlinked = {comparison.mark(item) for item in self._new}
        self.linked = {mark_of(link, comparison): link for link in links.values()}
        self.unforgeable = bool(comparison.mark_field)
        """Whether only REST can set the marks of items (PORTAL.md 6.1)."""
        self._shown: frozenset[str] | None = None

    def link(self, seen: Observed) -> Link | None:
        """Return the link of an event, None if it has none."""
        link = self._links.get(seen.remote_id)
        # Not `is`: of events that are as they were sent no more than the links are kept (model/as_sent.py).
        return link if link is not None and self._observation.verdict(link).seen == seen else None

    def beside(self, seen: Observed) -> Observed | None:
        """Return the event of the link that has the mark of `seen`, None if there is no such link or event."""
        link = self.linked.get(seen.mark)
        return self._observation.verdict(link).seen if link is not None else None

    def has(self, seen: Observed) -> bool:
        """Return True if an event has the mark of an item. If it has a link, it must be the mark of that link."""
        link = self.link(seen)
        if link is not None:
            return seen.mark == mark_of(link, self._observation.comparison)
        return seen.mark in self.unlinked or seen.mark in self.linked

    def show(self, seen: Observed, late: Collection[str]) -> bool:
        """Return True if an event looks like an item without a mark, or like the event of one."""
        signature = self._observation.comparison.signature
        if self._shown is None:
            new = {signature(item) for item in self._new if not item.fields.get("mark")}
            links = (link for link in self._links.values() if not link.sent.get("mark"))
            events = (self._observation.verdict(link).seen for link in links)
            self._shown = frozenset(new | {signature(one) for one in events if one is not None}) - {"", *late}
        return signature(seen) in self._shown


def looked_at(
    before: Looked | None,
    observation: Observation,
    links: Iterable[Link],
    found: Strangers,
    now: float,
    *,
    lost: Iterable[str] = (),
) -> Looked:
    """Return what is known after a look at everything, at unix time `now` by the portal's clock.

    If `before` is None, everything that stands there counts as older. `lost` are ledgers that are known to be lost
    already. What a second writer made is taken over now, because otherwise the pass would have been refused.
    """
    highest = max((*observation.events, *(link.remote_id for link in links)), default=0)
    others = {*(before.others if before is not None else ()), *lost, *found.taken, *found.writers}
    if before is None or found.made:
        return Looked(since=now, first=highest, at=now, last=highest, others=tuple(sorted(others)))
    return replace(before, at=now, last=highest, others=tuple(sorted(others)))
