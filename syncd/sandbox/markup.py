"""HTML from values, escaped by construction: text is text unless it is already `Html`.

Must never build a `style` or an `on...` attribute: the page runs under a policy that forbids both.
"""

from __future__ import annotations

from html import escape

_VOID = frozenset({"link", "meta", "rect", "use", "path"})


class Html(str):
    """A piece of finished markup; the only text that is not escaped."""

    __slots__ = ()


def tag(name: str, /, *children: str | None, **attributes: str | int | bool | None) -> Html:
    """Return an element; a trailing `_` is dropped from attribute names, `_` inside becomes `-`, None and False go."""
    opening = name + "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{opening}/>" if name in ("rect", "use", "path") else f"<{opening}>")
    return Html(f"<{opening}>{join(*children)}</{name}>")


def join(*children: str | None) -> Html:
    """Return pieces one after the other, each escaped unless it is markup."""
    return Html("".join(piece if isinstance(piece, Html) else _clean(piece) for piece in children if piece))


def _attribute(key: str, value: str | int | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{_clean(str(value))}"'


def _clean(text: str) -> str:
    """Escape, and drop the control characters that HTML does not allow."""
    printable = "".join(sign for sign in text if sign >= " " or sign in "\t\n\r") if not text.isprintable() else text
    return escape(printable)
