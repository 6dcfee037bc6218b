"""A TCP proxy in front of a database: passes bytes on, or holds them and delivers them later, as a bad network does."""

from __future__ import annotations

import asyncio
from contextlib import suppress


class HeldLine:
    """Listens at `port` for connections to the target; while `hold` is in force no byte passes, in either direction."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def hold(self) -> None:
        """Let nothing through; connections stay, and what is written to them waits."""
        self._flowing.clear()

    def deliver(self) -> None:
        """Let everything through again, what was held first."""
        self._flowing.set()

    async def close(self) -> None:
        """Break all connections and stop."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        for writer in self._writers:
            with suppress(OSError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            there, here = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(here)
        for one, other in ((reader, here), (there, writer)):
            task = asyncio.create_task(self._pump(one, other))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while part := await reader.read(65_536):
                await self._flowing.wait()
                writer.write(part)
                await writer.drain()
        await self._flowing.wait()
        writer.transport.abort()
