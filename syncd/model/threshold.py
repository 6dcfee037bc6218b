"""How much is too much: a percentage or a number, as a config puts it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

_PERCENTAGE = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)\s*%")


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """At most `limit` things, or at most `limit` percent of all there are when `percent` is set.

    Raises ValueError when `limit` is negative, or a percentage beyond 100.
    """

    limit: Decimal
    percent: bool = False

    def __post_init__(self) -> None:
        if self.limit < 0 or (self.percent and self.limit > 100):
            raise ValueError('must be a number from 0, or a percentage from "0%" to "100%"')

    @classmethod
    def parse(cls, value: str | int) -> Threshold:
        """Return the threshold a config means by 5 or "20%"; raises ValueError for anything else."""
        if isinstance(value, int) and not isinstance(value, bool):
            return cls(limit=Decimal(value))
        found = _PERCENTAGE.fullmatch(str(value).strip())
        if found is None:
            raise ValueError(f'must be a number like 5 or a percentage like "20%", not "{value}"')
        return cls(limit=Decimal(found[1]), percent=True)

    def allows(self, number: int, of: int) -> bool:
        """Say whether `number` things out of `of` are few enough; exactly the limit is."""
        return number * 100 <= self.limit * of if self.percent else number <= self.limit

    def __str__(self) -> str:
        return f'"{self.limit}%"' if self.percent else str(self.limit)
