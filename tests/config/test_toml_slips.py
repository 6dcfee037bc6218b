"""What is not TOML is told with what to write instead, and no value is repeated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.config import load_config
from syncd.config.toml_slips import remedy
from syncd.errors import ConfigError
from tests.config.test_load import MINIMAL

Write = Callable[[str], Path]


def refused(path: Path) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_config(path, {"HOME": "/h"})
    return caught.value


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("x = “x”", "write straight quotation marks in place of “"),
        ('x = "x”', "write straight quotation marks in place of ”"),
        ("x = «x»", "write straight quotation marks in place of «"),
        ("„x“ = 1", "write straight quotation marks in place of „"),
        (r'x = "C:\Users\x"', r"write a path of Windows in single quotes, as 'C:\Users\x', or double each backslash"),
        (r'x = "D:\Plan\a.csv"', "or double each backslash"),
        ("every = 15m", 'put the value of every in quotation marks: every = "..."'),
        ("every = 1d 2h", "put the value of every in quotation marks"),
        ("timezone = Europe/Moscow", "put the value of timezone in quotation marks"),
        ("owner = {owner}", "put the value of owner in quotation marks"),
        ("every", "write = between every and its value"),
        ('every "15m"', "write = between every and its value"),
        ('every: "15m"', "write = in place of : after every"),
        ("every =", "give every a value, or remove the line"),
        ("private = True", "write private = true or private = false"),
        ("private = yes", "write private = true or private = false"),
        ('every = "15m', "close the quotation marks on this line"),
        ("every = '15m", "close the quotation marks on this line"),
        ('every = "15m";', "remove what stands after the value of every, or put # before it"),
        ("a = 1\na = 2", "the key stands there twice; keep one"),
        ("[a]\nb = 1\n[a]", "put its keys into one"),
        ("[portals.main", "close the heading with ]"),
        ("[[sync]", "close the heading with ]]"),
        ('a = ["x" "y"]', "put commas between the items"),
        ("a = {b = 1, c = 2", "put commas between the items and close the table with }"),
        ("a = {b = 1,\nc = 2}", "keep what stands in braces on one line"),
        ("a =\u00a01", "write a plain space in place of the invisible character there"),
        ("// comment", "begin a comment with #"),
        ("имя = 1", "put a name with letters beyond a to z in quotation marks"),
        ("= 1", "write the name of the key before ="),
    ],
)
def test_a_slip_is_told_with_its_remedy(write: Write, line: str, says: str) -> None:
    told = refused(write(f"# first\n{line}\n"))
    assert told.message.startswith(f"{write('')}:")
    assert "is not TOML: " in told.message
    assert says in told.remedy


@pytest.mark.parametrize(
    "line",
    [
        "webhook = https://x/rest/1/SECRET/",
        'token = "SECRET',
        "SECRET1",
        "password SECRET",
        "webhook: SECRET",
        "x = “SECRET”",
    ],
)
def test_no_value_is_repeated(write: Write, line: str) -> None:
    assert "SECRET" not in str(refused(write(line + "\n")))


@pytest.mark.parametrize("path", [r"C:\temp\new.csv", r"D:\new", r"c:\feeds\readme"])
def test_a_path_whose_backslashes_were_read_as_other_characters_is_told(write: Write, path: str) -> None:
    given = MINIMAL.replace('path = "shifts.csv"', f'path = "{path}"')
    assert given != MINIMAL
    told = refused(write(given))
    assert told.message.endswith("sync.source.path has lost its backslashes")
    assert "in single quotes" in told.remedy


def test_a_file_in_another_encoding_is_told_with_the_one_it_seems_to_have(tmp_path: Path) -> None:
    path = tmp_path / "syncd.toml"
    path.write_bytes("# Расписание уроков\n".encode("cp1251"))
    assert str(refused(path)) == f"{path}:1: is not UTF-8 and seems to be cp1251 (ANSI) (save the file as UTF-8)"
    path.write_bytes("# x\n".encode("utf-16"))
    assert 'is not UTF-8 but UTF-16, which Windows calls "Unicode"' in str(refused(path))


def test_a_byte_order_mark_and_line_ends_of_windows_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "syncd.toml"
    path.write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())
    assert [sync.name for sync in load_config(path, {"HOME": "/h"}).syncs] == ["timetable"]


@given(st.text(max_size=40), st.integers(1, 45), st.sampled_from(["Invalid value", "Expected '=' after a key", "x"]))
def test_any_line_has_a_remedy_or_none(line: str, column: int, said: str) -> None:
    assert isinstance(remedy(line, column, said), str)
