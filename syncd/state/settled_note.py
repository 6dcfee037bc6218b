"""What the ledger remembers of a pass that left nothing to do, and the mark of the state in which it was left.

Beside the sync's other notes and not among them: each pass reads those, and this one may hold thousands of lines.
"""

from __future__ import annotations

import sqlite3
from typing import Final

import msgspec

from syncd.model.settled import Settled
from syncd.scrub import Clean, within
from syncd.state.notes import UIDS, read_note, write_note

_SETTLED: Final = "settled"
# Two sums, because sums of sums alone stay the same where two rows change against each other.
_MARK: Final = "count(*), sum(sum), sum(sum * (sum % 65521) % 4294967291)"
_GET_SHARE: Final = "SELECT (SELECT count(*) FROM links WHERE sync = ?) * 8 > (SELECT max(rowid) FROM links)"
# With the + SQLite reads the table from end to end, which is seven times as fast where most of it is asked for.
_MARK_MOST: Final = f"SELECT {_MARK} FROM links WHERE +sync = ?"  # noqa: S608 - constants of this room
_MARKS_FEW: Final = f"SELECT {_MARK} FROM links WHERE sync = ?"  # noqa: S608 - likewise
_MARK_OTHERS: Final = tuple(f"SELECT {_MARK} FROM {table} WHERE sync = ?" for table in ("holds", "intents"))  # noqa: S608
_MARK_UIDS: Final = "SELECT sum FROM notes WHERE scope = ? AND name = ?"


def ledger_mark(connection: sqlite3.Connection, sync: str) -> str:
    """Return what differs whenever a link, hold, intent or name of `sync` does, from the sums of their rows."""
    most = connection.execute(_GET_SHARE, (sync,)).fetchone()[0]
    statements = (_MARK_MOST if most else _MARKS_FEW, *_MARK_OTHERS)
    marks = [connection.execute(statement, (sync,)).fetchone() for statement in statements]
    uids = connection.execute(_MARK_UIDS, (f"sync/{sync}", UIDS)).fetchone()
    return repr((*marks, uids))


def read_settled(connection: sqlite3.Connection, sync: str) -> Settled | None:
    """Return what is noted of the last pass that left nothing to do; None if nothing is, or by another version."""
    note = read_note(connection, _scope(sync), _SETTLED)
    try:
        return msgspec.convert(note[0], Settled) if note is not None else None
    except msgspec.ValidationError:
        return None


def write_settled(connection: sqlite3.Connection, sync: str, settled: Settled, clean: Clean) -> None:
    """Keep `settled` in place of an earlier one; `clean` takes secrets out of its problems."""
    problems = within(settled.findings.problems, clean)
    findings = msgspec.structs.replace(settled.findings, problems=problems)
    value = msgspec.to_builtins(msgspec.structs.replace(settled, findings=findings))
    write_note(connection, _scope(sync), _SETTLED, value, settled.since)


def _scope(sync: str) -> str:
    return f"settled/{sync}"
