"""`syncd history` and `syncd status`: what was done, what comes, and who works with the state."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from tests.cli.test_commands import document, edit, run


def test_history_tells_the_runs_and_what_each_changed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "history")[:2] == (0, "no run yet\n")
    assert run(capsys, "sync")[0] == 0
    edit(folder, "Early", "Opening")
    assert run(capsys, "sync")[0] == 0
    code, out, _ = run(capsys, "history")
    assert (code, re.findall(r"^\s*(\d+) +shifts .* done", out, re.MULTILINE)) == (0, ["2", "1"])
    code, out, _ = run(capsys, "history", "shifts", "--run", "2")
    assert code == 0
    assert re.search(r"^update +\S+ \S+ +Opening +shifts.csv:2 +name", out, re.MULTILINE), out
    code, one = document(capsys, "history", "--run", "2", "--json")
    assert [(change["op"], change["fields"]) for change in one["changes"]] == [
        ("update", {"name": ["Early", "Opening"]})
    ]
    code, said = document(capsys, "history", "--last", "1", "--json")
    assert [one["run"] for one in said["runs"]] == [2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("history", "shift"), "has no sync 'shift' (did you mean 'shifts'?)"),
        (("history", "--run", "9"), "there is no run 9"),
        (("history", "--portal", "other"), "has no portal 'other'"),
        (("status", "x-*"), "has no sync 'x-*'"),
        (("sync", "x-*"), "has no sync 'x-*'"),
        (("poke", "shifts"), "no daemon runs with"),
    ],
)
def test_what_there_is_not_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert said in err.replace("\n       ", " (").replace("?\n", "?)\n")


def test_names_may_be_patterns_and_portals(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = folder / "syncd.toml"
    text = config.read_text()
    config.write_text(text + text[text.index("[[sync]]") :].replace('"shifts"', '"other"'))
    for arguments, names in (
        (("sh*",), ["shifts"]),
        (("*",), ["shifts", "other"]),
        (("--portal", "main"), ["shifts", "other"]),
    ):
        assert [one["name"] for one in document(capsys, "status", *arguments, "--json")[1]["syncs"]] == names
    assert [one["sync"] for one in document(capsys, "plan", "o*", "--json")[1]["plans"]] == ["other"]


def test_status_says_that_no_daemon_runs_what_is_paused_and_in_which_zone_it_speaks(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = run(capsys, "status")
    assert (code, "no daemon runs with" in out) == (0, True)
    assert re.search(r"^times are in \S+ \(UTC[+-]\d{4}\)$", out, re.MULTILINE)
    assert run(capsys, "pause", "shifts")[:2] == (0, "shifts: paused until `syncd resume shifts`\n")
    code, out, _ = run(capsys, "status")
    assert re.search(r"^shifts +never +- +never +paused ", out, re.MULTILINE), out
    (sync,) = document(capsys, "status", "--json")[1]["syncs"]
    assert (sync["next_run"], sync["paused"] is not None) == (None, True)
    code, out, err = run(capsys, "sync")
    assert (code, out, "shifts is paused and left out" in err) == (0, "", True)
    assert run(capsys, "sync", "shifts")[0] == 0
    assert run(capsys, "resume", "shifts")[0] == 0
    assert document(capsys, "status", "--json")[1]["syncs"][0]["paused"] is None


def test_what_is_held_for_one_reason_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"{n},Lost {n},2026-12-01 06:00,2026-12-01 14:00,nobody@school.example\n" for n in range(10, 20))
    path = folder / "shifts.csv"
    path.write_text(path.read_text() + rows)
    assert run(capsys, "sync")[0] == 1
    lines = [line for line in run(capsys, "status")[1].splitlines() if "held" in line and "nobody" in line]
    assert len(lines) == 1
    assert lines[0].startswith("  held: shifts.csv:4: no user 'nobody")
    assert "    and 9 more like it: shifts.csv:5, shifts.csv:6, shifts.csv:7, …" in run(capsys, "status")[1]


def test_a_file_name_makes_no_picture(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = folder / "syncd.toml"
    config.write_text(config.read_text().replace("shifts.csv", "old:100:.csv"))
    (folder / "shifts.csv").rename(folder / "old:100:.csv")
    path = folder / "old:100:.csv"
    path.write_text(path.read_text().replace("1,Early", "1,"))
    out = run(capsys, "sync")[1]
    assert "old:100:.csv:2: rejected" in out
    assert "\N{HUNDRED POINTS SYMBOL}" not in out + json.dumps(document(capsys, "status", "--json")[1])


def test_what_only_looks_needs_no_secret(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "sync")[0] == 0
    config = folder / "syncd.toml"
    config.write_text(
        re.sub(r"^webhook = .*$", 'webhook_credential = "webhook"', config.read_text(), flags=re.MULTILINE)
    )
    for command in ("status", "history"):
        assert run(capsys, command)[0] == 0
    code, _, err = run(capsys, "sync")
    assert (code, "names a systemd credential" in err) == (2, True)


def test_a_missing_secret_stops_only_the_syncs_of_its_portal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = folder / "syncd.toml"
    text = config.read_text()
    sync = text[text.index("[[sync]]") :]
    config.write_text(
        text.replace('name = "shifts"', 'name = "shifts"\nportal = "main"')
        + '[portals.north]\nwebhook_file = "north.secret"\n'
        + sync.replace('name = "shifts"', 'name = "north"\nportal = "north"')
    )
    code, out, _ = run(capsys, "sync")
    assert (code, "shifts: done — 2 created" in out) == (2, True)
    assert re.search(r"^north:\nerror: .*syncd.toml:\d+: portals.north.webhook_file names a file in", out, re.MULTILINE)
    code, said = document(capsys, "sync", "--json")
    assert ([one["sync"] for one in said["runs"]], [one["sync"] for one in said["errors"]]) == (["shifts"], ["north"])
    assert run(capsys, "sync", "--portal", "main")[0] == 0
    assert run(capsys, "plan")[0] == 2
    (folder / "north.secret").write_text(re.search(r'webhook = "(.*)"', text)[1].replace("127.0.0.1", "localhost"))  # type: ignore[index]
    assert run(capsys, "sync")[0] == 0


def test_one_report_tells_of_all_syncs_what_was_done(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (folder / "shifts.csv").open("a") as file:
        file.write("3,=1+1,2026-12-01 06:00,2026-12-01 05:00,anna.petrova@school.example\n")
    assert run(capsys, "sync")[0] == 1
    assert run(capsys, "sync")[0] == 1
    code, out, _ = run(capsys, "report")
    (row,) = csv.DictReader(io.StringIO(out))
    assert (code, out.count("\r\n"), out.count("\n")) == (0, 2, 2)
    assert (row["sync"], row["passes"], row["created"], row["rejected"], row["state"]) == (
        "shifts",
        "2",
        "2",
        "1",
        "done",
    )
    code, page, _ = run(capsys, "report", "--format", "html")
    assert (code, page.startswith("<!DOCTYPE html>"), "<td>shifts</td>" in page) == (0, True, True)
    (later,) = json.loads(run(capsys, "report", "--since", "0m", "--format", "json")[1])["syncs"]
    assert (later["passes"], later["created"], later["rejected"], later["last_success"] is not None) == (0, 0, 1, True)
    code, _, err = run(capsys, "report", "--since", "yesterday")
    assert (code, "--since" in err) == (2, True)


def test_a_retry_of_what_waits_for_its_owner_says_that_every_pass_tries_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "shifts.csv"
    path.write_text(path.read_text() + "9,Lost,2026-12-01 06:00,2026-12-01 14:00,nobody@school.example\n")
    assert run(capsys, "sync")[0] == 1
    assert run(capsys, "retry")[1] == "shifts: 1 held, which every pass tries again anyway\n"


def test_an_undo_is_told_in_the_history_and_leaves_the_status_of_the_last_pass(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(folder, "2,Late", "2,   ")
    assert run(capsys, "sync")[0] == 1
    _, before = document(capsys, "status", "--json")
    assert run(capsys, "undo", "1", "--yes")[0] == 0
    _, after = document(capsys, "status", "--json")
    (sync,) = after["syncs"]
    for name in ("last_run", "last_success", "rejected"):
        assert sync[name] == before["syncs"][0][name]
    assert [problem["where"] for problem in sync["rejected"]] == ["shifts.csv:3"]
    _, out, _ = run(capsys, "status")
    assert "rejected: shifts.csv:3: there is no title" in out
    _, out, _ = run(capsys, "history")
    assert re.findall(r"^\s*(\d+) +shifts .*?((?:undo: )?(?:done|partial))", out, re.MULTILINE) == [
        ("2", "undo: done"), ("1", "done"),
    ]  # fmt: skip
    _, said = document(capsys, "history", "--json")
    assert [one["kind"] for one in said["runs"]] == ["undo", "pass"]
    _, said = document(capsys, "report", "--format", "json")
    (summary,) = said["syncs"]
    assert (summary["passes"], summary["rejected"], summary["deleted"]) == (1, 1, 1)


def test_what_is_gone_is_called_kept_only_where_it_is_kept_and_a_guard_is_named_with_the_remedy(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, table = folder / "syncd.toml", folder / "shifts.csv"
    text = config.read_text()
    config.write_text(text.replace("[sync.source]", 'on_removed = "delete"\n\n[sync.source]'))
    assert run(capsys, "sync")[0] == 0
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:2]))
    assert run(capsys, "sync")[0] == 0
    _, out, _ = run(capsys, "status")
    assert "  gone from the source for 1 of 2 passes (removed_after); not deleted yet: shifts.csv:3: «Late»" in out
    assert run(capsys, "sync")[0] == 4
    _, out, _ = run(capsys, "status")
    assert "kept" not in out
    assert "  gone from the source, not deleted: a safety guard stopped the pass: shifts.csv:3: «Late»" in out
    assert "check the source; if this is right, run once with --force" in out
    _, out, _ = run(capsys, "status", "--lang", "ru")
    assert "исчезло из источника, не удалено: предохранитель остановил проход: shifts.csv:3: «Late»" in out
    (gone,) = document(capsys, "status", "--json")[1]["syncs"][0]["kept"]
    assert "a safety guard stopped the pass" in gone["reason"]
    config.write_text(text)
    _, out, _ = run(capsys, "status")
    assert "  gone from the source, kept: shifts.csv:3: «Late»" in out
