"""Where log lines go and what they may contain: console on a terminal, JSON otherwise, never a secret.

Other modules call `structlog.get_logger()` and log the events of `syncd.events`. structlog is imported when logging
begins, so that `--help` stays quick, and without rich, which would double the start time of the daemon for tracebacks
that are never rendered with it.
"""

from __future__ import annotations

import logging
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO

from syncd import events
from syncd.lang.catalog import house, told
from syncd.lang.saying import say
from syncd.scrub import Scrubber

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

Format = Literal["auto", "console", "json"]

_MOST_A_MINUTE: Final = 20
_MINUTE_S: Final = 60.0
_RANKS: Final = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
"""The journal's priorities by the names of levels (man sd-daemon)."""


def configure(form: Format, verbosity: int, stream: TextIO, scrubber: Scrubber | None = None) -> Scrubber:
    """Send log lines to `stream` and return the scrubber, to which the caller adds the secrets it learns.

    It is a new one unless the caller has one already, which cleans other outlets of the process too.

    `form` "auto" means console on a terminal, else JSON, one object per line. `verbosity` below 0 gives errors only, 0
    warnings, 1 information, 2 details, and 3 what libraries log as well; their lines pass the same processors.
    """
    structlog = _structlog()
    scrubber = scrubber or Scrubber()
    console = form == "console" or (form == "auto" and stream.isatty())
    render: Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if console:
        render = structlog.dev.ConsoleRenderer(
            colors=stream.isatty() and not os.environ.get("NO_COLOR"),
            exception_formatter=structlog.dev.plain_traceback,
        )
    # Fields first, while they have names, then the finished line: a secret may also stand in an exception's text.
    finish: list[Processor] = [render, _cleaned(scrubber)]
    if _is_journal(stream):
        finish = [_ranked(render), _cleaned(scrubber)]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _told,
        _clean_fields(scrubber),
    ]
    structlog.configure(
        processors=[*shared, *finish],
        wrapper_class=structlog.make_filtering_bound_logger(_level(verbosity)),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,  # a logger made before the config is read has to obey it too
    )
    _take_over_libraries(shared, finish, verbosity, stream)
    return scrubber


def entry_crashed(where: str, error: Exception) -> str:
    """Return the reason of the problem line for an `error` that nobody foresaw in the entry at `where`; log it.

    Whoever works on one entry after the other calls this, so that one of them costs no other. An end of memory is
    raised again: it says nothing of the entry.

    Dates are reckoned with from the year 1 to 9999. What leaves these years raises somewhere in between, wherever an
    offset, a length or a step is added; it is a matter of the entry, and anything else a defect of syncd.
    """
    if isinstance(error, MemoryError):
        raise error
    _structlog().get_logger().debug(events.ENTRY_CRASHED, where=where, exc_info=error)
    if isinstance(error, OverflowError) or "is out of range" in str(error):
        return say("its times, or those of its series, reach beyond the years 1 to 9999; give it an earlier end")
    said = f"{type(error).__name__}: {error}".encode("utf-8", "backslashreplace").decode()
    return say(
        "a defect of syncd: {error} (please report it; with -vv the log says where)", error=" ".join(said.split())
    )


def _told(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put the messages among the fields of one log event into the language of this process."""
    return {key: told(value, house()) if isinstance(value, str) else value for key, value in event.items()}


def _clean_fields(scrubber: Scrubber) -> Processor:
    """Return the processor that cleans the fields of one log event."""

    def clean(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {key: scrubber.named(key, value) for key, value in event.items()}

    return clean


def _cleaned(scrubber: Scrubber) -> Processor:
    """Return the processor that cleans one finished line, the last of all."""

    def clean(_logger: WrappedLogger, _method: str, line: Any) -> str:  # noqa: ANN401 - a renderer's, so a str
        return scrubber.finished(line)

    return clean


def ranked(text: str, level: str, stream: TextIO) -> str:
    """Return lines for people with the priority of `level` in front of each if `stream` goes to systemd's journal."""
    if not _is_journal(stream):
        return text
    return "\n".join(f"<{_RANKS[level]}>{line}" for line in text.split("\n"))


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


class _Bounded(logging.Filter):
    """Keeps libraries from filling the disk: of each logger's warnings and errors a few a minute, and then how many.

    An event loop out of descriptors, for one, logs a traceback for each connection that it cannot accept. Details that
    somebody asked for are not counted. Time is the records' own.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True if `record` may be written; it then tells of those that were left out before it."""
        if record.levelno < logging.WARNING:
            return True
        since, seen = self._seen.get(record.name, (record.created, 0))
        if not 0 <= record.created - since < _MINUTE_S:  # also after the clock was set back
            if seen > _MOST_A_MINUTE:
                record.msg = f"{record.getMessage()} ({seen - _MOST_A_MINUTE} more of {record.name} were left out)"
                record.args = ()
            since, seen = record.created, 0
        self._seen[record.name] = since, seen + 1
        return seen < _MOST_A_MINUTE


class _Handler(logging.StreamHandler[TextIO]):
    """Writes what libraries log; a line for which there is no memory is lost, and ends nothing."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own
        """Tell of an error while a line was written."""
        if not isinstance(sys.exc_info()[1], MemoryError):
            super().handleError(record)


def _level(verbosity: int) -> int:
    if verbosity < 0:
        return logging.ERROR
    return {0: logging.WARNING, 1: logging.INFO}.get(verbosity, logging.DEBUG)


def _take_over_libraries(shared: list[Processor], finish: list[Processor], verbosity: int, stream: TextIO) -> None:
    """Send what libraries log (lost exceptions of asyncio, aiohttp) through the same processors."""
    from structlog.stdlib import ProcessorFormatter, add_logger_name  # noqa: PLC0415 - see configure

    handler = _Handler(stream)
    handler.addFilter(_Bounded())
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
