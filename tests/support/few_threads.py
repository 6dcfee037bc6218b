"""A system that lets no more threads begin, as TasksMax= or `ulimit -u` do."""

from __future__ import annotations

import threading

import pytest


def allow_threads(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let only so many more threads begin."""
    start, begun = threading.Thread.start, []

    def limited(thread: threading.Thread) -> None:
        begun.append(thread)
        if len(begun) > number:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
