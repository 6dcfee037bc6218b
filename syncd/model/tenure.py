"""How long this machine may write to a portal if several machines share one database. Pure."""

from __future__ import annotations

from collections.abc import Callable

from syncd.errors import LostLeaseError
from syncd.lang.saying import say


class Tenure:
    """The right to write to `portal` as `holder`, in the lease's `epoch`, until the deadline passes or it is ended.

    `clock` returns seconds that nobody can set and that count while the machine sleeps. The thread that renews the
    lease moves the deadline while others read it; a float is written and read whole.
    """

    __slots__ = ("_clock", "_deadline", "_ended", "epoch", "holder", "orderly", "portal")

    def __init__(
        self,
        portal: str,
        holder: str,
        epoch: int,
        *,
        clock: Callable[[], float],
        deadline: float,
        orderly: bool = True,
    ) -> None:
        self.portal = portal
        self.holder = holder
        self.epoch = epoch
        self.orderly = orderly
        """Whether the previous holder gave the lease back, so that none of its requests is under way."""
        self._clock = clock
        self._deadline = deadline
        self._ended = ""

    def renewed(self, deadline: float) -> None:
        """Let the tenure last until `deadline`, unless it is over. A lost tenure never comes back."""
        if self.valid():
            self._deadline = deadline

    def end_by(self, deadline: float) -> None:
        """Let the tenure last until `deadline` at most."""
        self._deadline = min(self._deadline, deadline)

    def end(self, why: str) -> None:
        """End the tenure at once. If it is over already, the first reason stays, also that it was not renewed."""
        self._ended = self.why() or why

    def left_s(self) -> float:
        """Return for how many seconds it lasts unless it is renewed, 0 if it is over."""
        return 0.0 if self._ended else max(0.0, self._deadline - self._clock())

    def valid(self) -> bool:
        """Return True while this machine may write to the portal."""
        return self.left_s() > 0

    def why(self) -> str:
        """Return why the tenure is over, "" if it is not."""
        return "" if self.valid() else self._ended or say("it was not renewed in time")

    def check(self) -> None:
        """Raise LostLeaseError unless the tenure is valid."""
        if why := self.why():
            raise LostLeaseError(
                say("this machine no longer holds the lease of portal {portal}: {why}", portal=self.portal, why=why),
                say("whoever holds it goes on; what was sent is looked for there"),
            )
