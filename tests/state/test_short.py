"""What events were sent is kept in little room, and whatever an earlier version wrote is read as before."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model.item import SentFields, fingerprint
from syncd.model.json_values import Fields, packed_fields
from syncd.model.record import Settlement, Written
from syncd.state.codec import in_full, packed, shortened
from syncd.state.ledger import Ledger
from syncd.state.rows import SUMMED, SUMMED_CHANGE, SUMMED_LINK, row_sum
from syncd.target.calendar.portal_event import EventFields, to_fields
from syncd.target.crm.activity_wire import ActivityFields
from syncd.target.crm.activity_wire import to_fields as activity_fields
from tests.state.values import SYNC, intent, link

EVENT: Fields = {
    **to_fields(
        EventFields(
            name="Morning shift",
            start="2026-12-01T06:00:00",
            end="2026-12-01T14:00:00",
            all_day=False,
            zone_from="Europe/Moscow",
            zone_to="Europe/Moscow",
            location="Hall 4",
        )
    ),
    "remind": [15],
    "crm": [],
}
AS_OF_FIRST = (
    b"\x0cMorning shift\x082026-12-01T06:00:00\x0b2026-12-01T14:00:00\x04Europe/Moscow\x06Europe/Moscow\x05\x07Hall 4"
    b'\x0115\x02"}'
)
"""`EVENT` as the first version that shortened wrote it."""
_NAMES = st.sampled_from(["name", "start", "end", "zone_to", "location", "remind", "mark", "rule", "description"])
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text()
    | st.sampled_from(['","start":"', "\x0c", "\\"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | _NAMES, inner),
    max_leaves=12,
)


_TEXTS = st.text() | st.sampled_from(['","start":"', 'e":', ':"', "\\", '{"name":"', ',"notify":0', "\x0c"])


@given(st.dictionaries(_NAMES | st.text(), _VALUES))
def test_any_json_comes_back_as_it_was(fields: Fields) -> None:
    text = orjson.dumps(fields)
    assert in_full(shortened(text)) == text
    assert in_full(text) == text, "as an earlier version wrote it"


def test_what_ledgers_hold_is_read_for_ever() -> None:
    assert in_full(AS_OF_FIRST) == orjson.dumps(EVENT)


def test_what_every_event_says_takes_no_room() -> None:
    assert shortened(orjson.dumps(EVENT)) == AS_OF_FIRST
    all_day = EventFields(name="Fair", start="2026-12-01", end="2026-12-02", all_day=True)
    assert len(shortened(orjson.dumps(to_fields(all_day)))) < 40
    call = ActivityFields(subject="Call", start="2026-12-01T06:00:00+03:00", end="2026-12-01T06:30:00+03:00")
    text = orjson.dumps(activity_fields(call))
    assert len(shortened(text)) < len(text) - 70


@given(_TEXTS, _TEXTS, _TEXTS, st.dictionaries(_NAMES | _TEXTS, _TEXTS | st.integers(0, 9)))
def test_a_record_can_be_shortened_no_further(
    title: str, section: str, stamp: str, fields: dict[str, str | int]
) -> None:
    made = replace(link(), title=title, section=section, stamp=stamp, sent=fields)
    for record in (packed(made), packed(made, {})):
        assert record is not None
        assert shortened(record) == record


async def test_fields_are_kept_the_same_whether_they_are_packed_or_not(tmp_path: Path) -> None:
    kept = []
    for number, sent in enumerate((EVENT, packed_fields(EVENT), SentFields(orjson.dumps(EVENT), "Shifts", "f"))):
        ledger = await Ledger.open(path := tmp_path / f"{number}.db", now=1.0)
        own = ledger.of(SYNC)
        run_id = await own.begin_run(1.0)
        create, update = await own.reserve_ids(2)
        await own.intend(run_id, [replace(intent(create, run_id), fields=sent, before=sent)])
        await own.settle(run_id, [Settlement(intent_id=create, outcome=Written(remote_id=9, version=1), at=1.0)])
        changed = {**sent, "name": "Evening shift"}
        again = replace(intent(update, run_id, op="update", remote_id=9), fields=changed, before=sent)
        await own.intend(run_id, [again])
        assert await own.open_intents() == (again,)
        with closing(sqlite3.connect(path)) as connection:
            kept.append(
                [connection.execute(f"SELECT * FROM {table}").fetchall() for table in SUMMED if table != "notes"]
            )
        await own.settle(run_id, [Settlement(intent_id=update, outcome=Written(remote_id=9, version=2), at=1.0)])
        with closing(sqlite3.connect(path)) as connection:
            kept[-1] += [connection.execute(f"SELECT * FROM {table}").fetchall() for table in ("links", "changes")]
        await ledger.close()
    assert kept[0] == kept[1] == kept[2]


async def test_an_event_with_its_record_takes_six_hundred_bytes(tmp_path: Path) -> None:
    path, count = tmp_path / "syncd.db", 3000
    ledger = await Ledger.open(path, now=1.0)
    own = ledger.of(SYNC)
    run_id = await own.begin_run(1.0)
    ids = await own.reserve_ids(count)
    mark = fingerprint(EVENT, "Shifts")
    intents = [replace(intent(one, run_id, f"S{one}"), fields=EVENT, fingerprint=mark) for one in ids]
    await own.intend(run_id, intents)
    written = [Written(remote_id=100_000 + one, version=1, stamp="~1795262405 17") for one in ids]
    await own.settle(
        run_id, [Settlement(intent_id=i, outcome=one, at=1.0) for i, one in zip(ids, written, strict=True)]
    )
    await ledger.close()
    with closing(sqlite3.connect(path)) as connection:
        tables = "('links', 'sqlite_autoindex_links_1', 'links_of_event', 'changes', 'changes_of_run')"
        (size,) = connection.execute(f"SELECT sum(pgsize) FROM dbstat WHERE name IN {tables}").fetchone()
    assert size / count < 600


@pytest.mark.parametrize("stamped", [True, False])
async def test_links_and_records_of_earlier_versions_are_read(tmp_path: Path, stamped: bool) -> None:
    path = tmp_path / "syncd.db"
    ledger = await Ledger.open(path, now=1.0)
    own = ledger.of(SYNC)
    run_id = await own.begin_run(1.0)
    made = replace(link("a"), sent=EVENT, stamp="1795262405 17" if stamped else "")
    await own.adopt(run_id, [made], now=1.0)
    await ledger.close()
    with closing(sqlite3.connect(path)) as connection:
        ((*values, _),) = connection.execute(f"SELECT {SUMMED_LINK}, sum FROM links").fetchall()
        values[9] = orjson.dumps(EVENT)
        connection.execute("UPDATE links SET sent = ?, sum = ?", (values[9], row_sum(*values)))
        record = [*values[1:9], EVENT, *values[10:]][: None if stamped else -1]  # the stamp came later
        ((*change, _),) = connection.execute(f"SELECT {SUMMED_CHANGE}, sum FROM changes").fetchall()
        change[9] = orjson.dumps(record)
        connection.execute("UPDATE changes SET after = ?, sum = ?", (change[9], row_sum(*change)))
        connection.commit()
    ledger = await Ledger.open(path, now=2.0)
    own = ledger.of(SYNC)
    assert await own.links() == (made,)
    assert [one.after for one in await own.changes(run_id)] == [made]
    await ledger.close()
