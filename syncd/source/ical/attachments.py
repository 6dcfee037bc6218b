"""ATTACH of an event (RFC 5545, 3.8.1.1): files with their contents, and links to files. Nothing is fetched here."""

from __future__ import annotations

import base64
import binascii
import mimetypes
import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from syncd.lang.saying import say
from syncd.model.entry import Attachment
from syncd.source.ical.lines import Component, Property
from syncd.source.reasons import reason_of

_NAMES = ("FILENAME", "X-FILENAME", "X-APPLE-FILENAME", "X-ORACLE-FILENAME")
_LONGEST_NAME = 100
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\u200e\u200f\u202a-\u202e\u2066-\u2069]+')


def attachments_of(component: Component) -> tuple[tuple[Attachment, ...], tuple[str, ...]]:
    """Return the files and links of an event, each name once, and warnings about what cannot be read."""
    found: list[Attachment] = []
    warnings: list[str] = []
    for number, prop in enumerate(component.all("ATTACH"), 1):
        try:
            found.append(_attachment(prop, number))
        except ValueError as error:
            warnings.append(say("ATTACH {reason}; it is left out", reason=reason_of(error)))
    return tuple(_told_apart(found)), tuple(warnings)


def _attachment(prop: Property, number: int) -> Attachment:
    name = next((prop.params[one] for one in _NAMES if prop.params.get(one)), "")
    if prop.params.get("VALUE", "").upper() == "BINARY" or prop.params.get("ENCODING", "").upper() == "BASE64":
        try:
            content = base64.b64decode("".join(prop.value.split()), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(say("is marked as BASE64 and is not")) from None
        return Attachment(name=_name(name, prop, number), content=content)
    url = prop.value.strip()
    path = urlsplit(url).path  # raises ValueError for what is no address
    return Attachment(name=_name(name or unquote(path.rpartition("/")[2]), prop, number), url=url)


def _name(given: str, prop: Property, number: int) -> str:
    """Return a plain name of a file: a feed may write anything there."""
    plain = _UNSAFE.sub("_", given.replace("\\", "/").rpartition("/")[2]).strip(" ._")
    if not plain:
        plain = f"attachment-{number}" + (mimetypes.guess_extension(prop.params.get("FMTTYPE", "")) or "")
    stem, dot, end = plain.rpartition(".")
    room = _LONGEST_NAME - len(dot + end) if stem and len(end) < 10 else 0
    return f"{stem[:room]}{dot}{end}" if room else plain[:_LONGEST_NAME]


def _told_apart(found: list[Attachment]) -> Iterator[Attachment]:
    taken: set[str] = set()
    times: Counter[str] = Counter()
    for one in found:
        stem, dot, end = one.name.rpartition(".")
        name = one.name
        while name in taken:
            times[one.name] += 1
            number = times[one.name] + 1
            name = f"{stem}-{number}{dot}{end}" if stem else f"{end}-{number}"
        taken.add(name)
        yield one if name == one.name else Attachment(name=name, content=one.content, url=one.url)
