"""`syncd portal authorize`: has an administrator's browser authorise an application, and keeps the tokens."""

from __future__ import annotations

import argparse
import asyncio
from secrets import token_urlsafe
from typing import Any

from syncd.cli.desk import Desk
from syncd.config import PortalConfig
from syncd.errors import (
    ConfigError,
    PortalRefusedError,
    PortalUnreachableError,
    PortalUnusableError,
    StoppedError,
    SyncdError,
    message_of,
)
from syncd.lang.saying import say
from syncd.model.json_values import Json
from syncd.portal.client import Portal
from syncd.portal.line.remedies import application_remedy
from syncd.portal.line.shapes import rows_of
from syncd.portal.oauth.application import Application
from syncd.portal.oauth.grants import (
    CODE_LASTS_S,
    Authorisation,
    Denied,
    Granted,
    Silent,
    TokenAnswer,
    code_in,
    link_of,
)

_TRIES = 3
_BROWSER_WITHIN_S = 300.0


async def authorize(arguments: argparse.Namespace, desk: Desk) -> int:
    """Print the link, take the code, and keep the tokens, with a second chain of them in reserve."""
    config, portal, application = _chosen(arguments, desk)
    desk.note(
        say(
            "Open this address in the browser of the user as whom syncd is to work in {host}, an administrator:",
            host=config.host,
        )
    )
    kept = await _authorised(arguments, desk, config, application, spare=False)
    desk.note(say("authorised at {origin}, as user {user}", origin=kept.origin, user=kept.user))
    if not arguments.yes:
        kept = await _with_spare(arguments, desk, config, application) or kept
    scopes = await _scopes(desk, portal)
    if desk.states() is not None:
        for name in (sync.name for sync in desk.app.config.syncs if sync.portal == portal.name):
            _poked(desk, name)
    if arguments.json:
        document: dict[str, Json] = {
            "portal": portal.name,
            "origin": kept.origin,
            "user": kept.user,
            "spare": kept.spare is not None,
            "scopes": list(scopes),
        }
        desk.document(document)
    else:
        desk.print(
            say(
                "{name}: authorised as user {user}; it may: {scopes}",
                name=portal.name,
                user=kept.user,
                scopes=scopes or say("nothing"),
            )
        )
    return 0


def _chosen(arguments: argparse.Namespace, desk: Desk) -> tuple[PortalConfig, Portal, Application]:
    """Return the portal that is meant; raises ConfigError for a portal without an application."""
    config = desk.app.config.authorised(arguments.portal)
    portal = desk.app.portal(config.name)
    if config.app is None or portal.application is None:
        raise ConfigError(
            say("[portals.{name}] has a webhook, which needs no authorising", name=config.name),
            say("give it `app` in place of `webhook`"),
        )
    if config.unusable:
        raise PortalUnusableError(config.unusable, say("put the secret there"))
    return config, portal, portal.application


class _CodeError(PortalRefusedError):
    """The text that was pasted is not a code, or the code cannot be exchanged; another one may work."""


async def _authorised(
    arguments: argparse.Namespace, desk: Desk, config: PortalConfig, application: Application, *, spare: bool
) -> Authorisation:
    """Take a code and exchange it, up to three times: people often paste a code too late, or another text.

    An error that no code can mend, such as a wrong client_secret, ends it at once.
    """
    for number in range(_TRIES):
        state = token_urlsafe(16)
        try:
            code = await _code(desk, config, application, state, optional=spare)
            given = _granted(config.name, await application.exchange(code))
            return await application.take(given, spare=spare, force=arguments.force)
        except _CodeError as error:
            if number == _TRIES - 1 or desk.stop.is_set():
                raise
            desk.note(say("{message}; once more, please:", message=error.message))
    raise AssertionError("the last try returns or raises")


async def _code(desk: Desk, config: PortalConfig, application: Application, state: str, *, optional: bool) -> str:
    assert config.app is not None
    link = link_of(config.app.address, client_id=config.app.client_id, state=state)
    if _comes_by_itself(desk):
        desk.print(link)
        desk.note(say("waiting for the browser, which the portal sends on to public_url of [http]"))
        return await _arrived(desk, application, state)
    desk.print(link)
    desk.note(
        say(
            "The browser then shows an address with code=... in it, which is valid for {seconds} s.",
            seconds=CODE_LASTS_S,
        )
    )
    typed = await desk.asked(
        say("paste that address here (or just Enter)") if optional else say("paste that address here")
    )
    if typed is None or (optional and not typed.strip()):
        raise StoppedError(say("no code was given; nothing more was kept"))
    try:
        return code_in(typed, state=state)
    except ValueError as error:
        raise _CodeError(message_of(error)) from None


def _comes_by_itself(desk: Desk) -> bool:
    """Return True if the portal sends the browser, and with it the code, to the running daemon."""
    http = desk.app.config.http
    return desk.states() is not None and http is not None and http.public_url is not None


async def _arrived(desk: Desk, application: Application, state: str) -> str:
    came = application.awaiting(state)
    stopped = asyncio.ensure_future(desk.stop.wait())
    late = asyncio.ensure_future(desk.app.clock.sleep(_BROWSER_WITHIN_S))
    waits: list[asyncio.Future[Any]] = [came, stopped, late]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if came.done():
            return came.result()
        raise StoppedError(
            say("no browser came; nothing was kept"), say("is public_url reached from outside? then once more")
        )
    finally:
        application.awaits_no_more(state)
        stopped.cancel()
        late.cancel()


def _granted(name: str, answer: TokenAnswer) -> Granted:
    """Return the tokens; raises the error that says why there are none."""
    match answer:
        case Granted():
            return answer
        case Denied(code=code, description=said) if code.upper() == "INVALID_GRANT":
            raise _CodeError(
                say(
                    "the code is not accepted ({said}): it is valid for {seconds} s, and once",
                    said=said or code,
                    seconds=CODE_LASTS_S,
                ),
                say("open the link again, and paste the new address at once"),
            )
        case Denied(code=code, description=said):
            raise PortalRefusedError(
                say("the OAuth server gives no tokens: {code}: {said}", code=code, said=said)
                if said
                else say("the OAuth server gives no tokens: {code}", code=code),
                application_remedy(code, name),
            )
        case Silent(reason=reason):
            raise PortalUnreachableError(
                say("the OAuth server gives no tokens: {reason}", reason=reason), say("once more, with a new code")
            )


async def _with_spare(
    arguments: argparse.Namespace, desk: Desk, config: PortalConfig, application: Application
) -> Authorisation | None:
    """Take a second chain of tokens, or none if nobody gives a second code.

    If each refresh token works once only, losing an answer on its way would lock syncd out.
    """
    desk.note(
        say(
            "Once more, for a second set of tokens in reserve: if an answer with new ones is ever lost, it saves this"
            " step"
        )
    )
    try:
        return await _authorised(arguments, desk, config, application, spare=True)
    except StoppedError:
        desk.note(say("there is no second set; `syncd portal authorize` takes one at any time"))
        return None


async def _scopes(desk: Desk, portal: Portal) -> tuple[str, ...]:
    try:
        return tuple(sorted(str(one) for one in rows_of(await portal.read("scope", {}))))
    except SyncdError as error:
        desk.note(say("what it may do cannot be read yet: {message}", message=error.message))
        return ()


def _poked(desk: Desk, name: str) -> None:
    try:
        desk.poke(name)
    except ConfigError:
        return  # paused: it is left alone
