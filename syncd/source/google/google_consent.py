"""The consent of a person at Google, as an installed application asks for it: a browser, which leads back to here.

https://developers.google.com/identity/protocols/oauth2/native-app. Codes for devices without a browser are not given
for calendars (.../oauth2/limited-input-device#allowedscopes). Where the browser is on another machine, it cannot lead
back: the address at which it ends is typed in instead.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from syncd.clock import Clock
from syncd.errors import ConfigError, SourceError
from syncd.lang.catalog import told
from syncd.lang.saying import say
from syncd.model.encoding import decoded, encoded
from syncd.source.accounts.consent import Show, Typed
from syncd.source.google.credentials import CALENDAR_SCOPE, KeyFile, read_client
from syncd.source.google.google_options import GoogleOptions, read_web, secret_of
from syncd.source.options import read_options
from syncd.source.web.access import Access, shown
from syncd.source.web.web_client import WebClient, in_time

_PAGE = (
    "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n\r\n"
    "<!DOCTYPE html><title>syncd</title><p>{}</p>"
)
_LONGEST_LINE = 16_384


def open_consent(options: Mapping[str, object], base: Path, *, where: str, clock: Clock) -> GoogleConsent:
    """Return the consent for a source of Google calendars; raises ConfigError beginning with `where`."""
    chosen = read_options(GoogleOptions, options, where=where)
    text = secret_of(chosen, "client_secret", base, where=where)
    if text is None:
        remedy = say("give client_secret_file; a service account (key) needs no consent")
        raise ConfigError(say("{where}: a person's consent needs the client of an application", where=where), remedy)
    return GoogleConsent(read_client(text, where=where), read_web(chosen, base, where=where), clock)


class GoogleConsent:
    """Asks one person, by the application's `client`."""

    def __init__(self, client: KeyFile, access: Access, clock: Clock) -> None:
        self._client = client
        self._access = replace(access, url=client.token_uri, shown=shown(client.token_uri))
        self._clock = clock

    async def ask(self, show: Show, typed: Typed) -> str:
        """Return the JSON of Google's "authorized_user": the refresh token with the application's client."""
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(64)
        async with _listening() as (back, answers):
            show(say("Open this address in a browser, and agree that your calendars are read:"))
            show(self._address(back, state, verifier))
            show(
                say("Where the browser is on another machine, it ends on a page it cannot show: type its address here.")
            )
            code = _code(await _first(answers, typed), state)
        return await self._exchanged(code, verifier, back)

    def _address(self, back: str, state: str, verifier: str) -> str:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "client_id": self._client.client_id, "redirect_uri": back, "response_type": "code", "scope": CALENDAR_SCOPE,
            "state": state, "code_challenge": challenge, "code_challenge_method": "S256", "access_type": "offline",
            "prompt": "consent",  # without it there is a refresh token the first time only
        }  # fmt: skip
        return f"{self._client.auth_uri}?{urlencode(asked)}"

    async def _exchanged(self, code: str, verifier: str, back: str) -> str:
        form = {
            "grant_type": "authorization_code", "code": code, "code_verifier": verifier, "redirect_uri": back,
            "client_id": self._client.client_id, "client_secret": self._client.client_secret,
        }  # fmt: skip
        async with in_time(self._access), WebClient(self._access, self._clock) as client:
            answer = await client.ask(
                "POST",
                self._client.token_uri,
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                body=urlencode(form).encode(),
                at_home=True,
            )
        try:
            said = decoded(answer.body, type=dict[str, str | int])
        except msgspec.DecodeError:
            said = {}
        token = said.get("refresh_token")
        if answer.status != 200 or not isinstance(token, str):
            why = said.get("error_description") or said.get("error") or answer.status
            raise SourceError(
                say("Google gives no token for this consent ({why})", why=why), say("start again; a code counts once")
            )
        if CALENDAR_SCOPE not in str(said.get("scope", CALENDAR_SCOPE)).split():
            raise SourceError(say("the calendar was not ticked on Google's page"), say("start again, and tick it"))
        kept = {
            "type": "authorized_user", "client_id": self._client.client_id, "refresh_token": token,
            "client_secret": self._client.client_secret, "token_uri": self._client.token_uri,
        }  # fmt: skip
        return encoded(kept).decode()


@asynccontextmanager
async def _listening() -> AsyncIterator[tuple[str, asyncio.Queue[str]]]:
    """Listen on loopback for the browser that comes back; yields the address, and the paths that are asked for."""
    answers: asyncio.Queue[str] = asyncio.Queue()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readline()).decode("latin-1")
        path = line.split(" ")[1] if line.startswith("GET ") and line.count(" ") > 1 else ""
        asked = parse_qs(urlsplit(path).query)
        if "code" in asked or "error" in asked:  # browsers ask for an icon as well
            answers.put_nowait(path)
        said = say("Done: this page can be closed.") if "code" in asked else say("Nothing was agreed to.")
        writer.write(_PAGE.format(told(said)).encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=_LONGEST_LINE)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", answers
    finally:
        # Connections are not waited for: browsers open some ahead that they may never use.
        server.close()


async def _first(answers: asyncio.Queue[str], typed: Typed) -> str:
    """Return where the browser came back to, here or as it is typed in; raises SourceError if nobody can do either."""
    came, line = asyncio.ensure_future(answers.get()), asyncio.ensure_future(typed())
    try:
        await asyncio.wait((came, line), return_when=asyncio.FIRST_COMPLETED)
        if not came.done() and line.result() is None:
            # Nobody can type here, so the browser has to come; a signal cancels the waiting.
            await came
        return came.result() if came.done() else line.result() or ""
    finally:
        for one in (came, line):
            one.cancel()


def _code(path: str, state: str) -> str:
    """Return the code in the address at which the browser ended; raises SourceError for any other."""
    asked = parse_qs(urlsplit(path.strip()).query)
    if "error" in asked:
        raise SourceError(say("it was not agreed to ({error})", error=asked["error"][0][:80]), say("start again"))
    if "code" not in asked:
        raise SourceError(
            say("that is not the address of the last page"), say("it begins with http://127.0.0.1 and has a code in it")
        )
    if asked.get("state") != [state]:
        raise SourceError(
            say("that address belongs to another attempt"), say("take the one of the page that this call has opened")
        )
    return asked["code"][0]
