"""Puts messages on the page: in the reader's language, with pieces of HTML among their values."""

from __future__ import annotations

import re
import string
from typing import Final

from syncd.html import Child, Markup, join, tag
from syncd.lang.catalog import Language, form_in, formatter, told
from syncd.lang.saying import Saying

_LATIN_WORD: Final = re.compile("[A-Za-z]{3}")
_CYRILLIC: Final = re.compile("[А-Яа-яЁё]")


def shown(text: str, language: Language) -> Child:
    """Return a message in `language`. Text that exists in English only is marked as such, for screen readers.

    That is text that an older version kept as a plain string, and whatever portals, plugins and libraries say.
    """
    if language == "en" or not text:
        return str(text)
    if isinstance(text, Saying) and (said := told(text, language)) != text:
        return said
    own = _CYRILLIC.search(text) and not _LATIN_WORD.search(text)
    return str(text) if own else tag("span", str(text), lang="en")


def phrase(message: Saying, language: Language, **pieces: Child) -> Markup:
    """Return a message in `language`, with these `pieces` of HTML in place of the values of the same names."""
    write, values = formatter(language), message.values
    found: list[Child] = []
    for text, name, spec, _ in string.Formatter().parse(form_in(message, language)):
        found.append(text)
        if name is not None:
            found.append(pieces[name] if name in pieces else write.format_field(values[name], spec or ""))
    return join(*found)
