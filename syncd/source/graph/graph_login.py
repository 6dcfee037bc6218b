"""How syncd logs in to Microsoft 365: tokens of Entra ID, by msal, in a thread.

as whom                            with what
the application itself             a secret or a certificate (client credentials)
a person who allowed it once       the refresh token that `syncd source authorize` keeps (device code)

msal is an extra and slow to import, so it is imported when a token is wanted. It keeps access tokens until they expire.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from syncd.errors import ConfigError, SourceError
from syncd.lang.saying import Saying, say
from syncd.source.web.error import WebError

if TYPE_CHECKING:
    import msal
    import requests

P = ParamSpec("P")
R = TypeVar("R")
PUBLIC_CLOUD = "https://login.microsoftonline.com"
_CODE = re.compile(r"AADSTS(\d+)")
_SCHEDULE_SCOPES = ("Calendars.Read", "Calendars.Read.Shared")
_REMEDIES: Mapping[int, str] = {
    7000215: say("give the secret's value, not its id, as client_secret; if it is lost, make a new one"),
    7000222: say("the client secret has expired: make a new one in the application's registration"),
    700016: say("check client_id and tenant: the tenant has no such application"),
    700024: say(
        "the certificate's proof is from another time: set this machine's clock, and check the certificate's dates"
    ),
    700027: say("upload the certificate to the application's registration, or give the one that stands there"),
    700030: say("the certificate has expired: make a new one and upload it"),
    90002: say("check tenant: it is the tenant's id or one of its domains"),
    900023: say("check tenant: it is the tenant's id or one of its domains"),
    50034: say("the account is not in this tenant"),
    50057: say("the account is disabled: let another one log in, with syncd source authorize"),
    50076: say("the account has to prove itself again: syncd source authorize"),
    50079: say("the account has to prove itself again: syncd source authorize"),
    50173: say("the login was revoked, as by a new password: syncd source authorize"),
    53003: say("a rule of conditional access forbids it: let it allow this application or this machine's address"),
    65001: say("nobody has consented: let an administrator grant the application Calendars.Read"),
    70000: say("the login does not hold any more: syncd source authorize"),
    700082: say("the login has expired, as nothing used it for long: syncd source authorize"),
    70008: say("the login has expired, as nothing used it for long: syncd source authorize"),
    70043: say("the login has expired by a rule of the tenant: syncd source authorize"),
    7000112: say("the application is disabled: let an administrator enable it"),
}
"""What to do about the errors of Entra ID (reference "Authentication and authorization error codes")."""
_RELOGIN = say("syncd source authorize")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginOptions:
    """What a login needs. `secret` and `certificate` are for the application itself; without both a person logs in.

    `certificate` holds the private key and the certificate in PEM, `token` what `kept_token` returned for the person.
    `authority` is the address of Entra ID, `resource` that of Graph, `ca_file` what is trusted in place of the usual
    authorities.
    """

    tenant: str
    client_id: str
    secret: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    authority: str = PUBLIC_CLOUD
    resource: str = "https://graph.microsoft.com"
    ca_file: Path | None = None
    timeout_s: float = 60.0

    @property
    def as_person(self) -> bool:
        """Whether a person logs in."""
        return not self.secret and not self.certificate


class LoginError(WebError):
    """No token is to be had; nothing will work before somebody does something about it, unless it is transient."""


class GraphLogin:
    """Gets tokens for one application; `save` is called, in a thread, with what is to be kept of a person's login.

    `unkept` says why the last of it could not be kept, "" if it could.
    """

    def __init__(self, options: LoginOptions, save: Callable[[str], None] | None = None) -> None:
        self._options = options
        self._save = save
        self.unkept = ""
        self._app: msal.ClientApplication | None = None
        self._kept, self._person = _read_kept(options.token)
        self._http = _Http(options)
        self._lock = threading.Lock()

    @property
    def who(self) -> str:
        """What tells this login from another one: the application, and who has logged in to it, if a person has.

        "me" is the calendar of another person after somebody else has logged in.
        """
        return f"{self._options.client_id} {self._options.as_person} {self._person if self._options.as_person else ''}"

    async def token(self, *, renewed: bool = False) -> str:
        """Return an access token, with `renewed` another one than before; raises LoginError."""
        return await asyncio.to_thread(self._token, renewed=renewed)

    def _token(self, *, renewed: bool) -> str:
        # A pass that was cancelled leaves its thread behind, and msal's objects are for one thread at a time.
        # Closed, as tokens are asked for once an hour, and a connection would wait all that time.
        with self._lock, closing(self._http):
            result = self._asked(renewed=renewed)
            self._keep()
        token = result.get("access_token")
        if isinstance(token, str) and token:
            return token
        raise login_error(result)

    def _asked(self, *, renewed: bool) -> dict[str, Any]:
        options = self._options
        app = self._opened()
        if not options.as_person:
            if renewed:
                _called(app.remove_tokens_for_client)
            found: dict[str, Any] = _called(app.acquire_token_for_client, scopes=[f"{options.resource}/.default"])
            return found
        scopes = scopes_of(options)
        accounts = app.get_accounts()
        if accounts:
            answer = _called(app.acquire_token_silent_with_error, scopes, account=accounts[0], force_refresh=renewed)
            return answer or {"error": "no_token", "error_description": say("the login is not kept any more")}
        if not self._kept:
            raise LoginError(say("nobody has logged in to Microsoft 365 for this sync"), _RELOGIN)
        answer = _called(app.acquire_token_by_refresh_token, self._kept, scopes)
        return answer or {"error": "no_token"}

    def begin_device(self) -> dict[str, Any]:
        """Return a flow with the `message` for the person who shall log in. Blocking. Raises LoginError."""
        with self._lock, closing(self._http):
            flow: dict[str, Any] = _called(self._opened().initiate_device_flow, scopes=scopes_of(self._options))
        if "user_code" not in flow:
            raise login_error(flow)
        return flow

    def finish_device(self, flow: dict[str, Any]) -> str:
        """Wait until the person has logged in, and return what is to be kept. Blocking. Raises LoginError."""
        with self._lock, closing(self._http):
            result = _called(self._opened().acquire_token_by_device_flow, flow)
            if "access_token" not in result:
                raise login_error(result)
            return kept_token(self._newest(), _account(self._app))

    def _opened(self) -> msal.ClientApplication:
        if self._app is None:
            self._app = _called(self._open)
        return self._app

    def _open(self) -> msal.ClientApplication:
        import msal  # noqa: PLC0415 - an extra, and slow

        options = self._options
        shared: dict[str, Any] = {
            "authority": f"{options.authority.rstrip('/')}/{options.tenant}",
            "http_client": self._http,
            # Only Microsoft's public list knows which authorities there are; a configured one is trusted as it is.
            "instance_discovery": None if options.authority == PUBLIC_CLOUD else False,
        }
        if not options.as_person:
            return msal.ConfidentialClientApplication(options.client_id, client_credential=self._credential(), **shared)
        return msal.PublicClientApplication(options.client_id, **shared)

    def _credential(self) -> str | dict[str, str]:
        options = self._options
        if options.secret:
            return options.secret
        return {"private_key": options.certificate, "public_certificate": options.certificate}

    def _keep(self) -> None:
        """Keep the refresh token if it is another one: each use gives a new one, and an old one ends after 90 days."""
        newest = self._newest() if self._options.as_person else ""
        if newest and newest != self._kept:
            self._kept, self.unkept = newest, ""
            try:
                if self._save is not None:
                    self._save(kept_token(newest, _account(self._app)))
            except OSError as error:
                # The one that is kept holds for some weeks yet, so this is no reason to read nothing.
                self.unkept = error.strerror or say("it cannot be written")

    def _newest(self) -> str:
        import msal  # noqa: PLC0415 - an extra, and slow

        kind = msal.TokenCache.CredentialType.REFRESH_TOKEN
        found = [str(one.get("secret", "")) for one in self._opened().token_cache.search(kind)]
        return found[-1] if found else ""


class _Http:
    """The HTTP client of msal: requests, with the time-out and the authority of the config in every request.

    Set in the session, the authority would give way to that of the environment (REQUESTS_CA_BUNDLE).
    """

    def __init__(self, options: LoginOptions) -> None:
        self._session: requests.Session | None = None
        self._named: dict[str, Any] = {
            "timeout": options.timeout_s,
            "verify": str(options.ca_file) if options.ca_file is not None else True,
        }

    def get(self, url: str, **named: Any) -> requests.Response:  # noqa: ANN401 - whatever msal gives requests
        """Send a GET."""
        return self._opened().get(url, **self._named, **named)

    def post(self, url: str, **named: Any) -> requests.Response:  # noqa: ANN401 - whatever msal gives requests
        """Send a POST."""
        return self._opened().post(url, **self._named, **named)

    def close(self) -> None:
        """Close all connections; the next request opens others."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _opened(self) -> requests.Session:
        import requests  # noqa: PLC0415 - it comes with msal, and is slow

        if self._session is None:
            self._session = requests.Session()
        return self._session


def kept_token(refresh_token: str, account: str) -> str:
    """Return what is kept of a person's login: a small JSON document."""
    return json.dumps({"refresh_token": refresh_token, "account": account}) + "\n"


def _read_kept(kept: str) -> tuple[str, str]:
    """Return the refresh token and the account in what was kept, which may be the bare token, too."""
    if not kept.lstrip().startswith("{"):
        return kept.strip(), ""
    try:
        found = json.loads(kept)
    except ValueError:
        return "", ""
    token, account = (found.get(name) for name in ("refresh_token", "account"))
    return token if isinstance(token, str) else "", account if isinstance(account, str) else ""


def _account(app: msal.ClientApplication | None) -> str:
    accounts = app.get_accounts() if app is not None else []
    return str(accounts[0].get("username", "")) if accounts else ""


def scopes_of(options: LoginOptions) -> list[str]:
    """Return what a person is asked to allow."""
    return [f"{options.resource}/{scope}" for scope in _SCHEDULE_SCOPES]


def needs_msal(where: str) -> None:
    """Raise ConfigError, beginning with `where`, if msal is not installed."""
    from importlib.util import find_spec  # noqa: PLC0415 - asked once, when the config is checked

    if find_spec("msal") is None:
        raise ConfigError(
            say("{where}: Microsoft Graph needs msal", where=where), say("pip install msal, into the same environment")
        )


def checked_certificate(text: str, where: str) -> str:
    """Return a private key and its certificate in PEM; raises ConfigError beginning with `where` for anything else."""
    wants = say("give both in one file in PEM, the key without a passphrase")
    if "PRIVATE KEY-----" not in text or "-----BEGIN CERTIFICATE-----" not in text:
        raise ConfigError(
            say("{where}: private_key holds not a private key", where=where)
            if "PRIVATE KEY-----" not in text
            else say("{where}: private_key holds not a certificate", where=where),
            wants,
        )
    if "ENCRYPTED" in text:
        raise ConfigError(say("{where}: private_key has a passphrase", where=where), wants)
    return text


def login_error(result: Mapping[str, Any]) -> LoginError:
    """Return the error that stands for an answer of Entra ID without a token."""
    said = str(result.get("error_description") or result.get("error") or say("no reason given"))
    codes = [int(code) for code in _CODE.findall(said)]
    codes += [code for code in result.get("error_codes") or () if isinstance(code, int)]
    remedy = next((_REMEDIES[code] for code in codes if code in _REMEDIES), "")
    # What follows the sentence are ids of the request and a time, which change with each try.
    sentence = said  # a message of ours, or what Microsoft says
    if not isinstance(said, Saying):
        sentence = re.split(r"\s*(?:Trace ID|Correlation ID|Timestamp):|[\r\n]", said, maxsplit=1)[0].strip()[:300]
    if not remedy and result.get("error") in ("invalid_grant", "interaction_required", "no_token"):
        remedy = _RELOGIN
    if result.get("error") == "temporarily_unavailable":
        return LoginError(
            say("Microsoft refuses the login: {sentence}", sentence=sentence),
            say("it may work again by itself"),
            transient=True,
        )
    return LoginError(
        say("Microsoft refuses the login: {sentence}", sentence=sentence),
        remedy or say("check tenant, client_id and the secret"),
    )


def _called(function: Callable[P, R], *args: P.args, **named: P.kwargs) -> R:
    """Call msal, whose errors are those of requests, of cryptography and plain ValueErrors."""
    try:
        return function(*args, **named)
    except SourceError:
        raise
    except Exception as error:  # noqa: BLE001 - see above; none of them may show the key
        raise _failure(error) from None


def _failure(error: Exception) -> LoginError:
    name = type(error).__module__.partition(".")[0]
    if name in ("requests", "urllib3") or isinstance(error, OSError):
        kind = type(error).__name__
        if "SSL" in kind:
            remedy = say("give the certificate of its authority as ca_file, if you trust it")
            return LoginError(say("no secure connection to the login server"), remedy)
        text = (
            say("the login server cannot be reached")
            if "Connection" in kind
            else say("the login server does not answer")
        )
        return LoginError(text, say("check the network, and authority if it is given"), transient=True)
    if type(error).__name__ == "MsalServiceError":
        # What msal raises in place of an answer is a failure of Entra ID itself; that of requests never gets out.
        return LoginError(say("the login server has failed"), say("it may work again by itself"), transient=True)
    if "authority" in str(error).lower() or "discovery" in str(error).lower():
        return LoginError(
            say("the login server knows no such tenant"), say("check tenant, and authority if it is given")
        )
    return LoginError(
        say("the certificate cannot be used"), say("give private key and certificate in PEM, without a passphrase")
    )
