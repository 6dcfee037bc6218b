"""What the portal was seen to hold, and how that compares with what was sent.

The portal rewrites what it is given: its filter drops blanks, entities come back decoded, moments in another zone
(PORTAL.md 1.5). So each target states as a value, a `Comparison`, how its fields compare, and this module compares them
for all targets.
"""

from __future__ import annotations

import html
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from syncd.lang.saying import say
from syncd.model.evidence import Beginning, Stamp, agreement, beginning
from syncd.model.item import Item, Key, Link, Observed, canonical
from syncd.model.json_values import Fields, Json, unpacked
from syncd.model.labels import labels

_FILTERED = re.compile(r"[\s*]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How the items of one target are recognised and compared.

    `defaults` names the fields that are compared, each with the value that stands for it where it is left out. Among
    these:

      texts      are equal if they differ in white space and entities only
      extended   are texts to which the portal may append something
      moments    are ISO dates with offsets
      chosen     are chosen by the portal where nothing was sent
      maskable   cannot be seen on an event that is masked
      left       stay as they are on an event that was taken over; their value then says "kept", and is not compared
      holding    are lists that are equal if all that was sent is among what stands there
      steady     have a part that no update changes, such as the organiser of a meeting, so it is nobody's edit
      unstored   have parts that the portal never returns

    `unnamed` are texts that the portal chooses for a title. Two items with equal `identity` fields, the title first,
    look like the same one; () if looks prove nothing. `clocks` are the fields of wall times, each with the field of its
    zone: what happens once is the same on the clock of any zone. `mark_field` is the field that holds the recovery mark
    of every item; without one the mark is made of `sync` and the key. Of `steady` and `unstored` fields only the parts
    that were sent are compared. With `asks_steady`, a steady part that the portal did not take over is told as a
    difference. With `dated`, a VERSION is the moment of the last save instead of the number of saves.
    """

    sync: str
    defaults: Fields
    texts: frozenset[str] = frozenset()
    extended: frozenset[str] = frozenset()
    moments: frozenset[str] = frozenset()
    chosen: frozenset[str] = frozenset()
    unnamed: frozenset[str] = frozenset()
    identity: tuple[str, ...] = ()
    clocks: tuple[tuple[str, str], ...] = ()
    maskable: frozenset[str] = frozenset()
    mark_field: str = ""
    left: frozenset[str] = frozenset()
    holding: frozenset[str] = frozenset()
    steady: Mapping[str, str] = field(default_factory=dict)
    asks_steady: bool = False
    unstored: Mapping[str, frozenset[str]] = field(default_factory=dict)
    dated: bool = False

    def is_edited(self, seen: Observed) -> bool:
        """Return True if somebody has saved an event since it was made, or if that is not known."""
        if seen.version is None or not self.dated:
            return seen.version is None or seen.version > 1
        made = Stamp.parse(seen.stamp)
        return made is None or seen.version > made.at

    def mark(self, item: Item) -> str:
        """Return the recovery mark that `item` has in the portal if the config asks for marks."""
        return str(item.fields[self.mark_field]) if self.mark_field else recovery_mark(self.sync, item.key)

    def owns(self, link: Link, seen: Observed) -> bool:
        """Return True if `seen`, which has the id of `link`, is the event that `link` was made for.

        An id is no proof, nor is VERSION: a portal that was restored from a backup gives both out again. What proves it
        is the mark, else who made the event and when. Where that is not known to the second yet, or was read in another
        zone, the event has to show what was sent as well, or a person may have changed either its title or its times;
        or it was made with the start that was sent.
        """
        if self.mark_field and (mark := link.sent.get(self.mark_field)):
            return seen.mark == mark
        agreed = agreement(link.stamp, seen.stamp)
        if agreed == "same" or (seen.mark and seen.mark == recovery_mark(self.sync, link.key)):
            return True
        if agreed == "other" or seen.place != link.key.place:
            return False
        names = self.identity or tuple(self.defaults)
        title, near = names[0], agreed == "near"
        changed = set(self.edits(link.sent, seen)).intersection(names)
        hidden = seen.masked and title in self.maskable
        if title not in changed and not hidden:
            return True
        ours, theirs = link.version, seen.version
        # A lower VERSION is that of a new event, or of ours in an earlier state if it was made when ours was.
        if ours is not None and theirs is not None and (theirs == ours or (theirs < ours and not near)):
            # Nobody has saved it since we did, so what differs was rewritten by the portal, or is not ours.
            sent, shown = (str(self._shown(title, one.get(title, ""))) for one in (link.sent, seen.fields))
            return changed <= {title} and (near or hidden or _is_part(shown, sent))
        return near or changed <= {title} or self.begins(link.sent, seen) == "same"

    def begins(self, sent: Fields, seen: Observed) -> Beginning:
        """Return whether the event `seen` was made with the start that was `sent`, whatever was edited since."""
        if not self.clocks:
            return "unknown"
        start, zone = (str(sent.get(name, "")) for name in self.clocks[0])
        return beginning(start, zone, seen.born)

    def slot(self, one: Item | Observed) -> str:
        """Return what identifies an event by place and time, which a mask leaves visible, "" as in `signature`."""
        return self._looks(one, tuple(name for name in self.identity if name not in self.maskable))

    def signature(self, one: Item | Observed) -> str:
        """Return what identifies an event by its looks. An item has the same one as the event that it becomes.

        Return "" if looks prove nothing.
        """
        return self._looks(one, self.identity)

    def moment(self, one: Item | Observed) -> str:
        """Return what identifies an event that happens once by its title and moments, in whatever zone these are given.

        Return "" for a series, which follows its zone through the year, for whole days, and if looks prove nothing.
        """
        fields = self._in_utc(unpacked(one.fields))
        return self._looks(one, self.identity, fields) if fields is not None else ""

    def _in_utc(self, fields: Fields) -> Fields | None:
        if not self.clocks or fields.get("rule") or not all(fields.get(zone) for _, zone in self.clocks):
            return None
        told: dict[str, Json] = {}
        try:
            for time, zone in self.clocks:
                wall = datetime.fromisoformat(str(fields[time])).replace(tzinfo=ZoneInfo(str(fields[zone])))
                told |= {time: wall.astimezone(UTC).isoformat(), zone: "UTC"}
        except (ValueError, OverflowError, ZoneInfoNotFoundError):  # what the portal gave is no time, or no zone
            return None
        return {**fields, **told}

    def _looks(self, one: Item | Observed, names: Collection[str], fields: Fields | None = None) -> str:
        if not names:
            return ""
        place, fields = one.key.place if isinstance(one, Item) else one.place, fields or unpacked(one.fields)
        shown = [self._shown(name, fields.get(name, self.defaults[name])) for name in names]
        return canonical([str(place), one.section_id or 0, shown]).decode("utf-8", "surrogatepass")

    def differing(self, sent: Fields, seen: Fields) -> tuple[str, ...]:
        """Return the names of the fields that differ between what was `sent` and what was `seen`."""
        if sent is seen:  # whoever read it found it equal, and shares it
            return ()
        return tuple(
            name
            for name, default in sorted(self.defaults.items())
            if not self._same(name, sent.get(name, default), seen.get(name, default))
        )

    def edits(self, sent: Fields, seen: Observed) -> tuple[str, ...]:
        """Return the names of the visible fields in which the event `seen` differs from what was `sent`."""
        names = self.differing(sent, seen.fields)
        return tuple(name for name in names if name not in self.maskable) if seen.masked else names

    def _same(self, name: str, sent: Json, seen: Json) -> bool:
        if sent == seen or (name in self.chosen and not sent):
            return True
        if is_kept(sent):
            return True
        if name in self.holding:
            return set(_texts(sent)) <= set(_texts(seen))
        if name in self.steady:
            sent = _without(sent, self.unstored.get(name, frozenset()) | {self.steady[name]})
            seen = _as_far_as(sent, seen)
        ours, theirs = self._shown(name, sent), self._shown(name, seen)
        if sent and name in self.extended:
            return str(theirs).startswith(str(ours))
        return equal(ours, theirs)

    def not_taken(self, sent: Fields, seen: Observed) -> tuple[str, ...]:
        """Return the names of the steady parts that were asked for and that the portal did not take over."""
        if not self.asks_steady or seen.masked:
            return ()
        pairs = ((part, sent.get(name), seen.fields.get(name)) for name, part in sorted(self.steady.items()))
        return tuple(
            part
            for part, ours, theirs in pairs
            if isinstance(ours, Mapping) and isinstance(theirs, Mapping) and ours.get(part) != theirs.get(part)
        )

    def _shown(self, name: str, value: Json) -> Json:
        """Return `value` without anything that the portal rewrites by itself."""
        if isinstance(value, str):
            if name in self.texts:
                return "" if name in self.chosen and value in self.unnamed else bare(value)
            if name in self.moments:
                return _moment(value)
        return value


def _texts(value: Json) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list | tuple) else []


def _without(value: Json, parts: Collection[str]) -> Json:
    return {name: one for name, one in value.items() if name not in parts} if isinstance(value, Mapping) else value


def _as_far_as(sent: Json, seen: Json) -> Json:
    """Return the parts of `seen` that `sent` has too."""
    if not (isinstance(sent, Mapping) and isinstance(seen, Mapping)):
        return seen
    return {name: one for name, one in seen.items() if name in sent}


def _moment(text: str) -> Json:
    """Return an ISO date as unix time, or in a standard form if it has no offset; other texts unchanged."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    # Without an offset it is no moment: what it means would depend on this machine's zone.
    return moment.isoformat() if moment.tzinfo is None else moment.timestamp()


def bare(text: str) -> str:
    """Return `text` without white space and entities, which is what the portal's text filter keeps (PORTAL.md 1.5)."""
    return _FILTERED.sub("", html.unescape(html.unescape(text)))


def _is_part(short: str, long: str) -> bool:
    """Return True if `short` is `long` without some of its characters, as the portal leaves texts that it shortens."""
    rest = iter(bare(long).casefold())
    return all(one in rest for one in bare(short).casefold().replace("?", "").replace("\ufffd", ""))


def equal(one: Json, other: Json) -> bool:
    """Return True if two JSON values are equal; a list that went through the ledger equals a tuple."""
    return one == other or canonical(one) == canonical(other)


def is_kept(value: Json) -> bool:
    """Return True for the value of a field that stays as people left it."""
    return isinstance(value, Mapping) and value.get("kept") is True


def has_kept(fields: Fields) -> bool:
    """Return True if people have something of their own on the event: guests, who would be told of its end."""
    return any(map(is_kept, fields.values()))


def keeping(item: Item, link: Link) -> Item:
    """Return `item` with what people have of their own on its event, if that was taken over.

    A field stays the item's if the item says something there.
    """
    kept = {name: value for name, value in unpacked(link.sent).items() if is_kept(value) and not item.fields.get(name)}
    return replace(item, fields={**item.fields, **kept}) if kept else item


def recovery_mark(sync: str, key: Key) -> str:
    """Return the mark by which an item is found again. It is the same in every run and for every ledger."""
    return blake2b(f"{sync}\0{key}".encode(), digest_size=8).hexdigest()


def mark_of(link: Link, comparison: Comparison) -> str:
    """Return the recovery mark that the event of `link` bears, where the config asks for marks."""
    named = comparison.mark_field
    return str(link.sent.get(named, "")) if named else recovery_mark(comparison.sync, link.key)


FOREIGN = say("another event has its id in the portal now")
"""What happened to an item whose id the portal has given to somebody else's event."""

UNREADABLE = say("what stands at its id in the portal cannot be read, so it is not touched; the next pass tries again")
"""Why an item waits if the portal shows its event in a way that is not understood."""

LinkStanding = Literal["ours", "gone", "foreign", "doubled", "unreadable", "unasked"]
LOST: Final = frozenset({"gone", "foreign", "doubled"})
"""The standings of a link that has no event any more."""


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What an observation says of a link: whether its event stands there, and what happened to it since our last save.

    standing    what stands at the id of the link
    ----------  --------------------------------------------------------------------------------
    ours        its own event
    gone        nothing: the event was deleted
    foreign     another event, see `Comparison.owns`
    doubled     an event that belongs rather to another link of the sync, see `Observation.parted`
    unreadable  something that is not understood
    unasked     not known: the id was not read

    `seen` is the event, None unless the link is "ours" or "doubled". `saved` is True if somebody else has saved it: its
    VERSION is not that of our last save. Then `edited` names the fields in which it differs from what was sent, with
    "section" if it was moved to another section. The portal rewrites texts without a new VERSION (PORTAL.md 4.3), so an
    event that nobody saved counts as not edited, whatever it shows. `stamp` is the stamp of the event if the link does
    not have it yet.
    """

    standing: LinkStanding
    seen: Observed | None = None
    saved: bool = False
    edited: tuple[str, ...] = ()
    stamp: str = ""


UNASKED: Final = Verdict("unasked")
_WITHOUT_EVENT: Final = {one: Verdict(one) for one in ("gone", "foreign", "unreadable")}  # of many links


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What reading the portal found: events by remote id, and linked ids that are certainly gone.

    Ask it by link (`verdict`), because another event may have the id of a link now. At linked ids in `alien` something
    stands that syncd never makes. The portal's answers about ids in `unread` cannot be understood, so nothing is done
    to them. The events of the keys in `doubled` belong rather to other links (`parted`). `whole` is False if only
    events of links were read, so that nothing is known of what else stands there.

    The events of the keys in `late` are as a change of our own left them that came after a later one, which is nobody's
    edit (`model.unanswered`). `elsewhere` are events in other sections that may be ours; they are read only if the
    ledger may have forgotten them. `by` holds the names of those who changed events, by remote id, as far as the portal
    has told them. `suspects` are events that may be creates whose outcome is not known, by the recovery marks of the
    items.
    """

    events: Mapping[int, Observed]
    gone: frozenset[int]
    comparison: Comparison
    whole: bool = True
    alien: frozenset[int] = frozenset()
    unread: frozenset[int] = frozenset()
    doubled: frozenset[Key] = frozenset()
    late: frozenset[Key] = frozenset()
    elsewhere: tuple[Observed, ...] = ()
    by: Mapping[int, str] = field(default_factory=dict)
    suspects: Mapping[str, Observed] = field(default_factory=dict)

    def verdict(self, link: Link) -> Verdict:
        """Return what is known of `link`. That it is "doubled" is known only to an observation from `parted`."""
        seen = self.events.get(link.remote_id)
        if seen is None:
            if link.remote_id in self.alien:
                return _WITHOUT_EVENT["foreign"]
            if link.remote_id in self.gone:
                return _WITHOUT_EVENT["gone"]
            return _WITHOUT_EVENT["unreadable"] if link.remote_id in self.unread else UNASKED
        if not self.comparison.owns(link, seen):
            return _WITHOUT_EVENT["foreign"]
        if link.remote_id in self.gone:  # deleted while it was being read
            return _WITHOUT_EVENT["gone"]
        saved = seen.version is not None and seen.version != link.version
        edited = self.comparison.edits(link.sent, seen) if saved else ()
        if saved and seen.section_id != link.section_id:
            edited = (*edited, "section")
        standing: LinkStanding = "doubled" if link.key in self.doubled else "ours"
        return Verdict(standing, seen, saved, edited, seen.stamp if seen.stamp != link.stamp else "")

    def parted(self, links: Collection[Link]) -> Observation:
        """Return the observation with each event belonging to no more than one of `links`, whose keys all differ.

        One event cannot show two items. It goes to the link whose fields it shows, or to the first of several.
        """
        if len({link.remote_id for link in links}) == len(links):
            return self
        claims: dict[int, list[Link]] = defaultdict(list)
        for link in sorted(links, key=lambda one: one.key):
            if link.remote_id in self.events:
                claims[link.remote_id].append(link)
        doubled: set[Key] = set()
        for every in (own for own in claims.values() if len(own) > 1):
            ours = [link for link in every if self.verdict(link).standing == "ours"]
            best = next((link for link in ours if not self.differs(link, self.verdict(link))), next(iter(ours), None))
            doubled.update(link.key for link in ours if link is not best)
        return replace(self, doubled=frozenset(doubled))

    def stamps(self, links: Iterable[Link]) -> dict[Key, str]:
        """Return the stamps of the events of `links` that are news."""
        return {link.key: verdict.stamp for link in links if (verdict := self.verdict(link)).stamp}

    def differs(self, link: Link, verdict: Verdict) -> tuple[str, ...]:
        """Return the names of the fields in which the event of `link` is not what was sent, whoever did that.

        With "occurrences" if people took some out of a series, and "section" if it stands in another one. Return () if
        the link has no event.
        """
        seen = verdict.seen
        if seen is None:
            return ()
        names = self.comparison.edits(link.sent, seen)
        if seen.damage:
            names = (*names, "occurrences")
        return (*names, "section") if seen.section_id != link.section_id else names

    def difference(self, link: Link, verdict: Verdict) -> str | None:
        """Return in words how the event of `link` differs from what was sent, None if it does not."""
        if verdict.seen is None:
            match verdict.standing:
                case "foreign":
                    return FOREIGN
                case "gone":
                    return say("it is gone from the portal")
                case _:
                    return say("it could not be read back")
        names = (*self.differs(link, verdict), *self.comparison.not_taken(link.sent, verdict.seen))
        return say("reads back differently: {names}", names=labels(names)) if names else None
