"""The language of a process is chosen before its first word, and everything that is printed is in it."""

from __future__ import annotations

import argparse
import csv
import gettext
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from syncd.cli import main
from syncd.cli.manual import manual
from syncd.cli.speaking import option, speaking
from syncd.lang.catalog import ROOT, house
from syncd.lang.choice import configured_language, system_language
from syncd.lang.compiling import compile_all
from tests.cli.test_commands import edit, run


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return stdout and stderr of one command."""
    _, out, err = run(capsys, *arguments)
    return out + err


@pytest.mark.parametrize("words", [["--lang", "ru", "status", "--nope"], ["status", "--language=ru", "--nope"],
                                   ["status", "--nope", "--lang", "ru"]])  # fmt: skip
def test_a_wrong_command_line_is_told_in_the_language_that_it_asks_for(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    code, _, err = run(capsys, *words)
    assert code == 2
    assert "syncd: ошибка: неизвестные аргументы: --nope" in err
    assert err.startswith("использование: syncd ")
    assert house() == "en"


@pytest.mark.parametrize(
    ("words", "said_of_it"),
    [
        (["undo"], "не хватает обязательных аргументов: ПРОХОД"),
        (["undo", "x"], "аргумент ПРОХОД: «x» — не целое число"),
        (["history", "--last", "0"], "аргумент --last: «0» — не число от 1 до 10000"),
        (["completion"], "не хватает обязательных аргументов: {bash,zsh,fish}"),
        (["portal", "x"], "аргумент {owners,sections,limits,probe,authorize}: недопустимое значение: 'x'"),
        (["sandbox", "--switch", "q=1"], "у имитации портала нет переключателя «q»"),
        (["sync", "--plan"], "аргумент --plan: нужно одно значение"),
        (["report", "--json", "--format", "csv"], "--json и --format csv исключают друг друга"),
        (["status", "-v", "-q"], "аргумент -q/--quiet: нельзя указывать вместе с аргументом -v/--verbose"),
        (["--lang", "de", "status"], "недопустимое значение: 'de' (выберите из: 'en', 'ru')"),
    ],
)
def test_what_argparse_says_is_russian(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str], said_of_it: str
) -> None:
    monkeypatch.setenv("SYNCD_LANG", "ru")
    assert said_of_it in run(capsys, *words)[2]


def test_what_asks_for_a_language_counts_in_its_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoken(*words: str) -> str:
        with speaking(words):
            return house()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert spoken() == "en"
    monkeypatch.setenv("LC_ALL", "ru_RU.UTF-8")
    assert spoken() == "ru"
    (tmp_path / "syncd.toml").write_text('language = "en"\n[portals.main]\nlanguage = "ru"\n')
    assert spoken() == "en"
    monkeypatch.setenv("SYNCD_LANG", "ru")
    assert spoken() == "ru"
    assert spoken("--lang", "en") == "en"
    monkeypatch.setenv("SYNCD_LANG", "de")  # one that there is not is passed over
    assert spoken() == "en"
    (tmp_path / "other.toml").write_text("# a comment\n\tlanguage = 'ru'\n")
    assert spoken("--config", "other.toml", "status") == "ru"
    assert spoken("--config=other.toml") == "ru"
    assert spoken("--config", "missing.toml") == "ru"  # of which the system's locale is told


def test_argparse_speaks_as_before_to_who_has_called_syncd(capsys: pytest.CaptureFixture[str]) -> None:
    assert "ПОРТ" in said(capsys, "demo", "--help", "--lang", "ru")
    assert {name: getattr(argparse, name) for name in ("_", "ngettext")} == {
        "_": gettext.gettext,
        "ngettext": gettext.ngettext,
    }


def test_who_has_no_home_gets_a_language_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    with speaking(["version"]):
        assert house() == "en"


@pytest.mark.parametrize(
    ("words", "value"),
    [(["--lang", "ru"], "ru"), (["x", "--lang=ru"], "ru"), (["--lang", "en", "--langu", "ru"], "ru"), (["--lang"], ""),
     (["--", "--lang", "ru"], ""), (["--last", "3"], "")],
)  # fmt: skip
def test_the_language_is_found_anywhere_on_a_command_line(words: list[str], value: str) -> None:
    assert option(words, "--language") == value


def test_a_config_that_cannot_be_used_is_refused_in_the_language_that_it_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "syncd.toml").write_text('language = "ru"\nkeep_runs = 90d\n')
    code, _, err = run(capsys, "status")
    assert (code, err) == (
        2,
        f"syncd: {tmp_path}/syncd.toml:2:15: это не TOML: здесь ожидается конец строки\n"
        '       возьмите значение keep_runs в кавычки: keep_runs = "..."\n',
    )
    (tmp_path / "syncd.toml").write_text('language = "ru"\nkeep_run = "90d"\n')
    assert "syncd.toml:2: keep_run: неизвестный параметр\n       может быть, «keep_runs»?" in said(capsys, "status")
    (tmp_path / "syncd.toml").write_text('\nlanguage = "de"\n')
    assert 'syncd.toml:2: language must be one of en, ru, not "de"' in said(capsys, "status")
    assert "syncd.toml:2: language: должно быть одно из значений: en, ru, а не «de»" in said(
        capsys, "status", "--lang", "ru"
    )


def test_the_language_of_the_config_is_that_of_its_results(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = folder / "syncd.toml"
    config.write_text('language = "ru"\n' + config.read_text(encoding="utf-8"), encoding="utf-8")
    assert "shifts: создать 2" in said(capsys, "plan")
    assert "shifts: 2 to create" in said(capsys, "plan", "--lang", "en")


def test_documents_keep_their_keys_and_codes_and_tell_their_texts(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(folder, "1,Early", "1,")
    code, out, _ = run(capsys, "plan", "--json", "--lang", "ru")
    (plan,) = json.loads(out)["plans"]
    (problem,) = [one for one in plan["problems"] if one["kind"] == "rejected"]
    assert code == 1
    assert plan["counts"]["create"] == 1
    assert plan["changes"][0]["op"] == "create"
    assert plan["changes"][0]["reason"] == "новое в источнике"
    assert not any("a" <= letter <= "z" for letter in problem["reason"])
    code, out, _ = run(capsys, "check", "--json", "--offline", "--lang", "ru")
    (entries,) = [one for one in json.loads(out)["checks"] if one["name"] == "entries shifts"]
    assert entries["remedy"] == "исправьте эти записи"
    code, out, _ = run(capsys, "undo", "99", "--json", "--lang", "ru")
    assert (code, json.loads(out)["error"]) == (2, "прохода 99 нет")


def test_a_report_keeps_its_headings_and_tells_why_in_the_language_asked_for(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(folder, "1,Early", "1,")
    run(capsys, "sync", "--report", "result.csv", "--language", "ru")
    with (folder / "result.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [*rows[0]] == ["where", "key", "title", "action", "status", "remote_id", "verified", "error"]
    (rejected,) = [row for row in rows if row["status"] == "rejected"]
    assert not any("a" <= letter <= "z" for letter in rejected["error"])


@pytest.mark.parametrize(("answer", "code"), [("да", 0), ("Д", 0), ("yes", 0), ("нет", 0), ("", 0)])
def test_a_question_is_answered_in_its_language(folder: Path, webhook: str, answer: str, code: int) -> None:
    asked = subprocess.run(
        [sys.executable, "-m", "syncd", "migrate", "--lang", "ru"],
        cwd=folder, input=f"{answer}\n", capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert "отправить эти изменения (shifts)? [д/Н] " in asked.stderr
    assert ("ничего не отправлено" in asked.stderr) == (answer in ("нет", ""))
    assert ("создано 2" in asked.stdout) == (answer not in ("нет", ""))


def test_a_table_keeps_its_columns_with_cyrillic(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "sync")
    _, out, _ = run(capsys, "history", "--lang", "ru")
    heading, row = out.splitlines()[:2]
    for title, cell in (("синхронизация", "shifts"), ("состояние", "готово"), ("создано", "2")):
        assert heading.index(title) == row.rindex(cell), out


def test_the_manual_page_is_russian_too() -> None:
    with speaking(["--lang", "ru"]):
        page = manual()
    assert ".SH ИМЯ\nsyncd \\- поддерживает календари" in page
    assert ".SH КОДЫ ВЫХОДА" in page
    assert ".B syncd sync\n[\\-h]" in page
    with speaking([]):
        assert ".SH NAME\nsyncd \\- keeps Bitrix24 calendars" in manual()


def test_a_first_config_has_comments_in_the_language_asked_for_and_asks_for_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, _ = run(capsys, "init", "--source", "shifts.csv", "-o", "first.toml", "--lang", "ru")
    text = (folder / "first.toml").read_text(encoding="utf-8")
    assert code == 0
    assert text.startswith("# Первая конфигурация от `syncd init`.")
    assert 'language = "ru"' in text
    run(capsys, "init", "--source", "shifts.csv", "-o", "second.toml")
    assert "language" not in (folder / "second.toml").read_text(encoding="utf-8")


def test_help_in_russian_loads_no_babel() -> None:
    compile_all(ROOT)
    program = (
        "import sys; from syncd.cli import main\n"
        "try: main(['--help', '--lang', 'ru'])\n"
        "except SystemExit: print('babel' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "Поддерживает календари Битрикс24" in done.stdout
    assert done.stdout.splitlines()[-1] == "False"


def test_a_failed_call_of_the_system_is_told_in_russian(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, _, err = run(capsys, "status", "--config", str(tmp_path / "none.toml"), "--lang", "ru")
    assert "none.toml: не читается: нет такого файла или каталога" in err


def test_a_defect_and_a_wrong_line_are_told_in_russian_in_documents(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, out, _ = run(capsys, "sync", "--json", "--nope", "--lang", "ru")
    assert json.loads(out)["error"] == "командная строка неверна; в чём ошибка, сказано в stderr"
    monkeypatch.setattr("syncd.cli._main", lambda *_: 1 / 0)
    assert main(["status", "--json", "--lang", "ru"]) == 70
    out, err = capsys.readouterr()
    assert json.loads(out)["error"] == "ошибка в самом syncd; где именно, сказано в stderr"
    assert "syncd: это ошибка в самом syncd" in err


def test_what_stdout_cannot_encode_is_escaped_and_ends_no_command(folder: Path) -> None:
    edit(folder, "Early", "Раннее → «é» \U0001f600")
    edit(folder, "22:00", "13:00")

    def printed(encoding: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "syncd", *words],
            env={**os.environ, "PYTHONIOENCODING": encoding, "SYNCD_LANG": "ru"},
            cwd=folder, text=True, encoding=encoding, capture_output=True, check=False,
        )  # fmt: skip

    tables = printed("ascii", "plan")
    assert (tables.returncode, "Traceback" in tables.stderr) == (1, False)
    (plain,), (escaped,) = (json.loads(printed(one, "plan", "--json").stdout)["plans"] for one in ("utf-8", "ascii"))
    assert plain["problems"] and plain["changes"] == escaped["changes"] and plain["problems"] == escaped["problems"]


@pytest.mark.parametrize("name", ["ru", "ru@latin", "ru_RU", "ru_RU.KOI8-R", "ru_RU@x", "RU-ru", "ru.UTF-8@x"])
def test_a_locale_is_known_by_its_language(name: str) -> None:
    assert system_language({"LANG": name}) == "ru"


@pytest.mark.parametrize(
    "line",
    [
        'language = "ru"',
        "language='ru'",
        '"language" = "ru"',
        "'language' = 'ru'",
        'language = """ru"""',
        '  language\t= "ru" # x',
    ],
)
def test_the_language_of_a_config_is_found_however_toml_writes_it(tmp_path: Path, line: str) -> None:
    config = tmp_path / "syncd.toml"
    config.write_text(f'state = "x.db"\n{line}\n[portals.main]\n')
    assert configured_language(config) == "ru"


def test_a_config_that_comes_through_a_pipe_is_left_to_the_command(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "wb") as pipe:
        pipe.write((folder / "syncd.toml").read_bytes())
        pipe.close()
        _, out, err = run(capsys, "check", "--offline", "--config", f"/dev/fd/{reading}")
    assert f"config: /dev/fd/{reading}: 1 sync, 1 portal" in out, err
