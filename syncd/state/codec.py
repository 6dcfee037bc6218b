"""Converts domain values to rows and back; it knows nothing about transactions.

JSON comes back as dicts and lists, whatever mappings and sequences went in. What events were sent is kept for each of
them, and most of its text is the same in all: phrases that nearly every event has are one byte each in the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import orjson

from syncd.lang.saying import restored, stored
from syncd.model.encoding import decoded, encoded
from syncd.model.entry import Problem
from syncd.model.item import Hold, Key, Link, Place, PlaceKind
from syncd.model.json_values import Fields, PackedFields, dumps, kept_json, loads, plain
from syncd.model.record import MAX_PROBLEMS, ChangeRecord, Intent, RunRecord
from syncd.state.rows import KEY, LINK, Row

to_json: Final = partial(dumps, default=plain)
"""Returns a JSON value as text."""
_PHRASES: Final = (
    b'","color":"","accessibility":"busy","importance":"normal","private":false,"remind":[',
    b'],"meeting":null,"crm":[],"mark":"',
    b'","all_day":true,"zone_from":"","zone_to":"","rule":null,"description":"',
    b'","all_day":false,"zone_from":"',
    b'","rule":null,"description":"',
    b'","zone_to":"',
    b'","location":"',
    b'","start":"',
    b'","end":"',
    b'{"name":"',
    b'],"meeting":{"attendees":[',
    b'{"subject":"',
    b'","bbcode":false,"location":"',
    b',"notify":0,"completed":false,"communication":',
    b'{"title":"',
    b'","deadline":"',
    b'","description":"',
    b'"responsible":',
)
"""What has a byte of its own. Ledgers hold these bytes: a phrase is never changed, moved or removed, only added.

Each is looked for after those before it. Whatever a phrase does not fit, as the fields of another kind of event or of a
later version, is written out.
"""
_CODES: Final = (bytes((code,)) for code in range(1, 32) if code not in b"\t\n\r")
_BYTES: Final = dict(zip(_CODES, _PHRASES, strict=False))
"""The phrases by byte. JSON holds no control character as such: within a string it would be escaped."""
_KEY_COLUMNS: Final = KEY.count(",") + 1
_NOTHING: Final = b"{}"
_OF: Final = ":"
"""Between the kind of a run that is no pass and its state, so that every count of passes leaves it out."""
"""What the record of a create keeps of what was sent."""


def shortened(text: bytes) -> bytes:
    """Return JSON `text` with each of the phrases as its byte."""
    for byte, phrase in _BYTES.items():
        text = text.replace(phrase, byte)
    return text


def _all_shortened(texts: Iterable[bytes]) -> list[bytes]:
    """Return each of the JSON `texts` shortened. One look through all of them takes less than one through each."""
    # JSON has no line break as such, and neither has a phrase.
    return shortened(b"\n".join(texts)).split(b"\n")


def in_full(text: bytes) -> bytes:
    """Return the JSON that `shortened` was given; JSON itself, as earlier versions wrote it, is returned as it is."""
    for byte, phrase in _BYTES.items():
        text = text.replace(byte, phrase)
    return text


def fields_json(fields: Fields) -> bytes:
    """Return `fields` as JSON; what is packed is JSON already."""
    return fields.text if isinstance(fields, PackedFields) else to_json(fields)


def key_row(sync: str, key: Key) -> tuple[str, str, str, int, str]:
    """Return the values for the placeholders of `IS_KEY`."""
    return (sync, key.uid, key.place.kind, key.place.owner, key.piece)


def key_of(row: Row) -> Key:
    """Return the key in the four columns of `row`."""
    uid, calendar, owner, piece = row
    return Key(uid=uid, place=Place(kind=calendar, owner=owner), piece=piece)


def link_rows(links: Sequence[tuple[str, Link]]) -> Iterator[Row]:
    """Yield `links`, each with the name of its sync, as sync and the columns of `LINK`."""
    sent = _all_shortened(fields_json(link.sent) for _, link in links) if links else ()
    for (sync, link), text in zip(links, sent, strict=True):
        yield (*key_row(sync, link.key), *_linked(link, text))


def _linked(link: Link, sent: object) -> Row:
    """Return the columns of `LINK` after the key, with `sent` in place of what was sent."""
    return (
        link.remote_id,
        link.section,
        link.section_id,
        link.fingerprint,
        sent,
        link.version,
        link.title,
        link.where,
        link.starts_on,
        link.ends_on,
        link.start,
        link.absent_passes,
        link.same_updates,
        int(link.adopted),
        link.stamp,
    )


def links_of(rows: Iterable[Row]) -> Iterator[Link]:
    """Yield the links in `rows` of `LINK`; links of one place, day or hour share its value."""
    calendars: dict[tuple[PlaceKind, int], Place] = {}
    share: Any = {}.setdefault
    # All columns of LINK are unpacked at once: slicing would build several tuples for each of a hundred thousand rows.
    for (
        uid, kind, owner, piece, remote_id, section, section_id, fingerprint, sent, version, title, place, first, last,
        start, absent, same, adopted, stamp,
    ) in rows:  # fmt: skip
        calendar = calendars.get((kind, owner))
        if calendar is None:
            calendar = calendars[kind, owner] = Place(kind=kind, owner=owner)
        often = (section, section_id, first, last, start, stamp)
        section_as, section_id_as, first_as, last_as, start_as, stamp_as = map(share, often, often)
        yield Link(
            key=Key(uid=uid, place=calendar, piece=piece),
            remote_id=remote_id,
            section=section_as,
            section_id=section_id_as,
            fingerprint=fingerprint,
            sent=PackedFields(in_full(sent)),
            version=version,
            title=title,
            where=place,
            starts_on=first_as,
            ends_on=last_as,
            start=start_as,
            absent_passes=absent,
            same_updates=same,
            adopted=bool(adopted),
            stamp=stamp_as,
        )


def hold_row(sync: str, hold: Hold) -> Row:
    """Return `hold` as sync and the columns of `HOLD`."""
    return (
        *key_row(sync, hold.key),
        stored(hold.reason),
        hold.fingerprint,
        hold.attempts,
        float(hold.since),
        float(hold.retry_at),
        hold.title,
        hold.where,
    )


def hold_of(row: Row) -> Hold:
    """Return the hold in a row of `HOLD`."""
    reason, fingerprint, attempts, since, retry_at, title, place = row[4:]
    return Hold(
        key=key_of(row[:4]),
        reason=restored(reason),
        fingerprint=fingerprint,
        attempts=attempts,
        since=since,
        retry_at=retry_at,
        title=title,
        where=place,
    )


def intent_row(intent: Intent) -> Row:
    """Return `intent` as the columns of `INTENT`."""
    sync, *key = key_row(intent.sync, intent.key)
    return (
        intent.id,
        sync,
        intent.run_id,
        intent.op,
        *key,
        intent.remote_id,
        intent.section,
        intent.section_id,
        intent.fingerprint,
        fields_json(intent.fields),
        intent.title,
        intent.where,
        intent.starts_on,
        intent.ends_on,
        intent.start,
        float(intent.created_at),
        None if intent.before is None else fields_json(intent.before),
        intent.state,
        stored(intent.note),
    )


def intent_of(row: Row, unpack: Callable[[bytes], Fields] = loads) -> Intent:
    """Return the intent in a row of `INTENT`; `unpack` makes its fields of their JSON."""
    (
        number, sync, run_id, op, uid, calendar, owner, piece, remote_id, section, section_id, fingerprint, fields,
        title, place, first, last, start, created_at, before, state, note,
    ) = row  # fmt: skip
    return Intent(
        id=number,
        sync=sync,
        run_id=run_id,
        op=op,
        key=Key(uid=uid, place=Place(kind=calendar, owner=owner), piece=piece),
        remote_id=remote_id,
        section=section,
        section_id=section_id,
        fingerprint=fingerprint,
        fields=unpack(fields),
        title=title,
        where=place,
        starts_on=first,
        ends_on=last,
        start=start,
        created_at=created_at,
        before=None if before is None else unpack(before),
        state=state,
        note=restored(note),
    )


def link_of_intent(intent: Intent, remote_id: int, version: int | None, sent: Fields, stamp: str = "") -> Link:
    """Return the link that results from carrying out `intent` on `remote_id`, with the counts of a new one."""
    return Link(
        key=intent.key,
        remote_id=remote_id,
        section=intent.section,
        section_id=intent.section_id,
        fingerprint=intent.fingerprint,
        sent=sent,
        version=version,
        title=intent.title,
        where=intent.where,
        starts_on=intent.starts_on,
        ends_on=intent.ends_on,
        start=intent.start,
        adopted=intent.op == "adopt",
        stamp=stamp,
    )


def packed(link: Link | None, sent: Fields | None = None) -> bytes | None:
    """Return `link` without its key, which the change record has in columns, as one shortened JSON array.

    It has `sent` in place of what the link was sent, if that is given.
    """
    if link is None:
        return None
    text = fields_json(link.sent if sent is None else sent)
    # Only what was sent can hold a phrase: each has a letter, a quote and a colon, and no such quote is in a list of
    # texts and numbers. There quotes end a text, or begin one, or follow a backslash.
    return dumps(_linked(link, orjson.Fragment(shortened(text) if text != _NOTHING else text)))


def unpacked(text: bytes | None, key: Row) -> Link | None:
    """Return the link that `packed` wrote; `key` are the columns of its key."""
    if text is None:
        return None
    row = loads(in_full(text))
    if isinstance(row[0], str):  # records of earlier versions repeat the key, and some know no stamp
        del row[:_KEY_COLUMNS]
    row[4] = kept_json(row[4])
    row += [""] * (LINK.count(",") + 1 - _KEY_COLUMNS - len(row))
    return next(links_of(((*key, *row),)))


def change_of(row: Row) -> ChangeRecord:
    """Return the change record in a row of `CHANGE`."""
    number, run_id, sync, op = row[:4]
    remote_id, before, after, at = row[8:]
    return ChangeRecord(
        id=number,
        run_id=run_id,
        sync=sync,
        op=op,
        key=key_of(row[4:8]),
        remote_id=remote_id,
        before=unpacked(before, row[4:8]),
        after=unpacked(after, row[4:8]),
        at=at,
    )


def problems_with(problems: Iterable[Problem], change: Callable[[str], str]) -> tuple[Problem, ...]:
    """Return `problems` with their texts changed by `change`, which is `stored` or `restored`."""
    return tuple(replace(one, where=change(one.where), reason=change(one.reason)) for one in problems)


def run_row(run: RunRecord) -> Row:
    """Return `run` as the columns of `RUN`, with at most MAX_PROBLEMS of its problems."""
    return (
        run.sync,
        float(run.started),
        float(run.finished) if run.finished is not None else None,
        run.state if run.kind == "pass" else f"{run.kind}{_OF}{run.state}",
        to_json(run.counts),
        run.requests,
        run.commands,
        float(run.waited_s),
        float(run.seconds),
        encoded(problems_with(run.problems[:MAX_PROBLEMS], stored)),
        max(run.problem_count, len(run.problems)),
        stored(run.error),
    )


def run_of(row: Row) -> RunRecord:
    """Return the run in a row of id and the columns of `RUN`."""
    number, sync, started, finished, kept, counts, requests, commands, waited_s, seconds, problems, count, error = row
    kind, of, state = kept.rpartition(_OF)
    return RunRecord(
        id=number,
        sync=sync,
        started=started,
        finished=finished,
        state=state,
        counts=loads(counts),
        requests=requests,
        commands=commands,
        waited_s=waited_s,
        seconds=seconds,
        problems=problems_with(decoded(problems, type=tuple[Problem, ...]), restored),
        problem_count=count,
        error=restored(error),
        kind=kind if of else "pass",
    )
