"""Installs the files for systemd: the two units, the user, the directories.

It overwrites nothing that somebody changed. A file that it writes begins with a line that holds a checksum of the rest.
So a later version knows whether somebody has changed the file since, and replaces it only if not.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from syncd.app.shipped import shipped
from syncd.errors import ConfigError
from syncd.lang.saying import say

_UNITS = ("syncd.service", "syncd-migrate@.service")
_PLACES = {
    "syncd.service": "etc/systemd/system/syncd.service",
    "syncd-migrate@.service": "etc/systemd/system/syncd-migrate@.service",
    "sysusers.conf": "etc/sysusers.d/syncd.conf",
    "tmpfiles.conf": "etc/tmpfiles.d/syncd.conf",
}
_MARK = re.compile(r"# Written by `syncd service install`; sha256 of what follows: ([0-9a-f]{64})\n(.*)", re.DOTALL)
_HIDDEN = ("/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/")  # noqa: S108 - named, not written to
"""The directories that ProtectHome= and PrivateTmp= of the units hide from the daemon."""

Action = Literal["written", "replaced", "unchanged", "kept"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One file and what was done with it. `kept` is a file that somebody has changed or made, which stays as it is."""

    path: Path
    action: Action


def install_units(*, program: Path, root: Path, force: bool) -> tuple[Placed, ...]:
    """Write the files of systemd below `root`, for the `syncd` at `program`; return what was done with each.

    A file that differs from what an earlier installation wrote is kept, or with `force` replaced; the old one then
    stays beside it with the suffix `.old`. Raises ConfigError if the units could not start that program, or if a file
    cannot be written.
    """
    _check_program(program)
    texts = [(root / _PLACES[name], _marked(_text_of(name, program))) for name in _PLACES]
    try:
        return tuple(Placed(path=path, action=_place(path, text, force=force)) for path, text in texts)
    except OSError as error:
        raise ConfigError(
            say(
                "cannot write {filename}: {reason}",
                filename=str(error.filename or root),  # a full disk names none
                reason=error.strerror or "",
            ),
            say("run this as root: sudo syncd service install"),
        ) from error


def _check_program(program: Path) -> None:
    if not program.is_absolute() or not os.access(program, os.X_OK):
        raise ConfigError(
            say("there is no program syncd at {program}", program=str(program)),
            say("install it first: python3 -m venv /opt/syncd && /opt/syncd/bin/pip install '.[all]'"),
        )
    if str(program).startswith(_HIDDEN):
        raise ConfigError(
            say(
                "the service could not start {program}, because it sees no home and no temporary directory",
                program=str(program),
            ),
            say("install it elsewhere: python3 -m venv /opt/syncd && /opt/syncd/bin/pip install '.[all]'"),
        )
    interpreter = program.with_name("python").resolve()
    if str(interpreter).startswith(_HIDDEN):
        raise ConfigError(
            say(
                "the service could not start {program}, because its Python is {interpreter}, and it sees no home",
                program=str(program),
                interpreter=str(interpreter),
            ),
            say("make the environment with the system's own: /usr/bin/python3 -m venv /opt/syncd"),
        )
    if re.search(r"""[\s%$"'\\]""", str(program)):
        raise ConfigError(
            say(
                "a unit cannot name {program}: it holds a blank or a sign with a meaning of its own",
                program=str(program),
            ),
            say("move it"),
        )


def _text_of(name: str, program: Path) -> str:
    text = shipped(name).read_text(encoding="utf-8")
    if name in _UNITS:
        text = text.replace("/opt/syncd/bin/syncd", str(program))
        text = text.replace("file:///opt/syncd/README.md", shipped("README.md").as_uri())
    return text


def _marked(text: str) -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"# Written by `syncd service install`; sha256 of what follows: {digest}\n{text}"


def _place(path: Path, text: str, *, force: bool) -> Action:
    """Write `text` to `path` unless somebody changed the file there."""
    there = _read(path)
    if there == text:
        return "unchanged"
    if there is not None and not _is_ours(there):
        if not force:
            return "kept"
        path.replace(path.with_name(f"{path.name}.old"))
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(0o644)
    fresh.replace(path)
    return "written" if there is None else "replaced"


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None


def _is_ours(text: str) -> bool:
    """Return True if an installation wrote this text and nobody has changed it since."""
    found = _MARK.fullmatch(text)
    return found is not None and found[1] == hashlib.sha256(found[2].encode(errors="surrogateescape")).hexdigest()


def next_steps(placed: tuple[Placed, ...], config: Path) -> Iterator[str]:
    """Yield what is left to do by hand, one line each; `config` is where the service looks for its config."""
    kept = [one.path for one in placed if one.action == "kept"]
    if kept:
        yield say("kept as it is, because it was changed by hand: {files}", files=tuple(map(str, kept)))
        yield say("  (changes belong into `systemctl edit syncd`; --force replaces it, and keeps the old one as .old)")
    if not config.exists():
        yield say(
            'install -m 640 -g syncd syncd.toml {config}    # with webhook_credential = "webhook"', config=str(config)
        )
    if not config.with_name("webhook").exists():
        yield say(
            "install -m 600 webhook.txt {file}    # the webhook's address alone", file=str(config.with_name("webhook"))
        )
    yield "systemctl enable --now syncd"
