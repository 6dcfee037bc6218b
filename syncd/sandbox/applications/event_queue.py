"""What applications hear of: bindings, the offline queue of each, and what is to be sent to handlers (PORTAL.md 11.3).

A row of the queue is one event of one object: the next of the same kind takes its place, with a new date. Must never
read a clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from hashlib import md5
from itertools import islice
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable

    from syncd.sandbox.php.scalars import PhpValue

RESERVED_S = 2_952_000.0
ENTRY, SECTION, ACTIVITY = "ONCALENDARENTRY", "ONCALENDARSECTION", "ONCRMACTIVITY"
SCOPES = {ENTRY: "calendar", SECTION: "calendar", ACTIVITY: "crm"}
KNOWN = tuple(f"{kind}{what}" for kind in SCOPES for what in ("ADD", "UPDATE", "DELETE"))


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of the portal: its name in upper case, and the number of the object."""

    name: str
    id: int

    @property
    def data(self) -> dict[str, PhpValue]:
        """What goes with it: of activities the number stands one level deeper."""
        return {"FIELDS": {"ID": self.id}} if self.name.startswith(ACTIVITY) else {"id": self.id}


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """An event that an application wants to hear of; without a `handler` by its queue."""

    name: str
    handler: str = ""
    connector: str = ""

    @property
    def offline(self) -> bool:
        """True if it goes into the queue."""
        return not self.handler


@dataclass(slots=True, kw_only=True)
class Row:
    """One row of a queue; `process` is who has reserved it, "" for nobody."""

    id: int
    at: float
    name: str
    data: dict[str, PhpValue]
    user: int
    message: str
    connector: str
    process: str = ""
    reserved_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One POST to the handler of an application; without an `event` it is the installation."""

    client_id: str
    handler: str
    event: Happened | None
    user: int
    at: float


@dataclass(slots=True, kw_only=True)
class EventQueue:
    """Bindings and queues of all applications of a portal, by client id."""

    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    deliveries: deque[Delivery] = field(default_factory=deque)
    _rows: dict[str, dict[str, Row]] = field(default_factory=dict)
    _reserved: dict[str, dict[int, Row]] = field(default_factory=dict)
    _last_id: int = 0
    _processes: int = 0

    def post(self, events: Iterable[Happened], *, user: int, by: tuple[str, str] | None, now: float) -> None:
        """Tell the applications what `user` did; `by` is the application and connector that he did it through.

        An application does not find its own changes in its own queue.
        """
        for event in dict.fromkeys(events):
            for client_id, bindings in self.bindings.items():
                for binding in bindings:
                    if binding.name != event.name:
                        continue
                    if not binding.offline:
                        self.deliveries.append(
                            Delivery(client_id=client_id, handler=binding.handler, event=event, user=user, at=now)
                        )
                    elif by != (client_id, binding.connector):
                        self._put(client_id, binding, event, user, now)

    def _put(self, client_id: str, binding: Binding, event: Happened, user: int, now: float) -> None:
        rows = self._rows.setdefault(client_id, {})
        mark = f"{event.name}|{orjson.dumps(event.data).decode()}|{binding.connector}"
        message = md5(mark.encode(), usedforsecurity=False).hexdigest()
        rows.pop(message, None)  # the merged row goes to the end; one that is reserved stays as it was taken
        self._last_id += 1
        rows[message] = Row(
            id=self._last_id, at=now, name=event.name, data=event.data, user=user, message=message,
            connector=binding.connector,
        )  # fmt: skip

    def waiting(self, client_id: str) -> tuple[Row, ...]:
        """Return all rows of an application, reserved ones first, oldest first."""
        return (*self._reserved.get(client_id, {}).values(), *self._rows.get(client_id, {}).values())

    def take(self, client_id: str, *, connector: str, limit: int, clear: bool, process: str, now: float) -> list[Row]:
        """Return the first rows; with `clear` they are deleted, else reserved for `process`."""
        rows, reserved = self._rows.get(client_id, {}), self._reserved.setdefault(client_id, {})
        for number, row in tuple(reserved.items()):
            if now - row.reserved_at > RESERVED_S:
                del reserved[number]
        again = [row for row in reserved.values() if row.process == process and row.connector == connector]
        found = list(islice((row for row in rows.values() if row.connector == connector), max(0, limit - len(again))))
        for row in found:
            del rows[row.message]
            if not clear:
                row.process, row.reserved_at = process, now
                reserved[row.id] = row
        return [*again[:limit], *found]

    def clear(self, client_id: str, process: str, ids: frozenset[int] | None) -> None:
        """Delete what `process` has reserved, all of it or the rows of these ids."""
        reserved = self._reserved.get(client_id, {})
        for number, row in tuple(reserved.items()):
            if row.process == process and (ids is None or number in ids):
                del reserved[number]

    def new_process(self) -> str:
        """Return a new name for a reservation."""
        self._processes += 1
        return md5(f"process {self._processes}".encode(), usedforsecurity=False).hexdigest()

    def forget(self, client_id: str) -> None:
        """Drop what a removed application has bound and waits for."""
        self.bindings.pop(client_id, None)
        self._rows.pop(client_id, None)
        self._reserved.pop(client_id, None)
