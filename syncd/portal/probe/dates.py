"""How the portal reads dates and days (PORTAL.md 4.1, 4.6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta

from syncd.lang.saying import say
from syncd.model.json_values import Json
from syncd.model.recurrence.wall import clock_of
from syncd.model.zones import canonical, keeping
from syncd.portal.people.directory import LIKELY_ZONES
from syncd.portal.probe.bench import Bench, Row, UnaskedError, text
from syncd.portal.probe.experiment import Experiment
from syncd.portal.probe.facts import Fact

_NOWHERE = "Nowhere/Syncd"
_KNOWN_DAYS = ((1, 12), (3, 20), (7, 12), (10, 28))
"""In winter and summer, and between the days on which America and Europe change their clocks."""
_CULTURES = (
    ("DD.MM.YYYY HH:MI:SS", "%d.%m.%Y %H:%M:%S"),
    ("MM/DD/YYYY HH:MI:SS am", "%m/%d/%Y %I:%M:%S %p"),
    ("YYYY-MM-DD HH:MI:SS", "%Y-%m-%d %H:%M:%S"),
)


async def _run(bench: Bench) -> Iterable[Fact]:
    """Make timed events at known instants and days with and without a time, and read them back."""
    rows = await bench.rows(await bench.add(_events(bench.scene.year)))
    if not rows:
        raise UnaskedError(say("no event could be made and read back"))
    facts = [_culture(rows), _naive(rows, bench.scene.year), _end(rows), _zone(rows, bench)]
    facts += [_unknown_zone(rows, facts[-1]), _offset_date(rows, bench), *_days(rows, bench)]
    return facts


DATES = Experiment(
    facts=(
        "server_zone",
        "culture",
        "naive_times",
        "dates_with_offset",
        "unknown_zone",
        "end_before_start",
        "whole_day_end",
        "whole_day_noon",
        "whole_day_bare",
    ),
    sends=say("events at known instants on both sides of summer time, and whole days"),
    run=_run,
    events=9,
)


def _events(year: int) -> dict[str, Mapping[str, Json]]:
    timed: dict[str, Mapping[str, Json]] = {
        f"at{number}": {"from": f"{year}-{month:02}-{day:02}T17:05:00", "to": f"{year}-{month:02}-{day:02}T18:05:00"}
        for number, (month, day) in enumerate(_KNOWN_DAYS)
    }
    days: Mapping[str, Json] = {"skip_time": "Y", "timezone_from": None, "timezone_to": None}
    return timed | {
        "offset": {"from": f"{year}-07-12T10:00:00+00:00", "to": f"{year}-07-12T11:00:00+00:00"},
        "backwards": {"from": f"{year}-02-02T15:00:00", "to": f"{year}-02-02T14:00:00"},
        "nowhere": {"timezone_from": _NOWHERE, "timezone_to": _NOWHERE},
        "noon": {**days, "from": f"{year}-06-14T12:00:00", "to": f"{year}-06-16T12:00:00"},
        "bare": {**days, "from": f"{year}-06-14", "to": f"{year}-06-16"},
    }


def shown_at(row: Row, name: str) -> datetime | None:
    """Return a date of an event as the portal shows it in English (PORTAL.md 4.6), None if it cannot be read."""
    value = text(row, f"{name}_FORMATTED")
    for form in ("%a %b %d %Y %H:%M:%S", "%a %b %d %Y"):
        try:
            return datetime.strptime(value, form)
        except ValueError:
            continue
    return None


def _culture(rows: Mapping[str, Row]) -> Fact:
    timed = [row for key, row in rows.items() if key.startswith("at")]
    for name, form in _CULTURES:
        if timed and all(_written(row, form) for row in timed):
            return Fact(name="culture", value=name)
    # What is written there is a date of ours, of which digits and order are fit for anybody.
    return Fact(name="culture", value=text(timed[0], "DATE_FROM") if timed else None, why="" if timed else _LOST)


def _written(row: Row, form: str) -> bool:
    shown = shown_at(row, "DATE_FROM")
    return shown is not None and shown.strftime(form).lower() == text(row, "DATE_FROM").lower()


_LOST = say("the event could not be made or read back")


def _naive(rows: Mapping[str, Row], year: int) -> Fact:
    sent = {f"at{number}": datetime(year, *day, 17, 5) for number, day in enumerate(_KNOWN_DAYS)}
    seen = [shown_at(rows[key], "DATE_FROM") == wall for key, wall in sent.items() if key in rows]
    if not seen:
        return Fact(name="naive_times", why=_LOST)
    return Fact(name="naive_times", value="kept" if all(seen) else "changed")


def _end(rows: Mapping[str, Row]) -> Fact:
    if "backwards" not in rows:
        return Fact(name="end_before_start", value="refused")
    row = rows["backwards"]
    same = shown_at(row, "DATE_FROM") == shown_at(row, "DATE_TO")
    return Fact(name="end_before_start", value="start" if same else "kept")


def _offsets(rows: Mapping[str, Row], year: int) -> dict[datetime, int]:
    """Return the server's offset at known wall clocks of its own: of an event in UTC, they tell it (PORTAL.md 4.6)."""
    found: dict[datetime, int] = {}
    for number, day in enumerate(_KNOWN_DAYS):
        row, wall = rows.get(f"at{number}", {}), datetime(year, *day, 17, 5)
        stamp = text(row, "DATE_FROM_TS_UTC")
        if stamp.isdecimal() and text(row, "TZ_OFFSET_FROM") == "0":
            found[wall] = round(wall.replace(tzinfo=UTC).timestamp()) - int(stamp)
    return found


def _zone(rows: Mapping[str, Row], bench: Bench) -> Fact:
    """Return the zone that the server names itself, else the likeliest with its offsets in winter and summer."""
    offsets = _offsets(rows, bench.scene.year)
    named = text(rows.get("nowhere", {}), "TZ_FROM")
    if not offsets:
        return Fact(name="server_zone", why=say("no event told the offset of the server"))
    for zone in (named, *LIKELY_ZONES):
        if zone and zone != _NOWHERE and _agrees(zone, offsets):
            return Fact(name="server_zone", value=canonical(zone))
    if len(set(offsets.values())) == 1:
        kept = keeping(timedelta(seconds=next(iter(offsets.values()))), bench.scene.year)
        return Fact(name="server_zone", value=kept, why="" if kept else say("no zone keeps the offset of the server"))
    return Fact(name="server_zone", why=say("no likely zone has the offsets of the server"))


def _agrees(zone: str, offsets: Mapping[datetime, int]) -> bool:
    try:
        clock = clock_of(canonical(zone))
    except (LookupError, ValueError, OSError):
        return False
    walls = ((round(wall.replace(tzinfo=UTC).timestamp()), offset) for wall, offset in offsets.items())
    return all(wall - clock.unix(wall) == offset for wall, offset in walls)


def _unknown_zone(rows: Mapping[str, Row], zone: Fact) -> Fact:
    if "nowhere" not in rows:
        return Fact(name="unknown_zone", value="refused")
    named = text(rows["nowhere"], "TZ_FROM")
    if named == _NOWHERE or not named:
        return Fact(name="unknown_zone", value="kept" if named else "none")
    return Fact(name="unknown_zone", value="server zone" if named == zone.value else "another zone")


def _offset_date(rows: Mapping[str, Row], bench: Bench) -> Fact:
    """Tell which difference of the zones moves a date with an offset: that of today, or of its own day."""
    name, scene = "dates_with_offset", bench.scene
    shown = shown_at(rows.get("offset", {}), "DATE_FROM")
    summer = next((o for wall, o in _offsets(rows, scene.year).items() if wall.month == 7), None)
    if shown is None or summer is None or scene.now_offset_s is None:
        return Fact(name=name, why=say("the zones of the server and of syncd's user are not both known"))
    moved = round((shown - datetime(scene.year, 7, 12, 10)).total_seconds())
    expected = "moved by today's difference"
    if moved == summer + scene.now_offset_s:
        return Fact(name=name, value=expected, expected=expected)
    return Fact(name=name, value=f"moved by {moved / 3600:g} h", expected=expected)


def _days(rows: Mapping[str, Row], bench: Bench) -> tuple[Fact, ...]:
    first, last = date(bench.scene.year, 6, 14), date(bench.scene.year, 6, 16)
    noon = rows.get("noon", {})
    begins, ends = shown_at(noon, "DATE_FROM"), shown_at(noon, "DATE_TO")
    if begins is None or ends is None:
        return tuple(Fact(name=name, why=_LOST) for name in ("whole_day_end", "whole_day_noon", "whole_day_bare"))
    length = (ends.date() - begins.date()).days
    known = {last - first: "inclusive", last - first - timedelta(days=1): "exclusive"}
    found = Fact(name="whole_day_end", value=known.get(timedelta(days=length), f"{length} days later"))
    noons = Fact(name="whole_day_noon", value=(begins.date() - first).days)
    return found, noons, _bare(rows, first, bench.scene.now_offset_s)


def _bare(rows: Mapping[str, Row], first: date, now_offset_s: int | None) -> Fact:
    """Tell by how many days a bare date moves; west of the server it is one (PORTAL.md 4.1)."""
    shown = shown_at(rows.get("bare", {}), "DATE_FROM")
    if shown is None:
        return Fact(name="whole_day_bare", why=_LOST)
    expected = None if now_offset_s is None else now_offset_s // 86400
    return Fact(name="whole_day_bare", value=(shown.date() - first).days, expected=expected)
