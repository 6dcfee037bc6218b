"""What an entry's description says in BB-code, whatever the source wrote it in."""

from __future__ import annotations

from dataclasses import replace

from syncd.model.entry import Details
from syncd.model.markup import is_html, to_bbcode

_ALTERNATIVE = "X-ALT-DESC"


def readable(details: Details) -> tuple[Details, bool]:
    """Return `details` with an HTML description as BB-code, and whether it was HTML.

    Outlook's X-ALT-DESC stands for the description it repeats.
    """
    for title, value in details.columns:
        if title == _ALTERNATIVE and is_html(value):
            return replace(details, description=to_bbcode(value)), True
    if is_html(details.description):
        return replace(details, description=to_bbcode(details.description)), True
    return details, False
