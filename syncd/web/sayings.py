"""What syncd says of entries and portals, in Russian, for the page.

Messages are made in English where the facts are. Here those that people meet most are put into Russian by their shape;
what is not known stays as it is and is marked as English, for whoever reads the page by ear.
"""

from __future__ import annotations

import re
from typing import Final

from syncd.html import Child, tag
from syncd.web.language import Language

_RUSSIAN: Final = (
    # Why a plan changes something (model/diff.py, adoption.py).
    ("new in the source", "новое в источнике"),
    ("source changed", "изменено в источнике"),
    ("section changed", "изменён раздел"),
    ("the outcome of its last update is not known", "неизвестно, чем кончилось последнее изменение"),
    ("gone from the source", "исчезло из источника"),
    (
        r"gone from the source for (\d+) of (\d+) passes \(removed_after\); not deleted yet",
        r"исчезло из источника, проход \1 из \2 (removed_after); пока не удалено",
    ),
    ("gone from the source, but edited in the portal since", "исчезло из источника, но изменено на портале"),
    ("deleted in the portal", "удалено на портале"),
    (r"deleted in the portal by (.*)", r"удалено на портале, кем: \1"),
    (r"edited in the portal: (.*)", r"изменено на портале: \1"),
    (r"edited in the portal by ([^:]*): (.*)", r"изменено на портале, кем: \1: \2"),
    (r"edited in the portal since: (.*)", r"с тех пор изменено на портале: \1"),
    ("bears the mark of this entry", "несёт метку этой записи"),
    ("an identical event already exists", "такое же событие уже есть"),
    (
        r"an event at this time already exists, which differs in (.*)",
        r"событие в это время уже есть, отличается: \1",
    ),
    ("another event has its id in the portal now", "на портале этот id теперь у другого события"),
    (
        "what stands at its id in the portal cannot be read, so it is not touched; the next pass tries again",
        "то, что стоит на портале под этим id, не читается и потому не тронуто; следующий проход попробует снова",
    ),
    # What stops a pass or a portal.
    (r"operating time of (.*)", r"операционное время метода \1"),
    ("the request rate", "частота запросов"),
    (
        r"(\S+): (\d+) of (\d+) known entries are gone from the source and would be deleted, more than max_removed ="
        r" (\S+) allows \((.*)\); nothing was sent \(check the source; if this is right, run once with --force or raise"
        r" max_removed in \[\[sync\]\] \S+\)",
        r"\1: из источника исчезло \2 из \3 известных записей, и они были бы удалены; max_removed = \4 столько не"
        r" допускает (\5); ничего не отправлено (проверьте источник; если всё верно, запустите один раз с --force или"
        r" увеличьте max_removed)",
    ),
    (
        r"(\S+): (\d+) of (\d+) known entries would change, more than max_changed = (\S+) allows \((.*)\); nothing was"
        r" sent \(.*\)",
        r"\1: изменилось бы \2 из \3 известных записей; max_changed = \4 столько не допускает (\5); ничего"
        r" не отправлено (посмотрите syncd plan \1; если всё верно, запустите один раз с --force или увеличьте"
        r" max_changed)",
    ),
    (r"(.*) refuses the webhook: (.*)", r"\1 не принимает вебхук: \2"),
    (r"(.*) does not let anything through: (.*)", r"\1 ничего не пропускает: \2"),
    (r"no progress for (\d+) minutes", r"нет движения уже \1 мин"),
    (r"the portal refused all (\d+) changes", r"портал отклонил все изменения: \1"),
    # What is wrong with an entry or a file (source/, target/).
    (r"(?:the )?end is before (?:the )?start(.*)", r"конец раньше начала\1"),
    (r"there is no title(.*)", r"нет названия\1"),
    (r"there is no start(.*)", r"нет начала\1"),
    (r"no user (.*) in the portal(?: \(see on_unresolved\))?", r"на портале нет пользователя \1"),
    (r"the portal refused it: (.*)", r"портал отклонил: \1"),
    (r"(.*) has the same uid(.*)", r"\1: тот же uid\2"),
    (r"(.*): No such file or directory(?: \(check path in \[sync\.source\]\))?", r"\1: такого файла нет"),
    (r"(.*): Permission denied(.*)", r"\1: нет доступа\2"),
    (r"(.*) is empty \(.*\)", r"\1: файл пуст"),
    (r"(.*) has no rows \(.*\)", r"\1: нет строк"),
    (
        r"(.*): there is not (.*) \(check path in \[sync\.source\]\)",
        r"\1: нет \2 (проверьте path в [sync.source])",
    ),
)
"""Pairs of an English message, as a pattern of the whole, and the Russian one. The first that fits is used."""
_LONGEST: Final = 2000
"""Characters of a message that is compared with the patterns: what a feed or a portal says may be of any length."""
_PATTERNS: Final = tuple((re.compile(english, re.DOTALL), russian) for english, russian in _RUSSIAN)


def told(text: str, language: Language) -> Child:
    """Return a message in `language`, marked as English where it is not known in Russian."""
    if language == "en" or not text:
        return text
    if len(text) > _LONGEST:
        return tag("span", text, lang="en")
    for pattern, russian in _PATTERNS:
        if found := pattern.fullmatch(text):
            return found.expand(russian)
    return (
        text if re.search("[А-Яа-яЁё]", text) and not re.search("[A-Za-z]{3}", text) else tag("span", text, lang="en")
    )
