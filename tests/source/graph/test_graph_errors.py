"""What goes wrong with Microsoft 365: an error that says what to do, and never a shorter schedule."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from syncd.errors import ConfigError, SourceError
from syncd.scrub import Scrubber
from syncd.source import Source, open_source
from syncd.source.accounts.consent import open_consent
from syncd.source.graph.graph_consent import GraphConsent
from syncd.source.graph.graph_login import GraphLogin
from syncd.source.web.cache import DirectoryCache
from tests.source.graph.graph_site import SECRET, GraphSite, microsoft
from tests.source.graph.graph_world import single
from tests.source.graph.test_graph_source import ANN, BOB, READ, weekly
from tests.source.web.serving import QuickClock


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[GraphSite]:
    async with microsoft(tmp_path) as served:
        served.tenant.put(ANN, weekly(), single("a", "2026-12-01T09:00:00", "2026-12-01T10:00:00"))
        yield served


def opened(site: GraphSite, folder: Path, **more: Any) -> Source:
    return open_source(site.options(**more), folder, where="test", clock=QuickClock())


async def refusal(site: GraphSite, folder: Path, **more: Any) -> str:
    with pytest.raises(SourceError) as caught:
        await opened(site, folder, **more).read(READ)
    assert SECRET not in str(caught.value)
    assert "t0ken" not in str(caught.value)
    assert "Trace ID" not in str(caught.value)
    # What stands behind the word "token" and a colon is taken for one, and would be hidden.
    assert Scrubber().text(str(caught.value)) == str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("error", "said", "remedy"),
    [
        ("invalid_client", "AADSTS7000215: Invalid client secret provided.", "the secret's value, not its id"),
        ("invalid_client", "AADSTS7000222: The provided client secret keys are expired.", "make a new one"),
        ("unauthorized_client", "AADSTS700016: Application not found in the directory.", "check client_id and tenant"),
        ("invalid_client", "AADSTS700024: Client assertion is not within its valid time range.", "machine's clock"),
        ("invalid_client", "AADSTS700027: The certificate is not registered on application.", "upload the certificate"),
        ("invalid_grant", "AADSTS65001: The user or administrator has not consented.", "grant the application"),
        ("access_denied", "AADSTS53003: Access has been blocked by Conditional Access.", "conditional access"),
        ("invalid_request", "AADSTS999: Something new.", "check tenant, client_id"),
    ],
)
async def test_a_login_that_fails_says_why_and_what_to_do(
    site: GraphSite, tmp_path: Path, error: str, said: str, remedy: str
) -> None:
    site.refusal = (error, said)
    text = await refusal(site, tmp_path)
    assert said.rstrip(".") in text
    assert remedy in text


async def test_a_wrong_secret_a_wrong_tenant_and_no_network_are_told_apart(site: GraphSite, tmp_path: Path) -> None:
    assert "the secret's value" in await refusal(site, tmp_path, client_secret="wr0ng-secret")
    assert "check tenant" in await refusal(site, tmp_path, tenant="nobody.example")
    assert "cannot be reached" in await refusal(site, tmp_path, authority="https://127.0.0.1:9")
    assert "no secure connection" in await refusal(site, tmp_path, ca_file=_other_authority(tmp_path))


async def test_a_login_server_that_fails_is_not_taken_for_a_certificate_that_is_wrong(
    site: GraphSite, tmp_path: Path
) -> None:
    site.down = True
    text = await refusal(site, tmp_path)
    assert "the login server has failed" in text
    assert "it may work again by itself" in text


def _other_authority(folder: Path) -> str:
    trustme.CA().cert_pem.write_to_path(folder / "other.pem")
    return str(folder / "other.pem")


@pytest.mark.parametrize(
    ("trap", "value", "says"),
    [
        ("forbidden", {ANN}, "grant the application Calendars.Read"),
        ("not_here", {ANN}, "DavMail"),
        ("cut_pages", 99, "cut short"),
        ("no_links", 99, "leads nowhere"),
        ("throttled", 99, "asks to be left alone"),
        ("unavailable", 99, "failed (503)"),
        ("tokens_die", 99, "the token is expired"),
    ],
)
async def test_a_calendar_that_cannot_be_read_is_an_error_at_first_and_keeps_its_entries_later(
    site: GraphSite, tmp_path: Path, trap: str, value: object, says: str
) -> None:
    source = opened(site, tmp_path)
    before = await source.read(READ)
    site.tenant.put(ANN, single("b", "2026-12-02T09:00:00", "2026-12-02T10:00:00"))
    setattr(site.tenant.traps, trap, value)
    assert says in await refusal(site, tmp_path)
    snapshot = await source.read(READ)
    assert snapshot.entries == before.entries
    assert not snapshot.complete
    assert says in snapshot.incomplete_because
    site.tenant.traps = type(site.tenant.traps)()
    healed = await source.read(READ)
    assert healed.complete
    assert {entry.uid for entry in healed.entries} == {"s", "a", "b"}


async def test_links_to_another_server_are_not_followed(site: GraphSite, tmp_path: Path) -> None:
    site.tenant.traps.page_size = 1
    site.tenant.traps.foreign_links = True
    assert "another server" in await refusal(site, tmp_path)


@pytest.mark.parametrize("page_size", [1, 99])
async def test_a_link_to_another_server_is_not_kept(site: GraphSite, tmp_path: Path, page_size: int) -> None:
    source = opened(site, tmp_path)
    before = await source.read(READ)
    site.tenant.put(ANN, single("b", "2026-12-02T09:00:00", "2026-12-02T10:00:00"))
    site.tenant.traps.page_size = page_size
    site.tenant.traps.foreign_links = True
    told = await source.read(READ)
    assert "another server" in told.incomplete_because
    assert told.entries == before.entries
    site.tenant.traps.foreign_links = False
    healed = await source.read(READ)
    assert healed.complete
    assert {entry.uid for entry in healed.entries} == {"s", "a", "b"}


async def test_a_mailbox_that_is_none_is_named(site: GraphSite, tmp_path: Path) -> None:
    text = await refusal(site, tmp_path, calendars=["nobody@example.com"])
    assert "nobody@example.com: there is no such mailbox" in text
    assert "check its address" in text


async def test_a_calendar_that_a_mailbox_does_not_have_is_named_with_those_it_has(
    site: GraphSite, tmp_path: Path
) -> None:
    text = await refusal(site, tmp_path, calendars=[f"{ANN}/calendr"])
    assert "has no calendar 'calendr'" in text
    assert "did you mean 'Calendar'?" in text


async def test_one_bad_mailbox_of_several_makes_the_snapshot_incomplete_with_its_name(
    site: GraphSite, tmp_path: Path
) -> None:
    site.tenant.put(BOB, single("x", "2026-12-01T09:00:00", "2026-12-01T10:00:00"))
    site.tenant.traps.forbidden = {BOB}
    snapshot = await opened(site, tmp_path, calendars=[ANN, BOB]).read(READ)
    assert {entry.uid for entry in snapshot.entries} == {"s", "a"}
    assert not snapshot.complete
    assert BOB in snapshot.incomplete_because


@pytest.mark.parametrize(("trap", "times"), [("gone", 1), ("gone_in_pages", 1)])
async def test_a_link_that_is_gone_has_everything_listed_anew(
    site: GraphSite, tmp_path: Path, trap: str, times: int
) -> None:
    site.tenant.traps.page_size = 5
    source = opened(site, tmp_path)
    before = await source.read(READ)
    site.tenant.delete(ANN, "a")
    setattr(site.tenant.traps, trap, times)
    site.tenant.put(ANN, *(single(f"n{n}", f"2026-12-1{n}", f"2026-12-1{n + 1}") for n in range(8)))
    after = await source.read(READ)
    assert after.complete
    assert {one.uid for one in after.entries} == {one.uid for one in before.entries} - {"a"} | {
        f"n{n}" for n in range(8)
    }


async def test_what_a_list_of_changes_left_out_is_found_where_everything_is_asked_for(
    site: GraphSite, tmp_path: Path
) -> None:
    source = opened(site, tmp_path)
    await source.read(READ)
    site.tenant.put(ANN, single("b", "2026-12-02T09:00:00", "2026-12-02T10:00:00"))
    site.tenant.box(ANN).events["b"].changed = 1  # before the first reading
    assert {entry.uid for entry in (await source.read(READ)).entries} == {"s", "a"}
    assert {entry.uid for entry in (await source.read(replace(READ, whole=True))).entries} == {"s", "a", "b"}
    site.asked.clear()
    assert {entry.uid for entry in (await source.read(READ)).entries} == {"s", "a", "b"}
    assert site.listed == ["delta"]


async def test_a_link_that_goes_again_and_again_ends_the_reading(site: GraphSite, tmp_path: Path) -> None:
    site.tenant.traps.page_size = 5
    site.tenant.traps.gone_in_pages = 99
    assert "does not know the state" in await refusal(site, tmp_path)


async def test_a_token_that_expires_in_the_middle_is_renewed(site: GraphSite, tmp_path: Path) -> None:
    site.tenant.traps.tokens_die = 1
    assert (await opened(site, tmp_path).read(READ)).complete
    assert site.issued == 2


async def test_a_clock_that_is_wrong_is_told_where_the_token_is_refused(site: GraphSite, tmp_path: Path) -> None:
    site.tenant.traps.tokens_die = 99
    now = datetime.now(UTC).timestamp()
    site.tenant.traps.skew_s = QuickClock().now() - now + 1200
    assert "20 minutes behind" in await refusal(site, tmp_path)


async def test_throttling_is_waited_for_if_it_is_short(site: GraphSite, tmp_path: Path) -> None:
    clock = QuickClock()
    site.tenant.traps.throttled, site.tenant.traps.retry_after = 1, "7"
    source = open_source(site.options(), tmp_path, where="test", clock=clock)
    assert (await source.read(READ)).complete
    assert clock.slept == [7.0]


async def test_after_a_long_throttling_the_other_calendars_are_left_for_the_next_pass(
    site: GraphSite, tmp_path: Path
) -> None:
    people = [f"p{n}@example.com" for n in range(12)]
    for one in people:
        site.tenant.put(one, single(one, "2026-12-01T09:00:00", "2026-12-01T10:00:00"))
    source = opened(site, tmp_path, calendars=people)
    site.tenant.traps.throttled, site.tenant.traps.retry_after = 8, "600"
    with pytest.raises(SourceError, match="left alone"):
        await source.read(READ)
    assert len(site.asked) <= 4
    site.tenant.traps.throttled = 0
    assert (await source.read(READ)).complete


async def test_what_came_before_the_time_was_up_need_not_be_read_again(site: GraphSite, tmp_path: Path) -> None:
    site.tenant.put(BOB, single("x", "2026-12-01T09:00:00", "2026-12-01T10:00:00"))
    site.tenant.traps.forbidden = {BOB}
    context = replace(READ, cache=DirectoryCache(tmp_path / "feeds", writable=True))
    await opened(site, tmp_path, calendars=[ANN, BOB]).read(context)
    site.tenant.traps.forbidden = set()
    site.asked.clear()
    assert (await opened(site, tmp_path, calendars=[ANN, BOB]).read(context)).complete
    assert sorted(site.listed) == ["delta", "full"]


def certificate() -> str:
    """Return a key and its certificate in PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "syncd")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return (private + made.public_bytes(pem)).decode()


async def test_a_certificate_logs_in(site: GraphSite, tmp_path: Path) -> None:
    (tmp_path / "graph.pem").write_text(certificate())
    keys = site.options(private_key_file="graph.pem")
    del keys["client_secret"]
    snapshot = await open_source(keys, tmp_path, where="test", clock=QuickClock()).read(READ)
    assert snapshot.complete
    assert "client_assertion" in site.logins[0]
    assert "client_secret" not in site.logins[0]


@pytest.mark.parametrize("form", ["", "_file", "_env", "_credential"])
async def test_the_secret_comes_in_all_four_ways(
    site: GraphSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    (tmp_path / "graph-secret").write_text(SECRET + "\n")
    monkeypatch.setenv("GRAPH_SECRET", SECRET)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    value = {"": SECRET, "_env": "GRAPH_SECRET"}.get(form, "graph-secret")
    keys = site.options() | {f"client_secret{form}": value}
    if form:
        del keys["client_secret"]
    assert (await open_source(keys, tmp_path, where="test", clock=QuickClock()).read(READ)).complete


def person(site: GraphSite) -> dict[str, object]:
    """Return the keys of a source with a person's login."""
    keys = site.options(token_file="graph.json", calendars=[ANN])
    del keys["client_secret"]
    return keys


async def test_a_person_logs_in_by_device_code_and_the_login_is_kept_and_renewed(
    site: GraphSite, tmp_path: Path
) -> None:
    said: list[str] = []
    consent = open_consent(person(site), tmp_path, where="test", clock=QuickClock())
    (tmp_path / "graph.json").write_text(await consent.ask(said.append, nobody))
    assert said == ["open https://microsoft.com/devicelogin and enter AB12CD"]
    for _ in range(3):
        source = open_source(person(site), tmp_path, where="test", clock=QuickClock())
        assert (await source.read(READ)).complete
    assert site.refresh in (tmp_path / "graph.json").read_text()
    assert (tmp_path / "graph.json").stat().st_mode & 0o77 == 0


async def test_after_another_person_has_logged_in_nothing_goes_on_from_the_calendar_of_the_first(
    site: GraphSite, tmp_path: Path
) -> None:
    cache = DirectoryCache(tmp_path / "cache", writable=True)
    consent = open_consent(person(site), tmp_path, where="test", clock=QuickClock())
    said: list[str] = []
    (tmp_path / "graph.json").write_text(await consent.ask(said.append, nobody))
    asked = []
    for who in ("", "", "bob@example.com"):
        if who:
            (tmp_path / "graph.json").write_text(json.dumps({"refresh_token": site.refresh, "account": who}))
        site.asked.clear()
        source = open_source(person(site), tmp_path, where="test", clock=QuickClock())
        assert (await source.read(replace(READ, cache=cache))).complete
        asked.append(any("deltatoken" in one for one in site.asked))
    assert asked == [False, True, False]


async def test_a_login_that_cannot_be_kept_is_told_and_the_calendars_are_read(
    site: GraphSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "graph.json").write_text('{"refresh_token": "r3fresh-0"}')

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.open", full)
    snapshot = await open_source(person(site), tmp_path, where="test", clock=QuickClock()).read(READ)
    assert snapshot.complete
    assert len(snapshot.entries) == 2
    (problem,) = snapshot.problems
    assert "cannot be kept: No space left on device (let syncd write token_file)" in problem.reason


async def nobody() -> None:
    """Nobody types anything."""


class Flow(dict[str, Any]):
    """A device flow that tells when it was ended."""

    def __init__(self) -> None:
        super().__init__(message="open it", expires_at=1e12)
        self.ended = threading.Event()

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        self.ended.set()


class Waiting(GraphLogin):
    """A login whose person never answers."""

    def __init__(self) -> None:
        self.flow = Flow()

    def begin_device(self) -> dict[str, Any]:
        return self.flow

    def finish_device(self, flow: dict[str, Any]) -> str:
        assert self.flow.ended.wait(10)
        return ""


async def test_a_consent_that_is_given_up_leaves_no_thread_behind() -> None:
    login, shown = Waiting(), asyncio.Event()
    asking = asyncio.ensure_future(GraphConsent(login).ask(lambda _: shown.set(), nobody))
    await shown.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert login.flow["expires_at"] == 0


def test_an_application_needs_no_consent(tmp_path: Path) -> None:
    keys = {"type": "graph", "tenant": "example.com", "client_id": "1", "client_secret": "x" * 9, "calendars": [ANN]}
    with pytest.raises(ConfigError, match="needs no consent"):
        open_consent(keys, tmp_path, where="here", clock=QuickClock())


async def test_nobody_has_logged_in_and_a_login_that_was_revoked_say_what_to_do(
    site: GraphSite, tmp_path: Path
) -> None:
    for kept_token, says in (("", "nobody has logged in"), ('{"refresh_token": "0ld-t0ken"}', "AADSTS700082")):
        if kept_token:
            (tmp_path / "graph.json").write_text(kept_token)
        with pytest.raises(SourceError) as caught:
            await open_source(person(site), tmp_path, where="test", clock=QuickClock()).read(READ)
        assert says in str(caught.value)
        assert "syncd source authorize" in str(caught.value)
        assert "0ld" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tenant": None}, "missing key 'tenant'"),
        ({"client_id": "a/b"}, "client_id = 'a/b'"),
        ({"calendars": None}, "missing key 'calendars'"),
        ({"calendars": ["no address at all"]}, "calendars"),
        ({"private_key": "x"}, "exclude each other"),
        ({"client_secret": None, "private_key": "x"}, "a private key"),
        ({"client_secret": None, "private_key": "-----BEGIN PRIVATE KEY-----"}, "a certificate"),
        ({"url": "http://graph.example/v1.0"}, "url is no address that a token may be sent to"),
        ({"authority": "http://127.0.0.1/"}, "authority does not begin with https://"),
        ({"zones": {"Here": "Nowhere/Land"}}, "'Nowhere/Land' is not a time zone"),
        ({"client_secret": None, "client_secret_env": "NOT_SET"}, "client_secret_env"),
        ({"tennant": "x"}, "did you mean 'tenant'?"),
    ],
)
def test_a_config_that_cannot_work_names_the_key(tmp_path: Path, change: dict[str, object], says: str) -> None:
    keys: dict[str, object] = {
        "type": "graph", "tenant": "example.com", "client_id": "1", "client_secret": "s3cret-x", "calendars": [ANN],
    }  # fmt: skip
    keys = {name: value for name, value in (keys | change).items() if value is not None}
    with pytest.raises(ConfigError) as caught:
        open_source(keys, tmp_path, where="here", clock=QuickClock())
    assert str(caught.value).startswith("here")
    assert says in str(caught.value)
    assert "s3cret" not in str(caught.value)
