"""The page for maintainers sends nobody to a file that is not there."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

from tests.bench.walk import import_depth

DEEPEST = 14
"""Whoever follows a call down to the model reads at most so many files, one below the other."""
ROOT = Path(__file__).resolve().parent.parent
IMPORTS = """
import importlib, pkgutil, threading, syncd
for module in pkgutil.walk_packages(syncd.__path__, "syncd."):
    if not module.name.endswith(".__main__"):
        importlib.import_module(module.name)
print(threading.active_count())
"""
PAGE = (ROOT / "syncd" / "ARCHITECTURE.md").read_text(encoding="utf-8")


def test_every_path_that_the_page_names_exists() -> None:
    named = sorted(set(re.findall(r"`([a-z_]+/[a-z_/]+\.(?:py|md))", PAGE)))
    assert len(named) > 40
    assert [one for one in named if not (ROOT / "syncd" / one).is_file() and not (ROOT / one).is_file()] == []


def test_every_function_that_the_page_names_with_its_file_exists() -> None:
    named = sorted(set(re.findall(r"`([a-z_]+/[a-z_/]+\.py): ([A-Za-z_.]+)`", PAGE)))
    assert len(named) > 10
    for path, function in named:
        below = ROOT / "syncd" / path
        text = (below if below.is_file() else ROOT / path).read_text(encoding="utf-8")
        name = re.escape(function.rpartition(".")[2])
        assert re.search(rf"\b(?:def|class) {name}\b|^{name}\b", text, re.MULTILINE), f"{path}: {function}"


def test_imports_are_not_deeper_than_agreed_and_go_in_no_circles() -> None:
    depth, circles = import_depth()
    assert (depth <= DEEPEST, circles) == (True, 0), f"{depth} files deep, {circles} circles"


def test_every_module_can_be_imported_and_nothing_begins_by_itself() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


def test_no_function_is_longer_than_a_screen_and_most_are_much_shorter() -> None:
    lengths = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in (ROOT / "syncd").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert [one for one, lines in lengths.items() if lines > 60] == []
    ordered = sorted(lengths.values())
    assert ordered[len(ordered) // 2] <= 8
    assert ordered[len(ordered) * 9 // 10] <= 25
