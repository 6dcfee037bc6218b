"""Values that are given one after the other, so that not all of them need be in memory at once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TypeVar, overload

T = TypeVar("T")
R = TypeVar("R")


class Again(Sequence[T]):
    """A sequence of `count` values that are worked out again whenever somebody goes through it, so it is never kept.

    `begin` returns an iterator of them. Going through it may take long, and may raise what `begin` raises.
    """

    def __init__(self, count: int, begin: Callable[[], Iterator[T]]) -> None:
        self._count = count
        self._begin = begin

    def __iter__(self) -> Iterator[T]:
        return self._begin()

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> T: ...

    @overload
    def __getitem__(self, at: slice) -> tuple[T, ...]: ...

    def __getitem__(self, at: int | slice) -> T | tuple[T, ...]:
        return tuple(self)[at]


def telling(values: Generator[T, None, R], tell: Callable[[R], object]) -> Iterator[T]:
    """Yield all `values`, and then call `tell` with what their generator returns."""
    tell((yield from values))
