"""Files of activities: which files an entry has, and their contents while a pass needs them (PORTAL.md 6.1).

An item holds the name of each file and a digest of its content or of the link to it. Contents are not kept in the
ledger, nor are links, which may be passwords. The portal may rename a file, so only the number of files is compared.
"""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from typing import Literal
from urllib.parse import urlsplit

from syncd.errors import message_of
from syncd.lang.saying import joined, say
from syncd.model.entry import Attachment, Details
from syncd.model.item import Change, Item, canonical
from syncd.model.json_values import Fields, Json
from syncd.target.crm.file_links import FileError, SilentError, allowed, fetch_file

_MOST_FILES = 20
_MOST_LINKED_BYTES = 100_000_000
"""Of all linked files that one pass sends; one that many activities get counts for each, for each call holds it."""
_MOST_FETCH_S = 300.0
"""For so long one pass goes on to fetch; what is left has its turn in the next one, as it has above."""
_MOST_SILENCES = 3
"""A host that has left so many links unanswered in a pass is asked for no more of them in it."""
_ENOUGH = say("enough was fetched for one pass; the next one goes on")
_ONLY_A_LINK = say("it is only a link")
_FIELDS = ("files", "file_count")

FileRef = tuple[str, str]
"""A file's name, and what tells its content from another: "content:" or "link:", and a digest."""
Fetch = Callable[[str], Awaitable[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSettings:
    """Which files of entries are wanted, and from which hosts they may be fetched."""

    wanted: Literal["none", "inline", "links"] = "none"
    hosts: frozenset[str] = frozenset()
    max_bytes: int = 5_000_000


NO_FILES = FileSettings()


class Files:
    """The files of the items of one target. Their contents are kept until entries are shaped again."""

    def __init__(self, settings: FileSettings, fetch: Fetch | None = None) -> None:
        self.settings = settings
        self._fetch = fetch or partial(fetch_file, hosts=settings.hosts, limit_bytes=settings.max_bytes)
        self._turn: object = None
        self._contents: dict[str, bytes] = {}
        self._links: dict[str, str] = {}
        self._fetched: dict[str, bytes] = {}

    def begin(self, turn: object) -> None:
        """Forget the contents of earlier entries, unless `turn` is the object of the last call.

        Entries with files are shaped in every turn, so whatever is still needed is named again (`target.base`).
        """
        if turn is not self._turn:
            self._contents, self._links, self._fetched = {}, {}, {}
        self._turn = turn

    def refs(self, details: Details, warnings: list[str]) -> tuple[FileRef, ...]:
        """Return the files that the activity of an entry gets, and add to `warnings` those that it does not get."""
        if self.settings.wanted == "none":
            return ()
        found: list[FileRef] = []
        for one in details.attachments:
            if why := self._barred(one):
                warnings.append(say("the file {name!r} is not attached: {why}", name=one.name, why=why))
            elif len(found) == _MOST_FILES:
                warnings.append(_too_many(one))
            elif one.url:
                ref = f"link:{_digest(one.url.encode('utf-8', 'replace'))}"
                self._links[ref] = one.url
                found.append((one.name, ref))
            else:
                ref = f"content:{_digest(one.content)}"
                self._contents[ref] = one.content
                found.append((one.name, ref))
        return tuple(found)

    def _barred(self, one: Attachment) -> str:
        if one.url:
            return allowed(one.url, self.settings.hosts) if self.settings.wanted == "links" else _ONLY_A_LINK
        size = len(one.content)
        limit = self.settings.max_bytes
        if size <= limit:
            return ""
        return say("it has {size} bytes, more than the {limit} of files_max_bytes", size=size, limit=limit)

    async def fetched(
        self, changes: Sequence[Change], stopped: Callable[[], bool]
    ) -> tuple[tuple[Change, ...], dict[int, str]]:
        """Fetch what new and changed activities link to.

        Return the changes without the files that cannot be fetched now, so that these are missed and tried again in the
        next pass. Also return, by index, why a change has nothing left to do.
        """
        self._fetched = {}
        budget = _Budget(stopped)
        kept: list[Change] = []
        refused: dict[int, str] = {}
        for number, change in enumerate(changes):
            missing = await self._missing(refs_to_send(change), budget)
            left = _without(change, missing) if missing else change
            if missing and _is_nothing(left):
                refused[number] = _told_missing(missing)
            kept.append(left)
        return tuple(kept), refused

    async def _missing(self, refs: Iterable[FileRef], budget: _Budget) -> dict[FileRef, str]:
        missing: dict[FileRef, str] = {}
        for ref in refs:
            url = self._links.get(ref[1])
            if url is None:
                continue
            content = self._fetched.get(ref[1])
            try:
                if content is None:
                    budget.check_fetching(url)
                    content = await self._fetch(url)
                budget.take(len(content))
            except FileError as error:
                if isinstance(error, SilentError):
                    budget.note_silence(url)
                missing[ref] = message_of(error)
            else:
                self._fetched[ref[1]] = content
        return missing

    def parameter(self, change: Change) -> Json:
        """Return FILES for an add or an update, None if it must not mention files.

        Nothing can be sent of a content that is no longer known, for example when an earlier state is restored.
        """
        if change.item is None or not _says_files(change):
            return None
        files: list[Json] = []
        for name, content in refs_of(change.item.fields):
            known = self._contents.get(content, self._fetched.get(content))
            if known is None:
                return None
            files.append({"fileData": [name, base64.b64encode(known).decode("ascii")]})
        return files


def _too_many(one: Attachment) -> str:
    return say("the file {name!r} is not attached: an activity gets {most} at most", name=one.name, most=_MOST_FILES)


def _told_missing(missing: Mapping[FileRef, str]) -> str:
    return joined([say("the file {name!r}: {why}", name=name, why=why) for (name, _), why in missing.items()])


class _Budget:
    """The limits of one pass for linked files, whoever has written the schedule: time, memory and silent hosts."""

    def __init__(self, stopped: Callable[[], bool]) -> None:
        self._stopped = stopped
        self._until = _now() + _MOST_FETCH_S
        self._left_bytes = _MOST_LINKED_BYTES
        self._silences: Counter[str | None] = Counter()

    def check_fetching(self, url: str) -> None:
        """Raise FileError if no link may be fetched in this pass any more."""
        if self._stopped():
            raise FileError(say("the pass was stopped"))
        if self._silences[urlsplit(url).hostname] >= _MOST_SILENCES:
            raise FileError(say("its server has not answered before in this pass"))
        if self._left_bytes <= 0 or _now() > self._until:
            raise FileError(_ENOUGH)

    def take(self, size: int) -> None:
        """Count a file that is to be sent. Raises FileError if it is too much for this pass."""
        if self._left_bytes <= 0:
            raise FileError(_ENOUGH)
        self._left_bytes -= size

    def note_silence(self, url: str) -> None:
        """Count a link whose host did not answer."""
        self._silences[urlsplit(url).hostname] += 1


def _now() -> float:
    return asyncio.get_running_loop().time()


def refs_of(fields: Fields) -> tuple[FileRef, ...]:
    """Return the files that the fields of an item name."""
    files = fields.get("files")
    return tuple((str(one[0]), str(one[1])) for one in files) if isinstance(files, list | tuple) else ()


def refs_to_send(change: Change) -> tuple[FileRef, ...]:
    """Return the files that the call for `change` has to carry: all of them or none."""
    return refs_of(change.item.fields) if change.item is not None and _says_files(change) else ()


def _says_files(change: Change) -> bool:
    """Return True if the call for `change` has to carry the files of the activity.

    An update replaces all of them, so it carries them only if they have changed, in the source or in the portal.
    """
    if change.item is None or change.op not in ("create", "update"):
        return False
    before = refs_of(change.link.sent) if change.op == "update" and change.link is not None else ()
    return refs_of(change.item.fields) != before or "file_count" in change.fields


def _without(change: Change, missing: Mapping[FileRef, str]) -> Change:
    """Return `change` without the `missing` files, or without any files if one of these stands there already.

    FILES replaces all files. So it would remove what was attached before because a server does not answer today.
    """
    item, link = change.item, change.link
    assert item is not None
    left = [one for one in refs_of(item.fields) if one not in missing]
    count: Json = count_of(len(left))
    if change.op == "update" and link is not None and missing.keys() & set(before := refs_of(link.sent)):
        left = list(before)
        # Where people have deleted some, what stands there is noted, so that the next pass misses them again.
        count = change.fields["file_count"][0] if "file_count" in change.fields else link.sent.get("file_count")
        change = replace(change, fields={name: one for name, one in change.fields.items() if name not in _FIELDS})
    fields: dict[str, Json] = {name: value for name, value in item.fields.items() if name not in _FIELDS}
    fields |= {"files": [list(one) for one in left]} if left else {}
    fields |= {"file_count": count} if count else {}
    without: Item = replace(item, fields=fields)
    return replace(change, item=without)


def _is_nothing(change: Change) -> bool:
    """Return True for an update that would write what was written before."""
    item, link = change.item, change.link
    if change.op != "update" or item is None or link is None:
        return False
    return canonical(item.fields) == canonical(link.sent)


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()


def count_of(number: int) -> list[str]:
    """Return a number of files as a list that contains the list of any smaller number: people may attach more."""
    return [str(one) for one in range(1, number + 1)]
