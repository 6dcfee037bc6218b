"""PHP's reading of query strings and batch commands (`parse_url`, `parse_str`) and the portal's result macros.

Works on bytes where PHP does; values that are not UTF-8 come out with U+FFFD, as in the portal's JSON (PORTAL.md 1.2).
Must be neither more lenient nor more strict than PHP 8.2: the vectors in tests/vectors/batch.json decide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from syncd.sandbox.php.scalars import INT64_MAX, PhpValue, array_key, as_php_array, number_text

MAX_INPUT_VARS = 1000
MAX_NESTING = 64
_ANY_INT = re.compile(r"[+-]?[0-9]+\Z", re.ASCII)
_MACRO_KEY = re.compile(r"\[([^\]]+)\]")
_CONTROL = bytes(0x5F if code < 0x20 or code == 0x7F else code for code in range(256))
_MANGLED = bytes.maketrans(b" .[", b"___")
_ALNUM = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_SCHEME = _ALNUM | frozenset(b"+-.")
_DIGITS = frozenset(b"0123456789")


def parse_command(text: str) -> tuple[str, dict[str, PhpValue]]:
    """Split a batch command into its method and its parameters, as `parse_url` and `parse_str` do (PORTAL.md 2.2).

    The method is "" where `parse_url` finds no path or gives up.
    """
    path, query = split_url(text.encode("utf-8", "replace"))
    return _text(path.translate(_CONTROL)), _parse(query.translate(_CONTROL))


def parse_query(query: str) -> dict[str, PhpValue]:
    """Read a query string or form body as PHP's `parse_str` does; all leaves are strings (PORTAL.md 2.2)."""
    return _parse(query.encode("utf-8", "replace"))


def substitute(params: dict[str, PhpValue], maps: Mapping[str, PhpValue]) -> dict[str, PhpValue]:
    """Put earlier results in place of macros such as `$result[a][ID]` in every value (PORTAL.md 2.3).

    `maps` holds result, next, total, time, error (and what else the batch knows), in the portal's order.
    """
    words = "|".join(re.escape(word) for word in maps)
    if not words:
        return params
    macro = re.compile(rf"\$({words})([^ \t\n\v\f\r]*)", re.ASCII | re.IGNORECASE)
    return {key: _substituted(value, macro, maps) for key, value in params.items()}


def _substituted(value: PhpValue, macro: re.Pattern[str], maps: Mapping[str, PhpValue]) -> PhpValue:
    match value:
        case list():
            return [_substituted(item, macro, maps) for item in value]
        case dict():
            return {key: _substituted(item, macro, maps) for key, item in value.items()}
        case str() if "$" in value:
            return _substituted_text(value, macro, maps)
        case _:
            return value


def _substituted_text(text: str, macro: re.Pattern[str], maps: Mapping[str, PhpValue]) -> PhpValue:
    """Replace each token, found in the text as it was sent, wherever it still occurs."""
    replaced = text
    for found in macro.finditer(text):
        keys = _MACRO_KEY.findall(found[2])
        if not keys:
            continue
        reached = _walk(maps.get(found[1]), keys)
        if found[0] == text:
            return reached  # an array, too: a path that leads nowhere gives all earlier results (trap 29)
        if isinstance(reached, str | int | float) and not isinstance(reached, bool):
            replaced = replaced.replace(found[0], reached if isinstance(reached, str) else number_text(reached))
    return replaced


def _walk(start: PhpValue, keys: list[str]) -> PhpValue:
    """Follow keys as far as PHP's `isset` allows and keep what was reached."""
    reached = start
    for key in keys:
        following = _element(reached, key)
        if following is None:
            break
        reached = following
    return reached


def _element(value: PhpValue, key: str) -> PhpValue:
    match value:
        case dict():
            return value.get(key)
        case list():
            index = array_key(key)
            return value[index] if isinstance(index, int) and 0 <= index < len(value) else None
        case str() if _ANY_INT.match(key):  # a text is an array of bytes
            raw, index = value.encode(), int(key)
            return _text(raw[index : index + 1 or None]) if -len(raw) <= index < len(raw) else None
        case _:
            return None


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _key_text(raw: bytes) -> str:
    """Return a key; one that is not UTF-8 comes out empty in the vectors, where a value becomes U+FFFD."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return ""


class _Array:
    """A PHP array while it is being filled: ordered keys and the next free index."""

    __slots__ = ("items", "next_index")

    def __init__(self) -> None:
        self.items: dict[int | bytes, _Array | bytes] = {}
        self.next_index = 0

    def put(self, key: bytes | None, value: _Array | bytes) -> None:
        slot = self._slot(key)
        if slot is None:
            return  # the next index would overflow: PHP drops the value
        self.items[slot] = value
        if isinstance(slot, int) and slot >= self.next_index:
            self.next_index = slot + 1

    def child(self, key: bytes | None) -> _Array:
        slot = self._slot(key)
        found = None if slot is None else self.items.get(slot)
        if isinstance(found, _Array):
            return found
        made = _Array()
        self.put(key, made)
        return made

    def drop(self, key: bytes) -> None:
        slot = self._slot(key)
        if slot is not None:
            self.items.pop(slot, None)

    def _slot(self, key: bytes | None) -> int | bytes | None:
        if key is None:
            return self.next_index if self.next_index <= INT64_MAX else None
        number = array_key(key.decode("latin-1"))
        return number if isinstance(number, int) else key

    def frozen(self) -> dict[int | str, PhpValue]:
        return {
            key if isinstance(key, int) else _key_text(key): (
                as_php_array(value.frozen()) if isinstance(value, _Array) else _text(value)
            )
            for key, value in self.items.items()
        }


def _parse(query: bytes) -> dict[str, PhpValue]:
    top = _Array()
    # max_input_vars: PHP drops the rest with a warning that no caller sees (PORTAL.md 2.2, trap 30).
    variables = [part for part in query.split(b"&") if part][:MAX_INPUT_VARS]
    for variable in variables:
        name, _, value = variable.partition(b"=")
        _register(top, _decoded(name), _decoded(value))
    return {str(key): value for key, value in top.frozen().items()}


def _decoded(raw: bytes) -> bytes:
    return unquote_to_bytes(raw.replace(b"+", b" "))


def _register(top: _Array, raw_name: bytes, value: bytes) -> None:
    """File one variable: `a[b][]` is a path; what follows the last `]` is lost, an unmatched `[` becomes `_`."""
    name = raw_name.partition(b"\0")[0].lstrip(b" ")
    head, bracket, rest = name.partition(b"[")
    if not head:
        return
    if bracket and b"]" not in rest[_blank(rest) :]:
        head, bracket, rest = name, b"", b""
    head = head.translate(_MANGLED)
    array, key = top, head if bracket else None
    if key is None:
        top.put(head, value)
        return
    keys = _bracketed(rest)
    if len(keys) > MAX_NESTING:
        top.drop(head)  # and with it what was filed under this name before
        return
    last: bytes | None = key
    for following in keys:
        array = array.child(last)
        last = following
    array.put(last, value)


def _bracketed(rest: bytes) -> list[bytes | None]:
    """Read the keys of `b][c]...`, the opening bracket already taken; None stands for `[]`."""
    keys: list[bytes | None] = []
    while True:
        blank = _blank(rest)
        if rest[blank : blank + 1] == b"]":
            key, rest = None, rest[blank + 1 :]
        elif b"]" in rest:
            key, _, rest = rest.partition(b"]")
        else:
            return keys
        keys.append(key)
        if not rest.startswith(b"["):
            return keys
        rest = rest[1:]


def _blank(rest: bytes) -> int:
    """Return 1 if PHP skips a blank right after the opening bracket."""
    return 1 if rest[:1].isspace() else 0


def split_url(url: bytes) -> tuple[bytes, bytes]:
    """Return path and query of a batch command as PHP's `parse_url` finds them; both empty where it gives up."""
    rest = _after_authority(url)
    if rest is None:
        return b"", b""
    rest = rest.partition(b"#")[0]  # a fragment: what follows a raw `#` is lost (PORTAL.md 2.2, trap 30)
    path, _, query = rest.partition(b"?")
    return path, query


def _after_authority(url: bytes) -> bytes | None:
    """Skip scheme, host and port; None for what `parse_url` refuses."""
    colon = url.find(b":")
    relative = url.startswith(b"//")
    if colon > 0:
        scheme, after = url[:colon], url[colon + 1 :]
        if not _SCHEME.issuperset(scheme):
            first_mark = min((at for at in (url.find(b"?"), url.find(b"#")) if at >= 0), default=len(url))
            if after and colon < first_mark:
                return _after_port(url, colon)
            return _after_host(url[2:]) if relative else url
        if not after:
            return b""
        if not after.startswith(b"/"):
            digits = _digits(after[:6])
            if digits < 6 and after[digits : digits + 1] in (b"", b"/"):
                return _after_port(url, colon)
            return after
        if not after.startswith(b"//"):
            return after
        if scheme.lower() == b"file" and after.startswith(b"///"):
            return after[3:] if after[4:5] == b":" else after[2:]
        return _after_host(after[2:])
    if colon == 0:
        return _after_port(url, colon)
    return _after_host(url[2:]) if relative else url


def _after_port(url: bytes, colon: int) -> bytes | None:
    after = url[colon + 1 :]
    digits = _digits(after[:6])
    if 0 < digits < 6 and after[digits : digits + 1] in (b"", b"/"):
        if int(after[:digits]) > 65535:
            return None
        return _after_host(url.removeprefix(b"//"))
    if not after:
        return None
    return _after_host(url[2:]) if url.startswith(b"//") else url


def _after_host(rest: bytes) -> bytes | None:
    end = min((at for at in map(rest.find, (b"/", b"?", b"#")) if at >= 0), default=len(rest))
    authority, tail = rest[:end], rest[end:]
    host = authority.rpartition(b"@")[2]
    name, colon, port = (host, b"", b"") if host[:1] == b"[" and host[-1:] == b"]" else _port_split(host)
    if not name or (colon and (len(port) > 5 or (_digits(port) and int(port[: _digits(port)]) > 65535))):
        return None
    return tail


def _port_split(host: bytes) -> tuple[bytes, bytes, bytes]:
    name, colon, port = host.rpartition(b":")
    return (name, colon, port) if colon else (host, b"", b"")


def _digits(text: bytes) -> int:
    return next((at for at, code in enumerate(text) if code not in _DIGITS), len(text))
