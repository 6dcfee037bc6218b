"""Looks for creates that people edited before anybody knew their ids: wherever these may have put them.

What the traces prove is decided in model.traces; this says when and by whom a create may have been carried out, and
reads what an ordinary look leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from syncd.cycle.sync import Pass, moment_for
from syncd.model.elapsed import elapsed_s
from syncd.model.entry import Window
from syncd.model.item import Item, Place
from syncd.model.observation import Observation
from syncd.model.record import Intent
from syncd.model.traces import Heard, Sending
from syncd.portal.people.directory import Directory
from syncd.state.codec import link_of_intent

LOOKED_BACK, LOOKED_AHEAD = timedelta(days=30), timedelta(days=365)
"""Where an event is looked for that people may have moved, if the window of the sync has no bound."""
CLOCKS_APART_S = 60.0
"""How far the portal's clock may be from what is known of it."""
_MOST_LOOKED_AT = 200
"""An application hears of whatever anybody edits; ours came soon after what was known, so its id is among the least."""
_EDITED_AFTER_S = 20.0
"""Nobody finds an event and moves it sooner than that after it was asked for."""


async def sendings(run: Pass, creates: Sequence[Intent], directory: Directory | None) -> Mapping[int, Sending]:
    """Return by the number of each of `creates` when it may have been carried out, and as which user.

    `directory` is the one that was kept when they were sent.
    """
    caller = directory.caller.id if directory is not None else 0
    clocks = (await run.ledger.notes()).clocks
    now = await moment_for(run.portal, clocks)
    wall_s = portal_wall_s(run)
    patience_s = run.portal.limits.timeout + run.portal.limits.settle + CLOCKS_APART_S
    found: dict[int, Sending] = {}
    for intent in creates:
        # By the clock on the wall, which may have been set since, and by those that nobody can set.
        moments = (intent.created_at + wall_s, now.wall + wall_s - elapsed_s(intent.created_at, clocks, now))
        found[intent.id] = Sending(
            item=intent.item,
            first=min(moments) - CLOCKS_APART_S,
            last=max(moments) + patience_s,
            by=run.sync.target.creator(intent.item, caller) if caller else 0,
        )
    return found


def portal_wall_s(run: Pass) -> float:
    """Return how far the clock that the portal writes down beside events is ahead of this machine's unix time."""
    return run.portal.skew_s + (0 if run.sync.target.on_cards else run.portal.server_offset_s or 0)


def may_be_edited(run: Pass, intent: Intent) -> bool:
    """Return True if people had the time to edit what the create `intent` made."""
    return not 0 <= run.clock.now() - intent.created_at < _EDITED_AFTER_S


async def look_heard(run: Pass, creates: Sequence[Intent], heard: Heard) -> Observation | None:
    """Read the events that people were heard to save and that `creates` may have made, None if there are none.

    Wherever they stand now. Raises the client's errors.
    """
    if not heard.saved or run.sync.target.on_cards:
        return None
    known = await run.claimed(intent.key for intent in creates)
    floor = (await run.ledger.notes()).floor
    saved = sorted(one for one in heard.saved - heard.made - known if one > floor)[:_MOST_LOOKED_AT]
    asked = [link_of_intent(creates[0], number, None, {}) for number in saved]
    return await run.sync.target.observe(run.portal, asked, (), Window(first=None, last=None)) if asked else None


async def look_wider(run: Pass, creates: Sequence[Intent], directory: Directory | None) -> Observation:
    """Read the calendars of `creates` in the whole window of the sync; raises the client's errors.

    `directory` tells the sections of the calendars.
    """
    items = [intent.item for intent in creates]
    places = {(item.key.place, item.section_id) for item in items if item.section_id is not None}
    if directory is not None and not run.sync.target.on_cards:
        calendars = {place for place, _ in places}
        places |= {(place, one.id) for place in calendars for one in directory.sections.get(str(place), ())}
    return await look_everywhen(run, items, places)


async def look_everywhen(run: Pass, items: Sequence[Item], places: set[tuple[Place, int]] | None = None) -> Observation:
    """Read `places`, or the sections of `items`, in the whole window of the sync: people may have moved an event."""
    window, today = run.sync.window(run.clock.now()), run.sync.today(run.clock.now())
    first, last = window.first or today - LOOKED_BACK, window.last or today + LOOKED_AHEAD
    own = places or {(item.key.place, item.section_id) for item in items if item.section_id is not None}
    return await run.sync.target.observe(run.portal, (), sorted(own), Window(first=first, last=last))
