"""The words of tables and results: how runs, changes and problems are called, in the reader's language."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from syncd.lang.saying import say, say_as
from syncd.model.labels import LABELS, labels
from syncd.model.record import RunRecord

STATES: Final[Mapping[str, str]] = {
    "running": say_as("state of a run", "running"),
    "done": say_as("state of a run", "done"),
    "partial": say_as("state of a run", "partial"),
    "stopped": say_as("state of a run", "stopped"),
    "failed": say_as("state of a run", "failed"),
    "unknown": say_as("state of a run", "unknown"),
    "never": say_as("state of a run", "never"),
}
"""How a run ended, by its state in a record."""

TAKEN_BACK: Final[Mapping[str, Callable[[str], str]]] = {
    "undo": lambda state: say("undo: {state}", state=state),
    "purge": lambda state: say("purge: {state}", state=state),
}
"""What a run was that was no pass, with how it ended."""

KINDS: Final[Mapping[str, str]] = {
    "rejected": say_as("kind of a problem", "rejected"),
    "held": say_as("kind of a problem", "held"),
    "skipped": say_as("kind of a problem", "skipped"),
    "conflict": say_as("kind of a problem", "conflict"),
    "incomplete": say_as("kind of a problem", "incomplete"),
    "warning": say_as("kind of a problem", "warning"),
}
"""What is wrong with an entry, by the kind of the problem."""

OPS: Final[Mapping[str, str]] = {
    "create": say_as("what was done", "create"),
    "update": say_as("what was done", "update"),
    "delete": say_as("what was done", "delete"),
    "adopt": say_as("what was done", "adopt"),
}
"""What a run did to an event."""

COUNTS: Final[Mapping[str, str]] = {
    "created": say_as("count", "created"),
    "updated": say_as("count", "updated"),
    "deleted": say_as("count", "deleted"),
    "adopted": say_as("count", "adopted"),
    "unchanged": say_as("count", "unchanged"),
    "held": say_as("count", "held"),
    "rejected": say_as("count", "rejected"),
    "conflict": say_as("count", "conflict"),
    "skipped": say_as("count", "skipped"),
    "kept": say_as("count", "kept"),
}
"""Headings of the columns of counts."""

_NUMBERED: Final[Mapping[str, Callable[[int], str]]] = {
    "created": lambda number: say("{number:,} created", number=number),
    "updated": lambda number: say("{number:,} updated", number=number),
    "deleted": lambda number: say("{number:,} deleted", number=number),
    "adopted": lambda number: say("{number:,} adopted", number=number),
    "unchanged": lambda number: say("{number:,} unchanged", number=number),
    "held": lambda number: say("{number:,} held", number=number),
    "rejected": lambda number: say("{number:,} rejected", number=number),
    "conflict": lambda number: say("{number:,} conflict", number=number),
    "skipped": lambda number: say("{number:,} skipped", number=number),
    "kept": lambda number: say("{number:,} kept", number=number),
    "create": lambda number: say("{number:,} to create", number=number),
    "update": lambda number: say("{number:,} to update", number=number),
    "delete": lambda number: say("{number:,} to delete", number=number),
    "adopt": lambda number: say("{number:,} to adopt", number=number),
}


def ending(run: RunRecord) -> str:
    """Return how a run ended, and what it was unless it was a pass."""
    state = STATES.get(run.state, run.state)
    make = TAKEN_BACK.get(run.kind)
    return make(state) if make is not None else state


def numbered(name: str, number: int) -> str:
    """Return a count in words: "3 created", "5 to delete"."""
    make = _NUMBERED.get(name)
    return make(number) if make is not None else f"{number:,} {name}"


def field(name: str) -> str:
    """Return the label of the field `name` of an event, an activity or a to-do."""
    return LABELS.get(name, name)


def fields(names: Iterable[str]) -> str:
    """Return the labels of the fields `names`."""
    return say("{names}", names=labels(names))
