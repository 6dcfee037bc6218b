"""HTML descriptions (Outlook's X-ALT-DESC, Google's) as the BB-code that the portal shows: links kept, no script.

Reads each character once and never nests, so that no text can make it slow or deep; what is too long is cut.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from urllib.parse import quote

MOST_CHARACTERS = 100_000
"""More than a target takes, so that it is the target that cuts the text and warns about it."""
MOST_READ = 400_000
_DEEPEST = 40
_LONGEST_TAG = 4000
_TAG = re.compile(
    r"</?(?:a|b|strong|i|em|u|s|p|br|div|span|ul|ol|li|table|tr|td|th|font|h[1-6]|pre|hr|img|blockquote|html|body)"
    r"(?:\s[^<>]{0,2000})?/?>",
    re.IGNORECASE,
)
_NAME = re.compile(r"/?\s*([a-zA-Z][a-zA-Z0-9]*)")
_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_ALT = re.compile(r"""\balt\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_INLINE: Mapping[str, str] = {
    "b": "b", "strong": "b", "i": "i", "em": "i", "u": "u", "ins": "u", "s": "s", "strike": "s", "del": "s",
}  # fmt: skip
_BLOCKS = frozenset(
    {"p", "div", "ul", "ol", "table", "tr", "blockquote", "pre", "section", "article", "header", "footer", "dl", "dt"}
    | {f"h{level}" for level in range(1, 7)}
)
_SILENT = frozenset({"script", "style", "head", "title", "template", "noscript", "object", "iframe", "svg", "math"})
_SAFE_LINK = re.compile(r"(?:https?://|mailto:|tel:)[^\s]+\Z", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\n{3,}")
_SPACES = re.compile(r"[ \t\r\f\v\xa0]+")


def is_html(text: str) -> bool:
    """Return True if a text is meant as HTML: it has a tag that calendar programs write."""
    return "<" in text and _TAG.search(text[:MOST_READ]) is not None


def to_bbcode(text: str) -> str:
    """Return what an HTML text says as BB-code of at most 100,000 characters.

    Bold, italic, underlined and struck text, lists and links to http, https, mailto and tel are kept; scripts, styles,
    comments, pictures and all other formatting are dropped. The result is balanced whatever the input is.
    """
    reader = _Reader(keeps_lines=re.search(r"<(?:br|p|div|li|tr)\b", text[:MOST_READ], re.IGNORECASE) is None)
    reader.read(text[:MOST_READ])
    return reader.result()


_MARK = re.compile(r"\[(?P<close>/?)(?P<name>b|i|u|s|url)(?:=(?P<address>[^\]\s]{1,2000}))?\]", re.IGNORECASE)


def to_html(bbcode: str) -> str:
    """Return what `to_bbcode` has made, and what stands around it, as HTML.

    Nothing of the text becomes a tag but what BB-code knows, and a link leads where `to_bbcode` lets one lead; what is
    not closed is closed at the end.
    """
    out: list[str] = []
    opened: list[str] = []
    at = 0
    for mark in _MARK.finditer(bbcode):
        out.append(html.escape(bbcode[at : mark.start()]))
        out.append(_tag_of(mark, opened))
        at = mark.end()
    out.append(html.escape(bbcode[at:]))
    out += [f"</{name}>" for name in reversed(opened)]
    return "".join(out).replace("\n", "<br>")


def _tag_of(mark: re.Match[str], opened: list[str]) -> str:
    """Return the tag of a mark, or the mark as text where it opens or closes nothing."""
    name = {"url": "a"}.get(mark["name"].lower(), mark["name"].lower())
    if mark["close"]:
        if mark["address"] or name not in opened:
            return html.escape(mark[0])
        inner = opened[opened.index(name) :]
        del opened[opened.index(name) :]
        return "".join(f"</{one}>" for one in reversed(inner))
    if (name == "a") != bool(mark["address"]) or name in opened:
        return html.escape(mark[0])
    address = _address(mark["address"]) if name == "a" else ""
    if name == "a" and not address:
        return html.escape(mark[0])
    opened.append(name)
    return f'<a href="{html.escape(address)}">' if name == "a" else f"<{name}>"


class _Reader:
    """Writes BB-code while tags and texts come by; `open` are the tags not closed yet, innermost last."""

    def __init__(self, *, keeps_lines: bool) -> None:
        self._keeps_lines = keeps_lines
        self._out: list[str] = []
        self._length = 0
        self._open: list[str] = []

    def read(self, text: str) -> None:
        """Read the whole text once."""
        at = 0
        while at < len(text) and self._length < MOST_CHARACTERS:
            opening = text.find("<", at)
            if opening < 0:
                self._text(text[at:])
                return
            self._text(text[at:opening])
            at = self._tag(text, opening)

    def result(self) -> str:
        """Close what is open and return the text without blank ends."""
        while self._open:
            self._out.append(f"[/{self._open.pop()}]")
        lines = (line.strip(" ") for line in "".join(self._out).split("\n"))
        joined = _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()
        return re.sub(r"\[(b|i|u|s)\]\s*\[/\1\]", "", joined)

    def _tag(self, text: str, at: int) -> int:
        """Read what begins with "<" at `at`; return where to go on."""
        if text.startswith("<!--", at):
            end = text.find("-->", at + 4)
            return len(text) if end < 0 else end + 3
        found = _NAME.match(text, at + 1)
        if found is None and not text.startswith(("<!", "<?"), at):
            self._text("<")
            return at + 1
        end = text.find(">", at + 1)  # only once per tag, so that no text makes this quadratic
        if end < 0:
            self._text(text[at:] if found else "")
            return len(text)
        if found is None:
            return end + 1
        name, closing = found[1].lower(), text[at + 1] == "/"
        if name in _SILENT:
            return end + 1 if closing or text[end - 1] == "/" else _after_silence(text, name, end)
        if name == "a":
            self._link(text[at : min(end, at + _LONGEST_TAG)], closing=closing)
        elif name in _INLINE:
            self._inline(_INLINE[name], closing=closing)
        else:
            self._other(name, text[at : min(end, at + _LONGEST_TAG)], closing=closing)
        return end + 1

    def _other(self, name: str, tag: str, *, closing: bool) -> None:
        if name == "br":
            self._put("\n")
        elif name == "li":
            if not closing:
                self._line()
                self._put("• ")
        elif name in ("td", "th"):
            self._put(" " if closing else "")
        elif name == "hr":
            self._line()
            self._put("—\n")
        elif name == "img":
            alt = _ALT.search(tag)
            self._text((alt[1] or alt[2] or "") if alt else "")
        elif name in _BLOCKS:
            self._line()
            if closing and name == "p":
                self._put("\n")

    def _inline(self, code: str, *, closing: bool) -> None:
        if not closing:
            if len(self._open) < _DEEPEST:
                self._open.append(code)
                self._put(f"[{code}]")
            return
        if code in self._open:
            self._close(code)

    def _close(self, code: str) -> None:
        """Close a tag with everything opened inside it."""
        while self._open:
            inner = self._open.pop()
            self._put(f"[/{inner}]")
            if inner == code:
                return

    def _link(self, tag: str, *, closing: bool) -> None:
        if "url" in self._open:
            self._close("url")
        if closing or len(self._open) >= _DEEPEST:
            return
        found = _HREF.search(tag)
        address = _address(next((part for part in found.groups() if part), "")) if found else ""
        if address:
            self._open.append("url")
            self._put(f"[url={address}]")

    def _text(self, text: str) -> None:
        if not text:
            return
        text = html.unescape(text)
        text = _SPACES.sub(" ", text if self._keeps_lines else text.replace("\n", " "))
        if self._at_line_start() or self._out[-1].endswith(" "):
            text = text.lstrip(" ")
        self._put(text)

    def _at_line_start(self) -> bool:
        return not self._out or self._out[-1].endswith("\n")

    def _line(self) -> None:
        if not self._at_line_start():
            self._put("\n")

    def _put(self, text: str) -> None:
        text = text[: max(0, MOST_CHARACTERS - self._length)]
        if text:
            self._out.append(text)
            self._length += len(text)


def _after_silence(text: str, name: str, at: int) -> int:
    """Return where an element that shows no text ends: its content is no markup, whatever it looks like."""
    found = re.compile(f"</{name}[^>]*>?", re.IGNORECASE).search(text, at)
    return found.end() if found else len(text)


def _address(text: str) -> str:
    """Return a link's address as BB-code takes it, "" for one that is not safe to follow."""
    plain = "".join(one for one in html.unescape(text) if one.isprintable()).strip()
    if not _SAFE_LINK.match(plain):
        return ""
    return quote(plain, safe="%/:?#@!$&'()*+,;=~-._")[:2000]
