"""Commands as a user types them: exit codes, tables, JSON documents, and nothing secret anywhere."""

from __future__ import annotations

import csv
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.cli import main


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run one command; return its exit code, stdout and stderr."""
    try:
        code = main(arguments)
    except SystemExit as stopped:
        code = int(stopped.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    code, out, _ = run(capsys, *arguments)
    return code, json.loads(out)


def edit(folder: Path, before: str, after: str) -> None:
    path = folder / "shifts.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")


def test_a_check_tells_warnings_of_the_source_and_fails_for_rejected_entries_only(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = folder / "syncd.toml"
    config.write_text(
        config.read_text(encoding="utf-8").replace('title = "Shift"', 'title = "Shift"\nstatus = "Shift"')
    )
    code, checked = document(capsys, "check", "--offline", "--json")
    (entries,) = [one for one in checked["checks"] if one["name"] == "entries shifts"]
    assert (code, entries["ok"], entries["remedy"]) == (0, True, "")
    assert "status 'Early' is not" in entries["detail"]
    edit(folder, "1,Early", "1,")
    code, checked = document(capsys, "check", "--offline", "--json")
    (entries,) = [one for one in checked["checks"] if one["name"] == "entries shifts"]
    assert (code, entries["ok"]) == (1, False)
    assert "shifts.csv:2: there is no title" in entries["detail"]
    assert "status" not in entries["detail"]
    (notes,) = [one for one in checked["checks"] if one["name"] == "notes shifts"]
    assert (notes["ok"], notes["remedy"]) == (True, "")
    assert "status 'Late' is not" in notes["detail"]
    assert "title" not in notes["detail"]


def test_a_check_says_which_encoding_was_assumed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "shifts.csv"
    path.write_bytes(path.read_text(encoding="utf-8").replace("Early", "Frühdienst Müller").encode("cp1252"))
    code, checked = document(capsys, "check", "--offline", "--json")
    (source,) = [one for one in checked["checks"] if one["name"] == "source shifts"]
    assert (code, source["ok"]) == (0, True)
    assert source["detail"].endswith("; shifts.csv is taken to be cp1252")


def test_a_first_sync_from_check_to_silence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, checked = document(capsys, "check", "--json")
    assert (code, checked["ok"]) == (0, True)
    assert {"name", "ok", "detail", "remedy"} == set(checked["checks"][0])

    code, planned = document(capsys, "plan", "--json")
    (plan,) = planned["plans"]
    assert (code, plan["counts"]["create"], plan["complete"], plan["run"]) == (0, 2, True, None)
    assert set(plan["estimate"]) >= {"requests", "commands", "seconds", "operating_s", "notices"}
    change = plan["changes"][0]
    assert (change["op"], change["title"], change["where"], change["calendar"], change["owner"]) == (
        "create", "Early", "shifts.csv:2", "user", 3,
    )  # fmt: skip
    assert change["fields"]["name"] == [None, "Early"]
    assert change["fields"]["private"] == [None, False]
    assert "location" not in change["fields"]
    assert not folder.joinpath("syncd.db").exists()

    code, ran = document(capsys, "sync", "--json")
    (result,) = ran["runs"]
    assert (code, result["state"], result["counts"]["created"]) == (0, "done", 2)

    code, again = document(capsys, "sync", "--json")
    assert (code, again["runs"][0]["requests"], again["runs"][0]["counts"]["unchanged"]) == (0, 0, 2)

    code, status = document(capsys, "status", "--json")
    (sync,) = status["syncs"]
    assert (code, sync["entries"], sync["held"], sync["open_intents"]) == (0, 2, [], 0)
    assert sync["last_run"]["state"] == "done"
    assert sync["last_success"] is not None
    assert sync["next_run"] > sync["last_success"]
    assert status["portals"][0]["name"] == "main"


def test_an_update_shows_its_fields_before_and_after(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "sync")
    edit(folder, "Early", "Opening")
    code, planned = document(capsys, "plan", "--json")
    (change,) = planned["plans"][0]["changes"]
    assert (code, change["op"], change["fields"]) == (0, "update", {"name": ["Early", "Opening"]})
    assert change["remote_id"] > 0
    _, table, _ = run(capsys, "plan")
    assert "name: Early → Opening" in table


def test_rejected_and_held_entries_give_exit_code_1_and_their_lines(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(folder, "anna.petrova", "nobody")
    edit(folder, "2,Late", "2,   ")
    code, out, _ = run(capsys, "sync")
    assert code == 1
    assert "shifts.csv:2: held: no user 'nobody@school.example'" in out
    assert "shifts.csv:3: rejected: there is no title" in out
    code, status = document(capsys, "status", "--json")
    assert code == 1
    assert status["syncs"][0]["held"][0]["where"] == "shifts.csv:2"
    assert run(capsys, "retry")[0] == 0


def test_many_entries_with_one_fault_are_told_once_with_their_number(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = folder / "shifts.csv"
    start = table.read_text(encoding="utf-8").splitlines()[1].split(",")[2]
    same = [f"s{n},Shift {n},{start},,stranger@school.example" for n in range(6)]
    unread = [f"r{n},Shift {n},{n}.13.2026 09:00,,anna.petrova@school.example" for n in range(1, 7)]
    with table.open("a", encoding="utf-8") as file:
        file.write("\n".join([*same, *unread, ""]))
    for command in ("plan", "sync", "status"):
        _, out, _ = run(capsys, command)
        told = (out.count("no user 'stranger"), out.count(".13.2026' is no date"))
        assert told == (1, 3), (command, out)
        assert "    and 5 more like it: shifts.csv:5, shifts.csv:6, shifts.csv:7, …" in out, (command, out)
        assert "    and 3 more like it: shifts.csv:13, shifts.csv:14, shifts.csv:15\n" in out, (command, out)
    assert " (and 5 more like it)" in run(capsys, "check")[1]
    _, status = document(capsys, "status", "--json")
    assert [one["where"] for one in status["syncs"][0]["rejected"]] == [f"shifts.csv:{n}" for n in range(10, 16)]


def test_a_pinned_plan_of_one_sync_leaves_the_others_alone_and_a_mismatch_names_the_fields(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, table = folder / "syncd.toml", folder / "shifts.csv"
    text = config.read_text()
    config.write_text(text + text[text.index("[[sync]]") :].replace('"shifts"', '"other"').replace("Shifts", "Others"))
    assert run(capsys, "sync")[0] == 0
    table.write_text(table.read_text().replace("Early", "Sooner"))
    assert run(capsys, "plan", "shifts", "--out", "plan.json")[0] == 0
    table.write_text(table.read_text().replace("Sooner", "Latest"))
    code, out, _ = run(capsys, "sync", "--plan", "plan.json")
    said = " ".join(out.split())
    assert (code, "name Early → Latest" in said, "name Early → Sooner" in said) == (4, True, True), out
    assert "other" not in out
    table.write_text(table.read_text().replace("Latest", "Sooner"))
    code, document_of = document(capsys, "sync", "--plan", "plan.json", "--json")
    assert (code, [one["sync"] for one in document_of["runs"]]) == (0, ["shifts"])


def test_a_filter_that_leaves_out_everything_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (folder / "syncd.toml").open("a") as config:
        config.write('\n[sync.filter]\nexclude = ["title ~ ."]\n')
    code, out, _ = run(capsys, "plan")
    assert code == 0
    assert "shifts: warning: [sync.filter] leaves out all 2 entries of the source" in " ".join(out.split())


def test_a_pinned_plan_is_carried_out_exactly_or_not_at_all(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "plan", "--out", "plan.json")[0] == 0
    edit(folder, "Early", "Opening")
    code, out, _ = run(capsys, "sync", "--plan", "plan.json")
    assert code == 4
    assert "no longer matches" in out
    run(capsys, "plan", "--out", "plan.json")
    assert run(capsys, "sync", "--plan", "plan.json")[0] == 0
    code, _, err = run(capsys, "sync", "--plan", "shifts.csv")
    assert code == 2
    assert "shifts.csv is not a plan" in err


def test_what_a_pinned_plan_no_longer_matches_is_told_in_the_zone_of_its_table(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, feed = folder / "syncd.toml", folder / "feed.ics"
    source = '[sync.source]\ntype = "ics"\npath = "feed.ics"\n\n[sync.target]'
    text = re.sub(r"\[sync\.source\].*\[sync\.target\]", source, config.read_text(), flags=re.DOTALL)
    config.write_text(text.replace('owner = "{owner}"', "owner = 3"))
    day = f"{datetime.now(UTC) + timedelta(days=3):%Y-%m-%d}"
    for hour, arguments in ((6, ("sync",)), (7, ("plan", "--out", "plan.json")), (8, ("sync", "--plan", "plan.json"))):
        starts, ends = (f"{day.replace('-', '')}T{one:02}0000Z" for one in (hour, hour + 1))
        feed.write_text(
            "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:u\nDTSTAMP:20260101T000000Z\nSUMMARY:Talk\n"
            f"DTSTART:{starts}\nDTEND:{ends}\nEND:VEVENT\nEND:VCALENDAR\n"
        )
        code, out, _ = run(capsys, *arguments)
    said = " ".join(out.split())
    assert code == 4
    assert f"start {day} 09:00 → {day} 11:00" in said
    assert f"start {day} 09:00 → {day} 10:00" in said
    assert f"«Talk» {day} 11:00" in said
    assert "06:00" not in said
    assert f"начало {day[8:]}.{day[5:7]}.{day[:4]} 09:00" in " ".join(
        run(capsys, *arguments, "--lang", "ru")[1].split()
    )


def test_the_report_has_one_row_per_entry(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(folder, "ivan.sokolov", "nobody")
    run(capsys, "sync", "--report", "report.csv")
    with folder.joinpath("report.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["where", "key", "title", "action", "status", "remote_id", "verified", "error"]
    assert [(row["where"], row["action"], row["status"]) for row in rows] == [
        ("shifts.csv:2", "create", "ok"),
        ("shifts.csv:3", "", "held"),
    ]
    assert rows[0]["remote_id"].isdecimal()


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (None, 5, "shifts.csv"),
        (b"", 5, "empty"),
        (b"<!DOCTYPE html><html><body>Please sign in</body></html>", 5, "HTML"),
        (b"\x00\x01\x02\xff\xfe\x00PK", 5, "shifts.csv"),
        (b"ID,Shift,Begin,End,E-mail\n1,A,2026-12-01,,x\n", 5, "Start"),
        (b'ID,Shift,Start,End,E-mail\n1,"Cut off', 5, "shifts.csv"),
    ],
)
def test_a_source_that_cannot_be_trusted_gives_exit_code_5_and_deletes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, code: int, says: str
) -> None:
    run(capsys, "sync")
    path = folder / "shifts.csv"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    config = folder / "syncd.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(
        text.replace('name = "shifts"', 'name = "shifts"\non_removed = "delete"\nremoved_after = 1'), "utf-8"
    )
    found, out, err = run(capsys, "sync", "--force")
    assert found == code
    assert says in out + err
    path.unlink(missing_ok=True)
    path.write_text("ID,Shift,Start,End,E-mail\n", encoding="utf-8")
    _, planned = document(capsys, "plan", "--json")
    assert planned["plans"][0]["counts"]["delete"] == 2


@pytest.mark.parametrize(
    ("mistake", "says"),
    [
        ('timezon = "Europe/Moscow"', ["syncd.toml:", "timezon", 'did you mean "timezone"']),
        ('timezone = "Europe/Moskow"', ["syncd.toml:", "Europe/Moscow"]),
        ("removed_after = 0", ["syncd.toml:", "removed_after"]),
        ('cron = "* * * *"', ["syncd.toml:", "cron"]),
    ],
)
def test_a_mistake_in_the_config_gives_exit_code_2_file_line_and_key(
    folder: Path, capsys: pytest.CaptureFixture[str], mistake: str, says: list[str]
) -> None:
    config = folder / "syncd.toml"
    text = config.read_text(encoding="utf-8").replace('timezone = "Europe/Moscow"', mistake)
    config.write_text(text, encoding="utf-8")
    code, _, err = run(capsys, "plan")
    assert code == 2
    for part in says:
        assert part in err


def test_a_wrong_webhook_gives_exit_code_3_and_is_never_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = folder / "syncd.toml"
    config.write_text(config.read_text(encoding="utf-8").replace("sandboxadmin", "revokedcode"), encoding="utf-8")
    for command in (("check",), ("plan",), ("sync", "--json"), ("-v", "sync")):
        code, out, err = run(capsys, *command)
        assert code == 3, command
        assert "revokedcode" not in out + err


def test_check_ends_with_the_code_that_a_sync_would_end_with(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(folder, "\n2,", "\n9,Backwards,2026-12-02 09:00,2026-12-02 08:00,anna.petrova@school.example\n2,")
    code, checked = document(capsys, "check", "--json")
    assert code == 1
    (entries,) = (one for one in checked["checks"] if one["name"] == "entries shifts")
    assert "shifts.csv:3: end is before start" in entries["detail"]
    config = folder / "syncd.toml"
    config.write_text(config.read_text(encoding="utf-8").replace("sandboxadmin", "revokedcode"), encoding="utf-8")
    assert run(capsys, "check")[0] == 3


@pytest.mark.parametrize("arguments", [("nonsense",), ("sync", "--no-such-option"), ("sync", "nosuch"), ()])
def test_a_wrong_command_line_gives_exit_code_2(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert run(capsys, *arguments)[0] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "--json", "--format", "html"),
        ("report", "--format", "csv", "--json"),
        ("history", "--run", "1", "--last", "2"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    code, _, err = run(capsys, *arguments)
    assert (code, "leave out one of them" in err) == (2, True)


def test_a_config_that_the_environment_names_and_that_is_not_there_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNCD_CONFIG", "moved.toml")
    code, _, err = run(capsys, "status")
    assert (code, err.splitlines()) == (
        0, [f"syncd: $SYNCD_CONFIG names moved.toml, which is not there; {folder}/syncd.toml is used"]
    )  # fmt: skip
    assert "moved.toml" not in run(capsys, "--config", "syncd.toml", "status")[2]


@pytest.mark.parametrize("arguments", [("sync", "--no-such-option"), ("status", "--no"), ("nonsense",)])
def test_a_wrong_command_line_is_a_document_too_where_one_was_asked_for(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    code, said = document(capsys, *arguments, "--json")
    assert (code, said["exit_code"]) == (2, 2)


def test_portal_lists_what_the_config_needs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, owners = document(capsys, "portal", "owners", "--json")
    assert {"id": 3, "email": "anna.petrova@school.example"}.items() <= owners["users"][2].items()
    _, sections = document(capsys, "portal", "sections", "--owner", "3", "--json")
    assert sections[0]["writable"] is True
    _, limits = document(capsys, "portal", "limits", "--json")
    assert limits["limits"]["batch_size"] == 50
    assert "Анна Петрова" in run(capsys, "portal", "owners")[1]
    assert "writable" in run(capsys, "portal", "sections", "--calendar", "group")[1]
    assert "batches of 50" in run(capsys, "portal", "limits")[1]
    for arguments, said in (((), True), (("--owner", "3"), False), (("--calendar", "company"), False)):
        _, out, err = run(capsys, "portal", "sections", *arguments)
        assert ("--calendar group or company lists others" in err, "--calendar" in out) == (said, False)


def test_the_status_lists_what_the_last_pass_left_out_or_rejected(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = folder / "syncd.toml"
    config.write_text(config.read_text("utf-8") + 'on_unresolved = "skip"\n', "utf-8")
    edit(folder, "anna.petrova@school.example", "nobody@school.example")
    edit(folder, "2,Late,", "2,Late,no day ")
    run(capsys, "sync")
    out = run(capsys, "status")[1]
    assert "  skipped: shifts.csv:2: left out" in out
    assert "  rejected: shifts.csv:3: " in out


def test_owners_that_nobody_is_called_are_printed_as_an_owners_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "knows every owner" in run(capsys, "portal", "owners", "--unresolved", "shifts")[1]
    edit(folder, "anna.petrova@school.example", '"Smith, J."')
    code, out, _ = run(capsys, "portal", "owners", "--unresolved", "shifts")
    assert code == 0
    assert [line for line in out.splitlines() if "Smith" in line][-1] == '#"Smith, J.",'
    assert "no user 'Smith, J.' in the portal" in out
    edit(folder, "ivan.sokolov@school.example", "")
    assert run(capsys, "portal", "owners", "--unresolved", "shifts")[1].splitlines()[-1] == "# the owner is empty"
    edit(folder, "22:00,", "22:00,ivan.sokolov@school.example")
    _, said = document(capsys, "portal", "owners", "--unresolved", "shifts", "--json")
    assert [one["name"] for one in said["unresolved"]] == ["Smith, J."]
    assert run(capsys, "portal", "limits", "--unresolved", "shifts")[0] == 2
    lines = [line.lstrip("#") + "3" if line.startswith('#"') else line for line in out.splitlines()]
    (folder / "owners.csv").write_text("\n".join(lines), "utf-8")
    config = folder / "syncd.toml"
    config.write_text(
        config.read_text("utf-8").replace("[sync.target]", '[sync.target]\nowners_file = "owners.csv"'), "utf-8"
    )
    assert "knows every owner" in run(capsys, "portal", "owners", "--unresolved", "shifts")[1]


def test_version_names_the_libraries_that_matter(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "version")
    assert code == 0
    assert {"syncd", "python", "aiohttp", "icalendar"} <= {line.split()[0] for line in out.splitlines()}


@pytest.mark.parametrize("by", [(), ("--app",)])
def test_the_demonstration_ends_with_nothing_left_to_do(
    capsys: pytest.CaptureFixture[str], by: tuple[str, ...]
) -> None:
    code, out, _ = run(capsys, "demo", "--no-wait", "--port", "0", *by)
    assert code == 0
    assert "229 unchanged" in out
    assert "http://127.0.0.1:" in out


def test_a_second_row_with_a_uid_has_a_line_of_its_own_in_the_report(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(folder, "\n2,", "\n1,")
    code, _, _ = run(capsys, "sync", "--report", "report.csv")
    with folder.joinpath("report.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert (code, [(row["where"], row["key"], row["status"]) for row in rows]) == (
        1,
        [("shifts.csv:2", "1", "ok"), ("shifts.csv:3", "1", "rejected")],
    )
    assert "shifts.csv:2 has the same uid" in rows[1]["error"]


def test_a_row_the_file_ends_within_makes_it_incomplete(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "sync")
    path = folder / "shifts.csv"
    path.write_text(path.read_text(encoding="utf-8").partition(" 22:00")[0], encoding="utf-8")
    code, planned = document(capsys, "plan", "--json")
    (plan,) = planned["plans"]
    assert (code, plan["complete"], plan["counts"]["delete"]) == (5, False, 0)
    assert [(one["where"], one["kind"]) for one in plan["problems"]] == [
        ("csv shifts.csv", "incomplete"),
        ("shifts.csv:3", "rejected"),
    ]


def test_a_source_portal_that_refuses_its_webhook_is_a_refusal_in_check_plan_and_sync(
    folder: Path, capsys: pytest.CaptureFixture[str], webhook: str
) -> None:
    dead = webhook.replace("127.0.0.1", "localhost").rstrip("/").rpartition("/")[0] + "/revokedcode/"
    config = folder / "syncd.toml"
    head, _, _ = config.read_text(encoding="utf-8").partition("[sync.source]")
    other = f'[portals.other]\nwebhook = "{dead}"\n\n[[sync]]\nportal = "main"'
    source = '[sync.source]\ntype = "bitrix24"\nportal = "other"\n'
    target = '[sync.target]\nowner = "{owner}"\nsection = "Copies"\n'
    config.write_text(head.replace("[[sync]]", other) + source + target, encoding="utf-8")
    for command in (["check"], ["plan"], ["sync"]):
        code, out, err = run(capsys, *command)
        assert (command, code) == (command, 3), out + err
        assert "refuses the webhook" in out + err
        assert "revokedcode" not in out + err


def test_a_first_estimate_says_what_it_assumes_and_a_later_one_has_measured(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assume = "a guess: this portal has not been measured yet, 0.2 s a command is assumed"
    _, out, _ = run(capsys, "plan")
    assert assume in " ".join(out.split())
    assert "`syncd portal probe` measures the portal in a minute" in out
    assert "первый проход измерит его сам" in run(capsys, "plan", "--lang", "ru")[1]
    run(capsys, "sync")
    with (folder / "shifts.csv").open("a", encoding="utf-8") as file:
        file.write("9,Late,2026-12-09 08:00,2026-12-09 09:00,anna.petrova@school.example\n")
    _, out, _ = run(capsys, "plan")
    assert "1 command in 1 request" in out
    assert "a guess" not in out


@pytest.mark.parametrize("command", ["check", "plan", "sync", "migrate", "run", "status", "retry", "state check"])
def test_options_of_every_command_may_stand_before_it_and_after_it(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "none.toml")
    said = {
        run(capsys, *arguments)
        for arguments in (
            ("--config", missing, "-v", *command.split()),
            (*command.split(), "--config", missing, "-v"),
            ("-v", *command.split(), "--config", missing, "--log-format", "json"),
        )
    }
    told = (
        f"syncd: {missing}: cannot be read: No such file or directory\n"
        "       name another file with --config, or write this one with `syncd init -o FILE`\n"
    )
    assert said == {(2, "", told)}


def test_without_a_command_all_commands_are_listed_and_the_exit_code_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys)
    assert (code, out) == (2, "")
    assert "write a commented config after looking at a schedule" in err


def test_a_retry_with_nothing_held_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "retry") == (0, "shifts: nothing was held\n", "")


def test_a_plan_that_is_not_there_is_told_with_the_remedy(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "sync", "--plan", "none.json")
    assert code == 2
    assert "pin one with `syncd plan --out FILE`, or correct the path" in err


def test_the_sandbox_lists_its_switches_and_refuses_unknown_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sandbox", "--switch", "help"]) == 0
    listed = capsys.readouterr().out
    assert "host_rule        source | docs (usually source)" in listed.splitlines()
    assert "waf              no | yes (usually no)" in listed.splitlines()
    assert main(["sandbox", "--switch", "host_rule=mine"]) == 2
    assert "use one of source, docs" in capsys.readouterr().err


def test_times_in_a_plan_are_in_the_sync_s_zone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(folder, " 06:00", "T06:00+00:00")
    _, out, _ = run(capsys, "plan")
    (early,) = [line for line in out.splitlines() if "Early" in line]
    assert " 09:00 " in early
    assert "  times are in Europe/Moscow" in out.splitlines()
    run(capsys, "sync")
    _, out, _ = run(capsys, "history", "--run", "1")
    assert " 09:00 " in next(line for line in out.splitlines() if "Early" in line)
    assert "times of events are in Europe/Moscow" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("owners", "--owner", "Anna"), "--owner has no effect on owners"),
        (("limits", "--calendar", "group"), "--calendar has no effect on limits"),
        (("sections", "--unresolved", "shifts"), "--unresolved has no effect on sections"),
        (("owners", "--yes"), "--yes has no effect on owners"),
        (("probe", "--yes", "--calendar", "user"), "--calendar has no effect on probe"),
        (("probe", "--yes", "--unresolved", "shifts"), "--unresolved has no effect on probe"),
        (("sections", "--calendar", "company", "--owner", "1"), "the company calendar has no owner"),
        (("owners", "--unresolved", "shifts", "--portal", "main"), "asks the portal of the sync it names"),
        (("authorize", "main", "--portal", "other"), "which portal? main, other"),
    ],
)
def test_an_option_of_portal_that_would_have_no_effect_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    code, _, err = run(capsys, "portal", *arguments)
    assert code == 2
    assert said in err
