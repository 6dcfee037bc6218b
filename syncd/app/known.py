"""What a probe has found out about a portal, as far as it matters for the config."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from syncd.config import SyncConfig
from syncd.lang.saying import say, say_count
from syncd.model.zones import same
from syncd.portal.client import Portal
from syncd.portal.probe.facts import Facts, facts_from
from syncd.state.ledger import Ledger
from syncd.target.fields import NAME_LIMIT

NEVER = say("never probed; `syncd portal probe` finds out in a minute how it behaves, before the first real write")


async def facts_of(ledger: Ledger, portal: Portal) -> Facts | None:
    """Return what a probe has found out about a portal, None if this portal was never probed."""
    return facts_from(await ledger.of_portal(portal.name).facts(portal.origin))


def in_short(facts: Facts | None) -> str:
    """Return in a few words what is known of a portal."""
    if facts is None:
        return NEVER
    day = datetime.fromtimestamp(facts.probed_at, UTC).date()
    odd = facts.contradictions
    said = say("probed on {day}: {known} of {number} facts known", day=day, known=facts.known, number=len(facts.facts))
    if not odd:
        return said
    return say_count(
        "{said}, {count:,} fact unlike PORTAL.md: {names}",
        "{said}, {count:,} facts unlike PORTAL.md: {names}",
        len(odd),
        said=said,
        names=tuple(one.name for one in odd),
    )


def consequences(facts: Facts | None, syncs: Iterable[SyncConfig]) -> Iterator[str]:
    """Yield what the facts mean for syncs to this portal."""
    if facts is None:
        return
    if facts.value("waf") is True:
        caught = facts.value("waf_families")
        families = tuple(map(str, caught)) if isinstance(caught, list) and caught else say("some of them")
        yield say(
            "its text filter is on: titles and places with words such as «create event» or «select … from» are shown"
            " with blanks in them (it acts on {families})",
            families=families,
        )
    kept = facts.value("name_length")
    if isinstance(kept, int) and kept < NAME_LIMIT:
        yield say("it keeps {number} characters of a title: longer ones are cut by it, anywhere in a word", number=kept)
    if facts.text("batch_counter") == "batch":
        yield say("it counts the operating time of all commands in batches together, and so do forecasts")
    for sync in syncs:
        if sync.fields.host is not None and facts.text("host_rule") == "docs":
            yield say(
                "it makes syncd's user the organiser of every meeting, so `host` of {sync} has no effect",
                sync=sync.name,
            )
        if sync.fields.crm and facts.value("crm_fields") is False:
            yield say("it is too old to link events to the CRM, so `crm` of {sync} has no effect", sync=sync.name)


def wrong_zone(facts: Facts | None, configured: str | None) -> str:
    """Return the portal's own zone if the config names another one, else ""."""
    found = facts.text("server_zone") if facts is not None else ""
    return found if found and configured and not same(found, configured) else ""
