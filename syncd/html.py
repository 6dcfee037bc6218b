"""HTML built from values and escaped by construction: text stays text unless it is `Markup` already.

Both the status page and the sandbox's calendar page are served under a policy that forbids inline styles and scripts,
so never build a `style` or an `on...` attribute with it.
"""

from __future__ import annotations

from html import escape

_VOID = frozenset({"input", "link", "meta"})
_SHAPES = frozenset({"path", "rect", "use"})


class Markup(str):
    """Finished HTML, the only text that is not escaped; only `tag` and `join` make it."""

    __slots__ = ()


Child = str | None
"""Markup, text to be escaped, or nothing."""


def tag(name: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Markup:
    """Return an element with its children, escaped unless they are markup.

    `class_` stands for `class` and `_` inside a name for `-`; attributes that are None or False are left out.
    """
    opening = name + "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{opening}>")
    if name in _SHAPES and not children:
        return Markup(f"<{opening}/>")  # SVG inside HTML allows it, and a month has hundreds of them
    return Markup(f"<{opening}>{join(*children)}</{name}>")


def join(*children: Child) -> Markup:
    """Return the children one after the other, escaped unless they are markup."""
    return Markup("".join(child if isinstance(child, Markup) else _escaped(child) for child in children if child))


def _attribute(key: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{_escaped(str(value))}"'


def _escaped(text: str) -> str:
    # Titles come from foreign calendars, and HTML does not allow most control characters, not even as references.
    printable = text if text.isprintable() else "".join(sign for sign in text if sign >= " " or sign in "\t\n\r")
    return escape(printable)
