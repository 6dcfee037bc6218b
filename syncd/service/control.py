"""The daemon's end of the control socket: whoever may write to it gives commands (service/protocol.py).

It reads and writes lines and decides nothing. The command line says what a command does, so a command is the same with
and without a daemon. If a client goes away, its work goes on.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import msgspec
import structlog

from syncd import __version__, events
from syncd.clock import Clock
from syncd.errors import ConfigError, SyncdError
from syncd.lang.catalog import house, reading, told
from syncd.lang.saying import Saying, say, stored
from syncd.model.encoding import decoded
from syncd.scrub import Clean, printable, within
from syncd.service.protocol import (
    LONGEST_LINE,
    SPOKEN,
    USERS,
    VERSION,
    Answer,
    Ask,
    AskLine,
    Ended,
    Failed,
    FromClient,
    Hello,
    Message,
    Request,
    line,
)

_log = structlog.get_logger()
_MODE = 0o660
_REQUEST_WITHIN_S = 10.0
ANSWER_WITHIN_S = 300.0
"""How long a person may think about a question. Meanwhile nothing else runs with the sync, and other syncs of its
portal may have to wait; to take longer, review the plan with `syncd plan` first."""
_READ_WITHIN_S = 60.0
_MOST_CLIENTS = 16
_MOST_UNREAD = 32 * 1024 * 1024
"""A client that leaves so many bytes unread counts as gone, so that it cannot fill the daemon's memory."""
_DEFECT = 70


class Caller:
    """A client whose request is being carried out, and its user `uid`. `stop` is set when either wants to end."""

    def __init__(self, writer: asyncio.StreamWriter, uid: int, clean: Clean = printable) -> None:
        self.stop = asyncio.Event()
        self.uid = uid
        self.gone = False
        self._writer = writer
        self._clean = clean
        self._answer: asyncio.Future[Answer] | None = None

    def send(self, message: Message) -> None:
        """Send a line, unless the client has gone."""
        if self.gone:
            return
        transport = self._writer.transport
        if transport.is_closing() or transport.get_write_buffer_size() > _MOST_UNREAD:
            self._cut_off()
            return
        self._writer.write(line(message))

    def fail(self, error: str, remedy: str, code: int) -> None:
        """Send the error that ends the work."""
        error, remedy = within(error, self._clean), within(remedy, self._clean)
        self.send(
            Failed(
                error=self._clean(told(error)), remedy=self._clean(told(remedy)), code=code,
                error_message=stored(error) if isinstance(error, Saying) else "",
                remedy_message=stored(remedy) if isinstance(remedy, Saying) else "",
            )
        )  # fmt: skip

    async def ask(self, question: str, clock: Clock) -> bool:
        """Return the person's answer. No answer in time, or a client that has gone, counts as no."""
        return (await self._answered(Ask(question=self._clean(told(question))), clock)).yes

    async def ask_text(self, question: str, clock: Clock) -> str | None:
        """Return the line that the person types, None if none came in time."""
        answer = await self._answered(AskLine(question=self._clean(told(question))), clock)
        return answer.text if answer.yes else None

    async def _answered(self, question: Ask | AskLine, clock: Clock) -> Answer:
        if self.gone or self.stop.is_set():
            return Answer(yes=False)
        self._answer = asyncio.get_running_loop().create_future()
        self.send(question)
        waits: list[asyncio.Future[object]] = [
            cast("asyncio.Future[object]", self._answer),
            asyncio.ensure_future(self.stop.wait()),
            asyncio.ensure_future(clock.sleep(ANSWER_WITHIN_S)),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            return self._answer.result() if self._answer.done() else Answer(yes=False)
        finally:
            self._answer = None
            for one in waits:
                one.cancel()

    def heard(self, message: FromClient) -> None:
        """Take what the client says while its request is carried out."""
        if isinstance(message, Answer):
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(message)
        else:
            self.stop.set()

    async def flowed(self) -> None:
        """Wait until the client has read most of what was sent. One that reads nothing for a minute counts as gone."""
        if not self.gone:
            try:
                await asyncio.wait_for(self._writer.drain(), _READ_WITHIN_S)
            except (OSError, TimeoutError):
                self._cut_off()

    def _cut_off(self) -> None:
        self.leave()
        self._writer.transport.abort()  # unread lines would stay in memory

    def leave(self) -> None:
        """Note that the client has gone. A question to it counts as answered with no."""
        self.gone = True
        self.heard(Answer(yes=False))
        self._writer.close()


Carry = Callable[[Request, Caller], Awaitable[int]]
"""Carries out a request and returns its exit code; raises SyncdError."""


@dataclass(slots=True)
class Control:
    """Listens on the first of `places` where a socket can be made. `config` returns the path of the config in force.

    `clean` makes errors and questions fit to be shown; the output of commands is clean already.
    """

    places: Sequence[Path]
    config: Callable[[], Path]
    carry: Carry
    clean: Clean = printable
    path: Path | None = None
    _server: asyncio.Server | None = None
    _clients: dict[asyncio.Task[None], Caller | None] = field(default_factory=dict)

    async def open(self) -> None:
        """Start to listen. If no place works, that is logged, and the daemon goes on without a socket."""
        reasons: list[str] = []
        for place in self.places:
            try:
                bound = _bound(place)
            except OSError as error:
                reasons.append(f"{place}: {error.strerror or error}")
                continue
            self._server = await asyncio.start_unix_server(self._serve, sock=bound, limit=LONGEST_LINE)
            self.path = place
            return
        _log.warning(events.CONTROL_UNAVAILABLE, reason="; ".join(reasons) or say("every path would be too long"))

    async def close(self) -> None:
        """Stop taking requests, end those under way, and wait for them."""
        if self._server is not None:
            self._server.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)
        for task, caller in self._clients.items():
            if caller is not None:
                caller.stop.set()
            else:
                task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        crowded = len(self._clients) >= _MOST_CLIENTS
        self._clients[task] = None
        try:
            writer.write(line(self._hello()))
            if crowded:
                raise ConfigError(
                    say("{number} commands are under way already", number=_MOST_CLIENTS), say("try again later")
                )
            request = await _request(reader)
            if request is not None:
                caller = self._clients[task] = Caller(writer, _uid(writer), self.clean)
                with reading(request.language or house()):
                    await self._attend(request, caller, reader)
        except SyncdError as error:
            Caller(writer, _uid(writer), self.clean).fail(error.message, error.remedy, error.exit_code)
        except asyncio.CancelledError:
            pass  # by `close`: Python 3.11 logs a traceback for a connection whose task ends as cancelled
        finally:
            self._clients[task] = None  # nothing is under way any more, so `close` need not wait for it
            await _hang_up(writer)
            del self._clients[task]

    def _hello(self) -> Hello:
        return Hello(version=VERSION, syncd=__version__, pid=os.getpid(), config=str(self.config()), languages=SPOKEN)

    async def _attend(self, request: Request, caller: Caller, reader: asyncio.StreamReader) -> None:
        """Carry out `request`, and listen to its client meanwhile."""
        _log.info(events.COMMAND_BEGUN, do=request.do, syncs=list(request.names), uid=caller.uid)
        listening = asyncio.ensure_future(_listen(reader, caller))
        code = _DEFECT
        try:
            code = await self.carry(request, caller)
            caller.send(Ended(code=code))
        except SyncdError as error:
            code = error.exit_code
            caller.fail(error.message, error.remedy, code)
        except Exception as error:  # noqa: BLE001 - a defect that one command meets must not stop the syncs
            _log.exception(events.COMMAND_CRASHED, do=request.do)
            said = say("a defect of syncd: {error}; the daemon's log has more", error=type(error).__name__)
            caller.fail(said, "", code)
        finally:
            listening.cancel()
            _log.info(events.COMMAND_ENDED, do=request.do, code=code, left=caller.gone)


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    """Let the client read what was sent, then close; one that does not read it within a minute is cut off."""
    try:
        writer.close()
        await asyncio.wait_for(writer.wait_closed(), _READ_WITHIN_S)
    except (OSError, TimeoutError, asyncio.CancelledError):
        pass
    finally:
        writer.transport.abort()


async def _request(reader: asyncio.StreamReader) -> Request | None:
    """Return the client's request, None if it hangs up without one; raises ConfigError for anything else."""
    try:
        text = await asyncio.wait_for(reader.readline(), _REQUEST_WITHIN_S)
    except TimeoutError:
        raise ConfigError(say("no request came within {seconds:.0f} s", seconds=_REQUEST_WITHIN_S)) from None
    except ValueError:
        raise ConfigError(say("the request is longer than {limit} bytes", limit=LONGEST_LINE)) from None
    except OSError:
        return None
    if not text.strip():
        return None
    try:
        version = decoded(text, type=_Versioned).version
        if version != VERSION:
            raise ConfigError(
                say(
                    "the request speaks version {version} of the control protocol, and the syncd {syncd} that runs"
                    " speaks version {own}",
                    version=version,
                    syncd=__version__,
                    own=VERSION,
                ),
                say("restart the daemon after an upgrade"),
            )
        return decoded(text, type=Request)
    except msgspec.MsgspecError as error:
        raise ConfigError(
            say("the request cannot be read: {reason}", reason=str(error)), say("app/JSON.md describes it")
        ) from None


class _Versioned(msgspec.Struct):
    version: int


async def _listen(reader: asyncio.StreamReader, caller: Caller) -> None:
    """Listen to the client until it goes away."""
    with suppress(OSError, ValueError):
        while text := await reader.readline():
            try:
                message = decoded(text, type=FromClient)
            except msgspec.MsgspecError as error:
                caller.fail(say("a line cannot be read: {reason}", reason=str(error)), "", ConfigError.exit_code)
                break
            caller.heard(message)
    caller.leave()


def _uid(writer: asyncio.StreamWriter) -> int:
    """Return the user at the other end as the kernel knows it (SO_PEERCRED, man 7 unix), -1 if it does not."""
    peer = writer.get_extra_info("socket")
    try:
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    except (AttributeError, OSError):
        return -1
    return int(struct.unpack("3i", credentials)[1])


def _bound(place: Path) -> socket.socket:
    """Return a socket that listens at `place`, for its user and group only; raises OSError."""
    if place.parent.parent.parent == USERS and place.parent.parent.is_dir():
        place.parent.mkdir(mode=0o755, exist_ok=True)  # the service's own is made by systemd
    if place.is_socket():
        place.unlink()  # left by a daemon that was killed: the one with the state's lock is the only one
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        before = os.umask(0o777)  # nobody gets in before the mode is set
        try:
            bound.bind(str(place))
        finally:
            os.umask(before)
        place.chmod(_MODE)
        bound.listen()
        bound.setblocking(False)
    except BaseException:
        bound.close()
        raise
    return bound
