"""Records become rows, whatever is nested in them, and a list that is not there is never an empty one."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.errors import SourceError
from syncd.model.entry import AllDay, Entry, Snapshot, Timed
from syncd.source import open_source
from syncd.source.conformance import CONTEXT
from syncd.source.json.document import Records, lists_in, number_in, read_document, says_more, words_in
from syncd.source.table.typed_values import encoded
from tests.source.json.records_server import shift

COLUMNS = {"uid": "id", "title": "name", "start": "begins", "end": "ends"}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


async def read(
    folder: Path, document: object, columns: Mapping[str, str] | None = None, *, raw: bool = False, **options: Any
) -> Snapshot:
    content = document if raw else json.dumps(document, ensure_ascii=False).encode()
    assert isinstance(content, bytes)
    (folder / "a.json").write_bytes(content)
    source = open_source(
        {"type": "json", "path": "a.json", "columns": columns or COLUMNS, **options}, folder, where="x"
    )
    return await source.read(CONTEXT)


def only(snapshot: Snapshot) -> Entry:
    assert [problem.reason for problem in snapshot.problems if problem.kind != "warning"] == []
    (entry,) = snapshot.entries
    return entry


async def test_values_are_found_by_name_by_names_with_dots_and_by_path(tmp_path: Path) -> None:
    record = {
        "Ref.Key": 7,
        "what": {"title": {"ru": "Смена"}},
        "start": {"dateTime": "2026-12-01T09:00:00+00:00"},
        "guests": [{"email": "a@x.example"}, {"email": "b@x.example"}],
        "tags": ["x", "y"],
        "room": {"name": "Blue", "seats": 4},
        "price": 12.50,
    }
    columns = {"uid": "Ref.Key", "title": "what.title.ru", "start": "start.dateTime"}
    columns |= {"attendees": "$.guests[*].email", "categories": "tags", "location": "$.room.name"}
    entry = only(await read(tmp_path, [record], columns))
    assert (entry.uid, entry.details.title, entry.details.location) == ("7", "Смена", "Blue")
    assert entry.details.attendees == ("a@x.example", "b@x.example")
    assert entry.details.categories == ("x", "y")
    assert isinstance(entry.span, Timed)
    assert entry.span.start == datetime(2026, 12, 1, 12)
    others = dict(entry.details.columns)
    assert (others["room.name"], others["room.seats"], others["price"]) == ("Blue", "4", "12.5")
    assert "guests" not in others


@pytest.mark.parametrize(
    ("begins", "moment"),
    [
        (1_796_115_600, datetime(2026, 12, 1, 12)),
        (1_796_115_600_000, datetime(2026, 12, 1, 12)),
        ("2026-12-01T12:00:00Z", datetime(2026, 12, 1, 15)),
        ("2026-12-01T12:00:00.000+03:00", datetime(2026, 12, 1, 12)),
        ("2026-12-01 12:00", datetime(2026, 12, 1, 12)),
    ],
)
async def test_times_are_read_as_servers_write_them(tmp_path: Path, begins: object, moment: datetime) -> None:
    entry = only(await read(tmp_path, [{"id": 1, "name": "A", "begins": begins, "ends": None}]))
    assert isinstance(entry.span, Timed)
    assert entry.span.start == moment


async def test_a_day_in_eight_digits_is_a_day_and_no_number_of_seconds(tmp_path: Path) -> None:
    entry = only(await read(tmp_path, [{"id": 1, "name": "A", "begins": 20261201, "ends": None}]))
    assert entry.span == AllDay(first=date(2026, 12, 1), end=date(2026, 12, 2))


async def test_a_record_that_cannot_be_used_is_rejected_alone(tmp_path: Path) -> None:
    records = [shift("a"), "nonsense", {**shift("b"), "begins": None}, {**shift("c"), "name": "\ud83d"}]
    snapshot = await read(tmp_path, json.dumps(records).encode(), raw=True)
    assert [entry.uid for entry in snapshot.entries] == ["a"]
    assert {(problem.where, problem.kind) for problem in snapshot.problems} == {
        ("a.json:2", "rejected"),
        ("a.json:3", "rejected"),
        ("a.json:4", "rejected"),
    }
    # What the second is cannot be told, so nothing that is missing may be deleted.
    assert not snapshot.complete


@pytest.mark.parametrize(
    ("records", "document", "says"),
    [
        ("$[*]", {"value": [shift("a")]}, r"no list at \$\[\*\] \(records may be \$.value\[\*\]"),
        ("$.value[*]", {}, r"no list at \$.value\[\*\]"),
        ("$.value[*]", {"value": None}, "no list"),
        ("$.value", {"value": None}, "is null, no list"),
        ("$.value", {"value": "x"}, "is text, no list"),
        ("$.value[*]", {"error": {"message": {"lang": "ru", "value": "Нет прав"}}}, "it says: Нет прав"),
        ("$.days[*].shifts[*]", {"days": [{}]}, "no list"),
        ("$..shifts[*]", {"days": []}, "no list"),
        ("$.a[*]", {"a": {"code": 5, "text": "no"}}, "no list"),
    ],
)
async def test_a_list_that_is_not_there_is_an_error_and_no_empty_schedule(
    tmp_path: Path, records: str, document: object, says: str
) -> None:
    with pytest.raises(SourceError, match=says):
        await read(tmp_path, document, records=records)


@pytest.mark.parametrize(
    ("records", "document"),
    [
        ("$[*]", []),
        ("$", []),
        ("$.value", {"value": []}),
        ("$.value[*]", {"value": []}),
        ("$.days[*].shifts[*]", {"days": []}),
        ("$.days[*].shifts[*]", {"days": [{"shifts": []}]}),
        ("$[?@.kind == 'shift']", [{"kind": "break"}]),
    ],
)
async def test_a_list_that_is_there_may_be_empty(tmp_path: Path, records: str, document: object) -> None:
    snapshot = await read(tmp_path, document, records=records)
    assert (snapshot.entries, snapshot.complete) == ((), True)


async def test_records_by_their_ids_are_records_too(tmp_path: Path) -> None:
    assert only(await read(tmp_path, {"a": {"17": shift("a")}}, records="$.a.*")).uid == "a"


async def test_one_record_alone_is_one(tmp_path: Path) -> None:
    assert only(await read(tmp_path, {"event": shift("a")}, records="$.event")).uid == "a"


async def test_a_member_that_no_record_has_is_told_and_one_that_makes_an_entry_is_an_error(tmp_path: Path) -> None:
    snapshot = await read(tmp_path, [shift("a", rooms="1")], {**COLUMNS, "location": "room"})
    assert [(problem.kind, problem.reason) for problem in snapshot.problems] == [
        ("warning", "no record has 'room', which columns gives for location (did you mean 'rooms'?)")
    ]
    with pytest.raises(SourceError, match=r"no record has 'nam', which columns gives for title \(did you mean 'name'"):
        await read(tmp_path, [shift("a")], {**COLUMNS, "title": "nam"})


async def test_half_a_surrogate_pair_in_a_member_spoils_its_own_record_at_most(tmp_path: Path) -> None:
    document = json.dumps([shift("a") | {"who": {"name": "\ud83d"}}, shift("b")]).encode()
    snapshot = await read(tmp_path, document, {**COLUMNS, "location": "$.who"}, raw=True)
    assert snapshot.complete
    assert {entry.uid for entry in snapshot.entries} | snapshot.rejected_uids == {"a", "b"}


async def test_a_total_is_compared_with_what_came(tmp_path: Path) -> None:
    document: dict[str, object] = {"items": [shift("a")]}
    for total in (1, 1.0, "1"):
        assert (await read(tmp_path, {**document, "total": total}, records="$.items", total="$.total")).complete
    for other, said in ((2, "2"), (True, "true"), (None, "nothing")):
        short = await read(tmp_path, {**document, "total": other}, records="$.items", total="$.total")
        assert not short.complete
        assert f"a.json has 1 record, and total says {said}" in short.incomplete_because


async def test_bytes_of_another_encoding_are_read_and_hostile_ones_refused(tmp_path: Path) -> None:
    russian = json.dumps([shift("a") | {"name": "Дежурство в приёмном отделении"}], ensure_ascii=False)
    for codec in ("utf-8-sig", "utf-16", "cp1251"):
        entry = only(await read(tmp_path, russian.encode(codec), raw=True))
        assert entry.details.title == "Дежурство в приёмном отделении"
    for content, says in ((b"[" * 200_000, "nested too deep"), (b'[{"a": 1}', "is cut off"), (b"[1,,2]", "is no JSON")):
        with pytest.raises(SourceError, match=says):
            await read(tmp_path, content, raw=True)


async def test_a_file_of_a_gigabyte_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "b.json").open("wb") as file:
        file.truncate(1_000_000_000)
    source = open_source({"type": "json", "path": "b.json", "columns": COLUMNS}, tmp_path, where="x")
    tracemalloc.start()
    with pytest.raises(SourceError, match=r"more than 100000000 bytes.*raise max_bytes"):
        await source.read(CONTEXT)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


async def test_a_number_of_a_billion_digits_takes_no_more_room_than_it_is_written_in(tmp_path: Path) -> None:
    content = json.dumps([shift("a")])[:-2] + ', "size": 1e999999999}]'
    assert dict(only(await read(tmp_path, content.encode(), raw=True)).details.columns)["size"] == "1E+999999999"


@given(VALUES)
def test_whatever_is_read_is_written_back_as_the_same_values(value: object) -> None:
    document = read_document(json.dumps(value).encode(), name="x")
    assert read_document(encoded(document), name="x") == document


@given(st.lists(VALUES, max_size=5), st.lists(st.text(min_size=1), min_size=1, max_size=4))
def test_a_list_below_any_names_is_found_by_them(records: list[object], names: list[str]) -> None:
    document: object = records
    for name in reversed(names):
        document = {name: document}
    path = "$" + "".join(f"[{json.dumps(name)}]" for name in names)
    assert Records(path).of(document, name="x") == Records(path + "[*]").of(document, name="x") == records


def test_what_a_document_says_besides_is_found() -> None:
    assert (
        words_in({"odata.error": {"code": "6", "message": {"lang": "ru", "value": "Метод не найден"}}})
        == "Метод не найден"
    )
    assert words_in({"errors": [{"detail": "a\nb"}]}) == "a b"
    assert words_in([1]) == words_in({"message": 5}) == words_in("x" * 300)[200:] == ""
    assert says_more({"@odata.nextLink": "https://x"}) == "@odata.nextLink"
    assert says_more({"meta": {"has_more": True}}) == "meta.has_more"
    assert says_more({"next": None, "hasMore": False, "links": []}) == says_more([]) == ""
    for said, number in (
        (b"\xef\xbb\xbf57 ", 57),
        (b'{"value": 57}', 57),
        (b'"57"', None),
        (b"true", None),
        (b"-1", None),
    ):
        assert number_in(said, name="x") == number
    assert lists_in({"a": [{}], "b": {"c-d": [{}, {}]}, "e": [1]}) == [("$.b['c-d'][*]", [{}, {}]), ("$.a[*]", [{}])]
