"""Tries to get a secret into a log line."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from syncd.log import Format, configure
from syncd.scrub import Scrubber

CODE = "s3cr3tc0de"
WEBHOOK = f"https://example.bitrix24.com/rest/1/{CODE}/"
PASSWORD = "pä55 w/rd\"'<&"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@dataclass
class Careless:
    webhook: str


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def raised(text: str) -> BaseException:
    try:
        int(f"inner {text}")
    except ValueError as error:
        outer = RuntimeError(f"outer {text}")
        outer.__cause__ = error
        return outer
    raise AssertionError("a number after all")


LEAKS: list[dict[str, Any]] = [
    {"url": WEBHOOK + "batch.json"},
    {"text": f"POST {WEBHOOK}?auth=1 failed"},
    {"nested": {"a": [{"b": (WEBHOOK,)}]}},
    {WEBHOOK: 1},
    {"keys": {WEBHOOK: 1}},
    {"error": ValueError(WEBHOOK)},
    {"error": OSError(2, "no such file", WEBHOOK)},
    {"exc_info": raised(WEBHOOK)},
    {"exc_info": raised(PASSWORD)},
    {"value": Careless(WEBHOOK)},
    {"raw": WEBHOOK.encode()},
    {"path": Path(f"/x/rest/1/{CODE}")},
    {"several": {WEBHOOK, PASSWORD}},
    {"encoded": quote(WEBHOOK, safe="")},
    {"twice": quote(quote(WEBHOOK, safe=""), safe="")},
    {"escaped": json.dumps(WEBHOOK).replace("/", "\\/")},
    {"escaped": WEBHOOK.replace("/", "\\u002f")},
    {"code": CODE},
    {"code": f"x{CODE}y"},
    {"login": "https://user:hunter22@example.com/feed.ics"},
    {"query": "https://oauth/?grant=x&access_token=hunter22&y=1"},
    {"password": "hunter22"},
    {"headers": {"Authorization": "Basic hunter22", "Cookie": "hunter22"}},
    {"said": f"wrong password {PASSWORD}!"},
    {"query": f"password={quote(PASSWORD)}"},
    {"said": "Authorization: Basic hunter22"},
    {"said": '{"password": "hunter22 hunter22"}'},
    {"said": "{'auth': 'hunter22'} --token=hunter22"},
    {"deep": [[[[[[[[[[[[WEBHOOK]]]]]]]]]]]]},
    {"event": WEBHOOK},
]


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize("fields", LEAKS, ids=[f"{n}-{next(iter(each))[:8]}" for n, each in enumerate(LEAKS)])
def test_no_way_leads_a_secret_into_a_line(fields: dict[str, Any], form: Format) -> None:
    stream = Terminal()
    scrubber = configure(form, 2, stream)
    scrubber.add(WEBHOOK)
    scrubber.add(PASSWORD)
    event = fields.get("event", "batch.sent")
    structlog.get_logger().error(event, **{key: value for key, value in fields.items() if key != "event"})
    structlog.contextvars.bind_contextvars(context=WEBHOOK)
    structlog.get_logger().bind(bound=PASSWORD).info("item.held")
    logging.getLogger("asyncio").error("Task exception %s", fields, exc_info=raised(WEBHOOK))
    written = stream.getvalue()
    assert "***" in written
    for secret in (CODE, PASSWORD, quote(PASSWORD, safe=""), json.dumps(PASSWORD)[1:-1], "hunter22"):
        assert secret not in written


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_webhook_is_recognised_before_anybody_registers_it(form: Format) -> None:
    stream = io.StringIO()
    configure(form, 1, stream)
    structlog.get_logger().error("portal.refused", url=WEBHOOK, exc_info=raised(WEBHOOK))
    assert CODE not in stream.getvalue()
    assert "example.bitrix24.com/rest/1/***" in stream.getvalue()


@given(st.text(max_size=20), st.text(min_size=4, max_size=12).filter(lambda text: len(text.strip()) >= 4), st.text())
def test_a_registered_secret_is_in_no_cleaned_value(before: str, secret: str, after: str) -> None:
    cleaned = Scrubber([secret]).text(f"{before}{secret}{after}")
    assert secret.strip() not in cleaned or secret.strip() in "***"


def test_secrets_too_short_to_hide_leave_lines_readable() -> None:
    assert Scrubber(["a", "", "   "]).text("a banana") == "a banana"


def test_what_is_no_secret_stays_as_it_is() -> None:
    fields = {
        "author": "a: b",
        "text": "the passwords of 3 tokens",
        "number": 1.5,
        "none": None,
        "flag": True,
        "list": [1, "two"],
        "url": "https://example.com/rest/of/it",
    }
    assert Scrubber().value(fields) == fields
    assert Scrubber().value({"at": datetime(2026, 12, 1), "sets": {2, 1}}) == {
        "at": "2026-12-01 00:00:00",
        "sets": ["1", "2"],
    }


def test_json_is_one_object_a_line_with_level_and_utc_time() -> None:
    stream = io.StringIO()
    configure("auto", 1, stream)
    structlog.get_logger().info("pass.done", sync="timetable", title="Урок\nвторой")
    (line,) = stream.getvalue().splitlines()
    fields = json.loads(line)
    assert datetime.fromisoformat(fields.pop("timestamp")).utcoffset() is not None
    assert fields == {"event": "pass.done", "level": "info", "sync": "timetable", "title": "Урок\nвторой"}


def test_json_stays_json_whatever_is_hidden_in_it() -> None:
    stream = io.StringIO()
    configure("json", 1, stream)
    structlog.get_logger().info("pass.done", token={"a": 1}, password=None, auth=5, secret="x", said='auth: "y')
    fields = json.loads(stream.getvalue())
    assert (fields["token"], fields["password"], fields["auth"]) == ({"a": 1}, None, 5)
    assert (fields["secret"], fields["said"]) == ("***", "auth: ***")


def test_a_terminal_gets_text_and_a_pipe_gets_json() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        configure("auto", 1, stream)
        structlog.get_logger().info("pass.done")
    assert not terminal.getvalue().startswith("{")
    assert json.loads(pipe.getvalue())["event"] == "pass.done"


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_feed_cannot_forge_colours_or_lines(form: Format) -> None:
    stream = io.StringIO()
    configure(form, 1, stream)
    structlog.get_logger().info("item.held", title="\x1b[31mred\r\x9b2J\u2028next")
    written = stream.getvalue()
    assert not set(written) & set("\x1b\r\x9b\u2028")
    assert len(written.splitlines()) == 1


@pytest.mark.parametrize(
    ("verbosity", "expected"),
    [
        (-1, {"error", "lib error"}),
        (0, {"warning", "error", "lib error", "lib warning"}),
        (1, {"info", "warning", "error", "lib error", "lib warning"}),
        (2, {"debug", "info", "warning", "error", "lib error", "lib warning"}),
        (3, {"debug", "info", "warning", "error", "lib error", "lib warning", "lib debug"}),
    ],
)
def test_verbosity_chooses_what_is_said(verbosity: int, expected: set[str]) -> None:
    stream = io.StringIO()
    configure("json", verbosity, stream)
    log, library = structlog.get_logger(), logging.getLogger("some.package")
    for level in ("debug", "info", "warning", "error"):
        getattr(log, level)(level)
    for level in ("debug", "warning", "error"):
        getattr(library, level)(f"lib {level}")
    assert {json.loads(line)["event"] for line in stream.getvalue().splitlines()} == expected


def test_importing_the_module_does_not_import_structlog() -> None:
    code = "import sys, syncd.log; sys.exit('structlog' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_lines_straight_to_the_journal_carry_their_priority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "journal").open("w") as stream:
        found = (tmp_path / "journal").stat()
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        configure("json", 1, stream)
        structlog.get_logger().error("portal.stopped")
        structlog.get_logger().info("pass.done")
        logging.getLogger("asyncio").warning("slow")
    lines = (tmp_path / "journal").read_text().splitlines()
    assert [line[:4] for line in lines] == ["<3>{", "<6>{", "<4>{"]
    assert json.loads(lines[0][3:])["event"] == "portal.stopped"


def test_lines_to_anywhere_else_carry_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:12345")  # as inherited by a program whose output goes to a file
    with (tmp_path / "file").open("w") as stream:
        configure("json", 1, stream)
        structlog.get_logger().error("portal.stopped")
    assert (tmp_path / "file").read_text().startswith("{")


def test_a_secret_that_begins_with_another_one_is_hidden_whole() -> None:
    for secrets in (("abcd", "abcd-efgh"), ("abcd-efgh", "abcd")):
        cleaned = Scrubber(secrets).text("it is abcd-efgh, or abcd")
        assert "efgh" not in cleaned
        assert "abcd" not in cleaned


def test_a_value_that_holds_itself_ends_as_text() -> None:
    knot: list[object] = ["first"]
    knot.append(knot)
    cleaned: Any = Scrubber().value(knot)
    depth = 0
    while isinstance(cleaned, list):
        assert cleaned[0] == "first"
        cleaned, depth = cleaned[1], depth + 1
    assert isinstance(cleaned, str)
    assert depth == 8


def test_a_library_that_logs_without_end_gets_a_few_lines_a_minute_and_a_count() -> None:
    stream = io.StringIO()
    configure("json", 1, stream)

    def flood(number: int, at: float, level: int = logging.ERROR) -> list[Any]:
        before = len(stream.getvalue())
        for _ in range(number):
            record = logging.LogRecord("asyncio", level, __file__, 1, "no %s", ("descriptors",), None)
            record.created = at
            logging.getLogger("asyncio").handle(record)
        return [json.loads(line)["event"] for line in stream.getvalue()[before:].splitlines()]

    assert flood(5000, 1000.0) == ["no descriptors"] * 20
    assert flood(10, 1059.0) == []
    assert flood(2, 1060.0) == ["no descriptors (4990 more of asyncio were left out)", "no descriptors"]
    assert len(flood(50, 900.0)) == 20  # the clock was set back
    logging.getLogger("aiohttp").error("another one")
    assert "another one" in stream.getvalue()
    configure("json", 3, stream)
    assert len(flood(50, 2000.0, logging.DEBUG)) == 50
