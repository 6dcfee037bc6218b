"""What a probe has found out about a portal, as far as it matters for what the config asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from syncd.config import SyncConfig
from syncd.model.names import counted
from syncd.model.zones import same
from syncd.portal.client import Portal
from syncd.portal.probe.facts import Facts, facts_from
from syncd.state.ledger import Ledger
from syncd.target.fields import NAME_LIMIT

NEVER = "never probed; `syncd portal probe` finds out in a minute how it behaves, before the first real write"


async def facts_of(ledger: Ledger, portal: Portal) -> Facts | None:
    """Return what a probe has found out about a portal, None if this very one was never probed."""
    return facts_from(await ledger.of_portal(portal.name).facts(portal.origin))


def in_short(facts: Facts | None) -> str:
    """Return in a few words what is known of a portal."""
    if facts is None:
        return NEVER
    day = datetime.fromtimestamp(facts.probed_at, UTC).date()
    odd = facts.contradictions
    unlike = f", {counted(len(odd), 'fact')} unlike PORTAL.md: {', '.join(one.name for one in odd)}" if odd else ""
    return f"probed on {day}: {facts.known} of {len(facts.facts)} facts known{unlike}"


def consequences(facts: Facts | None, syncs: Iterable[SyncConfig]) -> Iterator[str]:
    """Yield what the facts mean for syncs to this portal."""
    if facts is None:
        return
    if facts.value("waf") is True:
        caught = facts.value("waf_families")
        families = ", ".join(map(str, caught)) if isinstance(caught, list) and caught else "some of them"
        yield (
            "its text filter is on: titles and places with words such as «create event» or «select … from» are shown "
            f"with blanks in them (it acts on {families})"
        )
    kept = facts.value("name_length")
    if isinstance(kept, int) and kept < NAME_LIMIT:
        yield f"it keeps {kept} characters of a title: longer ones are cut by it, anywhere in a word"
    if facts.text("batch_counter") == "batch":
        yield "it counts the operating time of all commands in batches together, and so do forecasts"
    for sync in syncs:
        if sync.fields.host is not None and facts.text("host_rule") == "docs":
            yield f"it makes syncd's user the organiser of every meeting, so `host` of {sync.name} has no effect"
        if sync.fields.crm and facts.value("crm_fields") is False:
            yield f"it is too old to link events to the CRM, so `crm` of {sync.name} has no effect"


def wrong_zone(facts: Facts | None, configured: str | None) -> str:
    """Return the portal's own zone if the config names another one, else ""."""
    found = facts.text("server_zone") if facts is not None else ""
    return found if found and configured and not same(found, configured) else ""
