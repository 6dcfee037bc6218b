"""Generated series: what the portal shows of the compiled pieces is what RFC 5545 says, window by window."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from msgspec import structs

from syncd.model.entry import Timed, Window
from syncd.model.recurrence import compile_entry
from tests.model.generated import SERVERS, generated_series, generated_window
from tests.model.referee import differences, series, timed

TODAY = date(2026, 3, 1)
EACH = 10


@pytest.mark.parametrize("group", range(11))
def test_pieces_of_generated_series_show_what_the_rfc_says(group: int) -> None:
    for seed in range(group * EACH, (group + 1) * EACH):
        rng = random.Random(seed)
        entry = generated_series(rng)
        first, last = generated_window(rng, entry)
        server = rng.choice(SERVERS)
        window = Window(first=first, last=last)
        compiled = compile_entry(entry, window=window, portal_zone=server, today=TODAY)
        assert not [problem for problem in compiled.problems if problem.kind == "rejected"], seed
        assert len({piece.id for piece in compiled.pieces}) == len(compiled.pieces), seed
        assert differences(entry, compiled.pieces, server, first, last) == "", seed


def test_the_comparison_notices_a_piece_too_few_too_many_or_moved() -> None:
    start = datetime(2026, 1, 5, 9)
    entry = series(timed(start), "FREQ=WEEKLY;COUNT=10")
    window = Window(first=date(2026, 1, 1), last=date(2026, 6, 30))
    (piece,) = compile_entry(entry, window=window, portal_zone="Europe/Moscow", today=TODAY).pieces
    assert piece.rule is not None
    assert isinstance(piece.span, Timed)
    wrong = (
        (),
        (piece, structs.replace(piece, id="again")),
        (structs.replace(piece, rule=replace(piece.rule, count=None, until=date(2026, 3, 2))),),
        (structs.replace(piece, rule=replace(piece.rule, count=None, until=date(2026, 3, 16))),),
        (structs.replace(piece, span=timed(start + timedelta(hours=1))),),
        (structs.replace(piece, span=timed(start, minutes=61)),),
        (structs.replace(piece, span=replace(piece.span, zone="Europe/Moscow", end_zone="Europe/Moscow")),),
    )
    assert window.first is not None
    assert window.last is not None
    for pieces in wrong:
        assert differences(entry, pieces, "Europe/Moscow", window.first, window.last) != ""
    assert differences(entry, (piece,), "Europe/Moscow", window.first, window.last) == ""
