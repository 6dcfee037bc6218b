"""What the cycle needs of a target, whatever its type, and a memory of what entries became in the last pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import repeat
from typing import Protocol

import msgspec

from syncd.log import entry_crashed
from syncd.model.entry import Entry, Problem, Window
from syncd.model.item import Change, Item, Key, Link, Observed, Place, SentFields, slim
from syncd.model.observation import Observation
from syncd.portal.line.wire import Command, Refused
from syncd.portal.people.clients import Sought
from syncd.portal.people.directory import Directory
from syncd.portal.reader import PageReader


class Shaped(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The items of one entry; `problems` of kind rejected, held or skipped mean that there are none.

    With `stands` what a skipped entry was before is left as it is.
    """

    items: tuple[Item, ...] = ()
    problems: tuple[Problem, ...] = ()
    stands: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeContext:
    """What shaping may know of the world: the directory, the window, today and the portal's own zone.

    `zone` is the sync's own, "" where it names none.
    """

    directory: Directory
    window: Window
    today: date
    portal_zone: str
    zone: str = ""


class Target(Protocol):
    """Turns entries into items, items into commands, and the portal's answers back into what it holds."""

    @property
    def wants_groups(self) -> bool:
        """True if the directory must hold groups."""
        ...

    @property
    def wants_crm(self) -> bool:
        """True if the webhook needs the scope crm; otherwise `sought` gives nothing, and need not be asked."""
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
        """Return True if `place` is of a kind this target writes to; links to others were made by another type."""
        ...

    def limits(self) -> tuple[str, ...]:
        """Return what this target cannot do, one sentence each, for `check`."""
        ...

    def places(self, entries: Iterable[Entry], directory: Directory) -> frozenset[Place]:
        """Return the places these entries go to; entries whose owner is not found are skipped."""
        ...

    def unresolved(self, entries: Iterable[Entry], directory: Directory) -> Mapping[str, str]:
        """Return the names of owners that no one person has, each with why, in the order of the entries."""
        ...

    def overlooked(self, entries: Iterable[Entry], directory: Directory) -> tuple[str, ...]:
        """Return what `entries` say and the config leaves unused although it looks meant, one sentence each.

        Also which entries go to the fallback instead of the owner that they name.
        """
        ...

    def sought(self, entries: Iterable[Entry], directory: Directory) -> frozenset[Sought]:
        """Return the clients of the CRM that must be looked up for these entries; `directory` tells their country."""
        ...

    def shape(self, entry: Entry, context: ShapeContext) -> Shaped:
        """Return what `entry` becomes; never raises for anything an entry may hold."""
        ...

    async def fetched(
        self, changes: Sequence[Change], stopped: Callable[[], bool]
    ) -> tuple[Sequence[Change], Mapping[int, str]]:
        """Fetch what `changes` need from elsewhere, until `stopped`; return them as they can be carried out now.

        The second value tells why some of them cannot be, by their place.
        """
        ...

    def command(self, change: Change, section_id: int, directory: Directory, ledger: str = "") -> Command:
        """Return the call that carries out `change` in the section `section_id`.

        Where the item bears a recovery mark, `ledger` is the name of the ledger beside it, if there is room.
        """
        ...

    def creator(self, item: Item, caller: int) -> int:
        """Return the user whom the portal notes as the creator of `item` when `caller` makes it."""
        ...

    def explain(self, change: Change, refused: Refused) -> str:
        """Return why `change` was refused, and what to do about it."""
        ...

    def notices(self, change: Change, directory: Directory, now: float, seen: Observed | None) -> tuple[int, ...]:
        """Return the users who get a notice of `change` at unix time `now`, in ascending order (PORTAL.md 4.10).

        `seen` is what stands in the portal before; without it they are all who may get one.
        """
        ...

    def section_command(self, place: Place, name: str) -> Command:
        """Return the call that creates a section."""
        ...

    async def observe(
        self, portal: PageReader, links: Sequence[Link], places: Sequence[tuple[Place, int]], window: Window
    ) -> Observation:
        """Read what the portal holds of `links` and in the sections `places` within `window`."""
        ...

    async def stands(self, portal: PageReader, items: Sequence[Item]) -> bool:
        """Return True if something bears the mark of one of `items`, which have no link, as far as one request tells.

        Where items bear no marks nothing is asked. Raises the client's errors.
        """
        ...


def crashed(entry: Entry, error: Exception) -> Problem:
    """Return the problem line of an entry for an `error` that nobody foresaw while it was worked on."""
    reason = entry_crashed(entry.where, error)
    return Problem(where=entry.where, kind="rejected", key=entry.uid, reason=reason, title=entry.details.title)


class ShapingMemory:
    """Shapes entries and remembers the outcomes until the next pass; lives exactly as long as the sync's target.

    What an entry becomes depends on the entry, the context and the target alone, so the outcome for an equal entry in
    an equal context is used again. Series are not remembered here: their compiler has a memory of its own, which stays
    valid when the day changes and forgets what is not asked for any more. Nor are entries with files: their contents
    would stay in memory from pass to pass.
    """

    def __init__(self) -> None:
        self._context: ShapeContext | None = None
        self._single: dict[str, tuple[Entry, Shaped]] = {}

    def shape(
        self, target: Target, entries: Iterable[Entry], context: ShapeContext, linked: Mapping[Key, Link] | None = None
    ) -> list[tuple[Entry, Shaped]]:
        """Return what each of `entries` becomes in `context`, beside it; items share what they can with links."""
        before = self._single if context == self._context else {}
        found: list[tuple[Entry, Shaped]] = []
        for entry in entries:
            known = before.get(entry.uid)
            if known is None or (known[0] is not entry and known[0] != entry):
                try:
                    known = (entry, target.shape(entry, context))
                except Exception as error:  # noqa: BLE001 - what one entry meets must not stop the others
                    known = (entry, Shaped(problems=(crashed(entry, error),)))
            elif known[0] is not entry:
                # Keep the new entry: otherwise the former snapshot's entries would stay in memory beside these.
                known = (entry, known[1])
            if linked and (items := known[1].items) and type(items[0].fields) is not SentFields:
                shaped = known[1]
                items = tuple(map(slim, items, repeat(linked)))
                known = (entry, Shaped(items=items, problems=shaped.problems, stands=shaped.stands))
            found.append(known)
        self._context = context
        self._single = {pair[0].uid: pair for pair in found if _is_remembered(pair[0])}
        return found


def _is_remembered(entry: Entry) -> bool:
    return entry.recurrence is None and not entry.overrides and not entry.details.attachments
