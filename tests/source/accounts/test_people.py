"""Whose calendars are read stands in the config, in a file or in a domain."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.errors import ConfigError, SourceError
from syncd.source.accounts.people import Calendar, read_list

ANNA = Calendar(id="anna@example.com", owner="anna@example.com")
ROOM = "c_1@group.calendar.google.com"


def test_names_are_calendars_of_their_own_address_each_once(tmp_path: Path) -> None:
    given = ["Anna@Example.com", ROOM, "anna@example.com", "primary"]
    listed = read_list(given, tmp_path, where="test").listed()
    assert listed == (ANNA, Calendar(id=ROOM, owner=""), Calendar(id="primary", owner=""))


@pytest.mark.parametrize(
    "text",
    [
        f"anna@example.com\n{ROOM},anna@example.com\n",
        f"calendar,owner\nanna@example.com,\n{ROOM},anna@example.com\n",
        f"Name;E-Mail;Владелец\r\nAnna;anna@example.com;anna@example.com\r\nRoom;{ROOM};anna@example.com\r\n",
        f"# people\n\nanna@example.com\t\n{ROOM}\tanna@example.com",
    ],
)
def test_a_file_names_calendars_and_their_owners(tmp_path: Path, text: str) -> None:
    (tmp_path / "users.csv").write_text(text, encoding="utf-8-sig", newline="")
    found = read_list("users.csv", tmp_path, where="test")
    assert found.listed() == (ANNA, Calendar(id=ROOM, owner="anna@example.com"))
    assert found.paths() == (tmp_path / "users.csv",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "users.csv names no calendar"),
        ("calendar,owner\n", "users.csv names no calendar"),
        ("Name,Phone\nAnna,1\n", "users.csv:1: no column of addresses"),
        ("anna@example.com\nBoris Petrov\n", "users.csv:2: 'Boris Petrov' is no calendar"),
        ("calendar,owner\n,anna@example.com\n", "users.csv:2: '' is no calendar"),
    ],
)
def test_a_file_that_may_name_too_few_is_an_error_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "users.csv").write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match=says):
        read_list("users.csv", tmp_path, where="test").listed()


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"users\.csv: .*check calendars in \[sync.source\]"):
        read_list("users.csv", tmp_path, where="test").listed()


@pytest.mark.parametrize("given", ["@Example.com", "*@example.com"])
def test_a_domain_is_asked_of_the_vendor(tmp_path: Path, given: str) -> None:
    found = read_list(given, tmp_path, where="test")
    assert found.domains == ("example.com",)
    assert found.listed(("anna@example.com",)) == (ANNA,)


@pytest.mark.parametrize("given", ["", [""], "Anna Bell", "@example", ["a\n@example.com"]])
def test_what_names_no_calendar_is_refused(tmp_path: Path, given: str | list[str]) -> None:
    with pytest.raises(ConfigError, match=r"^test: calendars: "):
        read_list(given, tmp_path, where="test")
