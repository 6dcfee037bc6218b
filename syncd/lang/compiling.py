"""Compiles the translations of a language into one catalog. It needs only Babel, as the build uses it too."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

COMPILED = Path("LC_MESSAGES", "syncd.mo")
"""The path of the compiled catalog below the folder of its language, as gettext wants it."""


def compiled(folder: Path) -> bytes:
    """Return the translations in the folder of a language, one file for each room of the code, compiled into one."""
    whole = Catalog(locale=folder.name, charset="utf-8")
    for path in texts_in(folder):
        with path.open("rb") as file:
            for message in read_po(file, locale=folder.name):
                if message.id and not message.fuzzy:
                    whole.add(message.id, message.string, context=message.context)
    made = BytesIO()
    write_mo(made, whole)
    return made.getvalue()


def texts_in(folder: Path) -> list[Path]:
    """Return the texts of the catalogs in `folder`."""
    return sorted(folder.glob("*.po"))


def compile_all(root: Path) -> None:
    """Write the compiled catalog of every language below `root`."""
    for folder in {path.parent for path in root.glob("*/*.po")}:
        target = folder / COMPILED
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(compiled(folder))
