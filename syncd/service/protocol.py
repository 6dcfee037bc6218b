"""What travels on the control socket of the daemon: one JSON document a line, described in app/JSON.md. Values only.

client                                    daemon
------------------------------------------------------------------
                                          Hello
Request
                                          Text | Moved | Ask | AskLine | Part, as the work goes on
Answer, to either; Stop, at any time
                                          Ended, or Failed; then the line is closed
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal

import msgspec

from syncd.config import Config, Outline
from syncd.config.state_place import SYSTEM_CONFIGS, owner_of
from syncd.lang.catalog import LANGUAGES, Language
from syncd.model.encoding import encoded
from syncd.net import LONGEST_SOCKET

VERSION: Final = 1
LONGEST_LINE: Final = 64 * 1024 * 1024
"""In bytes. A request may hold a pinned plan, which is the largest thing that travels."""
Command = Literal[
    "authorize",
    "history",
    "migrate",
    "pause",
    "poke",
    "probe",
    "purge",
    "report",
    "resume",
    "retry",
    "status",
    "sync",
    "undo",
]
USERS: Final = Path("/run/user")
"""Where each user has a runtime directory, by number."""


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="is", tag=str.lower):
    """Base of all lines; `is` says which it is. Fields that a later version adds are passed over."""


class Hello(Message, frozen=True, kw_only=True):
    """Who answers: its version of this protocol and of syncd, its process, and the config it runs with.

    `languages` are those in which it can carry out a request; an older daemon names none and has its own only.
    """

    version: int
    syncd: str
    pid: int
    config: str
    languages: tuple[str, ...] = ()


class Screen(msgspec.Struct, frozen=True, kw_only=True):
    """The client's stdout: its width, whether it is a `terminal`, and its `colours` as rich names them, "" for none.

    `live` says that its stderr can show a bar.
    """

    columns: int = 160
    terminal: bool = False
    colours: str = ""
    live: bool = False


class Pinned(msgspec.Struct, frozen=True, kw_only=True):
    """The file of `sync --plan`: its name, for messages, and its content."""

    name: str
    content: str


class Request(Message, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One command with its options. `names` are syncs or patterns; `run` is the run of `undo` and `history`.

    `language` is that of the person at the client, None for the daemon's own. Fields with their usual values are not
    sent, so that an older daemon, which knows fewer fields, understands what it can do. A new option is filled in by
    `cli/client.py: request_of` and given to the command by `cli/served.py: _arguments`.
    """

    version: int
    do: Command
    names: tuple[str, ...] = ()
    portal: str | None = None
    run: int | None = None
    last: int = 20
    since: str = "1d"
    format: Literal["csv", "json", "html"] = "csv"
    verify: bool = False
    keep: bool = False
    fresh: bool = False
    force: bool = False
    yes: bool = False
    json: bool = False
    report: bool = False
    plan: Pinned | None = None
    screen: Screen = Screen()
    language: Language | None = None


class Text(Message, frozen=True, kw_only=True):
    """Text for the client's stdout or stderr, as it is."""

    to: Literal["out", "err"]
    text: str


class Moved(Message, frozen=True, kw_only=True):
    """How far the pushes are, for a bar. `total` is 0 while the source is read; an empty `title` ends the bar."""

    title: str
    done: int = 0
    total: int = 0
    eta_s: float | None = None
    waiting_for: str | None = None
    waiting_until: float | None = None


class Ask(Message, frozen=True, kw_only=True):
    """A question to the person at the client, to be answered by yes or no."""

    question: str


class AskLine(Message, frozen=True, kw_only=True):
    """A question to the person at the client, to be answered by a line of text."""

    question: str


class Part(Message, frozen=True, kw_only=True):
    """The next part of the report that was asked for."""

    text: str


class Ended(Message, frozen=True, kw_only=True):
    """The end of the work, with the exit code of the command."""

    code: int


class Failed(Message, frozen=True, kw_only=True, omit_defaults=True):
    """The end of the work by an error, which the client reports as its own.

    `error_message` and `remedy_message` are the same texts as `lang/saying.py: stored` writes them, "" for texts that
    are no messages. A client that knows these fields shows them in its own language.
    """

    error: str
    remedy: str
    code: int
    error_message: str = ""
    remedy_message: str = ""


class Answer(Message, frozen=True, kw_only=True):
    """The answer to the last question; `text` is the line that was typed, `yes` False for none."""

    yes: bool
    text: str = ""


class Stop(Message, frozen=True, kw_only=True):
    """The client wants the work to end after the requests in flight."""


SPOKEN: Final = tuple(LANGUAGES)
FromDaemon = Hello | Text | Moved | Ask | AskLine | Part | Ended | Failed
FromClient = Request | Answer | Stop


def line(message: Message) -> bytes:
    """Return `message` as a line for the socket."""
    return encoded(message) + b"\n"


def socket_places(config: Config | Outline, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return where the socket of the daemon that holds the state of `config` may be, the best place first.

    In the runtime directory: systemd's for a service, else that of the config's owner. Where there is none it is beside
    the state. The name follows from the state's path, so that whoever has the config finds it.
    """
    if config.control is not None:
        return (config.control,)
    digest = sha256(os.fsencode(os.path.abspath(config.state))).hexdigest()[:12]  # noqa: PTH100 - nothing is resolved
    places = (folder / f"{digest}.sock" for folder in _folders(config, environ))
    found = [place for place in places if len(os.fsencode(place)) <= LONGEST_SOCKET]
    beside = Path(f"{config.state}.sock").absolute()
    return (*found, *([beside] if len(os.fsencode(beside)) <= LONGEST_SOCKET else ()))


def _folders(config: Config | Outline, environ: Mapping[str, str]) -> Iterator[Path]:
    if environ.get("RUNTIME_DIRECTORY"):
        yield Path(environ["RUNTIME_DIRECTORY"].split(":")[0])
    yield USERS.with_name("syncd")
    if SYSTEM_CONFIGS not in config.path.absolute().parents:
        yield USERS / str(owner_of(config.path)) / "syncd"
