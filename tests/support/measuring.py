"""Measures which lines and branches of syncd the tests reach: `python -m tests.support.measuring ARGUMENTS_OF_PYTEST`.

Slipcover puts a call in front of each line and into each branch while a module is imported. The code then runs nearly
as fast as ever. A tracer would make all of Python 3.11 two to five times as slow, also what is not measured.

Each process that runs tests, one or the workers of xdist, writes down what it has reached. Of the programs that tests
start, those of the tests with the fixture `measured_programs` do, for the rooms of PROGRAMS: the calls have to be put
in again by each, which takes a second, and what other programs reach of other rooms, the tests reach themselves.
"""

from __future__ import annotations

import argparse
import atexit
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any

from slipcover import FileMatcher, ImportManager, Slipcover, print_coverage

ROOT = Path(__file__).resolve().parent.parent.parent
EXCLUDED = (r"assert_never\(", r"\.\.\.$")
"""Lines with these are not counted, besides `# pragma: no cover` and `if TYPE_CHECKING:`."""
KEPT = -1
"""Slipcover's word for calls that stay where they are. To take them out of functions while these run saves little, and
depends on what else runs."""
PROGRAMS = ("cli", "service", "app")
_FOLDER, _SOURCE = "SYNCD_TESTS_REACHED", "SYNCD_TESTS_MEASURED"
_Reached = dict[str, list[Any]]


class Measuring:
    """Notes what this process reaches, and writes it into a folder when its tests have ended."""

    def __init__(self, folder: Path, sources: Iterable[str]) -> None:
        self._folder = folder
        self._measured = Slipcover(branch=True, d_miss_threshold=KEPT)
        ImportManager(self._measured, FileMatcher(sources=list(sources))).__enter__()

    def pytest_sessionfinish(self) -> None:
        """Write down the lines, which are numbers, and the branches, which are pairs of them."""
        reached = {file: list(seen) for file, seen in self._measured.newly_seen.items()}
        with NamedTemporaryFile("w", dir=self._folder, delete=False, encoding="utf-8") as file:
            json.dump(reached, file)
        Path(file.name).rename(f"{file.name}.json")  # only now: a program may be killed while it ends


def begin() -> Measuring | None:
    """Measure every module of syncd that is imported from now on, if the tests are to be measured."""
    folder, source = os.environ.get(_FOLDER), os.environ.get(_SOURCE)
    if folder is None or source is None:
        return None
    early = [name for name in sys.modules if name.partition(".")[0] == Path(source).name]
    if early:
        raise RuntimeError(f"imported too early to be measured: {', '.join(early)}")
    return Measuring(Path(folder), [source])


def path_of_programs() -> str:
    """Return the PYTHONPATH of programs that are to be measured."""
    return os.pathsep.join((str(ROOT / "tests" / "support" / "started"), str(ROOT), os.environ.get("PYTHONPATH", "")))


def begin_program() -> None:
    """Measure the rooms of PROGRAMS in a program that a test has started, until it ends."""
    source = Path(os.environ[_SOURCE])
    atexit.register(
        Measuring(Path(os.environ[_FOLDER]), [str(source / room) for room in PROGRAMS]).pytest_sessionfinish
    )


class Everything:
    """All lines and branches that there are to reach, also in modules that nobody imports."""

    def __init__(self, source: str) -> None:
        self._known = Slipcover(branch=True, source=[source], exclude_also=list(EXCLUDED))
        self._known.get_coverage()  # reads all files, which takes seconds

    def compared(self, reached: Iterable[_Reached]) -> dict[str, Any]:
        """Return what was reached of it, as slipcover's JSON."""
        for one in reached:
            for file, seen in one.items():
                self._known.all_seen[file].update(tuple(item) if isinstance(item, list) else item for item in seen)
        coverage: dict[str, Any] = self._known.get_coverage()
        return coverage


def main(arguments: list[str], source: Path = ROOT / "syncd") -> int:
    """Run pytest, print what it reached, and return its exit code, or 2 where that is less than the floor."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.measuring")
    parser.add_argument("--floor", type=float, default=0.0, help="percent of lines and branches together")
    options, others = parser.parse_known_args(arguments)
    with TemporaryDirectory() as folder:
        environ = {**os.environ, _FOLDER: folder, _SOURCE: str(source)}
        with subprocess.Popen((sys.executable, "-m", "pytest", *others), env=environ) as tests:
            everything = Everything(str(source))
            code = tests.wait()
        notes = [json.loads(one.read_text(encoding="utf-8")) for one in Path(folder).glob("*.json")]
    coverage = everything.compared(notes)
    print_coverage(coverage, skip_covered=True)
    percent = coverage["summary"]["percent_covered"]
    enough = percent >= options.floor
    print(f"lines and branches reached: {percent:.2f} %; {'at least' if enough else 'fewer than'} {options.floor:g} %")
    return code or (0 if enough else 2)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
