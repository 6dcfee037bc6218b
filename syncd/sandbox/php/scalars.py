"""How the portal's PHP reads text: query strings, batch commands, truthiness, numbers, array shapes, result macros.

Works on bytes where PHP does; values that are no UTF-8 come out with U+FFFD, as they do in the portal's JSON (PORTAL.md
1.2). Must never be more lenient or more strict than PHP 8.2: the vectors in tests/vectors/batch.json decide.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TypeAlias
from urllib.parse import unquote_to_bytes

from syncd.sandbox.php.url import split_url

PhpValue: TypeAlias = "bool | int | float | str | list[PhpValue] | dict[str, PhpValue] | None"

MAX_INPUT_VARS = 1000
MAX_NESTING = 64

_INT64_MAX = 2**63 - 1
_INT64_MIN = -(2**63)
_CANONICAL_INT = re.compile(r"(?:0|-?[1-9][0-9]{0,18})\Z", re.ASCII)
_ANY_INT = re.compile(r"[+-]?[0-9]+\Z", re.ASCII)
_LEADING_NUMBER = re.compile(r"[ \t\n\r\v\f]*([+-]?(?:[0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?)", re.ASCII)
_MACRO_KEY = re.compile(r"\[([^\]]+)\]")
_CONTROL = bytes(0x5F if code < 0x20 or code == 0x7F else code for code in range(256))
_MANGLED = bytes.maketrans(b" .[", b"___")


class PortalCrash(Exception):  # noqa: N818 - the contract's name; it stands for a PHP Error, which is no PHP Exception
    """A PHP `Error` nobody catches: HTTP 500 without the JSON envelope, and the end of a batch (PORTAL.md 1.3)."""


def is_empty(value: PhpValue) -> bool:
    """Tell whether PHP's `empty()` holds: null, false, 0, 0.0, "", "0" and the empty array."""
    return value == "0" if isinstance(value, str) and value else not value


def truthy(value: PhpValue) -> bool:
    """Tell what PHP's `(bool)` makes of a value; `"false"` and `"0.0"` are true (PORTAL.md 2.1)."""
    return not is_empty(value)


def to_int(value: PhpValue) -> int:
    """Return PHP's `(int)` of a value: the leading number of a text, 1 for a filled array, else 0."""
    match value:
        case bool() | int():
            return int(value)
        case float():
            return _wrap(int(value)) if math.isfinite(value) else 0
        case str():
            return _int_of_text(value)
        case None:
            return 0
        case list() | dict():
            return 1 if value else 0


def as_php_array(items: Mapping[str, PhpValue] | Mapping[int, PhpValue] | Mapping[int | str, PhpValue]) -> PhpValue:
    """Give a PHP map the shape that the portal's JSON has: keys 0..n-1 in order are a list, else an object (1.2)."""
    keys = [array_key(key) if isinstance(key, str) else key for key in items]
    if keys == list(range(len(keys))):
        return list(items.values())
    return {str(key): value for key, value in items.items()}


def array_key(text: str) -> int | str:
    """Return the key under which PHP files `text`: canonical decimal integers become ints."""
    if _CANONICAL_INT.match(text):
        number = int(text)
        if _INT64_MIN <= number <= _INT64_MAX:
            return number
    return text


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
    """Tokens are found once in the text as it came; each then replaces all that is left of it."""
    replaced = text
    for found in macro.finditer(text):
        keys = _MACRO_KEY.findall(found[2])
        if not keys:
            continue
        reached = _walk(maps.get(found[1]), keys)
        if found[0] == text:
            return reached
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


def number_text(number: float) -> str:
    """PHP's `(string)`: 14 significant digits, `1.0E+25` with at least one decimal and a bare exponent."""
    if isinstance(number, int):
        return str(number)
    if not math.isfinite(number):
        return "NAN" if math.isnan(number) else "INF" if number > 0 else "-INF"
    mantissa, _, exponent = f"{number:.14G}".partition("E")
    if not exponent:
        return mantissa
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{exponent[0]}{exponent[1:].lstrip('0')}"


def _int_of_text(text: str) -> int:
    found = _LEADING_NUMBER.match(text)
    if found is None:
        return 0
    if found[2] is None and found[3] is None and not found[1].lstrip("+-").startswith("."):
        return max(_INT64_MIN, min(_INT64_MAX, int(found[1])))
    number = float(found[1])
    if not math.isfinite(number):
        return _INT64_MAX if number > 0 else _INT64_MIN
    return max(_INT64_MIN, min(_INT64_MAX, int(number)))


def _wrap(number: int) -> int:
    return (number - _INT64_MIN) % 2**64 + _INT64_MIN


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _key_text(raw: bytes) -> str:
    """A key that is no UTF-8 comes out empty in the vectors; a value becomes U+FFFD (PORTAL.md 1.2)."""
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
            return self.next_index if self.next_index <= _INT64_MAX else None
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
        top.drop(head)
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
