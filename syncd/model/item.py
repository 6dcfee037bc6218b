"""What an entry becomes in the portal, and what the ledger remembers of it.

An item's `fields` are canonical JSON values made by its target: the differ compares them without knowing what they
mean, the ledger keeps them, and only the target turns them into a call.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

import msgspec
import orjson

from syncd.model.became import Became
from syncd.model.bulk import bulk_dataclass
from syncd.model.json_values import Fields, Json, PackedFields, dumps, loads, plain, trimmed

PlaceKind = str
CALENDAR_KINDS = frozenset({"user", "group", "company_calendar"})
KIND_PATTERN = (
    r"(?:user|group|company_calendar"
    r"|(?:meeting|call|custom|todo)-(?:contact|company|lead|deal|quote|invoice|[1-9][0-9]{2,8}))"
)
"""The kinds of place there are: calendars, and cards by what stands there and whose they are."""
_KIND = re.compile(KIND_PATTERN)
TODO_PROVIDER = "CRM_TODO"
"""The PROVIDER_ID by which the portal tells to-dos from other activities (PORTAL.md 6.6, 6.7)."""


# Places and keys are structs where other values are dataclasses: a pass hashes and compares every key about ten times,
# and a struct does that without Python code and keeps its hash.
class Place(msgspec.Struct, frozen=True, kw_only=True, order=True, cache_hash=True, gc=False):
    """Where items stand: a calendar with its owner's id, or the card of a CRM element with the element's id.

    The company calendar has the owner 0 (PORTAL.md 7). A card's kind is what stands there and whose card it is
    ("meeting-contact", "call-177"): neither can change for an activity (PORTAL.md 6.4), so another is another place.
    """

    kind: PlaceKind
    owner: int

    @property
    def on_card(self) -> bool:
        """True for a card of the CRM: it has no sections, and its ids are those of activities."""
        return "-" in self.kind

    def __str__(self) -> str:
        return f"{self.kind}/{self.owner}"

    @classmethod
    def parse(cls, text: str) -> Place:
        """Return the place that `str()` wrote as `text`; raises ValueError for anything else."""
        kind, _, owner = text.partition("/")
        if _KIND.fullmatch(kind) is None:
            raise ValueError(f"not a calendar: {text!r}")
        return cls(kind=kind, owner=int(owner))


class Key(msgspec.Struct, frozen=True, kw_only=True, order=True, cache_hash=True, gc=False):
    """The stable name of an item within its sync: uid of the entry, place it stands in, piece of the entry."""

    uid: str
    place: Place
    piece: str = ""

    def __str__(self) -> str:
        return "|".join((self.uid, str(self.place), self.piece)).rstrip("|")


@bulk_dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that the portal should hold.

    `section` is the section's name or id as in the config; `section_id` is None until the section has been created.
    `starts_on` and `ends_on` are ISO dates (`ends_on` inclusive, None = without end) that place the item against the
    window. `summary` tells what a series became. `fixed` is True if no update can move its event to another section
    (PORTAL.md 4.3). `also` says the same as `fields` in other words: an event that has these stays as it is.
    """

    key: Key
    section: str
    section_id: int | None
    fields: Fields
    title: str
    where: str
    starts_on: str
    ends_on: str | None
    start: str
    summary: Became | None = None
    fixed: bool = False
    also: Fields | None = None

    @property
    def fingerprint(self) -> str:
        """Hash over everything that the portal is sent, including the section."""
        fields = self.fields
        if type(fields) is SentFields and fields.section == self.section:
            return fields.fingerprint
        return fingerprint(fields, self.section)


def fingerprint(fields: Fields, section: str) -> str:
    """Return the hash that tells two states of an item apart; equal fields in any order give equal hashes."""
    # Unpacked here: nobody asks for these values again soon, and the encoder would ask for them in turn.
    values = loads(fields.text) if isinstance(fields, PackedFields) else fields
    return hashlib.blake2b(canonical([section, values]), digest_size=16).hexdigest()


def canonical(value: Json) -> bytes:
    """Return `value` as JSON without blanks, its keys in order.

    Python's slower encoder takes what orjson refuses (halves of surrogate pairs, numbers beyond 64 bits) and writes
    everything else in the same way, so the fingerprints in existing ledgers stay valid.
    """
    try:
        return dumps(value, option=orjson.OPT_SORT_KEYS, default=plain)
    except TypeError:
        text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=plain)
        return text.encode("utf-8", "surrogatepass")


@bulk_dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The ledger's row that joins a key to a remote id and to what was last sent.

    `version` is the portal's VERSION expected after our own last write, None when it is not known (PORTAL.md 4.3).
    `sent` is what was sent last, `fingerprint` its hash. `absent_passes` counts complete snapshots in a row that
    lacked the entry. `same_updates` counts updates in a row that sent exactly the same fields. `adopted` marks a link
    to an event that syncd did not create. `stamp` tells when and by whom the event was made, "" where that is not known
    yet (`model/evidence.py`).
    """

    key: Key
    remote_id: int
    section: str
    section_id: int
    fingerprint: str
    sent: Fields
    version: int | None
    title: str
    where: str
    starts_on: str
    ends_on: str | None
    start: str
    absent_passes: int = 0
    same_updates: int = 0
    adopted: bool = False
    stamp: str = ""


class SentFields(PackedFields, frozen=True, eq=False, gc=False):
    """The fields of an item that are those sent last, with the fingerprint they have in `section`."""

    section: str
    fingerprint: str


def slim(item: Item, linked: Mapping[Key, Link]) -> Item:
    """Return an item equal to `item` that shares its values with its link, if it is as it was sent last.

    Of a hundred thousand items nearly all are as they were sent. Kept twice, they would take twice the memory.
    """
    link = linked.get(item.key)
    if link is None:
        return item
    item, same = worded(item, link.fingerprint)
    if not same:
        return item
    try:
        text = dumps(item.fields, default=plain)
    except TypeError:  # half of a surrogate pair
        return item
    sent = link.sent
    text = sent.text if type(sent) is PackedFields and sent.text == text else trimmed(text)
    shared = SentFields(text, item.section, link.fingerprint)
    # A struct at run time (model/bulk.py), and `dataclasses.replace` takes ten times as long.
    slimmed: Item = msgspec.structs.replace(
        cast(Any, item),
        key=link.key,
        fields=shared,
        title=link.title if item.title == link.title else item.title,
        where=link.where if item.where == link.where else item.where,
        starts_on=link.starts_on if item.starts_on == link.starts_on else item.starts_on,
        ends_on=link.ends_on if item.ends_on == link.ends_on else item.ends_on,
        start=link.start if item.start == link.start else item.start,
    )
    return slimmed


def worded(item: Item, sent: str) -> tuple[Item, bool]:
    """Return `item` in the words that have the fingerprint `sent`, and True; False if it has not said that."""
    if item.fingerprint == sent:
        return item, True
    if item.also is not None and fingerprint(item.also, item.section) == sent:
        return in_other_words(item), True
    return item, False


def in_other_words(item: Item) -> Item:
    """Return `item` with the fields that say the same; only for an item that has such."""
    assert item.also is not None
    return replace(item, fields=item.also, also=None)


ANY_FINGERPRINT = "*"
"""The fingerprint of a hold for a conflict or a look-alike, which lasts whatever the source asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """An item set aside: why, since when, how often it was tried, and the unix time from which it may be tried again.

    `retry_at` is infinity for one that waits for a person. A hold counts only for the fingerprint it was made with, so
    that a change in the source releases it; with `ANY_FINGERPRINT` it counts for all.
    """

    key: Key
    reason: str
    fingerprint: str
    attempts: int
    since: float
    retry_at: float
    title: str = ""
    where: str = ""


@bulk_dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What the portal holds now, as far as syncd may know it.

    `fields` are the portal's values in the form of an item's fields. `mark` is the recovery mark found on it, if any,
    and `ledger` the ledger that wrote it there, where it says so.
    `damage` says what a person did to it that no update can put right. `stamp` tells when and by whom it was made, ""
    where the portal does not say; `creator` is that user alone and `host` the organiser, 0 if it is not known.
    `born` is the portal's own note of the start with which an event was made, whatever was edited since (DAV_XML_ID,
    PORTAL.md 4.2); "" where there is none, or where a link knows the stamp.
    `answers` tells by user id what guests have answered, "Y", "N", "Q" or "H" (PORTAL.md 4.10). `masked` is True for an
    event of which the caller may not see all (PORTAL.md 4.5).
    """

    remote_id: int
    place: Place
    section_id: int
    version: int | None
    fields: Fields
    mark: str = ""
    ledger: str = ""
    title: str = ""
    start: str = ""
    damage: str = ""
    stamp: str = ""
    masked: bool = False
    creator: int = 0
    host: int = 0
    born: str = ""
    answers: tuple[tuple[int, str], ...] = ()


Op = Literal["create", "update", "delete", "adopt"]


def item_of(link: Link, fields: Fields | None = None) -> Item:
    """Return the item that `link` was made for, perhaps with the same `fields` in another form."""
    return Item(
        key=link.key,
        section=link.section,
        section_id=link.section_id,
        fields=link.sent if fields is None else fields,
        title=link.title,
        where=link.where,
        starts_on=link.starts_on,
        ends_on=link.ends_on,
        start=link.start,
    )


@bulk_dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One step of a plan: what is done to which item, and why.

    `item` is None for a delete. `link` is None for a create, unless the event of the link is gone: that link is
    replaced once the event is made again. `observed` is the event as it was read for the plan, None if it was not.
    `fields` holds (before, after) of every field that differs.
    """

    op: Op
    key: Key
    reason: str
    item: Item | None = None
    link: Link | None = None
    observed: Observed | None = None
    fields: Mapping[str, tuple[Json, Json]] = field(default_factory=dict)


def responsible_of(change: Change) -> int:
    """Return the user who is responsible for an item on a card of the CRM, 0 for any other item."""
    fields = change.item.fields if change.item is not None else change.link.sent if change.link is not None else {}
    user = fields.get("responsible")
    return user if isinstance(user, int) else 0
