"""What a query gives is read whole or not at all, never written to, and told without the address."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from syncd.errors import ConfigError, SourceError
from syncd.model.entry import AllDay, Entry, Snapshot, Timed, Window
from syncd.source import Source, open_source
from syncd.source.base import Fetching, FileBacked
from syncd.source.conformance import CONTEXT
from syncd.source.sql import query_reading
from syncd.source.sql.database_address import open_database
from tests.support.few_threads import allow_threads

COLUMNS = {"uid": "id", "title": "title", "start": "starts", "end": "ends"}
ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) AS id, 1 AS title, 2 AS starts, 3 AS ends FROM n"  # noqa: E501


@pytest.fixture
def database(tmp_path: Path) -> Callable[..., None]:
    def run(*statements: str) -> None:
        opened = sqlite3.connect(tmp_path / "shifts.db")
        opened.executescript(";".join(statements))
        opened.close()

    run("CREATE TABLE shifts (id, title, starts, ends, room)")
    return run


def opened(folder: Path, query: str | None = "SELECT * FROM shifts", **options: object) -> Source:
    given = {"type": "sql", "url": "sqlite:///shifts.db", "query": query, "columns": COLUMNS, **options}
    return open_source({key: value for key, value in given.items() if value is not None}, folder, where="here")


def by_uid(snapshot: Snapshot) -> dict[str, Entry]:
    return {entry.uid: entry for entry in snapshot.entries}


async def test_rows_in_another_order_are_the_same_snapshot(tmp_path: Path, database: Callable[..., None]) -> None:
    rows = [f"INSERT INTO shifts VALUES ('{n}', 'S{n}', '2026-12-01 09:00', '2026-12-01 10:00', 1)" for n in "abc"]
    database(*rows)
    source = opened(tmp_path)
    first = await source.read(CONTEXT)
    database("DELETE FROM shifts", *reversed(rows))
    assert await source.read(CONTEXT) is first
    assert [entry.where for entry in first.entries] == ["query:a", "query:b", "query:c"]


async def test_of_two_rows_with_one_uid_the_same_one_counts_in_any_order(
    tmp_path: Path, database: Callable[..., None]
) -> None:
    rows = [
        "INSERT INTO shifts VALUES ('a ', 'Two', '2026-12-02', NULL, 1)",
        "INSERT INTO shifts VALUES ('a', 'One', '2026-12-01', NULL, 1)",
    ]
    found = []
    for order in (rows, rows[::-1]):
        database("DELETE FROM shifts", *order)
        snapshot = await opened(tmp_path).read(CONTEXT)
        found.append([entry.details.title for entry in snapshot.entries])
        assert [problem.kind for problem in snapshot.problems] == ["rejected"]
        assert "query:a (2)" in snapshot.problems[0].where
    assert found[0] == found[1]


async def test_rows_without_a_uid_are_named_by_their_number(tmp_path: Path, database: Callable[..., None]) -> None:
    database("INSERT INTO shifts VALUES (1, 'B', '2026-12-02', NULL, 1), (2, 'A', 'nonsense', NULL, 1)")
    snapshot = await opened(tmp_path, columns={"title": "title", "start": "starts"}).read(CONTEXT)
    assert [entry.where for entry in snapshot.entries] == ["query:1"]
    assert [problem.where for problem in snapshot.problems] == ["query:2"]


async def test_nothing_and_an_empty_text_are_the_same_and_other_columns_are_there_for_templates(
    tmp_path: Path, database: Callable[..., None]
) -> None:
    database("INSERT INTO shifts VALUES (1, 'A', '2026-12-02', NULL, '12 '), (2, 'B', '2026-12-02', '', NULL)")
    found = by_uid(await opened(tmp_path).read(CONTEXT))
    assert found["1"].span == found["2"].span == AllDay(first=date(2026, 12, 2), end=date(2026, 12, 3))
    assert dict(found["1"].details.columns)["room"] == "12"
    assert dict(found["2"].details.columns)["room"] == ""


async def test_the_days_of_the_window_stand_in_the_query(tmp_path: Path, database: Callable[..., None]) -> None:
    database("INSERT INTO shifts VALUES (1, ':first', '2026-12-02', NULL, 1), (2, 'B', '2027-12-02', NULL, 1)")
    source = opened(
        tmp_path, "SELECT * FROM shifts WHERE starts >= :first AND date(starts) <= :last OR title = ':last'"
    )
    window = Window(first=date(2026, 12, 1), last=date(2026, 12, 31))
    assert set(by_uid(await source.read(replace(CONTEXT, window=window)))) == {"1"}
    assert set(by_uid(await source.read(CONTEXT))) == {"1", "2"}


async def test_the_query_may_stand_in_a_file(tmp_path: Path, database: Callable[..., None]) -> None:
    database("INSERT INTO shifts VALUES (1, 'A', '2026-12-02', NULL, 1)")
    (tmp_path / "shifts.sql").write_text("-- смены\nSELECT * FROM shifts;\n", encoding="utf-8-sig")
    source = opened(tmp_path, None, query_file="shifts.sql")
    assert set(by_uid(await source.read(CONTEXT))) == {"1"}


async def test_two_columns_of_one_name_are_refused(tmp_path: Path, database: Callable[..., None]) -> None:
    source = opened(tmp_path, "SELECT id, title, starts, ends, room AS id FROM shifts")
    with pytest.raises(SourceError, match=r"columns 1 and 5 of the query are both called 'id' .*AS"):
        await source.read(CONTEXT)


async def test_a_column_that_is_missing_is_told_with_the_nearest(tmp_path: Path, database: Callable[..., None]) -> None:
    with pytest.raises(SourceError, match=r"sqlite shifts.db: no column 'Title1' for title \(did you mean 'title'"):
        await opened(tmp_path, columns={**COLUMNS, "title": "Title1"}).read(CONTEXT)


async def test_a_query_that_never_ends_is_broken_off(tmp_path: Path, database: Callable[..., None]) -> None:
    source = opened(tmp_path, ENDLESS, timeout="1s")
    with pytest.raises(SourceError, match=r"gave nothing within 1 s.*raise timeout"):
        await source.read(CONTEXT)
    # The driver heeds it, so the next reading is not held up.
    database("INSERT INTO shifts VALUES (1, 'A', '2026-12-02', NULL, 1)")
    assert isinstance(source, Fetching)
    source._query = "SELECT * FROM shifts"  # type: ignore[attr-defined]
    assert set(by_uid(await source.read(CONTEXT))) == {"1"}


async def test_a_reading_that_is_cancelled_ends_its_query(tmp_path: Path, database: Callable[..., None]) -> None:
    source = opened(tmp_path, ENDLESS)
    reading = asyncio.ensure_future(source.read(CONTEXT))
    await asyncio.sleep(0.2)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await source._reading.over()  # type: ignore[attr-defined]


async def test_a_reading_that_is_broken_off_while_it_connects_asks_nothing(
    tmp_path: Path, database: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = opened(tmp_path, timeout="1s")
    slow, asked = threading.Event(), threading.Event()

    def connects_slowly(*_: object) -> None:
        slow.wait(10)

    monkeypatch.setattr(query_reading, "prepare", connects_slowly)
    monkeypatch.setattr(query_reading.QueryReading, "_fetch", lambda *_: asked.set())
    with pytest.raises(SourceError, match="gave nothing within 1 s"):
        await source.read(CONTEXT)
    slow.set()
    assert await source._reading.over()  # type: ignore[attr-defined]
    assert not asked.is_set()


async def test_a_reading_for_which_no_thread_may_begin_is_memory_that_is_missing_and_the_next_one_is_whole(
    tmp_path: Path, database: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    database("INSERT INTO shifts VALUES (1, 'A', '2026-12-02', NULL, 1)")
    source = opened(tmp_path)
    with monkeypatch.context() as none:
        allow_threads(none, 0)
        with pytest.raises(MemoryError):
            await source.read(CONTEXT)
    assert set(by_uid(await source.read(CONTEXT))) == {"1"}


async def test_a_reading_that_takes_too_long_is_given_up_even_where_no_thread_may_begin(
    tmp_path: Path, database: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = opened(tmp_path, timeout="1s")
    asked, answered = threading.Event(), threading.Event()

    def connects_slowly(*_: object) -> None:
        asked.set()
        answered.wait(10)

    monkeypatch.setattr(query_reading, "prepare", connects_slowly)
    reading = asyncio.create_task(source.read(CONTEXT))
    assert await asyncio.to_thread(asked.wait, 10)
    with monkeypatch.context() as none:
        allow_threads(none, 0)
        with pytest.raises(SourceError, match="gave nothing within 1 s"):
            await reading
    answered.set()
    assert await source._reading.over()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("limit", "says"), [({"max_rows": 2}, "more than 2 rows"), ({"max_bytes": 250}, "more than 250 bytes")]
)
async def test_more_than_the_limits_allow_is_refused_with_the_remedy(
    tmp_path: Path, database: Callable[..., None], limit: dict[str, object], says: str
) -> None:
    database(*(f"INSERT INTO shifts VALUES ({n}, 'A', '2026-12-02', NULL, 1)" for n in range(3)))
    with pytest.raises(SourceError, match=f"{says} .*{next(iter(limit))}"):
        await opened(tmp_path, "SELECT * FROM shifts", **limit).read(CONTEXT)


async def test_a_text_that_is_no_utf8_rejects_its_row_alone(tmp_path: Path, database: Callable[..., None]) -> None:
    database(
        "INSERT INTO shifts VALUES (1, CAST(x'cff0e8' AS TEXT), '2026-12-02', NULL, 1)",
        "INSERT INTO shifts VALUES (2, 'B', '2026-12-02', NULL, 1)",
    )
    snapshot = await opened(tmp_path).read(CONTEXT)
    assert set(by_uid(snapshot)) == {"2"}
    assert snapshot.rejected_uids == {"1"}


@pytest.mark.parametrize("form", ["{}", "file:{}", "file:{}?mode=rwc", "file:{}?uri=true"])
async def test_a_file_that_is_not_there_is_an_error_and_is_not_made(tmp_path: Path, form: str) -> None:
    url = f"sqlite:///{form.format(tmp_path / 'shifts.db')}"
    with pytest.raises(SourceError, match=r"sqlite( shifts.db)? cannot be reached, or refuses: unable to open"):
        await opened(tmp_path, url=url).read(CONTEXT)
    assert not (tmp_path / "shifts.db").exists()


async def test_what_a_function_of_the_query_would_write_is_refused(
    tmp_path: Path, database: Callable[..., None]
) -> None:
    """The lock behind the first: the file is opened for reading."""
    source = opened(tmp_path)
    source._query = "DELETE FROM shifts"  # type: ignore[attr-defined]
    database("INSERT INTO shifts VALUES (1, 'A', '2026-12-02', NULL, 1)")
    with pytest.raises(SourceError, match="the query writes, and syncd only reads"):
        await source.read(CONTEXT)
    assert set(by_uid(await opened(tmp_path).read(CONTEXT))) == {"1"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"query": None}, "missing key 'query'"),
        ({"query_file": "x.sql"}, "query and query_file exclude each other"),
        ({"query": None, "query_file": "none.sql"}, "query_file none.sql cannot be read: No such file"),
        ({"query": "DROP TABLE shifts"}, "query begins with 'DROP', and syncd only reads"),
        ({"columns": {}}, "missing key 'columns'"),
        ({"columns": {"title": "a"}}, "no column for start or date"),
        ({"url": None}, "missing key 'url'"),
        ({"url": "s3cret"}, "url is not the address of a database"),
        ({"url": "sqlite://"}, "url names no file of SQLite"),
        ({"url": "nosuch://me:s3cret@h/d"}, "SQLAlchemy knows no database 'nosuch'"),
        ({"url": "mssql://me:s3cret@h/d"}, "the driver of mssql is not installed .*pip install pyodbc"),
        ({"url": "sqlite+aiosqlite:///s3cret.db"}, "driver"),
        ({"url_env": "SYNCD_NOT_SET", "url": None}, "url_env names an environment variable that is not set"),
        ({"url_file": "x"}, "url is given more than once"),
        ({"timeout": "0s"}, "timeout"),
        ({"max_rows": 0}, "max_rows = 0 lets nothing through"),
        ({"default_duration": "x"}, "default_duration"),
        ({"shema": "x"}, "unknown key 'shema'"),
    ],
)
def test_options_that_cannot_be_used_are_named_without_the_address(
    tmp_path: Path, options: dict[str, object], says: str
) -> None:
    given = {key: value for key, value in {"query": "SELECT 1", **options}.items() if value is not None}
    if "url" in options and options["url"] is None:
        given.update({"url": None})
    with pytest.raises(ConfigError, match=f"^here: .*{says}") as caught:
        whole = {"type": "sql", "url": "sqlite:///s3cret.db", "columns": COLUMNS, **given}
        open_source({key: value for key, value in whole.items() if value is not None}, tmp_path, where="here")
    assert "s3cret" not in str(caught.value)


def test_a_password_in_the_query_of_an_address_is_a_secret_however_short(tmp_path: Path) -> None:
    address = "postgresql://h/d?password=s3cret&sslmode=require&odbc_connect=DRIVER%3Dx%3BPWD%3Dpw%3BEncrypt%3Dyes"
    found = open_database(address, None, None, base=tmp_path, isolation=None, where="here").secrets
    assert {"s3cret", "pw"} < {*found}
    assert not {"require", "yes", ""} & {*found}


def test_the_address_has_the_four_forms_of_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("address", "credential"):
        (tmp_path / name).write_text("sqlite:///deep/shifts.db\n")
    monkeypatch.setenv("ADDRESS", "sqlite:///deep/shifts.db")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    for key, value in (("url_file", "address"), ("url_env", "ADDRESS"), ("url_credential", "credential")):
        options = {"type": "sql", key: value, "query": "SELECT 1", "columns": COLUMNS}
        assert open_source(options, tmp_path, where="here").describe() == "sql sqlite shifts.db"


def test_a_file_is_watched_with_the_log_of_its_changes(tmp_path: Path, database: Callable[..., None]) -> None:
    source = opened(tmp_path)
    assert isinstance(source, FileBacked)
    assert (source.files(), source.folder()) == ((tmp_path / "shifts.db",), (tmp_path, False))
    with contextlib.closing(sqlite3.connect(tmp_path / "shifts.db")) as writing:
        writing.execute("PRAGMA journal_mode = WAL")
        writing.execute("INSERT INTO shifts VALUES (1, 'A', '2026-12-02', NULL, 1)")
        writing.commit()
        assert source.files() == (tmp_path / "shifts.db", tmp_path / "shifts.db-wal")
        assert set(by_uid(asyncio.run(source.read(CONTEXT)))) == {"1"}
    assert not isinstance(opened(tmp_path, url="postgresql://h/d"), FileBacked)


def test_a_timed_row_is_in_the_zone_of_the_sync(tmp_path: Path, database: Callable[..., None]) -> None:
    database("INSERT INTO shifts VALUES (1, 'A', '2026-12-02 22:00', '2026-12-03 06:00', 1)")
    (entry,) = asyncio.run(opened(tmp_path).read(CONTEXT)).entries
    assert isinstance(entry.span, Timed)
    assert entry.span.zone == "Europe/Moscow"
