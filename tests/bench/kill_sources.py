"""The schedules of `kill_load`: tables and series that change at random, and what a portal must show for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

PEOPLE: Mapping[str, int] = MappingProxyType({"anna.petrova": 3, "ivan.sokolov": 5, "emma.clarke": 7})
GUEST = ("james.walker", 8)
PHONES: Mapping[str, int] = MappingProxyType({"8 (916) 111-22-33": 1, "+371 29 123456": 2})
HEADER = "ID,Title,Start,End,E-mail,Place,Guests,Phone\n"
GROUP = 1
FIRST_DAY = datetime.combine(datetime.now(ZoneInfo("Europe/Moscow")).date() + timedelta(days=3), time())
DAYS = 40
_STEPS = {"DAILY": 1, "WEEKLY": 7}


class Shown(NamedTuple):
    """One thing that people see: an occurrence in a calendar, or an activity on the card of a contact."""

    kind: str
    owner: int
    section: str
    name: str
    start: datetime
    end: datetime
    place: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table."""

    title: str
    start: datetime
    hours: int
    owner: str
    place: str
    guest: bool = False
    phone: str = ""

    @property
    def end(self) -> datetime:
        return self.start + timedelta(hours=self.hours)

    def line(self, uid: str) -> str:
        guest = f"{GUEST[0]}@school.example" if self.guest else ""
        times = f"{self.start:%Y-%m-%d %H:%M},{self.end:%Y-%m-%d %H:%M}"
        return f"{uid},{self.title},{times},{self.owner}@school.example,{self.place},{guest},{self.phone}\n"

    def shown(self, section: str) -> Iterator[Shown]:
        """Return what a portal shows for it; meetings of cards and copies of guests are in the portal's sections."""
        owner = PEOPLE[self.owner]
        in_calendar = Shown("user", owner, section, self.title, self.start, self.end, self.place)
        if self.phone:
            yield in_calendar._replace(section="")
            yield Shown("card", PHONES[self.phone], "", self.title, self.start, self.end, self.place)
            return
        yield in_calendar
        if self.guest:
            yield in_calendar._replace(owner=GUEST[1], section="")


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a calendar file; some of its occurrences are left out, some begin two hours later."""

    title: str
    start: datetime
    freq: str
    count: int
    left_out: frozenset[int] = frozenset()
    later: frozenset[int] = frozenset()

    def text(self, uid: str) -> str:
        left_out = "".join(f"EXDATE;TZID=Europe/Moscow:{_stamp(self._at(at))}\n" for at in sorted(self.left_out))
        rule = f"RRULE:FREQ={self.freq};COUNT={self.count}\n"
        said = _vevent(uid, self.title, self.start, rule + left_out)
        for at in sorted(self.later - self.left_out):
            moved = self._at(at) + timedelta(hours=2)
            said += _vevent(
                uid, f"{self.title} later", moved, f"RECURRENCE-ID;TZID=Europe/Moscow:{_stamp(self._at(at))}\n"
            )
        return said

    def shown(self, section: str) -> Iterator[Shown]:
        for at in range(self.count):
            if at not in self.left_out:
                later = at in self.later
                start = self._at(at) + timedelta(hours=2 if later else 0)
                name = f"{self.title} later" if later else self.title
                yield Shown("group", GROUP, section, name, start, start + timedelta(hours=1), "")

    def _at(self, number: int) -> datetime:
        return self.start + timedelta(days=number * _STEPS[self.freq])


def plain_name(title: str) -> str:
    """Return a title without what edits have put behind it."""
    return title.partition(" (")[0].removesuffix(" later")


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%S}"


def _vevent(uid: str, title: str, start: datetime, more: str) -> str:
    zone = ";TZID=Europe/Moscow:"
    times = f"DTSTART{zone}{_stamp(start)}\nDTEND{zone}{_stamp(start + timedelta(hours=1))}\n"
    return f"BEGIN:VEVENT\nUID:{uid}\nDTSTAMP:20260101T000000Z\nSUMMARY:{title}\n{times}{more}END:VEVENT\n"


@dataclass(slots=True)
class Book:
    """The source of one sync: a table, of shifts or (`cards`) of appointments, or a calendar file (`series`)."""

    name: str
    section: str
    random: Random
    series: bool = False
    guests: bool = False
    cards: bool = False
    entries: dict[str, Row | Series] = field(default_factory=dict)
    made: int = 0

    @property
    def file(self) -> str:
        return f"{self.name}.{'ics' if self.series else 'csv'}"

    def add(self, count: int) -> None:
        """Write so many new entries."""
        for _ in range(count):
            self.made += 1
            self.entries[f"{self.name}-{self.made}"] = self._new(f"{self.name.capitalize()} {self.made}")

    def edit(self, count: int) -> None:
        """Change so many entries, each in a way of its own; some go, and as many come."""
        for uid in self.random.sample(sorted(self.entries), min(count, len(self.entries))):
            entry = self.entries[uid]
            if self.random.random() < 0.25:
                del self.entries[uid]
                self.add(1)
            elif isinstance(entry, Row):
                self.entries[uid] = self._edited_row(entry)
            else:
                self.entries[uid] = self._edited_series(entry)

    def write(self, folder: Path) -> None:
        """Write the file again, at once as an editor does."""
        if self.series:
            body = "".join(entry.text(uid) for uid, entry in self.entries.items() if isinstance(entry, Series))
            text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//bench//EN\n{body}END:VCALENDAR\n".replace("\n", "\r\n")
        else:
            text = HEADER + "".join(entry.line(uid) for uid, entry in self.entries.items() if isinstance(entry, Row))
        beside = folder / f".{self.file}.new"
        beside.write_bytes(text.encode())
        beside.replace(folder / self.file)

    def wanted(self, waiting: frozenset[str] = frozenset()) -> Counter[Shown]:
        """Return what the portal must show, apart from the entries that wait."""
        entries = [entry for uid, entry in self.entries.items() if uid not in waiting]
        return Counter(shown for entry in entries for shown in entry.shown(self.section))

    def held(self, waiting: frozenset[str]) -> frozenset[str]:
        """Return the names of entries that wait: what stands there of them stays, old places and pieces included."""
        return frozenset(plain_name(entry.title) for uid, entry in self.entries.items() if uid in waiting)

    def _new(self, title: str) -> Row | Series:
        pick = self.random
        start = FIRST_DAY + timedelta(days=pick.randrange(DAYS), hours=pick.randrange(8, 18))
        if self.series:
            freq = pick.choice(("DAILY", "WEEKLY"))
            count = pick.randrange(3, 8)
            left_out = frozenset(pick.sample(range(1, count), pick.randrange(0, 2)))
            return Series(title, start, freq, count, left_out, frozenset(pick.sample(range(1, count), 1)))
        phone = pick.choice(sorted(PHONES)) if self.cards else ""
        guest = self.guests and pick.random() < 0.4
        return Row(title, start, pick.randrange(1, 4), self._person(), pick.choice(("Desk", "Hall")), guest, phone)

    def _person(self) -> str:
        people = sorted(PEOPLE)[:2] if self.cards else sorted(PEOPLE)
        return self.random.choice(people)

    def _edited_row(self, row: Row) -> Row:
        match self.random.randrange(4):
            case 0:
                return replace(row, title=f"{row.title.partition(' (')[0]} ({self.random.randrange(1000)})")
            case 1:
                start = FIRST_DAY + timedelta(days=self.random.randrange(DAYS), hours=self.random.randrange(8, 18))
                return replace(row, start=start)
            case 2:
                return replace(row, owner=self._person())
            case _:
                return replace(row, place=f"Room {self.random.randrange(1000)}")

    def _edited_series(self, series: Series) -> Series:
        at = self.random.randrange(1, series.count)
        match self.random.randrange(4):
            case 0:
                return replace(series, left_out=series.left_out ^ {at})
            case 1:
                return replace(series, later=series.later ^ {at})
            case 2:
                return replace(series, count=max(series.count - 1, *series.left_out, *series.later, 2) + 2)
            case _:
                return replace(series, start=series.start + timedelta(days=1))
