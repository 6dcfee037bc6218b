"""What a request for a feed may end in; by itself, so that knowing it loads no HTTP library."""

from __future__ import annotations

from syncd.errors import SourceError


class WebError(SourceError):
    """A request that came to nothing; `passing` says whether the same request may work a moment later.

    `status` is the answer's, 0 where there was none; `wait_s` how long the server asks to wait.
    """

    def __init__(
        self, message: str, remedy: str = "", *, passing: bool = False, status: int = 0, wait_s: float = 0.0
    ) -> None:
        super().__init__(message, remedy)
        self.passing = passing
        self.status = status
        self.wait_s = wait_s
