"""Has workbooks read by a process of its own (see `syncd.workbook`), and tells in words what became of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from threading import Lock, Timer
from types import TracebackType
from typing import IO, Any, Self

from syncd import child
from syncd.errors import SourceError, TransientSourceError
from syncd.lang.saying import say
from syncd.source.encodings import looks_like_markup
from syncd.source.options import nearest
from syncd.threads import begin

Cell = int | float | str | bool | time | date | datetime | timedelta
Merged = Sequence[tuple[tuple[int, int], tuple[int, int]]]
"""Merged cells: first and last (row, column) of each, from 0."""

_KINDS: Mapping[str, Callable[[str], Cell]] = {
    "moment": datetime.fromisoformat,
    "day": date.fromisoformat,
    "time": time.fromisoformat,
    "length": lambda text: timedelta(seconds=float(text)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetLimits:
    """What one workbook may take: unpacked bytes, places up to its last cell, memory of the process, and time."""

    most_bytes: int = 1_000_000_000
    most_cells: int = 20_000_000
    memory_bytes: int = 3 << 30
    seconds: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One sheet: its cells with "" for an empty one, merged ranges, and the (row, column) that show a time of day.

    `timed` is None if the file does not tell, or has no days beside times. `visible` are the names of all sheets of the
    workbook that people see.
    """

    name: str
    cells: list[list[Cell]]
    merged: Merged
    timed: frozenset[tuple[int, int]] | None
    visible: tuple[str, ...] = ()


class SheetReader:
    """Reads sheets one after the other; the process is started for the first and ends with `close`.

    A process that dies takes one workbook with it: the next one gets another. A context manager.
    """

    def __init__(self, limits: SheetLimits | None = None) -> None:
        self._limits = limits or SheetLimits()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def read(self, name: str, content: bytes, wanted: str | int | None) -> Sheet:
        """Return the sheet of that name or number, or the first visible one. Blocking.

        Raises SourceError, beginning with `name`, for what is no workbook, lacks the sheet, or is too large to read.
        """
        if looks_like_markup(content):
            raise SourceError(
                say("{name} is HTML or XML, not an Excel file", name=name), say("save it as .xlsx in Excel")
            )
        with self._lock:
            answer = self._ask(name, content, wanted)
        if "lacks" in answer:
            raise _lacking(name, answer["lacks"], wanted)
        if "refused" in answer:
            raise _refused(name, answer["refused"])
        timed = frozenset((row, column) for row, column in answer["timed"]) or None
        merged = [((top, left), (bottom, right)) for (top, left), (bottom, right) in answer["merged"]]
        cells = [
            [cell if type(cell) is not list else _KINDS[cell[0]](cell[1]) for cell in row] for row in answer["cells"]
        ]
        visible = tuple(answer["visible"])
        return Sheet(name=answer["sheet"], cells=cells, merged=merged, timed=timed, visible=visible)

    def _ask(self, name: str, content: bytes, wanted: str | int | None) -> dict[str, Any]:
        limits = self._limits
        request = {"size": len(content), "sheet": wanted}
        request |= {"most_bytes": limits.most_bytes, "most_cells": limits.most_cells}
        try:
            process = self._process = self._process or child.start("syncd.workbook.worker", str(limits.memory_bytes))
            # A pipe has no time-outs; what takes too long is killed, which ends the answer.
            watch = Timer(limits.seconds, process.kill)
            begin(watch)
        except (OSError, MemoryError) as error:
            self.close()
            message = say("{name} cannot be read: no process may begin for it: {error}", name=name, error=str(error))
            raise TransientSourceError(message, say("allow more processes (TasksMax= or ulimit -u)")) from None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n" + content)
            process.stdin.flush()
            answer: dict[str, Any] = json.loads(_whole(process.stdout))
        except (OSError, ValueError):
            self.close()
            message = say(
                "{name} cannot be read: it takes more than {memory} MB or {seconds:g} s, or breaks what reads it",
                name=name,
                memory=limits.memory_bytes >> 20,
                seconds=limits.seconds,
            )
            raise TransientSourceError(message, _EXPORT) from None
        finally:
            watch.cancel()
        return answer


_EXPORT = say("export it again, or save the table alone as .xlsx or CSV")


def _cell(marked: Sequence[str]) -> Cell:
    kind, text = marked
    return _KINDS[kind](text)


def _whole(stream: IO[bytes]) -> bytes:
    """Return one answer; raises ValueError if the stream ends before it."""
    size = int(stream.readline())
    content = stream.read(size)
    if len(content) < size:
        raise ValueError("the answer is cut short")
    return content


def _refused(name: str, why: Mapping[str, Any]) -> SourceError:
    """Return the error for a workbook that cannot be read; `why` as in `syncd.workbook.worker`."""
    match why:
        case {"unpacks_beyond": most}:
            message = say("{name} would unpack to more than {most} bytes", name=name, most=most)
        case {"rows": rows, "columns": columns}:
            message = say(
                "{name} has a cell in row {row} or column {column}: {places} places, mostly empty",
                name=name,
                row=rows,
                column=columns,
                places=rows * columns,
            )
        case {"password": True}:
            return SourceError(say("{name} is protected by a password", name=name), say("save it without one"))
        case _:
            error = str(why.get("error"))
            message = say("{name} is not an Excel file, or only a part of one: {error}", name=name, error=error)
    return SourceError(message, _EXPORT)


def _lacking(name: str, names: Sequence[str], wanted: str | int | None) -> SourceError:
    if not names:
        return SourceError(say("{name} has no sheet", name=name))
    if isinstance(wanted, int):
        return SourceError(
            say("{name} has no sheet {wanted}, only {number}", name=name, wanted=wanted, number=len(names)),
            say("correct sheet in [sync.source]"),
        )
    return SourceError(
        say("{name} has no sheet {wanted!r}", name=name, wanted=str(wanted)), nearest(str(wanted), names)
    )
