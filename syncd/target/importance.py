"""How important an entry is, as its priority or the config says (RFC 5545, 3.8.1.9: 1 is the highest, 9 the lowest)."""

from __future__ import annotations

from typing import Literal, get_args

from syncd.errors import EntryError
from syncd.model.entry import Details, Entry, Span
from syncd.model.template import Template

Importance = Literal["high", "normal", "low"]


def importance_of(template: Template | None, entry: Entry, details: Details, span: Span) -> Importance:
    """Return what `template` gives, else what PRIORITY means: 1 to 4 high, 6 to 9 low; raises EntryError."""
    if template is None:
        priority = details.priority or 5
        return "high" if priority < 5 else "low" if priority > 5 else "normal"
    word = template.render(entry, details, span).strip().lower()
    for known in get_args(Importance):
        if known == word:
            return known  # type: ignore[no-any-return]
    raise EntryError(f"importance is {word!r}", "it must be one of high, normal, low")
