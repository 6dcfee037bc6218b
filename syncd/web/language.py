"""The words of the status page in English and Russian, and how each language writes times, durations and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

Language = Literal["en", "ru"]

_ENGLISH: Mapping[str, str] = {
    "title": "syncd status",
    "all_well": "Everything is up to date",
    "some_stale": "Needs attention",
    "failing_some": "A pass has failed and is tried again",
    "left_some": "Entries are held back, rejected or unsettled",
    "waiting_some": "Waiting for a first pass",
    "paused_some": "Up to date, apart from what is paused",
    "find": "Find a sync or portal",
    "which": "Which syncs",
    "every_sync": "all",
    "none_found": "No sync is like that.",
    "left": "about {0} left",
    "done_of": "{0} of {1} changes",
    "back": "All syncs",
    "run": "Pass",
    "started": "Started",
    "took": "Took",
    "runs": "Last passes",
    "changed": "What it changed",
    "and_more": "and more",
    "no_runs": "No pass yet.",
    "no_changes": "It changed nothing.",
    "language": "Language",
    "when": "When",
    "what": "What",
    "where": "Where",
    "fields": "Fields",
    "op": "Change",
    "syncs": "Syncs",
    "sync": "Sync",
    "state": "State",
    "portals": "Portals",
    "fresh": "up to date",
    "stale": "stale",
    "new": "first pass pending",
    "running": "running",
    "failing": "backing off",
    "paused": "paused",
    "last_pass": "Last pass",
    "next_pass": "Next pass",
    "last_success": "Last success",
    "entries": "Entries",
    "items": "Events",
    "held": "Held",
    "open": "Unsettled",
    "never": "never",
    "now": "now",
    "held_items": "Held back",
    "again": "again",
    "until_looked_at": "until somebody decides",
    "problems": "Problems of the last pass",
    "more": "more",
    "plan": "Plan under way",
    "plan_stopped": "Plan waiting for a decision",
    "changes_n": "{0} changes",
    "changed_n": "changes: {0}",
    "notices_n": "{0} notices to people",
    "takes": "takes about",
    "budget": "Operating time per method",
    "no_budget": "Nothing used yet",
    "of": "of",
    "resets": "frees up",
    "unlimited": "no limit",
    "requests": "requests",
    "commands": "commands",
    "every": "every",
    "waiting": "waiting for",
    "history": "Last passes",
    "seconds": "s",
    "held_by": "written to by {}",
    "held_by_none": "written to by no machine yet",
    "refuses": "refuses syncd",
    "config_refused": "The changed config was refused; the old one stays in force",
    "version": "version",
    "up_since": "running since",
    "updated": "as of",
    "create": "create",
    "update": "update",
    "delete": "delete",
    "adopt": "take over",
    "unchanged": "unchanged",
    "rejected": "rejected",
    "conflict": "conflict",
    "created": "created",
    "updated_n": "updated",
    "deleted": "deleted",
    "adopted": "taken over",
    "kept": "gone, kept",
    "done": "done",
    "partial": "in part",
    "stopped": "stopped",
    "failed": "failed",
    "skipped": "left out",
    "warning": "note",
    "incomplete": "incomplete",
    "no_syncs": "No sync is configured.",
    "nothing_changed": "nothing to change",
}
_RUSSIAN: Mapping[str, str] = {
    "title": "Состояние syncd",
    "all_well": "Всё актуально",
    "some_stale": "Требует внимания",
    "failing_some": "Проход не удался и будет повторён",
    "left_some": "Есть отложенные, отклонённые или невыясненные записи",
    "waiting_some": "Ждёт первого прохода",
    "paused_some": "Всё актуально, кроме поставленного на паузу",
    "find": "Найти синхронизацию или портал",
    "which": "Какие синхронизации",
    "every_sync": "все",
    "none_found": "Таких синхронизаций нет.",
    "left": "осталось около {0}",
    "done_of": "изменений: {0} из {1}",
    "back": "Все синхронизации",
    "run": "Проход",
    "started": "Начат",
    "took": "Занял",
    "runs": "Последние проходы",
    "changed": "Что изменилось",
    "and_more": "и ещё",
    "no_runs": "Проходов ещё не было.",
    "no_changes": "Ничего не изменилось.",
    "language": "Язык",
    "when": "Когда",
    "what": "Что",
    "where": "Где",
    "fields": "Поля",
    "op": "Изменение",
    "syncs": "Синхронизации",
    "sync": "Синхронизация",
    "state": "Состояние",
    "portals": "Порталы",
    "fresh": "актуально",
    "stale": "устарело",
    "new": "ждёт первого прохода",
    "running": "выполняется",
    "failing": "пауза после сбоя",
    "paused": "на паузе",
    "last_pass": "Последний проход",
    "next_pass": "Следующий проход",
    "last_success": "Последний успех",
    "entries": "Записей",
    "items": "Событий",
    "held": "Отложено",
    "open": "Не выяснено",
    "never": "никогда",
    "now": "сейчас",
    "held_items": "Отложенные записи",
    "again": "повтор",
    "until_looked_at": "пока кто-нибудь не решит",
    "problems": "Замечания последнего прохода",
    "more": "ещё",
    "plan": "Выполняемый план",
    "plan_stopped": "План ждёт решения",
    "changes_n": "изменений: {0}",
    "changed_n": "изменений: {0}",
    "notices_n": "уведомлений людям: {0}",
    "takes": "займёт около",
    "budget": "Операционное время по методам",
    "no_budget": "Пока не расходовалось",
    "of": "из",
    "resets": "освободится",
    "unlimited": "без ограничения",
    "requests": "запросов",
    "commands": "команд",
    "every": "раз в",
    "waiting": "ожидание:",
    "history": "Последние проходы",
    "seconds": "с",
    "held_by": "ведёт {}",
    "held_by_none": "пока не ведёт ни одна машина",
    "refuses": "не принимает syncd",
    "config_refused": "Изменённая конфигурация отклонена, действует прежняя",
    "version": "версия",
    "up_since": "работает с",
    "updated": "на",
    "create": "создать",
    "update": "изменить",
    "delete": "удалить",
    "adopt": "принять",
    "unchanged": "без изменений",
    "rejected": "отклонено",
    "conflict": "конфликт",
    "created": "создано",
    "updated_n": "изменено",
    "deleted": "удалено",
    "adopted": "принято",
    "kept": "исчезло, оставлено",
    "done": "выполнен",
    "partial": "частично",
    "stopped": "остановлен",
    "failed": "сбой",
    "skipped": "пропущено",
    "warning": "заметка",
    "incomplete": "неполно",
    "no_syncs": "Ни одной синхронизации не настроено.",
    "nothing_changed": "изменений нет",
}
WORDS: Mapping[Language, Mapping[str, str]] = {"en": _ENGLISH, "ru": _RUSSIAN}
_UNITS: Mapping[Language, tuple[str, str, str, str]] = {"en": ("s", "min", "h", "d"), "ru": ("с", "мин", "ч", "дн")}


NAMES: Mapping[Language, str] = {"en": "English", "ru": "Русский"}
"""What each language calls itself."""


def language_of(accept: str) -> Language:
    """Return which of the two languages an Accept-Language header prefers; English if it names neither."""
    best: tuple[float, Language] = (0.0, "en")
    for part in accept.split(","):
        name, _, quality = part.partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=")) if quality.strip() else 1.0
        except ValueError:  # a malformed quality: the header is a wish, no reason for an error
            continue
        known: Language | None = {"en": "en", "ru": "ru"}.get(name.strip().lower()[:2])  # type: ignore[assignment]
        if known is not None and weight > best[0]:
            best = (weight, known)
    return best[1]


def moment(unix: float, now: float, language: Language) -> str:
    """Return a time relative to `now`: "3 min ago", "in 2 h"."""
    distance = duration(abs(unix - now), language)
    if abs(unix - now) < 1:
        return WORDS[language]["now"]
    if language == "ru":
        return f"через {distance}" if unix > now else f"{distance} назад"
    return f"in {distance}" if unix > now else f"{distance} ago"


def duration(seconds: float, language: Language) -> str:
    """Return a duration in the largest unit that still gives at least one and a half: 89 s, 89 min, 35 h."""
    second, minute, hour, day = _UNITS[language]
    if seconds < 1:
        return f"{seconds:.1f} {second}".replace(".", "," if language == "ru" else ".")
    if seconds < 90:
        return f"{seconds:.0f} {second}"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} {minute}"
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.0f} {hour}"
    return f"{seconds / 86400:.0f} {day}"


def number(value: int, language: Language) -> str:
    """Return a count with its thousands separated: by a comma in English, a narrow space in Russian."""
    return f"{value:,}".replace(",", "," if language == "en" else "\u202f")


def stamp(unix: float) -> str:
    """Return a time in the machine's zone, to the second, with the zone."""
    return datetime.fromtimestamp(unix, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def machine_stamp(unix: float) -> str:
    """Return a time as ISO 8601 in UTC, as the <time> element and JSON want it."""
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="seconds")
