"""Recognises that nothing has changed since a pass that left nothing to do, before anything is parsed.

What has to be the same, and why that is enough, stands in model.settled. A pass that reads the portal is never left
out, nor one of a source that cannot tell from its bytes whether it has changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from syncd.cycle.sync import Pass
from syncd.model.item import Link
from syncd.model.settled import Circumstances, Findings, Settled, lasts_until


async def recognise(run: Pass, marker: str, now: float) -> Settled | None:
    """Return what a whole pass at unix time `now` would find, if that is known; `marker` is that of the bytes read.

    Raises StateError.
    """
    if not marker:
        return None
    known = await run.ledger.settled()
    # The marks of directory and ledger take longest, so they are made only if all else is the same.
    if known is None or known.circumstances.source != marker or not known.holds_at(now):
        return None
    directory = await run.portal_ledger.directory_mark()
    circumstances = await _circumstances(run, marker, directory, now)
    return known if circumstances is not None and known.holds_under(circumstances, now) else None


async def note(run: Pass, findings: Findings, *, marker: str, now: float, due: Sequence[float]) -> None:
    """Note what the pass found at unix time `now`, for the next ones; it holds until the first of the times in `due`.

    Nothing is noted where the portal was asked for people or sections: the next pass might ask again. Raises
    StateError.
    """
    if not marker or not run.directory_mark:
        return
    circumstances = await _circumstances(run, marker, run.directory_mark, now)
    if circumstances is None:
        return
    until = lasts_until(await run.ledger.holds(), now, *due)
    await run.ledger.note_settled(Settled(circumstances=circumstances, since=now, until=until, findings=findings))


async def note_again(run: Pass, settled: Settled) -> None:
    """Note that `settled` holds on although the pass has counted absences, which lead to nothing where all is kept."""
    before = settled.circumstances
    after = Circumstances(
        source=before.source,
        settings=before.settings,
        days=before.days,
        directory=before.directory,
        ledger=await run.ledger.mark(),
    )
    again = Settled(circumstances=after, since=settled.since, until=settled.until, findings=settled.findings)
    await run.ledger.note_settled(again)


async def kept_links(run: Pass, findings: Findings) -> tuple[Link, ...]:
    """Return the links of what is gone from the source and stays."""
    return await run.ledger.links_for(findings.kept) if findings.kept else ()


async def _circumstances(run: Pass, marker: str, directory: str, now: float) -> Circumstances | None:
    """Return what a plan follows from at unix time `now`, None where nothing tells one config from another."""
    if run.sync.settings is None:
        return None
    window = run.sync.window(now)
    return Circumstances(
        source=marker,
        settings=f"{await asyncio.to_thread(run.sync.settings)} {run.portal.origin}",
        days=f"{run.sync.today(now)} {window.first} {window.last}",
        directory=directory,
        ledger=await run.ledger.mark(),
    )
