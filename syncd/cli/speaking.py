"""The language of a process, chosen before its first word: errors in the command line are told in it too.

In this order: `--lang`, $SYNCD_LANG, `language` in the config, the system's locale.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from syncd.lang.catalog import Language, catalog, house, reader, set_house, told
from syncd.lang.choice import configured_language, house_language, named
from syncd.places import config_places

_LANG, _CONFIG = "--language", "--config"
_SHORTEST = len("--lan")
"""argparse accepts the beginning of an option if only one option begins so."""


@contextmanager
def speaking(words: Sequence[str]) -> Iterator[None]:
    """Within the block, use the language that the command line asks for, or that of the caller."""
    before, environment = house(), os.environ.get("SYNCD_LANG")
    if named(asked := option(words, _LANG)):
        os.environ["SYNCD_LANG"] = asked  # for later questions, as when the daemon reads a new config
    set_house(house_language(os.environ, _configured(words, os.environ)))
    try:
        with _taught_argparse():
            yield
    finally:
        set_house(before)
        if environment is None:
            os.environ.pop("SYNCD_LANG", None)
        else:
            os.environ["SYNCD_LANG"] = environment


def option(words: Sequence[str], name: str) -> str:
    """Return the last value of an option, "" if it is absent. Errors in the rest of the line do not matter."""
    found = ""
    for at, word in enumerate(words):
        if word == "--":
            break
        begun, equals, value = word.partition("=")
        if len(begun) >= _SHORTEST and name.startswith(begun):
            found = value if equals else next(iter(words[at + 1 : at + 2]), "")
    return found


def in_the_reader_s_language(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Return `parser` with all its texts in the reader's language, as plain strings, which argparse formats."""
    if reader() != "en":
        _tell(parser)
    return parser


def usage_prefix() -> str:
    """Return how argparse begins a usage line."""
    return _translated("usage: ")


def _configured(words: Sequence[str], environ: Mapping[str, str]) -> Language | None:
    named = option(words, _CONFIG)
    try:
        places = (Path(named),) if named else config_places(environ, Path.cwd())
        place = next((one for one in places if one.exists()), None)
    except OSError:  # the working directory is gone, or a folder may not be looked into
        return None
    return configured_language(place) if place is not None else None


def _tell(parser: argparse.ArgumentParser) -> None:
    parser.description = _text(parser.description)
    parser.epilog = _text(parser.epilog)
    for group in parser._action_groups:  # argparse has no other way to them
        group.title, group.description = _text(group.title), _text(group.description)
    for action in parser._actions:
        action.help = _text(action.help)
        if isinstance(action.metavar, str):
            action.metavar = told(action.metavar)
        if isinstance(action, argparse._SubParsersAction):
            for one in action._choices_actions:
                one.help = _text(one.help)
            for below in action.choices.values():
                _tell(below)


def _text(text: str | None) -> str | None:
    return None if text is None else told(text)


@contextmanager
def _taught_argparse() -> Iterator[None]:
    """Within the block, let argparse take its own texts from the catalogs, in the reader's language."""
    own = {name: getattr(argparse, name) for name in ("_", "ngettext")}  # it calls gettext by these names
    vars(argparse).update(_=_translated, ngettext=_translated_number)
    try:
        yield
    finally:
        vars(argparse).update(own)  # a program that calls syncd may have translations of its own


def _translated(text: str) -> str:
    return catalog(reader()).gettext(told(text)) if text else text


def _translated_number(one: str, many: str, number: int) -> str:
    return catalog(reader()).ngettext(one, many, number)
