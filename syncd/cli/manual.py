"""`python -m syncd.cli.manual`: the manual page syncd(1), made from the parser, so that it tells what is true."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from syncd import __version__
from syncd.cli.parser import build_parser

_EXIT_STATUS = (
    ("0", "Done, nothing left over."),
    ("1", "Done, but some entries were rejected or held."),
    ("2", "Usage or config error."),
    ("3", "A portal refused, or did not answer."),
    ("4", "A safety guard stopped it, or the pinned plan no longer matches."),
    ("5", "A source is unreadable or incomplete."),
    ("6", "Another syncd holds this state."),
    ("7", "The state cannot be read or written for now."),
    ("70", "A defect of syncd, with a traceback on stderr."),
    ("130", "Interrupted; the state is consistent."),
)
_FILES = (
    ("./syncd.toml", "The config, if the working directory has one."),
    ("~/.config/syncd/config.toml", "The config of one user."),
    ("/etc/syncd/config.toml", "The config of the service."),
    ("/var/lib/syncd/syncd.db", "What the service remembers: one SQLite file, with an echo beside it."),
)
_ENVIRONMENT = (
    ("SYNCD_CONFIG", "The config file, where --config names none."),
    ("CREDENTIALS_DIRECTORY", "Where systemd puts the secrets that the config names as X_credential."),
    ("HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "The proxy for portals and feeds."),
)


def manual() -> str:
    """Return the manual page as troff with the macros of man(7)."""
    return "\n".join(_page(build_parser())) + "\n"


def _page(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield f'.TH SYNCD 1 "" "syncd {__version__}" "User Commands"'
    yield from (".SH NAME", r"syncd \- keeps Bitrix24 calendars in step with a schedule that is kept elsewhere")
    yield from (".SH SYNOPSIS", f".B syncd\n{_plain(_usage(parser))}")
    yield from (".SH DESCRIPTION", _plain(_sentence(parser.description or "")))
    yield from (".SH OPTIONS", *_options(parser))
    yield ".SH COMMANDS"
    for name, command, summary in _commands(parser):
        yield from _section(name, command, summary)
    for title, rows in (("EXIT STATUS", _EXIT_STATUS), ("ENVIRONMENT", _ENVIRONMENT), ("FILES", _FILES)):
        yield f".SH {title}"
        for term, text in rows:
            yield from (".TP", f".B {_plain(term)}", _plain(text))


def _section(name: str, command: argparse.ArgumentParser, summary: str) -> Iterator[str]:
    """Yield one command, and the commands below it."""
    yield from (f".SS syncd {_plain(name)}", f".B syncd {_plain(name)}", _plain(_usage(command)), ".PP")
    yield _plain(_sentence(summary))
    yield from _options(command)
    if command.epilog:
        yield from (".PP", ".nf", *(_plain(line) for line in command.epilog.splitlines()), ".fi")
    for below, parser, what in _commands(command):
        yield from _section(f"{name} {below}", parser, what)


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser, str]]:
    """Yield name, parser and summary of each command below `parser`."""
    for action in parser._actions:  # argparse has no other way to them
        if isinstance(action, argparse._SubParsersAction):
            summaries = {one.dest: one.help or "" for one in action._choices_actions}
            for name, command in action.choices.items():
                yield name, command, summaries[name]


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the options and arguments of `parser` as a list."""
    formatter = argparse.HelpFormatter(parser.prog)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction | argparse._HelpAction) or action.help == argparse.SUPPRESS:
            continue
        text = formatter._expand_help(action) if action.help else ""
        yield from (".TP", f".B {_plain(formatter._format_action_invocation(action))}", _plain(_sentence(text)))


def _usage(parser: argparse.ArgumentParser) -> str:
    """Return the arguments of `parser` as its usage line shows them, without the program's name."""
    return " ".join(parser.format_usage().removeprefix("usage: ").split()).removeprefix(parser.prog).strip()


def _sentence(text: str) -> str:
    text = text.strip()
    return text and text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _plain(text: str) -> str:
    """Return `text` so that troff takes nothing in it for a request."""
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{text}" if text.startswith((".", "'")) else text


if __name__ == "__main__":
    sys.stdout.write(manual())
