"""`[sync.fields]`: what items show, as templates and choices."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from syncd.config.places import Places
from syncd.config.schema import FieldsConfig
from syncd.config.tables import FieldsTable
from syncd.config.targets import reminders
from syncd.config.toml_lines import Path as KeyPath
from syncd.model.colors import COLORS, color_of
from syncd.model.filter import Condition, compile_condition
from syncd.model.names import nearest
from syncd.model.template import Template, compile_template

_ACCESSIBILITY: Final = ("busy", "quest", "free", "absent")
_IMPORTANCE: Final = ("high", "normal", "low")
_CRM: Final = re.compile(r"(?:L|D|C|CO|T[0-9a-f]{1,8})_[1-9]\d*")
_CRM_REMEDY: Final = (
    'list ids like "C_5" (contact), "CO_5" (company), "L_5" (lead), "D_5" (deal), "T86_5" (other types), '
    'or templates such as "{contact}"'
)
_HAS_OPERATOR: Final = re.compile(r"[=~]")


def build_fields(places: Places, table: FieldsTable, path: KeyPath) -> FieldsConfig:
    """Return the fields' config; raises ConfigError naming file, line and key."""
    return FieldsConfig(
        name=_template(places, table.name, *path, "name"),
        description=_template(places, table.description, *path, "description"),
        location=_template(places, table.location, *path, "location"),
        color=_color(places, table.color, *path, "color"),
        colors=_colors(places, table.colors, (*path, "colors")),
        accessibility=_choice(places, table.accessibility, _ACCESSIBILITY, *path, "accessibility"),
        importance=_choice(places, table.importance, _IMPORTANCE, *path, "importance"),
        private=_private(places, table.private, *path, "private"),
        remind=None if table.remind is None else reminders(places, table.remind, (*path, "remind")),
        attendees=_attendees(places, table.attendees, *path, "attendees"),
        host=None if table.host is None else _template(places, str(table.host), *path, "host"),
        outside_guests=table.outside_guests,
        invite=table.invite,
        crm=_crm(places, table.crm, (*path, "crm")),
    )


def _template(places: Places, text: str, *path: str | int) -> Template:
    return compile_template(text, where=places.where(*path))


def _color(places: Places, text: str | None, *path: str | int) -> Template | None:
    if text is None:
        return None
    template = _template(places, color_of(text) or text, *path)
    if template.constant is not None and not color_of(template.constant):
        raise places.error(path, f'must be "#rrggbb", a template or a name, not "{text}"', _NAMES_REMEDY)
    return template


def _colors(places: Places, table: Mapping[str, str], path: KeyPath) -> tuple[tuple[Condition, str], ...]:
    """Return which condition gives which colour; a key without an operator is a category."""
    rules = []
    for key, text in table.items():
        color = color_of(text)
        if not color:
            raise places.error((*path, key), f'must be "#rrggbb" or a name, not "{text}"', _NAMES_REMEDY)
        said = key if _HAS_OPERATOR.search(key) else f"categories = {key}"
        rules.append((compile_condition(said, where=places.where(*path, key)), color))
    return tuple(rules)


_NAMES_REMEDY: Final = f"names: {', '.join(COLORS)}"


def _choice(places: Places, text: str | None, allowed: Sequence[str], *path: str | int) -> Template | None:
    if text is None:
        return None
    template = _template(places, text, *path)
    if template.constant is not None and template.constant not in allowed:
        raise places.error(
            path, f'must be one of {", ".join(allowed)}, or a template, not "{text}"', _meant(text, allowed)
        )
    return template


def _private(places: Places, value: bool | str, *path: str | int) -> bool | Template:
    if isinstance(value, bool):
        return value
    template = _template(places, value, *path)
    if template.constant is not None:
        raise places.error(path, f'must be true, false or a template, not "{value}"')
    return template


def _attendees(
    places: Places, value: str | list[int | str], *path: str | int
) -> Literal["source", "none"] | tuple[str, ...]:
    match value:
        case "source":
            return "source"
        case "none":
            return "none"
        case str():
            raise places.error(path, f'must be "source", "none" or a list of e-mails and ids, not "{value}"')
        case _:
            return tuple(str(each) for each in value)


def _meant(name: str, known: Sequence[str]) -> str:
    close = nearest(name, known)
    return f'did you mean "{close}"?' if close else ""


def _crm(places: Places, value: list[str] | str, path: KeyPath) -> tuple[Template, ...]:
    """Return what events are linked to: fixed ids, and templates that give ids, phones or e-mails."""
    links = []
    for number, text in enumerate([value] if isinstance(value, str) else value):
        place = path if isinstance(value, str) else (*path, number)
        template = _template(places, text, *place)
        if template.constant is not None and not _CRM.fullmatch(template.constant):
            raise places.error(place, f'has "{text}", which names nothing in the CRM', _CRM_REMEDY)
        links.append(template)
    return tuple(links)
