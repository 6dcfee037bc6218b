"""A sync whose portal is called by an application: its tokens run out, get lost, are revoked, and the sync goes on."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.errors import ConfigError, GuardError, PortalRefusedError, PortalUnreachableError, StateLockedError
from syncd.portal.client import Portal
from syncd.portal.oauth.application import Application
from syncd.portal.oauth.grants import REFRESH_LASTS_S, RENEWED_AFTER_S, Granted, granted
from syncd.sandbox.seed.language_school import CLIENT_ID
from syncd.sandbox.settings import Settings
from syncd.scrub import Scrubber
from tests.support.applications import ADDRESS, APP, APP_SHIFTS, AppStage
from tests.support.sandbox import HEADER, SHIFTS, WEBHOOK, Stage, run_inline

ROW = "1,Reading,2026-12-01 09:00,2026-12-01 10:00,anna.petrova@school.example,Hall\n"
KINDS = ("once", "kept")


class _KilledError(Exception):
    """The process ends here."""


def staged(folder: Path, kind: str = "once") -> AppStage:
    stage = AppStage(folder, settings=Settings(integer_stamps=False, refresh_tokens=kind))  # type: ignore[arg-type]
    stage.write("shifts.csv", HEADER + ROW)
    return stage


def application_of(portal: Portal) -> Application:
    assert portal.application is not None
    return portal.application


@pytest.mark.parametrize("kind", KINDS)
def test_a_pass_by_application_makes_the_same_as_one_by_webhook(tmp_path: Path, kind: str) -> None:
    stage = staged(tmp_path, kind)
    run_inline(stage.authorise())
    result = run_inline(stage.one_pass())
    assert (result.exit_code, result.record.counts["created"], stage.names()) == (0, 1, ["Reading"])


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_that_have_run_out_are_renewed_once_and_the_new_ones_are_kept(tmp_path: Path, kind: str) -> None:
    stage = staged(tmp_path, kind)
    run_inline(stage.authorise())
    for hour in range(1, 4):
        stage.clock.advance(3601)
        stage.write("shifts.csv", HEADER + ROW.replace("Reading", f"Reading {hour}"))
        assert run_inline(stage.one_pass()).exit_code == 0
        assert stage.names() == [f"Reading {hour}"]
        assert stage.world.authority.refreshed == hour


def test_nothing_is_renewed_while_the_portal_takes_the_token_however_wrong_the_clock_is(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.authorise())
    authority = stage.world.authority
    for token in authority._tokens.values():
        token.until = float("inf")  # the portal's clock goes right; this machine's does not
    for hours in (-7, 30, -90):
        stage.clock.set(hours * 3600)
        assert run_inline(stage.one_pass(verify=True)).exit_code == 0
    assert authority.refreshed == 0


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_with_new_tokens_that_gets_lost_locks_nobody_out(tmp_path: Path, kind: str) -> None:
    stage = staged(tmp_path, kind)
    run_inline(stage.authorise())
    stage.clock.advance(3601)
    losses = iter([True, True])
    stage.tokens.lost = lambda: next(losses, False)
    first = run_inline(stage.one_pass())
    second = run_inline(stage.one_pass())
    assert 0 in (first.exit_code, second.exit_code)
    assert second.exit_code == 0
    assert stage.names() == ["Reading"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_process_that_dies_between_the_answer_and_the_disk_locks_nobody_out(tmp_path: Path, kind: str) -> None:
    stage = staged(tmp_path, kind)
    run_inline(stage.authorise())

    def killed() -> bool:
        raise _KilledError

    stage.clock.advance(3601)
    stage.tokens.lost = killed
    with pytest.raises(_KilledError):
        run_inline(stage.one_pass())
    stage.tokens.lost = lambda: False
    assert run_inline(stage.one_pass()).exit_code == 0


def test_the_spare_chain_is_used_up_once_and_that_is_told(tmp_path: Path) -> None:
    stage = staged(tmp_path, "once")
    run_inline(stage.authorise())
    stage.world.authority._refresh.pop(next(iter(stage.world.authority._refresh)))
    stage.clock.advance(3601)
    assert run_inline(stage.one_pass()).exit_code == 0

    async def kept() -> object:
        async with stage.opened(readonly=True) as (_, app):
            own = application_of(app.portal("main")).authorisation
            return own is not None and own.spare

    assert run_inline(kept()) is None
    stage.world.authority._refresh.clear()
    stage.clock.advance(3601)
    result = run_inline(stage.one_pass(verify=True))
    assert isinstance(result.error, PortalRefusedError)
    assert "invalid_grant" in result.error.message
    assert "syncd portal authorize main" in result.error.remedy


@pytest.mark.parametrize(
    ("break_it", "said", "remedy"),
    [
        (lambda world: setattr(world.authority, "paid", False), "PAYMENT_REQUIRED", "has run out"),
        (
            lambda world: setattr(world.tables.applications[CLIENT_ID], "client_secret", "another"),
            "invalid_client",
            "client_secret",
        ),
    ],
)
def test_what_only_a_person_can_mend_is_said_with_the_command_to_run(
    tmp_path: Path, break_it: object, said: str, remedy: str
) -> None:
    stage = staged(tmp_path)
    run_inline(stage.authorise())
    stage.clock.advance(3601)
    assert callable(break_it)
    break_it(stage.world)
    result = run_inline(stage.one_pass())
    assert isinstance(result.error, PortalRefusedError)
    assert said in result.error.message
    assert "refuses the application" in result.error.message
    assert remedy in result.error.remedy
    assert result.exit_code == 3
    stage.world.authority.paid = True
    if said == "PAYMENT_REQUIRED":  # which mends itself once it is paid
        assert run_inline(stage.one_pass()).exit_code == 0


def test_a_removed_application_and_a_removed_scope_are_named(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.authorise())
    application = stage.world.tables.applications[CLIENT_ID]
    application.scopes = frozenset({"user"})
    result = run_inline(stage.one_pass())
    assert isinstance(result.error, PortalRefusedError)
    assert "insufficient_scope" in result.error.message
    assert "settings" in result.error.remedy
    stage.world.authority.remove(CLIENT_ID)
    result = run_inline(stage.one_pass())
    assert isinstance(result.error, PortalRefusedError)
    assert "NO_AUTH_FOUND" in result.error.message
    assert "syncd portal authorize main" in result.error.remedy


def test_an_application_that_nobody_authorised_sends_nothing(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    result = run_inline(stage.one_pass())
    assert isinstance(result.error, PortalRefusedError)
    assert "syncd portal authorize main" in result.error.remedy
    assert stage.transport.requests == 0


def test_a_code_works_once_and_for_thirty_seconds(tmp_path: Path) -> None:
    stage = staged(tmp_path)

    async def typed() -> list[object]:
        async with stage.opened() as (_, app):
            application = application_of(app.portal("main"))
            code = stage.code()
            answers = [await application.exchange(code), await application.exchange(code)]
            late = stage.code()
            stage.clock.advance(31)
            return [*answers, await application.exchange(late)]

    first, twice, late = run_inline(typed())
    assert isinstance(first, Granted)
    assert not isinstance(twice, Granted)
    assert not isinstance(late, Granted)


def test_a_renamed_portal_is_followed_by_its_number_and_another_one_refused(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.authorise())
    assert run_inline(stage.one_pass()).exit_code == 0
    stage.world.authority.address = "https://renamed.example"
    stage.clock.advance(3601)
    assert run_inline(stage.one_pass(verify=True)).exit_code == 0
    assert stage.names() == ["Reading"]

    async def looked() -> tuple[str, str | None, str]:
        async with stage.opened() as (_, app):
            portal = app.portal("main")
            return portal.origin, portal.moved_to, application_of(portal).url("batch")

    assert run_inline(looked()) == (ADDRESS, "https://renamed.example", "https://renamed.example/rest/batch")
    stage.world.tables.host = "another.example"  # from which the simulated portal has its member_id
    stage.clock.advance(3601)
    result = run_inline(stage.one_pass(verify=True))
    assert isinstance(result.error, PortalRefusedError)
    assert "another_portal" in result.error.message


def test_tokens_of_another_portal_are_kept_only_by_force(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.authorise())

    async def taken(*, force: bool) -> None:
        async with stage.opened() as (_, app):
            application = application_of(app.portal("main"))
            given = await application.exchange(stage.code())
            assert isinstance(given, Granted)
            await application.take(given, spare=False, force=force)

    stage.world.authority.address = "https://elsewhere.example"
    with pytest.raises(ConfigError, match=r"the code is one of https://elsewhere\.example"):
        run_inline(taken(force=False))
    stage.world.authority.address = ADDRESS
    stage.world.tables.host = "another.example"
    with pytest.raises(GuardError, match="another one than before"):
        run_inline(taken(force=False))
    run_inline(taken(force=True))


def test_a_sync_that_went_by_webhook_goes_on_by_application(tmp_path: Path) -> None:
    by_webhook = Stage(tmp_path, SHIFTS.replace(WEBHOOK, f"{ADDRESS}/rest/1/sandboxadmin/"))
    by_webhook.webhook = f"{ADDRESS}/rest/1/sandboxadmin/"
    by_webhook.write("shifts.csv", HEADER + ROW)
    assert run_inline(by_webhook.one_pass()).exit_code == 0
    stage = staged(tmp_path)
    stage.world.tables = by_webhook.world.tables
    stage.world.authority.tables = by_webhook.world.tables
    run_inline(stage.authorise())
    result = run_inline(stage.one_pass(verify=True))
    assert (result.exit_code, result.record.counts["created"], result.record.counts["unchanged"]) == (0, 0, 1)


def test_tokens_that_nobody_uses_are_renewed_in_good_time(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.authorise())

    async def tended() -> None:
        async with stage.opened() as (_, app):
            await application_of(app.portal("main")).tend()

    run_inline(tended())
    assert stage.world.authority.refreshed == 0
    stage.clock.advance(RENEWED_AFTER_S + 1)
    run_inline(tended())
    assert stage.world.authority.refreshed == 2  # the spare chain, too
    stage.clock.advance(REFRESH_LASTS_S - 86_400)
    assert run_inline(stage.one_pass()).exit_code == 0


def test_only_spare_tokens_that_are_used_up_are_given_up(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.authorise())

    async def tended() -> bool:
        async with stage.opened() as (_, app):
            application = application_of(app.portal("main"))
            await application.tend()
            own = application.authorisation
            return own is not None and own.spare is not None

    stage.clock.advance(RENEWED_AFTER_S + 1)
    stage.world.authority.paid = False
    assert run_inline(tended()), "the plan has run out, which mends itself once it is paid"
    stage.world.authority.paid = True
    stage.world.authority._refresh.popitem()
    assert not run_inline(tended())


def test_of_many_requests_that_meet_the_expiry_one_renews(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    rows = [ROW.replace("1,Reading", f"{number},Reading {number}") for number in range(300)]
    stage.write("shifts.csv", HEADER + "".join(rows))
    stage.config = APP_SHIFTS.replace("[[sync]]", "[portals.main.limits]\nbatch_size = 10\n\n[[sync]]")
    run_inline(stage.authorise())
    stage.clock.advance(3601)
    assert run_inline(stage.one_pass()).exit_code == 0
    assert len(stage.names()) == 300
    assert stage.world.authority.refreshed == 1


def test_who_only_looks_renews_when_nobody_else_may_and_waits_for_who_may(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.authorise())
    stage.clock.advance(3601)

    async def looked() -> None:
        async with stage.opened(readonly=True) as (_, app):
            await app.portal("main").read("profile", {})

    run_inline(looked())
    assert stage.world.authority.refreshed == 1

    async def beside() -> None:
        async with stage.opened() as (_, holder):
            stage.clock.advance(3601)

            async def later() -> None:
                await asyncio.sleep(5)
                await holder.portal("main").read("profile", {})

            task = asyncio.create_task(later())
            await looked()
            await task

    run_inline(beside())
    assert stage.world.authority.refreshed == 2

    async def in_vain() -> None:
        async with stage.opened():
            stage.clock.advance(3601)
            with pytest.raises(PortalUnreachableError, match="alone may renew"):
                await looked()

    run_inline(in_vain())


def test_who_has_waited_in_vain_for_new_tokens_does_not_wait_for_them_at_every_call(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.authorise())

    async def calls() -> float:
        async with stage.opened() as (_, holder), stage.opened(readonly=True) as (_, app):
            stage.clock.advance(3601)
            beside = application_of(app.portal("main"))
            expired = beside.token
            assert await beside.renew(expired) is not None
            begun = stage.clock.monotonic()
            assert [await beside.renew(expired) is None for _ in range(3)] == [False] * 3
            took = stage.clock.monotonic() - begun
            await holder.portal("main").read("profile", {})
            assert await beside.renew(expired) is None, "what came meanwhile is found"
            return took

    assert run_inline(calls()) == 0


def test_an_installation_is_asked_about_only_by_who_can_keep_what_comes_back(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    tables, authority = stage.world.tables, stage.world.authority

    async def installed() -> None:
        async with stage.opened() as (_, holder), stage.opened(readonly=True) as (_, app):
            given = granted(authority.grant(tables.applications[CLIENT_ID], 1, stage.clock.now()))
            assert given is not None
            with pytest.raises(StateLockedError):
                await application_of(app.portal("main")).install(given, "proof")
            assert stage.tokens.asked == 0, "the tokens are good for one use"
            application = application_of(holder.portal("main"))
            assert await application.install(given, "proof")
            assert not await application.install(given, "forged"), "they were used"
            own = application.authorisation
            assert own is not None
            assert application.is_known_to("proof", own.member_id)
            assert not application.is_known_to("forged", own.member_id)

    run_inline(installed())
    assert run_inline(stage.one_pass()).exit_code == 0


@pytest.mark.parametrize("key", [None, "k" * 32])
def test_the_tokens_in_the_state_are_encrypted_where_a_key_is_given(tmp_path: Path, key: str | None) -> None:
    stage = staged(tmp_path)
    if key is not None:
        stage.config = APP_SHIFTS.replace(APP, APP.replace(" }", f', token_key = "{key}" }}'))
    run_inline(stage.authorise())
    assert run_inline(stage.one_pass()).exit_code == 0
    written = b"".join(path.read_bytes() for path in sorted((tmp_path / "state").glob("syncd.db*")))
    assert (any(secret.encode() in written for secret in stage.secrets)) == (key is None)


def test_another_key_is_told_and_authorising_again_mends_it(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    stage.config = APP_SHIFTS.replace(APP, APP.replace(" }", f', token_key = "{"k" * 32}" }}'))
    run_inline(stage.authorise())
    stage.config = stage.config.replace("k" * 32, "l" * 32)
    result = run_inline(stage.one_pass())
    assert isinstance(result.error, PortalRefusedError)
    assert "another token_key" in result.error.message
    run_inline(stage.authorise())
    assert run_inline(stage.one_pass()).exit_code == 0


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lost=st.lists(st.booleans(), max_size=12), kind=st.sampled_from(KINDS), seed=st.integers(0, 9))
def test_one_lost_renewal_after_another_authorisation_never_locks_out(
    tmp_path_factory: pytest.TempPathFactory, lost: list[bool], kind: str, seed: int
) -> None:
    stage = staged(tmp_path_factory.mktemp("life"), kind)
    run_inline(stage.authorise())
    for loses in lost:
        stage.clock.advance(3601 + seed)
        if loses:
            answers = iter([True, True])
            stage.tokens.lost = lambda answers=answers: next(answers, False)  # type: ignore[misc]
        run_inline(stage.one_pass(verify=True))
        assert run_inline(stage.one_pass(verify=True)).exit_code == 0
        if loses:
            run_inline(stage.authorise())  # which `check` and the alert ask for once the spare is used


@pytest.mark.parametrize("key", [None, "k" * 32])
def test_a_backup_holds_no_token_that_could_be_read(tmp_path: Path, key: str | None) -> None:
    stage = staged(tmp_path)
    if key is not None:
        stage.config = APP_SHIFTS.replace(APP, APP.replace(" }", f', token_key = "{key}" }}'))
    run_inline(stage.authorise())
    assert run_inline(stage.one_pass()).exit_code == 0

    async def backed_up() -> None:
        async with stage.opened() as (_, app):
            await app.ledger.back_up(tmp_path / "backup.db")

    run_inline(backed_up())
    copied = (tmp_path / "backup.db").read_bytes()
    assert len(copied) > 4096
    assert not any(secret.encode() in copied for secret in stage.secrets)
    (tmp_path / "state" / "syncd.db").unlink()
    for rest in (tmp_path / "state").glob("syncd.db-*"):
        if rest.is_file():
            rest.unlink()
    (tmp_path / "backup.db").rename(tmp_path / "state" / "syncd.db")
    assert (run_inline(stage.one_pass()).exit_code == 0) == (key is not None)


def test_a_key_without_its_library_is_refused_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.fernet", None)
    stage = staged(tmp_path)
    stage.config = APP_SHIFTS.replace(APP, APP.replace(" }", f', token_key = "{"k" * 32}" }}'))
    with pytest.raises(ConfigError, match=r"syncd\[app\]"):
        run_inline(stage.authorise())


def test_of_thousands_of_renewals_the_tokens_in_use_and_the_last_ones_are_hidden_in_texts(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    run_inline(stage.authorise())
    stage.scrubber = scrubber = Scrubber()

    async def renewed() -> None:
        async with stage.opened() as (_, app):
            application = application_of(app.portal("main"))
            for _ in range(100):
                stage.world.authority.expire()
                used = application.token
                assert await application.renew(used) is None
                assert scrubber.certain(f"x {application.token} y") == "x *** y"
                own = application.authorisation
                assert own is not None and own.spare is not None
                for secret in own.secrets:
                    assert secret not in scrubber.text(f"refresh {secret}")
                assert application.scrub(own.chain.access_token) == "***"
                assert own.chain.access_token not in repr(own) + repr(own.chain)

    run_inline(renewed())
    assert len(scrubber._secrets) < 40
