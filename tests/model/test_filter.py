from __future__ import annotations

import pytest

from syncd.errors import ConfigError, EntryError
from syncd.model.filter import SEARCHED_LENGTH, Condition, Filter, compile_condition
from tests.model.entries import entry

COLUMNS = (("Room", "4b"), ("a=b", "odd"), ("Empty", ""))


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("title ~ (?i)LESSON", True),
        ("title ~ lesson", False),
        ("title~ess", True),
        ("title !~ ess", False),
        ("title !~ exam", True),
        ("title ~ a = b", False),
        ("status = cancelled", True),
        ("status=CANCELLED", True),
        ("status != CANCELLED", False),
        ("Room = 4B", True),
        ("room != 5", True),
        ("categories = Private", True),
        ("categories = work", True),
        ("categories != work", False),
        ("categories != other", True),
        ("categories ~ ^w", True),
        ("categories !~ ^w", False),
        ("attendees = ", True),
        ("attendees != ", False),
        ("Empty = ", True),
        ("Empty ~ ^$", True),
        ('"a=b" = odd', True),
        ("start ~ ^2026-12-01 09", True),
        ("all_day = no", True),
        ("X-FLAG = ", True),
    ],
)
def test_a_condition_looks_at_fields_and_columns(condition: str, holds: bool) -> None:
    subject = entry(status="CANCELLED", categories=("work", "private"), columns=COLUMNS)
    assert compile_condition(condition, where="include").holds(subject) is holds


def conditions(*texts: str) -> tuple[Condition, ...]:
    return tuple(compile_condition(text, where="sync.filter") for text in texts)


def test_an_entry_passes_when_every_include_holds_and_no_exclude() -> None:
    chosen = Filter(include=conditions("title ~ esson", "Room = 4b"), exclude=conditions("status = CANCELLED"))
    assert chosen.passes(entry(columns=COLUMNS))
    assert not chosen.passes(entry(columns=COLUMNS, title="Exam"))
    assert not chosen.passes(entry(columns=(("Room", "5"),)))
    assert not chosen.passes(entry(columns=COLUMNS, status="CANCELLED"))
    assert Filter().passes(entry())
    assert chosen.names == ("title", "Room", "status")


def test_an_unknown_name_rejects_the_entry_instead_of_hiding_it() -> None:
    with pytest.raises(EntryError, match=r'no field or column "Rom" \(did you mean "Room"\?\)'):
        Filter(include=conditions("Rom = 4b")).passes(entry(columns=COLUMNS))


def test_only_the_beginning_of_a_huge_text_is_searched() -> None:
    condition = compile_condition("title ~ needle", where="include")
    assert condition.holds(entry(title="x" * (SEARCHED_LENGTH - 6) + "needle"))
    assert not condition.holds(entry(title="x" * SEARCHED_LENGTH + "needle"))


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("title", "is not a condition"),
        ("", "is not a condition"),
        ("= x", "is not a condition"),
        ("title > 3", "is not a condition"),
        ("title ~ (", "bad regular expression at character 9: missing )"),
        ("title !~ a**", "bad regular expression at character 12: multiple repeat"),
    ],
)
def test_what_is_no_condition_is_refused_with_its_place(condition: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compile_condition(condition, where="a.toml:9: sync.filter.exclude[2]")
    assert str(caught.value).startswith("a.toml:9: sync.filter.exclude[2]: ")
    assert message in str(caught.value)
