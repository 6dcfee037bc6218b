"""What an application is authorised by, and what the OAuth server answers. Pure (PORTAL.md 11.1, 11.2).

A chain is a refresh token with the access token that came with it; each renewal gives the next link of it. Two chains
do not know each other, so a spare one survives whatever breaks the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from syncd.lang.saying import say
from syncd.model.json_values import loads
from syncd.net import is_loopback, is_renaming

_LONGEST_TEXT = 300
_LONGEST_TOKEN = 2048
_LONGEST_NUMBER = 18
_FAILED, _TOO_MANY = 500, 429
CODE_LASTS_S = 30
"""How long the code in the browser's address may be exchanged (PORTAL.md 11.1)."""
REFRESH_LASTS_S = 180 * 86_400
"""How long a refresh token may be used (PORTAL.md 11.2)."""
RENEWED_AFTER_S = 120 * 86_400
"""A chain that nobody used is renewed from this age on. Two months are left in case the server does not answer."""


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """A refresh token and the access token beside it; `since` is the unix time at which they came."""

    access_token: str
    refresh_token: str
    since: float

    def __repr__(self) -> str:
        return f"Chain(since={self.since!r})"


class Authorisation(msgspec.Struct, frozen=True, kw_only=True):
    """What one application was given by one portal.

    `member_id` is the portal's own number, which a renaming leaves alone. `home` is the origin at which it was first
    authorised, by which the ledger knows it, `endpoint` where its REST interface is now, with a slash at the end.
    `renewing` is True while the answer to a renewal is being waited for: after a crash the chain may have been used.
    `application_token` is the secret by which events prove where they come from, "" before one came.
    """

    client_id: str
    member_id: str
    home: str
    endpoint: str
    chain: Chain
    spare: Chain | None = None
    user: int = 0
    renewing: bool = False
    application_token: str = ""

    @property
    def origin(self) -> str:
        """Where the portal is now: scheme, host and port."""
        return origin_of(self.endpoint)

    @property
    def secrets(self) -> tuple[str, ...]:
        """All values in it that may not be shown."""
        chains = (self.chain, *([self.spare] if self.spare is not None else []))
        tokens = [token for one in chains for token in (one.access_token, one.refresh_token)]
        return (*tokens, *([self.application_token] if self.application_token else []))

    def __repr__(self) -> str:
        return f"Authorisation(home={self.home!r}, endpoint={self.endpoint!r}, spare={self.spare is not None})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """Tokens, and the portal and user that they belong to."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    member_id: str
    endpoint: str
    user: int = 0

    def chain(self, now: float) -> Chain:
        """Return the chain that came at unix time `now`."""
        return Chain(access_token=self.access_token, refresh_token=self.refresh_token, since=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """The OAuth server's refusal. Decisions use `code` only."""

    code: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """No usable answer: the tokens may have been given out all the same. `reached` is False if it cannot have been."""

    reason: str
    reached: bool = True


TokenAnswer = Granted | Denied | Silent


def token_answer(status: int, body: bytes) -> TokenAnswer:
    """Read the OAuth server's answer to a code or a refresh token. What cannot be read with certainty is Silent.

    So is a failure of the server itself: it says nothing about the tokens, which may have been given out before it.
    """
    try:
        said = loads(body)
    except ValueError:
        return Silent(reason=say("HTTP {status} without readable JSON", status=status))
    if not isinstance(said, Mapping):
        return Silent(reason=say("HTTP {status} with JSON that is not an answer", status=status))
    if isinstance(code := said.get("error"), str) and code:
        if status >= _FAILED or status == _TOO_MANY:
            return Silent(reason=say("HTTP {status}: {code}", status=status, code=_text(code)))
        return Denied(code=_text(code), description=_text(said.get("error_description")))
    return granted(said) or Silent(reason=say("HTTP {status} without tokens", status=status))


def granted(said: Mapping[str, object]) -> Granted | None:
    """Return the tokens in an answer or in the `auth` of an installation, None if there are none that can be used."""
    access, refresh, member = (said.get(name) for name in ("access_token", "refresh_token", "member_id"))
    endpoint = said.get("client_endpoint")
    if not (_is_token(access) and _is_token(refresh) and _is_token(member)) or not isinstance(endpoint, str):
        return None
    place = endpoint_of(endpoint)
    if place is None:
        return None
    return Granted(
        access_token=str(access), refresh_token=str(refresh), member_id=str(member), endpoint=place,
        user=_user(said.get("user_id")),
    )  # fmt: skip


def endpoint_of(text: str) -> str | None:
    """Return the address of a REST interface with one slash at its end, None if no token may be sent there."""
    try:
        parts = urlsplit(text.strip())
        _ = parts.port
    except ValueError:
        return None
    host = parts.hostname or ""
    safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    if not safe or not host or "@" in parts.netloc or parts.query or parts.fragment:
        return None
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/"


def origin_of(address: str) -> str:
    """Return scheme, host and port of an address."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def is_of(address: str, authorisation: Authorisation) -> bool:
    """Return True if the portal that the config names by `address` is the one that gave the authorisation.

    Its former and its present name count, and any name that the vendor's cloud may have given it in between.
    """
    origin = origin_of(address)
    known = (authorisation.home, authorisation.origin)
    return origin in known or any(renamed(one, origin) for one in known)


def renamed(before: str, now: str) -> bool:
    """Return True if the vendor may have renamed the portal at one origin to the other (PORTAL.md 1.1)."""
    here, there = urlsplit(before), urlsplit(now)
    return here.scheme == there.scheme == "https" and is_renaming(here.hostname or "", there.hostname or "")


def link_of(address: str, *, client_id: str, state: str) -> str:
    """Return where an administrator's browser asks the portal for a code; `state` comes back beside it."""
    return f"{origin_of(address)}/oauth/authorize/?{urlencode({'client_id': client_id, 'state': state})}"


def code_in(typed: str, *, state: str) -> str:
    """Return the code in what somebody copied: the browser's whole address, its query, or the code alone.

    Raises ValueError if there is none, and for an address that another link led to.
    """
    text = typed.strip().strip("\"'<>")
    if "code=" not in text:
        if not text or "/" in text or not text.isprintable() or " " in text or len(text) > _LONGEST_TOKEN:
            raise ValueError(
                say("there is no code in it: copy the whole address that the browser shows, with code=...")
            )
        return text
    pairs = parse_qs(text.partition("?")[2] or text)
    if "state" in pairs and pairs["state"] != [state]:
        raise ValueError(
            say("it belongs to another link: open the link that was printed last, and copy the new address")
        )
    codes = pairs.get("code", [])
    if len(codes) != 1:
        raise ValueError(say("there is no code in it: copy the whole address that the browser shows"))
    return codes[0]


def advanced(authorisation: Authorisation, given: Granted, now: float) -> Authorisation:
    """Return the authorisation after a renewal of its chain: new tokens, and the portal's present address."""
    user = given.user or authorisation.user
    return msgspec.structs.replace(
        authorisation, chain=given.chain(now), endpoint=given.endpoint, user=user, renewing=False
    )


def on_spare(authorisation: Authorisation, given: Granted, now: float) -> Authorisation:
    """Return the authorisation that goes on with its spare chain, which was just renewed; there is no spare then."""
    return msgspec.structs.replace(advanced(authorisation, given, now), spare=None)


def _is_token(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_TOKEN and value.isprintable() and " " not in value


def _user(value: object) -> int:
    """Return the number of a user, 0 for any other value: the tokens beside it are not lost because of it."""
    text = str(value) if isinstance(value, int | str) else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER else 0


def _text(value: object) -> str:
    text = value if isinstance(value, str) else ""
    return " ".join("".join(char if char.isprintable() else " " for char in text[:_LONGEST_TEXT]).split())
