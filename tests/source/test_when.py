from datetime import date, datetime, timedelta
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.source.table.cell_values import duration, items, priority, reminders, status, truth
from syncd.source.table.dashes import find_dashes
from syncd.source.table.when import CellTime, DateOrder, DateOrders, find_orders
from syncd.source.table.when import read_cell as read_with

DAY = date(2026, 12, 31)
NINE = timedelta(hours=9)


def read_cell(text: str, order: DateOrder = "auto") -> CellTime:
    return read_with(text, DateOrders(setting=order))


def shown(*texts: str, setting: DateOrder = "auto") -> dict[str, str]:
    return dict(find_orders(texts, setting).shown)


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
        ("12/31/2026", "auto", DAY, None),
        ("31-12-2026", "auto", DAY, None),
        ("20261231T0900", "auto", DAY, NINE),
        ("20261231T090000.000", "auto", DAY, NINE),
        ("20261231 09:00", "auto", DAY, NINE),
        ("20261231090000", "auto", DAY, NINE),
        ("31-Dec-26", "auto", DAY, None),
        ("31-дек-2026 09:00", "auto", DAY, NINE),
        ("31.дек.26", "auto", DAY, None),
        ("чт 31-дек-26 9:00", "auto", DAY, NINE),
        ("Dec-31-2026", "auto", DAY, None),
        ("2026-Dec-31", "auto", DAY, None),
        ("31DEC2026", "auto", DAY, None),
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
    ("text", "offset"),
    [
        ("Z", 0), ("+03:00", 180), ("+0300", 180), ("+14:00", 840), ("-05:30", -330), (" +03:00", 180), ("+00", 0),
        ("+03", 180), ("-05", -300), (".000Z", 0), (".123+03:00", 180), (" MSK", 180), (" МСК", 180), (" (MSK)", 180),
        (" МСК+2", 300), (" UTC", 0), (" UTC+3", 180), (" GMT+0530", 330), (" UTC-03:30", -210), (" CET", 60),
        (" EST", -300), ("+03:00[Europe/Moscow]", 180), (" Europe/Berlin", 60), (" America/New_York", -300),
    ],
)  # fmt: skip
def test_an_offset_is_kept(text: str, offset: int) -> None:
    found = read_cell("2026-12-31T09:00:00" + text)
    assert (found.wall(), found.offset) == (datetime(2026, 12, 31, 9), timedelta(minutes=offset))


@pytest.mark.parametrize(
    "stamp", ["20261231T0900Z", "20261231T090000Z", "20261231T090000.000Z", "20261231T120000+0300"]
)
def test_stamps_of_calendars_are_read_in_a_table(stamp: str) -> None:
    found = read_cell(stamp)
    assert found.offset is not None
    assert found.wall() - found.offset == datetime(2026, 12, 31, 9)


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
        ("с 8 до 20", "8:00", "20:00"),
        ("c 8:30 по 20.00", "8:30", "20:00"),
        ("с 8-00 до 20-00", "8:00", "20:00"),
        ("с 9 ч до 18 ч", "9:00", "18:00"),
        ("8:00 до 20:00", "8:00", "20:00"),
        ("from 8 am to 5 pm", "8:00", "17:00"),
        ("31.12.2026 с 8 до 20", "8:00", "20:00"),
        ("сутки", "0:00", "24:00"),
        ("Круглосуточно", "0:00", "24:00"),
        ("31.12.2026 сутки", "0:00", "24:00"),
        ("2026-12-31 09:00 - 10:00", "9:00", "10:00"),
    ],
)
def test_two_times_with_a_dash_are_a_range_and_no_offset(text: str, first: str, last: str) -> None:
    def length(clock: str) -> timedelta:
        hours, minutes = clock.split(":")
        return timedelta(hours=int(hours), minutes=int(minutes))

    found = read_cell(text, "auto")
    assert (found.time, found.until, found.offset) == (length(first), length(last), None)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("05.12.2026 - 07.12.2026", 5, 7),
        ("05.12.2026-07.12.2026", 5, 7),
        ("с 05.12.2026 по 07.12.2026", 5, 7),
        ("05.12-07.12.2026", 5, 7),
        ("5-7.12.2026", 5, 7),
        ("5–7 декабря 2026 г.", 5, 7),
        ("с 5 по 7 декабря 2026", 5, 7),
        ("2026-12-05/2026-12-07", 5, 7),
        ("from 2026-12-05 to 2026-12-07", 5, 7),
        ("12/05/2026 - 12/17/2026", 5, 17),
    ],
)
def test_two_dates_are_the_days_between_them(text: str, first: int, last: int) -> None:
    found = read_with(text, find_orders([text], "auto"))
    assert found == CellTime(day=date(2026, 12, first), last=date(2026, 12, last))


def test_a_long_text_in_place_of_a_date_takes_no_time() -> None:
    begun = process_time()
    for text in ("a" + " " * 50_000 + "b", "1 - " * 20_000, "05.12.2026" + " " * 50_000 + "x"):
        with pytest.raises(ValueError, match="is not a"):
            read_cell(text)
    assert process_time() - begun < 5


def test_two_dates_may_run_into_the_next_year_and_have_times() -> None:
    over = read_cell("28.12 - 03.01.2027", "auto")
    assert (over.day, over.last) == (date(2026, 12, 28), date(2027, 1, 3))
    timed = read_cell("05.12.2026 22:00 - 06.12.2026 06:00", "auto")
    assert (timed.time, timed.until, timed.last) == (timedelta(hours=22), timedelta(hours=6), date(2026, 12, 6))


@pytest.mark.parametrize(
    "text",
    [
        "Thu Dec 31 2026 09:00:00 GMT+0300 (Moscow Standard Time)",
        "Thu Dec 31 2026 09:00:00 GMT+0300 (Москва, стандартное время)",
        "Thu Dec 31 2026 09:00:00 GMT+0300",
        "Thu Dec 31 09:00:00 MSK 2026",
        "Thu, 31 Dec 2026 06:00:00 GMT",
    ],
)
def test_dates_as_programs_print_them_are_moments(text: str) -> None:
    found = read_cell(text, "auto")
    assert found.offset is not None
    assert found.wall() - found.offset == datetime(2026, 12, 31, 6)


@pytest.mark.parametrize(
    "text",
    ["31.12.26г. 9-00", "31.12.2026 г. 9:00", "31.12.2026г., 9.00", "2026.12.31 09:00", "31.12.2026 в 9:00",
     "31 декабря 2026 года в 9-00", "Thu Dec 31 09:00:00 2026", "31.12.2026 с 9:00"],
)  # fmt: skip
def test_dates_and_times_as_offices_write_them_are_read(text: str) -> None:
    assert read_cell(text, "auto") == CellTime(day=date(2026, 12, 31), time=NINE)


@pytest.mark.parametrize(
    ("text", "shown_by", "title", "reads"),
    [
        ("20-8", (), "Время", ("20:00", "8:00")),
        ("8-20", ("20-8",), "Время", ("8:00", "20:00")),
        ("8-20", (), "Часы работы", ("8:00", "20:00")),
        ("8-20", ("9-18",), "Время", ("8:00", "20:00")),
        ("8-20", ("9-45",), "Время", ("8:20", None)),
        ("8-20", ("9-45", "20-8"), "Время", None),
        ("8-20", (), "Время", None),
        ("8 - 20 ч.", (), "Время", ("8:00", "20:00")),
        ("11-00", ("20-8",), "Время", ("11:00", None)),
        ("8-30 - 9-15", (), "Время", ("8:30", "9:15")),
        ("8-30–9-15", (), "Время", ("8:30", "9:15")),
    ],
)
def test_a_dash_between_hours_is_what_its_column_shows(
    text: str, shown_by: tuple[str, ...], title: str, reads: tuple[str, str | None] | None
) -> None:
    dashes = find_dashes((text, *shown_by), title)
    orders = DateOrders(setting="auto", dashes=dashes, bare=True)
    if reads is None:
        with pytest.raises(ValueError, match="could be 8:20 or from 8 to 20"):
            read_with(text, orders)
        return
    found = read_with(text, orders)
    assert (found.time, found.until) == tuple(one and _clock(one) for one in reads)


def _clock(text: str) -> timedelta:
    hours, minutes = text.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


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
        ("31.12.2026", "mdy", 'no date with the month first, as dates = "mdy" says .* set dates = "dmy"'),
        ("12.31.2026", "auto", 'no date with the day first, as dates with dots are read .* set dates = "mdy"'),
        ("12.31.2026 9:00", "auto", 'set dates = "mdy"'),
        ("12/31/2026", "dmy", 'no date with the day first, as dates = "dmy" says .* set dates = "mdy"'),
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
        ("2026.31.12", "auto", "there is no day 2026-31-12"),
        ("131.12.2026", "auto", "'131.12.2026' is not a date"),
        ("2026-12-31 13:00 pm", "auto", "13 o'clock pm"),
        ("2026-12-31 +03:00", "auto", "is not a time"),
        ("46387", "auto", "is not a date but a day as Excel numbers it, 2026-12-31 "),
        ("46387.375", "auto", "a day as Excel numbers it, 2026-12-31 09:00"),
        ("46387,375", "auto", "a day as Excel numbers it, 2026-12-31 09:00"),
        ("0.375", "auto", "is not a time but a part of a day as Excel counts it, 09:00"),
        ("770112345678", "auto", "is not a date"),
        ("9:00-10", "auto", "could be two times or one with an offset"),
        ("8-20", "auto", "could be 8:20 or from 8 to 20"),
        ("31.12.2026 8-20", "auto", "'8-20' could be 8:20 or from 8 to 20 .write 8:20, or 8:00-20:00"),
        ("31.02.2026 - 02.03.2026", "auto", "no day 2026-02-31"),
        ("1/2/2026 - 3/2/2026", "auto", 'set dates = "dmy" or "mdy"'),
        ("31.12.2026 9:00 - 01.01.2027", "auto", "is not a time"),
        ("2026-12-31 09:00 CST", "auto", "is not a time"),
        ("2026-12-31 09:00 Moon/Base", "auto", "is not a time"),
        ("31 дек", "auto", "has no year"),
        ("Dec 31", "auto", "has no year"),
        ("31.12.202", "auto", "is not a date"),
        ("завтра", "auto", "'завтра' is not a date"),
    ],
)
def test_what_is_no_date_or_could_be_two_is_refused(text: str, order: DateOrder, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_cell(text, order)


def test_one_date_that_allows_one_order_decides_for_those_with_its_mark() -> None:
    assert shown("1/2/2026", "12/31/2026 9:00") == {"/": "mdy"}
    assert shown("1/2/2026", "31/12/2026") == {"/": "dmy"}
    assert shown("1-2-2026", "12-31-2026", "31/12/2026") == {"-": "mdy", "/": "dmy"}
    assert shown("1/2/2026", "31.12.2026", "2026-12-31") == {}
    assert shown("13/1/2026") == {"/": "dmy"}
    assert shown("Thu 1/13/2026") == {"/": "mdy"}
    assert shown("12/12/2026") == {}
    assert find_orders(["31/12/2026"], "mdy") == DateOrders(setting="mdy")


def test_only_a_day_of_the_calendar_decides() -> None:
    assert shown("131/12/2026", "2026-12-31", "45/12/2026", "12/45/2026", "13/31/2026", "30/02/2026") == {}
    assert shown("31/12/2026", "13/31/2026") == {"/": "dmy"}


def test_where_both_orders_are_shown_each_date_says_its_own_unless_one_stands_alone() -> None:
    assert shown("12/31/2026", "31/12/2026", "30/12/2026") == {}
    orders = find_orders(["12/31/2026", "31/12/2026", "30/12/2026", "29/12/2026"], "auto")
    assert (orders.shown, orders.odd) == ({"/": "dmy"}, ("12/31/2026",))
    assert read_with("12/31/2026", orders).day == DAY
    assert read_with("5/12/2026", orders).day == date(2026, 12, 5)
    assert read_with("05.12.2026", find_orders(["12/31/2026"], "auto")).day == date(2026, 12, 5)


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


@pytest.mark.parametrize(
    ("text", "unit", "minutes"),
    [("2", "h", 120), ("1,5", "h", 90), ("1.33", "h", 80), ("0,75", "h", 45), ("14", "d", 20160), ("90.0", "m", 90),
     ("1:30", "h", 90), ("45 мин", "h", 45), ("1,33 ч", "m", 80)],
)  # fmt: skip
def test_a_bare_number_is_so_many_units(text: str, unit: str, minutes: int) -> None:
    size = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}[unit]
    assert duration(text, size) == timedelta(minutes=minutes)


@pytest.mark.parametrize(("text", "unit"), [("1,5", timedelta(minutes=1)), ("2", None), ("1.5", None)])
def test_a_number_that_could_be_several_lengths_is_refused_with_the_key(text: str, unit: timedelta | None) -> None:
    with pytest.raises(ValueError, match="duration_unit"):
        duration(text, unit)


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


@pytest.mark.parametrize("begins", ["9", "1.1.2026", "1.1.2026 9:00", "с 8", "5 мая 2026"])
@pytest.mark.parametrize("ends", ["x", "x\ny"])
def test_a_long_text_in_the_place_of_a_date_is_refused_at_once(begins: str, ends: str) -> None:
    text = begins + " " * 100_000 + ends
    before = process_time()
    orders = find_orders([text], "auto")
    with pytest.raises(ValueError, match="is not a date or a time"):
        read_with(text, orders)
    assert process_time() - before < 1
