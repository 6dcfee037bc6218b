"""Requests and answers of the simulated portal, and how it reads bodies and writes JSON (PORTAL.md 1.1 to 1.3).

Turns bytes into values and values into bytes; decides nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote

import orjson

from syncd.sandbox.php.query import parse_query
from syncd.sandbox.php.scalars import PhpValue, as_php_array

MAX_JSON_DEPTH = 512
_UNSAFE = re.compile(rb"\\.|[<>&']", re.DOTALL)
_ESCAPES = {b"<": rb"\u003C", b">": rb"\u003E", b"&": rb"\u0026", b"'": rb"\u0027", rb"\"": rb"\u0022"}
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_FIELD_NAME = re.compile(rb'name="([^"]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalRequest:
    """One HTTP request; `path` without query. The webhook's code is in the path, so it stays out of the repr."""

    http_method: str = "POST"
    path: str = field(repr=False)
    query: str = field(default="", repr=False)
    content_type: str = ""
    body: bytes = field(default=b"", repr=False)
    address: str = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalResponse:
    """The answer, and how long the server took for it; `cut` means the connection breaks instead of answering."""

    status: int
    body: bytes = b""
    content_type: str = "application/json; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    duration_s: float = 0.0
    cut: bool = False


def encode(value: PhpValue) -> bytes:
    r"""Return the portal's JSON: `<>&'"` inside strings as \u003C and so on, Cyrillic as it is."""
    return _UNSAFE.sub(lambda found: _ESCAPES.get(found[0], found[0]), orjson.dumps(value))


def request_params(request: PortalRequest) -> dict[str, PhpValue]:
    """Return the query string's parameters, overridden at the top level by the body's."""
    params = parse_query(request.query)
    if request.http_method.upper() == "POST":
        params.update(_body_params(request))
    return params


def _body_params(request: PortalRequest) -> dict[str, PhpValue]:
    kind = request.content_type.partition(";")[0].strip().lower()
    if kind == "application/json" or "+json" in kind:
        return _json_params(request.body)
    if kind == "multipart/form-data" and (boundary := _BOUNDARY.search(request.content_type)):
        return _multipart_params(request.body, boundary[1].encode())
    return parse_query(request.body.decode("utf-8", "replace"))


def _json_params(body: bytes) -> dict[str, PhpValue]:
    """Read a JSON body; a malformed, too deep or scalar body counts as no parameters."""
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}  # no error: the method then misses its parameters (PORTAL.md 1.1, trap 35)
    if isinstance(decoded, list):
        decoded = {str(at): item for at, item in enumerate(decoded)}
    if not isinstance(decoded, dict) or _too_deep(decoded, MAX_JSON_DEPTH):
        return {}
    return {key: _php_shaped(value) for key, value in decoded.items()}


def _too_deep(value: object, limit: int) -> bool:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > limit and any(isinstance(item, dict | list) for item in level):
            return True
        inner: list[object] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        level = inner
    return False


def _php_shaped(value: object) -> PhpValue:
    """Give decoded JSON the shape PHP arrays have: an object with keys 0..n-1 is a list, an empty one `[]`.

    Written with loops, so that the deepest body PHP takes costs one frame per level.
    """
    if isinstance(value, dict):
        shaped: dict[str, PhpValue] = {}
        for key, item in value.items():
            shaped[key] = _php_shaped(item)
        return as_php_array(shaped)
    if isinstance(value, list):
        items: list[PhpValue] = []
        for item in value:
            items.append(_php_shaped(item))
        return items
    return value if isinstance(value, str | int | float | None) else None


def _multipart_params(body: bytes, boundary: bytes) -> dict[str, PhpValue]:
    """Read the plain fields of a multipart form; nested names work as in a query string."""
    pairs = []
    for part in body.split(b"--" + boundary)[1:]:
        head, blank, content = part.partition(b"\r\n\r\n")
        name = _FIELD_NAME.search(head)
        if blank and name and b"filename=" not in head:
            value = content.removesuffix(b"\r\n")
            pairs.append(f"{quote(name[1], safe='[]')}={quote(value, safe='')}")
    return parse_query("&".join(pairs))
