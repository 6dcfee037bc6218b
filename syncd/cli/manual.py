"""`python -m syncd.cli.manual [--lang ru]`: the manual page syncd(1).

It is made from the parser, so that it is always true.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from syncd import __version__
from syncd.cli.parser import build_parser
from syncd.cli.speaking import speaking, usage_prefix
from syncd.lang.catalog import told
from syncd.lang.saying import say

_EXIT_STATUS = (
    ("0", say("Done, nothing left over.")),
    ("1", say("Done, but some entries were rejected or held.")),
    ("2", say("Usage or config error.")),
    ("3", say("A portal refused, or did not answer.")),
    ("4", say("A safety guard stopped it, or the pinned plan no longer matches.")),
    ("5", say("A source is unreadable or incomplete.")),
    ("6", say("Another syncd holds this state.")),
    ("7", say("The state cannot be read or written for now.")),
    ("70", say("A defect of syncd, with a traceback on stderr.")),
    ("130", say("Interrupted; the state is consistent.")),
)
_FILES = (
    ("./syncd.toml", say("The config, if the working directory has one.")),
    ("~/.config/syncd/config.toml", say("The config of one user.")),
    ("/etc/syncd/config.toml", say("The config of the service.")),
    ("/var/lib/syncd/syncd.db", say("What the service remembers: one SQLite file, with an echo beside it.")),
)
_ENVIRONMENT = (
    ("SYNCD_LANG", say("The language of messages, en or ru, where --lang names none.")),
    ("SYNCD_CONFIG", say("The config file, where --config names none.")),
    ("CREDENTIALS_DIRECTORY", say("Where systemd puts the secrets that the config names as X_credential.")),
    ("HTTPS_PROXY, HTTP_PROXY, NO_PROXY", say("The proxy for portals and feeds.")),
)


def manual() -> str:
    """Return the manual page as troff with the macros of man(7)."""
    return "\n".join(_page(build_parser())) + "\n"


def _page(parser: argparse.ArgumentParser) -> Iterator[str]:
    book = told(say("User Commands"))
    yield f'.TH SYNCD 1 "" "syncd {__version__}" "{book}"'
    short = told(say("keeps Bitrix24 calendars in step with a schedule that is kept elsewhere"))
    yield from (_heading(say("NAME")), rf"syncd \- {_plain(short)}")
    yield from (_heading(say("SYNOPSIS")), f".B syncd\n{_plain(_usage(parser))}")
    yield from (_heading(say("DESCRIPTION")), _plain(_sentence(parser.description or "")))
    yield from (_heading(say("OPTIONS")), *_options(parser))
    yield _heading(say("COMMANDS"))
    for name, command, summary in _commands(parser):
        yield from _section(name, command, summary)
    for title, rows in (
        (say("EXIT STATUS"), _EXIT_STATUS),
        (say("ENVIRONMENT"), _ENVIRONMENT),
        (say("FILES"), _FILES),
    ):
        yield _heading(title)
        for term, text in rows:
            yield from (".TP", f".B {_plain(term)}", _plain(told(text)))


def _heading(title: str) -> str:
    return f".SH {told(title)}"


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
    return " ".join(parser.format_usage().removeprefix(usage_prefix()).split()).removeprefix(parser.prog).strip()


def _sentence(text: str) -> str:
    text = text.strip()
    return text and text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _plain(text: str) -> str:
    """Return `text` so that troff does not read anything in it as a request."""
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{text}" if text.startswith((".", "'")) else text


if __name__ == "__main__":
    with speaking(sys.argv[1:]):
        sys.stdout.write(manual())
