"""A PostgreSQL server whose accounts have passwords, as those of the databases that are read have."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.postgres import MISSING, program

ROLE, PASSWORD = "reader", "s3cret:p@ss"
_ACCOUNT = "postgres" if os.geteuid() == 0 else None
"""The server refuses to run as root."""


@contextmanager
def served() -> Iterator[str]:
    """Start a server on a socket in a directory of its own; yields the address of its database for `ROLE`."""
    programs = [program(name) for name in ("initdb", "pg_ctl", "psql")]
    if not all(programs):
        pytest.skip(MISSING)
    initdb, pg_ctl, psql = map(str, programs)
    # Not below pytest's directory, which only its own account may enter; and the path of a socket has to be short.
    folder = Path(tempfile.mkdtemp(prefix="syncd-pg-", dir="/tmp"))
    try:
        if _ACCOUNT is not None:
            shutil.chown(folder, _ACCOUNT)
        _run(initdb, "-D", f"{folder}/data", "-U", "owner", "-A", "scram-sha-256", "--pwfile", _password(folder))
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        _run(pg_ctl, "-D", f"{folder}/data", "-w", "-l", f"{folder}/log", "-o", options, "start")
        try:
            role = f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{PASSWORD}'"
            _run(psql, "-h", str(folder), "-U", "owner", "-d", "postgres", "-c", role)
            _run(psql, "-h", str(folder), "-U", "owner", "-d", "postgres", "-c", f"CREATE DATABASE shifts OWNER {ROLE}")
            yield f"postgresql://{ROLE}:s3cret%3Ap%40ss@/shifts?host={folder}"
        finally:
            _run(pg_ctl, "-D", f"{folder}/data", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _password(folder: Path) -> str:
    file = folder / "password"
    file.write_text("owner")
    file.chmod(0o644)
    return str(file)


def _run(*command: str) -> None:
    environ = {**os.environ, "PGPASSWORD": "owner", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, user=_ACCOUNT, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False, timeout=60, cwd="/",
        )  # fmt: skip
    except (KeyError, PermissionError) as error:
        pytest.skip(f"PostgreSQL cannot be started here: {error}")
    assert done.returncode == 0, done.stdout
