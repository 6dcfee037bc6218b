"""The decision table: what must change in the portal so that it shows what the source says.

              item wanted, linked        item wanted, no link      linked, item not wanted
  ----------  -------------------------  ------------------------  ------------------------------------------
  ordinary    same fingerprint: nothing  create                    entry still there: delete the stale piece
              else: update                                         entry gone: `on_removed`, `removed_after`
  verified    by the verdict, see below  adopt an identical event  as above
                                         that stands unlinked; one
                                         that only looks like it
                                         is told, and waited for

  the event of the link is, by what was read (`observation.Verdict`)    so
  --------------------------------------------------------------------  ------------------------------------------
  ours, and nobody edited it; or it was not asked for                   as in an ordinary pass (`_keep`)
  ours, edited by a person                                              corrected, or `on_conflict` (`_edited`)
  ours, a series that no update can repair                              deleted and made again (`_damaged`)
  gone, or lost to another item or another event                        made again, or `on_conflict` (`_gone`)
  unreadable                                                            waits

It takes values and returns a plan; it never asks the portal, the clock or the ledger. The last column is decided in
model.removal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from syncd.lang.saying import Saying, Value, say, say_count
from syncd.model.adoption import Adoptable, Lookalike, Taken, link_of
from syncd.model.draft import Draft
from syncd.model.entry import Problem, Window
from syncd.model.hosting import MEETING, has_other_host, keeping_host, other_host_told, remade_by
from syncd.model.item import ANY_FINGERPRINT, Change, Hold, Item, Key, Link, Observed, Op
from syncd.model.json_values import Fields, Json, unpacked
from syncd.model.labels import labels
from syncd.model.moving import MOVED_BY_HAND, is_stuck, remade, staying
from syncd.model.observation import (
    FOREIGN,
    LOST,
    UNASKED,
    UNREADABLE,
    Comparison,
    Observation,
    Verdict,
    equal,
    has_kept,
    is_kept,
    keeping,
)
from syncd.model.order import in_order
from syncd.model.plan import Plan, Policy, Wanted
from syncd.model.removal import drop_unwanted

SAME_UPDATES_LIMIT = 3
"""After so many equal updates in a row, somebody (or a program) edits the event each time that syncd corrects it."""

# One of each for a hundred thousand changes.
_NEW, _SOURCE_CHANGED, _SECTION_CHANGED = say("new in the source"), say("source changed"), say("section changed")
CAME_LATE = say("a change of ours that nobody answered came after the later one")
_READ: Final = LOST | {"ours"}
"""The standings of links of which a reading tells what became of their events."""


def make_plan(
    wanted: Wanted,
    links: Iterable[Link],
    holds: Mapping[Key, Hold],
    *,
    policy: Policy,
    window: Window,
    now: float,
    observation: Observation | None = None,
    counted: Collection[Key] = (),
) -> Plan:
    """Return the plan that makes the portal show `wanted`.

    `now` is unix time, for holds that wait. Without an `observation`, the links are taken for what the portal shows.
    Items in `counted` were created or updated earlier in the same run, so they do not count as unchanged. The result
    does not depend on the order of items, links or holds.
    """
    linked = {link.key: link for link in links}
    observation = observation.parted(linked.values()) if observation is not None else None
    draft = Draft(counted=counted, unchanged=wanted.as_sent)
    whole = observation is not None and observation.whole
    adoptable = Adoptable(linked.values(), observation, policy.adopt) if observation and whole else None
    asked = {item.key for item in wanted.items}
    for item in sorted(_unsettled(wanted, linked, holds, observation, draft), key=lambda one: one.key):
        link, hold = linked.get(item.key), holds.get(item.key)
        verdict = observation.verdict(link) if observation is not None and link is not None else UNASKED
        looked = verdict.standing in _READ if link is not None else whole
        if hold is not None and _waits(item, link, hold, now, policy, looked=looked, draft=draft):
            continue
        if link is not None:
            _keep(draft, item, link, verdict, hold, policy, observation, adoptable)
        else:
            worded = adoptable.worded(item) if adoptable is not None else item
            found = (adoptable.find(worded) or adoptable.find_elsewhere(worded)) if adoptable is not None else None
            _new(draft, worded, found, observation, hold, policy)
    waiting = {key for key, hold in holds.items() if _still_waits(hold, now) and hold.fingerprint != ANY_FINGERPRINT}
    if unwanted := set(linked) - asked:
        drop_unwanted(draft, wanted, unwanted, linked, policy, window, observation)
    if waiting:
        draft.withhold_refused_deletes(holds, waiting)
    if draft.blocked:
        draft.withhold_followers(wanted.items)
    if not wanted.complete:
        draft.withhold_half_known()
    else:
        over = (key for key in holds if key not in asked and key not in linked and key.uid not in wanted.unusable)
        draft.settled_holds += sorted(over)
    if len(draft.changes) > 1:
        draft.changes = in_order(draft.changes)
    return draft.finished(len({key.uid for key in linked}) if wanted.known_uids is None else wanted.known_uids)


def _unsettled(
    wanted: Wanted,
    linked: Mapping[Key, Link],
    holds: Mapping[Key, Hold],
    observation: Observation | None,
    draft: Draft,
) -> Iterable[Item]:
    """Return the items about which there is something to decide, and count the others as unchanged.

    In an ordinary pass nearly all items are unchanged, and only the events of the others are read. In a pass that reads
    the portal nearly all events are as they were sent. Those need neither sorting nor a decision, so this loop is all
    that most of 100,000 items cost.
    """
    left: list[Item] = []
    unchanged: list[Key] = []
    for item in wanted.items:
        key = item.key
        link = linked.get(key)
        settled = link is not None and link.fingerprint == item.fingerprint and key not in holds
        if settled and link is not None and observation is not None:
            verdict = observation.verdict(link)
            # The count of equal updates is over once the event stands as it was sent: `_keep` notes that.
            counted = link.same_updates and verdict.seen is not None and verdict.seen.version is not None
            settled = not (verdict.standing in LOST or verdict.saved or counted)
        if settled:
            unchanged.append(key)  # as _keep would decide
        else:
            left.append(item)
    draft.present.update(unchanged)
    draft.unchanged += sum(key not in draft.counted for key in unchanged) if draft.counted else len(unchanged)
    return left


def _waits(
    item: Item, link: Link | None, hold: Hold, now: float, policy: Policy, *, looked: bool, draft: Draft
) -> bool:
    """Return True if a hold keeps `item` out of this pass, and note why. `looked`: its event was read for the plan."""
    if hold.fingerprint == ANY_FINGERPRINT:
        # A conflict lasts until the event is read again, or until the source changes where the source wins.
        if looked or (policy.on_conflict == "source" and _moved_on(item, link)):
            return False
        if link is None:
            _held(draft, item, hold.reason)
        else:
            draft.conflicts.append(Change(op="update", key=item.key, item=item, reason=hold.reason))
            _block(draft, item, link, hold.reason)
        return True
    # What was refused waits for its time, unless the source asks for something else by now.
    if hold.fingerprint != item.fingerprint or not _still_waits(hold, now):
        return False
    _held(draft, item, hold.reason, link)
    return True


def _keep(
    draft: Draft,
    item: Item,
    link: Link,
    verdict: Verdict,
    hold: Hold | None,
    policy: Policy,
    observation: Observation | None,
    adoptable: Adoptable | None,
) -> None:
    """Decide on an item that has a link: by what stands in the portal, if that was read, then by what was sent last."""
    draft.present.add(item.key)
    seen = verdict.seen
    if verdict.standing == "unreadable":
        _held(draft, item, UNREADABLE, link)
        return

    # Something happened to the event in the portal: then it matters who decides.
    waited = hold is not None and hold.fingerprint == ANY_FINGERPRINT  # for a person, or for this reading
    damaged = verdict.saved and seen is not None and seen.damage
    if observation is not None and (verdict.standing in LOST or verdict.edited or damaged):
        known, late = observation.by.get(link.remote_id, ""), item.key in observation.late
        happened = _Happened(
            item=item,
            link=link,
            verdict=verdict,
            by=known or (_who_in(hold.reason) if hold is not None and waited else ""),
            late=late,
            source_wins=late or policy.on_conflict == "source",
        )
        if verdict.standing in LOST:
            _gone(draft, happened, adoptable)
        elif damaged and seen is not None:
            _damaged(draft, item, link, seen, source_wins=happened.source_wins, by=happened.by)
        else:
            _edited(draft, happened, policy)
        return

    # Nothing that counts: its VERSION is noted as ours, which also ends the count of equal updates. But not that of an
    # event that is masked: its hidden fields may be edited.
    if seen is not None and seen.version is not None and not seen.masked and (verdict.saved or link.same_updates):
        draft.versions[item.key] = seen.version
    if observation is not None and waited:
        draft.settled_holds.append(item.key)

    # What the source asks for decides, in the section and with the organiser that the event can have.
    placed = _placed(draft, keeping(item, link), link, policy)
    if placed is None:
        return
    if link.fingerprint == placed.fingerprint:
        draft.unchanged += item.key not in draft.counted
        if hold is not None and not waited and (hold.fingerprint != link.fingerprint or verdict.standing in _READ):
            draft.settled_holds.append(item.key)  # the source no longer asks for what was refused
        return
    reason = _SECTION_CHANGED if link.section != placed.section else _SOURCE_CHANGED
    if not link.fingerprint:
        reason = say("the outcome of its last update is not known")
    draft.changes.append(_update(placed, link, link.sent, reason, seen))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Happened:
    """What happened in the portal to the event of a linked item, and what decides what becomes of it.

    `by` is who did it, "" if nobody tells. A `late` change of our own that came after a later one is nobody's edit, so
    the source wins whatever the policy for edits is.
    """

    item: Item
    link: Link
    verdict: Verdict
    by: str
    late: bool
    source_wins: bool


def _gone(draft: Draft, happened: _Happened, adoptable: Adoptable | None) -> None:
    """Decide on a linked item that a person deleted in the portal, or whose id another event has now."""
    item, link = happened.item, happened.link
    found = adoptable.find_again(item, link) if adoptable is not None else None
    if isinstance(found, Taken):  # who deleted it made it again
        assert adoptable is not None
        _adopt(draft, item, found, adoptable.comparison, source_wins=happened.source_wins)
        return
    if found is not None and happened.source_wins:  # or made another one in its place
        draft.forgotten.append(link)
        _told_apart(draft, item, found)
        return
    reason = CAME_LATE if happened.late else _deleted(happened.by)
    if happened.verdict.standing != "gone":
        reason = FOREIGN
    # The dead link travels along, so that the journal can replace it in the same transaction.
    change = Change(op="create", key=item.key, item=item, link=link, reason=reason)
    if happened.source_wins:
        draft.changes.append(change)
    else:
        draft.conflict(change, item.where)


def _damaged(draft: Draft, item: Item, link: Link, seen: Observed, *, source_wins: bool, by: str = "") -> None:
    """Decide on a linked series that no update can repair: delete it, so that the next plan creates it again."""
    change = Change(op="delete", key=item.key, link=link, observed=seen, reason=_edited_by(by, seen.damage))
    if source_wins and not has_kept(link.sent):
        draft.changes.append(change)
    else:
        draft.conflict(change, item.where)
        _block(draft, item, link, change.reason)


def _edited(draft: Draft, happened: _Happened, policy: Policy) -> None:
    """Decide on a linked item that a person edited in the portal, or on a late change of our own."""
    link, edited, seen = happened.link, happened.verdict.edited, happened.verdict.seen
    assert seen is not None
    names = labels(edited)
    reason = _edited_by(happened.by, names)
    if happened.late:
        reason = say("{reason}: {names}", reason=CAME_LATE, names=names)
    item = happened.item
    if happened.source_wins:
        placed = _placed(draft, keeping(item, link), link, policy)
        if placed is None:
            return
        item = placed
    # Of what stands there only what counts as an edit: people may add links of their own to those that were sent.
    stands = {name: seen.fields[name] for name in edited if name in seen.fields}
    change = _update(item, link, {**link.sent, **stands}, reason, seen)
    if happened.source_wins:
        if edited == ("section",) and item.fixed and not _moved_on(item, link):
            change = replace(change, reason=MOVED_BY_HAND)  # no update can move it back (PORTAL.md 4.3)
        elif link.same_updates < SAME_UPDATES_LIMIT or _moved_on(item, link):
            draft.changes.append(change)
            return
        else:
            left = say_count(
                "{reason}; corrected {count} time in a row and edited again each time, so it is left",
                "{reason}; corrected {count} times in a row and edited again each time, so it is left",
                link.same_updates,
                reason=reason,
            )
            change = replace(change, reason=left)
    draft.conflict(change, item.where)
    _block(draft, item, link, change.reason)


def _new(
    draft: Draft,
    item: Item,
    found: Taken | Lookalike | None,
    observation: Observation | None,
    hold: Hold | None,
    policy: Policy,
) -> None:
    """Decide on an item without a link, for which the portal already has `found`, if anything."""
    if isinstance(found, Lookalike):
        _told_apart(draft, item, found)
        return
    if hold is not None and hold.fingerprint == ANY_FINGERPRINT:
        draft.settled_holds.append(item.key)
    if found is None:
        draft.changes.append(Change(op="create", key=item.key, item=item, reason=_NEW))
    else:
        assert observation is not None
        _adopt(draft, item, found, observation.comparison, source_wins=policy.on_conflict == "source")


def _told_apart(draft: Draft, item: Item, found: Lookalike) -> None:
    """Leave an event that only looks like `item`, and make nothing beside it: a person decides which is right."""
    reason = found.reason
    draft.lookalikes.append(Change(op="create", key=item.key, item=item, observed=found.seen, reason=reason))
    _held(draft, item, reason)


def _adopt(draft: Draft, item: Item, found: Taken, comparison: Comparison, *, source_wins: bool) -> None:
    """Link an event that exists already, and update what differs. If it has our own mark, it was ours before."""
    link, names = link_of(item, found, comparison)
    reason = say("bears the mark of this entry") if found.ours else say("an identical event already exists")
    if found.elsewhere:
        reason = say("{reason}, in another section", reason=reason)
    if names and not found.ours:
        reason = say("an event at this time already exists, which differs in {names}", names=labels(names))
    draft.changes.append(Change(op="adopt", key=item.key, item=item, link=link, observed=found.seen, reason=reason))
    if found.seen.damage:
        _damaged(draft, item, link, found.seen, source_wins=source_wins)
    elif names:
        differs = say("adopted, but differs in {names}", names=labels(names))
        draft.changes.append(_update(keeping(item, link), link, link.sent, differs))


def _placed(draft: Draft, item: Item, link: Link, policy: Policy) -> Item | None:
    """Return `item` in the section and with the organiser that its event can have.

    Return None if the event is deleted, to be made again in another section or by another organiser.
    """
    if item.fields.get(MEETING) and has_other_host(item, link):
        if policy.on_host_change == "recreate" and (change := remade_by(item, link)) is not None:
            draft.changes.append(change)
            return None
        if policy.on_host_change != "keep":
            draft.problems.append(other_host_told(item, link))
        item = keeping_host(item, link)
    if link.section == item.section or not is_stuck(item):
        return item
    if (change := remade(item, link)) is not None:
        draft.changes.append(change)
        return None
    item, warning = staying(item, link)
    draft.problems.append(warning)
    return item


def _update(item: Item, link: Link, before: Fields, reason: str, seen: Observed | None = None) -> Change:
    """Return the change of an event from `before`, in which `seen` stands now."""
    old, new = unpacked(before), unpacked(item.fields)
    differences: dict[str, tuple[Json, Json]] = {
        name: (old.get(name), new.get(name))
        for name in sorted({*old, *new})
        if not (equal(old.get(name), new.get(name)) or is_kept(new.get(name)))
    }
    if link.section != item.section:
        differences["section"] = (link.section, item.section)
    return Change(op="update", key=item.key, item=item, link=link, reason=reason, fields=differences, observed=seen)


def _held(draft: Draft, item: Item, reason: str, link: Link | None = None) -> None:
    draft.held += 1
    _block(draft, item, link, reason)
    draft.problems.append(Problem(where=item.where, kind="held", key=str(item.key), reason=reason))


def _block(draft: Draft, item: Item, link: Link | None, reason: str) -> None:
    """Note that the change of `item` is not made now, so that changes that depend on it are not made either."""
    if link is None or link.fingerprint != item.fingerprint:
        op: Op = "create" if link is None else "update"
        draft.blocked.append(Change(op=op, key=item.key, item=item, link=link, reason=reason))


def _moved_on(item: Item, link: Link | None) -> bool:
    """Return True if the source asks for something other than what was sent last."""
    return link is not None and link.fingerprint != item.fingerprint


def _still_waits(hold: Hold, now: float) -> bool:
    """Return True if a hold counts at `now`.

    A hold from the future does not: it was made before the clock was set back, and would last for an arbitrary time.
    """
    return hold.since <= now < hold.retry_at


def _deleted(who: str) -> Saying:
    return say("deleted in the portal by {who}", who=who) if who else say("deleted in the portal")


def _edited_by(who: str, what: Value) -> Saying:
    """Return the reason of a change that follows from people's edits. `what` names the fields, or what is wrong."""
    if who:
        return say("edited in the portal by {who}: {what}", who=who, what=what)
    return say("edited in the portal: {what}", what=what)


def _who_in(reason: str) -> str:
    """Return who is named in the reason of a hold, as `_deleted` or `_edited_by` made it, "" if nobody is."""
    match reason:
        case Saying(values={"who": str() as who}):
            return who
        case Saying(values={"reason": str() as inner}):
            return _who_in(inner)
        case Saying():
            return ""
    for what in ("edited in the portal by ", "deleted in the portal by "):  # as older versions kept it
        if reason.startswith(what):
            return reason.removeprefix(what).partition(":")[0]
    return ""
