"""Where each uid of a table stood first."""

from __future__ import annotations

from array import array


class FirstLines:
    """The line on which each uid stood first.

    Of a million rows the numbers take eight bytes each, until a uid comes twice: then somebody asks for them.
    """

    def __init__(self) -> None:
        self._uids: dict[str, None] = {}
        self._numbers = array("q")
        self._lines: dict[str, int | str] | None = None

    def first(self, uid: str, line: int | str) -> int | str:
        """Return the line on which `uid` stood first, which is `line` if it has not been there before."""
        if self._lines is None and isinstance(line, int):
            before = len(self._uids)
            self._uids[uid] = None
            if len(self._uids) > before:
                self._numbers.append(line)
                return line
        if self._lines is None:
            self._lines = dict(zip(self._uids, self._numbers, strict=True))
        return self._lines.setdefault(uid, line)

    def __contains__(self, uid: str) -> bool:
        return uid in (self._uids if self._lines is None else self._lines)
