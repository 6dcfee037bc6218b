"""Messages that say the same about different things, so that one fault in a thousand rows is reported once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
_FEW = 3
_VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|«[^»]*»|\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group(Generic[T]):
    """Items with similar messages. `examples` are reported one by one, the `others` are only counted."""

    examples: tuple[T, ...]
    others: tuple[T, ...] = ()

    @property
    def size(self) -> int:
        """The number of items in the group."""
        return len(self.examples) + len(self.others)


def alike(items: Iterable[T], said: Callable[[T], str]) -> tuple[Group[T], ...]:
    """Return the items in groups whose messages differ only in numbers and in quoted texts.

    The groups are in the order of their first items. The examples of a group of more than three items are the first
    ones with different messages, at most three.
    """
    groups: dict[str, list[T]] = {}
    for item in items:
        groups.setdefault(_VARYING.sub("…", said(item)), []).append(item)
    return tuple(_group(group, said) for group in groups.values())


def _group(items: list[T], said: Callable[[T], str]) -> Group[T]:
    if len(items) <= _FEW:
        return Group(examples=tuple(items))
    first: dict[str, int] = {}
    for at, item in enumerate(items):
        if len(first) < _FEW:
            first.setdefault(said(item), at)
    told = set(first.values())
    others = tuple(item for at, item in enumerate(items) if at not in told)
    return Group(examples=tuple(items[at] for at in sorted(told)), others=others)
