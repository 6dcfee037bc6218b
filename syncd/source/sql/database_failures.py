"""Why a database gave no rows, as a message that names the database and the remedy, but nothing of its address."""

from __future__ import annotations

from collections.abc import Iterable

from syncd.errors import SourceError
from syncd.lang.saying import say

_LONGEST = 300
_WRITES, _TOO_LATE, _DENIED = "25006", "57014", "42501"
"""SQLSTATE: a transaction that only reads should write; the statement was ended; the account may not do this."""


def failure(error: Exception, shown: str, secrets: Iterable[str], *, connected: bool, timeout_s: float) -> SourceError:
    """Return the SourceError for an error of SQLAlchemy; `connected` is False if there was no connection yet."""
    driver = getattr(error, "orig", None) or error
    said = _said(driver, secrets)
    state = str(getattr(driver, "sqlstate", None) or getattr(driver, "pgcode", None) or "")
    if state == _TOO_LATE:
        return broken_off(shown, "timeout", timeout_s)
    if state == _WRITES or "readonly database" in said:
        return SourceError(
            say("{name}: the query writes, and syncd only reads: {said}", name=shown, said=said),
            say("give a query that only reads"),
        )
    if state == _DENIED:
        return SourceError(
            say("{name}: {reason}", name=shown, reason=said), say("let this account read it (GRANT SELECT)")
        )
    if not connected:
        return SourceError(
            say("{name} cannot be reached, or refuses: {said}", name=shown, said=said),
            say("check url, and what this account may do"),
        )
    return SourceError(
        say("{name}: the query failed: {said}", name=shown, said=said),
        say("correct query in [sync.source], or what it reads"),
    )


def broken_off(shown: str, key: str, seconds: float) -> SourceError:
    """Return the error for a reading that took longer than `key` allows."""
    remedy = say("make the query faster, or raise {key} in [sync.source]", key=key)
    return SourceError(
        say(
            "{name} did not give everything within {seconds:g} s, so nothing is known of it",
            name=shown,
            seconds=seconds,
        )
        if key == "total_timeout"
        else say("{name} gave nothing within {seconds:g} s, so nothing is known of it", name=shown, seconds=seconds),
        remedy,
    )


def _said(error: BaseException, secrets: Iterable[str]) -> str:
    """Return the driver's words in one line; the statement and what the address holds are left out."""
    # Several drivers give a number and the words apart, and would print both as a tuple.
    words = error.args[1] if len(error.args) > 1 and isinstance(error.args[1], str) else str(error)
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    # Below its first line a driver quotes the statement, but for what it advises.
    words = " ".join([*lines[:1], *(line for line in lines[1:] if line.startswith("HINT:"))])
    for secret in sorted(secrets, key=len, reverse=True):
        words = words.replace(secret, "***")
    return words[:_LONGEST].rstrip(" .") or type(error).__name__
