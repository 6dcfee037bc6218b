"""What stands between syncd and PostgreSQL as pgbouncer does: it greets by itself, and hands everything on."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType

_KEY_DATA = b"K\x00\x00\x00\x0c"


class Pooler:
    """Listens on `port` of this machine for the server on `behind`.

    Of the greeting only the key to cancel a query is its own, as with pgbouncer (PostgreSQL's documentation, 55.2.1).
    """

    def __init__(self, behind: int) -> None:
        self._behind = behind
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = []

    def __enter__(self) -> Pooler:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for one in (self._listener, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._behind))
                self._open += [client, server]
                for pair in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._hand_on, args=pair, daemon=True).start()

    def _hand_on(self, source: socket.socket, target: socket.socket, greets: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                place = data.find(_KEY_DATA) if greets else -1
                if place >= 0:
                    greets = False
                    data = data[: place + 5] + b"\x7f\x01\x02\x03" + data[place + 9 :]
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
