"""The error of requests for feeds, in a file of its own so that catching it does not import aiohttp."""

from __future__ import annotations

from syncd.errors import SourceError


class WebError(SourceError):
    """A request without a usable answer; `transient` is True if the same request may work a moment later.

    `status` is that of the answer, 0 if there was none, `body` its content, which may say more; `wait_s` is how long
    the server asks to wait.
    """

    def __init__(
        self,
        message: str,
        remedy: str = "",
        *,
        transient: bool = False,
        status: int = 0,
        wait_s: float = 0.0,
        body: bytes = b"",
    ) -> None:
        super().__init__(message, remedy)
        self.transient = transient
        self.status = status
        self.wait_s = wait_s
        self.body = body


class UnusableError(WebError):
    """A whole answer that cannot be used, too large or not what its kind asks for; asking for less may help."""
