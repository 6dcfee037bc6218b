"""sd_notify: one datagram per message to the socket that systemd names; without a socket nothing is sent."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping

from syncd.lang.catalog import house, told
from syncd.scrub import Clean, printable


class Notifier:
    """Sends READY, STATUS, WATCHDOG and STOPPING to the service manager (man sd_notify).

    `watchdog_s` is how often the manager expects a sign of life, None if it expects none. `clean` makes texts fit to be
    shown: `systemctl status` prints them to everybody.
    """

    def __init__(self, address: str | None, watchdog_s: float | None = None, *, clean: Clean = printable) -> None:
        self._address = address
        self._clean = clean
        self.watchdog_s = watchdog_s

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], pid: int, *, clean: Clean = printable) -> Notifier:
        """Return the notifier that `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` describe.

        A `WATCHDOG_PID` other than `pid` means another process: children inherit the variables.
        """
        usec = environ.get("WATCHDOG_USEC", "")
        meant_for_us = environ.get("WATCHDOG_PID", str(pid)) == str(pid)
        watchdog_s = int(usec) / 1e6 if usec.isdecimal() and int(usec) > 0 and meant_for_us else None
        return cls(environ.get("NOTIFY_SOCKET") or None, watchdog_s, clean=clean)

    def send(self, **facts: str) -> None:
        """Send `facts` as KEY=value lines in the house's language. It is no error if the manager does not listen."""
        if self._address is None:
            return
        said = {key: self._clean(told(value, house())).replace("\n", " ") for key, value in facts.items()}
        message = "\n".join(f"{key}={value}" for key, value in said.items())
        # systemd writes an abstract socket with a leading "@", the kernel wants a NUL there (man 7 unix).
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        # The socket is opened for every message, because a manager that restarts may replace it, and never waited
        # for, because a manager that hangs must not stop the passes.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
            datagrams.setblocking(False)
            datagrams.sendto(message.encode(), address)
