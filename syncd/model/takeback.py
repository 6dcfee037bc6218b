"""What it takes to take back one run, or everything a sync has made: decisions, which `cycle/takeback.py` carries out.

the run ...            and now                          so
---------------------  -------------------------------  ---------------------------------------
created it             as the run left it               delete
updated it             as the run left it               write what stood there before
deleted it             nothing in its place             create what stood there before, unless it or something
                                                        like it stands there
adopted it             as it was                        forget the link; else write back first
any of these           changed by a person or later     leave and list
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from syncd.errors import GuardError
from syncd.lang.saying import say, say_count
from syncd.model.adoption import Adoptable
from syncd.model.guard import CHANGES_COUNT_FROM
from syncd.model.item import Change, Item, Key, Link, item_of
from syncd.model.json_values import Json
from syncd.model.labels import labels
from syncd.model.observation import FOREIGN, LOST, Observation
from syncd.model.order import rank
from syncd.model.record import ChangeRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Something that is not touched, and why. `ours` is False for an event that does not belong to the sync."""

    link: Link
    reason: str
    ours: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBack:
    """The decisions: changes to send, and links to forget, those in `after` only once their change was made.

    `already` counts what needs no action any more, and `noted` are deletes worth a remark. Of `sought` events,
    `missing` no longer exist.
    """

    changes: tuple[Change, ...] = ()
    forgotten: tuple[Link, ...] = ()
    after: frozenset[Key] = frozenset()
    left: tuple[Left, ...] = ()
    noted: tuple[Left, ...] = ()
    already: int = 0
    sought: int = 0
    missing: int = 0


_UNREAD = say("what stands at its id in the portal could not be read; run it again")
_Verdict = Change | Left | Link | None
"""What to do about one item: send a change, leave it alone, forget its link; None if nothing is left to do."""


def concerned(records: Iterable[ChangeRecord], links: Mapping[Key, Link]) -> tuple[Link, ...]:
    """Return the present links of what `records` changed."""
    keys = {record.key for record in records}
    return tuple(links[key] for key in sorted(keys & set(links)))


def deleted(records: Iterable[ChangeRecord], links: Mapping[Key, Link]) -> tuple[Item, ...]:
    """Return the items that the run of `records` deleted and that have had no link since."""
    gone = {record.key: record for record in records if record.key not in links and record.op == "delete"}
    return tuple(item_of(one.before) for _, one in sorted(gone.items()) if one.before is not None)


def check_visible(plan: TakeBack, sync: str) -> None:
    """Raise GuardError if most events of a plan, of 20 at least, no longer exist.

    A caller that has lost its rights gets the same answer as for deleted events (PORTAL.md 4.5). Their links would be
    forgotten, and the events could never be taken back.
    """
    if plan.sought >= CHANGES_COUNT_FROM and 2 * plan.missing > plan.sought:
        raise GuardError(
            say_count(
                "{sync}: {count} of {sought} events can no longer be seen in the portal and would be"
                " forgotten; nothing was sent, nothing is forgotten",
                "{sync}: {count} of {sought} events can no longer be seen in the portal and would be"
                " forgotten; nothing was sent, nothing is forgotten",
                plan.missing,
                sync=sync,
                sought=plan.sought,
            ),
            say("may syncd's user still see these calendars? If people have deleted the events, run it with --force"),
        )


def undoing(records: Sequence[ChangeRecord], links: Mapping[Key, Link], seen: Observation) -> TakeBack:
    """Return how to take back what `records` of one run did, given the links and the portal as they are now."""
    by_key: dict[Key, list[ChangeRecord]] = defaultdict(list)
    for record in records:
        by_key[record.key].append(record)
    adoptable = Adoptable(links.values(), seen, "identical")
    verdicts = {key: _undo_one(own, links.get(key), seen, adoptable) for key, own in sorted(by_key.items())}
    changes = [one for one in verdicts.values() if isinstance(one, Change)]
    now = concerned(records, links)
    adopted = {key for key, own in by_key.items() if any(record.op == "adopt" for record in own)}
    return TakeBack(
        changes=tuple(sorted(changes, key=lambda change: (change.key.uid, rank(change), change.key))),
        forgotten=tuple(one for one in verdicts.values() if isinstance(one, Link)),
        after=frozenset(change.key for change in changes if change.op == "update" and change.key in adopted),
        left=tuple(one for one in verdicts.values() if isinstance(one, Left)),
        already=sum(1 for one in verdicts.values() if one is None),
        sought=len(now),
        missing=_missing(now, seen),
    )


def purging(links: Sequence[Link], seen: Observation) -> TakeBack:
    """Return how to delete everything that was created, and to forget the rest."""
    changes, forgotten, left, noted = [], [], [], []
    parted = seen.parted(links)
    for link in sorted(links, key=lambda one: one.key):
        standing = parted.verdict(link).standing
        if link.adopted:
            left.append(Left(link=link, reason=say("adopted, not created: it stays, and is forgotten")))
            forgotten.append(link)
        elif standing in LOST:
            forgotten.append(link)
            if link.remote_id not in seen.gone:
                left.append(
                    Left(
                        link=link,
                        reason=say("{foreign}: that one stays, and the link is forgotten", foreign=FOREIGN),
                        ours=False,
                    )
                )
        elif standing != "ours":
            left.append(Left(link=link, reason=_UNREAD))
        else:
            changes.append(Change(op="delete", key=link.key, link=link, reason=say("created by this sync")))
            if names := _edited_by_people(seen, link):
                noted.append(Left(link=link, reason=_edited_since(names)))
    return TakeBack(
        changes=tuple(changes),
        forgotten=tuple(forgotten),
        left=tuple(left),
        noted=tuple(noted),
        sought=len(links),
        missing=_missing(links, seen),
    )


def _missing(links: Sequence[Link], seen: Observation) -> int:
    return sum(seen.verdict(link).standing in LOST for link in links)


def _undo_one(records: Sequence[ChangeRecord], now: Link | None, seen: Observation, adoptable: Adoptable) -> _Verdict:
    """Decide on one item by the table above. `records` are what the run did with it, `now` is its present link."""
    before, after = records[0].before, records[-1].after
    adoption = next((record.after for record in records if record.op == "adopt"), None)
    if after is None:
        return _recreated(before, adoptable) if before is not None and now is None else None
    if now is None or now.remote_id != after.remote_id:
        return None  # what the run left is gone, or another event has taken its place
    replaced = records[0].op == "delete"  # a damaged series that was re-created: what it said before is written back
    stood = before is not None and (replaced or before.remote_id == after.remote_id)
    restored = adoption or (before if stood else None)
    if restored is not None and now.fingerprint == restored.fingerprint:
        return now if adoption is not None else None  # an earlier attempt has written it back
    if restored is None and seen.verdict(now).standing in LOST:
        return now
    if reason := _changed_since(now, after, restored, seen):
        return Left(link=now, reason=reason)
    return _restored(now, restored) if restored is not None else _deleted(now)


def _changed_since(now: Link, after: Link, restored: Link | None, seen: Observation) -> str:
    """Return why the event is no longer as the run left it (`after`), "" if it still is.

    An event that a person edited is left alone: its reason becomes a `Left`.
    """
    if now.fingerprint not in (after.fingerprint, ""):  # "": it is not known what our last change left there
        return say("changed by a later run; undo that one first")
    match seen.verdict(now).standing:
        case "foreign":
            return FOREIGN
        case "gone":
            return say("deleted in the portal since")
        case "unreadable" | "unasked":
            return _UNREAD
    names = _edited_by_people(seen, now, restored)
    return _edited_since(names) if names else ""


def _edited_by_people(seen: Observation, link: Link, restored: Link | None = None) -> tuple[str, ...]:
    """Return the names of the fields that people changed, () for none.

    An event that already shows `restored` was not edited. An earlier attempt to take the run back may have done that.
    """
    verdict = seen.verdict(link)
    event = verdict.seen
    if event is None or (event.version == link.version and link.fingerprint):
        return ()
    if restored is not None and not seen.comparison.edits(restored.sent, event):
        return ()
    return seen.differs(link, verdict)


def _edited_since(names: Iterable[str]) -> str:
    return say("edited in the portal since: {names}", names=labels(names))


def _restored(now: Link, before: Link) -> Change:
    differences: dict[str, tuple[Json, Json]] = {
        name: (now.sent.get(name), before.sent.get(name))
        for name in sorted(set(now.sent) | set(before.sent))
        if now.sent.get(name) != before.sent.get(name)
    }
    item, reason = item_of(before), say("changed by the run")
    if now.section_id != before.section_id and before.sent.get("meeting") and now.key.place.kind == "user":
        # An update would be answered as if it had moved it (PORTAL.md 4.3).
        item = replace(item, section=now.section, section_id=now.section_id)
        reason = say(
            "changed by the run; stays in the section «{section}», as the portal moves no meeting in a user's calendar",
            section=now.section,
        )
    return Change(op="update", key=now.key, item=item, link=now, reason=reason, fields=differences)


def _deleted(now: Link) -> Change:
    return Change(op="delete", key=now.key, link=now, reason=say("created by the run"))


def _recreated(before: Link, adoptable: Adoptable) -> Change | Left:
    """Return the create of what the run deleted, or a `Left` if a person or a restore has brought it back."""
    found = adoptable.find(item_of(before))
    if found is None:
        return Change(op="create", key=before.key, item=item_of(before), reason=say("deleted by the run"))
    reason = say(
        "deleted by the run, but event {remote_id} stands in its place; nothing is made beside it",
        remote_id=found.seen.remote_id,
    )
    return Left(link=before, reason=reason, ours=False)
