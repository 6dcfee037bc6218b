"""HTML from values: whatever is not markup already is escaped, so that a feed's text stays text."""

from __future__ import annotations

from html import escape

_VOID = frozenset({"meta", "link"})


class Markup(str):
    """Text that is HTML already; only `tag` and `join` make it."""

    __slots__ = ()


Child = str | None
"""Markup, text to be escaped, or nothing."""


def tag(name: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Markup:
    """Return an element; `class_` is `class`, `_` elsewhere `-`; None and False leave one out."""
    told = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{told}>")
    return Markup(f"<{name}{told}>{join(*children)}</{name}>")


def join(*children: Child) -> Markup:
    """Return the children one after the other."""
    return Markup("".join(one if isinstance(one, Markup) else escape(one) for one in children if one is not None))
