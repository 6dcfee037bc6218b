"""Servers that answer with less than they should: broken XML, errors for one of many, addresses that are none."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from aiohttp import web

from syncd.errors import SourceError
from syncd.model.entry import Snapshot
from syncd.source import Source
from syncd.source.caldav import dav
from syncd.source.conformance import CONTEXT
from tests.source.caldav.shapes import (
    IS_CALENDAR,
    Answer,
    data,
    etag,
    found,
    gone,
    methods,
    multistatus,
    named,
    playing,
    wanted,
)
from tests.source.caldav.test_shapes import TEAM, caldav, listing, uids
from tests.source.calendars import calendar, event
from tests.source.web.serving import Site

HOME = "/cal/"
TOKEN = "<d:sync-token>t1</d:sync-token>"


def stored(uid: str, more: str = "") -> str:
    text = calendar(event("DTSTART:20261201T090000Z", f"SUMMARY:{uid}", "X-MORE:", uid=uid)).decode()
    return text.replace("X-MORE:", more or "X-MORE:")


def whole(text: str) -> str:
    return f"<cal:calendar-data>{text}</cal:calendar-data>"


def three(middle: str, fetched: bytes | None, *, syncs: bool = True, before: str = "") -> dict[str, Answer]:
    """A calendar of three resources; `middle` is the second one in XML, `fetched` what a GET of it gives."""
    texts = {f"{TEAM}1.ics": stored("one"), f"{TEAM}2.ics": middle, f"{TEAM}3.ics": stored("three")}

    def told(hrefs: Iterable[str], with_data: bool) -> tuple[int, str]:
        data_of = {href: whole(texts[href]) if with_data else "" for href in hrefs}
        status, text = multistatus(*(found(href, etag(href), one) for href, one in data_of.items()), token="t1")
        return status, before + text

    def report(body: str) -> tuple[int, str]:
        return told(wanted(body) or texts, "calendar-data" in body)

    paths: dict[str, Answer] = {
        f"PROPFIND {TEAM}": listing(TOKEN if syncs else "<cs:getctag>1</cs:getctag>"),
        f"REPORT {TEAM}": report,
    }
    if fetched is not None:
        paths[f"GET {TEAM}2.ics"] = lambda _: web.Response(body=fetched, content_type="text/calendar")
    return paths


async def read(site: Site, **options: object) -> tuple[Snapshot, Source]:
    source = caldav(f"{site.url}{TEAM}", **options)
    return await source.read(CONTEXT), source


@pytest.mark.parametrize("syncs", [True, False], ids=["by token", "by etags"])
@pytest.mark.parametrize(
    ("middle", "fetched", "description"),
    [
        ("DESCRIPTION:page\x0bbreak", b"DESCRIPTION:page\x0bbreak", "pagebreak"),
        ("DESCRIPTION:page&#x0b;break", b"DESCRIPTION:page\x0bbreak", "pagebreak"),
        ("DESCRIPTION:page&#11;break", b"DESCRIPTION:page\x0bbreak", "pagebreak"),
        ("DESCRIPTION:caf\udce9", b"DESCRIPTION:caf\xe9", "café"),
        ("DESCRIPTION:\uffff non-character", "DESCRIPTION:\uffff non-character".encode(), "\uffff non-character"),
    ],
    ids=["a control character", "its reference", "its decimal reference", "a bad byte", "a non-character"],
)
async def test_what_xml_cannot_carry_is_fetched_by_itself_and_named(
    middle: str, fetched: bytes, description: str, syncs: bool
) -> None:
    paths = three(stored("two", middle), stored("two", "DESCRIPTION:x").encode().replace(b"DESCRIPTION:x", fetched),
                  syncs=syncs)  # fmt: skip
    paths = {path: _raw(answer) for path, answer in paths.items()}
    async with playing(paths) as site:
        snapshot, source = await read(site)
        again = await source.read(CONTEXT)
        asked = len(site.requests)
        await source.read(CONTEXT)
        assert len(site.requests) == asked + 1
    assert uids(snapshot) == ["one", "two", "three"]
    assert snapshot.complete
    assert snapshot.entries[1].details.description == description
    told = [one for one in snapshot.problems if "XML forbids" in one.reason]
    assert [(one.where, one.kind) for one in told] == [("Team/2.ics", "warning")]
    assert again.problems == snapshot.problems


def _raw(answer: Answer) -> Answer:
    """Let text with surrogates leave as the bytes they stand for."""

    def told(body: str) -> web.Response:
        given = answer(body)
        if isinstance(given, web.Response):
            return given
        content = given[1].encode("utf-8", "surrogateescape")
        return web.Response(status=given[0], body=content, content_type="application/xml")

    return told


async def test_what_cannot_be_fetched_by_itself_is_used_as_mended() -> None:
    async with playing(three(stored("two", "DESCRIPTION:page\x0bbreak"), None)) as site:
        snapshot, _ = await read(site)
    assert uids(snapshot) == ["one", "two", "three"]
    assert snapshot.complete
    assert snapshot.entries[1].details.description == "page\ufffdbreak"
    assert [one.where for one in snapshot.problems] == ["Team/2.ics"]


@pytest.mark.parametrize(
    "before", ["\n", "\ufeff\r\n", "<br />\n<b>Notice</b>: x in y.php<br />\n", "Warning: a < b & c\n"]
)
async def test_what_stands_before_the_xml_hides_nothing(before: str) -> None:
    async with playing(three(stored("two"), None, before=before)) as site:
        snapshot, _ = await read(site)
    assert uids(snapshot) == ["one", "two", "three"]
    assert (snapshot.complete, snapshot.problems) == (True, ())


async def test_an_attachment_of_12_mb_does_not_hide_the_calendar() -> None:
    attachment = "ATTACH;ENCODING=BASE64;VALUE=BINARY:" + "QUJD" * 3_000_000
    async with playing(three(stored("two", attachment), None)) as site:
        snapshot, _ = await read(site)
    assert uids(snapshot) == ["one", "two", "three"]
    assert snapshot.complete


@pytest.mark.parametrize("syncs", [True, False], ids=["by token", "by etags"])
async def test_a_resource_larger_than_max_bytes_is_left_out_by_name_and_the_others_are_read(syncs: bool) -> None:
    large = stored("two", "ATTACH;ENCODING=BASE64;VALUE=BINARY:" + "QUJD" * 5_000)
    paths = three(large, large.encode(), syncs=syncs)
    for at, uid in ((1, "one"), (3, "three")):
        paths[f"GET {TEAM}{at}.ics"] = _fetched(uid)
    async with playing(paths) as site:
        snapshot, _ = await read(site, max_bytes=10_000)
    assert uids(snapshot) == ["one", "three"]
    assert not snapshot.complete
    assert [one.where for one in snapshot.problems] == ["Team/2.ics"]
    assert "more than 10000 bytes" in snapshot.incomplete_because


def _fetched(uid: str) -> Answer:
    return lambda _: web.Response(text=stored(uid), content_type="text/calendar")


def test_a_text_in_cdata_keeps_its_ampersands_and_a_cut_answer_stays_refused() -> None:
    text = multistatus(found("/a", whole("<![CDATA[a & b &amp; c]]>"), named("x & y\x07")))[1]
    (response,) = dav.read_multistatus(text.replace("&amp; y", "& y").encode()).responses
    assert response.text(dav.DATA) == "a & b &amp; c"
    assert response.text(dav.DISPLAY_NAME) == "x & y\ufffd"
    with pytest.raises(ValueError, match="not XML"):
        dav.read_multistatus(("\n" + text)[:-30].encode())
    bomb = '<?xml version="1.0"?>\n<!DOCTYPE d [<!ENTITY a "aaaa">]>' + text.partition("?>")[2]
    for before in ("", "\n", "\x0b"):
        with pytest.raises(ValueError, match="document type"):
            dav.read_multistatus((before + bomb).encode())


@pytest.mark.parametrize(
    ("status", "said", "count"), [(507, "Insufficient Storage", 1), (400, "REPORT occurrences limit exceeded", 300)]
)
async def test_a_calendar_that_tells_no_changes_is_listed_by_etags_and_costs_one_request_while_unchanged(
    status: int, said: str, count: int
) -> None:
    hrefs = [f"{TEAM}{n}.ics" for n in range(count)]

    def report(body: str) -> tuple[int, str]:
        if "sync-collection" in body:
            return status, said
        asked = wanted(body)
        return multistatus(*(found(one, etag(one), data(one) if asked else "") for one in asked or hrefs))

    async with playing({f"PROPFIND {TEAM}": listing(TOKEN), f"REPORT {TEAM}": report}) as site:
        snapshot, source = await read(site)
        asked = len(site.requests)
        await source.read(CONTEXT)
        assert methods(site)[asked:] == [f"PROPFIND {TEAM}"]
    assert sorted(uids(snapshot)) == sorted(hrefs)
    assert snapshot.complete


def home(*members: str) -> Answer:
    about = "<d:resourcetype><d:collection/></d:resourcetype>"
    return lambda _: multistatus(found(HOME, about, f"<cal:calendar-home-set><d:href>{HOME}</d:href>"
                                       "</cal:calendar-home-set>"), *members)  # fmt: skip


def member(name: str) -> str:
    return found(f"{HOME}{name}/", IS_CALENDAR, named(name.title()), "<d:sync-token>t</d:sync-token>")


def of(name: str) -> Answer:
    return lambda _: multistatus(found(f"{HOME}{name}/1.ics", etag("a"), data(name)), token="t")


def withheld(name: str, status: str) -> str:
    inner = (
        f"<d:propstat><d:prop><d:resourcetype/><d:displayname/></d:prop><d:status>HTTP/1.1 {status}</d:status>"
        "</d:propstat>"
    )
    return f"<d:response><d:href>{HOME}{name}/</d:href>{inner}</d:response>"


ERRORS = [
    gone(f"{HOME}b/", "500 Internal Server Error"),
    withheld("b", "403 Forbidden"),
    withheld("b", "503 Service Unavailable"),
]


@pytest.mark.parametrize("error", ERRORS, ids=["500", "propstat 403", "propstat 503"])
async def test_an_error_for_one_calendar_keeps_what_it_held_and_proves_no_absence(error: str) -> None:
    paths = {
        f"PROPFIND {HOME}": home(member("a"), member("b")),
        f"REPORT {HOME}a/": of("a"),
        f"REPORT {HOME}b/": of("b"),
    }
    async with playing(paths) as site:
        source = caldav(f"{site.url}{HOME}")
        before = await source.read(CONTEXT)
        paths[f"PROPFIND {HOME}"] = home(member("a"), error)
        snapshot = await source.read(CONTEXT)
        fresh = await caldav(f"{site.url}{HOME}").read(CONTEXT)
    assert (uids(before), before.complete) == (["a", "b"], True)
    assert (sorted(uids(snapshot)), snapshot.complete) == (["a", "b"], False)
    assert (uids(fresh), fresh.complete) == (["a"], False)
    assert "calendar 'b': the server answers" in snapshot.incomplete_because


UNTOLD = {
    "no status": "",
    "another status": "<d:status>It works</d:status>",
    "only that it is there": "<d:status>HTTP/1.1 200 OK</d:status>",
    "no type": "<d:propstat><d:prop><d:displayname>b</d:displayname></d:prop><d:status>HTTP/1.1 200 OK</d:status>"
    "</d:propstat>",
    "type not found": "<d:propstat><d:prop><d:resourcetype/></d:prop><d:status>HTTP/1.1 404 Not Found</d:status>"
    "</d:propstat>",
}


@pytest.mark.parametrize("said", UNTOLD.values(), ids=UNTOLD)
async def test_what_a_calendar_is_must_be_told_or_it_keeps_what_it_held(said: str) -> None:
    paths = {
        f"PROPFIND {HOME}": home(member("a"), member("b")),
        f"REPORT {HOME}a/": of("a"),
        f"REPORT {HOME}b/": of("b"),
    }
    async with playing(paths) as site:
        source = caldav(f"{site.url}{HOME}")
        assert (await source.read(CONTEXT)).complete
        paths[f"PROPFIND {HOME}"] = home(member("a"), f"<d:response><d:href>{HOME}b/</d:href>{said}</d:response>")
        snapshot = await source.read(CONTEXT)
    assert (sorted(uids(snapshot)), snapshot.complete) == (["a", "b"], False)
    assert "calendar 'b': the server does not say what it is" in snapshot.incomplete_because


async def test_an_error_for_a_calendar_that_is_not_meant_hinders_nothing() -> None:
    paths = {f"PROPFIND {HOME}": home(member("a"), ERRORS[0]), f"REPORT {HOME}a/": of("a")}
    async with playing(paths) as site:
        assert (await caldav(f"{site.url}{HOME}", calendars=["A"]).read(CONTEXT)).complete
        assert not (await caldav(f"{site.url}{HOME}", calendars=["A*"]).read(CONTEXT)).complete


async def test_a_missing_member_is_no_error_for_one() -> None:
    paths = {f"PROPFIND {HOME}": home(member("a"), gone(f"{HOME}b/")), f"REPORT {HOME}a/": of("a")}
    async with playing(paths) as site:
        assert (await caldav(f"{site.url}{HOME}").read(CONTEXT)).complete


HOSTILE = ["http://[::1", "http://127.0.0.1:99999/cal/x/", "//other.example/cal/x/", "https://other.example/cal/x/",
           "ftp://127.0.0.1/x", "javascript:alert(1)"]  # fmt: skip


@pytest.mark.parametrize("href", HOSTILE)
async def test_an_address_that_is_none_or_elsewhere_is_refused_in_words(href: str) -> None:
    async with playing({}) as other:
        href = href.replace("other.example", other.url.removeprefix("http://").replace("127.0.0.1", "localhost"))
        where = "names an address"
        paths = {f"PROPFIND {HOME}": home(member("a"), found(href, IS_CALENDAR)), f"REPORT {HOME}a/": of("a")}
        async with playing(paths) as site:
            snapshot = await caldav(f"{site.url}{HOME}").read(CONTEXT)
            assert (uids(snapshot), snapshot.complete) == (["a"], False)
            assert where in snapshot.incomplete_because

            paths[f"PROPFIND {HOME}"] = home(member("a"))
            paths[f"REPORT {HOME}a/"] = lambda _: multistatus(
                found(f"{HOME}a/1.ics", etag("a"), data("one")), found(href, etag("b")), token="t"
            )
            snapshot = await caldav(f"{site.url}{HOME}").read(CONTEXT)
            assert (uids(snapshot), snapshot.complete) == (["one"], False)
            assert where in snapshot.incomplete_because

            paths[f"PROPFIND {HOME}"] = lambda _: multistatus(
                found(HOME, f"<cal:calendar-home-set><d:href>{href}</d:href></cal:calendar-home-set>")
            )
            with pytest.raises(SourceError, match=where):
                await caldav(f"{site.url}{HOME}").read(CONTEXT)
        assert other.requests == []


async def test_a_server_that_names_itself_by_another_port_is_asked_at_the_configured_one() -> None:
    inside = "http://127.0.0.1:8080"
    paths: dict[str, Answer] = {
        f"PROPFIND {HOME}": home(found(f"{inside}{HOME}a/", IS_CALENDAR, named("A"), "<cs:getctag>1</cs:getctag>")),
        f"REPORT {HOME}a/": lambda body: multistatus(found(f"{inside}{HOME}a/1.ics", etag("a"))),
        f"GET {HOME}a/1.ics": _fetched("one"),
    }
    async with playing(paths) as site:
        assert uids(await caldav(f"{site.url}{HOME}").read(CONTEXT)) == ["one"]


async def test_a_home_of_20000_calendars_is_refused_until_some_are_named() -> None:
    members = [member(f"c{at}") for at in range(20_000)]

    def listed(body: str) -> tuple[int, str] | web.Response:
        return home(*([] if "calendar-home-set" in body else members))(body)

    paths: dict[str, Answer] = {f"PROPFIND {HOME}": listed, f"REPORT {HOME}c7/": of("c7")}
    async with playing(paths) as site:
        with pytest.raises(SourceError, match=r"20000 calendars to read, more than 1000.*name those"):
            await caldav(f"{site.url}{HOME}").read(CONTEXT)
        assert len(site.requests) == 2
        assert uids(await caldav(f"{site.url}{HOME}", calendars=["C7"]).read(CONTEXT)) == ["c7"]
