"""Makes the CRM targets, activities and to-dos, that [sync.target] and [sync.fields] ask for."""

from __future__ import annotations

from syncd.config import CardConfig, SyncConfig
from syncd.target.activity import ActivitySettings, ActivityTarget
from syncd.target.base import Target
from syncd.target.cards import CardSettings
from syncd.target.todo import TodoSettings, TodoTarget


def make_card_target(sync: SyncConfig, target: CardConfig) -> Target:
    """Return the target of a sync into the CRM."""
    if target.type == "activity":
        return ActivityTarget(_activity(sync, target))
    return TodoTarget(_todo(sync, target))


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
