"""Dataclasses of which a pass makes one for every entry or link, a hundred thousand at a time.

The guard that refuses assignments to a frozen dataclass takes two thirds of the time in which one is made. So it is
left to the type checker here: to it these are frozen dataclasses like all others, and at run time nothing watches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as bulk_dataclass
else:
    from dataclasses import dataclass

    def bulk_dataclass(*, frozen: bool, **options: bool) -> object:
        """Return the decorator `dataclass(frozen=True, ...)` without its guard; values compare and hash alike."""
        assert frozen
        return dataclass(unsafe_hash=True, **options)


__all__ = ["bulk_dataclass"]
