"""Whose card an entry goes to and who is responsible: what the targets of the CRM have in common.

Decides from the directory alone; never asks the portal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from syncd.errors import EntryError
from syncd.model.entry import Entry
from syncd.model.template import Template
from syncd.portal.clients import Client, OwnerType, Sought, sought
from syncd.portal.directory import Directory
from syncd.target.people import Aliases


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSettings:
    """The parts of [sync.target] that say whose card and who is responsible.

    `responsible` None takes the client's own. `fallback_owner` stands in for a responsible person nobody knows.
    """

    contact: Template
    owner_type: OwnerType = "contact"
    responsible: Template | None = None
    owners: Mapping[str, int | str] = field(default_factory=dict)
    on_unresolved: Literal["hold", "skip", "fallback"] = "hold"
    fallback_owner: int | str | None = None


class SkippedError(Exception):
    """The client or the responsible person is unresolved and the config says to skip such entries."""


class Cards:
    """Finds client and responsible person of entries."""

    def __init__(self, settings: CardSettings) -> None:
        self._settings = settings
        self._aliases = Aliases(settings.owners)
        self._asks_phones = settings.contact.names == ("contact_phone",)

    def sought(self, entries: Iterable[Entry]) -> frozenset[Sought]:
        """Return who must be looked up; entries that name nobody are passed over."""
        found = set()
        for entry in entries:
            try:
                found.add(self.sought_by(entry))
            except EntryError:
                continue
        return frozenset(found)

    def resolve(self, entry: Entry, directory: Directory) -> tuple[Client, int]:
        """Return the client and the responsible user's id; raises EntryError, or SkippedError when it is left out."""
        try:
            client = directory.clients.client(self.sought_by(entry))
            return client, self._responsible(entry, client, directory)
        except EntryError:
            if self._settings.on_unresolved == "skip":
                raise SkippedError from None
            raise

    def sought_by(self, entry: Entry) -> Sought:
        """Return what the entry names its client by; raises EntryError when that is nothing to look up."""
        text = self._settings.contact.render(entry, entry.details, entry.span)
        return sought(text, self._settings.owner_type, is_phone=self._asks_phones)

    def _responsible(self, entry: Entry, client: Client, directory: Directory) -> int:
        """Return who is responsible: as named, else the client's own, else the fallback; raises EntryError."""
        settings = self._settings
        try:
            return directory.user(self._responsible_name(entry, client)).id
        except EntryError:
            if settings.on_unresolved == "fallback" and settings.fallback_owner is not None:
                return directory.user(str(settings.fallback_owner)).id
            raise

    def _responsible_name(self, entry: Entry, client: Client) -> str:
        template = self._settings.responsible
        name = template.render(entry, entry.details, entry.span).strip() if template is not None else ""
        if name:
            return self._aliases.resolve(name)
        if client.responsible:
            return str(client.responsible)
        raise EntryError(f"{client} has no responsible person", "set one in the CRM, or responsible in [sync.target]")
