"""iCalendar files to entries: their encoding, what makes a file no calendar, and what is kept between two reads.

An unchanged group of components is never parsed twice by the same source, as long as its zones stay the same; of large
files not by another process either.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from syncd.clock import Clock
from syncd.lang.saying import say
from syncd.source.base import ReadContext, Source
from syncd.source.encodings import decode, is_wide
from syncd.source.field_values import sync_zone
from syncd.source.files import Part
from syncd.source.ical.calendar_reader import CalendarReader, FileFacts
from syncd.source.ical.feed_reader import FeedReader
from syncd.source.ical.known_groups import KnownGroups
from syncd.source.ical.packed import Block
from syncd.source.ical.split import plain_lines, unfold
from syncd.source.ical.vtimezone import NO_LENGTH, read_meanings
from syncd.source.opening import TextOptions, open_files
from syncd.source.options import default_length, read_options
from syncd.source.twice import once


class IcsOptions(TextOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys of `[sync.source]` with type = "ics"; `zones` gives names of time zones in the feed a meaning.

    `default_duration` is how long an event lasts that has a start time and no end. `attachments` is no key of a config:
    it is set where [sync.fields] asks for files.
    """

    type: Literal["ics"]
    zones: Mapping[str, str] = msgspec.field(default_factory=dict)
    default_duration: str = "0m"
    attachments: bool = False


def open_ics(options: Mapping[str, object], base: Path, *, where: str, clock: Clock) -> Source:
    """Return a source of iCalendar files; raises ConfigError beginning with `where`."""
    chosen = read_options(IcsOptions, options, where=where)
    meanings = read_meanings(chosen.zones, where=where)
    no_end = default_length(chosen.default_duration, where=where)
    file_format = IcsFormat(chosen.encoding, meanings, no_end, attachments=chosen.attachments)
    return open_files(chosen, base, where=where, file_format=file_format, clock=clock)


class IcsFormat:
    """Parses iCalendar files, and remembers the groups of the last reading for the next one, and no longer.

    Groups are smaller than files and often move between them, so no parts of files are kept. `parsed` is the number of
    groups that the current reading had to parse.
    """

    suffix = ".ics"
    by_file = False

    def __init__(
        self,
        encoding: str,
        meanings: Mapping[str, str] | None = None,
        no_end: timedelta = NO_LENGTH,
        *,
        attachments: bool = False,
    ) -> None:
        self._encoding = encoding
        self._calendars = partial(CalendarReader, meanings=meanings, no_end=no_end, attachments=attachments)
        self._reader = FeedReader(known={}, calendars=self._calendars())
        self._known = KnownGroups()

    @property
    def parsed(self) -> int:
        """Number of groups that the current reading did not find unchanged."""
        return self._reader.parsed

    def begin(self) -> None:
        """Start a reading of all files."""
        # Only the results of the last reading are kept: entries that have left the feed must not fill the memory.
        before = self._reader
        self._reader = FeedReader(known=before.kept, calendars=self._calendars(known=before.calendars.zones))

    def end(self) -> None:
        """Keep what large files became. Blocking."""
        self._known.learn(self._reader.packed, self._reader.new)

    def parse(self, name: str, content: bytes, context: ReadContext) -> Part:
        """Return what the file holds; raises SourceError if it is not iCalendar, ConfigError for an unknown zone."""
        return parse_ics(
            name,
            content,
            encoding=self._encoding,
            zone=context.zone,
            year=context.today.year,
            reader=self._reader,
            packed=self._known.of(name, context),
            keep=self._known.keeps(context),
        )


def parse_ics(
    name: str,
    content: bytes,
    *,
    encoding: str,
    zone: str | None,
    year: int,
    reader: FeedReader | None = None,
    packed: Sequence[Block] = (),
    keep: bool = False,
) -> Part:
    """Return what the file holds; `zone` is the sync's `timezone`, `year` the current year.

    `packed` and `keep` are for large files, see FeedReader.read.

    Raises SourceError for a file that is not iCalendar, ConfigError for an unknown `zone`.
    """
    floating = sync_zone(zone)
    if not content.strip():
        return Part(incomplete=say("{name} is empty, without even a VCALENDAR", name=name))
    # The splitter looks for ASCII words in bytes, so the encoding has to contain ASCII.
    stream, codec, assumed, twice = _narrow(name, content, encoding)
    file = FileFacts(name=name, encoding=codec, floating=floating, year=year)
    part = (reader or FeedReader(known={})).read(file, stream, packed=packed, keep=keep)
    part.assumed = assumed
    if twice:
        part.warn(name, twice)
    return part


def _narrow(name: str, content: bytes, encoding: str) -> tuple[bytes, str, str, str]:
    """Return the stream in an encoding that contains ASCII, its name, what was assumed of it and what was mended.

    Raises SourceError if it is not text.
    """
    wide = is_wide(content) if encoding == "auto" else codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))
    if wide:
        text, _, assumed = decode(content, encoding, name=name, kind="iCalendar")
        return text.encode(), "utf-8", assumed, ""
    content = plain_lines(content.removeprefix(codecs.BOM_UTF8))
    unfolded = unfold(content)  # a fold may part the bytes of one character
    text, codec, assumed = decode(unfolded, encoding, name=name, kind="iCalendar")
    text, twice = once(text)
    return (_folded_as(content, text), "utf-8", assumed, twice) if twice else (content, codec, assumed, "")


def _folded_as(content: bytes, text: str) -> bytes:
    """Return an unfolded text with empty folds where `content` has folds, so that lines keep their numbers."""
    folds: list[int] = []
    for line in content.split(b"\n"):
        if line[:1] in (b" ", b"\t") and folds:
            folds[-1] += 1
        else:
            folds.append(0)
    lines = text.split("\n")
    if len(lines) == len(folds):  # blank lines within folds are not worth more
        lines = [line + ("\n \r" if line.endswith("\r") else "\n ") * n for line, n in zip(lines, folds, strict=True)]
    return "\n".join(lines).encode("utf-8", "surrogateescape")
