"""What commands print: no known secret, nothing that acts on the terminal, and the same meaning for programs."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.text import Text

from syncd.cli import main, printed, show
from syncd.cli.outlet import Outlet, outlets, reveal
from syncd.scrub import Scrubber

SECRET = "s3cr3t-c0de-0123456789"
EVIL = "\x1b[2J\x1b]0;owned\x07Urlaub \u202egpj.exe\x9b31m"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


STREAMS = pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["file", "terminal"])


@contextmanager
def printing(stream: io.StringIO) -> Iterator[None]:
    """Print to an empty `stream` while the body runs. Not in a fixture, as pytest puts its own stdout back after it."""
    stream.seek(0)
    stream.truncate()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        patch.setenv("COLUMNS", "60")
        patch.delenv("NO_COLOR", raising=False)
        with outlets(Scrubber([SECRET])):
            yield


@STREAMS
def test_tables_and_lines_show_controls_instead_of_obeying_them(stream: io.StringIO) -> None:
    with printing(stream):
        out = show.console()
        show.rows(out, ("what",), [[EVIL]])
        show.line(out, EVIL)
        show.line(out, Text(EVIL, style="red").append(EVIL, style="bold"))
        out.print(EVIL, markup=False)
    written = stream.getvalue()
    for sign in ("\x1b[2J", "\x1b]", "\x07", "\u202e", "\x9b"):
        assert sign not in written
    assert written.count("\\u202e") == 5


@STREAMS
def test_a_secret_is_hidden_before_a_table_folds_it(stream: io.StringIO) -> None:
    with printing(stream):
        out = show.console()
        show.rows(out, ("a", "b", "c"), [[f"{SECRET}-{n}" for n in range(3)]])
        show.line(out, Text(SECRET[:8]).append(SECRET[8:], style="red"))
        print(f"from a library: {SECRET}")
        sys.stdout.write(SECRET[:5])
        sys.stdout.write(f"{SECRET[5:]}\n")
    text = Text.from_ansi(stream.getvalue()).plain
    assert text.count("***") >= 5
    assert SECRET[:8] not in text
    assert SECRET[-8:] not in text


@STREAMS
def test_documents_mean_the_same_with_controls_escaped_and_secrets_hidden(stream: io.StringIO) -> None:
    with printing(stream):
        printed.document({"title": EVIL, "reason": SECRET})
    assert json.loads(stream.getvalue()) == {"title": EVIL, "reason": "***"}
    assert "\u202e" not in stream.getvalue()
    assert "\x9b" not in stream.getvalue()


@STREAMS
def test_what_has_to_be_seen_can_be_revealed(stream: io.StringIO) -> None:
    with printing(stream):
        print("before ", end="")
        reveal(SECRET)
    assert stream.getvalue() == f"before {SECRET}\n"


def test_a_line_is_held_until_it_is_whole_or_flushed() -> None:
    stream = io.StringIO()
    outlet = Outlet(stream, Scrubber([SECRET]))
    outlet.write("a\nb")
    assert stream.getvalue() == "a\n"
    outlet.flush()
    assert stream.getvalue() == "a\nb"


@pytest.mark.parametrize("command", ["check", "status", "sync"])
def test_an_error_in_the_config_quotes_no_secret_whatever_the_command(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "syncd.toml"
    config.write_text(
        '[portals.main]\nwebhook = "https://x.bitrix24.com/rest/1/c0dec0dec0de/"\n[alerts.smtp]\nhost = "h"\n'
        f'sender = "a@b.c"\npassword = "{SECRET}"\nsecurity = "{SECRET}"\n',
        encoding="utf-8",
    )
    assert main(["--config", str(config), command]) == 2
    said = capsys.readouterr().err
    assert f"{config}:7: alerts.smtp.security must be one of" in said
    assert SECRET not in said
