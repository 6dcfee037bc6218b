"""The part of `syncd check` about the database that holds the state."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from syncd.clock import Clock
from syncd.config.database import Database
from syncd.errors import SyncdError
from syncd.lang.saying import joined, say
from syncd.state.ledger import postgres

if TYPE_CHECKING:
    from syncd.state.postgres.looking import ServerFacts

_LARGEST_SKEW_S: Final = 2.0
"""Leases and waits use the server's clock alone, but runs and notes have the machine's time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found: whether it is as it should be, what it is, and what to do if it is not."""

    ok: bool
    detail: str
    remedy: str = ""
    exit_code: int | None = None


async def database_findings(database: Database, clock: Clock) -> tuple[Finding, ...]:
    """Return the findings about `database`; the server is asked over a connection of its own."""
    try:
        facts = await asyncio.to_thread(postgres("looking").look_at, database, clock)
    except SyncdError as error:
        return (Finding(ok=False, detail=error.message, remedy=error.remedy, exit_code=error.exit_code),)
    return tuple(findings(database, facts))


def findings(database: Database, facts: ServerFacts) -> Iterator[Finding]:
    """Yield the findings about a server: first what it is, then each thing that is not as it should be."""
    place = say("on this machine") if facts.local else say("with TLS") if facts.tls else say("without TLS")
    server = say(
        "{database}: PostgreSQL {version} {place}", database=database.shown, version=facts.version, place=place
    )
    pooled = say("through a pooler, so a lease that is let go is noticed within seconds, not at once")
    yield Finding(
        ok=True,
        detail=joined(
            [
                server,
                *([] if facts.tables else [say("its tables will be made")]),
                *([pooled] if facts.pooled else []),
            ]
        ),
    )
    yield from _rights(database, facts)
    yield from _durability(facts)
    if not facts.tls and not facts.local:
        yield Finding(
            ok=False,
            detail=say("the way to the database is not encrypted: titles, guests and perhaps the password can be read"),
            remedy=say("switch TLS on at the server, and write sslmode=verify-full into state_url"),
        )
    if abs(facts.ahead_s) > _LARGEST_SKEW_S:
        seconds = abs(facts.ahead_s)
        yield Finding(
            ok=False,
            detail=say("the server's clock is {seconds:.0f} s ahead of this machine's", seconds=seconds)
            if facts.ahead_s > 0
            else say("the server's clock is {seconds:.0f} s behind this machine's", seconds=seconds),
            remedy=say("let both follow the same time servers; leases go by the server's clock alone"),
        )


def _rights(database: Database, facts: ServerFacts) -> Iterator[Finding]:
    if facts.read_only:
        yield Finding(
            ok=False,
            detail=say("the server is a standby, which takes no writes"),
            remedy=say("name the primary; several hosts and target_session_attrs=read-write find it by themselves"),
        )
    elif not facts.tables and not facts.may_make:
        yield Finding(
            ok=False,
            detail=say("{user} may make no tables in the schema {schema}", user=facts.user, schema=database.schema),
            remedy=f"CREATE SCHEMA {database.schema} AUTHORIZATION {facts.user}",
        )
    elif facts.lacking:
        yield Finding(
            ok=False,
            detail=say(
                "{user} may not read and write {tables} in the schema {schema}",
                user=facts.user,
                tables=tuple(facts.lacking),
                schema=database.schema,
            ),
            remedy=say(
                "all machines are to use one user, or let this one be a member of the role that owns the tables"
            ),
        )


def _durability(facts: ServerFacts) -> Iterator[Finding]:
    if not facts.fsync or not facts.full_pages:
        off = "fsync" if not facts.fsync else "full_page_writes"
        yield Finding(
            ok=False,
            detail=say(
                "{setting} is off at the server: a power cut there can damage the state, or lose what was told as kept",
                setting=off,
            ),
            remedy=say("set {setting} = on in postgresql.conf", setting=off),
        )
    if facts.standbys and not (facts.synchronous and facts.synchronous_commit in ("on", "remote_apply")):
        yield Finding(
            ok=False,
            detail=say(
                "commits do not wait for a standby ({standbys} seen, synchronous_commit ="
                " {synchronous_commit}): if one takes over, the last of them can be lost",
                standbys=facts.standbys,
                synchronous_commit=facts.synchronous_commit,
            ),
            remedy=say(
                "set synchronous_standby_names and synchronous_commit = on; otherwise every portal is read after a"
                " failover before anything is created"
            ),
        )
