"""Which keys go with which target, aliases from a file, and syncs that would double each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.config import CardConfig, TargetConfig, load_config
from syncd.errors import ConfigError
from tests.config.test_load import MINIMAL, PORTAL

Write = Callable[[str], Path]
CARD = 'type = "activity"\ncontact = "{contact_phone}"\n'


def sync(name: str, target: str, more: str = "", path: str = "x.csv") -> str:
    return f'[[sync]]\nname = "{name}"\n[sync.source]\ntype = "csv"\npath = "{path}"\n[sync.target]\n{target}\n{more}\n'


def test_a_card_has_the_documented_defaults(write: Write) -> None:
    (one,) = load_config(write(PORTAL + sync("visits", CARD)), {"HOME": "/h"}).syncs
    target = one.target
    assert isinstance(target, CardConfig)
    assert (target.activity, target.owner_type, target.responsible, target.completed) == (
        "meeting", "contact", None, "past",
    )  # fmt: skip
    assert (target.deadline, target.ping, target.color_id, target.on_unresolved) == ("start", None, None, "hold")


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff# aliases\nFront desk;12\nБухгалтерия;anna@x.example\n",
        "Front desk,12\r\n\r\nБухгалтерия,anna@x.example\r\n",
        "Front desk\t12\nБухгалтерия\tanna@x.example",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "cp1251"])
def test_aliases_come_from_a_csv_too_and_the_configs_own_win(write: Write, content: str, encoding: str) -> None:
    lines = '\nowners_file = "owners.csv"\nowners = { "Front desk" = 5 }'
    path = write(MINIMAL + lines)
    (path.parent / "owners.csv").write_bytes(content.encode(encoding, "ignore"))
    target = load_config(path, {"HOME": "/h"}).syncs[0].target
    assert isinstance(target, TargetConfig)
    assert dict(target.owners) == {"Front desk": 5, "Бухгалтерия": "anna@x.example"}


@pytest.mark.parametrize("name", ["Ґалаґан Євген", "Ўладзімір Іванаў", "Макаров-Ли А.И. (ОТК)", "ООО МегаФон"])
def test_names_of_all_languages_in_windows_1251_are_names(write: Write, name: str) -> None:
    path = write(MINIMAL + '\nowners_file = "owners.csv"\n')
    (path.parent / "owners.csv").write_bytes(f"{name},7\n".encode("cp1251"))
    target = load_config(path, {"HOME": "/h"}).syncs[0].target
    assert isinstance(target, TargetConfig)
    assert dict(target.owners) == {name: "7"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,1\nb\n", "line 2 must have two filled cells"),
        (b"a,1,2\n", "line 1 must have two filled cells"),
        (b"a,1\n\na,2\n", "line 3 gives 'a' a second time"),
        *(
            ("Пётр Иванов,12\n".encode(encoding), "is neither UTF-8 nor Windows-1251")
            for encoding in ("cp866", "koi8-r", "mac-cyrillic", "utf-16")
        ),
    ],
)
def test_a_bad_alias_file_is_told_with_its_line(write: Write, content: bytes, message: str) -> None:
    path = write(MINIMAL + '\nowners_file = "owners.csv"\n')
    (path.parent / "owners.csv").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config(path, {"HOME": "/h"})
    assert "sync.target.owners_file names" in caught.value.message
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("first", "second", "more", "why"),
    [
        (CARD, 'owner = "{owner}"', "", "puts every meeting into the calendar"),
        ('owner = "{owner}"', CARD, "", "puts every meeting into the calendar"),
        (
            'type = "todo"\ncontact = "{contact}"',
            'owner = "{owner}"',
            '[sync.fields]\ncrm = "{contact}"',
            "a to-do onto the card",
        ),
    ],
)
def test_two_syncs_that_double_each_other_are_refused_and_told_why(
    write: Write, first: str, second: str, more: str, why: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(PORTAL + sync("a", first) + sync("b", second, more)), {"HOME": "/h"})
    assert 'that of "a"' in caught.value.message
    assert why in caught.value.message
    assert "sync.target.type" in caught.value.message


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (sync("a", CARD), sync("b", 'owner = "{owner}"', path="y.csv")),
        (sync("a", CARD), sync("b", 'owner = "{owner}"', '[sync.filter]\nexclude = ["status = x"]')),
        (sync("a", CARD), sync("b", 'calendar = "company"')),
        (sync("a", CARD + 'activity = "call"'), sync("b", 'owner = "{owner}"')),
    ],
)
def test_syncs_of_other_entries_or_places_stand_side_by_side(write: Write, first: str, second: str) -> None:
    assert len(load_config(write(PORTAL + first + second), {"HOME": "/h"}).syncs) == 2
