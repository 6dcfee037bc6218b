from __future__ import annotations

from decimal import Decimal

import pytest

from syncd.model.guard import Threshold


@pytest.mark.parametrize(
    ("text", "number", "of", "allowed"),
    [
        ("20%", 20, 100, True),
        ("20%", 21, 100, False),
        ("20%", 1, 4, False),
        ("33.4%", 1, 3, True),
        ("33.3%", 1, 3, False),
        ("0%", 0, 0, True),
        ("0%", 1, 10, False),
        ("100%", 10, 10, True),
        (5, 5, 5, True),
        (5, 6, 1000, False),
        (0, 0, 10, True),
        (0, 1, 10, False),
    ],
)
def test_a_threshold_allows_up_to_and_including_its_limit(text: str | int, number: int, of: int, allowed: bool) -> None:
    assert Threshold.parse(text).allows(number, of) is allowed


@pytest.mark.parametrize("text", ["", "20", "-5%", "101%", "20 percent", -1, True, "20%%"])
def test_what_is_neither_number_nor_percentage_is_refused(text: str | int) -> None:
    with pytest.raises(ValueError, match="percentage"):
        Threshold.parse(text)


def test_a_threshold_prints_as_the_config_has_it() -> None:
    assert [str(Threshold.parse(each)) for each in ("20%", 5, "0.5 %")] == ['"20%"', "5", '"0.5%"']
    assert Threshold.parse("20%") == Threshold(limit=Decimal(20), percent=True)
