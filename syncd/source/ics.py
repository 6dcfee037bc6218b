"""iCalendar files to entries: their encoding, what makes a file no calendar, and what is kept between two reads.

An unchanged group of components is never parsed twice by the same source, as long as its zones stay the same.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from syncd.errors import ConfigError
from syncd.model import zones
from syncd.source.base import ReadContext, Source
from syncd.source.ical.feed import FeedReader
from syncd.source.ical.split import plain_lines, unfold
from syncd.source.opening import open_files
from syncd.source.options import TextOptions, read_options
from syncd.source.reading import Parse, Part
from syncd.source.text import decode, find_encoding, known_encoding


class IcsOptions(TextOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys of `[sync.source]` with type = "ics"."""

    type: Literal["ics"]


def open_ics(options: Mapping[str, object], base: Path, *, where: str) -> Source:
    """Make a source of iCalendar files; raises ConfigError beginning with `where`."""
    chosen = read_options(IcsOptions, options, where=where)
    if not known_encoding(chosen.encoding):
        raise ConfigError(f"{where}: unknown encoding {chosen.encoding!r}", 'e.g. "auto", "utf-8" or "cp1251"')
    parser = IcsParser(chosen.encoding)
    auto = chosen.encoding == "auto"
    return open_files(chosen, base, where=where, suffix=".ics", begin=parser.begin, charset_counts=auto)


class IcsParser:
    """Parses iCalendar files and keeps the outcomes of one reading for the next, and no longer.

    `begin` starts a reading; `parsed` counts the groups that had to be parsed in it.
    """

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._reader = FeedReader(known={})

    @property
    def parsed(self) -> int:
        """Number of groups that the current reading did not find unchanged."""
        return self._reader.parsed

    def begin(self) -> Parse:
        """Start a reading of all files and return what parses each of them."""
        self._reader = FeedReader(known=self._reader.kept, zones=self._reader.zones)
        return self._parse

    def _parse(self, name: str, content: bytes, context: ReadContext) -> Part:
        return parse_ics(
            name, content, encoding=self._encoding, zone=context.zone, year=context.today.year, reader=self._reader
        )


def parse_ics(
    name: str, content: bytes, *, encoding: str, zone: str | None, year: int, reader: FeedReader | None = None
) -> Part:
    """Return what the file holds; `zone` is the sync's `timezone`, `year` the current year.

    Raises SourceError for a file that is no iCalendar, ConfigError for an unknown `zone`.
    """
    iana = zones.resolve(zone) if zone else None
    if zone and iana is None:
        raise ConfigError(f"timezone = {zone!r} is not a time zone", "write a name like Europe/Moscow")
    if not content.strip():
        return Part(incomplete=f"{name} is empty, without even a VCALENDAR")
    stream, codec = _narrow(name, content, encoding)
    return (reader or FeedReader(known={})).read(name, stream, encoding=codec, floating=iana, year=year)


def _narrow(name: str, content: bytes, encoding: str) -> tuple[bytes, str]:
    """Return the stream in an encoding that ASCII is part of, and its name; checks that it is text."""
    codec = find_encoding(content) if encoding == "auto" else codecs.lookup(encoding).name
    if codec.startswith(("utf-16", "utf-32")):
        return decode(content, encoding, name=name, kind="iCalendar").encode(), "utf-8"
    content = plain_lines(content.removeprefix(codecs.BOM_UTF8))
    unfolded = unfold(content)  # a fold may part the bytes of one character
    decode(unfolded, encoding, name=name, kind="iCalendar")
    codec = find_encoding(unfolded) if encoding == "auto" else codec
    return content, codec
