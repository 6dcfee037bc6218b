"""Feeds over HTTP, read from a real server on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from syncd.errors import SourceError
from syncd.model.entry import Snapshot
from syncd.source import Source, open_source
from syncd.source.base import ReadContext
from syncd.source.conformance import CONTEXT, PAGE
from syncd.source.web.access import Access
from syncd.source.web.cache import DirectoryCache
from syncd.source.web.web_client import WebClient
from tests.source.web.serving import CALENDAR, OTHER, QuickClock, ok, quick, serving, source


def uids(snapshot: Snapshot) -> list[str]:
    return [entry.uid for entry in snapshot.entries]


def only_file(directory: Path) -> Path:
    (found,) = directory.iterdir()
    return found


def with_cache(directory: Path, *, writable: bool = True) -> ReadContext:
    cache = DirectoryCache(directory, writable=writable)
    return ReadContext(zone=CONTEXT.zone, window=CONTEXT.window, today=CONTEXT.today, cache=cache)


async def test_a_feed_is_read_and_its_entries_name_the_server() -> None:
    async with serving(ok()) as site:
        snapshot = await source(f"{site.url}/team.ics?key=s3cret").read(CONTEXT)
    assert uids(snapshot) == ["one"]
    assert snapshot.complete
    assert snapshot.entries[0].where == f"{site.url[7:]}/team.ics:3"
    assert site.requests[0].headers["User-Agent"].startswith("syncd/")


async def test_an_unchanged_feed_costs_one_304_and_gives_the_same_snapshot() -> None:
    async with serving(ok(ETag='"1"', Last_Modified="Sat, 21 Nov 2026 09:00:00 GMT"), web.Response(status=304)) as site:
        feed = source(site.url)
        first = await feed.read(CONTEXT)
        assert await feed.read(CONTEXT) is first
    assert "If-None-Match" not in site.requests[0].headers
    assert site.requests[1].headers["If-None-Match"] == '"1"'
    assert site.requests[1].headers["If-Modified-Since"] == "Sat, 21 Nov 2026 09:00:00 GMT"


async def test_a_changed_feed_is_read_anew() -> None:
    async with serving(ok(ETag='"1"'), ok(OTHER, ETag='"2"')) as site:
        feed = source(site.url)
        await feed.read(CONTEXT)
        assert uids(await feed.read(CONTEXT)) == ["one", "two"]


async def test_a_304_under_another_zone_is_read_again_from_what_was_kept() -> None:
    async with serving(ok(ETag='"1"'), web.Response(status=304)) as site:
        feed = source(site.url)
        first = await feed.read(CONTEXT)
        other = await feed.read(ReadContext(zone="Asia/Omsk", window=CONTEXT.window, today=CONTEXT.today))
    assert other is not first
    assert uids(other) == ["one"]
    assert len(site.requests) == 2


async def test_the_next_process_asks_with_what_the_last_one_kept(tmp_path: Path) -> None:
    async with serving(ok(ETag='"1"'), web.Response(status=304)) as site:
        await source(site.url).read(with_cache(tmp_path / "feeds"))
        snapshot = await source(site.url).read(with_cache(tmp_path / "feeds"))
    assert uids(snapshot) == ["one"]
    assert snapshot.complete
    assert site.requests[1].headers["If-None-Match"] == '"1"'
    assert only_file(tmp_path / "feeds").stat().st_mode & 0o077 == 0


async def test_a_damaged_or_readonly_cache_costs_a_download_and_nothing_else(tmp_path: Path) -> None:
    async with serving(ok(ETag='"1"')) as site:
        await source(site.url).read(with_cache(tmp_path / "no", writable=False))
        assert not (tmp_path / "no").exists()
        await source(site.url).read(with_cache(tmp_path))
        kept = only_file(tmp_path)
        kept.write_bytes(b"\xff" + kept.read_bytes()[1:40])
        assert uids(await source(site.url).read(with_cache(tmp_path))) == ["one"]
    assert "If-None-Match" not in site.requests[-1].headers


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (web.Response(status=401), "wants other credentials.*password, or token"),
        (web.Response(status=403), "refuses access"),
        (web.Response(status=404), "has nothing at this address.*check url"),
        (web.Response(status=410), "has nothing at this address"),
        (web.Response(status=206, body=CALENDAR), "a part only"),
        (web.Response(status=304), "answered 304"),
        (web.Response(status=503), "failed .503."),
        (web.Response(body=PAGE, content_type="text/html"), "is an HTML page"),
        (web.Response(body=b"<!-- hi --><html>", content_type="text/html"), "is an HTML page"),
        (web.Response(body=PAGE, content_type="text/calendar"), "is an HTML page"),
        (web.Response(body=b"Service unavailable"), "is not iCalendar"),
        (web.Response(body=gzip.compress(CALENDAR)[:-9]), "gzip file cut short"),
        (web.Response(body=b"\x1f\x8b\x08nonsense"), "cannot be unpacked"),
    ],
)
async def test_what_is_no_schedule_is_an_error_at_first_and_later_keeps_the_last_good_entries(
    answer: web.Response, says: str
) -> None:
    async with serving(answer) as site:
        feed = source(site.url)
        quick(feed)
        with pytest.raises(SourceError, match=rf"^{site.url[7:]}.*{says}"):
            await feed.read(CONTEXT)
        site.answers = [ok(), answer]
        good = await feed.read(CONTEXT)
        kept = await feed.read(CONTEXT)
    assert good.complete
    assert kept.entries == good.entries
    assert not kept.complete
    assert "last good reading stay in force" in kept.incomplete_because
    assert kept.problems[-1].kind == "incomplete"
    assert kept.changed_marker != good.changed_marker


async def test_an_empty_body_is_incomplete_and_keeps_the_last_good_entries() -> None:
    async with serving(ok(b""), ok(), ok(b"")) as site:
        feed = source(site.url)
        first = await feed.read(CONTEXT)
        assert (first.entries, first.complete) == ((), False)
        assert "is empty" in first.incomplete_because
        good = await feed.read(CONTEXT)
        assert (await feed.read(CONTEXT)).entries == good.entries


async def test_a_feed_without_its_end_is_incomplete_with_what_was_read() -> None:
    async with serving(ok(OTHER), ok(OTHER[:-60])) as site:
        feed = source(site.url)
        await feed.read(CONTEXT)
        cut = await feed.read(CONTEXT)
    assert uids(cut) == ["one"]
    assert not cut.complete


async def test_the_last_good_entries_outlive_the_process(tmp_path: Path) -> None:
    async with serving(ok(), web.Response(status=403)) as site:
        await source(site.url).read(with_cache(tmp_path))
        kept = await source(site.url).read(with_cache(tmp_path))
    assert uids(kept) == ["one"]
    assert not kept.complete


async def test_a_transient_failure_is_tried_again_after_a_growing_pause() -> None:
    async with serving(web.Response(status=502), web.Response(status=503), ok()) as site:
        feed = source(site.url)
        clock = quick(feed)
        assert (await feed.read(CONTEXT)).complete
    assert clock.slept == [1.0, 4.0]


async def test_the_server_says_how_long_to_wait_and_a_long_wait_is_not_waited() -> None:
    busy = web.Response(status=429, headers={"Retry-After": "7"})
    async with serving(busy, ok(), web.Response(status=503, headers={"Retry-After": "3600"})) as site:
        feed = source(site.url)
        clock = quick(feed)
        await feed.read(CONTEXT)
        assert clock.slept == [7.0]
        assert not (await feed.read(CONTEXT)).complete
        assert clock.slept == [7.0]


async def test_a_refusal_is_not_tried_again() -> None:
    async with serving(web.Response(status=401)) as site:
        with pytest.raises(SourceError, match=r"wants other credentials \(401\)"):
            await source(site.url).read(CONTEXT)
    assert len(site.requests) == 1


async def test_a_transfer_that_breaks_off_is_never_read_as_a_shorter_schedule() -> None:
    async def breaking(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(OTHER))})
        await response.prepare(request)
        await response.write(OTHER[:150])
        assert request.transport is not None
        request.transport.close()
        return response

    async with serving(breaking) as site:
        feed = source(site.url)
        quick(feed)
        with pytest.raises(SourceError, match="broke before everything had come"):
            await feed.read(CONTEXT)
        assert len(site.requests) == 3


async def test_a_server_that_is_not_there_is_an_error_with_its_name() -> None:
    async with serving(ok()) as site:
        address = site.url
    feed = source(address)
    quick(feed)
    with pytest.raises(SourceError, match=rf"^{address[7:]} cannot be reached"):
        await feed.read(CONTEXT)


async def test_a_silent_server_is_given_up() -> None:
    async def silent(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(OTHER[:20])
        await asyncio.sleep(30)
        return response

    async with serving(silent) as site:
        feed = source(site.url, timeout="1s")
        feed._access = replace(feed._access, timeout_s=0.05)  # type: ignore[attr-defined]
        quick(feed)
        with pytest.raises(SourceError, match="sent nothing for"):
            await feed.read(CONTEXT)


async def test_more_than_max_bytes_is_refused_while_it_comes_however_it_is_packed() -> None:
    bomb = b"BEGIN:VCALENDAR\r\n" + b"X" * 3_000_000
    packed = ok(gzip.compress(bomb), Content_Encoding="gzip")
    for answer in (ok(bomb), packed, ok(gzip.compress(bomb))):
        async with serving(answer) as site:
            with pytest.raises(SourceError, match=r"more than 100000 bytes.*max_bytes"):
                await source(site.url, max_bytes=100_000).read(CONTEXT)


async def test_gzip_is_unpacked_whether_the_server_or_the_file_packs_it() -> None:
    packed = gzip.compress(CALENDAR)
    for answer in (ok(packed, Content_Encoding="gzip"), ok(packed, Content_Type="application/gzip")):
        async with serving(answer) as site:
            assert uids(await source(f"{site.url}/team.ics.gz").read(CONTEXT)) == ["one"]


async def test_the_charset_of_the_header_counts_for_what_is_not_utf_8() -> None:
    german = OTHER.replace(b"SUMMARY:Two", "SUMMARY:Übung für Anfänger".encode("latin-1"))
    russian = OTHER.replace(b"SUMMARY:Two", "SUMMARY:Урок физики".encode("koi8-r"))
    for body, charset, title in ((german, "iso-8859-1", "Übung für Anfänger"), (russian, "koi8-r", "Урок физики")):
        async with serving(ok(body, Content_Type=f"text/calendar; charset={charset}")) as site:
            assert (await source(site.url).read(CONTEXT)).entries[1].details.title == title
    # A charset that the server gives to all its files is no evidence against the words of this one.
    usual = OTHER.replace(b"SUMMARY:Two", "SUMMARY:Урок физики".encode("cp1251"))
    async with serving(ok(usual, Content_Type="text/calendar; charset=iso-8859-1")) as site:
        assert (await source(site.url).read(CONTEXT)).entries[1].details.title == "Урок физики"
    utf8 = OTHER.replace(b"SUMMARY:Two", "SUMMARY:Урок".encode())
    async with serving(ok(utf8, Content_Type="text/calendar; charset=iso-8859-1")) as site:
        assert (await source(site.url).read(CONTEXT)).entries[1].details.title == "Урок"


async def test_csv_is_read_from_an_address_too() -> None:
    async with serving(ok(b"Title;Start\nLesson;2026-12-01 09:00\n")) as site:
        options = {"type": "csv", "url": site.url, "columns": {"title": "Title", "start": "Start"}}
        snapshot = await open_source(options, Path(), where="test").read(CONTEXT)
    assert [entry.details.title for entry in snapshot.entries] == ["Lesson"]


async def drip(request: web.Request) -> web.StreamResponse:
    """Never silent and never done."""
    response = web.StreamResponse()
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            await response.write(b" ")
            await asyncio.sleep(0)
    return response


def hurried(opened: Source, **limits: float) -> Source:
    opened._access = replace(opened._access, **limits)  # type: ignore[attr-defined]
    return opened


async def test_a_feed_that_is_never_silent_ends_with_the_time_of_the_whole_reading() -> None:
    async with serving(drip) as site:
        with pytest.raises(SourceError, match=r"did not send everything within 0\.05 s .*total_timeout"):
            await hurried(source(site.url), total_s=0.05).read(CONTEXT)


async def test_what_was_read_before_stays_in_force_while_a_feed_drips() -> None:
    async with serving(ok(), drip) as site:
        feed = source(site.url)
        assert (await feed.read(CONTEXT)).complete
        snapshot = await hurried(feed, total_s=0.05).read(CONTEXT)
    assert (uids(snapshot), snapshot.complete) == (["one"], False)


async def test_a_feed_of_pages_without_end_is_bounded_in_all() -> None:
    async with serving(ok(b"x" * 1000)) as site:
        access = Access(url=site.url, shown="feed", max_bytes=1000)
        async with WebClient(access, QuickClock()) as client:
            for _ in range(10):
                await client.ask("GET", site.url)
            with pytest.raises(SourceError, match="more than 10 times 1000 bytes in all"):
                await client.ask("GET", site.url)
