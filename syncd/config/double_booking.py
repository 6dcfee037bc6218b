"""Refuses two syncs that would show the same entries twice, because the CRM and the calendar copy each other.

For every meeting on a card the portal puts an event into the calendar of the responsible user, and for every event that
is linked to a card it puts a to-do on the card (PORTAL.md 6.5, 6.6).
"""

from __future__ import annotations

from collections.abc import Sequence

from syncd.config.config_file import ConfigFile
from syncd.config.config_values import CardConfig, SyncConfig, TargetConfig
from syncd.config.toml_lines import KeyPath
from syncd.lang.saying import say


def refuse_double_booking(file: ConfigFile, index: int, sync: SyncConfig, others: Sequence[SyncConfig]) -> None:
    """Raise ConfigError if `sync` and one of `others` show the same entries, one on cards and the other in calendars.

    Only syncs with the same portal, source and filter are compared: with another filter the entries may differ, which
    cannot be known before the source is read.
    """
    path: KeyPath = ("sync", index, "target")
    for other in others:
        same = other.portal == sync.portal and other.filter == sync.filter and _source(other) == _source(sync)
        reason = (_reason(sync, other) or _reason(other, sync)) if same else ""
        if reason:
            raise file.error(
                (*path, "type"),
                say(
                    'and that of "{name}" ({where}) double each other: both read one source, and {reason}',
                    name=other.name,
                    where=other.where,
                    reason=reason,
                ),
                say("keep one of the two, or divide the entries between them with [sync.filter]"),
            )


def _source(sync: SyncConfig) -> tuple[str, ...]:
    """Return what identifies a source: its type and its place."""
    source = sync.source
    place = str(source.options.get("path") or "")
    return (
        str(source.options.get("type")),
        str(source.base / place) if place else "",
        *(str(source.options.get(key)) for key in ("url", "url_file", "url_env", "url_credential")),
    )


def _reason(card: SyncConfig, calendar: SyncConfig) -> str:
    if not isinstance(card.target, CardConfig) or not isinstance(calendar.target, TargetConfig):
        return ""
    if card.target.type == "activity" and card.target.activity == "meeting" and calendar.target.calendar == "user":
        return say("the portal itself puts every meeting into the calendar of its responsible")
    if calendar.fields.crm:
        return say("the portal itself puts a to-do onto the card of everything an event is linked to (crm)")
    return ""
