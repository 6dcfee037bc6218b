"""What the headings of tables are called in English and Russian, and which field each of them names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

WORDS: Mapping[str, tuple[str, str]] = {
    "uid": (
        "uid id key guid number номер код ид идентификатор ключ",
        "record id|entry id|event id|booking id|order id|appointment id|record number|id записи|id события|ид записи"
        "|номер записи|номер заявки|номер заказа|номер брони|номер события|номер строки|номер документа|код записи",
    ),
    "title": (
        "title subject summary name event shift lesson course topic activity appointment"
        " meeting what название тема событие предмет смена урок занятие дисциплина"
        " мероприятие наименование заголовок встреча что услуга процедура дежурство service цель",
        "event name|event title|название события|название мероприятия|название урока|название смены|наименование смены"
        "|тема занятия|тема урока|вид работ|вид работы|цель визита|тип смены|shift name",
    ),
    "start": (
        "start begin begins starts from начало старт с c",
        "start date time|start datetime|starts at|date and time|start date and time"
        "|дата и время|дата и время начала|дата время|начало дата и время|start time date|начало смены|начало работы"
        "|shift start|дата время начала",
    ),
    "date": (
        "date day дата день",
        "start date|event date|shift date|дата начала|дата занятия|дата события|дата смены|дата работы|дата визита"
        "|дата приема|дата записи|дата дежурства",
    ),
    "start_time": (
        "time время часы hours",
        "start time|begin time|time from|from time|время начала|начало время|время с|время работы|часы работы"
        "|время смены|время приема|время занятия|time slot|shift time|working hours",
    ),
    "end": (
        "end ends finish until to till конец окончание по до",
        "end date|end date time|end datetime|ends at|end date and time|дата окончания"
        "|дата конца|дата и время завершения|дата и время окончания|дата и время конца|дата завершения|конец смены"
        "|окончание смены|конец работы|окончание работы|shift end|дата время окончания",
    ),
    "end_time": (
        "",
        "end time|finish time|time to|to time|время завершения|время окончания|время конца|окончание время|время по"
        "|время до",
    ),
    "duration": (
        "duration length minutes min длительность продолжительность минут мин часов дней",
        "длительность мин|hours worked|total hours|срок в днях|длит|длит мин|длит ч",
    ),
    "owner": (
        "owner email mail employee responsible user teacher trainer doctor person group"
        " class team staff who assignee почта сотрудник ответственный преподаватель"
        " учитель тренер врач класс группа пользователь фио исполнитель кто владелец фамилия работник мастер специалист"
        " менеджер оператор диспетчер консультант администратор продавец водитель охранник дежурный инструктор педагог"
        " воспитатель куратор кассир организатор operator driver instructor",
        "e mail|owner email|employee email|teacher email|responsible person|эл почта"
        "|электронная почта|адрес почты|почта сотрудника|e mail сотрудника|email сотрудника|employee name|staff member"
        "|full name|фио сотрудника|фио работника|фио преподавателя|фио учителя|фио врача|фио мастера|фио исполнителя"
        "|фио ответственного|имя сотрудника|фамилия и о|фамилия имя отчество|фамилия имя|сотрудник фио",
    ),
    "description": (
        "description notes note comment comments details text body описание комментарий"
        " комментарии примечание заметки заметка подробности",
        "",
    ),
    "location": (
        "location place room where venue address site hall место кабинет аудитория адрес помещение где комната зал"
        " переговорная",
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
        "phone telephone mobile tel телефон тел мобильный",
        "contact phone|client phone|customer phone|patient phone|phone number|mobile phone|телефон клиента"
        "|номер телефона|телефон пациента|телефон заказчика|контактный телефон|мобильный телефон|моб телефон"
        "|тел клиента|телефон для связи",
    ),
    "contact_email": (
        "",
        "contact email|client email|customer email|почта клиента|e mail клиента",
    ),
}
"""Headings of each field as people write them, folded: single words, and phrases separated by bars."""
_FIELD_OF = {
    heading: field for field, (single, phrases) in WORDS.items() for heading in (*single.split(), *phrases.split("|"))
}
_BEGINNINGS = tuple(
    (f"{words} ", _FIELD_OF[words])
    for words in (
        "дата и время начала", "дата начала", "время начала", "дата и время окончания", "дата окончания", "дата конца",
        "дата и время завершения", "дата завершения", "время окончания", "время конца", "время завершения",
        "длительность", "продолжительность", "duration",
    )
)  # fmt: skip
"""Headings that mean the same whatever begins or ends: "дата окончания отпуска"."""
_UNITS = {
    word: unit
    for unit, words in (
        (timedelta(days=1), "дн дня дней день дни сутки суток day days"),
        (timedelta(hours=1), "ч час часа часов часы часах h hr hrs hour hours"),
        (timedelta(minutes=1), "мин минут минуты минута минутах min mins minute minutes"),
        (timedelta(seconds=1), "сек секунд секунды sec secs second seconds"),
    )
    for word in words.split()
}
_OWN_UNIT = re.compile(r"(?:ак|акад\w*|уч|учебн\w*|раб|рабоч\w*|пар|пары|уроков|academic|working|business|lessons)")
"""Hours of 45 minutes and days without weekends: what they come to is a matter of the house."""
_HOW_MANY = frozenset(
    ["кол", "во", "количество", "число", "всего", "объем", "срок", "норма", "в", "календарных", "number", "of", "total"]
)
_GROUPS = frozenset({"класс", "группа", "подгруппа", "бригада", "команда", "отдел", "class", "group", "team"})
_INNER_CAPITAL = re.compile(r"(?<=[a-zа-яё])(?=[A-ZА-ЯЁ][a-zа-яё])")


def parted(title: str) -> str:
    """Return a heading that 1C has written as one word, "ДатаНачала", as the words that it is made of."""
    return _INNER_CAPITAL.sub(" ", title)


def field_of(title: str) -> str | None:
    """Return the field that a heading names, None if it is not known."""
    # Punctuation, case and ё are written in every way: "E-mail", "e_mail", "Ещё", "Ф.И.О.", "№ записи".
    said = parted(title).casefold().replace("ё", "е").replace("№", " номер " if title.strip("№ .#") else " ")
    folded = " ".join(re.sub(r"[^\w]+|_+", " ", said).split()).replace("ф и о", "фио")
    if folded in ("", "n", "no", "№"):
        return "uid" if title.strip() == "№" else None
    known = _FIELD_OF.get(folded) or next((field for words, field in _BEGINNINGS if folded.startswith(words)), None)
    return known or ("duration" if _counts_units(folded.split()) else None)


def _counts_units(words: list[str]) -> bool:
    """Return True for a unit with nothing else, "Мин.", or with a word that asks how many, "Кол-во часов"."""
    others = [word for word in words if word not in _UNITS and not _OWN_UNIT.fullmatch(word)]
    return len(others) < len(words) and all(word in _HOW_MANY for word in others)


def unit_of(title: str) -> timedelta | None:
    """Return what a bare number counts below a heading such as "Кол-во часов", minutes if the heading does not say it.

    None for a heading that names two units, or academic hours and working days, which are no units of time.
    """
    words = _words(title)
    units = {_UNITS[word] for word in words if word in _UNITS}
    if len(units) > 1 or any(map(_OWN_UNIT.fullmatch, words)):
        return None
    return units.pop() if units else timedelta(minutes=1)


def names_group(title: str) -> bool:
    """Return True if a heading of owners means groups, such as the classes of a school, not people."""
    return bool(_GROUPS & set(_words(title)))


def says_unit(title: str) -> bool:
    """Return True if a heading names the unit of the numbers below it."""
    return any(word in _UNITS for word in _words(title))


def _words(title: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", parted(title).casefold())
