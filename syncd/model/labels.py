"""The labels of the fields of events, activities and to-dos, in texts for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from syncd.lang.saying import say_as

LABELS: Final[Mapping[str, str]] = {
    str(one): one
    for one in (
        say_as("field", "name"),
        say_as("field", "start"),
        say_as("field", "end"),
        say_as("field", "all_day"),
        say_as("field", "zone_from"),
        say_as("field", "zone_to"),
        say_as("field", "rule"),
        say_as("field", "description"),
        say_as("field", "location"),
        say_as("field", "color"),
        say_as("field", "text_color"),
        say_as("field", "accessibility"),
        say_as("field", "importance"),
        say_as("field", "private"),
        say_as("field", "remind"),
        say_as("field", "meeting"),
        say_as("field", "crm"),
        say_as("field", "mark"),
        say_as("field", "subject"),
        say_as("field", "bbcode"),
        say_as("field", "priority"),
        say_as("field", "responsible"),
        say_as("field", "notify"),
        say_as("field", "completed"),
        say_as("field", "communication"),
        say_as("field", "origin"),
        say_as("field", "title"),
        say_as("field", "deadline"),
        say_as("field", "pings"),
        say_as("field", "direction"),
        say_as("field", "html"),
        say_as("field", "version"),
        say_as("field", "extra"),
        say_as("field", "files"),
        say_as("field", "file_count"),
        say_as("field", "section"),
        say_as("field", "occurrences"),
    )
}
"""By the name of a field in plans and reports, which is also its English label."""


def labels(names: Iterable[str]) -> tuple[str, ...]:
    """Return the labels of the fields `names`. A field that the config itself names keeps that name."""
    return tuple(LABELS.get(name, name) for name in names)
