"""What an entry is compiled into: pieces, each of which the portal shows exactly."""

from __future__ import annotations

import msgspec

from syncd.model.became import Became
from syncd.model.entry import Details, Problem, Span
from syncd.model.rule import NativeRule


# Pieces and what holds them are made for every entry in every pass; structs are made several times faster.
class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the portal should hold for an entry: a single event, or a native series if `rule` is given.

    `id` is stable: "" for the only or main piece, else the original start it begins with ("20260105", "20260105T0900").
    `span` is the first occurrence, in RFC terms; `details` are those of the series or of the override. If `rule` ends
    by COUNT, `dated` shows the same and ends by UNTIL.
    """

    id: str
    span: Span
    rule: NativeRule | None
    details: Details
    where: str
    dated: NativeRule | None = None


class Compiled(msgspec.Struct, frozen=True, kw_only=True):
    """The pieces of one entry in order of their first occurrence.

    `summary` tells a person what a series became, and is None for a single event. Problems are of kind "rejected" (then
    there are no pieces) or "warning".
    """

    pieces: tuple[Piece, ...]
    summary: Became | None
    problems: tuple[Problem, ...]
