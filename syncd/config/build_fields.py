"""`[sync.fields]`: what items show, as templates and choices."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from syncd.config.config_file import ConfigFile
from syncd.config.config_values import FieldsConfig
from syncd.config.tables import FieldsTable
from syncd.config.toml_lines import KeyPath
from syncd.config.wrong_values import did_you_mean
from syncd.lang.saying import say
from syncd.model.colors import COLORS, color_of
from syncd.model.filter import Condition, compile_condition
from syncd.model.template import Template

_ACCESSIBILITY: Final = ("busy", "quest", "free", "absent")
_IMPORTANCE: Final = ("high", "normal", "low")
_CRM: Final = re.compile(r"(?:L|D|C|CO|Q|SI|T[0-9a-f]{1,8})_[1-9]\d*")
_CRM_REMEDY: Final = say(
    'list ids like "C_5" (contact), "CO_5" (company), "L_5" (lead), "D_5" (deal), "SI_5" (invoice), '
    '"T86_5" (other types), or templates such as "{{contact}}"'
)
_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\.?")
_LARGEST_FILE_BYTES: Final = 50_000_000
_COLOR_REMEDY: Final = say("names: {names}", names=tuple(COLORS))
_HAS_OPERATOR: Final = re.compile(r"[=~]")


Extra = tuple[tuple[str, str | Template], ...]


def build_fields(file: ConfigFile, table: FieldsTable, path: KeyPath, extra: Extra) -> FieldsConfig:
    """Return the config of the fields, `extra` among them; raises ConfigError naming file, line and key."""
    return FieldsConfig(
        name=file.template(table.name, *path, "name"),
        untitled=table.untitled.strip(),
        description=file.template(table.description, *path, "description"),
        location=file.template(table.location, *path, "location"),
        color=_color(file, table.color, *path, "color"),
        text_color=_color(file, table.text_color, *path, "text_color"),
        colors=_colors(file, table.colors, (*path, "colors")),
        accessibility=_choice(file, table.accessibility, _ACCESSIBILITY, *path, "accessibility"),
        importance=_choice(file, table.importance, _IMPORTANCE, *path, "importance"),
        private=_private(file, table.private, *path, "private"),
        remind=None if table.remind is None else file.reminders(table.remind, (*path, "remind")),
        attendees=_attendees(file, table.attendees, *path, "attendees"),
        host=file.optional_template(table.host, *path, "host"),
        meeting=_meeting(file, table, (*path, "meeting")),
        outside_guests=table.outside_guests,
        invite=table.invite,
        markup=table.markup or "bbcode",
        extra=extra,
        files=table.files or "none",
        file_hosts=_file_hosts(file, table, path),
        files_max_bytes=_files_max_bytes(file, table, path),
        crm=_crm(file, table.crm, (*path, "crm")),
    )


def _file_hosts(file: ConfigFile, table: FieldsTable, path: KeyPath) -> frozenset[str]:
    """Return the hosts that links may point to; raises ConfigError for what is no host, and if links need them."""
    if table.files == "links" and not table.file_hosts:
        raise file.error(
            (*path, "file_hosts"), say('is missing, with files = "links"'), say("name the hosts they may lead to")
        )
    if table.file_hosts and table.files != "links":
        raise file.error((*path, "file_hosts"), say('has no effect without files = "links"'), say("remove it"))
    for number, host in enumerate(table.file_hosts):
        if _HOST.fullmatch(host) is None:
            raise file.error((*path, "file_hosts", number), say('has "{host}", which is no name of a host', host=host))
    return frozenset(host.lower().removesuffix(".") for host in table.file_hosts)


def _files_max_bytes(file: ConfigFile, table: FieldsTable, path: KeyPath) -> int:
    if not 0 < table.files_max_bytes <= _LARGEST_FILE_BYTES:
        raise file.error(
            (*path, "files_max_bytes"),
            say("must be from 1 to {most}", most=_LARGEST_FILE_BYTES),
        )
    return table.files_max_bytes


def _meeting(file: ConfigFile, table: FieldsTable, path: KeyPath) -> frozenset[str]:
    """Return the flags that are set; raises ConfigError if no meetings exist that could have them."""
    flags = frozenset(name for name, given in msgspec.structs.asdict(table.meeting).items() if given)
    if flags and (table.invite == "copy" or (table.attendees in ("none", []) and table.host is None)):
        raise file.error((*path, min(flags)), say("is about meetings, but nobody is invited: see attendees and invite"))
    return flags


def _color(file: ConfigFile, text: str | None, *path: str | int) -> Template | None:
    if text is None:
        return None
    # A name becomes its value here; the rest is a template, which is filled in for each entry.
    template = file.template(color_of(text) or text, *path)
    if template.constant is not None and not color_of(template.constant):
        raise file.error(path, say('must be "#rrggbb", a template or a name, not "{text}"', text=text), _COLOR_REMEDY)
    return template


def _colors(file: ConfigFile, table: Mapping[str, str], path: KeyPath) -> tuple[tuple[Condition, str], ...]:
    """Return which condition gives which colour. A key without an operator is the name of a category."""
    rules = []
    for key, text in table.items():
        color = color_of(text)
        if not color:
            raise file.error((*path, key), say('must be "#rrggbb" or a name, not "{text}"', text=text), _COLOR_REMEDY)
        condition = key if _HAS_OPERATOR.search(key) else f"categories = {key}"
        rules.append((compile_condition(condition, where=file.where(*path, key)), color))
    return tuple(rules)


def _choice(file: ConfigFile, text: str | None, allowed: Sequence[str], *path: str | int) -> Template | None:
    """Return the template `text`. A constant must be one of `allowed`; otherwise each entry decides."""
    if text is None:
        return None
    template = file.template(text, *path)
    if template.constant is not None and template.constant not in allowed:
        message = say('must be one of {allowed}, or a template, not "{text}"', allowed=tuple(allowed), text=text)
        raise file.error(path, message, did_you_mean(text, allowed))
    return template


def _private(file: ConfigFile, value: bool | str, *path: str | int) -> bool | Template:
    if isinstance(value, bool):
        return value
    template = file.template(value, *path)
    if template.constant is not None:
        raise file.error(path, say('must be true, false or a template, not "{value}"', value=value))
    return template


def _attendees(
    file: ConfigFile, value: str | list[int | str], *path: str | int
) -> Literal["source", "none"] | tuple[str, ...]:
    match value:
        case "source":
            return "source"
        case "none":
            return "none"
        case str():
            raise file.error(
                path, say('must be "source", "none" or a list of e-mails and ids, not "{value}"', value=value)
            )
        case _:
            return tuple(str(each) for each in value)


def _crm(file: ConfigFile, value: list[str] | str, path: KeyPath) -> tuple[Template, ...]:
    """Return what events are linked to: fixed ids, and templates that give ids, phones or e-mails."""
    links = []
    for number, text in enumerate([value] if isinstance(value, str) else value):
        place = path if isinstance(value, str) else (*path, number)
        template = file.template(text, *place)
        if template.constant is not None and not _CRM.fullmatch(template.constant):
            raise file.error(place, say('has "{text}", which names nothing in the CRM', text=text), _CRM_REMEDY)
        links.append(template)
    return tuple(links)
