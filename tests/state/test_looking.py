"""`syncd check` says of the database what an administrator has to know before anything depends on it."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from syncd.app.check_database import Finding, database_findings, findings
from syncd.clock import SystemClock
from syncd.config.database import Database, database_at
from syncd.config.secrets import Secret
from syncd.state.ledger import Ledger
from syncd.state.postgres.looking import ServerFacts, look_at
from tests.support.postgres import free_port

AT = database_at(Secret("postgresql://syncd:hush@db.example/syncd"))
SOUND = ServerFacts(
    version="17.2", user="syncd", tls=True, local=False, pooled=False, read_only=False, fsync=True, full_pages=True,
    synchronous_commit="on", standbys=0, synchronous=0, ahead_s=0.1, tables=True, may_make=True, lacking=(),
)  # fmt: skip


def problems(facts: ServerFacts) -> list[Finding]:
    return [one for one in findings(AT, facts) if not one.ok]


def test_a_sound_server_is_named_with_its_version_and_tls() -> None:
    (found,) = findings(AT, SOUND)
    assert (found.ok, found.detail) == (True, "postgresql://db.example/syncd: PostgreSQL 17.2 with TLS")


@pytest.mark.parametrize(
    ("facts", "said", "remedy"),
    [
        (replace(SOUND, tls=False), "not encrypted", "sslmode=verify-full"),
        (replace(SOUND, ahead_s=-31.0), "31 s behind this machine", "time servers"),
        (replace(SOUND, ahead_s=3.0), "3 s ahead of", "time servers"),
        (replace(SOUND, fsync=False), "fsync is off", "fsync = on"),
        (replace(SOUND, full_pages=False), "full_page_writes is off", "full_page_writes = on"),
        (replace(SOUND, standbys=2), "do not wait for a standby (2 seen", "synchronous_standby_names"),
        (replace(SOUND, standbys=1, synchronous=1, synchronous_commit="local"), "commits do not wait", "= on"),
        (replace(SOUND, read_only=True), "is a standby", "target_session_attrs"),
        (replace(SOUND, tables=False, may_make=False), "may make no tables", "CREATE SCHEMA syncd AUTHORIZATION syncd"),
        (replace(SOUND, lacking=("links", "notes")), "may not read and write links, notes", "one user"),
    ],
)
def test_what_is_not_as_it_should_be_is_told_with_the_remedy(facts: ServerFacts, said: str, remedy: str) -> None:
    (found,) = problems(facts)
    assert said in found.detail
    assert remedy in found.remedy


def test_what_is_as_it_may_be_is_no_problem() -> None:
    for facts in (
        replace(SOUND, tls=False, local=True),
        replace(SOUND, standbys=2, synchronous=1),
        replace(SOUND, pooled=True),
        replace(SOUND, tables=False),
        replace(SOUND, synchronous_commit="off"),  # each transaction switches it on
    ):
        assert problems(facts) == []
    assert "through a pooler" in next(iter(findings(AT, replace(SOUND, pooled=True)))).detail


async def test_a_real_server_is_asked(database: Database) -> None:
    before = look_at(database, SystemClock())
    assert (before.tables, before.may_make, before.local, before.pooled, before.read_only) == (
        False, True, True, False, False
    )  # fmt: skip
    assert abs(before.ahead_s) < 2
    await (await Ledger.open(database, now=1.0)).close()
    with psycopg.connect(database.url.reveal(), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'guest'").fetchone() is None:
            connection.execute("CREATE ROLE guest LOGIN")
        connection.execute(f'GRANT USAGE ON SCHEMA "{database.schema}" TO guest'.encode())
        connection.execute(f'GRANT SELECT ON "{database.schema}".state TO guest'.encode())
    address = database.url.reveal().rpartition("@")[2]
    guest = look_at(database_at(Secret(f"postgresql://guest@{address}"), database.schema), SystemClock())
    assert (guest.user, guest.tables, guest.may_make) == ("guest", True, False)
    assert {"links", "intents", "state"} <= set(guest.lacking)


async def test_a_server_that_cannot_be_reached_is_a_problem_with_its_exit_code() -> None:
    nowhere = database_at(Secret(f"postgresql://syncd:hush@127.0.0.1:{free_port()}/syncd"))
    (found,) = await database_findings(nowhere, SystemClock())
    assert (found.ok, found.exit_code) == (False, 3)
    assert "hush" not in found.detail + found.remedy
