"""The tokens of an application in the ledger: encrypted where the config gives a key, written by its holder only."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

from syncd.clock import Clock
from syncd.errors import ConfigError, held_elsewhere
from syncd.lang.saying import say
from syncd.model.encoding import decoded, encoded
from syncd.model.json_values import Json
from syncd.portal.oauth.application import TokensUnreadableError
from syncd.portal.oauth.grants import Authorisation
from syncd.state.ledger import Ledger

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

_SEALED = "sealed"
OpenForWriting = Callable[[], AbstractAsyncContextManager[Ledger]]
"""Opens the ledger for writing; raises StateLockedError when another process has it."""


class LedgerTokens:
    """Keeps the tokens of the portal `name` in a ledger. `key` encrypts them, None leaves them as they are.

    If the ledger was opened for reading only, `open_for_writing` opens it for the moment of a renewal.
    """

    def __init__(
        self, ledger: Ledger, name: str, *, clock: Clock, key: str | None, open_for_writing: OpenForWriting
    ) -> None:
        self._ledger = ledger
        self._name = name
        self._clock = clock
        self._box = _box(key) if key is not None else None
        self._open_for_writing = open_for_writing
        self._writable = None if ledger.readonly else ledger

    async def load(self) -> Authorisation | None:
        """Return the tokens that were stored last, None if none were; raises TokensUnreadableError and StateError."""
        kept = await (self._writable or self._ledger).of_portal(self._name).tokens()
        if kept is None:
            return None
        try:
            return msgspec.convert(self._opened(kept), Authorisation)
        except msgspec.ValidationError as error:
            raise TokensUnreadableError(
                say(
                    "the tokens of [portals.{name}] in the state cannot be read: {error}",
                    name=self._name,
                    error=str(error),
                ),
                say("run `syncd portal authorize {name}`", name=self._name),
            ) from None

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Keep others from storing meanwhile; raises StateLockedError if another process holds the ledger.

        Of a ledger that several machines share, the holder of the portal stores its tokens: they end with a renewal,
        so nobody may ask for one who could not write down what comes back.
        """
        if self._writable is not None:
            if (who := self._writable.held_by_another(self._name)) is not None:
                raise held_elsewhere(self._name, who)
            yield
            return
        async with self._open_for_writing() as ledger:
            self._writable = ledger
            try:
                yield
            finally:
                self._writable = None

    async def store(self, authorisation: Authorisation) -> None:
        """Write the tokens down; they are durable when this returns. Raises StateError."""
        assert self._writable is not None, "nothing is stored that is not held"
        value = msgspec.to_builtins(authorisation)
        if self._box is not None:
            value = {_SEALED: self._box.encrypt(encoded(value)).decode()}
        await self._writable.of_portal(self._name).note_tokens(value, self._clock.now())

    def _opened(self, kept: Json) -> object:
        sealed = kept.get(_SEALED) if isinstance(kept, dict) else None
        if not isinstance(sealed, str):
            return kept
        remedy = say("give the same token_key again, or run `syncd portal authorize {name}`", name=self._name)
        if self._box is None:
            raise TokensUnreadableError(
                say("the tokens of [portals.{name}] in the state are encrypted", name=self._name), remedy
            )
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - an extra

        try:
            value: object = decoded(self._box.decrypt(sealed.encode()))
        except InvalidToken:
            said = say(
                "the tokens of [portals.{name}] in the state were encrypted with another token_key", name=self._name
            )
            raise TokensUnreadableError(said, remedy) from None
        return value


def _box(key: str) -> Fernet:
    """Return the cipher for `key`, which has 32 characters or more and is not a password that people remember."""
    try:
        from cryptography.fernet import Fernet  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigError(
            say("token_key needs the library cryptography, which is not installed"),
            say("install syncd[app], or leave token_key out"),
        ) from None
    return Fernet(base64.urlsafe_b64encode(blake2b(key.encode(), digest_size=32, person=b"syncd tokens").digest()))
