"""The words of the sandbox's page in English and Russian, and how each language writes dates."""

from __future__ import annotations

from datetime import date, datetime
from types import MappingProxyType
from typing import Literal

Lang = Literal["en", "ru"]

MINUS_TO = "–"

_EN = MappingProxyType(
    {
        "sandbox": "Simulated portal",
        "skip": "Skip to content",
        "calendars": "Calendars",
        "user": "Personal calendar",
        "group": "Group calendar",
        "company_calendar": "Company calendar",
        "other_type": "Calendar",
        "operating": "Operating time",
        "operating_hint": "Seconds of one method in ten minutes",
        "operating_none": "No method has used any noticeable time.",
        "seconds": "{0} / {1} s",
        "resets": "resets at {0}",
        "traffic": "Traffic",
        "requests": "Requests",
        "commands": "Commands",
        "failed": "Failed",
        "refused": "Refused for intensity",
        "blocked": "Blocked for time",
        "notices": "Notices sent to people",
        "no_calendars": "This portal has no calendars.",
        "no_sections": "No sections yet",
        "previous": "Previous month",
        "next": "Next month",
        "today": "Today",
        "month_of": "Month",
        "times_in": "Times in {0} unless another zone is named",
        "all_day": "All day",
        "more": "+{0} more",
        "close": "Close",
        "empty_month": "Nothing this month.",
        "no_title": "(no title)",
        "day_of": "day {0} of {1}",
        "private": "private",
        "cancelled": "cancelled",
        "tentative": "tentative",
        "recurring": "repeats",
        "where": "Where",
        "section": "Section",
        "repeats": "Repeats",
        "except": "Except",
        "reminders": "Reminders",
        "attendees": "Attendees",
        "shown_as": "Shown as",
        "importance": "Importance",
        "created": "Created",
        "changed": "Changed",
        "version": "Version",
        "row": "The row as the portal keeps it",
        "description": "Description",
        "back": "Back to {0}",
        "busy": "busy",
        "quest": "tentative",
        "free": "free",
        "absent": "absent",
        "high": "high",
        "normal": "normal",
        "low": "low",
        "H": "host",
        "Y": "accepted",
        "N": "declined",
        "Q": "not answered",
        "other_language": "Русский",
    }
)
_RU = MappingProxyType(
    {
        "sandbox": "Учебный портал",
        "skip": "К содержанию",
        "calendars": "Календари",
        "user": "Личный календарь",
        "group": "Календарь группы",
        "company_calendar": "Календарь компании",
        "other_type": "Календарь",
        "operating": "Время работы методов",
        "operating_hint": "Секунды одного метода за десять минут",
        "operating_none": "Ни один метод ещё не занял заметного времени.",
        "seconds": "{0} / {1} с",
        "resets": "сброс в {0}",
        "traffic": "Обмен",
        "requests": "Запросы",
        "commands": "Команды",
        "failed": "С ошибкой",
        "refused": "Отказано по частоте",
        "blocked": "Отказано по времени",
        "notices": "Уведомления людям",
        "no_calendars": "На портале нет календарей.",
        "no_sections": "Разделов пока нет",
        "previous": "Предыдущий месяц",
        "next": "Следующий месяц",
        "today": "Сегодня",
        "month_of": "Месяц",
        "times_in": "Время: {0}, если не указан другой пояс",
        "all_day": "Весь день",
        "more": "ещё {0}",
        "close": "Закрыть",
        "empty_month": "В этом месяце ничего нет.",
        "no_title": "(без названия)",
        "day_of": "день {0} из {1}",
        "private": "личное",
        "cancelled": "отменено",
        "tentative": "под вопросом",
        "recurring": "повторяется",
        "where": "Место",
        "section": "Раздел",
        "repeats": "Повтор",
        "except": "Кроме",
        "reminders": "Напоминания",
        "attendees": "Участники",
        "shown_as": "Занятость",
        "importance": "Важность",
        "created": "Создано",
        "changed": "Изменено",
        "version": "Версия",
        "row": "Запись, как её хранит портал",
        "description": "Описание",
        "back": "Назад: {0}",
        "busy": "занят",
        "quest": "под вопросом",
        "free": "свободен",
        "absent": "отсутствует",
        "high": "высокая",
        "normal": "обычная",
        "low": "низкая",
        "H": "организатор",
        "Y": "придёт",
        "N": "не придёт",
        "Q": "нет ответа",
        "other_language": "English",
    }
)
_WORDS: MappingProxyType[Lang, MappingProxyType[str, str]] = MappingProxyType({"en": _EN, "ru": _RU})

_WEEKDAYS: MappingProxyType[Lang, tuple[str, ...]] = MappingProxyType(
    {
        "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        "ru": ("Понедельник", "Вторник", "Среда", "Четверг", "Пятница", "Суббота", "Воскресенье"),
    }
)
_WEEKDAYS_SHORT: MappingProxyType[Lang, tuple[str, ...]] = MappingProxyType(
    {
        "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
        "ru": ("Пн", "Вт", "Ср", "Чт", "Пт", "Сб", "Вс"),
    }
)
_MONTHS: MappingProxyType[Lang, tuple[str, ...]] = MappingProxyType(
    {
        "en": (
            *("January", "February", "March", "April", "May", "June"),
            *("July", "August", "September", "October", "November", "December"),
        ),
        "ru": (
            *("Январь", "Февраль", "Март", "Апрель", "Май", "Июнь"),
            *("Июль", "Август", "Сентябрь", "Октябрь", "Ноябрь", "Декабрь"),
        ),
    }
)
_MONTHS_OF = (
    *("января", "февраля", "марта", "апреля", "мая", "июня"),
    *("июля", "августа", "сентября", "октября", "ноября", "декабря"),
)


def word(lang: Lang, key: str, *values: str | int) -> str:
    """Return a text of the page; an unknown key, which may be a value of an event, is returned as it is."""
    return _WORDS[lang].get(key, key).format(*values) if key in _WORDS[lang] else key


def month_title(lang: Lang, year: int, month: int) -> str:
    """Return "December 2026"."""
    return f"{_MONTHS[lang][month - 1]} {year}"


def weekday(lang: Lang, day: date) -> str:
    """Return the full name of a weekday."""
    return _WEEKDAYS[lang][day.weekday()]


def weekday_short(lang: Lang, day: date) -> str:
    """Return the short name of a weekday."""
    return _WEEKDAYS_SHORT[lang][day.weekday()]


def day_text(lang: Lang, day: date, *, year: bool = False) -> str:
    """Return "1 December" or "1 декабря", with the year if asked."""
    name = _MONTHS_OF[day.month - 1] if lang == "ru" else _MONTHS[lang][day.month - 1]
    return f"{day.day} {name} {day.year}" if year else f"{day.day} {name}"


def moment_text(lang: Lang, moment: datetime) -> str:
    """Return date and time of day in full."""
    return f"{day_text(lang, moment.date(), year=True)}, {moment:%H:%M}"


def events_text(lang: Lang, count: int) -> str:
    """Return "3 events" in the grammar of the language."""
    number = f"{count:,}".replace(",", "\u202f")
    if lang == "en":
        return f"{number}\u00a0{'event' if count == 1 else 'events'}"
    tens, ones = count % 100, count % 10
    noun = "событий" if 11 <= tens <= 14 or ones == 0 or ones > 4 else "событие" if ones == 1 else "события"
    return f"{number}\u00a0{noun}"
