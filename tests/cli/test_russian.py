"""Every command speaks Russian and nothing else: what is left of other letters are names and what people type."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from syncd.cli import main
from syncd.cli.manual import manual
from syncd.cli.parser import build_parser
from syncd.cli.speaking import speaking
from syncd.portal.probe.statements import STATEMENTS

WORD = re.compile(r"[A-Za-z]{3,}")
TYPED = re.compile(
    r"`[^`]*`"  # what is typed
    r"|«[^»]*»|\"[^\"]*\"|'[^']*'"  # what is quoted
    r"|\[\[?[\w.]+\]?\]"  # a section of the config
    r"|\b[a-z]+://\S+|(?:\.{0,2}|~)/[\w./@-]+|\b[\w-]+\.(?:csv|ics|json|toml|db|md|py|service|conf|html|txt|old)(?::\d+)*"
    r"|--?[a-z][\w-]*|\$[A-Z_]+"  # options and variables
    r"|\b\w+[_.=]\S*|\b\w*\d\w*"  # keys, methods, identifiers
    r"|\b\S+@\S+|\b[A-Z][a-z]+/[A-Z][a-z]+\w*"  # addresses and time zones
)
NAMES = set(
    re.split(
        r"\s+",
        """
        syncd Python PostgreSQL SQLite SQLAlchemy systemd systemctl sudo Google Microsoft Entra OData OAuth Linux Bitrix
        CSV JSON TOML ICS HTML HTTP PHP UTF PEM XML URL API CRM SQL ISO UTC MSK NTP TLS PORTAL Enter Ctrl Etc
        xlsx csv ics json pem sql html https http bash zsh fish stdout stderr root pid help auto console pip venv
        user group company caller scope calendar sonet basic lists cron title start end owner owners section uid key
        name install every rate burst webhook portal app state control include alerts sync source target fields
        filter defaults
        standard enterprise hold skip activity meeting call todo keep delete yes none all day timezone columns
        docs null FORMATTED resultat crm department profile admin env file credential lang backup check probe
        authorize sections
        """.strip(),
    )
)
"""Names of programs, formats, commands and values, which are the same in every language."""


def commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield name, below
                yield from ((f"{name} {deeper}", one) for deeper, one in commands(below))


def identifiers() -> set[str]:
    """Return the names of commands and of their options' values."""
    found: set[str] = set()
    for name, parser in commands(build_parser()):
        found |= set(name.split())
        for action in parser._actions:
            found |= {str(one) for one in action.choices or ()}
    return {word for one in found for word in WORD.findall(one)}


KNOWN = NAMES | identifiers() | {word for name in STATEMENTS for word in WORD.findall(name)}


def english(text: str, *names: str) -> list[str]:
    """Return the words of `text` that are Latin and no names."""
    known = KNOWN | {word for name in names for word in WORD.findall(name)}
    return sorted({word for line in text.splitlines() for word in WORD.findall(TYPED.sub(" ", line))} - known)


def said(capsys: pytest.CaptureFixture[str], line: str) -> str:
    """Return what a command prints, to both streams."""
    with suppress(SystemExit):
        main([*line.split(), "--lang", "ru"])
    return "".join(capsys.readouterr())


@pytest.mark.parametrize("name", ["", *(name for name, _ in commands(build_parser()))])
def test_the_help_of_every_command_is_russian(capsys: pytest.CaptureFixture[str], name: str) -> None:
    text = said(capsys, f"{name} --help").partition("пример")[0]
    assert "использование: syncd" in text
    assert english(text) == []


def test_the_manual_page_is_russian_but_for_what_is_typed() -> None:
    with speaking(["--lang", "ru"]):
        text = manual()
    plain = re.sub(r"(?s)\.nf.*?\.fi", "", text).replace("\\-", "-")
    plain = re.sub(r"(?m)^\.(?:TH|SS|B) .*$|^\.\w+", "", plain)
    assert english(plain) == []


CLIENTS = "Oscar Lind Nina Kask Denis Fox Viktor Ozols"
PEOPLE = "Anna Petrova Ivan Sokolov Early Late shifts nobody main"


@pytest.fixture
def troubled(folder: Path) -> Path:
    """A folder whose schedule has a good row, one to be rejected and one to be held."""
    path = folder / "shifts.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines.append(lines[1].replace("1,Early", "3,").replace(" 06:00", " 05:00"))
    lines.append(lines[1].replace("1,Early", "4,Nobody").replace("anna.petrova", "nobody"))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_a_day_with_commands_is_russian(troubled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = {}
    for line in (
        "check", "check --offline", "plan", "sync", "sync", "status", "history", "history --run 1",
        "report --format html", "retry", "pause shifts", "status", "sync", "resume shifts", "poke shifts",
        "migrate --yes", "undo 1 --yes", "undo 99", "history --run 99",
        "plan --out pinned.json", "sync --plan pinned.json", "sync --plan missing.json",
        "purge shifts --yes", "purge other", "state check", "state backup copy.db", "state move --to other.db",
        "state move --to postgresql://a:b@h/d", "lease list", "lease release main", "report --since never",
        "sync nothing", "sync --portal other", "sync --report /nowhere/result.csv",
    ):  # fmt: skip
        if words := english(re.sub(r"<[^>]*>", " ", said(capsys, line)), PEOPLE, troubled.name):
            found[line] = words
    assert found == {}


def test_what_is_asked_of_a_portal_is_russian(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = {}
    for line in (
        "portal limits", "portal owners --keep", "portal sections --calendar company --owner x", "portal limits --yes",
        "portal owners --unresolved shifts", "portal owners x", "portal owners --unresolved other",
        "portal authorize", "portal authorize main", "portal probe --yes",
    ):  # fmt: skip
        text = said(capsys, line)
        if words := english(text, PEOPLE, folder.name):
            found[line] = words
    assert found == {}


def test_what_needs_no_config_is_russian(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {}
    (folder / "syncd.toml").unlink()
    monkeypatch.setenv("HOME", str(tmp_path))
    for line in (
        "status", "init --source shifts.csv -o first.toml", "init --source shifts.csv -o first.toml",
        "init --source missing.csv", "init --webhook x", "init --source ftp://x", "init -o /nowhere/x.toml",
        "service install --root .", "sandbox --export world.json", "sandbox --export /nowhere/w.json",
        "sandbox --world missing.json", "source authorize x", "--config missing.toml check",
    ):  # fmt: skip
        if words := english(said(capsys, line), PEOPLE, "Europe Moscow", folder.name):
            found[line] = words
    assert found == {}


def test_the_comments_of_a_first_config_are_russian(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "init --source shifts.csv -o first.toml")
    text = (folder / "first.toml").read_text(encoding="utf-8")
    comments = "\n".join(line.partition("#")[2] for line in text.splitlines())
    assert english(comments, "Europe Moscow") == []


def test_the_demonstration_is_russian(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "demo --no-wait --port 0")
    assert "Три расписания и пустой портал." in text
    # What the schedules and the portal call things stands in columns and in cards.
    own = "\n".join(line for line in text.splitlines() if not re.match(r"[+~=-] |  +\w+ +\d+ ", line))
    assert english(own, "timetable team appointments", "Europe Moscow Berlin", CLIENTS) == []
