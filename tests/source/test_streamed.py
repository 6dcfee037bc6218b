"""Entries that are given one after the other: the same, with the same to tell, as those of a snapshot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from syncd.errors import SourceError
from syncd.model.entry import Again, Entry, Snapshot
from syncd.source import open_source
from syncd.source.base import EntryStream, Fetching
from syncd.source.conformance import CONTEXT
from syncd.source.file_source import FileSource

COLUMNS = {"uid": "ID", "title": "Shift", "start": "Start", "end": "End", "owner": "Who"}
HEAD = "ID,Shift,Start,End,Who\n"
GOOD = "".join(f"{n},Early {n},2026-12-0{n} 06:00,2026-12-0{n} 14:00,a@x.example\n" for n in range(1, 8))
FILES = {
    "good": HEAD + GOOD,
    "the same uid twice": HEAD + GOOD + "3,Late,2026-12-09 06:00,2026-12-09 14:00,a@x.example\n",
    "a rejected row": HEAD + "8,,2026-12-01 06:00,,\n" + GOOD + "9,Late,never,,\n",
    "rejected, then good under the same uid": HEAD + "3,Late,never,,\n" + GOOD,
    "without uid and unreadable": HEAD + GOOD + ",,never,,\n",
    "rows without uids": (HEAD + GOOD).replace("\n4,", "\n,"),
    "cut off": HEAD + GOOD + "8,La",
    "an open quote": HEAD + GOOD + '8,"Late,2026-12-01 06:00,2026-12-01 14:00,\n',
    "control characters": HEAD + GOOD.replace("Early 5", "Early\x07 5"),
    "totals below": HEAD + GOOD + "Total,,,,7\n",
    "no rows": HEAD,
    "nothing": "",
}


def source(folder: Path, path: str = "a.csv", **options: object) -> FileSource:
    chosen = {"type": "csv", "path": path, "columns": COLUMNS, **options}
    opened = open_source(chosen, folder, where="[sync.source]")
    assert isinstance(opened, FileSource)
    return opened


def streamed(opened: FileSource) -> Callable[[], EntryStream] | None:
    assert isinstance(opened, Fetching)
    return asyncio.run(opened.fetch(CONTEXT)).streamed


def through(stream: EntryStream) -> tuple[list[Entry], Snapshot]:
    entries: list[Entry] = []
    while True:
        try:
            entries.append(next(stream))
        except StopIteration as end:
            return entries, end.value


@pytest.mark.parametrize("name", FILES)
def test_a_stream_tells_what_the_snapshot_does(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.csv").write_text(FILES[name])
    begin = streamed(source(tmp_path))
    assert begin is not None
    entries, snapshot = through(begin())
    whole = asyncio.run(source(tmp_path).read(CONTEXT))
    assert (tuple(entries), replace(snapshot, entries=())) == (whole.entries, replace(whole, entries=()))
    assert isinstance(snapshot.entries, Again)
    for _ in range(2):
        assert (len(snapshot.entries), tuple(snapshot.entries)) == (len(entries), whole.entries)


@pytest.mark.parametrize("content", [HEAD.replace("Start", "Begin") + GOOD, "\x00\x01\x02PK"])
def test_a_file_that_cannot_be_used_raises_the_same_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    begin = streamed(source(tmp_path))
    assert begin is not None
    with pytest.raises(SourceError) as of_stream:
        through(begin())
    with pytest.raises(SourceError) as of_whole:
        asyncio.run(source(tmp_path).read(CONTEXT))
    assert (type(of_stream.value), str(of_stream.value)) == (type(of_whole.value), str(of_whole.value))


def test_a_row_without_memory_ends_the_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text(FILES["good"])
    begin = streamed(source(tmp_path))
    assert begin is not None

    def none_left(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("syncd.source.table.row_reader.RowReader._entry", none_left)
    with pytest.raises(MemoryError):
        through(begin())
    monkeypatch.undo()
    assert len(through(begin())[0]) == 7


def test_several_files_and_what_is_parsed_already_are_not_streamed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(FILES["good"])
    opened = source(tmp_path)
    first = asyncio.run(opened.read(CONTEXT))
    assert streamed(opened) is None
    assert asyncio.run(opened.read(CONTEXT)) is first
    (tmp_path / "b.csv").write_text(FILES["good"])
    assert streamed(source(tmp_path, "*.csv")) is None


def test_after_a_stream_nothing_is_kept_of_an_earlier_snapshot(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(FILES["good"])
    opened = source(tmp_path)
    first = asyncio.run(opened.read(CONTEXT))
    (tmp_path / "a.csv").write_text(FILES["a rejected row"])
    begin = streamed(opened)
    assert begin is not None
    through(begin())
    (tmp_path / "a.csv").write_text(FILES["good"])
    again = asyncio.run(opened.read(CONTEXT))
    assert again == first
    assert again is not first
