"""Makes the target that [sync.target] and [sync.fields] ask for."""

from __future__ import annotations

from syncd.config import CardConfig, SyncConfig, TargetConfig
from syncd.target.base import Target
from syncd.target.calendar import CalendarSettings, CalendarTarget
from syncd.target.guests import GuestSettings


def make_target(sync: SyncConfig) -> Target:
    """Return the target of one sync."""
    match sync.target:
        case TargetConfig():
            return CalendarTarget(_calendar(sync, sync.target))
        case CardConfig():
            from syncd.app.card_targets import make_card_target  # noqa: PLC0415 - most write to calendars alone

            return make_card_target(sync, sync.target)


def _calendar(sync: SyncConfig, target: TargetConfig) -> CalendarSettings:
    fields = sync.fields
    return CalendarSettings(
        sync=sync.name,
        calendar=target.calendar,
        section=target.section,
        owner=target.owner,
        owners=target.owners,
        on_unresolved=target.on_unresolved,
        fallback_owner=target.fallback_owner,
        name=fields.name,
        description=fields.description,
        location=fields.location,
        color=fields.color,
        colors=fields.colors,
        accessibility=fields.accessibility,
        importance=fields.importance,
        private=fields.private,
        remind=fields.remind,
        guests=GuestSettings(
            attendees=fields.attendees, host=fields.host, outside=fields.outside_guests, invite=fields.invite
        ),
        crm=fields.crm,
        marker=sync.marker == "description",
    )
