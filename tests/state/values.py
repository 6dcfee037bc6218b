"""Small domain values for the tests of the ledger."""

from __future__ import annotations

from syncd.model.item import Hold, Key, Link, Op, Place, fingerprint
from syncd.model.json_values import Fields
from syncd.model.record import Intent

SYNC = "timetable"
OTHER = "duty"


def key(uid: str = "a", *, owner: int = 5, piece: str = "") -> Key:
    return Key(uid=uid, place=Place(kind="user", owner=owner), piece=piece)


def fields(name: str = "Lesson") -> Fields:
    return {"name": name, "from": "2026-12-01T09:00:00", "remind": [{"type": "min", "count": 15}], "private": False}


def link(uid: str = "a", *, remote_id: int = 812, name: str = "Lesson", version: int | None = 1) -> Link:
    sent = fields(name)
    return Link(
        key=key(uid),
        remote_id=remote_id,
        section="Shifts",
        section_id=7,
        fingerprint=fingerprint(sent, "Shifts"),
        sent=sent,
        version=version,
        title=name,
        where="shifts.csv:14",
        starts_on="2026-12-01",
        ends_on=None,
        start="2026-12-01T09:00:00+03:00",
    )


def intent(
    number: int,
    run_id: int,
    uid: str = "a",
    *,
    op: Op = "create",
    name: str = "Lesson",
    remote_id: int | None = None,
    before: Fields | None = None,
    sync: str = SYNC,
) -> Intent:
    sent = fields(name)
    return Intent(
        id=number,
        sync=sync,
        run_id=run_id,
        op=op,
        key=key(uid),
        remote_id=remote_id,
        section="Shifts",
        section_id=7,
        fingerprint=fingerprint(sent, "Shifts"),
        fields=sent,
        title=name,
        where="shifts.csv:14",
        starts_on="2026-12-01",
        ends_on=None,
        start="2026-12-01T09:00:00+03:00",
        created_at=1000.0,
        before=before,
    )


def hold(uid: str = "a", *, reason: str = "Access denied", attempts: int = 1) -> Hold:
    return Hold(
        key=key(uid),
        reason=reason,
        fingerprint="f",
        attempts=attempts,
        since=1000.0,
        retry_at=1060.0,
        title="Lesson",
        where="shifts.csv:14",
    )
