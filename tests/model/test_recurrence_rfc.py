"""Rules are read as RFC 5545 says: every example of section 3.8.5.3, dateutil as a second opinion, and bad text."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from itertools import islice

import pytest
from dateutil.rrule import rrulestr

from syncd.model.entry import Window
from syncd.model.recurrence import compile_entry, rfc
from syncd.model.recurrence.rrule import RuleError, parse
from syncd.model.recurrence.wall import as_datetime, seconds
from tests.model.referee import at, differences, series, timed

EVERY_DAY = "SU,MO,TU,WE,TH,FR,SA"
# day of DTSTART (09:00 New York), rule, pieces it becomes within fourteen months
EXAMPLES = (
    ("19970902", "FREQ=DAILY;COUNT=10", 1),
    ("19970902", "FREQ=DAILY;UNTIL=19971224T000000Z", 1),
    ("19970902", "FREQ=DAILY;INTERVAL=2", 1),
    ("19970902", "FREQ=DAILY;INTERVAL=10;COUNT=5", 1),
    ("19980101", f"FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY={EVERY_DAY}", 2),
    ("19980101", "FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1", 2),
    ("19970902", "FREQ=WEEKLY;COUNT=10", 1),
    ("19970902", "FREQ=WEEKLY;UNTIL=19971224T000000Z", 1),
    ("19970902", "FREQ=WEEKLY;INTERVAL=2;WKST=SU", 1),
    ("19970902", "FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH", 1),
    ("19970902", "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH", 1),
    ("19970901", "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR", 3),
    ("19970902", "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH", 2),
    ("19970905", "FREQ=MONTHLY;COUNT=10;BYDAY=1FR", 4),
    ("19970905", "FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR", 2),
    ("19970907", "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU", 5),
    ("19970922", "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", 2),
    ("19970928", "FREQ=MONTHLY;BYMONTHDAY=-3", 6),
    ("19970902", "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15", 2),
    ("19970930", "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1", 3),
    ("19970910", "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15", 6),
    ("19970902", "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU", 7),
    ("19970610", "FREQ=YEARLY;COUNT=10;BYMONTH=6,7", 2),
    ("19970310", "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3", 1),
    ("19970101", "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200", 2),
    ("19970519", "FREQ=YEARLY;BYDAY=20MO", 1),
    ("19970512", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", 1),
    ("19970313", "FREQ=YEARLY;BYMONTH=3;BYDAY=TH", 2),
    ("19970605", "FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8", 2),
    ("19970902", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", 1),
    ("19970913", "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13", 5),
    ("19961105", "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", 1),
    ("19970904", "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", 2),
    ("19970929", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", 8),
    ("19970902", "FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z", 3),
    ("19970902", "FREQ=MINUTELY;INTERVAL=15;COUNT=6", 6),
    ("19970902", "FREQ=MINUTELY;INTERVAL=90;COUNT=4", 4),
    ("19970902", "FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40", 24),
    ("19970902", "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16", 24),
    ("19970805", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", 2),
    ("19970805", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", 2),
    ("20070115", "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", 2),
)


def given(rule: str, start: datetime, number: int, reach: timedelta = timedelta(days=6 * 366)) -> list[datetime]:
    walls = rfc.starts(parse(rule), seconds(start), seconds(start + reach))
    return [as_datetime(wall) for wall in islice(walls, number)]


@pytest.mark.parametrize(("day", "rule", "number"), EXAMPLES)
def test_examples_of_the_rfc_become_pieces_that_show_them(day: str, rule: str, number: int) -> None:
    start = datetime.strptime(day + "0900", "%Y%m%d%H%M")
    exdates = [at(1997, 9, 2, zone="America/New_York")] if "BYMONTHDAY=13" in rule and "FR" in rule else []
    entry = series(timed(start, minutes=15, zone="America/New_York"), rule, exdates=exdates)
    first, last = start.date() - timedelta(days=3), start.date() + timedelta(days=60 if "BYHOUR" in rule else 425)
    compiled = compile_entry(
        entry, window=Window(first=first, last=last), portal_zone="Europe/Moscow", today=start.date()
    )
    assert not compiled.problems
    assert differences(entry, compiled.pieces, "Europe/Moscow", first, last) == ""
    assert len(compiled.pieces) == number, compiled.summary


@pytest.mark.parametrize(
    ("start", "rule", "days"),
    [
        ("1997-08-05", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "08-05 08-10 08-19 08-24"),
        ("1997-08-05", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "08-05 08-17 08-19 08-31"),
        ("2007-01-15", "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", "01-15 01-30 02-15 03-15 03-30"),
        ("1997-09-29", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", "09-29 10-30 11-27 12-30 01-29"),
        ("1997-05-12", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "05-12 05-11 05-17"),
        ("1997-05-19", "FREQ=YEARLY;BYDAY=20MO", "05-19 05-18 05-17"),
        ("1997-01-01", "FREQ=YEARLY;INTERVAL=3;BYYEARDAY=1,100,200", "01-01 04-10 07-19 01-01 04-09 07-18"),
        ("1996-11-05", "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", "11-05 11-07"),
        ("1997-09-07", "FREQ=MONTHLY;INTERVAL=2;BYDAY=1SU,-1SU", "09-07 09-28 11-02 11-30 01-04 01-25 03-01 03-29"),
        ("1997-09-28", "FREQ=MONTHLY;BYMONTHDAY=-3", "09-28 10-29 11-28 12-29 01-29 02-26"),
    ],
)
def test_results_printed_in_the_rfc_come_out(start: str, rule: str, days: str) -> None:
    wanted = days.split()
    assert [f"{wall:%m-%d}" for wall in given(rule, datetime.fromisoformat(start), len(wanted))] == wanted


def random_rule(rng: random.Random) -> str:
    freq = rng.choice(("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY"))
    parts = [f"FREQ={freq}", f"INTERVAL={rng.choice((1, 1, 2, 3, 5, 7))}"]
    if rng.random() < 0.5:
        numbers = ("", "1", "2", "-1", "5") if freq in ("YEARLY", "MONTHLY") else ("",)
        number = rng.choice(numbers)  # dateutil takes "MO,1TU" for both at once, so numbers are not mixed
        parts.append("BYDAY=" + ",".join(number + day for day in rng.sample(("MO", "TU", "WE", "TH", "SA", "SU"), 2)))
    if rng.random() < 0.3:
        parts.append("BYMONTH=" + ",".join(str(month) for month in rng.sample(range(1, 13), 2)))
    if rng.random() < 0.3 and freq != "WEEKLY":
        parts.append("BYMONTHDAY=" + rng.choice(("1", "15,31", "-1", "29", "2,-3")))
    if rng.random() < 0.2:
        parts.append("BYHOUR=" + rng.choice(("9", "0,23", "6,12,18")))
    if rng.random() < 0.2 and freq in ("YEARLY", "MONTHLY"):
        parts.append("BYSETPOS=" + rng.choice(("1", "-1", "1,3")))
    if rng.random() < 0.3:
        parts.append("WKST=" + rng.choice(("SU", "WE")))
    return ";".join(parts)


@pytest.mark.parametrize("seed", range(60))
def test_rules_give_what_dateutil_gives(seed: int) -> None:
    rng = random.Random(seed)
    start = datetime(rng.randrange(2019, 2027), rng.randrange(1, 13), rng.randrange(1, 29), rng.randrange(24))
    rule = random_rule(rng)
    if "BYSETPOS" in rule and not any(part in rule for part in ("BYDAY", "BYMONTHDAY")):
        rule = rule.split(";BYSETPOS")[0]
    end = start + timedelta(days=4 * 366)
    mine = given(rule, start, 150, end - start)
    bounded = rrulestr(f"{rule};UNTIL={end:%Y%m%dT%H%M%S}", dtstart=start)
    assert mine == list(islice(bounded, 150))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "no FREQ"),
        ("garbage", "NAME=VALUE"),
        ("FREQ=FORTNIGHTLY", "FORTNIGHTLY"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL=0"),
        ("FREQ=DAILY;COUNT=-3", "COUNT=-3"),
        ("FREQ=DAILY;COUNT=ten", "COUNT=TEN"),
        ("FREQ=WEEKLY;BYDAY=XX", "BYDAY=XX"),
        ("FREQ=WEEKLY;BYDAY=0MO", "BYDAY=0MO"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY=32"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY=0"),
        ("FREQ=DAILY;UNTIL=20260230", "UNTIL=20260230"),
        ("FREQ=DAILY;UNTIL=soon", "UNTIL=SOON"),
        ("FREQ=DAILY;FREQ=WEEKLY", "twice"),
        ("FREQ=DAILY;BYEASTER=1", "BYEASTER"),
        ("FREQ=DAILY;WKST=XX", "WKST"),
        ("FREQ=DAILY;BYMONTH=" + ",".join(["1"] * 2000), "longer"),
    ],
)
def test_garbage_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(RuleError, match=named):
        parse(text)
    entry = series(timed(datetime(2026, 1, 5, 9)), text)
    compiled = compile_entry(
        entry, window=Window(first=None, last=None), portal_zone="Europe/Moscow", today=date(2026, 1, 1)
    )
    assert compiled.pieces == ()
    (problem,) = compiled.problems
    assert (problem.kind, problem.where) == ("rejected", "team.ics:1")
    assert named in problem.reason


def test_rules_are_read_leniently_where_the_meaning_is_plain() -> None:
    assert parse("rrule:freq=weekly; byday=mo,we ;") == parse("FREQ=WEEKLY;BYDAY=MO,WE")
    assert parse("FREQ=DAILY;X-NOTE=1") == parse("FREQ=DAILY")


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6",
        "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
        "FREQ=HOURLY;INTERVAL=24;BYHOUR=3",
    ],
)
def test_a_rule_that_never_fires_leaves_the_start_and_a_warning(rule: str) -> None:
    entry = series(timed(datetime(2026, 1, 5, 9)), rule)
    compiled = compile_entry(
        entry, window=Window(first=None, last=None), portal_zone="Europe/Moscow", today=date(2026, 1, 1)
    )
    assert [piece.id for piece in compiled.pieces] == [""]
    assert compiled.pieces[0].rule is None
    assert [problem.kind for problem in compiled.problems] == ["warning"]
    assert "never fires" in compiled.problems[0].reason


@pytest.mark.parametrize(
    "rule", ["FREQ=SECONDLY", "FREQ=MINUTELY", "FREQ=MINUTELY;INTERVAL=7", "FREQ=SECONDLY;COUNT=1000000"]
)
def test_a_rule_that_fires_all_the_time_is_refused_not_followed(rule: str) -> None:
    entry = series(timed(datetime(2026, 1, 5, 9), minutes=1), rule)
    compiled = compile_entry(
        entry, window=Window(first=None, last=None), portal_zone="Europe/Moscow", today=date(2026, 1, 1)
    )
    assert compiled.pieces == ()
    assert [problem.kind for problem in compiled.problems] == ["rejected"]
