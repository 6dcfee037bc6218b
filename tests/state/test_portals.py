"""One portal, one name: configs that share a database cannot work with a portal under two, nor with two under one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from syncd.app.authorising import ledger_tokens
from syncd.app.configured import claim as claim_all
from syncd.app.configured import read_config
from syncd.clock import SystemClock
from syncd.config.database import Database
from syncd.errors import ConfigError
from syncd.portal.oauth.grants import Authorisation, Chain
from syncd.state.base import PortalClaim
from syncd.state.ledger import Ledger
from syncd.state.postgres.store import PostgresStore

ONE, OTHER = Path("/etc/syncd/one.toml"), Path("/etc/syncd/other.toml")
A, B = "a.example", "b.example"
CONFIG = """[portals.{name}.app]
address = "https://{host}"
client_id = "local.1"
client_secret = "s3cret"
{key}
[[sync]]
name = "{name}"
portal = "{name}"
[sync.source]
type = "ics"
url = "https://feed.example/shifts.ics"
[sync.target]
owner = "{{owner}}"
"""


@pytest.fixture
async def store(database: Database) -> AsyncIterator[PostgresStore]:
    ledger = await Ledger.open(database, now=1.0)
    assert isinstance(ledger.thread, PostgresStore)
    yield ledger.thread
    await ledger.close()


async def claim(store: PostgresStore, config: Path, name: str, origin: str, member_id: str | None = None) -> None:
    claims = [PortalClaim(name=name, origin=origin, member_id=member_id)]
    await store.claim_portals(claims, config, "machine")


async def changed(store: PostgresStore, sql: str) -> None:
    await store.do(lambda: store.connection.execute(sql), writes=True)


async def test_configs_that_agree_on_a_name_share_the_portal(store: PostgresStore) -> None:
    for config in (ONE, OTHER, ONE):
        await claim(store, config, "main", A)


async def test_one_portal_under_two_names_is_refused_and_the_other_config_is_named(store: PostgresStore) -> None:
    await claim(store, ONE, "main", A)
    with pytest.raises(ConfigError, match=r"other.toml: the portal 'crm' at a.example is known .* as 'main', from"):
        await claim(store, OTHER, "crm", A)
    await claim(store, OTHER, "main", A)


async def test_one_portal_under_two_names_is_known_by_its_number_after_it_was_renamed(store: PostgresStore) -> None:
    await claim(store, ONE, "main", A, "0815")
    with pytest.raises(ConfigError, match="is known in this database as 'main'"):
        await claim(store, OTHER, "crm", B, "0815")
    await claim(store, OTHER, "main", B, "0815")


async def test_one_name_for_two_portals_is_refused(store: PostgresStore) -> None:
    await claim(store, ONE, "main", A)
    with pytest.raises(ConfigError, match=r"'main' goes to b.example, but .* belongs to a.example"):
        await claim(store, OTHER, "main", B)


async def test_a_config_may_rename_its_portal_unless_somebody_works_with_it_now(store: PostgresStore) -> None:
    await claim(store, ONE, "main", A)
    await claim(store, ONE, "crm", A)
    lease = "INSERT INTO leases VALUES ('crm', 'h', 1, clock_timestamp() + interval '1 minute')"
    await changed(store, lease)
    for name, origin in (("main", A), ("crm", B)):
        with pytest.raises(ConfigError, match="in this database"):
            await claim(store, ONE, name, origin)


async def test_a_name_that_nobody_uses_any_more_is_free_again(store: PostgresStore) -> None:
    await claim(store, ONE, "main", A)
    await changed(store, "UPDATE portals SET seen = seen - interval '25 hours'")
    await claim(store, OTHER, "crm", A)
    with pytest.raises(ConfigError, match="is known in this database as 'crm'"):
        await claim(store, ONE, "main", A)


@pytest.mark.parametrize("key", ["", "0123456789abcdef0123456789abcdef"])
async def test_the_number_of_a_portal_is_what_its_application_was_authorised_with(
    database: Database, tmp_path: Path, key: str
) -> None:
    kept = Authorisation(
        client_id="local.1", member_id="0815", home=f"https://{A}", endpoint=f"https://{A}/rest/",
        chain=Chain(access_token="access", refresh_token="refresh", since=1.0),
    )  # fmt: skip
    ledger = await Ledger.open(database, now=1.0)
    try:
        for name, host in (("main", A), ("crm", B)):
            path = tmp_path / f"{name}.toml"
            path.write_text(CONFIG.format(name=name, host=host, key=f'token_key = "{key}"' if key else ""))
            config = read_config(path, {"HOME": str(tmp_path)})
            (portal,) = config.portals
            assert portal.app is not None
            tokens = ledger_tokens(portal, portal.app, ledger, SystemClock())
            async with tokens.held():
                await tokens.store(kept)
            if name == "main":
                await claim_all(config, ledger, SystemClock())
                continue
            with pytest.raises(ConfigError, match=r"'crm' at b.example is known in this database as 'main'"):
                await claim_all(config, ledger, SystemClock())
    finally:
        await ledger.close()
