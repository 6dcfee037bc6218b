"""migrate, undo and purge as a user types them: what they ask, tell, write and leave."""

from __future__ import annotations

import csv
import io
import json
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.cli.test_commands import document, edit, run

DAY = date.today() + timedelta(days=3)  # noqa: DTZ011 - the commands look at the real clock


def answering(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def report(folder: Path) -> list[dict[str, str]]:
    with (folder / "report.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_migration_asks_and_a_no_or_no_answer_sends_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for said in ("n\n", ""):
        answering(monkeypatch, said)
        code, out, err = run(capsys, "migrate")
        assert code == 130
        assert "2 to create" in out
        assert "send these changes of shifts?" in err
        assert "nothing was sent" in err
    code, out, _ = run(capsys, "status", "--json")
    assert json.loads(out)["syncs"][0]["entries"] == 0
    answering(monkeypatch, "yes\n")
    code, out, _ = run(capsys, "migrate")
    assert (code, "entries read back: 2 of 2 confirmed; 0 differ; 0 rejected" in out) == (0, True)


def test_a_migration_takes_entries_of_any_time_and_reports_what_it_read_back(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (folder / "shifts.csv").open("a", encoding="utf-8") as file:
        file.write("3,Long ago,2019-03-01 08:00,2019-03-01 09:00,anna.petrova@school.example\n")
        file.write("4,Ends first,2026-12-01 08:00,2026-11-01 09:00,anna.petrova@school.example\n")
    code, out, _ = run(capsys, "migrate", "--yes", "--report", "report.csv")
    assert (code, "3 of 3 confirmed; 0 differ; 1 rejected, see report" in out) == (1, True)
    rows = {row["key"]: row for row in report(folder)}
    assert (rows["4"]["title"], rows["4"]["where"]) == ("Ends first", "shifts.csv:5")
    assert {key: (row["status"], row["verified"]) for key, row in rows.items()} == {
        "1": ("ok", "yes"), "2": ("ok", "yes"), "3": ("ok", "yes"), "4": ("rejected", "no"),
    }  # fmt: skip
    code, out, _ = run(capsys, "migrate", "--yes", "--report", "report.csv")
    assert "3 of 3 confirmed" in out
    assert {row["status"] for row in report(folder)} == {"unchanged", "rejected"}
    assert all(row["remote_id"] and row["verified"] == "yes" for row in report(folder) if row["status"] == "unchanged")
    run(capsys, "purge", "shifts", "--yes")


def test_a_named_window_holds_for_a_migration_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = folder / "syncd.toml"
    config.write_text(config.read_text().replace('name = "shifts"', 'name = "shifts"\nwindow = { past = "10d" }'))
    with (folder / "shifts.csv").open("a", encoding="utf-8") as file:
        file.write("3,Long ago,2019-03-01 08:00,2019-03-01 09:00,anna.petrova@school.example\n")
    code, out, _ = run(capsys, "migrate", "--yes")
    assert (code, "2 of 2 confirmed" in out) == (0, True)


def test_a_sync_reports_as_verified_only_what_it_has_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def told() -> set[tuple[str, str]]:
        return {(row["status"], row["verified"]) for row in report(folder)}

    run(capsys, "sync", "--report", "report.csv")
    assert told() == {("ok", "no")}
    run(capsys, "sync", "--report", "report.csv")
    assert told() == {("unchanged", "no")}
    run(capsys, "sync", "--verify", "--report", "report.csv")
    assert told() == {("unchanged", "yes")}


FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", " =1", "＝1")


@pytest.mark.parametrize("raw", [False, True])
def test_a_report_has_no_formulas_from_a_feed_unless_its_cells_are_wanted_as_they_are(
    folder: Path, capsys: pytest.CaptureFixture[str], raw: bool
) -> None:
    config = folder / "syncd.toml"
    config.write_text(f"raw_reports = {'true' if raw else 'false'}\n{config.read_text()}")
    with (folder / "shifts.csv").open("a", encoding="utf-8") as file:
        for number, title in enumerate((*FORMULAS, "exe.\u202egpj"), 10):
            file.write(f"-{number},{title},2026-12-01 08:00,2026-12-01 09:00,anna.petrova@school.example\n")
    run(capsys, "sync", "--report", "report.csv")
    written = {row["key"].lstrip("'"): (row["key"], row["title"]) for row in report(folder)}
    for number, title in enumerate((*FORMULAS, "exe.\u202egpj"), 10):
        safe = "exe.\\u202egpj" if title.startswith("exe") else f"'{title.strip()}"
        expected = (f"-{number}", title.strip()) if raw else (f"'-{number}", safe)
        assert written[f"-{number}"] == expected
    run(capsys, "purge", "shifts", "--yes")


def test_a_report_has_no_formulas_where_spreadsheets_part_lines_at_semicolons(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (folder / "shifts.csv").open("a", encoding="utf-8") as file:
        file.write("10,x; =1+1;-2; a-b,2026-12-01 08:00,2026-12-01 09:00,anna.petrova@school.example\n")
    run(capsys, "sync", "--report", "report.csv")
    assert {row["key"]: row["title"] for row in report(folder)}["10"] == "x; '=1+1;'-2; a-b"


def test_a_report_that_cannot_be_written_is_told_before_anything_is_sent(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "migrate", "--yes", "--report", "nowhere/report.csv")
    assert (code, "cannot write the report" in err) == (2, True)
    assert not (folder / "syncd.db").exists()


def test_undo_takes_the_run_back_that_sync_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(capsys, "sync")
    edit(folder, "Late", "Very late")
    _, out, _ = run(capsys, "sync")
    assert "run 2" in out
    answering(monkeypatch, "y\n")
    code, out, err = run(capsys, "undo", "2")
    assert (code, "1 to update" in out, "take back run 2 of shifts?" in err) == (0, True, True)
    assert "Very late → Late" in out
    code, out, _ = run(capsys, "plan", "--verify", "--json")
    assert json.loads(out)["plans"][0]["counts"]["update"] == 1
    code, _, err = run(capsys, "undo", "99", "--yes")
    assert (code, "there is no run 99" in err, "`syncd history` names the runs" in err) == (2, True, True)


def test_purge_deletes_what_the_sync_created(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(capsys, "sync")
    answering(monkeypatch, "\n")
    code, out, _ = run(capsys, "purge", "shifts")
    assert (code, "2 to delete" in out) == (130, True)
    made = f"the sections «{folder.name}» in 2 calendars"
    assert f"if nothing is left in it, also {made}, which syncd made" in out
    code, out, err = run(capsys, "purge", "shifts", "--yes")
    assert (code, "2 deleted" in out) == (0, True)
    assert f"removed what syncd had made and nothing is left in: {made}" in err
    _, sections, _ = run(capsys, "portal", "sections")
    assert folder.name not in sections
    code, out, _ = run(capsys, "plan", "--json")
    assert json.loads(out)["plans"][0]["counts"]["create"] == 2
    code, _, err = run(capsys, "purge", "shift", "--yes")
    assert (code, "did you mean 'shifts'?" in err) == (2, True)


def test_what_is_taken_back_is_listed_by_time_without_lines_of_the_source_that_may_have_moved(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(folder, "1,Early", "9,Early")  # the uid that comes last is that of the first day
    run(capsys, "sync")
    run_before = (folder / "shifts.csv").read_text(encoding="utf-8").splitlines()
    (folder / "shifts.csv").write_text("\n".join([run_before[0], *reversed(run_before[1:])]) + "\n", encoding="utf-8")
    run(capsys, "sync")
    answering(monkeypatch, "\n\n")
    for command in (("purge", "shifts"), ("undo", "1")):
        _, out, _ = run(capsys, *command)
        assert out.index("Early") < out.index("Late")
        assert "shifts.csv:" not in out


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_migration_stopped_by_a_signal_goes_on_where_it_was(folder: Path, sent: signal.Signals) -> None:
    config = folder / "syncd.toml"
    config.write_text(config.read_text().replace("burst = 900", "burst = 900\nbatch_size = 2\nlanes = 1", 1))
    lines = (f"s{n},Shift {n},{DAY} 06:00,{DAY} 07:00,anna.petrova@school.example\n" for n in range(120))
    (folder / "shifts.csv").write_text("ID,Shift,Start,End,E-mail\n" + "".join(lines))
    command = [sys.executable, "-m", "syncd", "-q", "--config", str(config), "migrate", "--yes", "--report"]
    with subprocess.Popen([*command, str(folder / "report.csv")], stdout=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 60
        while _linked(folder) < 5 and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(sent)
        out, _ = process.communicate(timeout=60)
        assert (process.returncode, "the same command continues where it stopped" in out) == (130, True)
    first = {row["status"] for row in report(folder)}
    assert first == {"ok", "unknown"} or first == {"unknown"}
    done = subprocess.run([*command, str(folder / "report.csv")], capture_output=True, text=True, check=False)
    assert (done.returncode, "120 of 120 confirmed; 0 differ; 0 rejected" in done.stdout) == (0, True)
    assert {row["verified"] for row in report(folder)} == {"yes"}


def _linked(folder: Path) -> int:
    try:
        with sqlite3.connect(f"file:{folder / 'syncd.db'}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM links").fetchone()[0])
    except sqlite3.Error:
        return 0
    finally:
        if "connection" in locals():
            connection.close()


def test_bulk_commands_print_one_document_and_nothing_else_with_json(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = document(capsys, "migrate", "--yes", "--json", "--report", "report.csv")
    (migrated,) = said["runs"]
    assert (code, migrated["counts"]["created"]) == (0, 2)
    code, said = document(capsys, "undo", str(migrated["run"]), "--yes", "--json")
    assert (code, said["runs"][0]["counts"]["deleted"]) == (0, 2)
    run(capsys, "sync")
    code, said = document(capsys, "purge", "shifts", "--yes", "--json")
    assert (code, said["runs"][0]["state"], said["runs"][0]["counts"]["deleted"]) == (0, "done", 2)
    assert folder.joinpath("report.csv").read_text(encoding="utf-8").count(",ok,") == 2
