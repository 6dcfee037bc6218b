"""Runs one command: logging, signals, the event loop, and the exit code. An error becomes one line and a remedy."""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import TextIO, cast

from syncd.cli.event_loop import Loop
from syncd.cli.outlet import certain, shown, tell
from syncd.errors import OutOfMemoryError, SyncdError, for_want_of_memory
from syncd.lang.catalog import told
from syncd.lang.saying import say
from syncd.model.json_values import dumps
from syncd.scrub import Scrubber

INTERRUPTED = 130
_WORST_FIRST = (130, 3, 2, 7, 4, 5, 1)  # README, "Exit codes"
_SECOND_SIGNAL_NOTE = say("stopping after the batches in flight; once more to stop at once")


def run(arguments: argparse.Namespace, scrubber: Scrubber) -> int:
    """Run the command in `arguments` and return its exit code; `scrubber` cleans its output."""
    from syncd import log

    # A command prints its result. The daemon has only its log, so it logs more.
    verbosity = -1 if arguments.quiet else arguments.verbose + (1 if arguments.command == "run" else 0)
    arguments.scrubber = log.configure(arguments.log_format, verbosity, cast(TextIO, _Stderr()), scrubber)
    try:
        with asyncio.Runner(loop_factory=Loop) as runner:
            return runner.run(_with_signals(command_of(arguments.command), arguments))
    except SyncdError as error:
        print_error(error, as_json=getattr(arguments, "json", False))
        return error.exit_code
    except (KeyboardInterrupt, asyncio.CancelledError):
        tell(say("stopped"), stderr=True)
        return INTERRUPTED
    except BrokenPipeError:
        # `syncd plan | head` is no error. Python would complain when it flushes stdout at exit, so stdout is replaced.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


class _Stderr(io.TextIOBase):
    """Follows sys.stderr, which is replaced while a progress bar is shown so that log lines go above the bar."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return sys.stderr.isatty()


Command = Callable[[argparse.Namespace, asyncio.Event], Awaitable[int]]


# Names in place of functions, because importing every command would slow down each of them.
_COMMANDS = {
    "authorize": ("shared", "shared"),  # of `portal`
    "check": ("check", "check"),
    "completion": ("completion", "completion"),
    "demo": ("demo", "demo"),
    "history": ("shared", "shared"),
    "init": ("init", "init"),
    "lease": ("lease", "lease"),
    "migrate": ("shared", "shared"),
    "pause": ("shared", "shared"),
    "plan": ("passes", "plan"),
    "poke": ("shared", "shared"),
    "portal": ("portal", "portal"),
    "probe": ("shared", "shared"),  # of `portal`
    "purge": ("shared", "shared"),
    "report": ("shared", "shared"),
    "resume": ("shared", "shared"),
    "retry": ("shared", "shared"),
    "run": ("daemon", "run_daemon"),
    "sandbox": ("sandbox", "sandbox"),
    "service": ("service", "service"),
    "source": ("source", "source"),
    "state": ("state_file", "state"),
    "status": ("shared", "shared"),
    "sync": ("shared", "shared"),
    "undo": ("shared", "shared"),
    "version": ("version", "version"),
}


def command_of(name: str) -> Command:
    """Return the coroutine of one command, importing only its module."""
    module, function = _COMMANDS[name]
    command: Command = getattr(import_module(f"syncd.cli.commands.{module}"), function)
    return command


async def _with_signals(command: Command, arguments: argparse.Namespace) -> int:
    """Run `command` with a stop event that SIGINT and SIGTERM set. A second signal cancels it."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()

    def on_signal() -> None:
        if stop.is_set() and task is not None:
            task.cancel()  # safe at any time: what was sent is recorded, and the next start looks what became of it
            return
        stop.set()
        if sys.stderr.isatty():
            tell(_SECOND_SIGNAL_NOTE, stderr=True)

    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, on_signal)
    try:
        return await command(arguments, stop)
    except Exception as error:  # before the loop ends, as its frames are let go of here
        if not for_want_of_memory(error):
            raise
        del error
        print_error(OutOfMemoryError(), as_json=getattr(arguments, "json", False))
        return OutOfMemoryError.exit_code


def worst(codes: Iterable[int]) -> int:
    """Return the most important exit code: an error that stops every pass comes before one about a few entries."""
    found = set(codes)
    return next((code for code in _WORST_FIRST if code in found), 0)


def config_path(arguments: argparse.Namespace) -> Path:
    """Return the config file to use; raises ConfigError if there is none.

    It prints a warning if $SYNCD_CONFIG names a file that does not exist: whoever set it expects no other file to be
    used.
    """
    from syncd.config import find_config
    from syncd.log import ranked

    found, named = find_config(arguments.config, os.environ, Path.cwd()), os.environ.get("SYNCD_CONFIG")
    if arguments.config is None and named and found != Path(named):
        said = say(
            "syncd: $SYNCD_CONFIG names {named}, which is not there; {found} is used",
            named=named,
            found=str(found),
        )
        print(ranked(shown(said), "warning", sys.stderr), file=sys.stderr)
    arguments.config = found  # a command that finds no daemon asks for the path twice, and must not warn twice
    return found


def print_error(error: SyncdError, *, as_json: bool) -> None:
    """Print an error with its remedy, and its JSON document if one was asked for."""
    if as_json:
        document = {
            "error": certain(told(error.message)),
            "remedy": certain(told(error.remedy)),
            "exit_code": error.exit_code,
        }
        print(dumps(document).decode())
    from syncd.log import ranked

    text = f"syncd: {shown(error.message)}" + (f"\n       {shown(error.remedy)}" if error.remedy else "")
    print(ranked(text, "error", sys.stderr), file=sys.stderr)
