"""PHP's `parse_url`, of which the portal uses path and query of a batch command (PORTAL.md 2.2).

A command is hardly ever a URL, so what matters are the odd corners: a colon before the `?`, a leading `//`, a `#`.
"""

from __future__ import annotations

_ALNUM = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_SCHEME = _ALNUM | frozenset(b"+-.")
_DIGITS = frozenset(b"0123456789")


def split_url(url: bytes) -> tuple[bytes, bytes]:
    """Return path and query of a batch command as PHP's `parse_url` finds them; both empty where it gives up."""
    rest = _after_authority(url)
    if rest is None:
        return b"", b""
    rest = rest.partition(b"#")[0]
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
