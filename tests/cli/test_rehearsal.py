"""A rehearsal knows the company's people: a world file with what a real portal shows of them, and nothing else."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest

from syncd.app.rehearsal import rehearsal_of
from syncd.errors import ConfigError
from syncd.model.item import Place
from syncd.portal.people.directory import Caller, Directory, Section, User
from syncd.sandbox.seed.world_file import decode_world, encode_world, read_world
from syncd.sandbox.settings import Settings
from syncd.sandbox.world import World
from tests.cli.test_commands import run


def test_a_world_of_a_portal_has_its_people_groups_and_sections_and_no_events(
    folder: Path, capsys: pytest.CaptureFixture[str], webhook: str
) -> None:
    run(capsys, "sync")
    code, out, err = run(capsys, "sandbox", "--from-portal", "main", "--export", "company.json")
    assert (code, out) == (0, "")
    assert "read from main: " in err
    path = folder / "company.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    seed = read_world(path)
    assert {user.email for user in seed.users} >= {"anna.petrova@school.example", "ivan.sokolov@school.example"}
    assert folder.name in {section.name for section in seed.sections}
    assert (len(seed.groups) > 0, seed.events, seed.elements, seed.activities) == (True, (), (), ())
    text = path.read_text(encoding="utf-8")
    assert webhook.rstrip("/").rpartition("/")[2] not in text
    assert set(json.loads(text)["users"][0]) <= {"id", "name", "second_name", "last_name", "email", "xml_id", "zone",
                                                 "admin", "active"}  # fmt: skip
    assert World(Settings(), seed).tables.users


def test_a_world_file_is_written_as_it_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    assert run(capsys, "sandbox", "--export", str(first))[0] == 0
    assert run(capsys, "sandbox", "--world", str(first), "--export", str(second))[0] == 0
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from-portal", "mian"), "there is no [portals.mian]"),
        (("--from-portal", "main", "--world", "x.json"), "not allowed with argument"),
        (("--export", "no/such/folder/x.json"), "cannot write the world to no/such/folder/x.json"),
    ],
)
def test_what_cannot_be_read_or_written_is_a_usage_error(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "sandbox", *arguments)
    assert code == 2
    assert said in err


def directory(*users: User, caller: int = 1, **sections: tuple[Section, ...]) -> Directory:
    return Directory(
        read_at=0.0, caller=Caller(id=caller, zone="", admin=True), server_offset_s=0, users=users, sections=sections
    )


def user(number: int, zone: str = "") -> User:
    return User(id=number, name="A", last_name="B", email="", xml_id="", zone=zone, active=True)


def test_what_a_portal_tells_oddly_makes_a_world_all_the_same() -> None:
    section = Section(id=7, name="S", writable=True, external="google")
    places = [Place(kind="user", owner=1), Place(kind="user", owner=2)]
    read = directory(user(1, "Mars/Olympus"), user(2, "Asia/Omsk"), caller=9)
    seed = rehearsal_of(read.with_sections({str(place): (section,) for place in places}), places)
    assert [one.zone for one in seed.users] == ["", "Asia/Omsk"]
    assert [(one.id, one.owner, one.external_type) for one in seed.sections] == [(7, 1, "google")]
    assert [hook.user for hook in seed.webhooks] == [1]
    assert decode_world(encode_world(seed)) == seed


def test_a_portal_that_shows_nobody_makes_no_world() -> None:
    with pytest.raises(ConfigError, match="users is empty"):
        rehearsal_of(directory(), ())


def test_the_world_file_of_the_readme_can_be_read(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```json\n(\{\"server_zone\".*?)```", readme, re.DOTALL)
    path = tmp_path / "world.json"
    path.write_text(text, encoding="utf-8")
    assert [event.name for event in read_world(path).events] == ["Early"]
