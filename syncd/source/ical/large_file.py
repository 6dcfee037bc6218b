"""The groups of a large file: what of them is known already, and the others parsed on two cores.

known, in a block of which most is still in the file     taken from it, and the block is kept as it is
known, in a block that holds little else                  taken from it, and packed again with what is new
anything else                                             parsed, here and in a process beside, and packed
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from syncd.lang.saying import stored
from syncd.model.entry import AllDay, Entry
from syncd.source.ical.asking import AskedGroup, AskedMember, Asking
from syncd.source.ical.beside import Beside, Chunks, has_room_beside, next_of
from syncd.source.ical.calendar_reader import CalendarReader, FileFacts, RawMember, key_of, lines_of
from syncd.source.ical.group_result import GroupResult
from syncd.source.ical.grouping import read_members
from syncd.source.ical.packed import Block, PackedGroup, pack, packed_group, unpack

MANY = 1_000
"""From how many groups on a file is large. Those of others are kept as they are: that takes less time, more memory."""
BLOCK = 1_000
_WELL_FILLED = 100
"""How many of its groups must still be there for a block to be kept: each reading would add another small one."""
_AHEAD = 20
"""How many entries of the reading before may have gone between two that are still there, or the later is made again."""
WORTH_A_PROCESS = 10_000
"""From how many groups on a second process saves more time than it takes to begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeRead:
    """What the groups of a file became, in their order, and the same in blocks; `parsed` were in no block before."""

    results: Sequence[GroupResult]
    blocks: Sequence[Block]
    parsed: int


def read_large(
    file: FileFacts,
    calendars: CalendarReader,
    groups: dict[str, list[RawMember]],
    known: Sequence[Block],
    *,
    keep: bool,
    before: Sequence[Entry] = (),
) -> LargeRead:
    """Return what `groups` became, by their UIDs; they are let go.

    `known` are blocks of an earlier reading. With `keep` the results are packed, too. What equals an entry in `before`,
    those of the file at an earlier reading, is that entry, in case somebody still has it.
    """
    reading = _LargeFile(file, calendars, groups, keep=keep, before=before)
    groups.clear()
    return reading.read(known)


class _LargeFile:
    """One file while its groups are read. They are numbered in their order, and each is let go once it is read."""

    def __init__(
        self,
        file: FileFacts,
        calendars: CalendarReader,
        groups: dict[str, list[RawMember]],
        *,
        keep: bool,
        before: Sequence[Entry],
    ) -> None:
        self._file = file
        self._calendars = calendars
        self._uids = list(groups)
        self._groups: list[Sequence[RawMember]] = list(groups.values())
        self._keys = [key_of(members) for members in self._groups]
        self._results: list[GroupResult | None] = [None] * len(groups)
        self._blocks: list[Block] = []
        self._loose: list[int] = []
        self._keep = keep
        self._before = before
        self._at = 0

    def read(self, known: Sequence[Block]) -> LargeRead:
        for block, found in self._recalled(known):
            if len(found) >= _WELL_FILLED and 2 * len(found) > len(block):
                self._blocks.append(block)
            else:
                self._loose += found
        missing = [number for number, result in enumerate(self._results) if result is None]
        chunks = deque(_cut(missing))
        if len(missing) >= WORTH_A_PROCESS and has_room_beside():
            with Beside(self._asking(missing), self._asked, chunks) as beside:
                self._parse(chunks)
            for numbers, packed in beside.done:
                if not self._took(numbers, packed):
                    chunks.append(numbers)
        self._parse(chunks)  # all of them, or what a process that died has left
        for numbers in _cut(self._loose):
            self._pack(numbers)
        results = [result for result in self._results if result is not None]
        assert len(results) == len(self._results)
        return LargeRead(results=results, blocks=self._blocks, parsed=len(missing))

    def _recalled(self, known: Sequence[Block]) -> Iterator[tuple[Block, list[int]]]:
        """Take what is known from its blocks, and yield each with the groups that it had."""
        places = {key: number for number, key in enumerate(self._keys)} if known else {}
        for block in known:
            found: list[int] = []
            try:
                for key, group in block.each():
                    number = places.pop(key, None)
                    if number is not None and group is not None and self._takes(number, group):
                        found.append(number)
            except (ValueError, LookupError):
                pass  # its sum was right and it is none of ours all the same: what it does not give is parsed
            yield block, found

    def _takes(self, number: int, group: PackedGroup) -> bool:
        """Take a packed group as the result, if it is one for the lines of this file."""
        result = group.result(self._uids[number], self._file.name, lines_of(self._groups[number]))
        if result is None:
            return False
        if result.entry is not None and self._before:
            result = replace(result, entry=self._shared(result.entry))
        self._results[number], self._groups[number] = result, ()
        return True

    def _shared(self, entry: Entry) -> Entry:
        """Return an entry with all that it has in common with that of an earlier reading, which mostly comes next."""
        for at in range(self._at, min(self._at + _AHEAD, len(self._before))):
            other = self._before[at]
            if other.uid == entry.uid:
                self._at = at + 1
                if other == entry and _tells_times_apart(other):
                    return other
                return replace(entry, details=other.details) if other.details == entry.details else entry
        return entry

    def _parse(self, chunks: Chunks) -> None:
        """Parse chunks from the front until none is left."""
        while numbers := next_of(chunks):
            for number in numbers:
                self._parse_one(number)
            if len(numbers) == BLOCK:
                self._pack(numbers)
            else:
                self._loose += numbers

    def _parse_one(self, number: int) -> None:
        self._results[number] = read_members(self._file, self._uids[number], self._groups[number])
        self._groups[number] = ()

    def _took(self, numbers: Sequence[int], packed: bytes) -> bool:
        """Take what the process beside made of a chunk, and return True; what it could not pack is parsed here."""
        try:
            groups = unpack(packed)
        except ValueError:
            return False
        if len(groups) != len(numbers):
            return False
        for number, group in zip(numbers, groups, strict=True):
            if group is None or not self._takes(number, group):
                self._parse_one(number)
        if self._keep:
            self._blocks.append(Block(b"".join([self._keys[number] for number in numbers]), packed))
        return True

    def _pack(self, numbers: Sequence[int]) -> None:
        if self._keep:
            packed = pack([self._packed(number) for number in numbers])
            self._blocks.append(Block(b"".join([self._keys[number] for number in numbers]), packed))

    def _packed(self, number: int) -> PackedGroup | None:
        result = self._results[number]
        assert result is not None
        return packed_group(result, self._uids[number], self._file.name)

    def _asking(self, numbers: Sequence[int]) -> Asking:
        """Return what the process beside must know to read groups of these numbers."""
        file, reader = self._file, self._calendars
        calendars = {one.calendar.number: one.calendar for number in numbers for one in self._groups[number]}
        return Asking(
            name=file.name,
            encoding=file.encoding,
            floating=file.floating,
            year=file.year,
            meanings=dict(reader.meanings),
            no_end=reader.no_end,
            attachments=reader.attachments,
            calendars={number: (one.head, one.zones) for number, one in calendars.items()},
        )

    def _asked(self, numbers: Sequence[int]) -> list[AskedGroup]:
        """Return groups as the process beside is asked for them."""
        return [
            AskedGroup(
                self._uids[number],
                tuple(
                    AskedMember(one.calendar.number, one.piece.line, stored(one.broken), one.piece.content)
                    for one in self._groups[number]
                ),
            )
            for number in numbers
        ]


def _tells_times_apart(entry: Entry) -> bool:
    """Return True if what equals an entry is the same: of times that a clock shows twice, both count as equal."""
    if entry.recurrence is not None or entry.overrides:
        return False
    span = entry.span
    return isinstance(span, AllDay) or not (span.start.fold or span.end.fold)


def _cut(numbers: Sequence[int]) -> Iterator[list[int]]:
    """Yield the numbers in chunks of the size of a block."""
    for start in range(0, len(numbers), BLOCK):
        yield list(numbers[start : start + BLOCK])
