"""What the portal was seen to hold, and how that compares with what was sent.

The portal rewrites what it is given: its filter drops blanks, entities come back decoded, moments in another zone
(PORTAL.md 1.5). So each target states as a value, a `Comparison`, which of its fields compare in which way, and the
comparing is done here for all of them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from syncd.model.item import Item, Key, Link, Observed, canonical
from syncd.model.json_values import Fields, Json

_FILTERED = re.compile(r"[\s*]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How the items of one target are recognised and compared.

    `defaults` names the fields that are compared, each with the value that stands for it where it is left out. Of these
    `texts` are equal when they differ in white space and entities only, `extended` are texts to which the portal may
    append something, `moments` are ISO dates with offsets, and those in `chosen` are the portal's own choice where
    nothing was sent. Two items with equal `identity` fields look like the same one; () where looks prove nothing.
    `mark_field` is the field that holds every item's recovery mark; without one it is made of `sync` and the key.
    `left` are fields that stay as they are on an event taken over; their value then says "kept", and is not compared.
    """

    sync: str
    defaults: Fields
    texts: frozenset[str] = frozenset()
    extended: frozenset[str] = frozenset()
    moments: frozenset[str] = frozenset()
    chosen: frozenset[str] = frozenset()
    identity: tuple[str, ...] = ()
    mark_field: str = ""
    left: frozenset[str] = frozenset()

    def mark(self, item: Item) -> str:
        """Return the recovery mark that `item` bears in the portal, where the config asks for marks."""
        return str(item.fields[self.mark_field]) if self.mark_field else recovery_mark(self.sync, item.key)

    def signature(self, one: Item | Observed) -> str:
        """Return what identifies an event by its looks, the same for an item and for the event it becomes.

        Return "" where looks prove nothing.
        """
        if not self.identity:
            return ""
        place = one.key.place if isinstance(one, Item) else one.place
        shown = [self._shown(name, one.fields.get(name, self.defaults[name])) for name in self.identity]
        return canonical([str(place), one.section_id or 0, shown]).decode("utf-8", "surrogatepass")

    def differing(self, sent: Fields, seen: Fields) -> tuple[str, ...]:
        """Return the names of the fields a person changed: `sent` is what was written, `seen` what stands there."""
        return tuple(
            name
            for name, default in sorted(self.defaults.items())
            if not self._same(name, sent.get(name, default), seen.get(name, default))
        )

    def _same(self, name: str, sent: Json, seen: Json) -> bool:
        if sent == seen or (name in self.chosen and not sent):
            return True
        if isinstance(sent, Mapping) and sent.get("kept") is True:
            return True
        ours, theirs = self._shown(name, sent), self._shown(name, seen)
        if sent and name in self.extended:
            return str(theirs).startswith(str(ours))
        return equal(ours, theirs)

    def _shown(self, name: str, value: Json) -> Json:
        """Return what is left of a value when everything that the portal rewrites by itself is taken away."""
        if isinstance(value, str):
            if name in self.texts:
                return bare(value)
            if name in self.moments:
                return _moment(value)
        return value


def _moment(text: str) -> Json:
    """Return an ISO date as unix time, or without an offset in its one form; a text that is no date as it is."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    # Without an offset it is no moment: what it means would depend on this machine's zone.
    return moment.isoformat() if moment.tzinfo is None else moment.timestamp()


def bare(text: str) -> str:
    """Return `text` without white space and entities: what survives the portal's text filter (PORTAL.md 1.5)."""
    return _FILTERED.sub("", html.unescape(html.unescape(text)))


def equal(one: Json, other: Json) -> bool:
    """Return True if two JSON values are equal; a list that went through the ledger is a tuple's equal."""
    return one == other or canonical(one) == canonical(other)


def recovery_mark(sync: str, key: Key) -> str:
    """Return the mark by which an item is found again, the same in every run and for every ledger."""
    return blake2b(f"{sync}\0{key}".encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What reading the portal found: events by remote id, and linked ids that are certainly gone."""

    events: Mapping[int, Observed]
    gone: frozenset[int]
    comparison: Comparison

    def edited(self, link: Link) -> tuple[str, ...]:
        """Return the names of the fields in which the event of `link` is not what was sent; () for one that is gone."""
        event = self.events.get(link.remote_id)
        if event is None:
            return ()
        names = self.comparison.differing(link.sent, event.fields)
        if event.damage:
            names = (*names, "occurrences")
        return (*names, "section") if event.section_id != link.section_id else names

    def difference(self, link: Link) -> str | None:
        """Return in words how the event of `link` differs from what was sent, None if it does not."""
        if link.remote_id not in self.events:
            return "it is gone from the portal" if link.remote_id in self.gone else "it could not be read back"
        names = self.edited(link)
        return f"reads back differently: {', '.join(names)}" if names else None
