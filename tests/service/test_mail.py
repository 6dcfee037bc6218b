"""Alerts by mail, sent to a real server of this machine: with and without TLS, with a login, and refused."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope

from syncd.clock import SystemClock
from syncd.config import AlertsConfig, Config, Secret, SmtpConfig, SyncConfig, TellingConfig, load_config
from syncd.errors import ConfigError
from syncd.service.alerts import Alerts, Routes, left_over, routes_of
from syncd.service.mail import send_mail
from syncd.state.ledger import Ledger

PASSWORD = "s3cr3t-of-the-mailbox"


class Mailbox:
    """Keeps what arrives; refuses `nobody@example.com`."""

    def __init__(self) -> None:
        self.got: list[Envelope] = []

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: Any) -> str:  # noqa: N802 - the library's name
        if address.startswith("nobody@"):
            return "550 there is nobody"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        self.got.append(envelope)
        return "250 taken"

    def text(self, number: int = 0) -> str:
        content = self.got[number].content
        assert isinstance(content, bytes)
        return message_from_bytes(content, policy=policy.default).get_content().strip()  # type: ignore[no-any-return]

    def header(self, name: str) -> str:
        content = self.got[0].content
        assert isinstance(content, bytes)
        return str(message_from_bytes(content, policy=policy.default)[name])


def login(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    # `handled` would mean that the answer was sent here already.
    return AuthResult(success=(data.login, data.password) == (b"syncd", PASSWORD.encode()), handled=False)


@asynccontextmanager
async def serving(mailbox: Mailbox, *, implicit: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[int]:
    """Run the server, which with `implicit` speaks TLS from the first byte; gives its port."""
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(mailbox, hostname="localhost", **options), "127.0.0.1", 0, ssl=implicit
    )
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def alerts(port: int, *addresses: str, **keys: Any) -> AlertsConfig:
    smtp = SmtpConfig(**{"host": "127.0.0.1", "port": port, "security": "none", "sender": "syncd@example.com", **keys})
    return AlertsConfig(portal=None, user=None, chat=None, command=(), email=addresses, smtp=smtp)


async def test_a_mail_arrives_at_every_address_with_subject_text_and_the_mark_of_a_machine() -> None:
    mailbox = Mailbox()
    async with serving(mailbox) as port:
        config = alerts(port, "anna@example.com", "ivan@example.com")
        assert await send_mail(config, "syncd: sync смены: firing", "sync смены has not succeeded") == ""
    (envelope,) = mailbox.got
    assert envelope.rcpt_tos == ["anna@example.com", "ivan@example.com"]
    assert mailbox.text() == "sync смены has not succeeded"
    assert mailbox.header("Subject") == "syncd: sync смены: firing"
    assert mailbox.header("Auto-Submitted") == "auto-generated"
    assert mailbox.header("From") == "syncd@example.com"


@pytest.mark.filterwarnings(
    "ignore:Requiring AUTH while not requiring TLS"
)  # the server does not see that TLS is below it
@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_login_travels_encrypted_and_the_certificate_is_checked(
    tmp_path: Path, authority: trustme.CA, security: str
) -> None:
    mailbox, ca_file = Mailbox(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    context = server_context(authority)
    options = {"implicit": context, "auth_require_tls": False} if security == "tls" else {"tls_context": context}
    keys = {"security": security, "username": "syncd", "password": Secret(PASSWORD)}
    async with serving(mailbox, authenticator=login, auth_required=True, **options) as port:
        assert await send_mail(alerts(port, "a@example.com", ca_file=ca_file, **keys), "s", "t") == ""
        unknown = await send_mail(alerts(port, "a@example.com", **keys), "s", "t")
        wrong = await send_mail(
            alerts(port, "a@example.com", ca_file=ca_file, **{**keys, "password": Secret("wrong")}), "s", "t"
        )
    assert len(mailbox.got) == 1
    assert "certificate verify failed" in unknown
    assert "uthentication" in wrong
    assert PASSWORD not in unknown + wrong


async def test_an_address_that_is_refused_is_named_and_the_others_get_the_mail() -> None:
    mailbox = Mailbox()
    async with serving(mailbox) as port:
        failed = await send_mail(alerts(port, "nobody@example.com", "anna@example.com"), "s", "t")
    assert "nobody@example.com" in failed
    assert "there is nobody" in failed
    assert [envelope.rcpt_tos for envelope in mailbox.got] == [["anna@example.com"]]


async def test_a_server_that_is_not_there_or_that_offers_no_encryption_is_told() -> None:
    async with serving(Mailbox()) as port:
        assert "STARTTLS" in await send_mail(alerts(port, "a@example.com", security="starttls"), "s", "t")
    assert await send_mail(alerts(port, "a@example.com"), "s", "t") != ""


async def test_text_of_a_feed_adds_no_header_and_no_second_line() -> None:
    mailbox = Mailbox()

    async with opened() as ledger, serving(mailbox) as port:
        routes = Routes(everybody=alerts(port, "a@example.com"))
        trouble = {"sync a": "sync a failed: Lesson\r\nBcc: all@example.com\r\n\r\n.\r\nQUIT"}
        await Alerts(ledger, SystemClock()).update(trouble, routes, {})
    assert mailbox.text() == r"sync a failed: Lesson\r Bcc: all@example.com\r \r .\r QUIT"
    assert mailbox.header("Bcc") == "None"


async def test_each_portal_tells_its_own_people_and_the_others_those_of_everybody() -> None:
    mailbox = Mailbox()
    async with opened() as ledger, serving(mailbox) as port:
        anna, ivan = alerts(port, "anna@example.com"), alerts(port, "ivan@example.com")
        names = {"portal clinic": "clinic", "sync visits": "clinic"}
        routes = Routes(everybody=anna, of_portals={"clinic": ivan}, portals=names)
        found = {"portal clinic": "refuses", "sync visits (held)": "held", "sync lessons": "stale"}
        teller = Alerts(ledger, SystemClock())
        await teller.update(found, routes, {})
        await teller.update({}, routes, {})
    told = [
        (envelope.rcpt_tos[0].partition("@")[0], mailbox.text(number)) for number, envelope in enumerate(mailbox.got)
    ]
    assert told == [
        ("ivan", "refuses"), ("anna", "stale"), ("ivan", "held"),
        ("ivan", "portal clinic: resolved"), ("anna", "sync lessons: resolved"),
        ("ivan", "sync visits (held): resolved"),
    ]  # fmt: skip


async def test_those_who_heard_of_a_trouble_hear_of_its_end_also_when_its_sync_has_moved_or_left() -> None:
    mailbox = Mailbox()
    async with opened() as ledger, serving(mailbox) as port:
        anna, ivan = alerts(port, "anna@example.com"), alerts(port, "ivan@example.com")
        before = Routes(
            everybody=anna, of_portals={"clinic": ivan}, portals={"sync visits": "clinic", "sync shifts": "clinic"}
        )
        after = Routes(everybody=anna, of_portals={"clinic": ivan}, portals={"sync visits": "school"})
        teller = Alerts(ledger, SystemClock())
        await teller.update({"sync visits": "stale", "sync shifts": "stale"}, before, {})
        await teller.update({}, after, {})
    assert [one.rcpt_tos for one in mailbox.got] == [["ivan@example.com"]] * 4
    assert [mailbox.text(number) for number in (2, 3)] == ["sync shifts: resolved", "sync visits: resolved"]


async def test_a_mail_server_that_does_not_answer_holds_up_nobody_else(tmp_path: Path) -> None:
    mailbox, said, silent = Mailbox(), tmp_path / "said", asyncio.Event()

    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent.wait()
        writer.close()

    mute = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with opened() as ledger, serving(mailbox) as port:
        command = ("/bin/sh", "-c", f'echo "$SYNCD_ALERT" >> {said}')
        first = msgspec.structs.replace(alerts(mute.sockets[0].getsockname()[1], "a@example.com"), command=command)
        routes = Routes(everybody=first, of_portals={"b": alerts(port, "b@example.com")}, portals={"portal b": "b"})
        troubles = {"portal a": "x", "portal b": "y"}
        telling = asyncio.create_task(Alerts(ledger, SystemClock()).update(troubles, routes, {}))
        async with asyncio.timeout(20):
            while not mailbox.got or not said.exists():  # noqa: ASYNC110 - the mail comes from another thread
                await asyncio.sleep(0.01)
        assert not telling.done()
        silent.set()
        await telling
    mute.close()
    assert mailbox.text() == "y"


@asynccontextmanager
async def opened() -> AsyncIterator[Ledger]:
    """Open a ledger in a directory of its own."""
    with TemporaryDirectory() as folder:
        ledger = await Ledger.open(Path(folder) / "syncd.db", now=0.0)
        try:
            yield ledger
        finally:
            await ledger.close()


def test_what_a_pass_left_for_a_person_is_told_from_the_number_that_the_config_names() -> None:
    counts = {"rejected": 2, "held": 4}
    assert left_over("a", TellingConfig(), "", counts) == {}
    assert left_over("a", TellingConfig(rejected=3, held=5), "", counts) == {}
    told = left_over("a", TellingConfig(rejected=2, held=1), "", counts)
    assert told == {
        "sync a (rejected)": "sync a: 2 entries rejected; `syncd status` lists them",
        "sync a (held)": "sync a: 4 entries held; `syncd status` lists them",
    }
    stopped = "the plan would delete 30 % of all entries"
    assert list(left_over("a", TellingConfig(), stopped, {})) == ["sync a (guard)"]
    assert left_over("a", TellingConfig(guard=False), stopped, {}) == {}


CONFIG = """
{alerts}
[portals.school]
webhook = "https://school.bitrix24.com/rest/1/CODE/"
[portals.clinic]
webhook = "https://clinic.bitrix24.com/rest/1/CODE/"
{clinic}
[[sync]]
name = "lessons"
portal = "school"
timezone = "Europe/Moscow"
source = {{ type = "ics", path = "a.ics" }}
target = {{ calendar = "company", section = "a" }}
[[sync]]
name = "visits"
portal = "clinic"
timezone = "Europe/Moscow"
source = {{ type = "ics", path = "b.ics" }}
target = {{ calendar = "company", section = "b" }}
"""
SERVER = '[alerts.smtp]\nhost = "smtp.example.com"\nsender = "s@example.com"\n'


def read(folder: Path, said: str, clinic: str = "", environ: dict[str, str] | None = None) -> Config:
    (folder / "syncd.toml").write_text(CONFIG.format(alerts=said, clinic=clinic))
    return load_config(folder / "syncd.toml", environ or {})


def test_a_portal_can_have_people_of_its_own_who_are_told_through_it(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        f'[alerts]\nemail = ["anna@example.com"]\nheld = 3\n{SERVER}username = "u"\npassword_env = "MAIL"\n',
        '[portals.clinic.alerts]\nuser = 5\nemail = ["ivan@example.com"]\n',
        {"MAIL": PASSWORD},
    )
    routes = routes_of(config)
    assert routes.portal("sync lessons (held)") == routes.portal("portal school") == ""
    assert routes.people("") == routes.people("gone from the config") == config.alerts
    assert routes.portal("sync visits (guard)") == routes.portal("portal clinic") == "clinic"
    ivan = routes.people("clinic")
    assert ivan is not None
    assert (ivan.portal, ivan.user, ivan.email) == ("clinic", 5, ("ivan@example.com",))
    assert ivan.smtp is not None
    assert (ivan.smtp.port, ivan.smtp.security, ivan.smtp.password) == (587, "starttls", Secret(PASSWORD))
    assert config.telling == TellingConfig(guard=True, rejected=None, held=3)
    assert isinstance(config.syncs[0], SyncConfig)


def test_people_may_be_told_in_a_language_of_their_own(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        '[alerts]\ncommand = ["/bin/true"]\n',
        '[portals.clinic.alerts]\ncommand = ["/bin/true"]\nlanguage = "ru"\n',
    )
    assert config.alerts is not None
    assert config.alerts.language is None
    assert config.portal_alerts["clinic"].language == "ru"


def test_only_the_people_of_one_portal_may_be_told(tmp_path: Path) -> None:
    config = read(tmp_path, "[alerts]\nguard = false\n", '[portals.clinic.alerts]\ncommand = ["/bin/true"]\n')
    assert (config.alerts, list(config.portal_alerts), config.telling.guard) == (None, ["clinic"], False)


@pytest.mark.parametrize(
    ("said", "clinic", "message"),
    [
        ('[alerts]\nemail = ["a@example.com"]\n', "", "alerts.email needs a server"),
        (f"[alerts]\nemail = []\n{SERVER}", "", "alerts.email is empty"),
        (f'[alerts]\nemail = ["Anna <a@example.com>"]\n{SERVER}', "", "alerts.email"),
        (f'[alerts]\nemail = ["a@b.c"]\n{SERVER}username = "u"\n', "", "both username and password, or neither"),
        (
            f'[alerts]\nemail = ["a@b.c"]\n{SERVER}security = "none"\nusername="u"\npassword="p"\n',
            "",
            "in the clear",
        ),
        (f'[alerts]\nemail = ["a@b.c"]\n{SERVER}port = 0\n', "", "alerts.smtp.port must be 1 to 65535"),
        (
            f'[alerts]\nemail = ["a@b.c"]\n{SERVER}ca_file = "no.pem"\n',
            "",
            "alerts.smtp.ca_file: ca_file no.pem cannot",
        ),
        (
            f'[alerts]\nemail = ["a@b.c"]\n{SERVER}ca_file = "syncd.toml"\n',
            "",
            "ca_file syncd.toml cannot be used: it holds",
        ),
        (f'[alerts]\nemail = ["a@b.c"]\n{SERVER}password_file = "no.txt"\n', "", "alerts.smtp.password_file names"),
        (f'[alerts]\nemail = ["a@b.c"]\n{SERVER.replace("smtp.example.com", "https://x")}', "", "alerts.smtp.host"),
        ('[alerts]\ncommand = ["x"]\nheld = 0\n', "", "alerts.held must be at least 1"),
        ('[alerts]\ncommand = ["x"]\nlanguage = "de"\n', "", "alerts.language"),
        ("", "[portals.clinic.alerts]\n", "portals.clinic.alerts tells nobody"),
        ("", '[portals.clinic.alerts]\nsmtp = { host = "x" }\n', "portals.clinic.alerts.smtp is not a known key"),
    ],
)
def test_alerts_that_could_not_be_sent_are_refused_with_their_key(
    tmp_path: Path, said: str, clinic: str, message: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, said, clinic)
    assert message in str(raised.value)
    assert "syncd.toml:" in str(raised.value)
