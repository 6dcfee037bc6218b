"""What happens to events whose items the source no longer asks for: the last column of the table in model.diff."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

from syncd.lang.saying import say
from syncd.model.draft import Draft
from syncd.model.entry import Problem, Window
from syncd.model.guard import is_of_guard
from syncd.model.item import Change, Key, Link
from syncd.model.observation import FOREIGN, UNASKED, UNREADABLE, Observation, has_kept
from syncd.model.plan import Policy, Wanted

KEPT: Final = say("gone from the source, kept")


def drop_unwanted(
    draft: Draft,
    wanted: Wanted,
    unwanted: Iterable[Key],
    linked: Mapping[Key, Link],
    policy: Policy,
    window: Window,
    observation: Observation | None,
) -> None:
    """Decide on the links of the `unwanted` keys, whose items the source no longer asks for."""
    for key in sorted(unwanted):
        link = linked[key]
        ends = date.fromisoformat(link.ends_on) if link.ends_on else None
        if key.uid in wanted.unusable or not window.touches(date.fromisoformat(link.starts_on), ends):
            draft.present.add(key)
            continue
        if key.uid in wanted.uids:
            draft.present.add(key)
            _delete(draft, link, say("no longer part of its entry"), policy, observation)
            continue
        draft.absent.add(key)
        _gone_from_source(draft, link, wanted, policy, observation)


def _gone_from_source(
    draft: Draft, link: Link, wanted: Wanted, policy: Policy, observation: Observation | None
) -> None:
    """Apply `on_removed` to a link whose entry is not in the snapshot."""
    if not wanted.complete:
        return
    if policy.on_removed == "keep":
        draft.kept.append(link)
        return
    passes = link.absent_passes + 1
    if passes < policy.removed_after:
        reason = waiting(passes, policy.removed_after)
        draft.problems.append(Problem(where=link.where, kind="warning", key=str(link.key), reason=reason))
        return
    if _delete(draft, link, say("gone from the source"), policy, observation):
        draft.removed_uids.add(link.key.uid)


def waiting(passes: int, removed_after: int) -> str:
    """Return what is told of an entry that is not gone for long enough to be deleted."""
    return say(
        "gone from the source for {passes} of {removed_after} passes (removed_after); not deleted yet",
        passes=passes,
        removed_after=removed_after,
    )


def why_it_stays(link: Link, policy: Policy, error: str) -> str:
    """Return why the event of an entry that is gone from the source is still there after a pass with that `error`."""
    if policy.on_removed == "keep" or has_kept(link.sent):
        return KEPT
    if is_of_guard(error) and link.absent_passes + 1 >= policy.removed_after:
        return say("gone from the source, not deleted: a safety guard stopped the pass")
    return waiting(link.absent_passes, policy.removed_after)


def _delete(draft: Draft, link: Link, reason: str, policy: Policy, observation: Observation | None) -> bool:
    """Delete the event of `link` and return True, unless a person edited it and edits are to be kept.

    If another event has its id, there is nothing to delete, and the link is forgotten. An event that was taken over
    with people's guests is not deleted either, because all of them would be told.
    """
    verdict = observation.verdict(link) if observation is not None else UNASKED
    if verdict.standing in ("foreign", "doubled"):
        draft.forgotten.append(link)
        text = say("{reason}, but {foreign}: that one is left alone", reason=reason, foreign=FOREIGN)
        draft.problems.append(Problem(where=link.where, kind="warning", key=str(link.key), reason=text))
        return False
    if verdict.standing == "unreadable":
        draft.held += 1
        draft.problems.append(Problem(where=link.where, kind="held", key=str(link.key), reason=UNREADABLE))
        return False
    if has_kept(link.sent):
        draft.kept.append(link)
        return False
    late = observation is not None and link.key in observation.late
    if policy.on_conflict != "source" and verdict.edited and not late:
        reason = say("{reason}, but edited in the portal since", reason=reason)
        draft.conflict(Change(op="delete", key=link.key, link=link, reason=reason), link.where)
        return False
    draft.changes.append(Change(op="delete", key=link.key, link=link, reason=reason))
    return True
