"""Entries that are put away come back as they were."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from syncd.model import stowed
from syncd.model.entry import Attachment, Cells, Details, Entry, Reminder
from syncd.model.stowed import Stowed, kept_like
from tests.model.entries import HOLIDAY, LESSON, entry
from tests.model.generated import generated_series


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stowed, "_PART", 4)


def some_entries() -> tuple[Entry, ...]:
    """Return entries of every kind: rows, whole days, files, texts that are no Unicode, series with exceptions."""
    titles = ("ID", "Shift")
    rng = random.Random(7)
    return (
        *(Entry(uid=f"u{n}", where=f"a.csv:{n}", details=Details(title="é", columns=Cells(titles, (str(n), "é"))),
                span=LESSON) for n in range(9)),
        entry(span=HOLIDAY, title="half \ud800 a pair", reminders=(Reminder(before=timedelta(minutes=5)),)),
        entry(attachments=(Attachment(name="a.pdf", content=b"\0\xff", url="https://x.example/a"),)),
        *(generated_series(rng) for _ in range(20)),
    )  # fmt: skip


def test_entries_that_were_put_away_are_equal_to_what_they_were() -> None:
    entries = some_entries()
    held = Stowed(entries, away=True)
    assert (tuple(held), len(held), bool(held)) == (entries, len(entries), True)
    assert (held[3], held[-1], held[5:7]) == (entries[3], entries[-1], entries[5:7])
    assert list(map(repr, held)) == list(map(repr, entries))


def test_they_are_values_until_they_are_put_away_and_again_once_they_are_unpacked() -> None:
    entries = some_entries()
    held = Stowed(entries)
    assert all(one is same for one, same in zip(held, entries, strict=True))
    for _ in range(2):
        held.put_away()
        assert not any(one is same for one, same in zip(held, tuple(held), strict=True))
        assert tuple(held) == entries
    for _ in range(2):
        held.unpack()
        assert all(one is same for one, same in zip(held, tuple(held), strict=True))
        assert tuple(held) == entries


def test_what_is_made_from_entries_is_kept_as_they_are() -> None:
    entries = some_entries()
    held = Stowed(entries, away=True)
    some = kept_like(held, entries[3:12])
    assert isinstance(some, Stowed)
    assert (tuple(some), some[0] is some[0]) == (entries[3:12], False)
    held.unpack()
    assert kept_like(held, entries)[0] is entries[0]
    assert kept_like(entries, iter(entries)) == entries
