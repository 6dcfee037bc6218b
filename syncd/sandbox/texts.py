"""The portal's messages in its language, and how it writes dates (PORTAL.md 4, table of texts; 4.6)."""

from __future__ import annotations

from datetime import date, datetime
from types import MappingProxyType
from typing import Literal

Language = Literal["en", "ru"]
Culture = Literal["ru", "us", "iso"]

_EN = MappingProxyType(
    {
        "PARAM_MISSING": 'The required parameter "{0}" for the method "{1}" is not set',
        "PARAM_BAD": 'Invalid value for the parameter "{0}"',
        "DENIED": "Access denied",
        "BAD_SECTION": "You specified an invalid calendar section ID or the user does not have access to it",
        "BAD_MODE": "An invalid editing type for the recurring event is specified",
        "BAD_CRM": "The list of event links to CRM must be an array",
        "ADD_FAIL": "An error occurred while creating the event",
        "UPD_FAIL": "An error occurred while changing the event",
        "NO_ID": "Event id not specified",
        "DEL_FAIL": "An error occurred while deleting the event",
        "SECTION_FAIL": "An error occurred while creating the section",
        "SECTION_NO_ID": "Section ID is not set",
        "BUSY": "[busy]",
        "QUEST": "[tentative]",
        "FREE": "[free]",
        "ABSENT": "[away]",
        "NEW_EVENT": "New event",
        "PERSONAL": "My calendar",
        "MEETINGS": "Meetings",
        "DAILY": "every {0} day(s)",
        "WEEKLY": "every {0} week(s) on {1}",
        "MONTHLY": "every {0} month(s)",
        "YEARLY": "every {0} year(s)",
    }
)
# Russian texts that the documentation does not give are missing here; the English ones stand in (PORTAL.md 4).
_RU = MappingProxyType(
    {
        "PARAM_MISSING": 'Не задан обязательный параметр "{0}" для метода "{1}"',
        "PARAM_BAD": 'Недопустимое значение параметра "{0}"',
        "DENIED": "Доступ запрещен",
        "BAD_SECTION": "Вы задали неверный ID секции календаря или у данного пользователя нет к ней доступа",
        "BAD_MODE": "Указан несуществующий тип редактирования повторяемого события",
        "BAD_CRM": "Список связей события с CRM должен быть массивом",
        "ADD_FAIL": "При создании события произошла ошибка",
        "UPD_FAIL": "При изменении события произошла ошибка",
        "NO_ID": "Не задан id события",
        "DEL_FAIL": "При удалении события произошла ошибка",
        "SECTION_FAIL": "При создании секции произошла ошибка",
        "BUSY": "[занят]",
        "QUEST": "[под вопросом]",
        "FREE": "[свободен]",
        "ABSENT": "[отсутствует]",
        "NEW_EVENT": "Новое событие",
        "PERSONAL": "Мой календарь",
        "MEETINGS": "Встречи",
        "DAILY": "каждый {0} день",
        "WEEKLY": "каждую {0} неделю: {1}",
        "MONTHLY": "каждый {0} месяц",
        "YEARLY": "каждый {0} год",
    }
)
_TEXTS = MappingProxyType({"en": _EN, "ru": _RU})

_DAY_FORMATS = MappingProxyType({"ru": "%d.%m.%Y", "us": "%m/%d/%Y", "iso": "%Y-%m-%d"})


def text(language: Language, key: str, *values: str) -> str:
    """Return the message `key` in the portal's language, in English where the Russian text is not known."""
    found = _TEXTS[language].get(key) or _EN[key]
    return found.format(*values)


def culture_day(day: date, culture: Culture) -> str:
    """Write a date as the site settings say."""
    return day.strftime(_DAY_FORMATS[culture])


def culture_moment(wall: datetime, culture: Culture) -> str:
    """Write a wall clock as the site settings say: 24 hours with seconds, or am/pm in the American culture."""
    day = wall.strftime(_DAY_FORMATS[culture])
    if culture == "us":
        return f"{day} {wall:%I:%M:%S} {'am' if wall.hour < 12 else 'pm'}"
    return f"{day} {wall:%H:%M:%S}"


_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def formatted(wall: datetime, *, all_day: bool) -> str:
    """Write the `*_FORMATTED` text: always English, `Wed Dec 11 2024 17:59:00`, without time for all-day."""
    day = f"{_WEEKDAYS[wall.weekday()]} {_MONTHS[wall.month - 1]} {wall:%d} {wall.year:04d}"
    return day if all_day else f"{day} {wall:%H:%M:%S}"
