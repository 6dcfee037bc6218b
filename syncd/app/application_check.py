"""The part of `syncd check` about an application: how long its tokens last, and whether the portal reports edits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from syncd.config import Config
from syncd.lang.saying import joined, say, say_count
from syncd.portal.client import Portal
from syncd.portal.line.remedies import CommandRefusedError
from syncd.portal.oauth.application import Application
from syncd.portal.oauth.event_queue import bound_count
from syncd.portal.oauth.grants import REFRESH_LASTS_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One line: with a `remedy` it is an obstacle, without one all is well."""

    detail: str
    remedy: str = ""


def tokens_told(application: Application, now: float) -> Told:
    """Return how long the tokens last by themselves, and whether others are in reserve."""
    own = application.authorisation
    assert own is not None, "the portal has answered"
    days = max(0.0, REFRESH_LASTS_S - (now - own.chain.since)) / 86_400
    detail = say_count(
        "authorised as user {user}, for {count} day without use",
        "authorised as user {user}, for {count} days without use",
        round(days),
        user=own.user,
    )
    if own.spare is not None:
        return Told(detail=say("{detail}; a second set of tokens is in reserve", detail=detail))
    more = say("no second set of tokens in reserve: `syncd portal authorize {name}` takes one", name=application.name)
    return Told(detail=joined([detail, more]))


async def events_told(config: Config, portal: Portal, application: Application) -> Told:
    """Return whether the portal reports people's edits; raises the client's errors."""
    app = config.portal(portal.name).app
    if app is None or app.events == "off":
        return await _off_told(portal)
    if app.events == "online" and (
        application.authorisation is None or not application.authorisation.application_token
    ):
        assert config.http is not None and config.http.public_url is not None
        path = f"{config.http.public_url}app/{portal.name}/install"
        return Told(
            detail=say("has never brought the token by which its events prove where they come from"),
            remedy=say(
                "name {path} as the installation path in the application's settings, and install it again while"
                " syncd runs",
                path=path,
            ),
        )
    try:
        bound = await bound_count(portal)
        profile = {} if bound or app.events == "online" else await portal.read("profile", {})
    except CommandRefusedError as error:
        return Told(
            detail=say("tells no edits: {message}", message=error.message),
            remedy=say("have an administrator authorise the application"),
        )
    if isinstance(profile, Mapping) and profile.get("ADMIN") is False:
        return Told(
            detail=say("tells no edits: only an administrator may ask for them"),
            remedy=say('have one run `syncd portal authorize {name}`, or set events = "off" in app', name=portal.name),
        )
    if not bound:
        return Told(
            detail=say("will tell of people's edits once `syncd run` has asked it to; until then reading it finds them")
        )
    return Told(
        detail=say_count(
            "tells of people's edits: {count} kinds of events are bound, {events}",
            "tells of people's edits: {count} kinds of events are bound, {events}",
            bound,
            events=app.events,
        )
    )


async def _off_told(portal: Portal) -> Told:
    detail = say("is not asked for people's edits: reading it finds them, every verify_every")
    try:
        bound = await bound_count(portal)
    except CommandRefusedError:
        bound = 0
    if not bound:
        return Told(detail=detail)
    more = say_count(
        "{detail}; {count} kinds of events are bound from before, which `syncd run` ends",
        "{detail}; {count} kinds of events are bound from before, which `syncd run` ends",
        bound,
        detail=detail,
    )
    return Told(detail=more)
