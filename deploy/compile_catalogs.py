"""Compiles the catalogs of messages when the package is built; hatchling calls it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CatalogsHook(BuildHookInterface):  # type: ignore[type-arg] # of whatever builder
    """Compiles the texts of each language; for an editable installation too."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile every catalog."""
        sys.path.insert(0, self.root)
        try:
            from syncd.lang.compiling import compile_all  # noqa: PLC0415 - from the sources that are built
        finally:
            sys.path.remove(self.root)
        compile_all(Path(self.root, "syncd", "lang"))
