"""The Russian README says what the English one says: the same sections, commands, keys and files."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from syncd.lang.catalog import told
from syncd.lang.saying import say_as

ROOT = Path(__file__).parent.parent.parent
ENGLISH = (ROOT / "README.md").read_text(encoding="utf-8")
RUSSIAN = (ROOT / "deploy" / "README.ru.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\]\(([^)#]*)(#[^)]*)?\)")


def prose(text: str) -> str:
    """Return `text` without its blocks of code."""
    return FENCE.sub("", text)


def headings(text: str) -> list[tuple[int, str]]:
    return [(len(one[1]), one[2]) for one in re.finditer(r"^(#+) (.*)$", prose(text), re.MULTILINE)]


def blocks(text: str) -> list[tuple[str, list[str]]]:
    """Return each block of code: its language, and its lines without comments and without what stands in quotes."""
    told = re.compile(r"(?:^|\s+)#.*$|\"[^\"]*\"")
    return [(language, [told.sub("", line) for line in body.splitlines()]) for language, body in FENCE.findall(text)]


PLACEHOLDERS = {
    "FILE|URL": "FILE|URL", "URL|PATH": "URL|PATH", "METHOD=SECONDS": "METHOD=SECONDS",
    "NAME=POSITION": "NAME=POSITION", "RUN_ID": "RUN_ID", "NAME": "NAME", "FILE": "FILE", "DIR": "DIR",
    "PORTAL": "PORTAL", "SYNC": "NAME",
}  # fmt: skip
"""What stands in commands for the reader's own words, and what `--help` calls it."""


def as_helped(code: str) -> str:
    """Return a command as it stands in Russian: with the placeholders that `syncd --help` shows there."""
    plain = code.replace("\\|", "|")
    for name, helped in PLACEHOLDERS.items():
        plain = re.sub(rf"(?<![\w$]){re.escape(name)}(?![\w=]|\.\w)", told(say_as("placeholder", helped), "ru"), plain)
    plain = re.sub(r"--fault KIND", "--fault ВИД", plain).replace("file:PATH", "file:ПУТЬ")
    return plain.replace("|", "\\|") if "\\|" in code else plain


def anchor(heading: str) -> str:
    """Return how a page names the place of a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_it_has_the_same_sections_in_the_same_order() -> None:
    assert [level for level, _ in headings(RUSSIAN)] == [level for level, _ in headings(ENGLISH)]


def test_its_blocks_of_code_are_the_same_but_for_comments_and_names() -> None:
    assert blocks(RUSSIAN) == blocks(ENGLISH)


def test_its_tables_have_the_same_rows() -> None:
    def rows(text: str) -> int:
        return len(re.findall(r"^\|", prose(text), re.MULTILINE))

    assert rows(RUSSIAN) == rows(ENGLISH)


def test_it_names_every_command_key_and_file_that_the_english_one_names() -> None:
    def named(text: str) -> Counter[str]:
        return Counter(re.sub(r"\s+", " ", one) for one in CODE.findall(prose(text)))

    def told_apart(name: str) -> bool:
        return not re.search("[А-Яа-яЁё]", name)

    missing = {as_helped(name) for name in named(ENGLISH) if told_apart(name)} - set(named(RUSSIAN))
    # What a pass prints is told in Russian there, and its example config is another file.
    assert missing == {
        "entries read back: 20,000 of 20,000 confirmed; 0 differ; 12 rejected, see report", "config.example.toml"
    }  # fmt: skip


@pytest.mark.parametrize(("text", "folder"), [(ENGLISH, ROOT), (RUSSIAN, ROOT / "deploy")])
def test_every_link_leads_somewhere(text: str, folder: Path) -> None:
    anchors = {f"#{anchor(title)}" for _, title in headings(text)}
    for target, place in LINK.findall(prose(text)):
        if target.startswith("https://"):
            continue
        assert not target or (folder / target).exists(), target
        assert not place or place in anchors, place
