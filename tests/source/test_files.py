import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from socket import AF_UNIX, socket

import pytest

from syncd.errors import ConfigError, SourceError, TransientSourceError
from syncd.source import open_source
from syncd.source.base import ReadContext
from syncd.source.conformance import CONTEXT
from syncd.source.file_source import locate, read_file
from syncd.source.files import Assembly, FileBytes, Part
from tests.source.calendars import NIGHT, calendar, event


def touch(base: Path, *names: str) -> None:
    for name in names:
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_bytes(b"x")


def write_at_every_stat(monkeypatch: pytest.MonkeyPatch, file: Path, times: int) -> None:
    """Let someone append to the file after each of the first `times` readings, before its state is looked at again."""
    left = [times]
    stat = Path.stat

    def writing(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path == file and left[0] > 0:
            left[0] -= 1
            with file.open("ab") as out:
                out.write(b"more")
        return stat(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", writing)


def test_a_path_means_a_file_a_glob_or_a_directory(tmp_path: Path) -> None:
    touch(tmp_path, "b.csv", "a.csv", "c.CSV", "d.txt", "sub/e.csv")
    (tmp_path / "x.csv").mkdir()
    assert locate("a.csv", tmp_path, ".csv") == ("a.csv",)
    assert locate("*.csv", tmp_path, ".csv") == ("a.csv", "b.csv")
    assert locate("**/*.csv", tmp_path, ".csv") == ("a.csv", "b.csv", "sub/e.csv")
    assert locate("sub", tmp_path, ".csv") == ("sub/e.csv",)
    assert locate(str(tmp_path / "a*.csv"), Path("/"), ".csv") == (str(tmp_path / "a.csv"),)


def test_what_programs_put_beside_an_open_file_is_no_schedule(tmp_path: Path) -> None:
    for name in ("plan.xlsx", "~$plan.xlsx", "._plan.xlsx", ".#plan.xlsx", ".~lock.plan.xlsx#"):
        (tmp_path / name).touch()
    for path in (".", "*.xlsx", str(tmp_path), "**/*.xlsx"):
        assert [Path(name).name for name in locate(path, tmp_path, ".xlsx")] == ["plan.xlsx"]
    (tmp_path / "plan.xlsx").unlink()
    with pytest.raises(SourceError, match="there is not"):
        locate(".", tmp_path, ".xlsx")


def test_a_file_whose_name_looks_like_a_glob_is_a_file(tmp_path: Path) -> None:
    touch(tmp_path, "plan[1].csv")
    assert locate("plan[1].csv", tmp_path, ".csv") == ("plan[1].csv",)


@pytest.mark.parametrize("path", ["*.csv", "empty"])
def test_a_path_without_any_file_is_an_error(tmp_path: Path, path: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="there is not a file"):
        locate(path, tmp_path, ".csv")


def test_a_missing_file_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"gone\.csv: No such file.*check path"):
        read_file("gone.csv", tmp_path)


def test_a_file_written_to_meanwhile_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.csv")
    write_at_every_stat(monkeypatch, tmp_path / "a.csv", times=1)
    found = read_file("a.csv", tmp_path)
    assert (found.content, found.unsettled) == (b"xmore", "")


def test_a_file_that_does_not_come_to_rest_is_said_to_be_unfinished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a.csv")
    write_at_every_stat(monkeypatch, tmp_path / "a.csv", times=2)
    assert read_file("a.csv", tmp_path).unsettled == "a.csv was being written while it was read"


def replace_at_every_stat(monkeypatch: pytest.MonkeyPatch, file: Path, times: int) -> None:
    """Let someone put another file of the same size and time in its place after each of the first `times` readings."""
    left = [times]
    stat = Path.stat

    def replacing(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path == file and left[0] > 0:
            left[0] -= 1
            fresh = file.with_suffix(".new")
            fresh.write_bytes(b"y")
            os.utime(fresh, ns=(0, stat(file).st_mtime_ns))
            fresh.replace(file)
        return stat(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", replacing)


def test_a_file_replaced_while_it_was_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.csv")
    replace_at_every_stat(monkeypatch, tmp_path / "a.csv", times=1)
    found = read_file("a.csv", tmp_path)
    assert (found.content, found.unsettled) == (b"y", "")


async def test_a_schedule_that_does_not_come_to_rest_is_read_but_its_absences_are_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.ics"
    file.write_bytes(calendar(event(NIGHT, uid="one")))
    source = open_source({"type": "ics", "path": "a.ics"}, tmp_path, where="test")
    write_at_every_stat(monkeypatch, file, times=4)
    snapshot = await source.read(CONTEXT)
    assert [entry.uid for entry in snapshot.entries] == ["one"]
    assert (snapshot.complete, snapshot.incomplete_because) == (False, "a.ics was being written while it was read")


async def test_a_file_that_goes_while_the_others_are_read_makes_the_snapshot_incomplete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.ics").write_bytes(calendar(event(NIGHT, uid=name)))
    source = open_source({"type": "ics", "path": "."}, tmp_path, where="test")

    def gone(path: str, base: Path, suffix: str) -> tuple[str, ...]:
        found = locate(path, base, suffix)
        (base / "b.ics").unlink()
        return found

    monkeypatch.setattr("syncd.source.file_source.locate", gone)
    snapshot = await source.read(CONTEXT)
    assert [entry.uid for entry in snapshot.entries] == ["a"]
    assert not snapshot.complete
    assert "b.ics: No such file" in snapshot.incomplete_because


def test_of_many_files_only_those_that_changed_are_parsed_again() -> None:
    parsed: list[str] = []

    class Noted:
        suffix, by_file = ".txt", True

        def begin(self) -> None:
            pass

        def end(self) -> None:
            pass

        def parse(self, name: str, content: bytes, _context: ReadContext) -> Part:
            parsed.append(name)
            if content == b"bad":
                raise SourceError(f"{name} is bad")
            return Part()

    assembly = Assembly(Noted(), settings="")

    def read_all(context: ReadContext = CONTEXT, **contents: bytes) -> list[str]:
        parsed.clear()
        files = [FileBytes(name=name, content=content) for name, content in contents.items()]
        assembly.snapshot(files, [], context)
        return list(parsed)

    assert read_all(a=b"1", b=b"2", c=b"bad") == ["a", "b", "c"]
    assert read_all(a=b"1", b=b"2", c=b"bad") == []
    assert read_all(a=b"1", b=b"3", c=b"bad") == ["b", "c"]
    assert read_all(a=b"1", b=b"3", c=b"4", d=b"1") == ["c", "d"]
    assert read_all(replace(CONTEXT, zone="Asia/Omsk"), a=b"1", b=b"3") == ["a", "b"]


def test_a_file_whose_reader_failed_is_tried_again_though_its_bytes_are_the_same() -> None:
    failing = True

    class Failing:
        suffix, by_file = ".txt", True

        def begin(self) -> None:
            pass

        def end(self) -> None:
            pass

        def parse(self, name: str, _content: bytes, _context: ReadContext) -> Part:
            if name == "b" and failing:
                raise TransientSourceError(f"{name} takes more than 512 MB")
            return Part()

    assembly = Assembly(Failing(), settings="")
    files = [FileBytes(name="a", content=b"1"), FileBytes(name="b", content=b"2")]
    assert not assembly.snapshot(files, [], CONTEXT).complete
    failing = False
    whole = assembly.snapshot(files, [], CONTEXT)
    assert whole.complete
    assert assembly.snapshot(files, [], CONTEXT) is whole


def linked(base: Path) -> None:
    """Put links into a folder: two that stay in it, and some that lead to a secret outside."""
    touch(base, "secret/webhook.csv", "in/real.csv", "in/sub/deep.csv", "in-house/x.csv")
    base.joinpath("secret/webhook.csv").write_text("https://b24.example/rest/1/s3cr3tc0de/\n")
    links = {
        "same.csv": "real.csv", "deeper.csv": "sub/deep.csv", "out.csv": "../secret/webhook.csv",
        "absolute.csv": str(base / "secret/webhook.csv"), "twice.csv": "out.csv", "folder": "../secret",
        "beside.csv": "../in-house/x.csv",
    }  # fmt: skip
    for name, target in links.items():
        (base / "in" / name).symlink_to(target)


STAYING = ("real.csv", "same.csv", "deeper.csv", "sub/deep.csv")
LEAVING = ("out.csv", "absolute.csv", "twice.csv", "folder/webhook.csv", "beside.csv")


def test_a_link_is_followed_within_its_folder_only(tmp_path: Path) -> None:
    linked(tmp_path)
    (tmp_path / "door").symlink_to("in")  # the folder itself may be one: the config names it
    for folder in ("in", "door"):
        for name in STAYING:
            assert read_file(f"{folder}/{name}", tmp_path, tmp_path / folder).content == b"x"
        for name in LEAVING:
            with pytest.raises(SourceError, match=r"is a link that leads out of its folder.*follow_links") as caught:
                read_file(f"{folder}/{name}", tmp_path, tmp_path / folder)
            assert "s3cr3t" not in str(caught.value)
            assert read_file(f"{folder}/{name}", tmp_path).content


@pytest.mark.parametrize("path", ["in/out.csv", "in/folder/*.csv", "in/o*.csv", "in/*/w*.csv"])
async def test_no_way_of_naming_files_leads_out_unless_the_config_allows_it(tmp_path: Path, path: str) -> None:
    linked(tmp_path)
    options = {"type": "csv", "path": path, "columns": {"title": "T", "start": "S"}}
    with pytest.raises(SourceError) as caught:
        await open_source(options, tmp_path, where="x").read(CONTEXT)
    outside = path == "in/folder/*.csv"  # a folder that the config names itself
    assert ("leads out" in str(caught.value)) != outside
    with pytest.raises(SourceError, match="column"):
        await open_source({**options, "follow_links": True}, tmp_path, where="x").read(CONTEXT)


def test_a_file_that_is_exchanged_for_a_link_while_it_is_opened_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked(tmp_path)
    resolve = Path.resolve

    def exchanging(path: Path, strict: bool = False) -> Path:
        if path.is_symlink():  # opened as a link, put right before it is looked at
            path.unlink()
            path.write_bytes(b"harmless")
        return resolve(path, strict)

    monkeypatch.setattr(Path, "resolve", exchanging)
    found = read_file("in/out.csv", tmp_path, tmp_path / "in")
    assert b"s3cr3t" not in found.content
    assert found.content == b"harmless"


def test_what_is_no_file_is_refused_and_nothing_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with closing(socket(AF_UNIX)) as listening:
        listening.bind(str(tmp_path / "socket.csv"))
        for name, says in (
            ("pipe.csv", "pipe.csv is a pipe, not a file"),
            ("/dev/zero", "/dev/zero is a device, not a file"),
            ("", "is a directory, not a file"),
            ("socket.csv", "socket.csv: No such device or address"),
        ):
            with pytest.raises(SourceError, match=says):
                read_file(name, tmp_path)


@pytest.mark.parametrize("size", [1_001, 1 << 40], ids=["a little", "a terabyte of nothing"])
def test_a_file_of_more_than_max_bytes_is_not_read(tmp_path: Path, size: int) -> None:
    with (tmp_path / "a.csv").open("wb") as file:
        file.truncate(size)
    with pytest.raises(SourceError, match=r"a\.csv has more than 1000 bytes.*raise max_bytes"):
        read_file("a.csv", tmp_path, max_bytes=1_000)


def test_a_file_that_does_not_say_its_size_is_read_no_further() -> None:
    with pytest.raises(SourceError, match="has more than 10 bytes"):
        read_file("/proc/self/status", Path(), max_bytes=10)


async def test_files_that_are_too_large_together_are_left_out_by_name(tmp_path: Path) -> None:
    for at in range(12):
        (tmp_path / f"{at:02}.csv").write_text("Title,Start\nX,2026-12-01\n" + "," * 970)
    options = {"type": "csv", "path": "*.csv", "columns": {"title": 1, "start": 2}, "max_bytes": 1_000}
    snapshot = await open_source(options, tmp_path, where="test").read(CONTEXT)
    assert not snapshot.complete
    assert [one.where for one in snapshot.problems if one.kind == "incomplete"] == ["10.csv", "11.csv"]
    with pytest.raises(ConfigError, match="max_bytes = 0 lets nothing through"):
        open_source({**options, "max_bytes": 0}, tmp_path, where="test")


@pytest.mark.parametrize("path", ["a\x00b.csv", f"{'a' * 300}.csv", f"{'a' * 300}/*.csv", "*\x00.csv"])
def test_a_path_that_the_system_refuses_is_told_with_its_remedy(tmp_path: Path, path: str) -> None:
    with pytest.raises(SourceError) as caught:
        for name in locate(path, tmp_path, ".csv"):
            read_file(name, tmp_path)
    assert caught.value.remedy == "check path in [sync.source]"


async def test_a_file_whose_name_is_no_utf_8_is_read_and_named_by_escapes(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.csv")
    columns = {"title": "title", "start": "start", "end": "end"}
    rows = "title,start,end\nA,2026-12-01 09:00,2026-12-01 10:00\nB,2026-12-01 09:00,2026-12-01 08:00\n"
    (tmp_path / name).write_text(rows)
    source = open_source({"type": "csv", "path": "*.csv", "columns": columns}, tmp_path, where="test")
    snapshot = await source.read(CONTEXT)
    places = [*(one.where for one in snapshot.entries), *(one.where for one in snapshot.problems)]
    assert places == [r"caf\udce9.csv:2", r"caf\udce9.csv:3"]
