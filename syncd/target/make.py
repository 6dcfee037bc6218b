"""Makes the target of a sync from [sync.target] and [sync.fields]. No other module knows which config means which."""

from __future__ import annotations

from syncd.config import CardConfig, SyncConfig, TargetConfig
from syncd.target.base import Target
from syncd.target.calendar.calendar_target import CalendarSettings, CalendarTarget
from syncd.target.calendar.guests import GuestSettings


def make_target(sync: SyncConfig) -> Target:
    """Return the target of one sync."""
    match sync.target:
        case TargetConfig():
            return CalendarTarget(_calendar(sync, sync.target))
        case CardConfig():
            return _card_target(sync, sync.target)


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
        untitled=fields.untitled,
        description=fields.description,
        location=fields.location,
        color=fields.color,
        text_color=fields.text_color,
        colors=fields.colors,
        accessibility=fields.accessibility,
        importance=fields.importance,
        private=fields.private,
        remind=fields.remind,
        guests=GuestSettings(
            attendees=fields.attendees,
            host=fields.host,
            outside=fields.outside_guests,
            invite=fields.invite,
            flags=fields.meeting,
        ),
        crm=fields.crm,
        marker=sync.marker == "description",
    )


def _card_target(sync: SyncConfig, target: CardConfig) -> Target:
    """Return the target of a sync into the CRM."""
    # Most configs write to calendars alone, and need not load what the CRM takes.
    from syncd.target.crm.activity import ActivitySettings, ActivityTarget  # noqa: PLC0415
    from syncd.target.crm.attached import FileSettings  # noqa: PLC0415
    from syncd.target.crm.cards import CardSettings  # noqa: PLC0415
    from syncd.target.crm.todo import TodoSettings, TodoTarget  # noqa: PLC0415

    cards = CardSettings(
        contact=target.contact,
        owner_type=target.owner_type,
        owner_field=target.owner_field,
        responsible=target.responsible,
        owners=target.owners,
        on_unresolved=target.on_unresolved,
        fallback_owner=target.fallback_owner,
    )
    fields = sync.fields
    if target.type == "activity":
        return ActivityTarget(
            ActivitySettings(
                sync=sync.name,
                cards=cards,
                kind=target.activity,
                name=fields.name,
                untitled=fields.untitled,
                description=fields.description,
                location=fields.location,
                importance=fields.importance,
                remind=fields.remind,
                completed=target.completed,
                direction=target.direction,
                origin_version=target.origin_version,
                markup=fields.markup,
                extra=fields.extra,
                files=FileSettings(wanted=fields.files, hosts=fields.file_hosts, max_bytes=fields.files_max_bytes),
            )
        )
    return TodoTarget(
        TodoSettings(
            sync=sync.name,
            cards=cards,
            name=fields.name,
            untitled=fields.untitled,
            description=fields.description,
            deadline=target.deadline,
            ping=fields.remind if target.ping is None else target.ping,
            color=target.color_id,
            marker=sync.marker == "description",
        )
    )
