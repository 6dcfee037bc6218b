"""Other names for people and groups: the `owners` table of the config."""

from __future__ import annotations

from collections.abc import Mapping


class Aliases:
    """Names in any case and spacing to what the portal calls them."""

    def __init__(self, owners: Mapping[str, int | str]) -> None:
        self._names = {folded(name): str(owner) for name, owner in owners.items()}

    def resolve(self, name: str) -> str:
        """Return what `name` stands for, itself when it is no alias."""
        return self._names.get(folded(name), name)


def folded(name: str) -> str:
    """Return a name without case and spare blanks."""
    return " ".join(name.split()).casefold()
