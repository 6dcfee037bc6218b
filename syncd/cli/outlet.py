"""stdout and stderr as the commands see them: no known secret gets through.

Results are cleaned value by value where they are made (`show`). What comes here is finished text, also that of
libraries and of Python itself, such as a traceback.
"""

from __future__ import annotations

import codecs
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO, cast

from syncd.lang.catalog import told
from syncd.scrub import Scrubber, printable

_ESCAPES: Final = "syncd.escapes"


class Outlet:
    """Writes each line to `stream` after `scrubber` has cleaned it.

    A line is held back until it is complete or flushed, because a secret may be written in pieces.
    """

    def __init__(self, stream: TextIO, scrubber: Scrubber) -> None:
        self.stream = stream
        self.scrubber = scrubber
        self._held = ""

    def write(self, text: str) -> int:
        """Write `text` up to its last line feed, and hold back the rest."""
        lines, feed, rest = (self._held + text).rpartition("\n")
        self._held = rest
        if feed:
            self.stream.write(self.scrubber.finished(lines + feed))
        return len(text)

    def flush(self) -> None:
        """Write what was held back."""
        held, self._held = self._held, ""
        if held:
            self.stream.write(self.scrubber.finished(held))
        self.stream.flush()

    def reveal(self, text: str) -> None:
        """Write a line unchanged, for text that has to be seen although it looks like a secret."""
        self.flush()
        self.stream.write(f"{text}\n")

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever else the stream has
        return getattr(self.stream, name)


@contextmanager
def outlets(scrubber: Scrubber) -> Iterator[None]:
    """Lead stdout and stderr through `scrubber` while the body runs."""
    before = sys.stdout, sys.stderr
    _encode_everything(before[0])
    out, err = (Outlet(stream, scrubber) for stream in before)
    # Not a TextIO by birth, as those have properties of their own, such as an encoding, that would hide the stream's.
    sys.stdout, sys.stderr = cast(TextIO, out), cast(TextIO, err)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        _flush(out)
        _flush(err)


def _encode_everything(stream: TextIO) -> None:
    """Let `stream` escape characters that its encoding lacks.

    Python does so for stderr, but raises an error for stdout. A terminal set to ASCII would end a command in the middle
    of a Russian table. The escapes are those of JSON, so that a document stays valid.
    """
    if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
        codecs.register_error(_ESCAPES, _escaped)
        stream.reconfigure(errors=_ESCAPES)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{high:02x}{low:02x}" for high, low in zip(units[::2], units[1::2], strict=True)), error.end


def shown(text: str) -> str:
    """Return `text` as stdout may show it: in the reader's language, and without secrets known to this process."""
    outlet, text = _stdout(), told(text)
    return outlet.scrubber.shown(text) if outlet is not None else printable(text)


def tell(text: str, *, stderr: bool = False) -> None:
    """Print a line in the reader's language: a result, or with `stderr` a remark beside it."""
    print(told(text), file=sys.stderr if stderr else sys.stdout, flush=stderr)


def certain(text: str) -> str:
    """Return `text` as it may be written to a file: without the secrets that this process has learned."""
    outlet = _stdout()
    return outlet.scrubber.certain(text) if outlet is not None else text


def reveal(text: str) -> None:
    """Print a line to stdout unchanged, for text that has to be seen although it looks like a secret."""
    outlet = _stdout()
    if outlet is not None:
        outlet.reveal(text)
    else:
        print(text)


def _stdout() -> Outlet | None:
    stream: object = sys.stdout
    return stream if isinstance(stream, Outlet) else None


def _flush(outlet: Outlet) -> None:
    try:
        outlet.flush()
    except (OSError, ValueError):  # a pipe whose reader has gone, or a stream that is closed
        return
