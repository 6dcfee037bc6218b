"""Servers as their makers document them: sabre (Nextcloud), iCloud, Google, Yandex, gateways before Exchange."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from syncd.errors import SourceError
from syncd.source import Source, open_source
from syncd.source.conformance import CONTEXT
from syncd.source.web.access import Access
from syncd.source.web.web_client import _is_home
from tests.source.caldav.shapes import (
    EVENTS_ONLY,
    IS_CALENDAR,
    SYNCS,
    Answer,
    data,
    etag,
    found,
    gone,
    methods,
    multistatus,
    named,
    playing,
    refused,
    wanted,
)
from tests.source.calendars import calendar, event
from tests.source.web.serving import quick

TEAM = "/cal/team/"


def caldav(url: str, **options: object) -> Source:
    source = open_source({"type": "caldav", "url": url, **options}, Path(), where="test")
    quick(source)
    return source


def listing(*properties: str) -> Answer:
    """A calendar that is configured by its own address."""
    return lambda _: multistatus(found(TEAM, IS_CALENDAR, named("Team"), EVENTS_ONLY, *properties))


def uids(snapshot: object) -> list[str]:
    return [entry.uid for entry in snapshot.entries]  # type: ignore[attr-defined]


async def test_nextcloud_is_found_from_its_bare_address_and_its_trash_and_tasks_are_not_read() -> None:
    home = "/remote.php/dav/calendars/ann/"
    tasks = '<cal:supported-calendar-component-set><cal:comp name="VTODO"/></cal:supported-calendar-component-set>'
    trash = "<d:resourcetype><d:collection/><x:trash-bin/></d:resourcetype>"
    paths: dict[str, Answer] = {
        "PROPFIND /.well-known/caldav": lambda _: web.Response(status=301, headers={"Location": "/remote.php/dav/"}),
        "PROPFIND /remote.php/dav/": lambda _: multistatus(
            found("/remote.php/dav/", "<d:current-user-principal><d:href>/remote.php/dav/principals/users/ann/</d:href>"
                  "</d:current-user-principal>", missing="<cal:calendar-home-set/>")
        ),
        "PROPFIND /remote.php/dav/principals/users/ann/": lambda _: multistatus(
            found("/remote.php/dav/principals/users/ann/",
                  f"<cal:calendar-home-set><d:href>{home}</d:href></cal:calendar-home-set>")
        ),
        f"PROPFIND {home}": lambda _: multistatus(
            found(home, "<d:resourcetype><d:collection/></d:resourcetype>"),
            found(f"{home}inbox/", "<d:resourcetype><d:collection/><cal:schedule-inbox/></d:resourcetype>"),
            found(f"{home}personal/", IS_CALENDAR, named("Personal"), EVENTS_ONLY, SYNCS,
                  "<d:sync-token>http://sabre.io/ns/sync/63</d:sync-token>", "<cs:getctag>http://sabre.io/ns/sync/63</cs:getctag>"),
            found(f"{home}tasks/", IS_CALENDAR, named("Tasks"), tasks),
            found(f"{home}trashbin/", trash),
        ),
        f"REPORT {home}personal/": lambda body: multistatus(
            found(f"{home}personal/1.ics", etag('"a"'), missing="<cal:calendar-data/>"), token="http://sabre.io/ns/sync/63"
        ) if "sync-collection" in body else multistatus(
            *(found(href, etag('"a"'), data("nc-1")) for href in wanted(body))
        ),
    }  # fmt: skip
    async with playing(paths) as site:
        source = caldav(site.url, username="ann", password="x")
        snapshot = await source.read(CONTEXT)
        assert await source.read(CONTEXT) is snapshot
    assert uids(snapshot) == ["nc-1"]
    assert snapshot.complete
    assert methods(site)[-1] == f"PROPFIND {home}"
    assert methods(site).count(f"REPORT {home}personal/") == 2
    assert all("Authorization" in request.headers for request in site.requests)


async def test_icloud_names_its_homes_on_another_host_of_its_own_which_gets_the_password() -> None:
    access = Access(url="https://caldav.icloud.com/", shown="x", family=True)
    assert _is_home(access, "https://p42-caldav.icloud.com:443/123/calendars/")
    assert not _is_home(access, "http://p42-caldav.icloud.com/123/calendars/")
    assert not _is_home(access, "https://p42-caldav.icloud.com.evil.example/")
    assert not _is_home(access, "https://p07-caldav.icloud.com:8443/1/")
    assert not _is_home(Access(url="https://10.0.0.1/", shown="x", family=True), "https://9.0.0.1/")
    assert not _is_home(Access(url="https://a.co.uk/", shown="x", family=True), "https://b.co.uk/")
    assert not _is_home(Access(url="https://caldav.icloud.com/", shown="x"), "https://p42-caldav.icloud.com/")


async def test_icloud_answers_with_absolute_hrefs_and_names_its_default_namespace() -> None:
    async with playing({}) as site:
        home = f"{site.url}/123/calendars/"
        body = (
            '<?xml version="1.0"?><multistatus xmlns="DAV:"><response><href>/</href><propstat><prop>'
            '<current-user-principal><href xmlns="DAV:">/123/principal/</href></current-user-principal></prop>'
            "<status>HTTP/1.1 200 OK</status></propstat></response></multistatus>"
        )
        paths: dict[str, Answer] = {
            "PROPFIND /": lambda _: (207, body),
            "PROPFIND /123/principal/": lambda _: multistatus(
                found("/123/principal/", f"<cal:calendar-home-set><d:href>{home}</d:href></cal:calendar-home-set>")
            ),
            "PROPFIND /123/calendars/": lambda _: multistatus(
                found(f"{home}WORK-1/", IS_CALENDAR, named("Work"), "<d:sync-token>t</d:sync-token>")
            ),
            "REPORT /123/calendars/WORK-1/": lambda _: multistatus(
                found(f"{home}WORK-1/A.ics", etag("a"), data("ic-1")), token="t"
            ),
        }
        async with playing(paths) as second:
            home = f"{second.url}/123/calendars/"
            assert uids(await caldav(f"{second.url}/", username="a", password="b").read(CONTEXT)) == ["ic-1"]


async def test_google_is_read_by_its_calendars_address_and_a_token() -> None:
    path = "/caldav/v2/ann@example.com/events/"
    paths: dict[str, Answer] = {
        f"PROPFIND {path}": lambda _: multistatus(
            found("/caldav/v2/ann%40example.com/events/", IS_CALENDAR, named("ann@example.com"),
                  "<cs:getctag>123</cs:getctag>", "<d:sync-token>https://x/sync/1</d:sync-token>")
        ),
        f"REPORT {path}": lambda body: multistatus(
            found("/caldav/v2/ann%40example.com/events/", etag('"0"')),
            found("/caldav/v2/ann%40example.com/events/e%40google.com.ics", etag('"1"')), token="https://x/sync/1",
        ) if "sync-collection" in body else multistatus(
            found("/caldav/v2/ann%40example.com/events/e%40google.com.ics", etag('"1"'), data("g-1"))
        ),
    }  # fmt: skip
    async with playing(paths) as site:
        source = caldav(f"{site.url}/caldav/v2/ann%40example.com/events", token="t0ken")
        paths["PROPFIND /caldav/v2/ann@example.com/events"] = paths[f"PROPFIND {path}"]
        assert uids(await source.read(CONTEXT)) == ["g-1"]
    assert site.requests[0].headers["Authorization"] == "Bearer t0ken"


async def test_yandex_knows_no_well_known_address_and_lists_by_ctag_and_etags() -> None:
    ctags = ["1", "1", "2"]
    tags = {"1.ics": '"a"', "2.ics": '"a"'}
    paths: dict[str, Answer] = {
        "PROPFIND /": lambda _: (405, ""),
        "PROPFIND /.well-known/caldav": lambda _: multistatus(
            found("/", f"<cal:calendar-home-set><d:href>{TEAM[:-5]}</d:href></cal:calendar-home-set>")
        ),
        f"PROPFIND {TEAM[:-5]}": lambda _: multistatus(
            found(TEAM, IS_CALENDAR, named("Команда"), f"<cs:getctag>{ctags.pop(0)}</cs:getctag>")
        ),
        f"REPORT {TEAM}": lambda body: (
            multistatus(*(found(TEAM + name, etag(tag)) for name, tag in tags.items()))
            if "calendar-query" in body
            else multistatus(*(found(href, etag("x"), data(href[-5])) for href in wanted(body)))
        ),
    }
    async with playing(paths) as site:
        source = caldav(f"{site.url}/", calendars=["Команда"])
        first = await source.read(CONTEXT)
        assert uids(first) == ["1", "2"]
        before = len(site.requests)
        assert await source.read(CONTEXT) is first
        assert len(site.requests) == before + 1
        del tags["1.ics"]
        tags["3.ics"] = '"c"'
        assert uids(await source.read(CONTEXT)) == ["2", "3"]


async def test_a_gateway_without_reports_is_listed_and_read_one_by_one() -> None:
    paths: dict[str, Answer] = {
        f"PROPFIND {TEAM}": lambda body: multistatus(
            found(TEAM, IS_CALENDAR, named("Calendar")), found(f"{TEAM}sub/", IS_CALENDAR),
            found(f"{TEAM}AAMk=.EML", etag("1"), "<d:resourcetype/>"),
        ) if "getetag" in body else multistatus(found(TEAM, IS_CALENDAR, named("Calendar"))),
        f"REPORT {TEAM}": lambda _: (501, "Not Implemented"),
        f"GET {TEAM}AAMk=.EML": lambda _: web.Response(text="BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:ex-1\n"
            "DTSTART:20261201T090000Z\nEND:VEVENT\nEND:VCALENDAR\n", headers={"ETag": "1"}),
    }  # fmt: skip
    async with playing(paths) as site:
        source = caldav(f"{site.url}{TEAM}")
        snapshot = await source.read(CONTEXT)
        quick(source)
    assert uids(snapshot) == ["ex-1"]
    assert snapshot.complete


async def test_what_is_no_calendar_in_a_folder_of_them_is_passed_over_with_a_line() -> None:
    folder = "<d:resourcetype/>", "<d:getcontenttype>text/plain; charset=utf-8</d:getcontenttype>"
    login = web.Response(text="<p>Log in</p>", content_type="text/html")
    plain = calendar(event("DTSTART:20261201T090000Z", uid="2")).decode()
    files = {"README": "Our calendars", "plain": plain}
    paths: dict[str, Answer] = {
        f"PROPFIND {TEAM}": lambda body: multistatus(
            found(TEAM, IS_CALENDAR, named("Team")),
            *(found(f"{TEAM}{name}", etag("1"), *folder) for name in files),
        ) if "getetag" in body else multistatus(found(TEAM, IS_CALENDAR, named("Team"))),
        f"REPORT {TEAM}": lambda _: (405, ""),
        f"GET {TEAM}README": lambda _: web.Response(text=files["README"]),
        f"GET {TEAM}plain": lambda _: web.Response(text=files["plain"]),
    }  # fmt: skip
    async with playing(paths) as site:
        source = caldav(f"{site.url}{TEAM}")
        for _ in range(2):
            snapshot = await source.read(CONTEXT)
            assert (uids(snapshot), snapshot.complete) == (["2"], True)
            assert [(one.where, one.kind) for one in snapshot.problems] == [("Team/README", "warning")]
        assert methods(site).count(f"GET {TEAM}README") == 1
        files["events"] = ""
        paths[f"GET {TEAM}events"] = lambda _: login
        assert not (await source.read(CONTEXT)).complete


async def test_a_303_from_the_well_known_address_says_where_the_server_is() -> None:
    paths: dict[str, Answer] = {
        "PROPFIND /.well-known/caldav": lambda _: web.Response(status=303, headers={"Location": TEAM}),
        f"PROPFIND {TEAM}": listing(),
        f"REPORT {TEAM}": lambda _: multistatus(found(f"{TEAM}1.ics", etag("1"), data("1"))),
    }
    async with playing(paths) as site:
        assert uids(await caldav(site.url).read(CONTEXT)) == ["1"]


@pytest.mark.parametrize("status", [403, 409, 412, 400])
async def test_an_invalid_token_is_known_by_its_element_whatever_the_status(status: int) -> None:
    tokens = iter(("t1", "t2"))
    asked: list[str] = []

    def report(body: str) -> tuple[int, str]:
        asked.append("all" if "<D:sync-token></D:sync-token>" in body or "<D:sync-token/>" in body else "since")
        if asked[-1] == "since":
            return refused(status, "d:valid-sync-token")
        return multistatus(found(f"{TEAM}1.ics", etag(str(len(asked))), data(f"u{len(asked)}")), token=f"t{len(asked)}")

    paths: dict[str, Answer] = {
        f"PROPFIND {TEAM}": lambda body: listing(
            f"<d:sync-token>{next(tokens)}</d:sync-token>" if "displayname" in body else "", SYNCS
        )(""),
        f"REPORT {TEAM}": report,
    }
    async with playing(paths) as site:
        source = caldav(f"{site.url}{TEAM}")
        assert uids(await source.read(CONTEXT)) == ["u1"]
        assert uids(await source.read(CONTEXT)) == ["u3"]
    assert asked == ["all", "since", "all"]


@pytest.mark.parametrize("status", [404, 409, 410, 412, 422, 500])
async def test_a_calendar_that_refuses_its_own_token_or_report_is_listed_by_etags(status: int) -> None:
    tokens = iter(("t1", "t2"))

    def report(body: str) -> tuple[int, str]:
        if "sync-collection" in body:
            return status, ""
        return multistatus(found(f"{TEAM}1.ics", etag("1"), data("u1") if wanted(body) else ""))

    paths: dict[str, Answer] = {
        f"PROPFIND {TEAM}": lambda body: listing(
            f"<d:sync-token>{next(tokens)}</d:sync-token>" if "displayname" in body else "", SYNCS
        )(""),
        f"REPORT {TEAM}": report,
    }
    async with playing(paths) as site:
        source = caldav(f"{site.url}{TEAM}")
        for fetched in (1, 0):
            snapshot = await source.read(CONTEXT)
            assert (uids(snapshot), snapshot.complete, source.fetched) == (["u1"], True, fetched)  # type: ignore[attr-defined]


@pytest.mark.parametrize("told", ['W/"abc"', '"abc-gzip"', ""])
async def test_what_is_fetched_by_itself_is_known_by_the_etag_of_the_list(told: str) -> None:
    listed = found(f"{TEAM}1.ics", etag('"abc"'), "<d:resourcetype/>")
    text = calendar(event("DTSTART:20261201T090000Z", "SUMMARY:x", uid="u1")).decode()
    paths: dict[str, Answer] = {
        f"PROPFIND {TEAM}": lambda body: multistatus(listed) if "getetag" in body else listing()(body),
        f"REPORT {TEAM}": lambda _: (501, ""),
        f"GET {TEAM}1.ics": lambda _: web.Response(text=text, headers={"ETag": told} if told else {}),
    }
    async with playing(paths) as site:
        source = caldav(f"{site.url}{TEAM}")
        for fetched in (1, 0):
            assert uids(await source.read(CONTEXT)) == ["u1"]
            assert source.fetched == fetched  # type: ignore[attr-defined]


async def test_where_nothing_that_is_listed_can_be_had_nothing_is_gone() -> None:
    broken = [False]

    def report(body: str) -> tuple[int, str]:
        names = [f"{TEAM}{number}.ics" for number in (1, 2)]
        if not wanted(body):
            return multistatus(*(found(name, etag(str(broken[0]))) for name in names))
        return multistatus(*(found(name, etag("1"), data(name[-5])) for name in names if not broken[0]))

    paths: dict[str, Answer] = {f"PROPFIND {TEAM}": listing(), f"REPORT {TEAM}": report}
    async with playing(paths) as site:
        source = caldav(f"{site.url}{TEAM}")
        assert uids(await source.read(CONTEXT)) == ["1", "2"]
        broken[0] = True
        snapshot = await source.read(CONTEXT)
    assert (uids(snapshot), snapshot.complete) == (["1", "2"], False)
    assert "1.ics: the server answers 404 for it" in snapshot.incomplete_because


async def test_an_answer_cut_short_is_asked_on_from_its_token() -> None:
    pages = iter(
        (
            multistatus(
                found(f"{TEAM}1.ics", etag("1"), data("p1")), gone(TEAM, "507 Insufficient Storage"), token="t1"
            ),
            multistatus(found(f"{TEAM}2.ics", etag("1"), data("p2")), gone(f"{TEAM}0.ics"), token="t2"),
        )
    )
    paths: dict[str, Answer] = {f"PROPFIND {TEAM}": listing(SYNCS), f"REPORT {TEAM}": lambda _: next(pages)}
    async with playing(paths) as site:
        snapshot = await caldav(f"{site.url}{TEAM}").read(CONTEXT)
    assert uids(snapshot) == ["p1", "p2"]
    assert snapshot.complete


async def test_errors_inside_a_207_make_the_snapshot_incomplete_and_keep_what_was_known() -> None:
    broken = [False]

    def report(body: str) -> tuple[int, str]:
        if "sync-collection" in body:
            tag = "2" if broken[0] else "1"
            return multistatus(*(found(f"{TEAM}{n}.ics", etag(tag)) for n in (1, 2)), token=f"t{tag}")
        second = gone(f"{TEAM}2.ics", "403 Forbidden") if broken[0] else found(f"{TEAM}2.ics", etag("1"), data("e2"))
        return multistatus(found(f"{TEAM}1.ics", etag("9"), data("e1", "New" if broken[0] else "Old")), second)

    paths: dict[str, Answer] = {f"PROPFIND {TEAM}": listing(SYNCS), f"REPORT {TEAM}": report}
    async with playing(paths) as site:
        source = caldav(f"{site.url}{TEAM}")
        assert (await source.read(CONTEXT)).complete
        broken[0] = True
        snapshot = await source.read(CONTEXT)
        assert [(entry.uid, entry.details.title) for entry in snapshot.entries] == [("e1", "New"), ("e2", "Event")]
        assert not snapshot.complete
        assert "2.ics: the server answers 403 for it" in snapshot.incomplete_because
        broken[0] = False
        assert (await source.read(CONTEXT)).complete


async def test_what_vanishes_between_listing_and_reading_is_simply_gone() -> None:
    paths: dict[str, Answer] = {
        f"PROPFIND {TEAM}": listing(SYNCS),
        f"REPORT {TEAM}": lambda body: (
            multistatus(*(found(f"{TEAM}{n}.ics", etag("1")) for n in (1, 2)), token="t")
            if "sync-collection" in body
            else multistatus(found(f"{TEAM}1.ics", etag("1"), data("v1")), gone(f"{TEAM}2.ics"))
        ),
    }
    async with playing(paths) as site:
        snapshot = await caldav(f"{site.url}{TEAM}").read(CONTEXT)
    assert (uids(snapshot), snapshot.complete) == (["v1"], True)


async def test_a_server_that_finds_all_too_many_is_asked_for_the_window() -> None:
    def report(body: str) -> tuple[int, str]:
        if "calendar-query" in body and "time-range" not in body:
            return refused(403, "d:number-of-matches-within-limits")
        if "calendar-query" in body:
            return multistatus(found(f"{TEAM}1.ics", etag("1")))
        return multistatus(found(f"{TEAM}1.ics", etag("1"), data("w1")))

    paths: dict[str, Answer] = {f"PROPFIND {TEAM}": listing(), f"REPORT {TEAM}": report}
    async with playing(paths) as site:
        assert uids(await caldav(f"{site.url}{TEAM}").read(CONTEXT)) == ["w1"]


async def test_one_calendar_that_fails_leaves_the_others_and_its_own_last_content_in_force() -> None:
    fails = [False]
    other = "/cal/other/"
    paths: dict[str, Answer] = {
        "PROPFIND /cal/": lambda _: multistatus(
            found(TEAM, IS_CALENDAR, named("Team"), SYNCS), found(other, IS_CALENDAR, named("Other"), SYNCS)
        ),
        f"REPORT {TEAM}": lambda _: (500, "") if fails[0] else multistatus(found(f"{TEAM}1.ics", data("t")), token="t"),
        f"REPORT {other}": lambda _: multistatus(found(f"{other}1.ics", data("o")), token="t"),
    }
    async with playing(paths) as site:
        source = caldav(f"{site.url}/cal/")
        assert uids(await source.read(CONTEXT)) == ["t", "o"]
        fails[0] = True
        snapshot = await source.read(CONTEXT)
    assert uids(snapshot) == ["t", "o"]
    assert not snapshot.complete
    assert "calendar 'Team'" in snapshot.incomplete_because


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    '<d:multistatus xmlns:d="DAV:">&b;</d:multistatus>'
)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((207, BOMB), "document type"),
        ((207, "<a>" * 5000), "not XML"),
        ((207, ""), "not XML"),
        ((207, "<html/>"), "not a multistatus"),
        ((200, "<html/>"), "not as a CalDAV server"),
        (multistatus(), "has no calendar for this account"),
        ((401, ""), "wants other credentials"),
        ((404, ""), "has nothing at this address"),
    ],
)
async def test_what_is_no_caldav_server_is_an_error_that_says_so(answer: tuple[int, str], says: str) -> None:
    paths: dict[str, Answer] = {"PROPFIND /dav/": lambda _: answer, "PROPFIND /.well-known/caldav": lambda _: (404, "")}
    async with playing(paths) as site:
        with pytest.raises(SourceError, match=f"^{site.url[7:]}.*{says}"):
            await caldav(f"{site.url}/dav/").read(CONTEXT)
