"""What reading the portal tells about intents whose outcome is unknown: left by a crash, a cut or an unclear refusal.

            the event ...                                   so
    ------  ----------------------------------------------  ----------------------------------------------------------
    create  is found by mark or signature, unlinked         linked; written again if a person has edited it since (not
                                                            one that was never edited and says more than was sent)
            is not found so, but by its traces              linked as it was sent: the policy decides on the edit
             (`model.traces`)
            is not found, and one may be it                 held, until a person decides (`Suspect`)
            is not found, its request may come late         stays open until a second look
            is not found, and was not clearly refused       dropped: the next plan decides
            is not found, and the answer was no id          held
    update  no longer exists                                dropped: the next plan creates it again
            shows what was sent, and did not before         done
            exists, and the portal refused the update       held
            exists, and may show either                     dropped, and its link doubted: the next plan writes it again
    delete  no longer exists                                done
            exists, and the portal refused the delete       held
            exists                                          dropped: the next plan decides

Values in, values out: the cycle reads the portal before and writes the ledger after.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from syncd.model.evidence import made_since
from syncd.model.fates import Fate
from syncd.model.item import ANY_FINGERPRINT, Hold, Key, Link, Observed
from syncd.model.observation import LOST, Observation, equal
from syncd.model.record import Deleted, Dropped, Intent, Outcome, SetAside, Written, next_hold, refused_for
from syncd.model.traces import Traces, suspected

_DROPPED = Fate(kind="dropped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What happened to one intent: its outcome for the ledger, and its fates for the run.

    `doubted`: it is not certain what the event shows, so that the next plan has to write it again. `edited`: a person
    has saved it since, about which the policy decides. `suspects` are events that may be the one.
    """

    intent: Intent
    outcome: Outcome
    fates: tuple[Fate, ...]
    doubted: bool = False
    edited: bool = False
    suspects: tuple[Observed, ...] = ()


def unlinked(
    observation: Observation, claimed: Collection[int], floor: int, sent_at: float = math.inf, ledger: str = ""
) -> dict[str, list[int]]:
    """Return ids of events that no link claims, by mark and by signature, the newest last; masked ones by their time.

    The portal counts its ids up, so an event whose id is not above `floor` existed before anything was sent. Only a
    portal that was restored from a backup counts from an earlier state. Then the mark tells, or that the event was made
    at `sent_at` of the portal's wall clock or later. An event with the name of another ledger than `ledger` is not
    ours.
    """
    free: dict[str, list[int]] = {}
    comparison = observation.comparison
    for remote_id in sorted(set(observation.events) - set(claimed)):
        seen = observation.events[remote_id]
        if ledger and seen.ledger not in ("", ledger):
            continue
        looks = comparison.slot(seen) if seen.masked else comparison.signature(seen)
        new = remote_id > floor or made_since(seen.stamp, sent_at)
        for name in filter(None, (seen.mark, looks if new else "")):
            free.setdefault(name, []).append(remote_id)
    return free


def findings(
    intents: Iterable[Intent],
    observation: Observation,
    *,
    free: Mapping[str, Sequence[int]],
    links: Mapping[Key, Link],
    holds: Mapping[Key, Hold],
    now: float,
) -> tuple[Finding, ...]:
    """Return what happened to `intents`, in their order. An event is taken for the create of one intent only.

    `free` are the unlinked events (see `unlinked`), `links` those of the sync, whose events were read by id, `holds`
    the present holds, whose retry times grow, and `now` is unix time.
    """
    left = {name: list(ids) for name, ids in free.items()}
    found: list[Finding] = []
    for intent in intents:
        if intent.op == "create":
            one = _created(intent, observation, left, holds.get(intent.key), now)
            for ids in left.values():
                if one.fates[0].remote_id in ids:
                    ids.remove(one.fates[0].remote_id)
        else:
            one = _changed(intent, observation, links.get(intent.key), holds.get(intent.key), now)
        found.append(one)
    return tuple(found)


def may_come_late(found: Finding) -> bool:
    """Return True for a create that was not found and that nobody answered: it may still be in the portal's queue."""
    return is_missing(found) and found.intent.state != "ended"


def is_missing(found: Finding) -> bool:
    """Return True for a create that was not found."""
    return found.intent.op == "create" and all(fate.kind != "created" for fate in found.fates)


def with_traces(found: Iterable[Finding], traces: Traces, holds: Mapping[Key, Hold], now: float) -> tuple[Finding, ...]:
    """Return `found`; for creates that were not found, with what their traces tell."""
    return tuple(_traced(one, traces, holds.get(one.intent.key), now) if is_missing(one) else one for one in found)


def _traced(found: Finding, traces: Traces, hold: Hold | None, now: float) -> Finding:
    intent = found.intent
    if (seen := traces.own.get(intent.id)) is not None:
        # As our create left it, so that what stands there now counts as an edit, whatever that is.
        outcome = Written(remote_id=seen.remote_id, version=None if seen.damage else 1, stamp=seen.stamp)
        return Finding(
            intent=intent, outcome=outcome, fates=(Fate(kind="created", remote_id=seen.remote_id),), edited=True
        )
    if not (suspects := traces.doubtful.get(intent.id)):
        return found
    reason = suspected(suspects[0])
    held = next_hold(intent.key, reason, ANY_FINGERPRINT, hold, now, title=intent.title, where=intent.where)
    fate = Fate(kind="refused", reason=reason, where=intent.where)
    aside = SetAside(hold=replace(held, retry_at=math.inf))
    return Finding(intent=intent, outcome=aside, fates=(fate,), suspects=suspects)


def _created(
    intent: Intent, observation: Observation, free: Mapping[str, Sequence[int]], hold: Hold | None, now: float
) -> Finding:
    remote_id = _own(intent, observation, free)
    if remote_id is None:
        if (refused := refused_for(intent.note)) is not None:
            return _held(intent, refused, hold, now)
        return Finding(intent=intent, outcome=Dropped(), fates=(_DROPPED,))
    seen = observation.events[remote_id]
    created = Fate(kind="created", remote_id=remote_id)
    if observation.comparison.edits(intent.fields, seen):
        # A person has edited it since, or it is the twin of another entry: it is ours, but has to be written again.
        outcome = Written(remote_id=remote_id, version=None, stamp=seen.stamp)
        return Finding(intent=intent, outcome=outcome, fates=(created,), doubted=True)
    # A damaged one was touched by a person, and no update puts that right. Without a version the next reading sees the
    # damage as an edit, about which the policy decides.
    version = None if seen.damage else seen.version
    outcome = Written(remote_id=remote_id, version=version, stamp=seen.stamp)
    return Finding(intent=intent, outcome=outcome, fates=(created,))


def _changed(intent: Intent, observation: Observation, link: Link | None, hold: Hold | None, now: float) -> Finding:
    """Return what happened to an update or delete of the event of `link`."""
    gone = link is not None and link.remote_id == intent.remote_id and observation.verdict(link).standing in LOST
    if gone and link is not None and intent.op == "update":  # it may show the update already
        gone = observation.verdict(replace(link, sent=intent.fields)).standing in LOST
    if link is None or link.remote_id != intent.remote_id or gone:
        if intent.op == "delete":
            return Finding(intent=intent, outcome=Deleted(), fates=(Fate(kind="deleted"),))
        vanished = (Fate(kind="vanished", remote_id=intent.remote_id),) if gone else ()
        return Finding(intent=intent, outcome=Dropped(), fates=(_DROPPED, *vanished))
    if (refused := refused_for(intent.note)) is not None:
        return _held(intent, refused, hold, now)
    if intent.op == "update" and (seen := _shown(intent, observation)) is not None:
        # As with a create: what a person took out of a series must be noticed after our own update, too.
        outcome = Written(remote_id=seen.remote_id, version=None if seen.damage else seen.version, stamp=seen.stamp)
        return Finding(intent=intent, outcome=outcome, fates=(Fate(kind="updated", remote_id=seen.remote_id),))
    return Finding(intent=intent, outcome=Dropped(), fates=(_DROPPED,), doubted=intent.op == "update")


def _held(intent: Intent, reason: str, hold: Hold | None, now: float) -> Finding:
    """Return the finding about a change that the portal refused for `reason` and has not made."""
    held = next_hold(intent.key, reason, intent.fingerprint, hold, now, title=intent.title, where=intent.where)
    fate = Fate(kind="refused", reason=reason, where=intent.where)
    return Finding(intent=intent, outcome=SetAside(hold=held), fates=(fate,))


def _shown(intent: Intent, observation: Observation) -> Observed | None:
    """Return the event of an update if it shows what was sent and something else before, else None.

    If the update were sent again instead, what the event shows by then would pass for a person's edit.
    """
    seen = observation.events.get(intent.remote_id) if intent.remote_id is not None else None
    if seen is None or intent.before is None or seen.section_id != intent.section_id:
        return None
    edits = observation.comparison.edits
    return seen if edits(intent.before, seen) and not edits(intent.fields, seen) else None


def _own(intent: Intent, observation: Observation, free: Mapping[str, Sequence[int]]) -> int | None:
    """Return the event that the create of `intent` made: by its mark, else the newest that looks like it.

    The newest, because ours came after everything that was there. Among several that look alike, one that is the same
    in every field takes precedence.
    """
    comparison = observation.comparison
    looks = (comparison.signature(intent.item), comparison.slot(intent.item) if intent.fields.get("private") else "")
    mark = comparison.mark(intent.item)
    for name in (mark, *looks):
        own = [one for one in reversed(free.get(name, ())) if observation.events[one].place == intent.key.place]
        if name != mark:
            own = [one for one in own if not _is_foreign(intent, observation, one)]
        same = [one for one in own if _untouched(intent, observation, one)]
        if own:
            return (same or own)[0]
    return None


def _is_foreign(intent: Intent, observation: Observation, remote_id: int) -> bool:
    """Return True for an event that has a value where nothing was sent, although nobody has edited it.

    The portal only shortens what it rewrites, so that event was somebody else's before ours came.
    """
    seen, defaults = observation.events[remote_id], observation.comparison.defaults
    return seen.version == 1 and any(
        equal(intent.fields.get(name, defaults[name]), defaults[name])
        and not equal(seen.fields.get(name, defaults[name]), defaults[name])
        for name in observation.comparison.differing(intent.fields, seen.fields)
    )


def _untouched(intent: Intent, observation: Observation, remote_id: int) -> bool:
    seen = observation.events[remote_id]
    return not seen.damage and not observation.comparison.edits(intent.fields, seen)
