"""Messages that say the same are told once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syncd.model.alike import Group, alike


def groups(*messages: str) -> tuple[Group[str], ...]:
    return alike(messages, str)


def test_up_to_three_messages_that_are_alike_are_all_told() -> None:
    assert groups("no user 'a'", "x", "no user 'b'") == (
        Group(examples=("no user 'a'", "no user 'b'")),
        Group(examples=("x",)),
    )


def test_of_more_the_first_three_that_say_something_different_are_told() -> None:
    assert groups(*["row 1"] * 5, "row 2") == (Group(examples=("row 1", "row 2"), others=("row 1",) * 4),)
    assert groups(*(f"row {n}" for n in range(5))) == (
        Group(examples=("row 0", "row 1", "row 2"), others=("row 3", "row 4")),
    )


@given(st.lists(st.text("ab'«»\"1 ", max_size=8)))
def test_no_message_is_lost(messages: list[str]) -> None:
    found = groups(*messages)
    assert sorted(one for group in found for one in (*group.examples, *group.others)) == sorted(messages)
    assert sum(group.size for group in found) == len(messages)
