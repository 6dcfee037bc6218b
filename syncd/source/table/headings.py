"""Guesses which column of a table is which field: by its heading in English or Russian, then by its content."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from syncd.source.table import cell_values
from syncd.source.table.when import CellTime, DateOrders, read_cell

_WORDS: Mapping[str, tuple[str, str]] = {
    "uid": (
        "uid id key guid number номер код ид идентификатор ключ",
        "",
    ),
    "title": (
        "title subject summary name event shift lesson course topic activity appointment"
        " meeting what название тема событие предмет смена урок занятие дисциплина"
        " мероприятие наименование заголовок встреча что",
        "event name",
    ),
    "start": (
        "start begin begins starts from начало старт",
        "start date time|start datetime|starts at|date and time|start date and time"
        "|дата и время|дата и время начала|дата время",
    ),
    "date": (
        "date day дата день",
        "start date|event date|дата начала|дата занятия|дата события",
    ),
    "start_time": (
        "time время",
        "start time|begin time|time from|from time|время начала|начало время|время с",
    ),
    "end": (
        "end ends finish until to till конец окончание по до",
        "end date|end date time|end datetime|ends at|end date and time|дата окончания"
        "|дата конца|дата и время окончания|дата и время конца",
    ),
    "end_time": (
        "",
        "end time|finish time|time to|to time|время окончания|время конца|окончание время|время по|время до",
    ),
    "duration": (
        "duration length minutes hours min длительность продолжительность минут",
        "длительность мин",
    ),
    "owner": (
        "owner email mail employee responsible user teacher trainer doctor person group"
        " class team staff who assignee почта сотрудник ответственный преподаватель"
        " учитель тренер врач класс группа пользователь фио исполнитель кто владелец",
        "e mail|owner email|employee email|teacher email|responsible person|эл почта"
        "|электронная почта|адрес почты|почта сотрудника|e mail сотрудника",
    ),
    "description": (
        "description notes note comment comments details text body описание комментарий"
        " комментарии примечание заметки заметка подробности",
        "",
    ),
    "location": (
        "location place room where venue address site hall место кабинет аудитория адрес помещение где комната зал",
        "место проведения",
    ),
    "timezone": (
        "timezone tz",
        "time zone|часовой пояс",
    ),
    "all_day": (
        "allday",
        "all day|all day event|весь день|целый день",
    ),
    "attendees": (
        "attendees participants guests invitees участники гости приглашенные",
        "required attendees",
    ),
    "categories": (
        "category categories tags tag type kind категория категории тип метки теги вид",
        "",
    ),
    "status": (
        "status state статус состояние",
        "",
    ),
    "priority": (
        "priority importance приоритет важность",
        "",
    ),
    "color": (
        "color colour цвет",
        "",
    ),
    "url": (
        "url link website ссылка сайт",
        "",
    ),
    "rrule": (
        "rrule recurrence repeat повтор повторение повторять",
        "",
    ),
    "reminders": (
        "reminder reminders alarm напоминание напоминания напомнить",
        "",
    ),
    "private": (
        "private confidential личное частное",
        "",
    ),
    "contact_phone": (
        "phone telephone mobile tel телефон",
        "contact phone|client phone|телефон клиента|номер телефона",
    ),
    "contact_email": (
        "",
        "contact email|client email|customer email|почта клиента|e mail клиента",
    ),
}
"""Headings of each field as people write them, folded: single words, and phrases separated by bars."""
_FIELD_OF = {
    heading: field for field, (single, phrases) in _WORDS.items() for heading in (*single.split(), *phrases.split("|"))
}
_TIMES = ("start", "date", "start_time", "end", "end_time")
_DAY_FIRST, _MONTH_FIRST = DateOrders(setting="dmy"), DateOrders(setting="mdy")
_MOSTLY = 0.8
"""Share of a column's cells that must fit; tables hold notes such as "cancelled" in any column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFields:
    """The 0-based column of each field, why it was taken, and what a person should check."""

    columns: dict[str, int]
    reasons: dict[str, str]
    doubts: tuple[str, ...] = ()


def find_fields(header: Sequence[str], table: Sequence[Sequence[str]]) -> FoundFields:
    """Return which column seems to be which field; `table` holds rows under the header."""
    contents = [_column(table, at) for at in range(len(header))]
    columns: dict[str, int] = {}
    reasons: dict[str, str] = {}
    doubts: list[str] = []
    for at, title in enumerate(header):
        field = _field_of(title)
        if field is not None and field not in columns and _fits(field, title, contents[at]):
            columns[field], reasons[field] = at, "by its title"
    # Titles first, then content: a heading is a statement, a content that looks like a date may be a birthday.
    _sort_times(columns, reasons, contents)
    if "start" not in columns and "date" not in columns:
        _take(columns, reasons, "start", _first(contents, columns, _is_date), "it holds dates")
    _find_times(columns, reasons, contents)
    if "title" not in columns:
        texts = _first(contents, columns, _is_text)
        _take(columns, reasons, "title", texts, "the first column of texts")
        if texts is not None:
            doubts.append(f"no heading says which column is the title; {header[texts] or texts + 1!r} is a guess")
    if "owner" not in columns:
        _take(columns, reasons, "owner", _first(contents, columns, _is_address), "it holds e-mail addresses")
    # In a fixed order, whatever the order of the columns, because the config written from it is read by people.
    order = [field for field in _WORDS if field in columns]
    return FoundFields(columns={field: columns[field] for field in order}, reasons=reasons, doubts=tuple(doubts))


def _field_of(title: str) -> str | None:
    # Punctuation, case and ё are written in every way: "E-mail", "e_mail", "Ещё".
    folded = " ".join(re.sub(r"[^\w]+|_+", " ", title.casefold().replace("ё", "е")).split())
    if folded in ("", "n", "no", "№"):
        return "uid" if title.strip() == "№" else None
    return _FIELD_OF.get(folded)


def _counts(title: str) -> bool:
    return title.strip().casefold().strip(".") in ("№", "#", "number", "номер", "№ п/п", "n", "no")


def _column(table: Sequence[Sequence[str]], at: int) -> tuple[str, ...]:
    return tuple(row[at] for row in table if at < len(row) and row[at])


def _fits(field: str, title: str, content: Sequence[str]) -> bool:
    """Return True if a column can be what its title says. An empty one can be anything except a uid."""
    if field == "uid":
        # A number that counts the rows is not a uid: it changes when a row is inserted above.
        counts_rows = len(content) > 1 and list(content) == [str(number) for number in range(1, len(content) + 1)]
        return bool(content) and len(set(content)) == len(content) and not (counts_rows and _counts(title))
    if field in _TIMES:
        return not content or _share(content, lambda text: _moment(text) is not None) >= _MOSTLY
    if field == "duration":
        return not content or _share(content, _is_length) >= _MOSTLY
    if field == "all_day":
        return not content or _share(content, _is_truth) >= _MOSTLY
    return True


def _sort_times(columns: dict[str, int], reasons: dict[str, str], contents: Sequence[Sequence[str]]) -> None:
    """Sort columns of days, of times and of both by their content: "Start" may be a heading of any of the three."""
    days_at = columns.get("date", columns.get("start"))
    if days_at is None:
        return
    if "start" in columns and "date" in columns:
        if _has_days(contents[columns["start"]]):
            columns.pop("date")
        else:
            columns.setdefault("start_time", columns["start"])
            reasons.setdefault("start_time", "it holds times without days")
            columns.pop("start")
    if "start" in columns and "start_time" in columns:
        columns["date"], reasons["date"] = columns.pop("start"), reasons["start"]
    if "date" in columns and "start_time" not in columns:
        columns["start"], reasons["start"] = columns.pop("date"), reasons["date"]
    if "end" in columns and "end_time" not in columns and not _has_days(contents[columns["end"]]):
        columns["end_time"], reasons["end_time"] = columns.pop("end"), reasons["end"]
    if "duration" in columns and ("end" in columns or "end_time" in columns):
        columns.pop("duration")


def _find_times(columns: dict[str, int], reasons: dict[str, str], contents: Sequence[Sequence[str]]) -> None:
    """Find times without a heading that says so: the times of columns of days, and the end if only a start is known."""
    if "start" not in columns:
        return
    start = contents[columns["start"]]
    has_end = bool(columns.keys() & {"end", "end_time", "duration"})
    if _share(start, _has_time) < 1 - _MOSTLY:
        clock = _first(contents, columns, _is_clock)
        if clock is None:
            return
        columns["date"], reasons["date"] = columns.pop("start"), reasons["start"]
        _take(columns, reasons, "start_time", clock, "it holds times")
        if not has_end and not any(_is_range(text) for text in contents[clock]):
            _take(columns, reasons, "end_time", _first(contents, columns, _is_clock), "it holds times, too")
    elif not has_end and not any(_is_range(text) for text in start):
        _take(columns, reasons, "end", _first(contents, columns, _is_stamp), "it holds dates with times, too")


def _take(columns: dict[str, int], reasons: dict[str, str], field: str, at: int | None, reason: str) -> None:
    if at is not None:
        columns[field], reasons[field] = at, reason


def _first(
    contents: Sequence[Sequence[str]], columns: Mapping[str, int], fits: Callable[[Sequence[str]], bool]
) -> int | None:
    taken = set(columns.values())
    return next((at for at, content in enumerate(contents) if at not in taken and content and fits(content)), None)


def _is_date(content: Sequence[str]) -> bool:
    return _share(content, lambda text: (moment := _moment(text)) is not None and moment.day is not None) >= _MOSTLY


def _is_clock(content: Sequence[str]) -> bool:
    """Return True if a column without a telling heading holds times of day; 12.50 is a price, so only colons count."""
    return _share(content, lambda text: _is_range(text) or (":" in text and _is_time(text))) >= _MOSTLY


def _is_time(text: str) -> bool:
    return (moment := _moment(text)) is not None and moment.day is None


def _is_stamp(content: Sequence[str]) -> bool:
    return _is_date(content) and _share(content, _has_time) >= _MOSTLY


def _has_time(text: str) -> bool:
    return (moment := _moment(text)) is not None and moment.time is not None


def _is_range(text: str) -> bool:
    return (moment := _moment(text)) is not None and moment.until is not None


def _is_text(content: Sequence[str]) -> bool:
    return _share(content, lambda text: any(char.isalpha() for char in text) and "@" not in text) >= _MOSTLY


def _is_address(content: Sequence[str]) -> bool:
    return _share(content, lambda text: "@" in text.strip("@") and " " not in text) >= _MOSTLY


def _has_days(content: Sequence[str]) -> bool:
    return not content or _is_date(content)


def _share(content: Sequence[str], holds: Callable[[str], bool]) -> float:
    return sum(1 for text in content if holds(text)) / len(content) if content else 0.0


def _moment(text: str) -> CellTime | None:
    for orders in (_DAY_FIRST, _MONTH_FIRST):
        try:
            return read_cell(text, orders)
        except ValueError:
            continue
    return None


def _is_length(text: str) -> bool:
    try:
        cell_values.duration(text)
    except ValueError:
        return False
    return True


def _is_truth(text: str) -> bool:
    try:
        cell_values.truth(text)
    except ValueError:
        return False
    return True
