"""`syncd portal authorize` beside the daemon and alone: a code becomes tokens, and no token is seen anywhere."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from syncd.clock import SystemClock
from syncd.config.database import Database
from syncd.model.lease import LeaseTerms
from syncd.sandbox.http_server import RunningSandbox
from syncd.sandbox.seed.language_school import CLIENT_ID, CLIENT_SECRET
from syncd.state.ledger import Ledger
from tests.service.test_beside import QUIET, Beside, written
from tests.support.sandbox import WEBHOOK

pytestmark = pytest.mark.usefixtures("measured_programs")
PATIENCE_S = 60


class ByApplication(Beside):
    """A daemon whose portal is called by an application that nobody has authorised yet."""

    def __init__(self, folder: Path, portal: RunningSandbox) -> None:
        super().__init__(folder, portal)
        webhook = self.text.partition("[portals.main]\n")[2].partition("\n")[0]
        app = f'app = {{ address = "{portal.url}", client_id = "{CLIENT_ID}", client_secret_file = "app.secret" }}'
        self.text = self.text.replace(webhook, app)
        self.config.write_text(self.text)
        (folder / "app.secret").write_text(CLIENT_SECRET)
        self.portal = portal

    def shown(self, link: str, now: float) -> str:
        """Return the address that the administrator's browser shows after the link was opened."""
        state = parse_qs(urlsplit(link).query)["state"][0]
        place = self.portal.world.authority.consent(CLIENT_ID, 1, now, state=state)
        assert place is not None
        return place

    async def authorized(
        self, *words: str, late_first: bool = False, mistyped: str = "", spare: bool = True
    ) -> tuple[int, str, str]:
        """Type what a person would, `mistyped` before anything else; return exit code and what was printed."""
        process = await self.started("portal", "authorize", *(words or ("main",)))
        assert process.stdout is not None and process.stdin is not None
        out, links = "", 0
        while line := (await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)).decode():
            out += line
            if not line.startswith("http"):
                continue
            links += 1
            now = SystemClock().now()
            address = self.shown(line.strip(), now - 60 if late_first and links == 1 else now)
            last = links == (3 if late_first or mistyped else 2)
            if mistyped and links == 1:
                address = mistyped
            process.stdin.write(b"\n" if last and not spare else f"{address}\n".encode())
            await process.stdin.drain()
        _, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
        assert process.returncode is not None
        return process.returncode, out, err.decode()


def tokens_of(portal: RunningSandbox) -> set[str]:
    authority = portal.world.authority
    return {*authority._tokens, *authority._refresh}


async def test_the_daemon_is_authorised_while_it_runs_and_goes_on_at_once(
    tmp_path: Path, portal: RunningSandbox
) -> None:
    unit = ByApplication(tmp_path, portal)
    await unit.start()
    await unit.hear("STATUS=portal main refuses syncd")
    code, out, err = await unit.authorized(late_first=True)
    assert (code, "main: authorised as user 1" in out) == (0, True), err
    assert "valid for 30 s, and once" in err
    await written(portal, 3, 1)
    code, out, _ = await unit.command("check")
    assert (code, "a second set of tokens is in reserve" in out) == (0, True), out
    unit.signal(signal.SIGTERM)
    code, logged = await unit.end()
    assert code == 0
    for secret in (*tokens_of(portal), CLIENT_SECRET):
        assert secret not in logged + out + err
    assert "Traceback" not in logged


async def test_alone_the_same_is_asked_and_the_reserve_may_be_left_out(tmp_path: Path, portal: RunningSandbox) -> None:
    unit = ByApplication(tmp_path, portal)
    unit.close()
    code, out, err = await unit.authorized(spare=False)
    assert (code, "main: authorised as user 1" in out) == (0, True), err
    assert "there is no second set" in err
    code, _, _ = await unit.command("sync")
    assert (code, len(portal.world.events("user", 3))) == (0, 1)
    portal.world.authority.remove(CLIENT_ID)
    code, _, err = await unit.command("sync", "--verify")
    assert code == 3
    assert "syncd portal authorize main" in err
    for secret in (*tokens_of(portal), CLIENT_SECRET):
        assert secret not in err


async def test_another_text_is_asked_for_again_and_what_no_code_mends_is_not(
    tmp_path: Path, portal: RunningSandbox
) -> None:
    unit = ByApplication(tmp_path, portal)
    unit.close()
    code, out, err = await unit.authorized(mistyped="https://school.example/?code=1&state=of-another-link", spare=False)
    assert (code, "main: authorised as user 1" in out) == (0, True), err
    assert "it belongs to another link" in err
    (tmp_path / "app.secret").write_text("not-the-secret")
    code, out, err = await unit.authorized()
    assert (code, out.count("/oauth/authorize/"), "once more" in err) == (3, 1, False), err
    assert "invalid_client" in err


async def test_a_webhook_needs_no_authorising(tmp_path: Path, portal: RunningSandbox) -> None:
    unit = Beside(tmp_path, portal)
    unit.close()
    code, _, err = await unit.command("portal", "authorize", "main")
    assert code == 2
    assert "has a webhook" in err
    code, _, err = await unit.command("portal", "owners", "main")
    assert (code, "takes no name" in err) == (2, True)


async def test_a_portal_that_no_sync_writes_to_is_authorised_whoever_holds_the_others(
    tmp_path: Path, portal: RunningSandbox, database: Database
) -> None:
    unit = ByApplication(tmp_path, portal)
    unit.close()
    (tmp_path / "address").write_text(database.url.reveal())
    text = unit.text.replace(
        'state = "state/syncd.db"', f'state_url_file = "address"\nstate_schema = "{database.schema}"'
    )
    text = text.replace("[portals.main]", f'[portals.other]\nwebhook = "{WEBHOOK}"\n[portals.main]')
    unit.config.write_text(text.replace(QUIET, f'portal = "other"\n{QUIET}'))
    elsewhere = await Ledger.open(database, now=SystemClock().now())
    try:
        leases = await elsewhere.share(LeaseTerms(), SystemClock())
        assert await leases.take("other") is not None
        for words in (["main"], ["--yes"]):
            code, out, err = await unit.authorized(*words, spare=False)
            assert (code, "main: authorised as user 1" in out) == (0, True), err
    finally:
        await elsewhere.close()
