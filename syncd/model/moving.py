"""What happens to an item whose section has changed if the portal cannot move its event (PORTAL.md 4.3).

An update never moves a meeting in another person's calendar. One that we made is deleted, and the next plan of the same
pass makes it again in the other section. One that was only taken over, with people's guests, stays where it is.
"""

from __future__ import annotations

from dataclasses import replace

from syncd.lang.saying import say
from syncd.model.entry import Problem
from syncd.model.item import Change, Item, Link
from syncd.model.observation import has_kept

MOVED_BY_HAND = say("moved to another section in the portal, which moves no meeting of another person's calendar back")


def is_stuck(item: Item) -> bool:
    """Return True if no update can move the event of `item` to another section."""
    return item.fixed or has_kept(item.fields)


def remade(item: Item, link: Link) -> Change | None:
    """Return the delete after which a stuck `item` is made again in its section, None for one that has to stay."""
    if has_kept(item.fields):
        return None
    reason = say(
        "section changed: the portal moves no meeting of another person's calendar from «{before}» to"
        " «{after}», so it is deleted and made again there",
        before=link.section,
        after=item.section,
    )
    return Change(op="delete", key=item.key, link=link, reason=reason)


def staying(item: Item, link: Link) -> tuple[Item, Problem]:
    """Return a stuck `item` for the section that its event is in, and the warning that it stays there."""
    reason = say(
        "stays in the section «{before}»: it was taken over with guests of its own, and the portal does not move"
        " it to «{after}»; move it by hand",
        before=link.section,
        after=item.section,
    )
    warning = Problem(where=item.where, kind="warning", key=str(item.key), reason=reason)
    return replace(item, section=link.section, section_id=link.section_id), warning
