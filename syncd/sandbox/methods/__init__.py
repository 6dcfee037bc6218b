"""The table of REST methods. A new module of methods is added to `_MODULES`."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from syncd.sandbox.methods import (
    app_events,
    crm_activity,
    crm_elements,
    crm_items,
    crm_todo,
    event_add,
    event_delete,
    event_read,
    event_update,
    messages,
    sections,
    system,
    users,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syncd.sandbox.call import Method

_MODULES = (
    *(event_add, event_delete, event_read, event_update, messages, users, sections),
    *(crm_activity, crm_elements, crm_items, crm_todo, app_events),
)


def all_methods() -> Mapping[str, Method]:
    """Return every method but `batch` by its lower-case name."""
    found: dict[str, Method] = {}
    for module in _MODULES:
        found.update(module.METHODS)
    found.update(system.system_methods(found))
    return MappingProxyType(found)
