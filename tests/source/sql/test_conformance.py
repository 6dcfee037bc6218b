"""A query keeps what every source has to keep, in a file of SQLite and in PostgreSQL."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import psycopg
import pytest

from syncd.source import Source, open_source
from syncd.source.conformance import SourceConformance
from tests.source.sql.postgres import PASSWORD

COLUMNS = {"uid": "id", "title": "title", "start": "starts", "end": "ends"}
TABLE = "CREATE TABLE shifts (id text, title text, starts {kind}, ends {kind})"
ROW = "INSERT INTO shifts VALUES ('{uid}', 'Shift {uid}', '{day} 09:00', '{day} 10:00')"


class TestSqlite(SourceConformance):
    secret = "/tmp/"

    def source(self, folder: Path) -> Source:
        options = {"type": "sql", "url": "sqlite:///shifts.db", "query": "SELECT * FROM shifts", "columns": COLUMNS}
        return open_source(options, folder, where="test")

    def write(self, folder: Path, *statements: str) -> None:
        database = sqlite3.connect(folder / "shifts.db")
        database.executescript(";".join(["DROP TABLE IF EXISTS shifts", TABLE.format(kind="text"), *statements]))
        database.close()

    def put(self, folder: Path, *uids: str) -> None:
        self.write(folder, *(ROW.format(uid=uid, day="2026-12-01") for uid in uids))

    def put_broken(self, folder: Path, good: str, bad: str) -> None:
        self.write(folder, ROW.format(uid=good, day="2026-12-01"), ROW.format(uid=bad, day="2026-02-31"))

    def cut_short(self, folder: Path) -> None:
        file = folder / "shifts.db"
        file.write_bytes(file.read_bytes()[:-4096])

    def remove(self, folder: Path) -> None:
        (folder / "shifts.db").unlink()


class TestPostgres(SourceConformance):
    secret = PASSWORD
    address: str

    @pytest.fixture(autouse=True)
    def server(self, postgres: str) -> None:
        self.address = postgres

    def source(self, folder: Path) -> Source:
        options = {"type": "sql", "url": self.address, "query": "SELECT * FROM shifts", "columns": COLUMNS}
        return open_source(options, folder, where="test")

    def put(self, folder: Path, *uids: str) -> None:
        with psycopg.connect(self.address, autocommit=True) as database:
            database.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            database.execute(TABLE.format(kind="timestamp").encode())
            for uid in uids:
                database.execute(ROW.format(uid=uid, day="2026-12-01").encode())

    def cut_short(self, folder: Path) -> None:
        """Let the view fail at its second row."""
        with psycopg.connect(self.address, autocommit=True) as database:
            database.execute("DROP TABLE shifts")
            database.execute(
                "CREATE VIEW shifts AS SELECT n::text AS id, 'Shift' AS title, "
                "timestamp '2026-12-01 09:00' + make_interval(secs => 1 / (2 - n)) AS starts, "
                "timestamp '2026-12-01 10:00' AS ends FROM generate_series(1, 2) AS n"
            )

    def remove(self, folder: Path) -> None:
        with psycopg.connect(self.address, autocommit=True) as database:
            database.execute("DROP TABLE shifts")
