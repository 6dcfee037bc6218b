"""What may leave the process: texts without secrets, and without characters that act on a terminal.

Every outlet (log, streams, page, ledger, reports, messages) goes through one `Scrubber`, which is told every secret
before it is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import date
from html import escape
from pathlib import PurePath
from typing import Any, Final, TypeVar
from urllib.parse import quote, quote_plus, unquote, urlsplit

from syncd.lang.saying import Saying

T = TypeVar("T")
Clean = Callable[[str], str]
"""Returns a text without secrets."""

_HIDDEN: Final = "***"
_SLASH: Final = r"(?:/|\\/|\\u002[fF]|%2[fF]|%252[fF])"  # as it is, in JSON, in a URL, in a URL within a URL
# A slash before "rest", in any of these forms, ends in "/" or "f". A letter first lets the search skip quickly.
_WEBHOOK: Final = re.compile(rf"([rR](?<=[/fF][rR])[eE][sS][tT]{_SLASH}\d+{_SLASH})[A-Za-z0-9_-]+")
_LOGIN: Final = re.compile(r"(://)[^/\s@'\"]+@")
_PAIR: Final = re.compile(
    # What stands behind an error code of the portal, or behind a word that only ends so, is a sentence.
    r"""((?:(?<![a-z])auth|authorization|cookie|passwd|password|secret|(?<!expired_)(?<!invalid_)token)"""
    r"""\\?['"]?\s*[:=]\s*)"""
    r"""(?:\\?"[^"]*"?|\\?'[^']*'?|(?:Basic\s|Bearer\s)?[^\s&,;'"}]+)""",
    re.IGNORECASE,
)
_SECRET_NAME: Final = re.compile(r"password|passwd|secret|token|authorization|cookie|webhook|credential", re.IGNORECASE)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SCHEME: Final = re.compile(r"(?:Basic|Bearer|Token)\s+(?P<rest>\S+)", re.IGNORECASE)
_CODE: Final = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9_~.%+=-]{12,}")
"""A part of an address that looks like a password: letters and digits, and longer than people name a folder."""
_FIELD_NAME: Final = re.compile(r"[a-z_]{1,16}")
_SHORTEST_SECRET: Final = 4
_SHORTEST_IN_QUERY: Final = 8
_DEEPEST: Final = 8


class Scrubber:
    """Removes secrets from texts and nested values: those that were `add`ed, and what looks like one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: tuple[str, ...] = ()
        self._unmistakable: tuple[str, ...] = ()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> Callable[[], None]:
        """Hide `secret` from now on, also as it is written in addresses, JSON, HTML and Python.

        Return what hides it no longer, for secrets that another one takes the place of every hour.

        Of an address the parts are hidden that are passwords in themselves: the code of a webhook, what stands before
        the "@", long codes in path and query. Secrets shorter than four characters are not hidden: they occur in
        ordinary words.
        """
        wanted = {form for part in _parts(secret.strip()) for form in _forms(part)}
        kept = {form for form in wanted if len(form) >= _SHORTEST_SECRET} - set(self._secrets)
        self._hide({*self._secrets, *kept})
        return lambda: self._hide({one for one in self._secrets if one not in kept})

    def _hide(self, secrets: set[str]) -> None:
        # Longest first, or a secret within another one would leave the rest of that visible.
        self._secrets = tuple(sorted(secrets, key=len, reverse=True))
        self._unmistakable = tuple(one for one in self._secrets if not _FIELD_NAME.fullmatch(one))

    def text(self, text: str) -> str:
        """Return `text` without secrets and without what looks like one, such as what stands after "password:"."""
        return _PAIR.sub(rf"\g<1>{_HIDDEN}", self.certain(text))

    def certain(self, text: str) -> str:
        """Return `text` without what is certainly a secret; what people have written stays as it is."""
        return _without(text, self._secrets)

    def shown(self, text: str) -> str:
        """Return `text` as it may be shown to people: without certain secrets, and `printable`."""
        return printable(self.certain(text))

    def finished(self, text: str) -> str:
        """Return text with a structure, such as JSON, without certain secrets.

        A secret that could be the name of a field stays, because the structure would break. Whoever made the text has
        cleaned the values before.
        """
        return _without(text, self._unmistakable)

    def value(self, value: object, depth: int = 0) -> object:
        """Return `value` without secrets, and without control characters that could forge lines or colours.

        Mappings and sequences keep their shape, numbers stay numbers, anything else becomes text. So does
        what is nested more than eight levels deep, so that a cycle ends.
        """
        if value is None or isinstance(value, bool | int | float):
            return value
        if depth < _DEEPEST:
            match value:
                case Mapping():
                    return {self._plain(key): self._named(str(key), each, depth + 1) for key, each in value.items()}
                case list() | tuple():
                    return [self.value(each, depth + 1) for each in value]
                case set() | frozenset():
                    return sorted(str(self.value(each, depth + 1)) for each in value)
        return self._plain(value)

    def named(self, name: str, value: object) -> object:
        """Return the `value` of a field like `value`; of a field named after a secret nothing is left."""
        return self._named(name, value, 0)

    def _named(self, name: str, value: object, depth: int) -> object:
        if value and _SECRET_NAME.search(name) and isinstance(value, str | bytes):
            return _HIDDEN
        return self.value(value, depth)

    def _plain(self, value: object) -> str:
        match value:
            case str():
                text = value
            case bytes():
                text = value.decode("utf-8", "backslashreplace")
            case date() | PurePath():
                text = str(value)
            case BaseException():
                text = f"{type(value).__name__}: {value}"
            case _:
                text = repr(value)
        return printable(self.text(text))


def printable(text: str) -> str:
    r"""Return `text` with the characters escaped that act on a terminal or on the direction of writing.

    These are the control characters of C0 and C1 except tab and line feed, so no sequence that begins with ESC works,
    and those of Unicode's bidirectional algorithm, which make "gpj.exe" out of "exe.jpg". U+202E becomes `\u202e`.
    """
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def escaped_json(document: str) -> str:
    """Return the JSON text `document` with the same meaning and only `printable` characters."""
    if document.isascii() and "\x7f" not in document:
        return document  # JSON has escaped the rest of these already
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def within(value: T, clean: Clean) -> T:
    """Return `value` with every text in it cleaned: in dataclasses, mappings, lists and tuples, at any depth.

    Keys of mappings stay as they are: they are names of ours. So do texts of other objects.
    """
    cleaned: Any = value
    match value:
        case Saying():
            cleaned = value.mapped(clean)
        case str():
            cleaned = clean(value) if type(value) is str else value
        case Mapping():
            cleaned = {key: within(each, clean) for key, each in value.items()}
        case list():
            cleaned = [within(each, clean) for each in value]
        case tuple():
            cleaned = tuple([within(each, clean) for each in value])
        case _ if is_dataclass(value) and not isinstance(value, type):
            cleaned = replace(value, **{one.name: within(getattr(value, one.name), clean) for one in fields(value)})
    return cleaned  # type: ignore[no-any-return] # of the same type as it came


def _without(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        if secret in text:
            text = text.replace(secret, _HIDDEN)
    # Documents have a million short texts, and looking for a sign is much quicker than for a pattern.
    if ("/" in text or "%" in text or "\\" in text) and "rest" in text.lower():
        text = _WEBHOOK.sub(rf"\g<1>{_HIDDEN}", text)
    if "://" in text:
        text = _LOGIN.sub(rf"\g<1>{_HIDDEN}@", text)
    return text


def _parts(secret: str) -> set[str]:
    """Return the secret and the parts of it that are secrets in themselves."""
    parts = {secret, secret.partition("\n")[0].strip()}
    if found := _SCHEME.fullmatch(secret):
        parts.add(found["rest"])
    parts |= {found[0].removeprefix(found[1]) for found in _WEBHOOK.finditer(secret)}
    if "://" in secret:
        parts |= _parts_of_address(secret)
    return parts


def _parts_of_address(address: str) -> set[str]:
    try:
        split = urlsplit(address)
    except ValueError:
        return set()
    login = split.netloc.rpartition("@")[0]
    pairs = [pair.partition("=")[2] for pair in split.query.split("&")]
    steps = split.path.strip("/").split("/")
    codes = {"/".join(steps[first:]) for first in range(len(steps))} | set(steps)
    codes = {one for one in codes if _CODE.fullmatch(one.replace("/", "-"))}
    return {login.partition(":")[2], *codes, *(one for one in pairs if len(one) >= _SHORTEST_IN_QUERY)}


def _forms(part: str) -> set[str]:
    """Return how `part` may be written: in addresses, JSON, HTML and Python's own messages."""
    plain = {part, unquote(part)}
    return {
        form
        for one in plain
        for form in (one, quote(one, safe=""), quote_plus(one), quote(one), escape(one), repr(one)[1:-1],
                     json.dumps(one)[1:-1], json.dumps(one, ensure_ascii=False)[1:-1])
    }  # fmt: skip
