"""Completion in a shell, the manual page, and the examples: each made from the parser, so none can lag behind."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from syncd.cli import main
from syncd.cli.examples import EXAMPLES
from syncd.cli.manual import manual
from syncd.cli.parser import build_parser, parsed

CONFIG = """
include = ["conf.d/*.toml"]
[portals.school]
[[sync]]
name = "timetable"
"""
INCLUDED = """
[portals.clinic]
[[sync]]
name = "appointments"
"""


def completed(line: str, folder: Path) -> set[str]:
    """Return what a shell is offered at the end of `line`."""
    answer = folder / "answer"
    surroundings = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "COMP_TYPE": "9",
    }
    subprocess.run(
        [sys.executable, "-m", "syncd"], cwd=folder, env={**os.environ, **surroundings}, check=True, timeout=60
    )
    return {word.strip() for word in answer.read_text().splitlines()}


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    (tmp_path / "syncd.toml").write_text(CONFIG)
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "clinic.toml").write_text(INCLUDED)
    return tmp_path


def test_a_shell_completes_the_names_of_the_config_and_of_what_it_includes(configured: Path) -> None:
    assert completed("syncd plan ", configured) >= {"timetable", "appointments"}
    assert completed("syncd purge a", configured) == {"appointments"}
    assert completed("syncd portal owners --portal ", configured) == {"school", "clinic"}


def test_a_shell_completes_files_where_no_names_are_meant(configured: Path) -> None:
    (configured / "report.csv").touch()
    assert completed("syncd sync --report re", configured) == {"report.csv"}


def test_a_shell_completes_commands_and_options(configured: Path) -> None:
    assert completed("syncd st", configured) == {"state", "status"}
    assert "--verify" in completed("syncd plan --", configured)


def test_a_config_that_cannot_be_read_offers_no_names_and_prints_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "syncd.toml").write_text("[[sync\n")
    assert completed("syncd purge a", tmp_path) == set()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_code_for_a_shell_names_the_program(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    assert main(["completion", shell]) == 0
    code = capsys.readouterr().out
    assert re.search(r"(complete|compdef).* syncd\b", code)
    program = shutil.which(shell)
    if program is not None:
        read = subprocess.run([program, "-n"], input=code, capture_output=True, text=True, check=False)
        assert (read.returncode, read.stderr) == (0, "")


def test_every_example_is_a_command_line_that_the_parser_accepts() -> None:
    parser = build_parser()
    for name, lines in EXAMPLES.items():
        for line in lines:
            typed = shlex.split(line, comments=True)
            start = [word.rpartition("/")[2] for word in typed].index("syncd") + 1
            words = typed[start : typed.index(">") if ">" in typed else None]
            assert parsed(parser, words).command == name, line


def test_every_command_has_examples_in_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    for name in EXAMPLES:
        with pytest.raises(SystemExit):
            build_parser().parse_args([name, "--help"])
        assert EXAMPLES[name][0] in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", ["state backup", "state check", "state move", "lease list", "lease release", "service install",
              "source authorize"],
)  # fmt: skip
def test_every_command_below_another_has_an_example_of_its_own(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args([*words.split(), "--help"])
    said = capsys.readouterr().out.partition("\nexample:\n")[2]
    assert f"syncd {words}" in said
    assert said.count("\n") == 1


def test_the_manual_page_tells_every_command_option_and_exit_code_and_troff_accepts_it(tmp_path: Path) -> None:
    page = manual()
    for name in EXAMPLES:
        assert f"\n.SS syncd {name}\n" in page
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    codes = re.search(r"\*\*Exit codes\*\*: (.*?)\n\n", readme, re.DOTALL)
    assert codes is not None
    told = set(re.findall(r"(?:^|· )(\d+) ", codes[1].replace("\n", " ")))
    status = page[page.index(".SH EXIT STATUS") : page.index(".SH ENVIRONMENT")]
    assert set(re.findall(r"^\.B (\d+)$", status, re.MULTILINE)) == told
    troff = shutil.which("groff")
    if troff is not None:
        (tmp_path / "syncd.1").write_text(page)
        read = subprocess.run(
            [troff, "-man", "-Tutf8", "-ww", "-b", tmp_path / "syncd.1"], capture_output=True, text=True, check=False
        )
        assert (read.returncode, read.stderr) == (0, "")
