"""An application as the caller of a portal: holds its tokens and renews them, one renewal at a time.

used -> expired_token -> mark it written -> ask for new ones -> new ones written -> new ones used
                                  cut off: the same refresh token again; where it was good for one use only, the spare

Nothing is used before it is durable, and nothing renewed by whoever may not write the state (PORTAL.md 11.2).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from hmac import compare_digest
from typing import Protocol

import structlog
from msgspec.structs import replace

from syncd import events
from syncd.clock import Clock
from syncd.errors import ConfigError, GuardError, StateError, StateLockedError
from syncd.lang.saying import say
from syncd.portal.line.answers import EXPIRED
from syncd.portal.line.wire import NOT_SENT, Refused
from syncd.portal.oauth.grants import (
    RENEWED_AFTER_S,
    Authorisation,
    Denied,
    Granted,
    Silent,
    TokenAnswer,
    advanced,
    is_of,
    on_spare,
    origin_of,
    renamed,
)
from syncd.portal.oauth.token_server import TokenServer

NOT_AUTHORISED = "not_authorised"
"""Code of a refusal made here: nobody has authorised the application in this portal yet."""
ANOTHER_PORTAL = "another_portal"
"""Code of a refusal made here: the tokens that were received belong to a portal with another member_id."""
UNREADABLE = "tokens_unreadable"
"""Code of a refusal made here: the tokens in the state cannot be decrypted or understood."""
_USED_UP = "INVALID_GRANT"
_UNKNOWN_TOKEN = frozenset({"NO_AUTH_FOUND", "INVALID_TOKEN"})
_KEPT_SECRETS = 16
_HOLDER_TRIES = 20
_HOLDER_PAUSE_S = 2.0

log = structlog.get_logger()


class TokensUnreadableError(StateError):
    """The tokens in the state cannot be used, although the state itself can."""


class TokenStore(Protocol):
    """Where the tokens are kept; `syncd/state/tokens.py` keeps them in the ledger."""

    async def load(self) -> Authorisation | None:
        """Return what was stored last, None if nothing was. Raises TokensUnreadableError and StateError."""
        ...

    def held(self) -> AbstractAsyncContextManager[None]:
        """Keep all others from storing meanwhile, processes and machines. Raises StateLockedError if one may store."""
        ...

    async def store(self, authorisation: Authorisation) -> None:
        """Make it durable, while it is `held`; raises StateError."""
        ...


class Application:
    """The credential of an application. `learn` is told each secret, and may return what forgets it again.

    `name` is the portal's in the config, `address` what the config says of where it is.
    """

    kind = "application"

    def __init__(
        self,
        *,
        name: str,
        address: str,
        client_id: str,
        server: TokenServer,
        store: TokenStore,
        clock: Clock,
        learn: Callable[[str], object],
    ) -> None:
        self.name = name
        self._address = address
        self._client_id = client_id
        self._server = server
        self._store = store
        self._clock = clock
        self._learn = learn
        self._learnt: dict[str, object] = {}
        """What forgets each secret again, those in use last."""
        self._authorisation: Authorisation | None = None
        self._turn = asyncio.Lock()
        self._unreadable: Refused | None = None
        self._awaited: dict[str, asyncio.Future[str]] = {}
        self._waited_for = ""

    async def open(self) -> None:
        """Load the tokens. Raises StateError if the state cannot be read at all."""
        self._adopt(await self._loaded())

    @property
    def authorisation(self) -> Authorisation | None:
        """What the portal has given, None before anybody authorised the application."""
        return self._authorisation

    @property
    def origin(self) -> str:
        """Scheme, host and port by which the portal is known here: those under which it was first authorised."""
        return self._authorisation.home if self._authorisation is not None else origin_of(self._address)

    @property
    def moved_to(self) -> str | None:
        """The portal's present origin if it was renamed since, else None."""
        own = self._authorisation
        return own.origin if own is not None and own.origin != own.home else None

    def url(self, method: str) -> str:
        """Return the address of a method; it contains no secret."""
        endpoint = self._authorisation.endpoint if self._authorisation is not None else f"{self._address}/rest/"
        return endpoint + method

    @property
    def parameters(self) -> Mapping[str, str]:
        """The access token, for the body of a request."""
        return {"auth": self.token} if self.token else {}

    @property
    def token(self) -> str:
        """The present access token, "" without one."""
        return self._authorisation.chain.access_token if self._authorisation is not None else ""

    def scrub(self, text: str) -> str:
        """Return `text` without any of the tokens."""
        for secret in self._authorisation.secrets if self._authorisation is not None else ():
            text = text.replace(secret, "***")
        return text

    def is_stale(self, code: str) -> bool:
        """Return True if a refusal with this code says that the access token has to be renewed.

        If the answer to a renewal was lost, the portal may no longer know the old token: both ended with the renewal
        (PORTAL.md 11.2).
        """
        if code.upper() == EXPIRED:
            return True
        own = self._authorisation
        return own is not None and own.renewing and code.upper() in _UNKNOWN_TOKEN

    async def ready(self) -> Refused | None:
        """Return why nothing can be sent, None if there is a token to try."""
        if self._authorisation is None:
            await self.open()  # another process may have been given tokens since
        if self._authorisation is not None:
            return None
        return self._unreadable or _refused(NOT_AUTHORISED, say("nobody has authorised it yet"))

    async def renew(self, used: str) -> Refused | None:
        """Put other tokens in place of the access token `used`, which has expired; return why that is not possible.

        A second caller finds the new ones. Raises StateError if they cannot be written down.
        """
        async with self._turn:
            if self.token != used:
                return None
            try:
                async with self._store.held():
                    return await self._renewed(used)
            except StateLockedError:
                return await self._by_holder(used)

    async def tend(self) -> None:
        """Renew a chain that nothing else has used, before it is too old. Raises StateError.

        Do nothing if another process may write the state, as that one tends the tokens.
        """
        own, now = self._authorisation, self._clock.now()
        if own is None:
            return
        if now - own.chain.since > RENEWED_AFTER_S:
            await self.renew(self.token)
        if own.spare is not None and now - own.spare.since > RENEWED_AFTER_S:
            async with self._turn:
                try:
                    async with self._store.held():
                        await self._spare_renewed()
                except StateLockedError:
                    return

    async def take(self, given: Granted, *, spare: bool, force: bool = False) -> Authorisation:
        """Keep the tokens that an authorisation gave, as the `spare` chain or as the one in use; return what is kept.

        Raises GuardError for tokens of a portal with another member_id than before, unless `force`d, ConfigError for
        those of another portal than the config names, StateError, and StateLockedError.
        """
        async with self._turn, self._store.held():
            before = await self._loaded()
            self._check(given, before, force=force)
            if before is None or not spare:
                return await self._taken(given, before, before.application_token if before is not None else "")
            await self._keep(after := replace(before, spare=given.chain(self._clock.now())))
            return after

    async def exchange(self, code: str) -> TokenAnswer:
        """Return the tokens for the code of an authorisation; nothing is kept yet."""
        return await self._server.exchange(code)

    def awaiting(self, state: str) -> asyncio.Future[str]:
        """Return a future of the code that will come back with `state`."""
        return self._awaited.setdefault(state, asyncio.get_running_loop().create_future())

    def awaits_no_more(self, state: str) -> None:
        """Stop waiting for the code that would come back with `state`."""
        self._awaited.pop(state, None)

    def arrived(self, code: str, state: str) -> bool:
        """Hand on a code that a browser brought. Return False if nobody waits for a code with this `state`."""
        for one, came in self._awaited.items():
            if compare_digest(one.encode(), state.encode()) and not came.done():
                came.set_result(code)
                return True
        return False

    async def install(self, given: Granted, application_token: str) -> bool:
        """Keep what an installation brings, if the OAuth server renews its tokens: only genuine ones are renewed.

        Return False if it is not genuine, or of another portal. Raises StateError, and StateLockedError before anything
        is asked, as nobody could write down what comes back.
        """
        async with self._turn, self._store.held():
            answer = await self._server.refresh(given.refresh_token)
            if not isinstance(answer, Granted) or answer.member_id != given.member_id:
                return False
            before = await self._loaded()
            try:
                self._check(answer, before, force=False)
            except (ConfigError, GuardError) as error:
                log.warning(events.INSTALLATION_REFUSED, portal=self.name, reason=error.message)
                return False
            await self._taken(answer, before, application_token)
            return True

    def is_known_to(self, application_token: object, member_id: object) -> bool:
        """Return True if whoever shows these is the portal that installed the application, told in constant time."""
        own = self._authorisation
        if own is None or not own.application_token or not isinstance(application_token, str):
            return False
        return compare_digest(own.application_token.encode(), application_token.encode()) and own.member_id == member_id

    def _check(self, given: Granted, before: Authorisation | None, *, force: bool) -> None:
        there = origin_of(given.endpoint)
        if force:
            return
        if before is not None and before.member_id != given.member_id:
            raise GuardError(
                say(
                    "[portals.{name}]: the portal at {there} is another one than before; nothing was kept",
                    name=self.name,
                    there=there,
                ),
                say(
                    "a portal of its own needs a [portals.NAME] of its own; if it was set up again under the same"
                    " address: `syncd portal authorize {name} --force`",
                    name=self.name,
                ),
            )
        if there != origin_of(self._address) and not renamed(origin_of(self._address), there):
            raise ConfigError(
                say(
                    "[portals.{name}]: the code is one of {there}, the config names {origin}",
                    name=self.name,
                    there=there,
                    origin=origin_of(self._address),
                ),
                say(
                    "open the link in the portal that the config names, or correct its address; if both are the same"
                    " portal, add --force"
                ),
            )

    async def _taken(self, given: Granted, before: Authorisation | None, application_token: str) -> Authorisation:
        """Keep tokens as those in use, in place of `before`; the state is held."""
        after = Authorisation(
            client_id=self._client_id,
            member_id=given.member_id,
            home=before.home if before is not None else origin_of(self._address),
            endpoint=given.endpoint,
            chain=given.chain(self._clock.now()),
            spare=before.spare if before is not None and before.member_id == given.member_id else None,
            user=given.user,
            application_token=application_token,
        )
        await self._keep(after)
        return after

    def _own(self, found: Authorisation | None) -> Authorisation | None:
        """Return what was stored if it is of this application in this portal, else None."""
        if found is None or found.client_id != self._client_id or not is_of(self._address, found):
            return None
        return found

    async def _loaded(self) -> Authorisation | None:
        """Return what is stored of this application in this portal; what cannot be read is told by `ready`."""
        self._unreadable = None
        try:
            return self._own(await self._store.load())
        except TokensUnreadableError as error:
            self._unreadable = _refused(UNREADABLE, error.message)
            return None

    async def _keep(self, authorisation: Authorisation) -> None:
        await self._store.store(authorisation)
        self._adopt(authorisation)

    def _adopt(self, authorisation: Authorisation | None) -> None:
        if authorisation is not None:
            for secret in authorisation.secrets:  # those in use become the last ones, however old
                self._learnt[secret] = self._learnt.pop(secret) if secret in self._learnt else self._learn(secret)
            if self._authorisation is not None and authorisation.origin != self._authorisation.origin:
                log.warning(events.PORTAL_MOVED, origin=authorisation.home, to=authorisation.origin)
        self._authorisation = authorisation
        while len(self._learnt) > _KEPT_SECRETS:  # a year has nine thousand renewals
            if callable(forget := self._learnt.pop(next(iter(self._learnt)))):
                forget()

    async def _renewed(self, used: str) -> Refused | None:
        """Renew the chain, or go on with the spare one where it cannot be renewed; the state is held."""
        kept = await self._loaded()
        if kept is None:
            self._adopt(None)
            return _refused(NOT_AUTHORISED, say("nobody has authorised it yet"))
        if kept.chain.access_token != used:  # another process of this state was quicker
            self._adopt(kept)
            return None
        await self._keep(replace(kept, renewing=True))
        answer = await self._asked(kept.chain.refresh_token)
        if isinstance(answer, Denied) and answer.code.upper() == _USED_UP and kept.spare is not None:
            answer = await self._asked(kept.spare.refresh_token)
            if isinstance(answer, Granted) and answer.member_id == kept.member_id:
                await self._keep(on_spare(kept, answer, self._clock.now()))
                log.warning(events.SPARE_USED, portal=self.name)
                return None
        return await self._judged(kept, answer)

    async def _judged(self, kept: Authorisation, answer: TokenAnswer) -> Refused | None:
        match answer:
            case Granted(member_id=member) if member != kept.member_id:
                return _refused(
                    ANOTHER_PORTAL, say("the tokens that came are of another portal, {portal}", portal=answer.endpoint)
                )
            case Granted():
                await self._keep(advanced(kept, answer, self._clock.now()))
                log.info(events.TOKENS_RENEWED, portal=self.name)
                return None
            case Denied(code=code, description=description):
                return _refused(code, description)
            case Silent(reason=reason):
                said = say("the OAuth server gives no tokens: {reason}", reason=reason)
                return Refused(code=NOT_SENT, description=said, reach="rate", transient=True)

    async def _asked(self, refresh_token: str) -> TokenAnswer:
        """Ask for the next tokens of a chain, and ask again if the answer was lost: most servers then repeat it."""
        answer = await self._server.refresh(refresh_token)
        if isinstance(answer, Silent) and answer.reached:
            answer = await self._server.refresh(refresh_token)
        return answer

    async def _spare_renewed(self) -> None:
        kept = await self._loaded()
        if kept is None or kept.spare is None:
            return
        match await self._asked(kept.spare.refresh_token):
            case Granted(member_id=member) as given if member == kept.member_id:
                await self._keep(replace(kept, spare=given.chain(self._clock.now())))
            case Denied(code=code) if code.upper() == _USED_UP:
                await self._keep(replace(kept, spare=None))
            case _:
                pass  # no answer, or a refusal that may pass: the next time is soon enough

    async def _by_holder(self, used: str) -> Refused | None:
        """Wait until the process that holds the state has renewed the tokens: no other one may.

        For each token this is waited out once. Later callers only look.
        """
        for _ in range(1 if self._waited_for == used else _HOLDER_TRIES):
            self._adopt(await self._loaded())
            if self.token != used:
                return None
            if self._waited_for != used:
                await self._clock.sleep(_HOLDER_PAUSE_S)
        self._waited_for = used
        said = say("the access token has expired, and the running syncd that alone may renew it has not done so yet")
        return Refused(code=NOT_SENT, description=said, reach="rate", transient=True)


def _refused(code: str, description: str) -> Refused:
    return Refused(code=code, description=description, reach="portal")
