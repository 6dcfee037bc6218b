import os
from pathlib import Path

import pytest

from syncd.errors import SourceError
from syncd.source.files import locate, read


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
        read("gone.csv", tmp_path)


def test_a_file_written_to_meanwhile_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.csv")
    write_at_every_stat(monkeypatch, tmp_path / "a.csv", times=1)
    found = read("a.csv", tmp_path)
    assert (found.content, found.unsettled) == (b"xmore", "")


def test_a_file_that_does_not_come_to_rest_is_said_to_be_unfinished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a.csv")
    write_at_every_stat(monkeypatch, tmp_path / "a.csv", times=2)
    assert read("a.csv", tmp_path).unsettled == "a.csv was being written while it was read"
