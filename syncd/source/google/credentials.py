"""Access tokens: from the key of a service account, or from the refresh token of a person who has agreed.

https://developers.google.com/identity/protocols/oauth2/service-account#httprest, .../oauth2/native-app#offline.
google-auth signs; the requests are those of our own client, with its limits, proxies and certificates.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from syncd.clock import Clock
from syncd.errors import ConfigError, SourceError
from syncd.lang.saying import say
from syncd.model.encoding import decoded
from syncd.net import keeps_secrets
from syncd.source.web.web_client import WebAnswer, WebClient

TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
CALENDAR_SCOPE = "https://www.googleapis.com/auth/calendar.readonly"
DIRECTORY_SCOPE = "https://www.googleapis.com/auth/admin.directory.user.readonly"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LASTS_S = 3600
_MARGIN_S = 300.0
"""A token is renewed so long before it ends: a reading may take that long."""
_LARGEST_SKEW_S = 120.0
_ENOUGH = ("calendar", "calendar.readonly", "calendar.events", "calendar.events.readonly")
_SCOPES = "https://www.googleapis.com/auth/"


Decoded = TypeVar("Decoded")


class LoginError(SourceError):
    """Google gives no token; `for_all` is True if it gives none for anybody, whoever is read."""

    def __init__(self, message: str, remedy: str, *, for_all: bool) -> None:
        super().__init__(message, remedy)
        self.for_all = for_all


class KeyFile(msgspec.Struct, frozen=True, kw_only=True):
    """A key of a service account, a client of an installed application, or a person's token: Google's JSON files."""

    type: str = ""
    client_email: str = ""
    client_id: str = ""
    client_secret: str = ""
    private_key: str = ""
    private_key_id: str = ""
    refresh_token: str = ""
    token_uri: str = TOKEN_URI
    auth_uri: str = "https://accounts.google.com/o/oauth2/v2/auth"


class _ClientFile(msgspec.Struct, frozen=True, kw_only=True):
    installed: KeyFile | None = None
    web: KeyFile | None = None


def read_key(text: str, *, where: str) -> KeyFile:
    """Return a service account's key; raises ConfigError, without any of it, for anything else."""
    key = _decoded(text, KeyFile, f"{where}: key", say("download it: IAM & Admin, Service accounts, Keys, JSON"))
    if key.type != "service_account" or not key.private_key or not key.client_email:
        raise ConfigError(
            say("{where}: key is of type {kind!r}, not that of a service account", where=where, kind=key.type)
            if key.type in ("authorized_user", "external_account")
            else say("{where}: key is of no known type, not that of a service account", where=where),
            say("a person's token is given as token"),
        )
    return _safe(key, f"{where}: key")


def read_client(text: str, *, where: str) -> KeyFile:
    """Return the client of an installed application; raises ConfigError, without any of it, for anything else."""
    remedy = say('download it: Google Auth Platform, Clients, of type "Desktop app"')
    file = _decoded(text, _ClientFile, f"{where}: client_secret", remedy)
    if file.installed is None:
        raise ConfigError(
            say("{where}: client_secret is that of a web application", where=where)
            if file.web is not None
            else say("{where}: client_secret is no client of an application", where=where),
            remedy,
        )
    return _safe(file.installed, f"{where}: client_secret")


def read_token(text: str, client: KeyFile | None, *, where: str) -> KeyFile:
    """Return what a person's token and the application's client give; raises ConfigError, without any of it."""
    if text.lstrip().startswith("{"):
        key = _decoded(text, KeyFile, f"{where}: token", say("make it again: syncd source authorize"))
    else:
        key = KeyFile(type="authorized_user", refresh_token=text.strip())
    if client is not None:
        key = msgspec.structs.replace(client, type="authorized_user", refresh_token=key.refresh_token)
    if not key.refresh_token:
        raise ConfigError(
            say("{where}: token holds no refresh_token", where=where), say("make it again: syncd source authorize")
        )
    if not key.client_id:
        raise ConfigError(
            say("{where}: a bare token goes with the client that it was made for", where=where),
            say("give client_secret_file"),
        )
    return _safe(key, f"{where}: token")


def _decoded(text: str, kind: type[Decoded], name: str, remedy: str) -> Decoded:
    try:
        return decoded(text.encode("utf-8", "replace"), type=kind)
    except msgspec.DecodeError:  # what it says may quote the secret
        raise ConfigError(say("{name} is not the JSON that Google gives", name=name), remedy) from None


def _safe(key: KeyFile, name: str) -> KeyFile:
    if not keeps_secrets(key.token_uri):
        raise ConfigError(
            say("{name} names an address for tokens without encryption", name=name), say("download the file again")
        )
    return key


def can_sign() -> bool:
    """Return True if google-auth is installed."""
    try:
        import google.auth.crypt  # noqa: F401, PLC0415 - an extra
    except ImportError:
        return False
    return True


@dataclass(slots=True)
class _Kept:
    token: str = field(repr=False)
    until: float


class Tokens:
    """Access tokens of one account, each kept until shortly before it ends.

    A service account reads in its own name, or in that of the `subject` whom it may stand for (domain-wide delegation);
    a person only in their own.
    """

    def __init__(self, key: KeyFile, clock: Clock) -> None:
        self._key = key
        self._clock = clock
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}
        self._sign: Sign | None = None

    @property
    def uri(self) -> str:
        """The address that tokens come from."""
        return self._key.token_uri

    @property
    def reader(self) -> str:
        """Who reads where nobody is named: whom a calendar has to be shared with."""
        return self._key.client_email

    @property
    def account(self) -> str:
        """What tells this account from any other; it gives no secret away."""
        named = repr((self._key.client_email, self._key.client_id, self._key.refresh_token))
        return blake2b(named.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    async def token(self, client: WebClient, subject: str, scope: str) -> str:
        """Return a token that lasts for a while yet; raises SourceError with the remedy if there is none to be had."""
        name = (subject, scope)
        async with self._locks.setdefault(name, asyncio.Lock()):
            kept = self._kept.get(name)
            if kept is None or kept.until - _MARGIN_S <= self._clock.now():
                kept = self._kept[name] = await self._asked(client, subject, scope)
            return kept.token

    def forget(self, subject: str, scope: str, token: str) -> None:
        """Give up a token that was not accepted, unless there is another one already."""
        kept = self._kept.get((subject, scope))
        if kept is not None and kept.token == token:
            del self._kept[subject, scope]

    async def _asked(self, client: WebClient, subject: str, scope: str) -> _Kept:
        form = await asyncio.to_thread(self._form, subject, scope)
        answer = await client.ask(
            "POST",
            self.uri,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode(form).encode(),
            at_home=True,
        )
        said = _said(answer)
        token = said.get("access_token")
        if answer.status != 200 or not isinstance(token, str):
            raise self._refused(answer, said, subject, scope)
        granted = said.get("scope")
        if isinstance(granted, str) and granted and not _is_enough(granted, scope):
            text = say("the account has not agreed that its calendars are read (scope calendar.readonly)")
            raise LoginError(text, say("syncd source authorize, and tick the calendar on Google's page"), for_all=True)
        lasts = said.get("expires_in")
        return _Kept(token, self._clock.now() + (lasts if isinstance(lasts, int) else _LASTS_S))

    def _form(self, subject: str, scope: str) -> dict[str, str]:
        if not self._key.private_key:
            return {
                "grant_type": "refresh_token",
                "refresh_token": self._key.refresh_token,
                "client_id": self._key.client_id,
                "client_secret": self._key.client_secret,
            }
        # Reading the key takes longer than all the signatures of a company.
        self._sign = self._sign or _signer(self._key)
        now = int(self._clock.now())
        claims = {"iss": self._key.client_email, "scope": scope, "aud": self.uri, "iat": now, "exp": now + _LASTS_S}
        return {"grant_type": _GRANT, "assertion": self._sign({**claims, **({"sub": subject} if subject else {})})}

    def _refused(self, answer: WebAnswer, said: Mapping[str, object], subject: str, scope: str) -> LoginError:
        code, why = (str(said.get(name, "")) for name in ("error", "error_description"))
        if code == "invalid_grant" and self._key.private_key and ("short-lived" in why or "timeframe" in why):
            return LoginError(self._off(answer), say("set the clock, best by NTP"), for_all=True)
        if not self._key.private_key:
            text, remedy = _persons_refusal(code, why)
            message = say("{message} ({code})", message=text, code=code or str(answer.status))
            return LoginError(message, remedy, for_all=True)
        text, remedy, for_all = _robots_refusal(code, why, subject, scope)
        message = say("{message} ({code})", message=text, code=code or str(answer.status))
        return LoginError(message, remedy, for_all=for_all)

    def _off(self, answer: WebAnswer) -> str:
        """Return that this machine's clock is wrong, and how far it is from the server's if that is known."""
        wrong = say("Google refuses the key: this machine's clock is wrong")
        try:
            skew_s = self._clock.now() - parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
        except ValueError:
            return wrong
        if abs(skew_s) < _LARGEST_SKEW_S:
            return wrong
        if skew_s > 0:
            return say("Google refuses the key: this machine's clock is {seconds:.0f} s fast", seconds=skew_s)
        return say("Google refuses the key: this machine's clock is {seconds:.0f} s slow", seconds=-skew_s)


Sign = Callable[[Mapping[str, object]], str]


def _signer(key: KeyFile) -> Sign:
    """Return what signs the claims of a service account; raises LoginError for a key that cannot sign."""
    from google.auth import crypt, jwt  # noqa: PLC0415 - an extra, and slow to import

    # google-auth is marked as typed, and what is called here has no types.
    try:
        signer = crypt.RSASigner.from_string(key.private_key, key.private_key_id)  # type: ignore[no-untyped-call]
    except ValueError:  # what it says may quote the key
        raise LoginError(
            say("the private key in key cannot be read"), say("download the key again"), for_all=True
        ) from None

    def sign(claims: Mapping[str, object]) -> str:
        signed: bytes = jwt.encode(signer, claims)  # type: ignore[no-untyped-call]
        return signed.decode()

    return sign


def _said(answer: WebAnswer) -> Mapping[str, object]:
    try:
        found = decoded(answer.body)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_enough(granted: str, wanted: str) -> bool:
    allowed = {wanted, *(_SCOPES + name for name in _ENOUGH)} if wanted == CALENDAR_SCOPE else {wanted}
    return not allowed.isdisjoint(granted.split())


def _robots_refusal(code: str, why: str, subject: str, scope: str) -> tuple[str, str, bool]:
    """Return what a refusal of a service account means, what to do, and whether it concerns everybody."""
    match code:
        case "unauthorized_client":
            # Also for an address of somebody else's domain, where the others may well be read.
            return (
                say("the service account may not read in the name of {person}", person=subject or say("anybody")),
                say(
                    "let it: Admin console, Security, API controls, Domain-wide delegation, its client id with the"
                    " scope {scope}; an address of another domain has to be shared instead",
                    scope=scope,
                ),
                False,
            )
        case "invalid_grant" if "Invalid email" in why or "User ID" in why:
            nobody = say("there is nobody called {person} in the domain", person=subject)
            return nobody, say("correct the address"), False
        case "invalid_grant":
            deleted = say("Google knows no such key: it was deleted, or its service account was")
            return deleted, say("make a new key"), True
        case _:
            refused = say("Google does not let the service account in")
            return _with_words(refused, why), say("check key"), True


def _persons_refusal(code: str, why: str) -> tuple[str, str]:
    """Return what a refusal of a person's token means, and what to do."""
    match code:
        case "invalid_grant":
            return (
                say("the token has expired or was revoked"),
                say(
                    "make it again: syncd source authorize; where it ends after seven days, the application is still"
                    ' in testing: publish it (Google Auth Platform, Audience, "In production")'
                ),
            )
        case "invalid_client" | "unauthorized_client" | "deleted_client":
            unknown = say("Google knows no such application, or its secret is another one")
            return unknown, say("check client_secret and token")
        case "admin_policy_enforced":
            return say("an administrator does not let this application read calendars"), say("ask him to trust it")
        case _:
            return _with_words(say("Google does not let this account in"), why), say("syncd source authorize")


def _with_words(message: str, why: str) -> str:
    return say("{message}: {said}", message=message, said=why[:200]) if why else message
