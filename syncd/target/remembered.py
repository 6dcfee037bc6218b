"""What a search in the directory gave, kept while the directory is the same one.

Of 100,000 entries most name the same few people, and the search for somebody like an unknown name is slow.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from syncd.errors import EntryError
from syncd.portal.people.directory import Directory

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """The function `find` of a key and a directory, whose outcome must depend on nothing else, with a memory."""

    def __init__(self, find: Callable[[K, Directory], V]) -> None:
        self._find = find
        self._directory: Directory | None = None
        self._found: dict[K, V | EntryError] = {}

    def get(self, key: K, directory: Directory) -> V:
        """Return what `find` returns for `key`; raises EntryError when it does."""
        if directory is not self._directory:
            self._directory, self._found = directory, {}
        try:
            found = self._found[key]
        except KeyError:
            found = self._found[key] = self._search(key, directory)
        if isinstance(found, EntryError):
            raise EntryError(found.message, found.remedy)  # anew: one error raised again and again grows its traceback
        return found

    def _search(self, key: K, directory: Directory) -> V | EntryError:
        try:
            return self._find(key, directory)
        except EntryError as error:
            return EntryError(error.message, error.remedy)
