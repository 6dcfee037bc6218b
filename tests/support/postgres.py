"""A real PostgreSQL for the tests: one server for the whole session, whoever of its workers needs it first.

It is the one that SYNCD_TEST_POSTGRES names (an address whose user may create schemas), or one that is made in a
directory of its own: without fsync, on 127.0.0.1 only, as `nobody` where the tests run as root, which PostgreSQL
refuses to. Each test has a schema of its own.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from syncd.config.database import Database, database_at
from syncd.config.secrets import Secret

NAMED = "SYNCD_TEST_POSTGRES"
MISSING = f"there is no PostgreSQL here: install postgresql, or name a server in {NAMED}"
USER = "tester"
NOBODY = 65534
_HBA = """
host replication all 127.0.0.1/32 trust
host all locked 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
"""
_SETTINGS = (
    "full_page_writes=off",
    "shared_buffers=32MB",
    "max_connections=60",
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "wal_level=minimal",
    "max_wal_senders=0",
    "autovacuum=off",
    "lc_messages=C",
)
_numbers = count(1)


@cache
def program(name: str) -> str | None:
    """Return where a program of PostgreSQL is; Debian keeps most of them off the PATH."""
    found = sorted(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")))
    return found[-1] if found else shutil.which(name)


def installed() -> bool:
    """Return True if a server can be started here."""
    return all(map(program, ("initdb", "pg_ctl", "postgres")))


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A server in `folder`, which may be stopped, killed and started again."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port

    @property
    def address(self) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"

    def make(self) -> None:
        self.folder.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)
        self._run("initdb", "-D", ".", "-U", USER, "-E", "UTF8", "--locale=C", "-A", "trust", "--no-sync")
        (self.folder / "pg_hba.conf").write_text(_HBA)

    def start(self, *, fsync: bool = False, replicated: bool = False) -> None:
        settings = [*_SETTINGS, f"fsync={'on' if fsync else 'off'}", f"port={self.port}"]
        if replicated:
            settings += ["wal_level=replica", "max_wal_senders=2"]
        options = " ".join(f"-c {one}" for one in settings)
        self._run("pg_ctl", "-D", ".", "-w", "-t", "60", "-l", "log", "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", ".", "-w", "-m", mode, "stop")

    def follow(self, other: Server) -> None:
        """Make and start it as an asynchronous standby of a replicated server."""
        self.folder.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)
        way = ("-h", "127.0.0.1", "-p", str(other.port), "-U", USER)
        self._run("pg_basebackup", "-D", ".", "-R", *way, "--checkpoint=fast", "--no-sync")
        self.start(replicated=True)

    def promote(self) -> None:
        """Have a standby take writes."""
        self._run("pg_ctl", "-D", ".", "-w", "promote")

    def restart_at_once(self) -> None:
        """Have the server fall and get up again, as after a crash."""
        self.stop("immediate")
        self.start()

    def remove(self) -> None:
        """Stop it if it runs, and delete it."""
        if (self.folder / "postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self.folder)

    @staticmethod
    def place(below: Path) -> Path:
        """Return where a server can stand that belongs to `below`, into which `nobody` may not look."""
        return Path(tempfile.gettempdir()) / f"syncd-tests-{os.getuid()}-{below.stat().st_ino}"

    def _run(self, name: str, *arguments: str) -> None:
        tool = program(name)
        assert tool is not None
        who: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        said = self.folder.with_suffix(".said")  # a file, for a server inherits what pg_ctl has open
        with said.open("w") as out:
            done = subprocess.run(
                [tool, *arguments],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                check=False,
                **who,
            )
        assert done.returncode == 0, f"{name}: {said.read_text()}"
        said.unlink()


@contextmanager
def one_server(shared: Path, worker: str, *, fsync: bool = False) -> Iterator[str]:
    """Give the address of the session's server, which the first who asks starts and the last who leaves stops.

    `shared` is a directory that all workers of the session know. With `fsync` it is as careful as a real one.
    """
    if named := os.environ.get(NAMED):
        yield named
        return
    if not installed():
        pytest.skip(MISSING)
    users = shared / "users"
    with _locked(shared):
        users.mkdir(exist_ok=True)
        port = shared / "port"
        if port.exists():
            server = Server(Server.place(shared), int(port.read_text()))
        else:
            server = Server(Server.place(shared), free_port())
            server.make()
            server.start(fsync=fsync)
            port.write_text(str(server.port))
        (users / worker).touch()
    try:
        yield server.address
    finally:
        with _locked(shared):
            (users / worker).unlink()
            if not any(users.iterdir()):
                port.unlink()
                server.remove()


@contextmanager
def _locked(shared: Path) -> Iterator[None]:
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def new_database(address: str, worker: str) -> Database:
    """Return a database with a schema that nobody has used yet."""
    return database_at(Secret(address), f"t_{worker}_{os.getpid()}_{next(_numbers)}")


def dropped(database: Database) -> None:
    with psycopg.connect(database.url.reveal(), autocommit=True) as connection:
        connection.execute("SET client_min_messages TO warning")
        connection.execute(f'DROP SCHEMA IF EXISTS "{database.schema}" CASCADE'.encode())
