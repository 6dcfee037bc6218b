"""The process that parses groups of a large file: what is asked on stdin, answers on stdout, until stdin ends.

First comes an `Asking`, then lists of `AskedGroup`; an answer to each are its groups packed (packed.py). Before every
one of these stands its length. A group that met a defect, or cannot be packed, is None: whoever asked reads it again.
The only argument is the most memory it may use, in bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

import msgspec

from syncd import child
from syncd.lang.saying import restored
from syncd.source.ical.asking import PROGRAM, AskedGroup, Asking, receive, send
from syncd.source.ical.calendar_reader import CalendarReader, FileFacts, RawMember, ReadCalendar
from syncd.source.ical.grouping import read_members
from syncd.source.ical.packed import PackedGroup, pack, packed_group
from syncd.source.ical.split import Calendar, RawComponent


def main() -> None:
    """Answer until there is no more to do, or not at all if another program asks."""
    child.confine(int(sys.argv[1]))
    asking = msgspec.msgpack.decode(receive(sys.stdin.buffer), type=Asking)
    if asking.program != PROGRAM:
        return  # syncd was upgraded under a daemon that still runs; it reads all of the file itself
    file = FileFacts(name=asking.name, encoding=asking.encoding, floating=asking.floating, year=asking.year)
    reader = CalendarReader(meanings=asking.meanings, no_end=asking.no_end, attachments=asking.attachments)
    calendars = {
        number: reader.read(file, Calendar(head=head, zones=[_piece(one) for one in zones]), number)
        for number, (head, zones) in asking.calendars.items()
    }
    decoder = msgspec.msgpack.Decoder(list[AskedGroup])
    while asked := receive(sys.stdin.buffer):
        groups = decoder.decode(asked)
        send(sys.stdout.buffer, pack([_read(file, calendars, one) for one in groups]))


def _read(file: FileFacts, calendars: Mapping[int, ReadCalendar], asked: AskedGroup) -> PackedGroup | None:
    members = [
        RawMember(piece=_piece(one.content, one.line), calendar=calendars[one.calendar], broken=restored(one.broken))
        for one in asked.members
    ]
    return packed_group(read_members(file, asked.uid, members), asked.uid, file.name)


def _piece(content: bytes, line: int = 1) -> RawComponent:
    return RawComponent(stream=content, start=0, end=len(content), line=line)


if __name__ == "__main__":
    main()
