"""What PORTAL.md says of everything that can be found out, and what syncd makes of the answer: a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from syncd.lang.saying import say_as
from syncd.model.json_values import Json

_TOLD = say_as("fact", "only told")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What PORTAL.md says in `section`; `answers` are those that agree with it, none if any does.

    `use` is what syncd makes of the answer, `unit` what a number counts; "shift" is one in days from the right day.
    """

    section: str
    says: str
    answers: tuple[Json, ...] = ()
    use: str = _TOLD
    unit: str = ""


_BOTH: tuple[Json, ...] = (False, True)

STATEMENTS: Mapping[str, Statement] = MappingProxyType(
    {
        # The portal and the webhook
        "scopes": Statement(
            section="1.4",
            says=say_as("fact", "those that the webhook or application was given"),
            use=say_as("fact", "`syncd check` compares them"),
        ),
        "plan": Statement(section="1.4", says=say_as("fact", "a commercial plan")),
        "admin": Statement(
            section="4.11",
            says=say_as("fact", "administrators pass everything"),
            answers=_BOTH,
            use=say_as("fact", "no sections are made where syncd's user may not write"),
        ),
        "writable_calendars": Statement(section="4.11", says=say_as("fact", "an administrator writes into all")),
        "integer_stamps": Statement(
            section="1.2",
            says=say_as("fact", "whole seconds since May 2026"),
            answers=_BOTH,
            use=say_as("fact", "costs are then learned from the counters"),
        ),
        "docs_statuses": Statement(
            section="1.4",
            says=say_as("fact", "401, or the documented statuses"),
            answers=_BOTH,
            use=say_as("fact", "none: errors are told by their codes"),
        ),
        "page_size": Statement(
            section="6.9", says="50", answers=(50,), use=say_as("fact", "pages follow `next`"), unit="row"
        ),
        "page_past_end": Statement(
            section="6.9",
            says=say_as("fact", "the first page again"),
            answers=("first page",),
            use=say_as("fact", "never asked for"),
        ),
        "crm_items": Statement(
            section="6.8",
            says=say_as("fact", "with phones; in older builds without, or missing"),
            answers=("full", "bare", "none"),
            use=say_as("fact", "the older lists are read where it is not enough"),
        ),
        # Dates
        "server_zone": Statement(
            section="1.2",
            says=say_as("fact", "told by its offset only"),
            use=say_as("fact", "the zone of the portal in syncs"),
        ),
        "culture": Statement(
            section="4.6",
            says=say_as("fact", "a setting of the portal"),
            answers=("DD.MM.YYYY HH:MI:SS", "MM/DD/YYYY HH:MI:SS am", "YYYY-MM-DD HH:MI:SS"),
            use=say_as("fact", "none: dates are read from *_FORMATTED"),
        ),
        "naive_times": Statement(
            section="4.1",
            says=say_as("fact", "kept as sent"),
            answers=("kept",),
            use=say_as("fact", "how all times are sent"),
        ),
        "dates_with_offset": Statement(
            section="4.1",
            says=say_as("fact", "moved by today's difference of the zones"),
            use=say_as("fact", "never sent"),
        ),
        "unknown_zone": Statement(
            section="4.1",
            says=say_as("fact", "silently the server zone"),
            answers=("server zone",),
            use=say_as("fact", "names are made canonical first"),
        ),
        "end_before_start": Statement(
            section="4.1",
            says=say_as("fact", "becomes the start"),
            answers=("start",),
            use=say_as("fact", "never sent"),
        ),
        "whole_day_end": Statement(
            section="4.6",
            says=say_as("fact", "inclusive"),
            answers=("inclusive",),
            use=say_as("fact", "how days are sent"),
        ),
        "whole_day_noon": Statement(
            section="4.1",
            says=say_as("fact", "stays on its day"),
            answers=(0,),
            use=say_as("fact", "how days are sent"),
            unit="shift",
        ),
        "whole_day_bare": Statement(
            section="4.1",
            says=say_as("fact", "moves for callers west of the server"),
            use=say_as("fact", "never sent"),
            unit="shift",
        ),
        # Texts and fields
        "waf": Statement(
            section="1.5",
            says=say_as("fact", "on or off"),
            answers=_BOTH,
            use=say_as("fact", "`check` says that such titles will show blanks"),
        ),
        "waf_families": Statement(
            section="1.5", says=say_as("fact", "all of them, or none"), use=say_as("fact", "`check` names them")
        ),
        "name_length": Statement(
            section="4.2",
            says=say_as("fact", "255 characters"),
            answers=(255,),
            use=say_as("fact", "titles are cut at 255 before; `check` tells of less"),
            unit="character",
        ),
        "description_length": Statement(
            section="4.2", says=say_as("fact", "64 KB class, exact cap not found"), unit="character"
        ),
        "color_empty": Statement(
            section="4.2", says="#9dcf00", answers=("#9dcf00",), use=say_as("fact", "never sent empty")
        ),
        "color_long": Statement(
            section="4.2", says=say_as("fact", "cut to six"), answers=("cut to six",), use=say_as("fact", "never sent")
        ),
        "room_text": Statement(
            section="4.2",
            says=say_as("fact", "`calendar_N` books a room, or ends empty"),
            answers=("kept", "emptied"),
            use=say_as("fact", "such places are written otherwise"),
        ),
        # Rules
        "host_rule": Statement(
            section="4.3",
            says=say_as("fact", "source: whoever `host` names; docs: the caller"),
            answers=("source", "docs"),
            use=say_as("fact", "`check` says where `host` has no effect"),
        ),
        "crm_fields": Statement(
            section="4",
            says=say_as("fact", "missing in older builds"),
            answers=_BOTH,
            use=say_as("fact", "`check` says where links to the CRM are not made"),
        ),
        "recurrence_mode": Statement(
            section="4",
            says=say_as("fact", "from calendar 24.500 on"),
            answers=_BOTH,
            use=say_as("fact", "none: syncd never sends it"),
        ),
        "listing_columns": Statement(
            section="4.6", says=say_as("fact", "shown by older builds"), answers=_BOTH, use=say_as("fact", "none")
        ),
        "private_hidden": Statement(
            section="4.5",
            says=say_as("fact", "masked for administrators too"),
            answers=_BOTH,
            use=say_as("fact", "what is masked is not compared"),
        ),
        "admin_groups": Statement(
            section="7",
            says=say_as("fact", "seen with IS_ADMIN only"),
            answers=("asked", "always"),
            use=say_as("fact", "IS_ADMIN is always sent"),
        ),
        "sections_for": Statement(
            section="5",
            says=say_as("fact", "anyone, or administrators only"),
            answers=("anyone", "admins"),
            use=say_as("fact", "made by administrators only"),
        ),
        "version_step": Statement(
            section="4.3", says="1", answers=(1,), use=say_as("fact", "how people's edits are noticed")
        ),
        "deleted_getbyid": Statement(
            section="4.5", says="null", answers=("null",), use=say_as("fact", "how deletes are proved")
        ),
        "deleted_delete": Statement(
            section="4.4", says=say_as("fact", "refused"), answers=("refused",), use=say_as("fact", "looked up by id")
        ),
        "deleted_update": Statement(
            section="4.3",
            says=say_as("fact", "a sentence; for administrators perhaps the id"),
            answers=("sentence", "id"),
            use=say_as("fact", "looked up by id before"),
        ),
        # Series
        "exact_expansion": Statement(
            section="4.13",
            says=say_as("fact", "the portal's own arithmetic"),
            answers=(False,),
            use=say_as("fact", "series are proved by the portal's arithmetic"),
        ),
        "series": Statement(section="4.13", says=say_as("fact", "the portal's own arithmetic, each")),
        # Batches
        "macros": Statement(
            section="2.3",
            says=say_as("fact", "substituted in batches"),
            answers=(True,),
            use=say_as("fact", "such texts travel alone"),
        ),
        "macro_prefixes": Statement(
            section="2.3",
            says=say_as("fact", "a word may be longer: $resultat[x]"),
            answers=(True,),
            use=say_as("fact", "such texts travel alone"),
        ),
        "batch_plus": Statement(
            section="2.2", says=say_as("fact", "a blank"), answers=("blank",), use=say_as("fact", "percent-encoded")
        ),
        "batch_hash": Statement(
            section="2.2",
            says=say_as("fact", "the rest is lost"),
            answers=("rest lost",),
            use=say_as("fact", "percent-encoded"),
        ),
        "batch_newline": Statement(
            section="2.2", says=say_as("fact", "becomes _"), answers=("_",), use=say_as("fact", "percent-encoded")
        ),
        "batch_broken_escape": Statement(
            section="2.2", says=say_as("fact", "kept"), answers=("kept",), use=say_as("fact", "percent-encoded")
        ),
        # Limits
        "operating": Statement(
            section="3.2",
            says=say_as("fact", "always in the cloud"),
            answers=_BOTH,
            use=say_as("fact", "without counters syncd counts by itself"),
        ),
        "operating_window_s": Statement(
            section="3.2",
            says=say_as("fact", "600 s until the oldest seconds drop"),
            answers=(600,),
            use=say_as("fact", "how long a used-up method waits"),
        ),
        "batch_counter": Statement(
            section="3.2",
            says=say_as("fact", "shared by all webhooks, the caller's own, or `batch`'s"),
            answers=("shared", "own", "batch"),
            use=say_as("fact", "the forecast counts accordingly"),
        ),
        "costs_s": Statement(
            section="3.2",
            says=say_as("fact", "differ from portal to portal"),
            use=say_as("fact", "the first forecast reckons with them"),
        ),
    }
)
"""By the name of the fact. Switches of the simulated portal have the same names there."""
