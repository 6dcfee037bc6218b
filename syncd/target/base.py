"""The interface between the cycle and a target, of whatever type the target is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import msgspec

from syncd.log import entry_crashed
from syncd.model.entry import Entry, Problem, Window
from syncd.model.item import Change, Item, Link, Observed, Place
from syncd.model.observation import Observation
from syncd.portal.line.wire import Command, Refused
from syncd.portal.people.clients import Sought
from syncd.portal.people.directory import Directory
from syncd.portal.reader import PageReader


class Shaped(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The items that one entry becomes. There are none if `problems` has one of kind rejected, held or skipped.

    `stands` is True for a skipped entry whose earlier items are to stay as they are.
    """

    items: tuple[Item, ...] = ()
    problems: tuple[Problem, ...] = ()
    stands: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeContext:
    """What shaping may depend on besides the entry: directory, window, today's date and the portal's own zone.

    `zone` is the zone of the sync, "" if the config names none.
    """

    directory: Directory
    window: Window
    today: date
    portal_zone: str
    zone: str = ""


class Target(Protocol):
    """Turns entries into items, items into commands, and the portal's answers into what it holds."""

    @property
    def wants_groups(self) -> bool:
        """True if the directory must hold groups."""
        ...

    @property
    def wants_crm(self) -> bool:
        """True if the webhook needs the scope crm."""
        ...

    @property
    def on_cards(self) -> bool:
        """True if items stand on cards of the CRM: their ids are then those of activities, not of events."""
        ...

    @property
    def section_name(self) -> str:
        """The section that items stand in, by name or id; "" where there are none."""
        ...

    def writes_to(self, place: Place) -> bool:
        """Return True if this type of target writes to places like `place`; other links were made by another type."""
        ...

    def limits(self) -> tuple[str, ...]:
        """Return what this target cannot do, one sentence for each limit. `syncd check` shows them."""
        ...

    def places(self, entries: Iterable[Entry], directory: Directory) -> frozenset[Place]:
        """Return the places that these entries go to. Entries whose owner is not found are skipped."""
        ...

    def unresolved(self, entries: Iterable[Entry], directory: Directory) -> Mapping[str, str]:
        """Return why no one person was found for the name of an owner, by name, in the order of the entries."""
        ...

    def overlooked(self, entries: Iterable[Entry], directory: Directory) -> tuple[str, ...]:
        """Return sentences about what looks meant in `entries` but is not used by the config.

        Also about entries that go to the fallback instead of the owner that they name.
        """
        ...

    def sought(self, entries: Iterable[Entry], directory: Directory) -> frozenset[Sought]:
        """Return the clients of the CRM that must be looked up for these entries. `directory` tells their country."""
        ...

    def shape(self, entry: Entry, context: ShapeContext) -> Shaped:
        """Return what `entry` becomes. Never raises, whatever the entry holds."""
        ...

    async def fetched(
        self, changes: Sequence[Change], stopped: Callable[[], bool]
    ) -> tuple[Sequence[Change], Mapping[int, str]]:
        """Fetch what `changes` need from elsewhere, unless `stopped`, and return them as they can be carried out now.

        The second value tells why some of them cannot be carried out, by their index.
        """
        ...

    def command(self, change: Change, section_id: int, directory: Directory, ledger: str = "") -> Command:
        """Return the call that carries out `change` in the section `section_id`.

        `ledger` is the name of the ledger. It is written beside the recovery mark of an item, if there is room for it.
        """
        ...

    def creator(self, item: Item, caller: int) -> int:
        """Return the user whom the portal notes as the creator of `item` if `caller` makes it."""
        ...

    def explain(self, change: Change, refused: Refused) -> str:
        """Return why the portal refused `change`, and what can be done about it."""
        ...

    def notices(self, change: Change, directory: Directory, now: float, seen: Observed | None) -> tuple[int, ...]:
        """Return the users who get a notice of `change` at unix time `now`, in ascending order (PORTAL.md 4.10).

        `seen` is what stands in the portal before the change. Without it, return all who may get a notice.
        """
        ...

    def section_command(self, place: Place, name: str) -> Command:
        """Return the call that creates the section `name`."""
        ...

    async def observe(
        self, portal: PageReader, links: Sequence[Link], places: Sequence[tuple[Place, int]], window: Window
    ) -> Observation:
        """Read what the portal holds of `links`, and what stands in the sections `places` within `window`."""
        ...

    async def stands(self, portal: PageReader, items: Sequence[Item]) -> bool:
        """Return True if one request finds something that bears the mark of one of `items`, which have no link.

        Nothing is asked if items bear no marks. Raises the client's errors.
        """
        ...


def crashed(entry: Entry, error: Exception) -> Problem:
    """Return the problem of an entry during whose processing an unexpected `error` was raised."""
    reason = entry_crashed(entry.where, error)
    return Problem(where=entry.where, kind="rejected", key=entry.uid, reason=reason, title=entry.details.title)
