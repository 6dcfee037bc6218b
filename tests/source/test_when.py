from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.source.table.cell_values import duration, items, priority, reminders, status, truth
from syncd.source.table.when import CellTime, DateOrder, find_order, read_cell

DAY = date(2026, 12, 31)
NINE = timedelta(hours=9)


@pytest.mark.parametrize(
    ("text", "order", "day", "time"),
    [
        ("2026-12-31", "auto", DAY, None),
        ("2026-12-31", "mdy", DAY, None),
        ("2026/12/31", "iso", DAY, None),
        ("20261231", "iso", DAY, None),
        ("20261231T090000", "iso", DAY, NINE),
        ("2026-12-31T09:00", "auto", DAY, NINE),
        ("2026-12-31 09:00:00.000", "auto", DAY, NINE),
        ("31.12.2026 9:00", "auto", DAY, NINE),
        ("31.12.26", "auto", DAY, None),
        ("31.12.2026, 9.00", "auto", DAY, NINE),
        ("12/31/2026 9:00 am", "mdy", DAY, NINE),
        ("12/31/26 9:00 a.m.", "mdy", DAY, NINE),
        ("12.31.2026", "mdy", DAY, None),
        ("31/12/2026", "dmy", DAY, None),
        ("31-12-2026", "dmy", DAY, None),
        ("2/2/2026", "auto", date(2026, 2, 2), None),
        ("9:00", "auto", None, NINE),
        ("9 pm", "auto", None, timedelta(hours=21)),
        ("12:30 am", "auto", None, timedelta(minutes=30)),
        ("1 am", "auto", None, timedelta(hours=1)),
        ("23:59:59", "auto", None, timedelta(hours=23, minutes=59, seconds=59)),
        ("12:30 pm", "auto", None, timedelta(hours=12, minutes=30)),
        ("24:00", "auto", None, timedelta(hours=24)),
        ("31 декабря 2026", "auto", DAY, None),
        ("31 декабря 2026 г.", "iso", DAY, None),
        ("31 дек. 2026 г., 9:00", "auto", DAY, NINE),
        ("31 December 2026", "auto", DAY, None),
        ("Dec 31, 2026 9:00 AM", "auto", DAY, NINE),
        ("December 31st, 2026", "mdy", DAY, None),
        ("Thursday, December 31, 2026, 9:00 AM", "auto", DAY, NINE),
        ("1 мая 2027 года", "auto", date(2027, 5, 1), None),
        ("Чт, 31.12.2026", "auto", DAY, None),
        ("чт 31.12.2026 9:00", "auto", DAY, NINE),
        ("31.12.2026 (чт)", "auto", DAY, None),
        ("31.12.2026 (четверг) 9:00", "auto", DAY, NINE),
        ("31.12.2026, Thu", "auto", DAY, None),
        ("Thu 2026-12-31", "auto", DAY, None),
    ],
)
def test_dates_are_read_as_people_write_them(
    text: str, order: DateOrder, day: date | None, time: timedelta | None
) -> None:
    found = read_cell(text, order)
    assert (found.day, found.time, found.offset) == (day, time, None)


@pytest.mark.parametrize(
    ("text", "offset"), [("Z", 0), ("+03:00", 180), ("+0300", 180), ("+14:00", 840), ("-05:30", -330), (" +03:00", 180)]
)
def test_an_offset_is_kept(text: str, offset: int) -> None:
    assert read_cell("2026-12-31T09:00:00" + text, "auto").offset == timedelta(minutes=offset)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("8:30-9:15", "8:30", "9:15"),
        ("08:30-09:15", "8:30", "9:15"),
        ("08:30-10:00", "8:30", "10:00"),
        ("8.30 - 9.15", "8:30", "9:15"),
        ("9:25\N{EN DASH}10:10", "9:25", "10:10"),
        ("10:30\N{EM DASH}11:15", "10:30", "11:15"),
        ("22:00-6:00", "22:00", "6:00"),
        ("9:00 am - 1:00 pm", "9:00", "13:00"),
        ("1:00-2:30 pm", "13:00", "14:30"),
        ("11:00-1:00 pm", "11:00", "13:00"),
        ("1:00-1:00 pm", "13:00", "13:00"),
        ("9 am - 10 am", "9:00", "10:00"),
        ("31.12.2026 08:30-09:15", "8:30", "9:15"),
        ("31.12.2026 9:00-10:00", "9:00", "10:00"),
        ("2026-12-31 08:30-09:15", "8:30", "9:15"),
        ("2026-12-31 09:00 - 10:00", "9:00", "10:00"),
    ],
)
def test_two_times_with_a_dash_are_a_range_and_no_offset(text: str, first: str, last: str) -> None:
    def length(clock: str) -> timedelta:
        hours, minutes = clock.split(":")
        return timedelta(hours=int(hours), minutes=int(minutes))

    found = read_cell(text, "auto")
    assert (found.time, found.until, found.offset) == (length(first), length(last), None)


@pytest.mark.parametrize("text", ["2026-12-31T09:00-05:00", "2026-12-31 09:00:00-05:00"])
def test_behind_a_stamp_in_iso_a_dash_is_an_offset(text: str) -> None:
    found = read_cell(text, "auto")
    assert (found.time, found.until, found.offset) == (NINE, None, timedelta(hours=-5))


def test_a_dash_that_could_be_either_is_refused_with_both_ways_to_write_it() -> None:
    with pytest.raises(ValueError, match=r"two times or one with an offset \(write 09:00 - 10:00, or a T before it\)"):
        read_cell("2026-12-31 09:00-10:00", "auto")


@pytest.mark.parametrize(
    ("text", "order", "says"),
    [
        ("1/2/2026", "auto", 'set dates = "dmy" or "mdy"'),
        ("Thu 1/2/2026", "auto", 'set dates = "dmy" or "mdy"'),
        ("31 июня 2026", "auto", "no day 2026-06-31"),
        ("31 ию 2026", "auto", "is not a date"),
        ("1 ма 2026", "auto", "is not a date"),
        ("3 lessons 2026", "auto", "is not a date"),
        ("Room 31.12.2026", "auto", "is not a date"),
        ("31.12.2026 (перенос)", "auto", "is not a time"),
        ("1-2-2026", "auto", 'set dates = "dmy" or "mdy"'),
        ("31.12.2026", "iso", 'dates = "iso"'),
        ("31.12.2026", "mdy", "no day 2026-31-12"),
        ("31.02.2026", "auto", "no day 2026-02-31"),
        ("2026-02-30", "auto", "no day 2026-02-30"),
        ("2026-12-31 25:00", "auto", "no time 25:00"),
        ("2026-12-31 9:60", "auto", "no time 09:60"),
        ("2026-12-31 9:00:60", "auto", "no time 09:00:60"),
        ("20261231T090060", "auto", "no time 09:00:60"),
        ("2026-12-31 24:00:01", "auto", "no time 24:00:01"),
        ("2026-12-31 0:30 am", "auto", "there is no 0 o'clock am"),
        ("2026-12-31T09:00+14:01", "auto", r"no offset \+14:01"),
        ("9", "auto", "is not a date"),
        ("2026-12-31 9", "auto", "'9' is not a time"),
        ("2026-12-311", "auto", "'2026-12-311' is not a date"),
        ("2026.12.31", "auto", "'2026.12.31' is not a date"),
        ("131.12.2026", "auto", "'131.12.2026' is not a date"),
        ("2026-12-31 13:00 pm", "auto", "13 o'clock pm"),
        ("2026-12-31 +03:00", "auto", "is not a time"),
        ("46387", "auto", "is not a date"),
        ("31.12.202", "auto", "is not a date"),
        ("завтра", "auto", "'завтра' is not a date"),
    ],
)
def test_what_is_no_date_or_could_be_two_is_refused(text: str, order: DateOrder, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_cell(text, order)


def test_one_date_that_allows_one_order_decides_for_the_file() -> None:
    assert find_order(["1/2/2026", "12/31/2026 9:00"], "auto") == "mdy"
    assert find_order(["1/2/2026", "31/12/2026"], "auto") == "dmy"
    assert find_order(["12/31/2026", "31/12/2026"], "auto") == "auto"
    assert find_order(["1/2/2026", "31.12.2026", "2026-12-31"], "auto") == "auto"
    assert find_order(["31/12/2026"], "mdy") == "mdy"
    assert find_order(["13/1/2026"], "auto") == "dmy"
    assert find_order(["1/13/2026"], "auto") == "mdy"
    assert find_order(["12/12/2026"], "auto") == "auto"


def test_only_a_day_and_a_month_of_two_digits_decide() -> None:
    assert find_order(["131/12/2026", "2026-12-31"], "auto") == "auto"


def test_a_day_and_a_time_together_are_a_wall_clock_and_neither_alone_is() -> None:
    assert CellTime(day=DAY, time=timedelta(hours=24)).wall() == datetime(2027, 1, 1)
    for half in (CellTime(day=DAY), CellTime(time=NINE)):
        with pytest.raises(ValueError, match="there is no time with the date"):
            half.wall()


@settings(deadline=None)
@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2037, 12, 31)))
def test_every_moment_comes_back_from_every_form(moment: datetime) -> None:
    moment = moment.replace(microsecond=0)
    forms: tuple[tuple[str, DateOrder], ...] = (
        ("%Y-%m-%dT%H:%M:%S", "auto"),
        ("%d.%m.%Y %H:%M:%S", "auto"),
        ("%d/%m/%Y %H:%M:%S", "dmy"),
        ("%m/%d/%Y %I:%M:%S %p", "mdy"),
        ("%Y%m%dT%H%M%S", "iso"),
    )
    assert [read_cell(moment.strftime(form), order).wall() for form, order in forms] == [moment] * len(forms)


@settings(deadline=None)
@given(st.text(alphabet="0123456789./-: TZapm+", max_size=25))
def test_a_date_is_read_or_refused_never_anything_else(text: str) -> None:
    try:
        found = read_cell(text, "auto")
    except ValueError as error:
        assert str(error)
    else:
        assert found.day is not None or found.time is not None


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("90", 90), ("1:30", 90), ("0:00", 0), ("0", 0), ("1h30m", 90), ("1 h 30 min", 90), ("PT1H30M", 90),
        ("45 min", 45), ("1.5h", 90), ("1,5 ч", 90), ("2 дня", 2880), ("P1D", 1440), ("pt0s", 0), ("1 час 5 мин.", 65),
    ],
)  # fmt: skip
def test_durations_are_read_in_all_their_forms(text: str, minutes: int) -> None:
    assert duration(text) == timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["", "P", "PT", "-5", "long", "1x", "h", "9999999999", "999999w 999999w", "1:3"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        duration(text)


def test_words_are_read_in_english_and_russian() -> None:
    assert [truth(word) for word in ("Yes", "да", "X", "1", "TRUE")] == [True] * 5
    assert [truth(word) for word in ("no", "Нет", "0", "false", "-")] == [False] * 5
    assert [status(word) for word in ("Cancelled", "отменён", "tentative", "Подтверждено")] == [
        "CANCELLED", "CANCELLED", "TENTATIVE", "CONFIRMED",
    ]  # fmt: skip
    assert [priority(word) for word in ("0", "9", "High", "низкий")] == [None, 9, 1, 9]
    assert items("a, b;c\n a,, ") == ("a", "b", "c")
    assert [item.before for item in reminders("1d, 15") or ()] == [timedelta(minutes=15), timedelta(days=1)]
    assert reminders("нет") == ()
    for reader, word in ((truth, "maybe"), (status, "new"), (priority, "10"), (reminders, "soon")):
        with pytest.raises(ValueError, match="is n"):
            reader(word)
