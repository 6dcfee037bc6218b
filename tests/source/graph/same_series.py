"""Random series in Graph's terms, and the same in those of iCalendar, written apart from what syncd makes of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from tests.source.graph.graph_world import DAY, NAMES, WINDOWS, Json, days_of, series, wall_of

CODES = dict(zip(NAMES, ("MO", "TU", "WE", "TH", "FR", "SA", "SU"), strict=True))
NUMBERS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
FIRST, LAST = date(2026, 10, 22), date(2027, 11, 21)
"""The window of the sync."""
HORIZON = date(2027, 11, 1)


@dataclass(slots=True)
class Sample:
    """One series: its master, the days that are cancelled, and what others are changed to."""

    master: Json
    cancelled: list[date] = field(default_factory=list)
    changed: dict[date, Json] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return str(self.master["id"])


def sample(seed: int, *, inside: bool = False) -> Sample:
    """Return a series of a seed; with `inside` its exceptions are all in the window."""
    rng = random.Random(seed)
    pattern, days = _pattern(rng), []
    begin = date(2025, 6, 1) + DAY * rng.randrange(700)
    clock = f"{rng.randrange(24):02}:{rng.choice((0, 15, 30)):02}:00"
    whole = rng.random() < 0.25
    zone = rng.choice(list(WINDOWS))
    probe = _master(seed, begin, clock, zone, pattern, {"type": "noEnd"}, whole)
    first = next(days_of(probe, date(2040, 1, 1)))
    span = _range(rng, first)
    master = _master(seed, first, clock, zone, pattern, span, whole)
    days = [day for day in days_of(master, HORIZON) if not inside or day > FIRST + DAY * 5]
    made = Sample(master)
    for day in sorted(rng.sample(days, min(len(days), rng.choice((0, 0, 1, 2, 4))))):
        if rng.random() < 0.5:
            made.cancelled.append(day)
        else:
            made.changed[day] = _change(rng, day, clock, whole)
    return made


def _master(seed: int, day: date, clock: str, zone: str, pattern: Json, span: Json, whole: bool) -> Json:
    start, end = (str(day), str(day + DAY)) if whole else (f"{day}T{clock}", _plus(f"{day}T{clock}", 1))
    return series(f"s{seed}", start, end, pattern, span, zone=zone)


def _pattern(rng: random.Random) -> Json:
    kind = rng.choice(("daily", "weekly", "absoluteMonthly", "relativeMonthly", "absoluteYearly", "relativeYearly"))
    found: Json = {"type": kind, "interval": rng.choice((1, 1, 2, 3))}
    if kind == "weekly":
        found["daysOfWeek"] = rng.sample(NAMES, rng.randrange(1, 6))
        found["firstDayOfWeek"] = rng.choice(("sunday", "monday", "saturday"))
    if kind.startswith("relative"):
        found["daysOfWeek"] = rng.choice(
            [[rng.choice(NAMES)], rng.sample(NAMES, 2), list(NAMES[:5]), list(NAMES[5:]), list(NAMES)]
        )
        found["index"] = rng.choice(list(NUMBERS))
    if kind.startswith("absolute"):
        found["dayOfMonth"] = rng.choice((rng.randrange(1, 29), 29, 30, 31))
    if kind.endswith("Yearly"):
        found |= {"month": rng.randrange(1, 13), "interval": 1}
        found["dayOfMonth"] = min(found.get("dayOfMonth", 0), 29)
    return found


def _range(rng: random.Random, first: date) -> Json:
    kind = rng.choice(("noEnd", "endDate", "numbered"))
    if kind == "endDate":
        return {"type": kind, "endDate": str(first + DAY * rng.randrange(1, 900))}
    return {"type": kind, "numberOfOccurrences": rng.randrange(1, 60) if kind == "numbered" else 0}


def _change(rng: random.Random, day: date, clock: str, whole: bool) -> Json:
    changed: Json = {"subject": f"Changed {day}"}
    if whole:
        return changed
    if rng.random() < 0.7:
        start = _plus(f"{day}T{clock}", rng.choice((-1, 1, 2)) if 1 < int(clock[:2]) < 20 else 0, minutes=5)
        changed |= {"start": start, "end": _plus(start, rng.choice((1, 2)))}
    return changed


def _plus(text: str, hours: int, minutes: int = 0) -> str:
    return (datetime.fromisoformat(text) + timedelta(hours=hours, minutes=minutes)).isoformat()


def vevents(made: Sample) -> str:
    """Return a sample as the VEVENTs of an ICS file."""
    return "".join(f"BEGIN:VEVENT\r\n{chr(10).join(lines)}\r\nEND:VEVENT\r\n" for lines in _events(made))


def _events(made: Sample) -> Iterator[list[str]]:
    master = made.master
    whole, zone = master["isAllDay"], WINDOWS[master["originalStartTimeZone"]]
    first = date.fromisoformat(master["recurrence"]["range"]["startDate"])
    length = wall_of(master, "end") - wall_of(master)
    clock = wall_of(master).time()

    def stamp(name: str, at: datetime) -> str:
        return f"{name};VALUE=DATE:{at:%Y%m%d}" if whole else f"{name};TZID={zone}:{at:%Y%m%dT%H%M%S}"

    def event(subject: str, begins: datetime, ends: datetime, *more: str) -> list[str]:
        return [f"UID:{made.id}", f"SUMMARY:{subject}", stamp("DTSTART", begins), stamp("DTEND", ends),
                "TRANSP:OPAQUE", *more, "BEGIN:VALARM", "ACTION:NONE", "END:VALARM"]  # fmt: skip

    begins = datetime.combine(first, clock)
    dropped = [stamp("EXDATE", datetime.combine(day, clock)) for day in made.cancelled]
    yield event(master["subject"], begins, begins + length, f"RRULE:{rule(master)}", *dropped)
    for day, changed in made.changed.items():
        at = datetime.combine(day, clock)
        start = datetime.fromisoformat(changed["start"]) if "start" in changed else at
        end = datetime.fromisoformat(changed["end"]) if "end" in changed else at + length
        yield event(changed["subject"], start, end, stamp("RECURRENCE-ID", at))


def rule(master: Json) -> str:
    """Return the RRULE of a master, as somebody would write it who reads RFC 5545 and Graph's reference."""
    pattern, span = master["recurrence"]["pattern"], master["recurrence"]["range"]
    days = [CODES[day] for day in NAMES if day in pattern["daysOfWeek"]]
    day, number = pattern["dayOfMonth"], NUMBERS[pattern["index"]]
    on_day = f"BYMONTHDAY={day}" if day < 29 else f"BYMONTHDAY={','.join(map(str, range(28, day + 1)))};BYSETPOS=-1"
    # "The second day" of a month, which has other words for it: a rule of weekdays is not followed as far.
    relative = f"BYMONTHDAY={number}" if len(days) == 7 else f"BYDAY={','.join(days)};BYSETPOS={number}"
    month = f"BYMONTH={pattern['month']}"
    text = {
        "daily": "FREQ=DAILY",
        "weekly": f"FREQ=WEEKLY;BYDAY={','.join(days)};WKST={CODES[pattern['firstDayOfWeek']]}",
        "absoluteMonthly": f"FREQ=MONTHLY;{on_day}",
        "relativeMonthly": f"FREQ=MONTHLY;{relative}",
        "absoluteYearly": f"FREQ=YEARLY;{month};{on_day}",
        "relativeYearly": f"FREQ=YEARLY;{month};{relative}",
    }[pattern["type"]]
    if pattern["interval"] > 1:
        text += f";INTERVAL={pattern['interval']}"
    if span["type"] == "numbered":
        return f"{text};COUNT={span['numberOfOccurrences']}"
    if span["type"] == "noEnd":
        return text
    last = date.fromisoformat(span["endDate"])
    return f"{text};UNTIL={last:%Y%m%d}" + ("" if master["isAllDay"] else "T235959")
