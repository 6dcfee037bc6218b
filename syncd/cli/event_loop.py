"""The event loop of a command, where memory or threads may run out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVarTuple, Unpack

from syncd.threads import Threads

Ts = TypeVarTuple("Ts")


class Loop(asyncio.SelectorEventLoop):
    """The event loop of a command, which ends where it would wait for ever for want of memory.

    When it ends it waits for its threads itself: asyncio starts one more thread for that, and waits for ever if there
    is no memory for its first call (`threads`). A callback that found no memory is lost: whatever waits for what it
    should have done would wait for ever, so the loop ends with MemoryError, and every task is cancelled in order.
    """

    def __init__(self) -> None:
        self._lost = False
        super().__init__()
        self._pool = Threads(thread_name_prefix="asyncio")
        self.set_default_executor(self._pool)

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncio's own
        """Wait until the threads have done what they are about; nothing else runs on the loop any more."""
        self._pool.shutdown()

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Tell of an error that nobody has caught; raise MemoryError if it means that a callback was lost."""
        handle = context.get("handle")
        if not isinstance(context.get("exception"), MemoryError):
            super().call_exception_handler(context)
        elif handle is None:  # whatever it was ends or fails by that; its traceback takes memory and tells nothing
            super().call_exception_handler({"message": f"{context.get('message')}: no memory"})
        elif self._lost or getattr(handle, "_callback", None) != self._read_from_self:
            self._lost = False  # the tasks that are cancelled now may need the loop again
            raise MemoryError("a callback of the event loop was lost")
        # else it is called again, as it has not read yet what woke the loop up

    def call_soon_threadsafe(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Have the loop call something; if there is no memory to tell it so, have it end."""
        try:
            return super().call_soon_threadsafe(callback, *args, context=context)
        except MemoryError:
            self._lost = True
            self._write_to_self()  # type: ignore[attr-defined]  # asyncio's own, as the next
            raise

    def _read_from_self(self) -> None:
        super()._read_from_self()  # type: ignore[misc]
        if self._lost:
            raise MemoryError
