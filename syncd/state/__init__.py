"""The ledger: what syncd remembers between passes. Nothing outside this room knows that it is SQLite."""

from syncd.state.ledger import Ledger
from syncd.state.records import (
    MAX_PROBLEMS,
    ChangeRecord,
    Deleted,
    Dropped,
    Intent,
    Outcome,
    Refused,
    RunRecord,
    RunState,
    Settlement,
    Tally,
    Unknown,
    Written,
)

__all__ = [
    "MAX_PROBLEMS",
    "ChangeRecord",
    "Deleted",
    "Dropped",
    "Intent",
    "Ledger",
    "Outcome",
    "Refused",
    "RunRecord",
    "RunState",
    "Settlement",
    "Tally",
    "Unknown",
    "Written",
]
