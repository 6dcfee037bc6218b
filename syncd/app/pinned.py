"""Pinned plans: a file with what a person reviewed, and the check that a later pass does exactly that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

import msgspec

from syncd.app import words
from syncd.app.documents import change_document
from syncd.app.told_json import told_json
from syncd.cycle.prepared import Prepared
from syncd.errors import ConfigError, GuardError, message_of
from syncd.lang.saying import joined, say, say_count
from syncd.model.encoding import decoded
from syncd.model.item import Change
from syncd.model.json_values import Json
from syncd.model.zones import as_told, in_zone_of
from syncd.scrub import Clean, within

_FORMAT = 1  # to be raised when digests change: an old file would match nothing and look like a changed plan
_SHOWN = 3
_LONGEST_VALUE = 60
_ZONED = {"start": "zone_from", "end": "zone_to"}


class _PinnedPlan(msgspec.Struct):
    sync: str
    changes: list[dict[str, Any]]
    digests: list[str]


class _PinnedFile(msgspec.Struct):
    format: int
    plans: list[_PinnedPlan]


@dataclass(frozen=True, slots=True)
class Pins:
    """The pinned changes by sync: the digest of each change and its description."""

    path: Path
    plans: Mapping[str, Mapping[str, Mapping[str, Json]]]

    def check(self, prepared: Prepared) -> None:
        """Raise GuardError unless `prepared` does exactly what was pinned."""
        pinned = self.plans.get(prepared.sync)
        if pinned is None:
            raise GuardError(
                say("{sync}: {path} holds no plan for this sync", sync=prepared.sync, path=str(self.path)),
                say("pin a new one with `syncd plan --out`"),
            )
        current = {_digest(change): _document(change) for change in prepared.plan.changes}
        # In the zone of the plan's table, which stands above.
        zone = prepared.run.sync.zone
        extra = [_said(change, zone) for digest, change in current.items() if digest not in pinned]
        missing = [_said(change, zone) for digest, change in pinned.items() if digest not in current]
        if extra or missing:
            differences = [say("now also: {change}", change=one) for one in extra[:_SHOWN]]
            differences += [say("no longer: {change}", change=one) for one in missing[:_SHOWN]]
            raise GuardError(
                say(
                    "{sync}: the plan in {path} no longer matches:"
                    " {new} new, {number} gone"
                    " ({differences}); nothing was sent",
                    sync=prepared.sync,
                    path=str(self.path),
                    new=say_count("{count:,} change is", "{count:,} changes are", len(extra)),
                    number=len(missing),
                    differences=joined(differences),
                ),
                say("review and pin a new one with `syncd plan --out`"),
            )


def write(path: Path, plans: Iterable[Prepared], *, clean: Clean = str) -> None:
    """Pin `plans` in the file `path`; raises ConfigError if it cannot be written.

    `clean` takes secrets out of texts that are only for people to read.
    """
    pinned: Json = {
        "format": _FORMAT,
        "plans": [
            {
                "sync": one.sync,
                "changes": [within(_document(change), clean) for change in one.plan.changes],
                "digests": [_digest(change) for change in one.plan.changes],
            }
            for one in plans
        ],
    }
    try:
        path.write_bytes(told_json(pinned) + b"\n")
    except OSError as error:
        raise ConfigError(
            say("cannot write the plan to {path}: {reason}", path=str(path), reason=error.strerror or "")
        ) from error


def read(path: Path, content: bytes) -> Pins:
    """Return the pins in `content`, which `write` wrote to the file `path`; raises ConfigError if it did not."""
    try:
        read_file = decoded(content, type=_PinnedFile)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ConfigError(
            say("{path} is not a plan pinned by `syncd plan --out`: {error}", path=str(path), error=message_of(error)),
            say("pin it again"),
        ) from error
    if read_file.format != _FORMAT:
        raise ConfigError(
            say("{path} was pinned by another version of syncd", path=str(path)),
            say("pin a new one with `syncd plan --out`"),
        )
    plans = {one.sync: dict(zip(one.digests, one.changes, strict=True)) for one in read_file.plans}
    return Pins(path, plans)


def _digest(change: Change) -> str:
    """Return what identifies a change: the operation, the item, and how it will be afterwards."""
    # The fingerprint covers every field that is sent; the id tells the event from another one with the same key.
    fingerprint = change.item.fingerprint if change.item is not None else ""
    remote_id = change.link.remote_id if change.link is not None else ""
    return f"{change.op}:{change.key}:{remote_id}:{fingerprint}"


def _document(change: Change) -> dict[str, Json]:
    """Return a change as it is pinned: with the zones in which its times are told."""
    sent = change.item.fields if change.item is not None else {}
    return change_document(change) | {"zones": {name: sent.get(zoned) for name, zoned in _ZONED.items()}}


def _said(change: Mapping[str, Json], zone: str | None) -> str:
    said = say(
        "{op} «{title}» {start}",
        op=words.OPS.get(str(change.get("op")), str(change.get("op"))),
        title=str(change.get("title")),
        start=as_told(str(change.get("start")), zone),
    )
    fields = change.get("fields")
    if change.get("op") != "update" or not isinstance(fields, Mapping):
        return said
    differs = tuple(
        say("{field} {before} → {after}", field=words.field(name), before=before, after=after)
        for name, (before, after) in _differences(change, fields, zone)
    )
    return say("{said}, {differs}", said=said, differs=differs)


def _differences(
    change: Mapping[str, Json], fields: Mapping[str, Json], zone: str | None
) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each field that differs with its value before and after, times on the clock of `zone`."""
    own = change.get("zones")
    for name, pair in sorted(fields.items()):
        if not isinstance(pair, list | tuple):
            continue
        zones = fields.get(_ZONED.get(name, ""))
        if not isinstance(zones, list | tuple):
            zones = (own.get(name) if isinstance(own, Mapping) else None,) * 2
        times = [_clock(value, of, zone) for value, of in zip(pair, zones, strict=True)]
        # A moment that is only written in another zone is told as it is sent.
        before, after = times if name in _ZONED and times[0] != times[1] else map(_short, pair)
        yield name, (before, after)


def _clock(value: Json, own: Json, zone: str | None) -> str:
    """Return a time of the clocks of the zone `own` as people in `zone` read it; anything else as it is."""
    try:
        return as_told(in_zone_of(str(value), str(own)), zone)
    except (ValueError, ZoneInfoNotFoundError):  # no time, or one in a zone that only the portal knows
        return _short(value)


def _short(value: Json) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
