"""Every error an operator can meet, classified by what to do about it.

The exit code of the command line is on the class (README, "Exit codes"). A message names the thing (file, line, key,
limit), the remedy says what to do; neither holds a secret.
"""

from __future__ import annotations

from typing import TypeVar

from syncd.lang.saying import Saying, say

E = TypeVar("E", bound=BaseException)


class SyncdError(Exception):
    """Root of every error that syncd raises on purpose.

    `message` says what is wrong and where; `remedy`, when there is one, what to do about it.
    """

    exit_code = 2

    def __init__(self, message: str, remedy: str = "") -> None:
        self.message = _printed(message)
        self.remedy = _printed(remedy)
        super().__init__(self.message)

    def __str__(self) -> str:
        # Of the same kind as the message: `str(error)` can still be told in another language.
        return say("{message} ({remedy})", message=self.message, remedy=self.remedy) if self.remedy else self.message


def _printed(text: str) -> str:
    """Return `text` fit to be printed and stored: messages quote files, whose bytes may be no text."""
    if isinstance(text, Saying):
        return text.mapped(_printed)
    return text.encode("utf-8", "backslashreplace").decode()


class ConfigError(SyncdError):
    """The config or the command line has to be corrected; `message` names file, line and key."""

    exit_code = 2


class PausedError(ConfigError):
    """Somebody wants the sync to be left alone until it is resumed."""


class PortalRefusedError(SyncdError):
    """The portal refuses every call: wrong credentials or scope, no licence, or blocked by an administrator."""

    exit_code = 3


class PortalUnusableError(PortalRefusedError):
    """The portal has no usable secret; the other portals go on. `message` names file, line and key in the config."""

    exit_code = 2


class PortalUnreachableError(SyncdError):
    """The portal did not answer, or not in time; the same call may work later."""

    exit_code = 3


class GuardError(SyncdError):
    """A safety guard stopped the pass, or the pinned plan no longer matches; a person has to decide."""

    exit_code = 4


class SourceError(SyncdError):
    """The source is unreadable or incomplete; `message` names the file and, where known, the line."""

    exit_code = 5


class TransientSourceError(SourceError):
    """The reader of the source failed, for want of memory or time, say: the same bytes may be readable later."""


class SourceRefusedError(SourceError):
    """The source is a portal that refuses the caller; it says nothing about the portal that is written to."""

    exit_code = 3


class EntryError(SyncdError):
    """One entry cannot be used; the others can. It becomes a rejected or held problem."""

    exit_code = 1


class DoubtfulError(EntryError):
    """The portal knows the person who is meant, but not which one: there are two, or the only one is dismissed."""


class StoppedError(SyncdError):
    """The pass was asked to stop while it was reading; nothing has been changed."""

    exit_code = 130


class LostLeaseError(StoppedError):
    """Another machine has taken the portal over, or may have: the pass ends, and nothing is settled on a guess."""

    exit_code = 6


class StateLockedError(SyncdError):
    """Another syncd holds this state, or the lease of a portal."""

    exit_code = 6


class StateError(SyncdError):
    """The ledger cannot be used: damaged, made by a newer syncd or another program, or under a wrong path."""

    exit_code = 2


class StateUnavailableError(StateError):
    """The ledger cannot be read or written for now: disk full or read-only, or held by another program.

    The same call works once that is over. Nothing is lost meanwhile, and systemd may start the service again.
    """

    exit_code = 7


class StateUnreachableError(StateUnavailableError):
    """The database that holds the ledger cannot be reached; the same call may work later."""

    exit_code = 3


class OutOfMemoryError(SyncdError):
    """There was no memory left for a pass or a command. What had been written down before stays."""

    exit_code = 7

    def __init__(self) -> None:
        super().__init__(
            say("the memory or threads that syncd may use were not enough; nothing was sent that is not written down"),
            say("let it have more (MemoryMax and TasksMax in its unit), or divide a large source among several syncs"),
        )


def for_want_of_memory(error: BaseException) -> bool:
    """Return True for a MemoryError, a library that found no memory to be loaded, and a group of nothing else."""
    match error:
        case BaseExceptionGroup():
            return all(map(for_want_of_memory, error.exceptions))
        case ImportError():  # the linker's words, which nothing translates
            return "failed to map segment" in str(error) or "annot allocate memory" in str(error)
        case _:
            return isinstance(error, MemoryError)


def held_elsewhere(portal: str, holder: str) -> StateLockedError:
    """Return the error for work on a portal that another machine may write to; `holder` follows "is"."""
    return StateLockedError(
        say("portal {portal} is {holder}", portal=portal, holder=holder),
        say("do it there, or have it given back with `syncd lease release {portal}`", portal=portal),
    )


def message_of(error: BaseException) -> str:
    """Return what `error` says, as a `Saying` if it was made with one."""
    match error.args:
        case (Saying() as message,) if not isinstance(error, SyncdError):
            return message
    return str(error)


def without_frames(error: E) -> E:
    """Return `error`, which is about to be kept, without the frames of its traceback and of its causes.

    A traceback holds every local value of those frames, and the frame that keeps the error is one of them: entries,
    items and links of a whole pass would stay in memory until the garbage collector runs.
    """
    left: list[BaseException] = [error]
    seen: set[int] = set()
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        one.__traceback__ = None
        left += [other for other in (one.__cause__, one.__context__) if other is not None]
        if isinstance(one, BaseExceptionGroup):
            left += one.exceptions
    return error
