"""Events of which the portal says that somebody has changed them: which of them are ours and not as we left them.

A hint is never a proof: it says at which ids to look, and what stands there decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from syncd.cycle.look import observe_touched
from syncd.cycle.sync import Pass
from syncd.model.item import Link
from syncd.model.observation import Observation
from syncd.portal.people.directory import Directory


async def changed_since(run: Pass, links: Sequence[Link]) -> frozenset[int]:
    """Return the remote ids of those of `links` whose events somebody saved or deleted since our last save.

    Raises the client's errors.
    """
    seen = await observe_touched(run, links)
    return frozenset(link.remote_id for link in links if _is_changed(seen, link))


async def observe_hinted(run: Pass, links: Sequence[Link]) -> Observation | None:
    """Read the events of those of `links` that the pass has hints about, None if there are none; raises likewise."""
    hinted = [link for link in links if link.remote_id in run.hints]
    return await observe_touched(run, hinted) if hinted else None


def whose(hints: Mapping[int, int], directory: Directory) -> dict[int, str]:
    """Return by remote id the name of the user who changed the event, "" for nobody known."""
    names = {user.id: user.full_name for user in directory.users}
    return {one: names.get(user) or (f"user {user}" if user else "") for one, user in hints.items()}


def _is_changed(seen: Observation, link: Link) -> bool:
    if seen.lost(link):
        return True
    event = seen.of(link)
    return event is not None and (event.version is None or event.version != link.version)
