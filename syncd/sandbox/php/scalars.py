"""PHP values: truthiness, numbers, arrays, and what becomes of them in JSON.

Must be neither more lenient nor more strict than PHP 8.2: the vectors in tests/vectors/batch.json decide.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TypeAlias

PhpValue: TypeAlias = "bool | int | float | str | list[PhpValue] | dict[str, PhpValue] | None"


INT64_MAX = 2**63 - 1
_INT64_MIN = -(2**63)
_CANONICAL_INT = re.compile(r"(?:0|-?[1-9][0-9]{0,18})\Z", re.ASCII)
_LEADING_NUMBER = re.compile(r"[ \t\n\r\v\f]*([+-]?(?:[0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?)", re.ASCII)


class PortalCrash(Exception):  # noqa: N818 - the contract's name; it stands for a PHP Error, which is no PHP Exception
    """A PHP `Error`, which the portal does not catch: HTTP 500 without JSON, and the end of a batch (PORTAL.md 1.3)."""


def is_empty(value: PhpValue) -> bool:
    """Tell whether PHP's `empty()` holds: null, false, 0, 0.0, "", "0" and the empty array."""
    return value == "0" if isinstance(value, str) and value else not value


def truthy(value: PhpValue) -> bool:
    """Return PHP's `(bool)` of a value; `"false"` and `"0.0"` are true (PORTAL.md 2.1)."""
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
    # PHP has one array type, and its JSON encoder looks at the keys: numeric keys of a batch change the shape of the
    # answer with every failed command, and an empty map is a list (PORTAL.md 1.2, trap 31).
    keys = [array_key(key) if isinstance(key, str) else key for key in items]
    if keys == list(range(len(keys))):
        return list(items.values())
    return {str(key): value for key, value in items.items()}


def array_key(text: str) -> int | str:
    """Return the key under which PHP files `text`: canonical decimal integers become ints."""
    if _CANONICAL_INT.match(text):
        number = int(text)
        if _INT64_MIN <= number <= INT64_MAX:
            return number
    return text


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
        return max(_INT64_MIN, min(INT64_MAX, int(found[1])))
    number = float(found[1])
    if not math.isfinite(number):
        return INT64_MAX if number > 0 else _INT64_MIN
    return max(_INT64_MIN, min(INT64_MAX, int(number)))


def _wrap(number: int) -> int:
    return (number - _INT64_MIN) % 2**64 + _INT64_MIN


def as_map(value: PhpValue) -> dict[str, PhpValue]:
    """Return a PHP array as a map with string keys; a scalar as an empty one."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        return {str(at): item for at, item in enumerate(value)}
    return {}


def as_list(value: PhpValue) -> list[PhpValue]:
    """Return the values of a PHP array; a scalar gives none."""
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def without(params: Mapping[str, PhpValue], *names: str) -> dict[str, PhpValue]:
    """Return the parameters without these names."""
    return {key: value for key, value in params.items() if key not in names}


def trim(value: PhpValue) -> str:
    """Return PHP's trim() of a value; an array is a TypeError."""
    if isinstance(value, list | dict):
        raise PortalCrash("trim(): argument must be of type string, array given")
    if isinstance(value, bool) or value is None:
        return "1" if value else ""
    return str(value).strip(" \t\n\r\0\x0b")
