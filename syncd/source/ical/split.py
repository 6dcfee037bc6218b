"""Cuts an iCalendar byte stream into components without parsing them, so that unchanged ones need no parsing.

It works on bytes because a line may be folded in the middle of a character. Every component has the line of its BEGIN.
A broken component affects no other one, and a stream that ends too early is reported as unfinished.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from syncd.lang.saying import say
from syncd.model.bulk import bulk_dataclass
from syncd.source.ical.transfer import fold_soft_breaks

_FOLD = re.compile(rb"\r?\n[ \t]")
_GAPPED_FOLD = re.compile(rb"\r?\n(?:\r?\n)*[ \t]")
"""A fold with blank lines in it, as some programs and mail gateways leave; slower to look for."""
_GLUED = re.compile(rb"(END:VCALENDAR)[ \t]*(?:\xef\xbb\xbf)?(?=BEGIN:VCALENDAR)", re.IGNORECASE)
_FIRST = re.compile(rb"([Bb][Ee][Gg][Ii][Nn]|[Ee][Nn][Dd])[ \t]*:[ \t]*([A-Za-z0-9-]+)[ \t]*(?=\r?\n|\Z)")
"""It names both cases because `re` finds such a pattern several times faster, as it does one that begins with "\\n"."""
_NO_MARK = rb"(?:\n(?![Bb][Ee][Gg][Ii][Nn]|[Ee][Nn][Dd])[^\n]*+)*+"
_NEXT = re.compile(rb"\n(?:(BEGIN:VEVENT)\r?" + _NO_MARK + rb"\n(END:VEVENT)(?=\r?\n|\Z)|" + _FIRST.pattern + rb")")
"""An event with nothing in it that begins or ends, as nearly all are, or else the next token.

One match for an event instead of two, with what follows from each, halves the time that a large feed takes.
"""
_SLICE = 1_000_000
_TOP = frozenset({b"VEVENT", b"VTODO", b"VJOURNAL", b"VFREEBUSY", b"VTIMEZONE"})
"""Components that are never nested in another one, so the BEGIN of one ends the component before it."""
_KEPT = frozenset({b"VEVENT", b"VTIMEZONE"})


@bulk_dataclass(frozen=True, slots=True, kw_only=True)
class RawComponent:
    """One component: its range in the unfolded stream, the ranges of nested components, and the line of its BEGIN.

    Its bytes are copied only on request, so that 100,000 of them do not double the memory that the file takes.
    """

    stream: bytes
    start: int
    end: int
    line: int
    nested: tuple[tuple[int, int], ...] = ()

    def __repr__(self) -> str:
        return f"RawComponent(start={self.start}, end={self.end}, line={self.line})"

    @property
    def content(self) -> bytes:
        """Its unfolded bytes from BEGIN to END; lines end in "\\n"."""
        return self.stream[self.start : self.end].replace(b"\r\n", b"\n")

    def search(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """Return the first match in the component's own properties, leaving out nested components."""
        at = self.start
        for start, end in self.nested:
            if found := pattern.search(self.stream, at, start):
                return found
            at = end
        return pattern.search(self.stream, at, self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A component without a proper end; `cut` if the stream ends within it."""

    piece: RawComponent
    reason: str
    cut: bool = False


@dataclass(slots=True, kw_only=True)
class Calendar:
    """One VCALENDAR: its own properties and its components, in the order of the stream.

    `others` counts the components by kind that are neither events nor zones.
    """

    head: bytes = b""
    zones: list[RawComponent] = field(default_factory=list)
    events: list[RawComponent] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    broken: list[Broken] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Feed:
    """All calendars of a stream; `unfinished` says why some of it may be missing, or is empty."""

    calendars: list[Calendar] = field(default_factory=list)
    unfinished: str = ""


@dataclass(frozen=True, slots=True)
class _Open:
    kind: bytes
    start: int
    line: int


def split(content: bytes) -> Feed:
    """Return the calendars of a stream with their components; other ones than VEVENT and VTIMEZONE are left out."""
    stream, lines = _unfold(plain_lines(content))
    return _Splitter(stream, lines).run()


def plain_lines(content: bytes) -> bytes:
    """Return the bytes with all line ends as "\\n" or "\\r\\n", each calendar on lines of its own."""
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    while b"\r\r\n" in content:  # a transfer in text mode adds a return to each line
        content = content.replace(b"\r\r\n", b"\r\n")
    # Files put one after the other bring their byte order marks along, or lack the last line end.
    if codecs.BOM_UTF8 in content or b"VCALENDARBEGIN" in content:
        content = _GLUED.sub(rb"\1\n", content).removeprefix(codecs.BOM_UTF8)
        content = content.replace(b"\n" + codecs.BOM_UTF8, b"\n")
    return fold_soft_breaks(content)


def unfold(content: bytes) -> bytes:
    """Return the bytes with folded lines joined."""
    if not _is_folded(content):
        return content
    fold = _fold_of(content)
    return b"".join([fold.sub(b"", one) for one in _slices(content)])


def _fold_of(content: bytes) -> re.Pattern[bytes]:
    return _GAPPED_FOLD if b"\n\r\n" in content or b"\n\n" in content else _FOLD


def _slices(content: bytes) -> Iterator[bytes]:
    """Yield the bytes in slices that part no fold.

    While `re` searches it lets no other thread run, and the event loop should not wait for all of a large file.
    """
    start = 0
    while start < len(content):
        end = start + _SLICE
        while content[end - 1 : end] in (b"\r", b"\n"):
            end += 1
        yield content[start:end]
        start = end


def _is_folded(content: bytes) -> bool:
    return b"\n " in content or b"\n\t" in content


class _Lines:
    """Line numbers of the folded stream for positions of the unfolded one, asked for in ascending order."""

    def __init__(self, stream: bytes, folds: list[int]) -> None:
        self._stream = stream
        self._folds = folds
        self._at = 0
        self._line = 1

    def at(self, position: int) -> int:
        self._line += self._stream.count(b"\n", self._at, position)
        self._at = position
        return self._line + bisect_right(self._folds, position)


def _unfold(content: bytes) -> tuple[bytes, _Lines]:
    if not _is_folded(content):
        return content, _Lines(content, [])
    fold = _fold_of(content)
    parts = [b""]
    for one in _slices(content):
        first, *others = fold.split(one)
        parts[-1] += first
        parts += others
    stream = b"".join(parts)
    # Where folds were, so that messages can give the line of the file and not of the unfolded stream.
    folds = list(accumulate(map(len, parts)))[:-1]
    if fold is _GAPPED_FOLD:
        breaks = (found[0].count(b"\n") for one in _slices(content) for found in fold.finditer(one))
        folds = [at for at, count in zip(folds, breaks, strict=True) for _ in range(count)]
    return stream, _Lines(stream, folds)


class _Splitter:
    """Follows BEGIN and END: calendar -> component -> whatever is nested in it."""

    def __init__(self, stream: bytes, lines: _Lines) -> None:
        self._stream = stream
        self._lines = lines
        self._feed = Feed()
        self._calendar: Calendar | None = None
        self._open: _Open | None = None
        self._nested: list[tuple[bytes, int]] = []
        self._holes: list[tuple[int, int]] = []
        self._stray = b""
        self._gap = 0

    def run(self) -> Feed:
        if first := _FIRST.match(self._stream):
            self._token(first[1], first[2], first.start(), first.end())
        for token in _NEXT.finditer(self._stream):
            start, end = token.span()
            if token[1] is None:
                self._token(token[3], token[4], start + 1, end)
            elif self._calendar is not None and self._open is None:
                self._whole(self._calendar, start + 1, end)
            else:
                self._begin(b"VEVENT", start + 1, token.end(1))
                self._end(b"VEVENT", token.start(2), end)
        end = len(self._stream)
        if self._open is not None:
            line, kind = self._open.line, self._open.kind.decode()
            self._unfinished(say("line {line}: the file ends within the {kind} begun there", line=line, kind=kind))
            self._break(say("the file ends within it"), end, cut=True)
        if self._calendar is not None:
            self._unfinished(say("the file ends without END:VCALENDAR"))
        return self._feed

    def _token(self, mark: bytes, kind: bytes, start: int, end: int) -> None:
        if mark.upper() == b"BEGIN":
            self._begin(kind.upper(), start, end)
        else:
            self._end(kind.upper(), start, end)

    def _whole(self, calendar: Calendar, start: int, end: int) -> None:
        """Add an event that begins and ends where none is open: what `_begin` and `_end` do."""
        self._add_head(calendar, start)
        if self._nested or self._holes or self._stray:
            self._nested, self._holes, self._stray = [], [], b""
        line = self._lines.at(start)
        calendar.events.append(RawComponent(stream=self._stream, start=start, end=end, line=line))
        self._gap = end

    def _begin(self, name: bytes, start: int, end: int) -> None:
        if name == b"VCALENDAR":
            if self._calendar is not None:
                line = self._lines.at(start)
                self._unfinished(say("line {line}: a VCALENDAR begins before the one above has ended", line=line))
                self._break(say("a VCALENDAR begins before it has ended"), start)
            self._calendar = Calendar()
            self._feed.calendars.append(self._calendar)
            self._gap = end
        elif self._calendar is None:
            line = self._lines.at(start)
            self._unfinished(say("line {line}: a component stands outside of VCALENDAR", line=line))
        # A VEVENT inside a VEVENT means that the END of the first is missing, not that it is nested.
        elif self._open is None or name in _TOP:
            if self._open is None:
                self._add_head(self._calendar, start)
            if self._open is not None:
                self._break(say("another {kind} begins before it has ended", kind=name.decode()), start)
            self._open = _Open(name, start, self._lines.at(start))
            self._nested, self._holes, self._stray = [], [], b""
        else:
            self._nested.append((name, start))

    def _end(self, name: bytes, start: int, end: int) -> None:
        if self._calendar is None:
            return
        if name == b"VCALENDAR":
            if self._open is not None:
                line, kind = self._open.line, self._open.kind.decode()
                self._unfinished(say("line {line}: the {kind} begun there never ends", line=line, kind=kind))
                self._break(say("the calendar ends within it"), start)
            else:
                self._add_head(self._calendar, start)
            self._calendar = None
        elif self._nested and self._nested[-1][0] == name:
            _, begun = self._nested.pop()
            if not self._nested:
                self._holes.append((begun, end))
        elif self._open is not None and self._open.kind == name:
            self._close(self._calendar, self._open, end)
        elif self._open is not None:
            self._stray = name

    def _add_head(self, calendar: Calendar, end: int) -> None:
        """Add what stands outside of components; the line end behind each says nothing, and all entries hang on it."""
        between = self._stream[self._gap : end]
        if between.strip():
            calendar.head += between

    def _close(self, calendar: Calendar, component: _Open, end: int) -> None:
        if self._nested or self._stray:
            name = self._nested[-1][0] if self._nested else self._stray
            mark = f"{'BEGIN' if self._nested else 'END'}:{name.decode()}"
            self._break(say("{mark} in it has no counterpart", mark=mark), end)
        elif component.kind in _KEPT:
            pieces = calendar.events if component.kind == b"VEVENT" else calendar.zones
            pieces.append(self._piece(component, end))
        else:
            calendar.others[component.kind.decode()] += 1
        self._open = None
        self._gap = end

    def _break(self, reason: str, end: int, *, cut: bool = False) -> None:
        """Close the open component, if there is one, as broken."""
        if self._open is not None and self._calendar is not None and self._open.kind == b"VEVENT":
            self._calendar.broken.append(Broken(piece=self._piece(self._open, end), reason=reason, cut=cut))
        self._open = None

    def _piece(self, component: _Open, end: int) -> RawComponent:
        return RawComponent(
            stream=self._stream, start=component.start, end=end, line=component.line, nested=tuple(self._holes)
        )

    def _unfinished(self, reason: str) -> None:
        self._feed.unfinished = self._feed.unfinished or reason
