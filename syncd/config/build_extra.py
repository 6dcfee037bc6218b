"""`[sync.fields.extra]`: parameters of crm.activity.add that have no key of their own, by their names in the portal.

Only the config may say how an activity acts in the portal, by its provider and settings. Entries may give results only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from syncd.config.config_file import ConfigFile
from syncd.config.tables import SyncTable
from syncd.config.toml_lines import KeyPath
from syncd.config.wrong_values import did_you_mean
from syncd.lang.saying import say
from syncd.model.item import TODO_PROVIDER
from syncd.model.template import Template

WITH_FILES: Final = ("ics", "caldav")
"""The sources whose entries may have files."""

_FIXED: Final = ("PROVIDER_ID", "PROVIDER_TYPE_ID", "PROVIDER_GROUP_ID", "PROVIDER_DATA", "ASSOCIATED_ENTITY_ID")
_FROM_ENTRIES: Final = (
    *("RESULT_STATUS", "RESULT_STREAM", "RESULT_MARK", "RESULT_VALUE", "RESULT_SUM", "RESULT_CURRENCY_ID"),
    *("RESULT_SOURCE_ID", "AUTOCOMPLETE_RULE"),
)
_TABLES: Final = ("SETTINGS", "PROVIDER_PARAMS")
_FLAGS: Final = ("IS_INCOMING_CHANNEL",)
EXTRA: Final = (*_FIXED, *_FROM_ENTRIES, *_TABLES, *_FLAGS)
"""What `[sync.fields.extra]` may contain."""

_ELSEWHERE: Final[Mapping[str, str]] = {
    "OWNER_TYPE_ID": say("{key} in [sync.target]", key="owner_type"),
    "OWNER_ID": say("{key} in [sync.target]", key="contact"),
    "COMMUNICATIONS": say("{key} in [sync.target]", key="contact"),
    "BINDINGS": say("{key} in [sync.target]", key="contact"),
    "TYPE_ID": say("{key} in [sync.target]", key="activity"),
    "DIRECTION": say("{key} in [sync.target]", key="direction"),
    "RESPONSIBLE_ID": say("{key} in [sync.target]", key="responsible"),
    "COMPLETED": say("{key} in [sync.target]", key="completed"),
    "STATUS": say("{key} in [sync.target]", key="completed"),
    "ORIGIN_VERSION": say("{key} in [sync.target]", key="origin_version"),
    "SUBJECT": say("{key} in [sync.fields]", key="name"),
    "DESCRIPTION": say("{key} in [sync.fields]", key="description"),
    "DESCRIPTION_TYPE": say("{key} in [sync.fields]", key="markup"),
    "LOCATION": say("{key} in [sync.fields]", key="location"),
    "PRIORITY": say("{key} in [sync.fields]", key="importance"),
    "NOTIFY_TYPE": say("{key} in [sync.fields]", key="remind"),
    "NOTIFY_VALUE": say("{key} in [sync.fields]", key="remind"),
    "FILES": say("{key} in [sync.fields]", key="files"),
    "WEBDAV_ELEMENTS": say("{key} in [sync.fields]", key="files"),
    "START_TIME": say("the entry"),
    "END_TIME": say("the entry"),
    "DEADLINE": say("the entry"),
    "ORIGINATOR_ID": say("syncd, which finds its activities by it"),
    "ORIGIN_ID": say("syncd, which finds its activities by it"),
    **dict.fromkeys(("ID", "CREATED", "LAST_UPDATED", "AUTHOR_ID", "EDITOR_ID"), say("the portal")),
}
"""The keys that set the other parameters of crm.activity.add."""


def refuse_misplaced(file: ConfigFile, sync: SyncTable, path: KeyPath) -> None:
    """Raise ConfigError for keys of activities if the target makes none, and for a provider that does not fit them."""
    fields, extra = sync.fields, sync.fields.extra
    if sync.target.type != "activity":
        given = [name for name in ("markup", "extra", "files") if getattr(fields, name) not in (None, {}, "none")]
        if given:
            raise file.error(
                (*path, "fields", given[0]), say('goes with type "activity" in [sync.target]'), say("remove it")
            )
        return
    if fields.files not in (None, "none") and sync.source.get("type") not in WITH_FILES:
        raise file.error(
            (*path, "fields", "files"),
            say("goes with a source of one of the types {kinds}", kinds=WITH_FILES),
            say("remove it"),
        )
    is_custom = sync.target.activity == "custom"
    if is_custom and not extra.get("PROVIDER_ID"):
        remedy = say("name the program that such activities belong to, in [sync.fields.extra]")
        raise file.error((*path, "target", "activity"), say('is "custom", but PROVIDER_ID is missing'), remedy)
    if not is_custom and "PROVIDER_ID" in extra:
        raise file.error(
            (*path, "fields", "extra", "PROVIDER_ID"), say('goes with activity = "custom" in [sync.target]')
        )


def build_extra(file: ConfigFile, table: Mapping[str, Any], path: KeyPath) -> tuple[tuple[str, str | Template], ...]:
    """Return the values by flat name; raises ConfigError naming file, line and key."""
    found: list[tuple[str, str | Template]] = []
    for name, value in table.items():
        if name in _ELSEWHERE:
            raise file.error((*path, name), say("is set by {other}", other=_ELSEWHERE[name]), say("remove it here"))
        if name not in EXTRA:
            raise file.error((*path, name), say("is no parameter of crm.activity.add"), did_you_mean(name, EXTRA))
        if name in _TABLES:
            found += _leaves(file, value, name, (*path, name))
        elif name in _FROM_ENTRIES:
            found.append((name, file.template(_text(file, value, (*path, name)), *path, name)))
        elif name in _FLAGS and value not in ("Y", "N"):
            raise file.error((*path, name), say('must be "Y" or "N", not {value!r}', value=value))
        else:
            found.append((name, _text(file, value, (*path, name))))
    if table.get("PROVIDER_ID") == TODO_PROVIDER:  # which have methods of their own
        raise file.error(
            (*path, "PROVIDER_ID"), say("is that of to-dos"), say('set type = "todo" in [sync.target] instead')
        )
    return tuple(found)


def _leaves(file: ConfigFile, value: object, name: str, path: KeyPath) -> Iterator[tuple[str, str]]:
    if not isinstance(value, Mapping):
        if name in _TABLES:
            raise file.error(
                path,
                say("must be a table"),
                say('such as {name} = {{ DISABLE_SENDING_MESSAGE_COPY = "Y" }}', name=name),
            )
        yield name, _text(file, value, path)
        return
    for key, inner in value.items():
        if not key or "." in key:
            raise file.error((*path, key), say("has a dot in its name, or none"), say("such names cannot be sent"))
        yield from _leaves(file, inner, f"{name}.{key}", (*path, key))


def _text(file: ConfigFile, value: object, path: KeyPath) -> str:
    if isinstance(value, bool):
        raise file.error(
            path, say("is true or false, which the portal does not take"), say('write "Y" or "N", or 1 or 0')
        )
    if not isinstance(value, str | int | float):
        raise file.error(path, say("must be a text or a number"))
    return str(value)
