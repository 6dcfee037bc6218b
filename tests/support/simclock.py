"""An event loop whose time is virtual: sleeping costs nothing, so ten hours of waiting pass in seconds."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from syncd.clock import Uptime

EPOCH = 1_790_000_000.0

_T = TypeVar("_T")


class _Selector(selectors.SelectSelector):
    """Lets virtual time pass instead of waiting; a loop with nothing to wait for is a deadlock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise RuntimeError("deadlock: every task waits, and for no time")
        self.now += max(0.0, timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time. No threads, no sockets: everything under test lives in this process."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


class VirtualClock:
    """A Clock on the running VirtualLoop; `skew_s` is how far this machine's calendar is off."""

    def __init__(self, *, skew_s: float = 0.0) -> None:
        self.skew_s = skew_s
        self.slept = 0

    def now(self) -> float:
        return EPOCH + self.skew_s + self.monotonic()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def uptime(self) -> Uptime:
        return Uptime("only", self.monotonic())

    def booted_at(self) -> float:
        return EPOCH

    async def sleep(self, seconds: float) -> None:
        self.slept += 1
        await asyncio.sleep(max(0.0, seconds))


def run_virtual(main: Coroutine[Any, Any, _T]) -> _T:
    """Run `main` to its end on virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
