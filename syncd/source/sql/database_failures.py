"""Why a database gave no rows, as a message that names the database and the remedy, but nothing of its address."""

from __future__ import annotations

from collections.abc import Iterable

from syncd.errors import SourceError

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
        return SourceError(f"{shown}: the query writes, and syncd only reads: {said}", "give a query that only reads")
    if state == _DENIED:
        return SourceError(f"{shown}: {said}", "let this account read it (GRANT SELECT)")
    if not connected:
        return SourceError(f"{shown} cannot be reached, or refuses: {said}", "check url, and what this account may do")
    return SourceError(f"{shown}: the query failed: {said}", "correct query in [sync.source], or what it reads")


def broken_off(shown: str, key: str, seconds: float) -> SourceError:
    """Return the error for a reading that took longer than `key` allows."""
    what = "did not give everything" if key == "total_timeout" else "gave nothing"
    remedy = f"make the query faster, or raise {key} in [sync.source]"
    return SourceError(f"{shown} {what} within {seconds:g} s, so nothing is known of it", remedy)


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
