"""What in the CRM an event is linked to: fixed ids, and contacts found by phone or e-mail (PORTAL.md 4.2, 6.6)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from syncd.errors import EntryError
from syncd.model.entry import Entry
from syncd.model.template import Template
from syncd.portal.people.crm import Sought, sought
from syncd.portal.people.directory import Directory

_OTHER_TYPES = re.compile(r"T[0-9a-f]{1,8}_[1-9]\d*\Z")


def clients_sought(templates: tuple[Template, ...], entries: Iterable[Entry]) -> frozenset[Sought]:
    """Return the clients whose ids the `templates` need; what names nobody is passed over."""
    found: set[Sought] = set()
    asking = [template for template in templates if template.constant is None]
    for entry in entries if asking else ():
        for text in _texts(asking, entry):
            try:
                found.add(sought(text, "contact"))
            except EntryError:
                continue
    return frozenset(found)


def links(templates: tuple[Template, ...], entry: Entry, directory: Directory, warnings: list[str]) -> tuple[str, ...]:
    """Return the links of an event, such as C_5, each once; `warnings` tell what could not be linked.

    Raises EntryError for a name that the entry does not know.
    """
    if not templates:
        return ()
    found = [template.constant for template in templates if template.constant]
    for text in _texts([template for template in templates if template.constant is None], entry):
        try:
            found.append(text if _OTHER_TYPES.match(text) else directory.clients.client(sought(text, "contact")).code)
        except EntryError as error:
            warnings.append(f"not linked to the CRM: {error.message}")
    return tuple(dict.fromkeys(found))


def _texts(templates: Iterable[Template], entry: Entry) -> Iterator[str]:
    for template in templates:
        text = template.render(entry, entry.details, entry.span).strip()
        if text:
            yield text
