"""Beside the daemon a command means what it means alone: every option that is parsed reaches the command there too."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from syncd.cli.client import request_of
from syncd.cli.desk import _WORKS
from syncd.cli.execute import _COMMANDS
from syncd.cli.parser import build_parser, parsed
from syncd.cli.served import _arguments
from syncd.scrub import Scrubber
from syncd.service.protocol import Command, Request, line

HERE = {"help", "config", "lang", "verbose", "quiet", "log_format"}
"""What concerns the process that was called: which config, whose language, and what its own log tells."""
TYPED = {"probe": ["portal", "probe"], "authorize": ["portal", "authorize"]}
"""The commands that are typed otherwise than they are called."""
NOT_FOR = {
    "probe": {"what", "name", "calendar", "owner", "unresolved", "force"},
    "authorize": {"what", "name", "calendar", "owner", "unresolved", "keep"},
}
"""What the parser shares with a neighbour, and the command refuses."""


def parser_of(command: str) -> argparse.ArgumentParser:
    (commands,) = (one for one in build_parser()._actions if isinstance(one, argparse._SubParsersAction))
    parser = commands.choices[TYPED.get(command, [command])[0]]
    assert isinstance(parser, argparse.ArgumentParser)
    return parser


def options(command: str) -> Iterator[argparse.Action]:
    for action in parser_of(command)._actions:
        if action.dest not in HERE | NOT_FOR.get(command, set()):
            yield action


def typed(action: argparse.Action, file: Path) -> list[str]:
    """Return the words that give `action` another value than it has by itself."""
    if action.nargs == 0:
        return [action.option_strings[0]]
    if action.choices is not None:
        value = next(str(one) for one in action.choices if one != action.default)
    else:
        value = str(file) if action.type is Path else "7"
    return [*action.option_strings[:1], value]


def served(parsed: argparse.Namespace, command: str) -> argparse.Namespace:
    """Return what the command finds in the daemon."""
    parsed.command = command
    request = msgspec.json.decode(line(request_of(parsed)), type=Request)
    return _arguments(request, Scrubber())


@pytest.mark.parametrize("command", _WORKS)
def test_every_option_of_the_parser_reaches_the_command_in_the_daemon(command: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("{}")
    needed = [
        word for one in options(command) if not one.option_strings and one.nargs != "*" for word in typed(one, file)
    ]
    for action in options(command):
        words = needed + (typed(action, file) if action.option_strings or action.nargs == "*" else [])
        given = parsed(build_parser(), [*TYPED.get(command, [command]), *words])
        wanted = getattr(given, action.dest)
        assert wanted != action.default, action.dest
        found = getattr(served(given, command), action.dest)
        # Where a report goes is known to the client alone.
        assert found is not None if action.dest == "report" else found == wanted, (command, action.dest)


@pytest.mark.parametrize("command", _WORKS)
def test_a_command_without_options_means_the_same_in_the_daemon(command: str) -> None:
    needed = ["7" for one in options(command) if not one.option_strings and one.nargs != "*"]
    given = parsed(build_parser(), [*TYPED.get(command, [command]), *needed])
    found = served(given, command)
    for action in options(command):
        assert getattr(found, action.dest) == getattr(given, action.dest), (command, action.dest)


def test_what_the_daemon_may_be_asked_for_is_what_is_written_for_any_desk() -> None:
    assert set(_WORKS) == set(get_args(Command))
    commands = {name for name, where in _COMMANDS.items() if where == ("shared", "shared")}
    assert set(_WORKS) == commands | {*TYPED}
