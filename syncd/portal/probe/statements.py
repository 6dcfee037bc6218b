"""What PORTAL.md says of everything that can be found out, and what syncd makes of the answer: a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from syncd.model.json_values import Json

_TOLD = "only told"


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
        "scopes": Statement(section="1.4", says="those that the webhook or application was given",
                            use="`syncd check` compares them"),
        "plan": Statement(section="1.4", says="a commercial plan"),
        "admin": Statement(section="4.11", says="administrators pass everything", answers=_BOTH,
                           use="no sections are made where syncd's user may not write"),
        "writable_calendars": Statement(section="4.11", says="an administrator writes into all"),
        "integer_stamps": Statement(section="1.2", says="whole seconds since May 2026", answers=_BOTH,
                                    use="costs are then learned from the counters"),
        "docs_statuses": Statement(section="1.4", says="401, or the documented statuses", answers=_BOTH,
                                   use="none: errors are told by their codes"),
        "page_size": Statement(section="6.9", says="50", answers=(50,), use="pages follow `next`", unit="row"),
        "page_past_end": Statement(section="6.9", says="the first page again", answers=("first page",),
                                   use="never asked for"),
        "crm_items": Statement(section="6.8", says="with phones; in older builds without, or missing",
                               answers=("full", "bare", "none"), use="the older lists are read where it is not enough"),
        # Dates
        "server_zone": Statement(section="1.2", says="told by its offset only", use="the zone of the portal in syncs"),
        "culture": Statement(section="4.6", says="a setting of the portal",
                             answers=("DD.MM.YYYY HH:MI:SS", "MM/DD/YYYY HH:MI:SS am", "YYYY-MM-DD HH:MI:SS"),
                             use="none: dates are read from *_FORMATTED"),
        "naive_times": Statement(section="4.1", says="kept as sent", answers=("kept",),
                                 use="how all times are sent"),
        "dates_with_offset": Statement(section="4.1", says="moved by today's difference of the zones",
                                       use="never sent"),
        "unknown_zone": Statement(section="4.1", says="silently the server zone", answers=("server zone",),
                                  use="names are made canonical first"),
        "end_before_start": Statement(section="4.1", says="becomes the start", answers=("start",), use="never sent"),
        "whole_day_end": Statement(section="4.6", says="inclusive", answers=("inclusive",), use="how days are sent"),
        "whole_day_noon": Statement(section="4.1", says="stays on its day", answers=(0,), use="how days are sent",
                                    unit="shift"),
        "whole_day_bare": Statement(section="4.1", says="moves for callers west of the server", use="never sent",
                                    unit="shift"),
        # Texts and fields
        "waf": Statement(section="1.5", says="on or off", answers=_BOTH,
                         use="`check` says that such titles will show blanks"),
        "waf_families": Statement(section="1.5", says="all of them, or none", use="`check` names them"),
        "name_length": Statement(section="4.2", says="255 characters", answers=(255,),
                                 use="titles are cut at 255 before; `check` tells of less",
                                 unit="character"),
        "description_length": Statement(section="4.2", says="64 KB class, exact cap not found", unit="character"),
        "color_empty": Statement(section="4.2", says="#9dcf00", answers=("#9dcf00",), use="never sent empty"),
        "color_long": Statement(section="4.2", says="cut to six", answers=("cut to six",), use="never sent"),
        "room_text": Statement(section="4.2", says="`calendar_N` books a room, or ends empty",
                               answers=("kept", "emptied"), use="such places are written otherwise"),
        # Rules
        "host_rule": Statement(section="4.3", says="source: whoever `host` names; docs: the caller",
                               answers=("source", "docs"), use="`check` says where `host` has no effect"),
        "crm_fields": Statement(section="4", says="missing in older builds", answers=_BOTH,
                                use="`check` says where links to the CRM are not made"),
        "recurrence_mode": Statement(section="4", says="from calendar 24.500 on", answers=_BOTH,
                                     use="none: syncd never sends it"),
        "listing_columns": Statement(section="4.6", says="shown by older builds", answers=_BOTH, use="none"),
        "private_hidden": Statement(section="4.5", says="masked for administrators too", answers=_BOTH,
                                    use="what is masked is not compared"),
        "admin_groups": Statement(section="7", says="seen with IS_ADMIN only", answers=("asked", "always"),
                                  use="IS_ADMIN is always sent"),
        "sections_for": Statement(section="5", says="anyone, or administrators only", answers=("anyone", "admins"),
                                  use="made by administrators only"),
        "version_step": Statement(section="4.3", says="1", answers=(1,), use="how people's edits are noticed"),
        "deleted_getbyid": Statement(section="4.5", says="null", answers=("null",), use="how deletes are proved"),
        "deleted_delete": Statement(section="4.4", says="refused", answers=("refused",), use="looked up by id"),
        "deleted_update": Statement(section="4.3", says="a sentence; for administrators perhaps the id",
                                    answers=("sentence", "id"), use="looked up by id before"),
        # Series
        "exact_expansion": Statement(section="4.13", says="the portal's own arithmetic", answers=(False,),
                                     use="series are proved by the portal's arithmetic"),
        "series": Statement(section="4.13", says="the portal's own arithmetic, each"),
        # Batches
        "macros": Statement(section="2.3", says="substituted in batches", answers=(True,),
                            use="such texts travel alone"),
        "macro_prefixes": Statement(section="2.3", says="a word may be longer: $resultat[x]", answers=(True,),
                                    use="such texts travel alone"),
        "batch_plus": Statement(section="2.2", says="a blank", answers=("blank",), use="percent-encoded"),
        "batch_hash": Statement(section="2.2", says="the rest is lost", answers=("rest lost",), use="percent-encoded"),
        "batch_newline": Statement(section="2.2", says="becomes _", answers=("_",), use="percent-encoded"),
        "batch_broken_escape": Statement(section="2.2", says="kept", answers=("kept",), use="percent-encoded"),
        # Limits
        "operating": Statement(section="3.2", says="always in the cloud", answers=_BOTH,
                               use="without counters syncd counts by itself"),
        "operating_window_s": Statement(section="3.2", says="600 s until the oldest seconds drop", answers=(600,),
                                        use="how long a used-up method waits"),
        "batch_counter": Statement(section="3.2", says="shared by all webhooks, the caller's own, or `batch`'s",
                                   answers=("shared", "own", "batch"), use="the forecast counts accordingly"),
        "costs_s": Statement(section="3.2", says="differ from portal to portal",
                             use="the first forecast reckons with them"),
    }
)  # fmt: skip
"""By the name of the fact. Switches of the simulated portal have the same names there."""
