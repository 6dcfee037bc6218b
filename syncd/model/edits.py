"""Whether an event still is what was sent for it, as far as a reading tells."""

from __future__ import annotations

from syncd.model.item import Link
from syncd.model.plan import Observation


def edited(seen: Observation, link: Link) -> tuple[str, ...]:
    """Return the names of the fields in which the event of `link` is not what was sent; () for one that is gone."""
    event = seen.events.get(link.remote_id)
    if event is None:
        return ()
    names = seen.differing(link.sent, event.fields)
    if event.damage:
        names = (*names, "occurrences")
    return (*names, "section") if event.section_id != link.section_id else names


def difference(seen: Observation, link: Link) -> str | None:
    """Return in words how the event of `link` differs from what was sent, None if it does not."""
    if link.remote_id not in seen.events:
        return "it is gone from the portal" if link.remote_id in seen.gone else "it could not be read back"
    names = edited(seen, link)
    return f"reads back differently: {', '.join(names)}" if names else None
