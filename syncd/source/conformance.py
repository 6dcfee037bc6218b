"""Tests that every source must pass, to be inherited by authors of plugins; needs pytest and pytest-asyncio.

`SourceConformance` is for any source, `FileSourceConformance` for one that reads files of a format. A test class
inherits one of them and defines how the source is made and how its schedule is written; it then has all the tests.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from syncd.errors import SourceError
from syncd.model.entry import Snapshot, Timed, Window
from syncd.source.base import ReadContext, Source

CONTEXT = ReadContext(zone="Europe/Moscow", window=Window(first=None, last=None), today=date(2026, 11, 21))
"""The context of all readings in the tests."""

PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>403</body></html>\n"
"""What a server sends in place of a schedule to a client that is not signed in."""


class SourceConformance:
    """Inherit it and define `source` and `put`, and `put_broken`, `cut_short` and `remove` if the source allows them.

    `folder` is a directory of the test, where the source may keep its schedule. `secret`, if set, is a text that must
    not appear in messages.
    """

    secret = ""

    def source(self, folder: Path) -> Source:
        """Return a new source."""
        raise NotImplementedError

    def put(self, folder: Path, *uids: str) -> None:
        """Make the schedule hold one event from 9 to 10 (Moscow) on 1 December 2026 for each uid, and nothing else."""
        raise NotImplementedError

    def put_broken(self, folder: Path, good: str, bad: str) -> None:
        """Make the schedule hold a good event and one on 31 February."""
        pytest.skip("this source cannot hold an event that makes no sense")

    def cut_short(self, folder: Path) -> None:
        """Truncate the schedule, which holds two events, "one" and "two"."""
        pytest.skip("this source cannot be cut short")

    def remove(self, folder: Path) -> None:
        """Remove the schedule."""
        pytest.skip("this source cannot go away")

    def uid(self, name: str) -> str:
        """Return the uid that the source gives the event `name`, where it is not just that."""
        return name

    async def test_every_entry_is_read_with_its_uid_its_times_and_a_place_of_its_own(self, tmp_path: Path) -> None:
        self.put(tmp_path, "b", "a", "c")
        snapshot = await self.source(tmp_path).read(CONTEXT)
        assert sorted(entry.uid for entry in snapshot.entries) == [self.uid(name) for name in "abc"]
        assert snapshot.complete
        assert snapshot.problems == ()
        assert len({entry.where for entry in snapshot.entries}) == 3
        for entry in snapshot.entries:
            assert isinstance(entry.span, Timed)
            assert (entry.span.start.isoformat(), entry.span.end.isoformat()) == (
                "2026-12-01T09:00:00",
                "2026-12-01T10:00:00",
            )
            assert (entry.span.zone, entry.span.end_zone) == ("Europe/Moscow", "Europe/Moscow")

    async def test_a_schedule_without_entries_is_a_complete_snapshot(self, tmp_path: Path) -> None:
        self.put(tmp_path)
        snapshot = await self.source(tmp_path).read(CONTEXT)
        assert (snapshot.entries, snapshot.complete) == ((), True)

    async def test_what_has_not_changed_gives_an_equal_snapshot_in_this_process_and_the_next(
        self, tmp_path: Path
    ) -> None:
        self.put(tmp_path, "a", "b")
        source = self.source(tmp_path)
        first = await source.read(CONTEXT)
        assert await source.read(CONTEXT) == first
        assert await self.source(tmp_path).read(CONTEXT) == first

    async def test_what_has_changed_gives_another_marker_and_leaves_the_other_entries_as_they_were(
        self, tmp_path: Path
    ) -> None:
        self.put(tmp_path, "a")
        source = self.source(tmp_path)
        first = await source.read(CONTEXT)
        self.put(tmp_path, "a", "b")
        changed = await source.read(CONTEXT)
        assert changed.changed_marker != first.changed_marker
        assert _by_uid(changed)[self.uid("a")] == _by_uid(first)[self.uid("a")]
        self.put(tmp_path, "b")
        gone = await source.read(CONTEXT)
        assert (set(_by_uid(gone)), gone.complete) == ({self.uid("b")}, True)

    async def test_a_broken_event_is_rejected_alone(self, tmp_path: Path) -> None:
        self.put_broken(tmp_path, "good", "bad")
        snapshot = await self.source(tmp_path).read(CONTEXT)
        assert set(_by_uid(snapshot)) == {self.uid("good")}
        assert snapshot.complete
        assert snapshot.rejected_uids == {self.uid("bad")}
        assert [(problem.kind, problem.key) for problem in snapshot.problems] == [("rejected", self.uid("bad"))]
        assert snapshot.problems[0].where
        assert snapshot.problems[0].reason

    async def test_a_schedule_cut_short_is_never_taken_for_a_shorter_one(self, tmp_path: Path) -> None:
        self.put(tmp_path, "one", "two")
        source = self.source(tmp_path)
        await source.read(CONTEXT)
        self.cut_short(tmp_path)
        for reading in (source, self.source(tmp_path)):
            try:
                snapshot = await reading.read(CONTEXT)
            except SourceError as error:
                assert self._is_told(str(error))
            else:
                assert not snapshot.complete
                assert self._is_told(snapshot.incomplete_because)

    async def test_a_schedule_that_is_gone_is_no_empty_one(self, tmp_path: Path) -> None:
        self.put(tmp_path, "one")
        self.remove(tmp_path)
        with pytest.raises(SourceError) as caught:
            await self.source(tmp_path).read(CONTEXT)
        assert self._is_told(str(caught.value))

    async def test_a_reading_that_is_cancelled_ends_and_spoils_nothing(self, tmp_path: Path) -> None:
        self.put(tmp_path, "a", "b")
        source = self.source(tmp_path)
        reading = asyncio.ensure_future(source.read(CONTEXT))
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(reading, timeout=10)
        assert set(_by_uid(await source.read(CONTEXT))) == {self.uid("a"), self.uid("b")}

    async def test_a_window_may_leave_out_only_what_does_not_touch_it(self, tmp_path: Path) -> None:
        self.put(tmp_path, "a")
        day = date(2026, 12, 1)
        snapshot = await self.source(tmp_path).read(replace(CONTEXT, window=Window(first=day, last=day)))
        assert set(_by_uid(snapshot)) == {self.uid("a")}

    async def test_the_source_says_in_one_line_what_it_is(self, tmp_path: Path) -> None:
        told = self.source(tmp_path).describe()
        assert told.isprintable()
        assert self._is_told(told)

    def _is_told(self, text: str) -> bool:
        return bool(text.strip()) and not (self.secret and self.secret in text)


class FileSourceConformance(SourceConformance):
    """Inherit it and define `suffix`, `opened` and the texts of files."""

    suffix: str

    def opened(self, path: str, base: Path) -> Source:
        """Return a source of the files that `path` means, relative to `base`."""
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

    def source(self, folder: Path) -> Source:
        return self.opened(f"a{self.suffix}", folder)

    def put(self, folder: Path, *uids: str) -> None:
        (folder / f"a{self.suffix}").write_bytes(self.schedule(*uids))

    def put_broken(self, folder: Path, good: str, bad: str) -> None:
        (folder / f"a{self.suffix}").write_bytes(self.with_broken(good, bad)[0])

    def cut_short(self, folder: Path) -> None:
        (folder / f"a{self.suffix}").write_bytes(self.truncated())

    def remove(self, folder: Path) -> None:
        (folder / f"a{self.suffix}").unlink()

    async def test_all_entries_are_read_in_order_with_their_place(self, tmp_path: Path) -> None:
        (tmp_path / f"a{self.suffix}").write_bytes(self.schedule("b", "a", "c"))
        snapshot = await self.opened(f"a{self.suffix}", tmp_path).read(CONTEXT)
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
        snapshot = await self.opened(f"a{self.suffix}", tmp_path).read(CONTEXT)
        assert [entry.uid for entry in snapshot.entries] == ["good"]
        assert [(problem.where, problem.kind) for problem in snapshot.problems] == [
            (f"a{self.suffix}:{line}", "rejected")
        ]
        assert "2026-02-31" in snapshot.problems[0].reason
        assert snapshot.rejected_uids == {"bad"}
        assert snapshot.complete

    async def test_a_truncated_file_is_incomplete_and_keeps_what_was_read(self, tmp_path: Path) -> None:
        (tmp_path / f"a{self.suffix}").write_bytes(self.truncated())
        snapshot = await self.opened(f"a{self.suffix}", tmp_path).read(CONTEXT)
        assert not snapshot.complete
        assert f"a{self.suffix}" in snapshot.incomplete_because
        assert [entry.uid for entry in snapshot.entries] == ["one"]

    async def test_a_file_of_no_bytes_is_incomplete(self, tmp_path: Path) -> None:
        (tmp_path / f"a{self.suffix}").write_bytes(b"")
        snapshot = await self.opened(f"a{self.suffix}", tmp_path).read(CONTEXT)
        assert not snapshot.complete
        assert "empty" in snapshot.incomplete_because

    async def test_what_is_no_schedule_is_an_error_that_says_so(self, tmp_path: Path) -> None:
        for content, says in self.foreign():
            (tmp_path / f"a{self.suffix}").write_bytes(content)
            with pytest.raises(SourceError, match=rf"a\{self.suffix}.*{says}"):
                await self.opened(f"a{self.suffix}", tmp_path).read(CONTEXT)

    async def test_a_missing_file_is_an_error_with_its_name(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match=rf"a\{self.suffix}"):
            await self.opened(f"a{self.suffix}", tmp_path).read(CONTEXT)

    async def test_a_directory_without_files_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "feeds").mkdir()
        with pytest.raises(SourceError, match="feeds"):
            await self.opened("feeds", tmp_path).read(CONTEXT)

    async def test_the_same_bytes_give_the_same_snapshot_and_others_another_marker(self, tmp_path: Path) -> None:
        file = tmp_path / f"a{self.suffix}"
        file.write_bytes(self.schedule("a"))
        source = self.opened(file.name, tmp_path)
        first = await source.read(CONTEXT)
        assert await source.read(CONTEXT) is first
        assert (await self.opened(file.name, tmp_path).read(CONTEXT)).changed_marker == first.changed_marker
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
            snapshot = await self.opened(path, tmp_path).read(CONTEXT)
            assert [entry.uid for entry in snapshot.entries] == ["a", "b"]
            assert snapshot.complete
            assert snapshot.entries[0].where.startswith(f"feeds/a{self.suffix}:")

    async def test_one_bad_file_of_several_makes_the_snapshot_incomplete_with_its_name(self, tmp_path: Path) -> None:
        (tmp_path / f"a{self.suffix}").write_bytes(self.schedule("a"))
        (tmp_path / f"b{self.suffix}").write_bytes(PAGE)
        snapshot = await self.opened(f"*{self.suffix}", tmp_path).read(CONTEXT)
        assert [entry.uid for entry in snapshot.entries] == ["a"]
        assert not snapshot.complete
        assert f"b{self.suffix}" in snapshot.incomplete_because
        assert [(problem.where, problem.kind) for problem in snapshot.problems] == [(f"b{self.suffix}", "incomplete")]

    async def test_a_uid_met_in_a_second_file_is_rejected_naming_both(self, tmp_path: Path) -> None:
        (tmp_path / f"a{self.suffix}").write_bytes(self.schedule("x"))
        (tmp_path / f"b{self.suffix}").write_bytes(self.schedule("x", "y"))
        snapshot = await self.opened(f"*{self.suffix}", tmp_path).read(CONTEXT)
        assert [entry.uid for entry in snapshot.entries] == ["x", "y"]
        assert snapshot.entries[0].where.startswith(f"a{self.suffix}")
        (problem,) = snapshot.problems
        assert problem.kind == "rejected"
        assert problem.where.startswith(f"b{self.suffix}")
        assert f"a{self.suffix}" in problem.reason
        assert "x" not in snapshot.rejected_uids

    async def test_the_source_is_described_by_its_path(self, tmp_path: Path) -> None:
        assert f"team{self.suffix}" in self.opened(f"team{self.suffix}", tmp_path).describe()


def _by_uid(snapshot: Snapshot) -> dict[str, object]:
    return {entry.uid: entry for entry in snapshot.entries}
