"""Words that mean yes or no in a template's result."""

from __future__ import annotations

from syncd.errors import EntryError

_NO = frozenset({"", "0", "n", "no", "false", "off", "нет"})
_YES = frozenset({"1", "y", "yes", "true", "on", "да", "x", "private", "done", "completed", "выполнено"})


def truth(text: str, name: str) -> bool:
    """Return what `text` says about the field `name`; raises EntryError for a word that is neither yes nor no."""
    word = text.strip().casefold()
    if word in _YES or word in _NO:
        return word in _YES
    raise EntryError(f"{name} is {word!r}", "write yes or no")
