"""What a method receives, how it refuses, and the entry of a method in the table of methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from syncd.sandbox.php.scalars import to_int
from syncd.sandbox.php.timezones import offset_s
from syncd.sandbox.texts import text

if TYPE_CHECKING:
    from syncd.sandbox.php.scalars import PhpValue
    from syncd.sandbox.settings import Settings
    from syncd.sandbox.tables.database import AppAccess, Tables, User, Webhook


class Refusal(Exception):  # noqa: N818 - a refusal is an answer of the portal, not an error of this program
    """The portal's error answer: code (may be empty), text, HTTP status and extra keys such as `argument`."""

    def __init__(self, code: str, description: str, status: int = 400, **extra: str) -> None:
        super().__init__(code, description)
        self.code = code
        self.description = description
        self.status = status
        self.extra = extra

    def envelope(self) -> dict[str, PhpValue]:
        """Return the error object."""
        return {"error": self.code, "error_description": self.description, **self.extra}


@dataclass(slots=True, kw_only=True)
class MethodCall:
    """One command: caller, method, parameters, time and portal. A list method sets `total` and `next`."""

    method: str
    params: dict[str, PhpValue]
    start: int
    now: float
    tables: Tables
    settings: Settings
    caller: User
    webhook: Webhook | AppAccess
    total: int | None = None
    next: int | None = None

    @property
    def caller_zone(self) -> str:
        """The caller's zone; the server's if the caller has never chosen one."""
        return self.caller.zone or self.tables.server_zone

    @property
    def now_offset_s(self) -> int:
        """The caller zone's offset minus the server zone's, today (PORTAL.md, vocabulary: now-offset)."""
        return offset_s(self.caller_zone, self.now) - offset_s(self.tables.server_zone, self.now)

    def upper_params(self) -> dict[str, PhpValue]:
        """Return the parameters by upper-case name, as methods outside the calendar read them (PORTAL.md 1.1)."""
        return {key.upper(): value for key, value in self.params.items()}

    def has(self, name: str) -> bool:
        """Return True if a parameter is given and not null, as PHP's `isset`."""
        return self.params.get(name) is not None

    def number(self, name: str) -> int:
        """Return a parameter as PHP's (int)."""
        return to_int(self.params.get(name))

    def refuse(self, key: str, *values: str) -> Refusal:
        """Return a validation error of the calendar family: HTTP 400 with an empty code (PORTAL.md 4)."""
        return Refusal("", text(self.tables.language, key, *values))

    def missing(self, name: str) -> Refusal:
        """Return PARAM_MISSING for this method."""
        return self.refuse("PARAM_MISSING", name, self.method)

    def page(self, rows: list[PhpValue], size: int = 50) -> PhpValue:
        """Return one page of a list from `start` on and set `total` and `next` (PORTAL.md 6.9).

        A `start` of -1 gives the first page without counting.
        """
        if self.start < 0:
            self.total = 0
            return rows[:size]
        first = self.start // size * size
        # A start past the end gives page one again, so a client that counts for itself never ends (trap 39).
        first = 0 if first >= len(rows) else first
        self.total = len(rows)
        self.next = first + size if first + size < len(rows) else None
        return rows[first : first + size]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A REST method and its scopes: any one of them opens it; without scopes it is open to every webhook."""

    run: Callable[[MethodCall], PhpValue]
    scopes: frozenset[str] = field(default_factory=frozenset)

    def open_to(self, granted: frozenset[str]) -> bool:
        """Return True if a webhook with these scopes may call the method."""
        return not self.scopes or bool(self.scopes & granted)
