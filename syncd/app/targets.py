"""Makes the target that [sync.target] and [sync.fields] ask for."""

from __future__ import annotations

from syncd.config import CardConfig, SyncConfig, TargetConfig
from syncd.target.activity import ActivitySettings, ActivityTarget
from syncd.target.base import Target
from syncd.target.calendar import CalendarSettings, CalendarTarget
from syncd.target.cards import CardSettings
from syncd.target.guests import GuestSettings
from syncd.target.todo import TodoSettings, TodoTarget


def make_target(sync: SyncConfig) -> Target:
    """Return the target of one sync."""
    match sync.target:
        case TargetConfig():
            return CalendarTarget(_calendar(sync, sync.target))
        case CardConfig(type="activity"):
            return ActivityTarget(_activity(sync, sync.target))
        case CardConfig():
            return TodoTarget(_todo(sync, sync.target))


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


def _cards(target: CardConfig) -> CardSettings:
    return CardSettings(
        contact=target.contact,
        owner_type=target.owner_type,
        responsible=target.responsible,
        owners=target.owners,
        on_unresolved=target.on_unresolved,
        fallback_owner=target.fallback_owner,
    )


def _activity(sync: SyncConfig, target: CardConfig) -> ActivitySettings:
    return ActivitySettings(
        sync=sync.name,
        cards=_cards(target),
        kind=target.activity,
        name=sync.fields.name,
        description=sync.fields.description,
        location=sync.fields.location,
        importance=sync.fields.importance,
        remind=sync.fields.remind,
        completed=target.completed,
    )


def _todo(sync: SyncConfig, target: CardConfig) -> TodoSettings:
    return TodoSettings(
        sync=sync.name,
        cards=_cards(target),
        name=sync.fields.name,
        description=sync.fields.description,
        deadline=target.deadline,
        ping=sync.fields.remind if target.ping is None else target.ping,
        color=target.color_id,
        marker=sync.marker == "description",
    )
