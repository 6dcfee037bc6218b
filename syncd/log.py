"""Where log lines go and what they may contain: console on a terminal, JSON otherwise, never a secret.

Other modules call `structlog.get_logger()` and log the events of `syncd.events`. structlog is imported when logging
begins, so that `--help` stays quick, and without rich, which would double the start time of the daemon for tracebacks
that are never rendered with it.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import PurePath
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

Format = Literal["auto", "console", "json"]

_HIDDEN: Final = "***"
_SLASH: Final = r"(?:/|\\/|\\u002[fF]|%2[fF]|%252[fF])"  # as it is, in JSON, in a URL, in a URL within a URL
_WEBHOOK: Final = re.compile(rf"({_SLASH}rest{_SLASH}\d+{_SLASH})[A-Za-z0-9_-]+", re.IGNORECASE)
_LOGIN: Final = re.compile(r"(://)[^/\s@'\"]+@")
_PAIR: Final = re.compile(
    r"""((?:auth|authorization|cookie|passwd|password|secret|token)\\?['"]?\s*[:=]\s*)"""
    r"""(?:\\?"[^"]*"?|\\?'[^']*'?|(?:Basic\s|Bearer\s)?[^\s&,;'"}]+)""",
    re.IGNORECASE,
)
_SECRET_NAME: Final = re.compile(r"password|passwd|secret|token|authorization|cookie|webhook|credential", re.IGNORECASE)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SHORTEST_SECRET: Final = 4
_RANKS: Final = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
"""The journal's priorities by the names of levels (man sd-daemon)."""

_DEEPEST: Final = 8


class Scrubber:
    """Removes secrets from texts and nested values: those that were `add`ed, and what looks like one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: tuple[str, ...] = ()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Hide `secret` from now on, also percent-encoded; of a webhook's address its code as well.

        Secrets shorter than four characters are not hidden: they occur in ordinary words.
        """
        secret = secret.strip()
        parts = {secret}
        if _WEBHOOK.search(secret):
            parts.add(secret.rstrip("/").rpartition("/")[2])
        wanted = {form for part in parts for form in (part, quote(part, safe=""), quote_plus(part), quote(part))}
        kept = {form for form in wanted if len(form) >= _SHORTEST_SECRET}
        # Longest first, or a secret within another one would leave the rest of that visible.
        self._secrets = tuple(sorted({*self._secrets, *kept}, key=len, reverse=True))

    def text(self, text: str) -> str:
        """Return `text` without secrets."""
        return _PAIR.sub(rf"\g<1>{_HIDDEN}", self._certain(text))

    def _certain(self, text: str) -> str:
        """Hide what is certainly a secret. Unlike `text` this never breaks JSON around it."""
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        text = _WEBHOOK.sub(rf"\g<1>{_HIDDEN}", text)
        return _LOGIN.sub(rf"\g<1>{_HIDDEN}@", text)

    def value(self, value: object, depth: int = 0) -> object:
        """Return `value` without secrets, and without control characters that could forge lines or colours.

        Mappings and sequences keep their shape, numbers stay numbers, anything else becomes text. So does
        what is nested more than eight levels deep, so that a cycle ends.
        """
        if value is None or isinstance(value, bool | int | float):
            return value
        if depth < _DEEPEST:
            match value:
                case Mapping():
                    return {self._plain(key): self._named(str(key), each, depth + 1) for key, each in value.items()}
                case list() | tuple():
                    return [self.value(each, depth + 1) for each in value]
                case set() | frozenset():
                    return sorted(str(self.value(each, depth + 1)) for each in value)
        return self._plain(value)

    def _named(self, name: str, value: object, depth: int) -> object:
        if value and _SECRET_NAME.search(name) and isinstance(value, str | bytes):
            return _HIDDEN
        return self.value(value, depth)

    def _plain(self, value: object) -> str:
        match value:
            case str():
                text = value
            case bytes():
                text = value.decode("utf-8", "backslashreplace")
            case date() | PurePath():
                text = str(value)
            case BaseException():
                text = f"{type(value).__name__}: {value}"
            case _:
                text = repr(value)
        return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), self.text(text))

    def fields(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Clean the fields of one log event (a structlog processor)."""
        return {key: self._named(key, value, 0) for key, value in event.items()}

    def line(self, _logger: WrappedLogger, _method: str, line: Any) -> str:  # noqa: ANN401 - a renderer's, so a str
        """Clean one finished line (the last structlog processor)."""
        return self._certain(line)


def configure(form: Format, verbosity: int, stream: TextIO) -> Scrubber:
    """Send log lines to `stream` and return the scrubber, to which the caller adds the secrets it learns.

    `form` "auto" means console on a terminal, else JSON, one object per line. `verbosity` below 0 gives errors only, 0
    warnings, 1 information, 2 details, and 3 what libraries log as well; their lines pass the same processors.
    """
    structlog = _structlog()
    scrubber = Scrubber()
    console = form == "console" or (form == "auto" and stream.isatty())
    render: Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if console:
        render = structlog.dev.ConsoleRenderer(
            colors=stream.isatty() and not os.environ.get("NO_COLOR"),
            exception_formatter=structlog.dev.plain_traceback,
        )
    # Fields first, while they have names, then the finished line: a secret may also stand in an exception's text.
    finish: list[Processor] = [render, scrubber.line]
    if _is_journal(stream):
        finish = [_ranked(render), scrubber.line]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        scrubber.fields,
    ]
    structlog.configure(
        processors=[*shared, *finish],
        wrapper_class=structlog.make_filtering_bound_logger(_level(verbosity)),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,  # a logger made before the config is read has to obey it too
    )
    _take_over_libraries(shared, finish, verbosity, stream)
    return scrubber


def _is_journal(stream: TextIO) -> bool:
    """Return True if `stream` is connected to systemd's journal (`JOURNAL_STREAM`, man systemd.exec)."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def _ranked(render: Processor) -> Processor:
    """Return `render` with the priority in front of the line, which the journal strips and stores (man sd-daemon)."""

    def ranked(logger: WrappedLogger, method: str, event: EventDict) -> str:
        rank = _RANKS.get(str(event.get("level", "")), 6)
        return f"<{rank}>{render(logger, method, event)!s}"

    return ranked


def _structlog() -> ModuleType:
    """Import structlog as if rich were not installed; rich can still be imported afterwards."""
    hidden = "rich" not in sys.modules
    if hidden:
        sys.modules["rich"] = None  # type: ignore[assignment]  # documented: an import of the name then fails
    try:
        import structlog  # noqa: PLC0415 - saves `--help` 0.1 s
    finally:
        if hidden:
            del sys.modules["rich"]
    return structlog


def _level(verbosity: int) -> int:
    if verbosity < 0:
        return logging.ERROR
    return {0: logging.WARNING, 1: logging.INFO}.get(verbosity, logging.DEBUG)


def _take_over_libraries(shared: list[Processor], finish: list[Processor], verbosity: int, stream: TextIO) -> None:
    """Send what libraries log (lost exceptions of asyncio, aiohttp) through the same processors."""
    from structlog.stdlib import ProcessorFormatter, add_logger_name  # noqa: PLC0415 - see configure

    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[add_logger_name, *shared],
            processors=[ProcessorFormatter.remove_processors_meta, *finish],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    # Unless everything is asked for, libraries only warn: what they log below that is about themselves.
    root.setLevel(logging.DEBUG if verbosity > 2 else max(logging.WARNING, _level(verbosity)))
