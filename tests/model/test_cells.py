"""The cells of a row are a tuple of pairs to whoever looks, and share their titles with all other rows."""

from __future__ import annotations

import copy
import gc
import pickle

from hypothesis import given
from hypothesis import strategies as st

from syncd.model.entry import Cells, Details

PAIRS = st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3)), max_size=4).map(tuple)


def cells_of(pairs: tuple[tuple[str, str], ...]) -> Cells:
    return Cells(tuple(title for title, _ in pairs), tuple(value for _, value in pairs))


@given(PAIRS, PAIRS)
def test_cells_are_a_tuple_of_pairs(pairs: tuple[tuple[str, str], ...], others: tuple[tuple[str, str], ...]) -> None:
    cells = cells_of(pairs)
    assert (tuple(cells), len(cells), repr(cells), hash(cells)) == (pairs, len(pairs), repr(pairs), hash(pairs))
    assert [cells[at] for at in range(-len(pairs), len(pairs))] == [*pairs, *pairs]
    assert (cells[1:], cells[::-1]) == (pairs[1:], pairs[::-1])
    assert (cells == others, cells == cells_of(others), others == cells) == (pairs == others,) * 3


def test_details_with_cells_equal_those_with_pairs() -> None:
    pairs = (("Room", "7"), ("Note", ""))
    assert Details(title="a", columns=cells_of(pairs)) == Details(title="a", columns=pairs)
    assert Details(title="a", columns=cells_of(pairs)) != Details(title="a", columns=pairs[:1])
    assert repr(Details(title="a", columns=cells_of(pairs))) == repr(Details(title="a", columns=pairs))


def test_the_collector_looks_at_no_cells_and_they_can_be_copied() -> None:
    cells = cells_of((("Room", "7"), ("Note", "")))
    assert not gc.is_tracked(cells)
    assert copy.copy(cells) == copy.deepcopy(cells) == pickle.loads(pickle.dumps(cells)) == cells
