"""What is told of a row that is the same entry as an earlier one: which row that is, and what would tell them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from syncd.lang.saying import say

_SHOWN: Final = 5


def same_entry(where: str, *, titles: Sequence[str], positions: Mapping[str, int], named: bool) -> str:
    """Return why a row is not used, with the remedy, if the one at `where` is the same entry.

    `titles` are those of all columns, `positions` the 0-based columns of the mapped fields. The row is `named` if it
    has a uid.
    """
    if named:
        return say(
            "the row at {where} has the same uid, so this one is not used (delete it, or give it a uid of its own)",
            where=where,
        )
    same = say("the row at {where} has the same owner, title and start, so this one is not used", where=where)
    if "uid" in positions:
        return say(
            "{same} (delete it; if both are meant, fill in {title!r} in both)",
            same=same,
            title=titles[positions["uid"]],
        )
    used = set(positions.values())
    if spare := [title for at, title in enumerate(titles) if at not in used][:_SHOWN]:
        return say(
            "{same} (delete it; if both are meant, name the column that tells every row from the others as uid in"
            " [sync.source.columns], one of {spare} or a new one with a number for each row)",
            same=same,
            spare=tuple(map(repr, spare)),
        )
    return say(
        "{same} (delete it; if both are meant, add a column with a number for each row and name it as uid in"
        " [sync.source.columns])",
        same=same,
    )
