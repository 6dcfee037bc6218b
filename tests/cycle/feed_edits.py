"""Random edits of a feed, each sequence followed by a plan that takes what it can from the index, and one without.

A large file and a block have a few events here, so that every edit meets what happens to large ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from unittest.mock import patch

from syncd.app.application import App
from syncd.cycle import shapes_index
from syncd.cycle.plan import preview
from syncd.cycle.run import PassOptions, run_pass
from syncd.cycle.sync import Sync
from syncd.model import known_shapes
from syncd.model.known_shapes import KnownShapes, Recalling
from syncd.source import open_source
from syncd.source.ical import feed_reader, known_groups, large_file
from tests.cycle.edits import decided, told
from tests.support.sandbox import WEBHOOK, Stage, run_inline

CONFIG = f"""
[portals.main]
webhook = "{WEBHOOK}"

[[sync]]
name = "shifts"
timezone = "Europe/Moscow"
on_removed = "delete"
removed_after = 1
max_removed = "100%"
max_changed = "100%"

[sync.source]
type = "ics"
path = "shifts.ics"

[sync.target]
calendar = "user"
owner = "{{organizer}}"
section = "Shifts"
"""
OWNERS = ("anna.petrova@school.example", "ivan.sokolov@school.example", "nobody@school.example")
STARTS = (
    *[";TZID=Europe/Moscow:20261201T090000"] * 6, ":20261201T060000Z", ":20261202T090000", ";VALUE=DATE:20261203",
    ";TZID=Ours:20261201T090000", ";TZID=Moon/Base:20261201T090000", ":20261232T090000",
)  # fmt: skip
RULES = ("RRULE:FREQ=WEEKLY;COUNT=3", "RRULE:FREQ=DAILY;COUNT=2", "EXRULE:FREQ=DAILY", "RRULE:FREQ=NEVER")
MORE = (
    "DTEND;TZID=Europe/Moscow:20261201T120000", "DURATION:PT1H", "LOCATION:Hall", "DESCRIPTION:A\\, b", "SEQUENCE:1",
    "SEQUENCE:2", "STATUS:CANCELLED", "no line of iCalendar", "CATEGORIES:a,b", "X-ROOM:7", "DTSTAMP:20260101T000000Z",
    "RECURRENCE-ID;TZID=Europe/Moscow:20261208T090000", "EXDATE;TZID=Europe/Moscow:20261208T090000",
)  # fmt: skip
HEADS = ("", "X-WR-CALNAME:Shifts\n", "X-WR-TIMEZONE:Europe/Berlin\n", "X-WR-TIMEZONE:Mars\n", "METHOD:REQUEST\n")
ZONES = tuple(
    f"BEGIN:VTIMEZONE\nTZID:Ours\nBEGIN:STANDARD\nDTSTART:16010101T000000\nTZOFFSETFROM:{at}\nTZOFFSETTO:{at}\n"
    "END:STANDARD\nEND:VTIMEZONE\n"
    for at in ("+0300", "+0500", "+0313")
)


@contextmanager
def small(random: Random) -> Iterator[None]:
    """Let files of two groups be large ones; `random` decides how few groups a block has, and when they are saved."""
    with (
        patch.object(feed_reader, "MANY", 2),
        patch.object(large_file, "BLOCK", random.choice((1, 2, 5, 100))),
        patch.object(large_file, "_WELL_FILLED", random.choice((1, 2))),
        patch.object(known_groups, "_SHARE", random.choice((2, 50))),
        patch.object(shapes_index, "MANY", 2),
        patch.object(shapes_index, "_SHARE", random.choice((2, 50))),
        patch.object(known_shapes, "_ENDS_PART", random.choice((0, 1, 3))),
        patch.object(known_shapes, "_LONGEST", random.choice((2, 100))),
    ):
        yield


class FeedLife:
    """A sync of a feed, and what a `random` life does to the feed and to the index.

    `taken` groups were not parsed, and of `unshaped` entries it was known what they become.
    """

    def __init__(self, folder: Path, random: Random) -> None:
        self.random = random
        self.stage = Stage(folder, CONFIG)
        self.head, self.zone = HEADS[0], ZONES[0]
        self.events = [self._event() for _ in range(16)]
        self.compared = self.taken = self.parsed = self.unshaped = 0

    def _event(self) -> str:
        random = self.random
        more = random.sample(MORE, random.randrange(4)) + ([random.choice(RULES)] if random.random() < 0.3 else [])
        lines = [
            f"UID:u{random.randrange(30)}",
            f"SUMMARY:Shift {random.choice('ABC')}",
            f"DTSTART{random.choice(STARTS)}",
            f"ORGANIZER:mailto:{random.choice(OWNERS)}",
            *more,
        ]
        return "\n".join(["BEGIN:VEVENT", *lines, *(["END:VEVENT"] if random.random() < 0.98 else [])]) + "\n"

    def play(self, sequences: int) -> None:
        """Let so many sequences of edits happen; raises AssertionError where the plans differ."""
        with small(self.random):
            run_inline(self._played(sequences))

    async def _played(self, sequences: int) -> None:
        async with self.stage.opened() as (syncs, app):
            for _ in range(sequences):
                for _ in range(self.random.randrange(1, 6)):
                    self.random.choice(self._edits())()
                body = "".join(self.events)
                self.stage.write("shifts.ics", f"BEGIN:VCALENDAR\n{self.head}{self.zone}{body}END:VCALENDAR\n")
                await self._compared(syncs["shifts"], app)

    def _edits(self) -> tuple[Callable[[], None], ...]:
        return (
            self._put, self._put, self._put, self._change, self._change, self._change, self._remove, self._remove,
            self._swap, self._say_else, self._damage,
        )  # fmt: skip

    def _put(self) -> None:
        self.events.insert(self.random.randrange(len(self.events) + 1), self._event())

    def _change(self) -> None:
        if self.events:
            self.events[self.random.randrange(len(self.events))] = self._event()

    def _remove(self) -> None:
        if len(self.events) > 4:
            del self.events[self.random.randrange(len(self.events))]
        if len(self.events) > 40:
            del self.events[::2]

    def _swap(self) -> None:
        self.random.shuffle(self.events)

    def _say_else(self) -> None:
        """The calendar says something else of all its events."""
        if self.random.random() < 0.3:
            self.head, self.zone = self.random.choice(HEADS), self.random.choice(ZONES)

    def _damage(self) -> None:
        """Something happens to the index."""
        for file in self.stage.folder.glob("state/syncd.db-index/*"):
            content = bytearray(file.read_bytes())
            if not content:  # cut before, and not written again since
                continue
            match self.random.randrange(4):
                case 0:
                    file.unlink()
                case 1:
                    file.write_bytes(content[: self.random.randrange(len(content))])
                case 2:
                    content[self.random.randrange(len(content))] ^= 1 << self.random.randrange(8)
                    file.write_bytes(content)

    async def _compared(self, sync: Sync, app: App) -> None:
        """Compare the plan of a process that finds the index with that of one that does without."""
        known_sync, whole_sync = self._anew(sync, app), self._anew(sync, app)
        with patch.object(Recalling, "finish", self._noted):
            known = await preview(app.open_pass(known_sync, asyncio.Event()), verify=False)
        whole = await preview(app.open_pass(whole_sync, asyncio.Event()), verify=False, fresh=True)
        assert told(known) == told(whole), self.events
        if known.settled is None:
            assert known.snapshot == whole.snapshot, self.events
            assert repr(known.snapshot.entries) == repr(whole.snapshot.entries), self.events
            assert decided(known) == decided(whole), self.events
            parsed = known_sync.source._assembly._format.parsed  # type: ignore[attr-defined]
            self.parsed += parsed
            self.taken += whole_sync.source._assembly._format.parsed - parsed  # type: ignore[attr-defined]
        self.compared += 1
        if self.random.random() < 0.4:
            result = await run_pass(app.open_pass(self._anew(sync, app), asyncio.Event()), PassOptions())
            assert result.error is None, result.error

    @property
    def _noted(self) -> Callable[[Recalling], None]:
        finish = Recalling.finish

        def noted(recalling: Recalling) -> None:
            self.unshaped += recalling.as_sent
            finish(recalling)

        return noted

    def _anew(self, sync: Sync, app: App) -> Sync:
        """Return the sync as another process has it, which has read nothing yet."""
        source = app.config.syncs[0].source
        anew = open_source(source.options, source.base, where="", clock=self.stage.clock)
        return replace(sync, source=anew, shapes=KnownShapes())
