"""Secrets of the config: in it, in a file, in the environment or in a systemd credential; never shown.

No message here repeats what was read, because a secret may stand where another value was expected.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from syncd.lang.saying import say
from syncd.net import webhook_address

FORMS = ("", "_file", "_env", "_credential")
"""The suffixes of a secret's key: the secret itself, a file, an environment variable, a systemd credential."""


class Secret:
    """A text that is never shown. `reveal` is the only way to read it, so that every use can be found."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


class SecretMissingError(ValueError):
    """The config says where the secret is, but it is not there or may not be read."""


def read_secret(
    name: str, forms: Mapping[str, str | None], *, base: Path, environ: Mapping[str, str]
) -> tuple[str, Secret, Path | None]:
    """Return the key that gives secret `name`, the secret, and the file it came from, if any.

    `forms` maps the keys `name`, `name_file`, `name_env` and `name_credential` to their values, None where absent;
    relative files start at `base`. Raises ValueError unless exactly one is given and it can be read.
    """
    given = {key: value for form in FORMS if (value := forms.get(key := name + form)) is not None}
    if not given:
        raise ValueError(say("is missing: give {name}, {name}_file, {name}_env or {name}_credential", name=name))
    if len(given) > 1:
        raise ValueError(say("is given more than once, as {given}: keep one of them", given=tuple(given)))
    ((key, value),) = given.items()
    if not value.strip():
        raise ValueError(say("is empty"))
    file: Path | None = None
    match key.removeprefix(name):
        case "":
            text = value
        case "_env":
            text = _from_environment(value, environ)
        case "_file":
            file = base / _expanded(value)
            text = _from_file(file)
        case _:
            file = _credential_file(value, environ)
            text = _from_file(file)
    if not text.strip():
        raise ValueError(say("leads to an empty secret"))
    return key, Secret(text.strip()), file  # editors end a file with a newline


def secret_forms(table: object, name: str) -> tuple[str | None, Mapping[str, str | None]]:
    """Return which key of `table` gives the secret `name`, None if none does, and all its keys as `read_secret` reads.

    If there are several, the first is returned; `read_secret` refuses them.
    """
    forms: dict[str, str | None] = {name + form: getattr(table, name + form) for form in FORMS}
    return next((key for key, value in forms.items() if value is not None), None), forms


def write_secret(file: Path, content: str) -> None:
    """Write a secret so that only its owner may read it, in place of an earlier one; blocking, raises OSError."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as written:
            written.write(content)
        beside.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError(say("begins with ~ and a user who has no home")) from None


def _from_environment(variable: str, environ: Mapping[str, str]) -> str:
    text = environ.get(variable)
    if text is None:
        # Not which one: the secret itself is easily written here by mistake.
        raise SecretMissingError(
            say("names an environment variable that is not set: give the variable's name, not the secret")
        )
    return text


def _from_file(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(say("names {file}, which is not a text in UTF-8", file=str(file))) from None
    except FileNotFoundError:
        raise SecretMissingError(say("names {known}", known=_known(file))) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = (error.strerror if isinstance(error, OSError) else None) or say("it is no path")
        raise SecretMissingError(
            say("names {known}, which cannot be read: {reason}", known=_known(file), reason=reason)
        ) from None


def _known(file: Path) -> str:
    """Return the path of a file that exists, else the part of it that exists: the rest may be the secret itself."""
    for place in (file, *file.parents):
        try:
            if os.path.lexists(place):
                return str(place) if place == file else say("a file in {folder} that is not there", folder=str(place))
        except ValueError:
            continue
    return say("a file")


def _credential_file(name: str, environ: Mapping[str, str]) -> Path:
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        raise SecretMissingError(
            say(
                "names a systemd credential, but $CREDENTIALS_DIRECTORY is not set:"
                " it works in a service with LoadCredential= only"
            )
        )
    if Path(name).name != name:  # systemd allows no paths, and ".." would lead out of the directory
        raise ValueError(say("must be the name of a credential, not a path"))
    return Path(directory) / name


def readable_by_others(file: Path) -> bool:
    """Return True if users outside the owner's group may read `file`."""
    try:
        # The group is no matter: services share a secret with their administrators by it.
        return bool(file.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def check_webhook(secret: Secret) -> tuple[Secret, str]:
    """Return the webhook in its full form, with a slash at the end, and the host and port it goes to.

    Raises ValueError if it is not `https://HOST/rest/USER/CODE/` (PORTAL.md 1.1), or if it is http to another machine.
    """
    address = webhook_address(secret.reveal())
    return Secret(address.url), address.netloc
