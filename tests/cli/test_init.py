"""`syncd init` as a new user types it: what it writes, the other commands accept."""

from __future__ import annotations

import re
import tomllib
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest

from syncd.cli import main
from tests.source.calendars import calendar, event

SHIFTS = "ID;Смена;Начало;Конец;E-mail\na1;Утро;01.12.2026 9:00;01.12.2026 10:00;{}\n"
KNOWN = "anna.petrova@school.example"


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended."""

    returncode: int
    stdout: str
    stderr: str


def syncd(folder: Path, *arguments: str) -> Done:
    """Run a command in this process: starting one for each would take most of the time."""
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err, chdir(folder):
        code = main(arguments)
    return Done(code, out.getvalue(), err.getvalue())


def test_a_schedule_and_a_portal_give_a_config_that_check_and_sync_take(tmp_path: Path, webhook: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "shifts.csv").write_bytes(SHIFTS.format(KNOWN).encode("cp1251"))
    done = syncd(tmp_path, "init", "--source", "data/shifts.csv", "--webhook", webhook, "-o", "syncd.toml")
    assert done.returncode == 0, done.stderr
    assert "2026-12-01 09:00–10:00 Europe/Moscow" in done.stdout
    assert KNOWN in done.stdout
    assert webhook not in done.stdout + done.stderr
    written = tmp_path / "syncd.toml"
    assert written.stat().st_mode & 0o077 == 0
    text = f'state = "syncd.db"\n{written.read_text()}'
    written.write_text(text)
    assert tomllib.loads(text)["sync"][0]["source"]["path"] == "data/shifts.csv"
    checked = syncd(tmp_path, "check")
    assert checked.returncode == 0, checked.stdout
    assert syncd(tmp_path, "sync").returncode == 0


def test_a_hyphen_stands_for_stdout_and_for_no_file_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "shifts.csv").write_text(SHIFTS.format(KNOWN), encoding="utf-8")
    done = syncd(tmp_path, "init", "--source", "shifts.csv", "-o", "-")
    assert done.returncode == 0, done.stderr
    assert tomllib.loads(done.stdout)["sync"][0]["source"]["path"] == "shifts.csv"
    assert done.stdout == syncd(tmp_path, "init", "--source", "shifts.csv").stdout
    for arguments in (("plan", "--out", "-"), ("sync", "--report", "-"), ("migrate", "--report", "-")):
        with pytest.raises(SystemExit, match="2"):
            syncd(tmp_path, *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["shifts.csv"]


def uncommented(text: str) -> str:
    """Return the config with the comment sign taken from every key."""
    return re.sub(r"(?m)^# ?(?=\[|[\w\"-]+ = )", "", text)


def test_owners_the_portal_does_not_know_are_told_and_wait(tmp_path: Path, webhook: str) -> None:
    (tmp_path / "shifts.csv").write_text(SHIFTS.format("nobody@example.com"))
    done = syncd(tmp_path, "init", "--source", "shifts.csv", "--webhook", webhook, "-o", "syncd.toml")
    assert "knows no owner called nobody@example.com" in " ".join(done.stdout.split())
    text = (tmp_path / "syncd.toml").read_text()
    assert '# owners = { "nobody@example.com" = "?" }' in text
    assert tomllib.loads(text)["sync"][0]["target"]["on_unresolved"] == "hold"
    whole = tomllib.loads(uncommented(text))
    assert whole["sync"][0]["target"]["owners"] == {"nobody@example.com": "?"}
    (tmp_path / "syncd.toml").write_text(f'state = "syncd.db"\n{text}')
    checked = syncd(tmp_path, "check")
    assert (checked.returncode, "nobody@example.com" in checked.stdout) == (1, True)
    assert syncd(tmp_path, "sync").returncode == 1


def test_without_a_portal_the_config_goes_to_stdout_and_the_entries_to_stderr(tmp_path: Path) -> None:
    (tmp_path / "team.ics").write_bytes(
        calendar(event("DTSTART:20261201T090000", "SUMMARY:Stand-up"), head="X-WR-TIMEZONE:Asia/Omsk")
    )
    done = syncd(tmp_path, "init", "--source", "team.ics")
    assert done.returncode == 0
    assert tomllib.loads(done.stdout)["sync"][0]["timezone"] == "Asia/Omsk"
    assert "Stand-up" in done.stderr
    (tmp_path / "syncd.toml").write_text(f'state = "syncd.db"\n{done.stdout}')
    (tmp_path / "syncd.toml").chmod(0o600)
    assert syncd(tmp_path, "check", "--offline").returncode == 0


def test_appointments_with_phones_become_meetings_on_cards(tmp_path: Path, webhook: str) -> None:
    (tmp_path / "visits.csv").write_text(
        f"№ записи;Дата;Время;Услуга;E-mail;Телефон\nA1;01.12.2026;9:00;X;{KNOWN};12345\n"
    )
    done = syncd(tmp_path, "init", "--source", "visits.csv", "--webhook", webhook, "-o", "syncd.toml")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "syncd.toml").read_text()
    target = tomllib.loads(text)["sync"][0]["target"]
    assert (target["type"], target["contact"], target["responsible"]) == ("activity", "{contact_phone}", "{owner}")
    assert "they belong into calendars" in " ".join(done.stdout.split())
    tomllib.loads(uncommented(text))


def test_the_owner_that_a_feed_names_is_the_owner(tmp_path: Path) -> None:
    (tmp_path / "team.ics").write_bytes(calendar(event("DTSTART:20261201T090000Z", "SUMMARY:A", f"X-OWNER:{KNOWN}")))
    done = syncd(tmp_path, "init", "--source", "team.ics")
    assert tomllib.loads(done.stdout)["sync"][0]["target"]["owner"] == "{X-OWNER}"
    assert tomllib.loads(uncommented(done.stdout))["sync"][0]["fields"]["remind"] == []


def test_a_plan_of_people_by_days_gives_a_config_that_check_and_sync_take(tmp_path: Path, webhook: str) -> None:
    days = ";".join(map(str, range(1, 32)))
    plan = f"График на декабрь 2026\nE-mail;{days}\n{KNOWN};Д;Н;;Q;8-20\nИтого;1;1\n"
    (tmp_path / "plan.csv").write_text(plan)
    done = syncd(tmp_path, "init", "--source", "plan.csv", "--webhook", webhook, "-o", "syncd.toml")
    assert done.returncode == 0, done.stderr
    assert "Дневная смена" in done.stdout
    text = f'state = "syncd.db"\n{(tmp_path / "syncd.toml").read_text()}'
    (tmp_path / "syncd.toml").write_text(text)
    assert tomllib.loads(uncommented(text))["sync"][0]["source"]["grid"]["codes"]["Д"] == "08:00-20:00"
    checked = syncd(tmp_path, "check")
    assert checked.returncode == 0, checked.stdout
    assert syncd(tmp_path, "sync").returncode == 0


def test_a_timetable_of_classes_goes_into_their_groups(tmp_path: Path) -> None:
    text = "Дата;Начало;Конец;Предмет;Класс\n01.12.2026;9:00;9:45;Физика;7А\n"
    (tmp_path / "lessons.csv").write_text(text, encoding="utf-8")
    target = tomllib.loads(syncd(tmp_path, "init", "--source", "lessons.csv").stdout)["sync"][0]["target"]
    assert (target["calendar"], target["owner"]) == ("group", "{owner}")


def test_a_meaning_is_proposed_for_zones_that_nobody_knows(tmp_path: Path) -> None:
    (tmp_path / "a.ics").write_bytes(calendar(event("DTSTART;TZID=Ours:20261201T090000", "SUMMARY:A")))
    done = syncd(tmp_path, "init", "--source", "a.ics")
    assert "zones" not in tomllib.loads(done.stdout)["sync"][0]["source"]
    (tmp_path / "syncd.toml").write_text('state = "syncd.db"\n' + uncommented(done.stdout).replace("remind = []", ""))
    assert list(tomllib.loads(uncommented(done.stdout))["sync"][0]["source"]["zones"]) == ["Ours"]
    assert "Ours" not in syncd(tmp_path, "check", "--offline").stdout


def test_times_put_into_this_machines_zone_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Etc/UTC")
    (tmp_path / "shifts.csv").write_text(SHIFTS.format(KNOWN))
    said = "times without a zone are taken as Etc/UTC, this machine's: set timezone"
    assert said in " ".join(syncd(tmp_path, "init", "--source", "shifts.csv").stderr.split())
    (tmp_path / "team.ics").write_bytes(calendar(event("DTSTART;TZID=Asia/Omsk:20261201T090000", "SUMMARY:Stand-up")))
    assert "this machine's: set" not in " ".join(syncd(tmp_path, "init", "--source", "team.ics").stderr.split())


def test_without_anything_it_is_a_template(tmp_path: Path) -> None:
    done = syncd(tmp_path, "init")
    assert tomllib.loads(done.stdout)["portals"]["main"]["webhook"].startswith("https://example.bitrix24.com/")
    assert "stand-in" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--source", "none.csv"), 5, "none.csv: No such file"),
        (("--source", "none.csv"), 5, "check the path after --source"),
        (("--source", "ftp://example.com/x"), 2, "neither a file nor a web address"),
        (("--webhook", "https://example.com/s3cret"), 2, "--webhook must look like"),
        (("-o", "there.toml"), 2, "exists already"),
        (("-o", "none/syncd.toml"), 2, "is no directory"),
    ],
)
def test_what_cannot_be_used_is_told(tmp_path: Path, arguments: tuple[str, ...], code: int, says: str) -> None:
    (tmp_path / "there.toml").write_text("x = 1")
    done = syncd(tmp_path, "init", *arguments)
    assert done.returncode == code
    assert says in done.stderr
    assert "s3cret" not in done.stderr
    assert (tmp_path / "there.toml").read_text() == "x = 1"


def test_files_with_russian_names_get_syncs_and_sections_of_their_own(tmp_path: Path) -> None:
    for name in ("Расписание 7А", "Смены охраны"):
        (tmp_path / f"{name}.csv").write_text(SHIFTS.format("anna.petrova@school.example"))
    told = [
        tomllib.loads(syncd(tmp_path, "init", "--source", f"{name}.csv").stdout)["sync"][0]
        for name in ("Расписание 7А", "Смены охраны")
    ]
    assert [one["name"] for one in told] == ["raspisanie-7a", "smeny-okhrany"]
    assert [one["target"]["section"] for one in told] == ["Расписание 7А", "Смены охраны"]
