"""What every source of files has to keep; a test class inherits this and says how to write its format."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from syncd.errors import SourceError
from syncd.model.entry import Timed
from syncd.model.window import Window
from syncd.source import ReadContext, Source

CONTEXT = ReadContext(zone="Europe/Moscow", window=Window(first=None, last=None), today=date(2026, 11, 21))

PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>403</body></html>\n"


class FileSourceConformance:
    """Inherit and fill in `suffix`, `source` and the four texts."""

    suffix: str

    def source(self, path: str, base: Path) -> Source:
        raise NotImplementedError

    def schedule(self, *uids: str) -> bytes:
        """Return a file with an event from 9 to 10 on 1 December 2026 for each uid."""
        raise NotImplementedError

    def with_broken(self, good: str, bad: str) -> tuple[bytes, int]:
        """Return a file with a good event and one on 31 February, and the line of the latter."""
        raise NotImplementedError

    def truncated(self) -> bytes:
        """Return a file that is cut off after the event "one"; override the test where nothing of it can be read."""
        raise NotImplementedError

    def foreign(self) -> tuple[tuple[bytes, str], ...]:
        """Return files of other kinds, each with a word of the error it is."""
        return (PAGE, "HTML"), (b"PK\x03\x04\x00\x00binary\x00", "binary"), (b"\xff\xfe\x00", "utf-16")

    async def test_all_entries_are_read_in_order_with_their_place(self, tmp_path: Path) -> None:
        (tmp_path / f"a{self.suffix}").write_bytes(self.schedule("b", "a", "c"))
        snapshot = await self.source(f"a{self.suffix}", tmp_path).read(CONTEXT)
        assert [entry.uid for entry in snapshot.entries] == ["b", "a", "c"]
        assert snapshot.complete
        assert snapshot.problems == ()
        places = [entry.where.rpartition(":") for entry in snapshot.entries]
        assert {name for name, _, _ in places} == {f"a{self.suffix}"}
        assert [int(line) for _, _, line in places] == sorted(int(line) for _, _, line in places)
        span = snapshot.entries[0].span
        assert isinstance(span, Timed)
        assert (span.start.isoformat(), span.end.isoformat()) == ("2026-12-01T09:00:00", "2026-12-01T10:00:00")
        assert (span.zone, span.end_zone) == ("Europe/Moscow", "Europe/Moscow")

    async def test_one_broken_entry_is_rejected_and_the_rest_stands(self, tmp_path: Path) -> None:
        content, line = self.with_broken("good", "bad")
        (tmp_path / f"a{self.suffix}").write_bytes(content)
        snapshot = await self.source(f"a{self.suffix}", tmp_path).read(CONTEXT)
        assert [entry.uid for entry in snapshot.entries] == ["good"]
        assert [(problem.where, problem.kind) for problem in snapshot.problems] == [
            (f"a{self.suffix}:{line}", "rejected")
        ]
        assert "2026-02-31" in snapshot.problems[0].reason
        assert snapshot.rejected_uids == {"bad"}
        assert snapshot.complete

    async def test_a_truncated_file_is_incomplete_and_keeps_what_was_read(self, tmp_path: Path) -> None:
        (tmp_path / f"a{self.suffix}").write_bytes(self.truncated())
        snapshot = await self.source(f"a{self.suffix}", tmp_path).read(CONTEXT)
        assert not snapshot.complete
        assert f"a{self.suffix}" in snapshot.incomplete_because
        assert [entry.uid for entry in snapshot.entries] == ["one"]

    async def test_a_file_of_no_bytes_is_incomplete(self, tmp_path: Path) -> None:
        (tmp_path / f"a{self.suffix}").write_bytes(b"")
        snapshot = await self.source(f"a{self.suffix}", tmp_path).read(CONTEXT)
        assert not snapshot.complete
        assert "empty" in snapshot.incomplete_because

    async def test_a_schedule_without_entries_is_complete(self, tmp_path: Path) -> None:
        (tmp_path / f"a{self.suffix}").write_bytes(self.schedule())
        snapshot = await self.source(f"a{self.suffix}", tmp_path).read(CONTEXT)
        assert snapshot.complete
        assert snapshot.entries == ()

    async def test_what_is_no_schedule_is_an_error_that_says_so(self, tmp_path: Path) -> None:
        for content, says in self.foreign():
            (tmp_path / f"a{self.suffix}").write_bytes(content)
            with pytest.raises(SourceError, match=rf"a\{self.suffix}.*{says}"):
                await self.source(f"a{self.suffix}", tmp_path).read(CONTEXT)

    async def test_a_missing_file_is_an_error_with_its_name(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match=rf"a\{self.suffix}"):
            await self.source(f"a{self.suffix}", tmp_path).read(CONTEXT)

    async def test_a_directory_without_files_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "feeds").mkdir()
        with pytest.raises(SourceError, match="feeds"):
            await self.source("feeds", tmp_path).read(CONTEXT)

    async def test_the_same_bytes_give_the_same_snapshot_and_others_another_marker(self, tmp_path: Path) -> None:
        file = tmp_path / f"a{self.suffix}"
        file.write_bytes(self.schedule("a"))
        source = self.source(file.name, tmp_path)
        first = await source.read(CONTEXT)
        assert await source.read(CONTEXT) is first
        assert (await self.source(file.name, tmp_path).read(CONTEXT)).changed_marker == first.changed_marker
        file.write_bytes(self.schedule("a", "b"))
        changed = await source.read(CONTEXT)
        assert changed.changed_marker != first.changed_marker
        assert changed.entries[0] == first.entries[0]

    async def test_a_glob_and_a_directory_read_all_their_files(self, tmp_path: Path) -> None:
        (tmp_path / "feeds").mkdir()
        (tmp_path / "feeds" / f"a{self.suffix}").write_bytes(self.schedule("a"))
        (tmp_path / "feeds" / f"b{self.suffix.upper()}").write_bytes(self.schedule("b"))
        (tmp_path / "feeds" / "notes.txt").write_bytes(b"not a schedule")
        for path in ("feeds", "feeds/[ab].*"):
            snapshot = await self.source(path, tmp_path).read(CONTEXT)
            assert [entry.uid for entry in snapshot.entries] == ["a", "b"]
            assert snapshot.complete
            assert snapshot.entries[0].where.startswith(f"feeds/a{self.suffix}:")

    async def test_one_bad_file_of_several_makes_the_snapshot_incomplete_with_its_name(self, tmp_path: Path) -> None:
        (tmp_path / f"a{self.suffix}").write_bytes(self.schedule("a"))
        (tmp_path / f"b{self.suffix}").write_bytes(PAGE)
        snapshot = await self.source(f"*{self.suffix}", tmp_path).read(CONTEXT)
        assert [entry.uid for entry in snapshot.entries] == ["a"]
        assert not snapshot.complete
        assert f"b{self.suffix}" in snapshot.incomplete_because
        assert [(problem.where, problem.kind) for problem in snapshot.problems] == [(f"b{self.suffix}", "incomplete")]

    async def test_a_uid_met_in_a_second_file_is_rejected_naming_both(self, tmp_path: Path) -> None:
        (tmp_path / f"a{self.suffix}").write_bytes(self.schedule("x"))
        (tmp_path / f"b{self.suffix}").write_bytes(self.schedule("x", "y"))
        snapshot = await self.source(f"*{self.suffix}", tmp_path).read(CONTEXT)
        assert [entry.uid for entry in snapshot.entries] == ["x", "y"]
        assert snapshot.entries[0].where.startswith(f"a{self.suffix}")
        (problem,) = snapshot.problems
        assert problem.kind == "rejected"
        assert problem.where.startswith(f"b{self.suffix}")
        assert f"a{self.suffix}" in problem.reason
        assert "x" not in snapshot.rejected_uids

    async def test_the_source_is_described_by_its_path(self, tmp_path: Path) -> None:
        assert f"team{self.suffix}" in self.source(f"team{self.suffix}", tmp_path).describe()
