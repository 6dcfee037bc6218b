"""`python -m tests.bench.walk`: how far one changed row walks through the code, and how deep the imports are.

A portal is simulated in a process of its own. `syncd sync` runs three times in this process: it writes two rows into
the portal, tries again without a change, and then with one changed row; the pass of the last run is the walk that is
counted, from the reading of the file to the record of the run. `--list` names its functions in the order in which
they are first entered, by file.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from inspect import CO_COROUTINE
from pathlib import Path
from types import CodeType, FrameType
from typing import Any
from unittest.mock import patch

from syncd.cli import main as syncd
from syncd.cli.commands import passes
from syncd.cycle.run import PassResult, run_pass

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "syncd"
CONFIG = """
state = "syncd.db"

[portals.main]
webhook = "{webhook}"

[[sync]]
name = "shifts"
timezone = "Europe/Moscow"

[sync.source]
type = "csv"
path = "shifts.csv"

[sync.source.columns]
uid = "ID"
title = "Shift"
start = "Start"
end = "End"
owner = "E-mail"

[sync.target]
calendar = "user"
owner = "{{owner}}"
section = "Shifts"
"""
ROWS = (
    "ID,Shift,Start,End,E-mail\n"
    "1,{title},{day} 06:00,{day} 14:00,anna.petrova@school.example\n"
    "2,Late,{day} 14:00,{day} 22:00,ivan.sokolov@school.example\n"
)


class Walk:
    """The files and functions of the package that a pass entered, in order; a comprehension counts as its function.

    The ledger works in a thread of its own, whose calls count like all others.
    """

    def __init__(self) -> None:
        self.functions: dict[tuple[str, str], None] = {}
        self.recording = False
        self._seen: set[CodeType] = set()
        self._outside: set[FrameType] = set()

    @property
    def files(self) -> list[str]:
        """The files in the order in which they were first entered."""
        return list(dict.fromkeys(file for file, _ in self.functions))

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Listen to the calls of the body, in every thread that it starts; those made while `recording` count."""
        threading.setprofile(self._enter)
        sys.setprofile(self._enter)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def _enter(self, frame: FrameType, event: str, _argument: Any) -> None:
        code = frame.f_code
        if not self.recording:
            if event == "call" and code.co_flags & CO_COROUTINE:
                self._outside.add(frame)  # begun before the pass: going on with it is no step of the walk
            return
        if event != "call" or code in self._seen or frame in self._outside:
            return
        self._seen.add(code)
        path = Path(code.co_filename)
        name = re.sub(r"(\.<locals>)?\.?<(listcomp|genexpr|setcomp|dictcomp|lambda)>", "", code.co_qualname)
        if path.is_relative_to(PACKAGE) and name and not name.startswith("<module>"):
            self.functions.setdefault((str(path.relative_to(ROOT)), name))


@contextlib.contextmanager
def simulated_portal() -> Iterator[str]:
    """Run the simulated portal in a process of its own and yield the webhook of its administrator."""
    command = [sys.executable, "-m", "syncd", "sandbox", "--port", "0", "--cost", "calendar.event.add=0.001"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        told = (line for line in process.stdout if line.startswith("webhook of user 1: "))
        yield next(told).removeprefix("webhook of user 1: ").strip()
    finally:
        process.terminate()
        process.communicate(timeout=60)


def walked() -> Walk:
    """Return the walk of a pass with one changed row, after two that wrote the rows and found them unchanged."""
    walk = Walk()
    title = ""

    async def recorded_pass(*arguments: Any, **options: Any) -> PassResult:
        walk.recording = title == "Earlier"
        try:
            return await run_pass(*arguments, **options)
        finally:
            walk.recording = False

    day = date.today() + timedelta(days=3)  # noqa: DTZ011 - the command looks at the real clock
    with (
        tempfile.TemporaryDirectory() as folder,
        simulated_portal() as webhook,
        patch.object(passes, "run_pass", recorded_pass),
    ):
        config, rows = Path(folder, "syncd.toml"), Path(folder, "shifts.csv")
        config.write_text(CONFIG.format(webhook=webhook), encoding="utf-8")
        for title in ("Early", "Early", "Earlier"):
            rows.write_text(ROWS.format(title=title, day=day), encoding="utf-8")
            with (
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(io.StringIO()) as errors,
                walk.watching(),
            ):
                code = syncd(["--config", str(config), "sync"])
            if code:
                raise SystemExit(f"syncd sync ended with {code}: {errors.getvalue()}")
    return walk


def import_depth() -> tuple[int, int]:
    """Return the longest chain of files that import each other, with every circle as one file, and how many circles."""
    import grimp  # noqa: PLC0415 - comes with import-linter

    graph = grimp.build_graph("syncd", exclude_type_checking_imports=False)
    order: list[str] = []
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    circle_of: dict[str, int] = {}
    circles: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for below in sorted(graph.find_modules_directly_imported_by(module)):
            if below not in index:
                visit(below)
                low[module] = min(low[module], low[below])
            elif below not in circle_of:
                low[module] = min(low[module], index[below])
        if low[module] == index[module]:
            circle = [stack.pop()]
            while circle[-1] != module:
                circle.append(stack.pop())
            circle_of.update(dict.fromkeys(circle, len(circles)))
            circles.append(circle)
            order.append(module)

    sys.setrecursionlimit(10_000)
    for module in sorted(graph.modules):
        if module not in index:
            visit(module)
    depth: dict[int, int] = {}
    for number, circle in enumerate(circles):
        below = {
            circle_of[one]
            for module in circle
            for one in graph.find_modules_directly_imported_by(module)
            if circle_of[one] != number
        }
        depth[number] = 1 + max((depth[one] for one in below), default=0)
    return max(depth.values()), sum(len(circle) > 1 for circle in circles)


def main() -> None:
    """Print the walk, and where it may be shortened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="name every function of the walk")
    arguments = parser.parse_args()
    walk = walked()
    depth, circles = import_depth()
    if arguments.list:
        for file in walk.files:
            print(file)
            for _, function in (one for one in walk.functions if one[0] == file):
                print(f"    {function}")
    rooms = Counter(file.split("/")[1].removesuffix(".py") for file, _ in walk.functions)
    files = Counter(file.split("/")[1].removesuffix(".py") for file in walk.files)
    print(", ".join(f"{room} {files[room]}/{count}" for room, count in rooms.most_common()))
    print(f"one changed row: {len(walk.files)} files, {len(walk.functions)} functions")
    print(f"imports: {depth} deep, {circles} circles")


if __name__ == "__main__":
    main()
