"""Which language a person gets: what they ask for, then what the config says, then the system's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from syncd.lang.catalog import LANGUAGES, Language

_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
_CONFIGURED = re.compile(r"""^[ \t]*(["']?)language\1[ \t]*=[ \t]*(\"\"\"|'''|["'])([A-Za-z_-]*)\2""", re.MULTILINE)
_TABLE = re.compile(r"^[ \t]*\[", re.MULTILINE)
_BEHIND_LANGUAGE = re.compile(r"[-_.@]")
"""What may follow the language in a locale: territory, codeset and modifier (POSIX, 8.2)."""
_MOST_READ = 65_536


def asked_language(environment: Mapping[str, str], flag: str | None = None) -> Language | None:
    """Return the language of `--lang` or `SYNCD_LANG`, None if neither names a known one."""
    return named(flag or "") or named(environment.get("SYNCD_LANG", ""))


def house_language(environment: Mapping[str, str], configured: Language | None) -> Language:
    """Return the language of a process: what is asked for, else the config's, else the system's."""
    return asked_language(environment) or configured or system_language(environment)


def configured_language(config: Path) -> Language | None:
    """Return the `language` at the top of the config, None if it names none or cannot be read.

    The text is only searched, because errors of a config have to be reported in the language that it asks for. A config
    that comes through a pipe can be read only once, so it is left to the command.
    """
    try:
        if not config.is_file():
            return None
        with config.open(encoding="utf-8-sig", errors="replace") as file:
            text = file.read(_MOST_READ)
    except (OSError, ValueError):
        return None
    top = text[: table.start()] if (table := _TABLE.search(text)) is not None else text
    found = _CONFIGURED.search(top)
    return LANGUAGES.get(found[3]) if found is not None else None


def system_language(environment: Mapping[str, str]) -> Language:
    """Return the language of the system's locale, English if syncd does not know it (POSIX, locale(7))."""
    for variable in _VARIABLES:
        if value := environment.get(variable):  # the first that is set decides, even if syncd does not know it
            return named(value) or "en"
    return "en"


def accepted_language(accept: str) -> Language:
    """Return the language that an Accept-Language header prefers; English if it names no known one."""
    best: tuple[float, Language] = (0.0, "en")
    for part in accept.split(","):
        name, _, quality = part.partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=")) if quality.strip() else 1.0
        except ValueError:  # a malformed quality: the header is a wish, no reason for an error
            continue
        known = named(name)
        if known is not None and weight > best[0]:
            best = (weight, known)
    return best[1]


def named(name: str) -> Language | None:
    """Return the language of a tag or a locale such as "ru", "ru-RU" or "ru_RU.UTF-8", None for an unknown one."""
    return LANGUAGES.get(_BEHIND_LANGUAGE.split(name.strip().lower(), maxsplit=1)[0])
