"""Shared by all tests: makes aioresponses speak to the aiohttp of today, and Hypothesis bear a busy machine."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections.abc import Generator, Iterator
from functools import cache
from typing import Any
from unittest.mock import Mock, patch

import aioresponses.core
import pytest
import structlog
from aiohttp import ClientResponse, StreamReader
from aiohttp.client_proto import ResponseHandler
from hypothesis import HealthCheck, settings

from tests.support.measuring import begin, path_of_programs

MEASURING = begin()  # before anything of syncd is imported

from syncd.app import wiring  # noqa: E402
from syncd.app.program import program_mark  # noqa: E402
from syncd.config.database import Database  # noqa: E402

# How fast an example is drawn depends on what else the machine does; what is drawn in CI does not depend on anything.
settings.register_profile(
    "suite", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=bool(os.environ.get("CI"))
)
settings.load_profile("suite")

# What the tests expect is English, whatever the machine speaks; a test of another language asks for it.
os.environ.pop("SYNCD_LANG", None)
os.environ["LC_ALL"] = "C.UTF-8"


def pytest_configure(config: pytest.Config) -> None:
    if MEASURING is not None:
        config.pluginmanager.register(MEASURING)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let the garbage collector rest: what is made now stays, and to look through it over and over takes long."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


class _Response(ClientResponse):
    """aiohttp asks for a stream writer that aioresponses does not know of."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **{"stream_writer": Mock(output_size=0), **more})


def _reader(loop: asyncio.AbstractEventLoop | None = None) -> StreamReader:
    """Build a body's reader on a loop that runs; the one aioresponses makes up cannot serve it."""
    running = asyncio.get_running_loop()
    return StreamReader(ResponseHandler(loop=running), limit=2**16, loop=running)


@pytest.fixture
def responses(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses.aioresponses]:
    """Answers of web servers that are not there; an address nobody announced is a connection error."""
    monkeypatch.setattr(aioresponses.core, "ClientResponse", _Response)
    monkeypatch.setattr(aioresponses.core, "stream_reader_factory", _reader)
    with aioresponses.aioresponses() as mocked:
        yield mocked


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[str]:
    """The address of a PostgreSQL that the whole session shares; without one, the tests that ask for it are skipped."""
    from tests.support.postgres import one_server  # noqa: PLC0415 - few tests need its driver

    own = tmp_path_factory.getbasetemp()
    with one_server((own.parent if worker_id != "master" else own) / "postgres", worker_id) as address:
        yield address


@pytest.fixture
def database(postgres_server: str, worker_id: str) -> Iterator[Database]:
    """A schema of its own in a real database."""
    from tests.support.postgres import dropped, new_database  # noqa: PLC0415 - likewise

    made = new_database(postgres_server, worker_id)
    yield made
    dropped(made)


@pytest.fixture
def measured_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count what the programs that a test starts reach, where it is measured what tests reach."""
    if MEASURING is not None:
        monkeypatch.setenv("PYTHONPATH", path_of_programs())


@pytest.fixture(autouse=True, scope="session")
def _one_look_at_the_program() -> Iterator[None]:
    """Read the files of the program once for all tests, as one process does."""
    with patch.object(wiring, "program_mark", cache(program_mark)):
        yield


@pytest.fixture(autouse=True)
def _quiet_log() -> Iterator[None]:
    """Begin every test with a log that says nothing; what a command configured must not outlive its test."""
    handlers = logging.getLogger().handlers[:]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
