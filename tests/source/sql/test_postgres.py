"""What PostgreSQL types, isolates, refuses and breaks off."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import psycopg
import pytest

from syncd.errors import SourceError
from syncd.model.entry import AllDay, Entry, Timed
from syncd.source import Source, open_source
from syncd.source.conformance import CONTEXT
from syncd.source.sql.sql_guess import guess_table_of
from tests.source.sql.postgres import PASSWORD

COLUMNS = {"uid": "id", "title": "title", "start": "starts", "end": "ends"}


@pytest.fixture(autouse=True)
def empty(postgres: str) -> None:
    execute(postgres, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")


def execute(address: str, *statements: str) -> None:
    with psycopg.connect(address, autocommit=True) as database:
        for statement in statements:
            database.execute(statement.encode())


def opened(address: str, query: str, **options: object) -> Source:
    return open_source(
        {"type": "sql", "url": address, "query": query, "columns": COLUMNS, **options}, Path(), where="x"
    )


async def one(address: str, query: str, **options: object) -> Entry:
    snapshot = await opened(address, query, **options).read(CONTEXT)
    assert [problem.reason for problem in snapshot.problems] == []
    (entry,) = snapshot.entries
    return entry


async def test_a_time_with_a_zone_stays_its_moment_and_one_without_is_of_the_sync(postgres: str) -> None:
    with_zone = await one(
        postgres,
        "SELECT 1 AS id, 'A' AS title, timestamptz '2026-12-01 09:00+00' AS starts, NULL AS ends",
    )
    without = await one(postgres, "SELECT 1 AS id, 'A' AS title, timestamp '2026-12-01 09:00' AS starts, NULL AS ends")
    assert isinstance(with_zone.span, Timed)
    assert isinstance(without.span, Timed)
    assert with_zone.span.start.isoformat() == "2026-12-01T12:00:00"
    assert without.span.start.isoformat() == "2026-12-01T09:00:00"
    assert with_zone.span.zone == without.span.zone == "Europe/Moscow"


async def test_a_date_without_a_time_is_a_whole_day(postgres: str) -> None:
    entry = await one(postgres, "SELECT 1 AS id, 'A' AS title, date '2026-12-01' AS starts, date '2026-12-03' AS ends")
    assert entry.span == AllDay(first=date(2026, 12, 1), end=date(2026, 12, 4))


async def test_padding_decimals_intervals_and_arrays_are_read_as_in_a_table(postgres: str) -> None:
    columns = {"uid": "id", "title": "title", "date": "day", "start_time": "at", "duration": "lasts"}
    columns |= {"owner": "person", "attendees": "guests"}
    entry = await one(
        postgres,
        "SELECT 'E1'::char(9) AS id, 'A'::char(20) AS title, date '2026-12-01' AS day, time '09:30' AS at, "
        "interval '90 minutes' AS lasts, 7.00::numeric(9,2) AS person, array['a@x.example', 'b@x.example'] AS guests, "
        "12.50::numeric AS price",
        columns=columns,
    )
    assert (entry.uid, entry.details.title, entry.details.owner) == ("E1", "A", "7")
    assert isinstance(entry.span, Timed)
    assert (entry.span.start.isoformat(), entry.span.end.isoformat()) == ("2026-12-01T09:30:00", "2026-12-01T11:00:00")
    assert entry.details.attendees == ("a@x.example", "b@x.example")
    assert dict(entry.details.columns)["price"] == "12.50"


async def test_a_function_that_writes_is_refused_by_the_transaction(postgres: str) -> None:
    execute(
        postgres,
        "CREATE TABLE seen (n int)",
        "CREATE FUNCTION spy() RETURNS int LANGUAGE sql AS 'INSERT INTO seen VALUES (1) RETURNING n'",
    )
    with pytest.raises(SourceError, match="the query writes, and syncd only reads: cannot execute INSERT"):
        await opened(postgres, "SELECT spy() AS id, 'A' AS title, date '2026-12-01' AS starts, NULL AS ends").read(
            CONTEXT
        )
    with psycopg.connect(postgres) as database:
        assert database.execute("SELECT count(*) FROM seen").fetchall() == [(0,)]


async def test_all_rows_are_of_one_moment(postgres: str) -> None:
    level = "SELECT current_setting('transaction_isolation') AS id, current_setting('transaction_read_only') AS title, date '2026-12-01' AS starts, NULL AS ends"  # noqa: E501
    entry = await one(postgres, level)
    assert (entry.uid, entry.details.title) == ("repeatable read", "on")
    assert (await one(postgres, level, isolation="SERIALIZABLE")).uid == "serializable"


async def test_a_level_that_there_is_not_is_told(postgres: str) -> None:
    with pytest.raises(SourceError, match="'LOOSE'"):
        await opened(postgres, "SELECT 1", isolation="LOOSE").read(CONTEXT)


async def test_a_view_that_takes_too_long_is_an_error(postgres: str) -> None:
    execute(
        postgres,
        "CREATE VIEW slow AS SELECT 1 AS id, 'A' AS title, date '2026-12-01' AS starts, pg_sleep(9)::text AS ends",
    )
    with pytest.raises(SourceError, match=r"postgresql gave nothing within 1 s"):
        await opened(postgres, "SELECT * FROM slow", timeout="1s").read(CONTEXT)


async def test_a_view_that_fails_in_the_middle_is_an_error_and_no_short_snapshot(postgres: str) -> None:
    query = "SELECT n AS id, 'A' AS title, date '2026-12-01' + 1 / (9000 - n) AS starts, NULL AS ends FROM generate_series(1, 9000) n"  # noqa: E501
    with pytest.raises(SourceError, match="the query failed: division by zero"):
        await opened(postgres, query).read(CONTEXT)


async def test_a_wrong_password_is_told_without_any(postgres: str) -> None:
    for options in ({"password": "wr0ng-one"}, {"url": postgres.replace("s3cret%3Ap%40ss", "wr0ng-one")}):
        source = open_source(
            {"type": "sql", "url": postgres, "query": "SELECT 1", "columns": COLUMNS, **options}, Path(), where="x"
        )
        with pytest.raises(SourceError, match=r"cannot be reached, or refuses: .*password authentication") as caught:
            await source.read(CONTEXT)
        assert "wr0ng-one" not in str(caught.value)
        assert PASSWORD not in f"{caught.value} {source.describe()}"


async def test_user_name_and_password_may_stand_beside_the_address(postgres: str) -> None:
    bare = postgres.replace("reader:s3cret%3Ap%40ss@", "")
    found = await one(
        bare, "SELECT 1 AS id, current_user AS title, date '2026-12-01' AS starts, NULL AS ends",
        username="reader", password=PASSWORD,
    )  # fmt: skip
    assert found.details.title == "reader"


async def test_what_the_account_may_not_read_is_told_with_the_remedy(postgres: str) -> None:
    with pytest.raises(SourceError, match=r"permission denied for table pg_authid \(let this account read it"):
        await opened(postgres, "SELECT * FROM pg_authid").read(CONTEXT)


async def test_a_mistake_in_the_query_is_told_in_one_line(postgres: str) -> None:
    with pytest.raises(
        SourceError, match=r'the query failed: relation "none" does not exist \(correct query'
    ) as caught:
        await opened(postgres, "SELECT * FROM none").read(CONTEXT)
    assert "\n" not in str(caught.value)


async def test_the_plain_name_that_hosting_services_write_is_known_too(postgres: str) -> None:
    address = postgres.replace("postgresql://", "postgres://")
    await one(address, "SELECT 1 AS id, 'A' AS title, date '2026-12-01' AS starts, NULL AS ends")


async def test_init_finds_the_table_of_a_schedule_among_those_that_the_account_may_read(postgres: str) -> None:
    execute(
        postgres,
        "CREATE TABLE people (id int, name text)",
        'CREATE TABLE "Смены" (id int, title text, "Начало" timestamp, "Конец" timestamp)',
        "INSERT INTO \"Смены\" VALUES (1, 'A', '2026-12-01 09:00', '2026-12-01 10:00')",
        "CREATE VIEW broken AS SELECT 1 AS id, 'A' AS title, date '2026-12-01' AS start, 1 / 0 AS n",
    )
    found = guess_table_of(postgres)
    assert found.query == 'SELECT * FROM "Смены"'
    assert found.rows == [["1", "A", "2026-12-01 09:00:00", "2026-12-01 10:00:00"]]
    execute(postgres, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    with pytest.raises(SourceError, match="holds no table that this account may see"):
        guess_table_of(postgres)
