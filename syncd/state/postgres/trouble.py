"""Errors of PostgreSQL in words: which of them pass, and the remedies for the others.

The server's messages may be in any language, so errors are recognised by their SQLSTATE (PostgreSQL's documentation,
appendix A). The client library gives no such code if a connection cannot be made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import msgspec
import psycopg

from syncd.errors import StateError, StateUnavailableError, StateUnreachableError, message_of
from syncd.lang.saying import say
from syncd.state.rows import DamagedRowError

_UP_AGAIN: Final = say("see to it that the server runs and this machine may reach it; nothing is lost meanwhile")
_ROOM: Final = say("make room on the server's disk; nothing is lost, syncd goes on where it was")
_LOGIN: Final = say("correct user or password where state_url, or what it leads to, names them (~/.pgpass also counts)")
_RIGHTS: Final = say(
    "let its user create the schema, or own one: GRANT CREATE ON DATABASE ... TO ...; where the tables are another's,"
    " as after an upgrade that another machine has made, let it be a member of that role"
)
_AUTHORITY: Final = say("name the authority that vouches for the server with sslrootcert in state_url")
_PASSING: Final[Mapping[str, tuple[Callable[[str, str], str], str]]] = {
    "53100": (lambda shown, error: say("the disk of {shown} is full: {error}", shown=shown, error=error), _ROOM),
    "53200": (
        lambda shown, error: say("{shown} has no memory left: {error}", shown=shown, error=error),
        say("let the server have more"),
    ),
    "53300": (
        lambda shown, error: say("{shown} has no connection left: {error}", shown=shown, error=error),
        say("raise max_connections there, or close what holds them"),
    ),
    "25006": (
        lambda shown, error: say("{shown} can only be read: {error}", shown=shown, error=error),
        say("name the server that takes writes; a standby does not"),
    ),
    "58030": (
        lambda shown, error: say("{shown} cannot read or write its disk: {error}", shown=shown, error=error),
        say("check the disk of the server"),
    ),
}
_GONE: Final = ("08", "57P", "25P03", "40")
"""Classes of what ends a connection, or a transaction that did nothing wrong: the line was cut, the server stops or
starts, did not wait any longer, or broke a deadlock with another machine.
"""
_REFUSED: Final = {"28000": _LOGIN, "28P01": _LOGIN, "3D000": say("create it: CREATE DATABASE ... ENCODING 'UTF8'")}
_NO_RIGHTS: Final = "42501"
_NO_TABLES: Final = ("42P01", "42703", "3F000")
# How the library reports what the server said at the greeting; only in English is more told than that it did not work.
_GREETINGS: Final = {
    "password authentication failed": _LOGIN,
    "no password supplied": _LOGIN,
    "no pg_hba.conf entry": say("let this machine in, in the server's pg_hba.conf"),
    "does not exist": say("create user and database on the server, or correct their names in state_url"),
    "does not support SSL": say("switch TLS on at the server, or ask for less with sslmode in state_url"),
    "certificate verify failed": _AUTHORITY,
    "root certificate file": _AUTHORITY,
}


class UnknownCommitError(StateUnreachableError):
    """The connection went away while a transaction was committed, and the server cannot say what became of it."""


@contextmanager
def translated(shown: str) -> Iterator[None]:
    """Raise what psycopg says about the database `shown` as StateError with a remedy."""
    try:
        yield
    except psycopg.Error as error:
        raise told(shown, error) from error
    except DamagedRowError as error:
        raise damaged(shown, message_of(error)) from error


@contextmanager
def decoded(shown: str) -> Iterator[None]:
    """Raise errors about the values of a row of `shown` as StateError: the row differs from what was written."""
    try:
        yield
    except (ValueError, TypeError, KeyError, msgspec.MsgspecError) as error:
        raise damaged(shown, say("a row of it cannot be read: {error}", error=str(error))) from error


def damaged(shown: str, detail: str) -> StateError:
    """Return the error for tables whose content differs from what was written."""
    return StateError(
        say("the state in {shown} is damaged: {detail}", shown=shown, detail=detail),
        say(
            "restore a backup of the database, or give `state_schema` a new name: with `adopt` syncd takes over the"
            " events it made before"
        ),
    )


def moved_away(shown: str, place: str) -> StateError:
    """Return the error for a ledger that `syncd state move` has taken to `place`."""
    return StateError(
        say("the state in {shown} was moved to {place}", shown=shown, place=place),
        say("let the config name that one, and restart syncd"),
    )


def made_newer(shown: str, version: int, known: int) -> StateError:
    """Return the error for tables of `version`, which is beyond the newest that is `known`."""
    return StateError(
        say(
            "{shown} was made by a newer syncd (schema {version}; this one knows up to {newest})",
            shown=shown,
            version=version,
            newest=known,
        ),
        say("upgrade syncd on this machine too"),
    )


def is_lost(error: BaseException) -> bool:
    """Return True if `error` means that the connection or transaction is lost: what was not committed is undone."""
    if not isinstance(error, psycopg.Error):
        return False
    if error.sqlstate is None:  # the library itself found out
        return isinstance(error, psycopg.OperationalError)
    return error.sqlstate.startswith(_GONE)


def told(shown: str, error: psycopg.Error) -> StateError:
    """Return the error to show to whoever runs syncd for `error`."""
    state, said = error.sqlstate or "", in_one_line(error)
    if state in _PASSING:
        sentence, remedy = _PASSING[state]
        return StateUnavailableError(sentence(shown, said), remedy)
    if state in _REFUSED:
        return StateError(say("{shown} lets syncd not in: {said}", shown=shown, said=said), _REFUSED[state])
    if is_lost(error):
        return StateUnreachableError(say("{shown} cannot be reached: {said}", shown=shown, said=said), _UP_AGAIN)
    if state == _NO_RIGHTS:
        return StateError(say("{shown} does not allow it: {said}", shown=shown, said=said), _RIGHTS)
    if state in _NO_TABLES:
        return damaged(shown, said)
    return StateError(
        say("{shown} cannot be used: {said}", shown=shown, said=said),
        say("`syncd check` tells what of it is not as it should be"),
    )


def not_connected(shown: str, error: psycopg.Error) -> StateError:
    """Return the error to show if no connection could be made."""
    if isinstance(error, psycopg.ProgrammingError):
        # What is wrong with an address is not repeated: a password that was not encoded may be a part of it.
        return StateError(
            say("the address of {shown} is none that PostgreSQL's client library understands", shown=shown),
            say("write special characters of the password as %XX, or keep it in ~/.pgpass"),
        )
    said = in_one_line(error)
    for sign, remedy in _GREETINGS.items():
        if sign in said:
            return StateError(say("{shown} lets syncd not in: {said}", shown=shown, said=said), remedy)
    connection = error.pgconn
    if connection is not None and (connection.needs_password or connection.used_password) and "refused" not in said:
        return StateError(say("{shown} lets syncd not in: {said}", shown=shown, said=said), _LOGIN)
    return StateUnreachableError(say("{shown} cannot be reached: {said}", shown=shown, said=said), _UP_AGAIN)


def in_one_line(error: BaseException) -> str:
    """Return the text of an error in one line, or the name of its class if it has none."""
    return " ".join(str(error).split()) or type(error).__name__
