"""The line on which a uid stood first, as a dictionary would tell it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syncd.source.files import FirstLines

_LINES = st.one_of(st.integers(1, 9), st.sampled_from(["A!1", "B!2"]))


@given(st.lists(st.tuples(st.sampled_from("abcde"), _LINES)))
def test_the_first_line_of_each_uid_is_known(rows: list[tuple[str, int | str]]) -> None:
    lines, known = FirstLines(), dict[str, int | str]()
    for uid, line in rows:
        assert lines.first(uid, line) == known.setdefault(uid, line)
    assert {uid for uid in "abcdef" if uid in lines} == known.keys()
