"""`python -m syncd.lang.extract`: bring the catalogs up to date with the messages in the code.

There is one file for each room, `<language>/<room>.po`. New messages are added without a translation, those that are
gone are dropped, and a message that changed a little gets a fuzzy guess to be checked. The tests fail until every
message is translated. `python.po` has the messages of Python's own argparse, and is written by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from syncd.lang.catalog import LANGUAGES, ROOT

KEYWORDS: Final[dict[str, Any]] = {"say": (1,), "say_count": (1, 2), "say_as": ((1, "c"), 2)}
"""The functions whose arguments are messages, and which of them; "c" is a context."""
BY_HAND: Final = "python"
_PACKAGE: Final = ROOT.parent
_WIDTH: Final = 120
_NO_TIME: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""The history tells when a catalog was changed. With a time in the file, any two changes would conflict."""


def messages() -> Iterator[tuple[str, str | tuple[str, ...], str | None]]:
    """Yield file (below the package), form and context of every message; both forms of one with a number."""
    method_map, options = [("**.py", "python")], {"**.py": {"parse_template_string": "false"}}
    for file, _, form, _, context in extract_from_dir(
        _PACKAGE, method_map=method_map, options_map=options, keywords=KEYWORDS
    ):
        yield Path(file).as_posix(), form, context


def templates() -> dict[str, Catalog]:
    """Return the messages of the code by room, in the order of files and lines."""
    found: dict[str, Catalog] = {}
    for file, form, context in messages():
        room = room_of(file)
        if room not in found:
            found[room] = Catalog(charset="utf-8", fuzzy=False)
        found[room].add(form, locations=[(f"syncd/{file}", 0)], context=context)
    return found


def room_of(file: str) -> str:
    """Return the room of a file below the package, "house" for files beside the rooms."""
    room, slash, _ = file.partition("/")
    return room if slash else "house"


def read(path: Path, language: str) -> Catalog:
    """Return the catalog in the file `path`, an empty one if there is none."""
    if not path.exists():
        return Catalog(locale=language, charset="utf-8", fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def update(folder: Path) -> int:
    """Bring the texts in the folder of a language up to date, and return how many messages wait for a translation."""
    folder.mkdir(exist_ok=True)
    rooms, waiting = templates(), 0
    for path in folder.glob("*.po"):
        if path.stem not in rooms and path.stem != BY_HAND:
            path.unlink()
    for room, template in rooms.items():
        path = folder / f"{room}.po"
        catalog = read(path, folder.name)
        catalog.update(template)
        catalog.obsolete.clear()
        catalog.header_comment = f"# What syncd/{room} says, in the language {folder.name!r}."
        catalog.project, catalog.version, catalog.msgid_bugs_address = "syncd", "", ""
        catalog.last_translator = catalog.language_team = ""
        catalog.creation_date = catalog.revision_date = _NO_TIME
        with path.open("wb") as file:
            write_po(file, catalog, width=_WIDTH, include_lineno=False)
        waiting += sum(map(waits, catalog))
    return waiting


def waits(message: object) -> bool:
    """Return True if a message of a catalog has no translation, or a guessed one."""
    form, said = getattr(message, "id", ""), getattr(message, "string", "")
    return bool(form) and (
        getattr(message, "fuzzy", False) or not all([said] if isinstance(said, str) else said or [""])
    )


if __name__ == "__main__":
    for name in LANGUAGES:
        if name != "en":
            print(f"{name}: {update(ROOT / name)} to translate")  # noqa: T201 - a tool of its own
