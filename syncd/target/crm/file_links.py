"""Fetches the files that a schedule links to, from the hosts that the config names and from nowhere else.

A link comes from whoever writes the schedule, so it must not make syncd ask servers that only this machine can reach.
So the config lists the hosts by name, without patterns. Redirects are not followed, requests do not identify the
caller, and sizes and times are limited.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from syncd import __version__
from syncd.lang.saying import say
from syncd.net import is_loopback

_TIMEOUT_S: Final = 30.0
_CHUNK: Final = 65_536


class FileError(Exception):
    """A linked file cannot be fetched. The text says why, without the link, which may be a password."""


class SilentError(FileError):
    """The server of a linked file does not answer, or stops in the middle of it."""


def allowed(url: str, hosts: Collection[str]) -> str:
    """Return why a link must not be followed, "" if it may be."""
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").lower().removesuffix("."), parts.port
    except ValueError:
        return say("its link is no address")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        return say("its link does not begin with https://")
    if "@" in parts.netloc:
        return say("its link holds a password")
    return "" if host in hosts else say("its host {host!r} is not in file_hosts", host=host)


async def fetch_file(url: str, *, hosts: Collection[str], limit_bytes: int) -> bytes:
    """Return the content of a linked file. Raises FileError."""
    import aiohttp  # noqa: PLC0415 - few configs fetch anything

    if why := allowed(url, hosts):
        raise FileError(why)
    session = aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"syncd/{__version__}", "Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
        trust_env=not is_loopback(urlsplit(url).hostname or ""),
    )
    try:
        async with session, session.get(url, allow_redirects=False) as answer:
            if 300 <= answer.status < 400:
                raise FileError(say("its server sends elsewhere, which is not followed"))
            if answer.status != 200:
                raise FileError(say("its server answers with HTTP {status}", status=answer.status))
            content = bytearray()
            async for chunk in answer.content.iter_chunked(_CHUNK):
                content += chunk
                if len(content) > limit_bytes:
                    raise FileError(say("it has more than the {limit} bytes of files_max_bytes", limit=limit_bytes))
            return bytes(content)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise SilentError(say("its server does not give it ({error})", error=type(error).__name__)) from None
