"""Pages become one snapshot, complete only where it is proved, or an error that says which page and why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from syncd.errors import ConfigError, SourceError
from syncd.model.entry import Snapshot, Window
from syncd.source import Source, open_source
from syncd.source.conformance import CONTEXT
from syncd.source.json.paging import NextOptions, Paging
from tests.source.json.records_server import ONE_C, RecordsServer, serving, shift, smena
from tests.source.web.serving import quick

COLUMNS = {"uid": "id", "title": "name", "start": "begins", "end": "ends"}
SMENA = {"uid": "Ref_Key", "title": "Description", "start": "Дата", "end": "ДатаОкончания"}
OFFSETS = {"skip": "skip", "limit": "limit", "size": 4}
TEN = [shift(f"E{n}") for n in range(10)]


class Cache(dict[str, bytes]):
    """A cache that outlives the source."""

    def load(self, name: str) -> bytes | None:
        return self.get(name)

    def save(self, name: str, content: bytes) -> None:
        self[name] = content


def opened(server: RecordsServer, way: str, **options: Any) -> Source:
    given = {"type": "json", "url": server.url + way, "records": "$.data.items[*]", "columns": COLUMNS, **options}
    source = open_source({key: value for key, value in given.items() if value is not None}, Path(), where="here")
    quick(source)
    return source


def one_c(server: RecordsServer, **options: Any) -> Source:
    return opened(server, quote(ONE_C), **{"preset": "1c", "records": None, "columns": SMENA, **options})


def uids(snapshot: Snapshot) -> list[str]:
    return sorted(entry.uid for entry in snapshot.entries)


async def whole(source: Source, expected: int = 10) -> Snapshot:
    snapshot = await source.read(CONTEXT)
    assert (snapshot.complete, snapshot.incomplete_because) == (True, "")
    assert uids(snapshot) == sorted(f"E{n}" for n in range(expected))
    return snapshot


WAYS: list[tuple[str, dict[str, Any]]] = [
    ("/link", {"next": {"link": "$.next"}}),
    ("/header", {"next": {"link": "header"}}),
    ("/cursor", {"next": {"cursor": "$.after", "parameter": "cursor"}}),
    ("/skip", {"next": OFFSETS}),
    ("/skip", {"next": OFFSETS, "total": "$.meta.total"}),
    ("/page", {"next": {"page": "page"}, "total": "$.meta.total"}),
    ("/page", {"next": {"page": "page"}}),
]


@pytest.mark.parametrize(("way", "options"), WAYS)
async def test_all_pages_are_read_by_every_way(way: str, options: dict[str, Any]) -> None:
    async with serving(*TEN, most=4) as server:
        await whole(opened(server, way, **options))


@pytest.mark.parametrize(("way", "options"), WAYS)
async def test_pages_that_have_not_changed_are_asked_for_once_each_and_not_read_again(
    way: str, options: dict[str, Any]
) -> None:
    async with serving(*TEN, most=4, etags=True) as server:
        source = opened(server, way, **options)
        first = await whole(source)
        server.asked.clear()
        server.not_modified = 0
        assert await source.read(CONTEXT) is first
        assert len(server.asked) == len(set(server.asked)) == server.not_modified
        assert len(server.asked) == (4 if "total" not in options and way in ("/skip", "/page") else 3)


async def test_what_is_kept_spares_the_next_process_the_second_reading(tmp_path: Path) -> None:
    cache = Cache()
    context = replace(CONTEXT, cache=cache)
    async with serving(*TEN, most=4, etags=True) as server:
        first = await opened(server, "/skip", next=OFFSETS).read(context)
        server.asked.clear()
        server.not_modified = 0
        again = await opened(server, "/skip", next=OFFSETS).read(context)
    assert again == first
    assert len(server.asked) == server.not_modified == 4


async def test_an_answer_that_says_what_time_it_is_has_not_changed() -> None:
    async with serving(*TEN, most=4, clock=True) as server:
        source = opened(server, "/link", next={"link": "$.next"})
        assert await source.read(CONTEXT) is await source.read(CONTEXT)


@pytest.mark.parametrize("options", [{"next": OFFSETS}, {"next": OFFSETS, "total": "$.meta.total"}])
async def test_a_page_that_is_shorter_than_asked_is_not_the_last(options: dict[str, Any]) -> None:
    async with serving(*TEN, short_pages=True) as server:
        await whole(opened(server, "/skip", **options))


@pytest.mark.parametrize(
    "options",
    [
        {"next": OFFSETS},
        {"next": OFFSETS, "total": "$.meta.total"},
        {"next": {"cursor": "$.after", "parameter": "cursor"}},
    ],
)
async def test_a_record_that_comes_while_pages_are_read_costs_another_reading(options: dict[str, Any]) -> None:
    way = "/cursor" if "cursor" in options["next"] else "/skip"
    async with serving(*TEN, most=4, grows=[shift("E10")]) as server:
        await whole(opened(server, way, **options), 11)


@pytest.mark.parametrize("options", [{"next": OFFSETS}, {"next": OFFSETS, "total": "$.meta.total"}])
async def test_records_that_go_while_pages_are_read_take_no_others_along(options: dict[str, Any]) -> None:
    async with serving(shift("old"), *TEN, most=4, shrinks=1) as server:
        await whole(opened(server, "/skip", **options))


@pytest.mark.parametrize("options", [{"next": OFFSETS}, {"next": OFFSETS, "total": "$.meta.total"}])
async def test_what_never_stands_still_is_incomplete(options: dict[str, Any]) -> None:
    async with serving(*TEN, most=4, restless=True) as server:
        snapshot = await opened(server, "/skip", **options).read(CONTEXT)
    assert not snapshot.complete
    assert "changed while it was read" in snapshot.incomplete_because
    assert snapshot.unnamed is None


async def test_a_total_that_is_never_reached_makes_the_snapshot_incomplete() -> None:
    async with serving(*TEN, most=4, wrong_total=3) as server:
        snapshot = await opened(server, "/skip", next=OFFSETS, total="$.meta.total").read(CONTEXT)
    assert not snapshot.complete
    assert "gave 10 records, and says that there are 13" in snapshot.incomplete_because
    assert len(snapshot.entries) == 10


@pytest.mark.parametrize(
    ("way", "options", "traps", "says"),
    [
        ("/link", {"next": {"link": "$.next"}}, {"circle": True}, "leads back to an earlier page"),
        ("/skip", {"next": OFFSETS}, {"ignores_paging": True}, "page 2 has the same records as page 1"),
        ("/page", {"next": {"page": "page"}}, {"ignores_paging": True}, "does not heed it"),
        ("/link", {"next": {"link": "$.next"}}, {"cut": 2}, "page 2 is cut off"),
        ("/link", {"next": {"link": "$.next"}}, {"broken_off": 2}, "the connection broke before everything had come"),
        ("/link", {"next": {"link": "$.next"}}, {"fails": 3}, r"refuses access \(403\); it says: the database is away"),
        ("/link", {"next": {"link": "$.next"}}, {"fails": 3, "fails_with": 500}, r"\(500\); it says: the datab"),
        ("/link", {"next": {"link": "$.next"}}, {"error_in_200": True}, "no list at .* it says: the licence"),
        ("/link", {"next": {"link": "$.next"}}, {"links_to": "http://other.example"}, "on another server, other.exa"),
        ("/link", {"next": {"link": "$.data"}}, {}, "what leads to the next page is no text"),
        ("/link", {"next": {"link": "$.next"}, "total": "$.next"}, {}, "there is no number at total"),
        ("/skip", {"next": OFFSETS, "count": "/bare"}, {}, "what count asks for is no number"),
        ("/skip", {"next": OFFSETS, "records": "$.data.rows"}, {}, r"no list at .* \(records may be \$.data.items"),
        ("/skip", {"next": OFFSETS, "max_bytes": 300}, {}, "sent more than 300 bytes"),
    ],
)  # fmt: skip
async def test_what_cannot_be_read_to_its_end_is_an_error_that_says_why(
    way: str, options: dict[str, Any], traps: dict[str, Any], says: str
) -> None:
    async with serving(*TEN, **{"most": 4, **traps}) as server:
        with pytest.raises(SourceError, match=says):
            await opened(server, way, **options).read(CONTEXT)


async def test_a_server_that_gives_all_at_once_is_believed_where_its_total_agrees() -> None:
    async with serving(*TEN, ignores_paging=True) as server:
        await whole(opened(server, "/skip", next={"skip": "skip"}, total="$.meta.total"))


async def test_a_page_cut_off_before_its_end_is_asked_for_again() -> None:
    async with serving(*TEN, most=4, broken_off=2) as server:
        source = opened(server, "/link", next={"link": "$.next"})
        clock = quick(source)

        async def heal(seconds: float) -> None:
            server.traps.broken_off = 0

        clock.sleep = heal  # type: ignore[method-assign]
        await whole(source)


async def test_a_cursor_that_stays_at_the_end_ends_the_reading() -> None:
    async with serving(*TEN, most=4, always_cursor=True) as server:
        await whole(opened(server, "/cursor", next={"cursor": "$.after", "parameter": "cursor"}))


async def test_the_days_of_the_window_go_into_the_query() -> None:
    window = Window(first=date(2026, 12, 1), last=date(2026, 12, 31))
    async with serving(*TEN) as server:
        source = opened(server, "/link", params={"from": "{first}", "кому": "все & {last}"})
        await source.read(replace(CONTEXT, window=window))
        await source.read(CONTEXT)
    assert server.asked[0] == "/link?from=2026-12-01&кому=все & 2026-12-31"
    assert server.asked[1] == "/link?from=1970-01-01&кому=все & 2037-12-31"


async def test_one_page_of_several_is_incomplete_where_nothing_says_how_to_ask_for_the_next() -> None:
    for way, more in (("/link", "next"), ("/header", "its Link header")):
        async with serving(*TEN, most=4) as server:
            snapshot = await opened(server, way).read(CONTEXT)
        assert not snapshot.complete
        assert f"says that there is another page ({more})" in snapshot.incomplete_because
        assert len(snapshot.entries) == 4


async def test_one_page_that_has_not_changed_costs_one_request() -> None:
    async with serving(*TEN, etags=True) as server:
        source = opened(server, "/link")
        first = await whole(source)
        assert await source.read(CONTEXT) is first
        assert (len(server.asked), server.not_modified) == (2, 1)


# 1C


async def test_1c_is_asked_in_order_by_pages_and_for_the_count() -> None:
    async with serving(*(smena(f"E{n}") for n in range(10)), login=("ann", "пароль"), unordered=True) as server:
        source = one_c(server, username="ann", password="пароль", next={"skip": "$skip", "limit": "$top", "size": 4})
        for skips in ((0, 3, 6, 9), (0, 3, 6)):  # the last page shows that there are no more; later the count does
            server.asked.clear()
            await whole(source)
            assert [one.partition("?")[2] for one in server.asked if "$count" not in one] == [
                f"$format=json&$orderby=Ref_Key&$top=4&$skip={skip}" for skip in skips
            ]
            assert [one for one in server.asked if "$count" in one] == [f"{ONE_C}/$count"] * 2


async def test_1c_that_has_not_changed_is_asked_twice_where_all_is_on_one_page() -> None:
    async with serving(*(smena(f"E{n}") for n in range(10))) as server:
        source = one_c(server)
        first = await whole(source)
        server.asked.clear()
        assert await source.read(CONTEXT) is first
    assert [one.partition("?")[0] for one in server.asked] == [f"{ONE_C}/$count", ONE_C]


async def test_the_filter_of_1c_holds_for_the_count_too() -> None:
    params = {"$filter": "Дата ge datetime'{first}T00:00:00' and Дата le datetime'{last}T23:59:59'"}
    window = Window(first=date(2026, 12, 1), last=date(2026, 12, 1))
    async with serving(smena("in"), smena("out", "2027-01-01")) as server:
        snapshot = await one_c(server, params=params).read(replace(CONTEXT, window=window))
    assert (uids(snapshot), snapshot.complete) == (["in"], True)
    assert server.asked[0].startswith(f"{ONE_C}/$count?$filter=Дата ge datetime'2026-12-01T00")


async def test_an_empty_date_or_reference_of_1c_is_nothing_and_midnight_a_time() -> None:
    empty = "0001-01-01T00:00:00"
    rows = [
        smena("whole", ДатаОкончания=empty),
        smena("night", Начало=empty, Конец="0001-01-01T08:00:00"),
        smena("day", Начало=empty, Конец=empty),
    ]
    async with serving(*rows) as server:
        found = await one_c(server).read(CONTEXT)
        columns = {
            "uid": "Ref_Key",
            "title": "Description",
            "date": "Дата",
            "start_time": "Начало",
            "end_time": "Конец",
        }
        server.records = [{**row, "Дата": "2026-12-01T00:00:00"} for row in rows[1:]]
        clocks = await one_c(server, columns=columns).read(CONTEXT)
    assert {entry.uid for entry in found.entries} == {"whole", "night", "day"}
    assert dict(found.entries[0].details.columns)["Сотрудник_Key"] == ""
    assert "Сотрудник@navigationLinkUrl" not in dict(found.entries[0].details.columns)
    spans = {entry.uid: str(entry.span) for entry in clocks.entries}
    assert "2026, 12, 1, 0, 0), end=datetime.datetime(2026, 12, 1, 8, 0)" in spans["night"]
    assert "AllDay" in spans["day"]


async def test_what_1c_says_is_wrong_is_told_in_its_own_words() -> None:
    async with serving(smena("E1")) as server:
        with pytest.raises(SourceError, match=r"answered 400; it says: Недопустимый параметр запроса"):
            await one_c(server, count="$count?$top=1").read(CONTEXT)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"columns": {}}, "missing key 'columns'"),
        ({"columns": {"title": "a"}}, "no column for start or date"),
        ({"columns": {**COLUMNS, "end": "$.a["}}, "columns: end '\\$.a\\[' is no JSONPath"),
        ({"records": "value"}, "records 'value' is no JSONPath: it begins with"),
        ({"total": "x"}, "total 'x' is no JSONPath"),
        ({"total": "$.x", "count": "y"}, "total and count exclude each other"),
        ({"next": {}}, "next: does not say how"),
        ({"next": {"skip": "a", "page": "b"}}, "next: skip and page exclude each other"),
        ({"next": {"cursor": "$.a"}}, "next: cursor and parameter go together"),
        ({"next": {"skip": "a", "size": 5}}, "next: limit and size go together"),
        ({"next": {"skip": "a", "first": 0}}, "next: first goes with page"),
        ({"next": {"skip": "a", "limit": "b", "size": 0}}, "size = 0 asks for nothing"),
        ({"next": {"link": "a"}}, "next: link 'a' is no JSONPath"),
        ({"next": {"skp": "a"}}, "next.skp is not a known key"),
        ({"preset": "2c"}, 'preset must be one of 1c, not "2c"'),
        ({"url": None, "path": "a.json", "next": {"skip": "a"}}, "next goes with url"),
        ({"url": None, "path": "a.json", "preset": "1c"}, "preset goes with url"),
        ({"path": "a.json", "next": {"skip": "a"}}, "path and url exclude each other"),
        ({"follow_links": True}, "follow_links goes with path"),
        ({"url": None}, "missing key 'path'"),
        ({"default_duration": "x"}, "default_duration"),
        ({"encoding": "klingon"}, "unknown encoding 'klingon'"),
        ({"recrods": "x"}, "unknown key 'recrods' .*did you mean 'records'"),
    ],
)
def test_options_that_cannot_be_used_are_named(options: Mapping[str, Any], says: str) -> None:
    given = {"type": "json", "url": "https://api.example.com/s3cret?key=s3cret", "columns": COLUMNS, **options}
    with pytest.raises(ConfigError, match=f"^here: .*{says}") as caught:
        open_source({key: value for key, value in given.items() if value is not None}, Path(), where="here")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(("first", "asked"), [(None, 1), (0, 0), (5, 5)])
def test_pages_are_numbered_from_one_or_from_first(first: int | None, asked: int) -> None:
    paging = Paging(NextOptions(page="p", first=first), records="$", total=None)
    assert paging.first("https://api.example.com/x") == f"https://api.example.com/x?p={asked}"


async def test_a_file_that_is_right_is_read_as_an_address_is(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"data": {"items": TEN}}))
    source = open_source(
        {"type": "json", "path": "a.json", "records": "$.data.items", "columns": COLUMNS}, tmp_path, where="here"
    )
    await whole(source)
