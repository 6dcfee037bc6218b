"""The endpoints over real HTTP on the loopback: read-only, strict headers, and true whatever is asked of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from syncd.errors import ConfigError, PausedError, StateError
from syncd.lang.catalog import set_house
from syncd.lang.saying import say
from syncd.web.metrics import Metrics
from syncd.web.status_server import Bell, serving
from syncd.web.views import View
from tests.web.views import view, well

PATHS = ("/", "/healthz", "/metrics", "/style.css", "/refresh.js")


class Shown:
    """What the server is given to show."""

    def __init__(self) -> None:
        self.view: View | Exception = view()

    async def read(self) -> View:
        if isinstance(self.view, Exception):
            raise self.view
        return self.view


@pytest.fixture
async def shown() -> AsyncIterator[tuple[Shown, str]]:
    what = Shown()
    async with serving(what.read, host="127.0.0.1", port=0) as port:
        yield what, f"http://127.0.0.1:{port}"


async def ask(url: str, method: str = "GET", **more: Any) -> tuple[int, dict[str, str], str]:
    async with aiohttp.ClientSession() as session, session.request(method, url, **more) as answer:
        return answer.status, dict(answer.headers), await answer.text()


@pytest.mark.parametrize("path", [*PATHS, "/no/such", "/%ff", "/../etc/passwd"])
async def test_every_answer_has_the_strict_headers(shown: tuple[Shown, str], path: str) -> None:
    _, headers, _ = await ask(shown[1] + path)
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_nothing_can_be_changed(shown: tuple[Shown, str], method: str) -> None:
    for path in PATHS:
        status, headers, _ = await ask(shown[1] + path, method, data=b"x" * 5000 if method != "OPTIONS" else None)
        assert status == 405
        assert headers["Allow"] == "GET,HEAD"


async def test_the_page_speaks_the_reader_s_language(shown: tuple[Shown, str]) -> None:
    _, headers, text = await ask(shown[1] + "/", headers={"Accept-Language": "ru-RU,ru;q=0.9"})
    assert (headers["Content-Language"], headers["Content-Type"]) == ("ru", "text/html; charset=utf-8")
    assert "Требует внимания" in text


async def test_every_answer_for_people_is_in_the_language_that_they_ask_for(shown: tuple[Shown, str]) -> None:
    what, url = shown
    russian = {"Accept-Language": "ru"}
    what.view = replace(view(), config_refused=say("section changed"))
    for headers, said in ((russian, "изменён раздел"), ({}, "section changed")):
        assert json.loads((await ask(f"{url}/healthz", headers=headers))[2])["config_refused"] == said
    what.view = StateError(say("section changed"), "by hand")
    assert (await ask(url, headers=russian))[::2] == (503, "изменён раздел (by hand)\n")
    foreign = await ask(url, headers={**russian, "Host": "elsewhere.example"})
    assert foreign[::2] == (421, "421 этого имени нет в hosts секции [http] конфигурации syncd\n")


async def test_who_names_no_language_gets_that_of_the_house(shown: tuple[Shown, str]) -> None:
    set_house("ru")
    try:
        assert (await ask(shown[1], skip_auto_headers=["Accept-Language"]))[1]["Content-Language"] == "ru"
        assert (await ask(shown[1], headers={"Accept-Language": "fr"}))[1]["Content-Language"] == "en"
        assert (await ask(shown[1] + "/?lang=en"))[1]["Content-Language"] == "en"
    finally:
        set_house("en")


async def test_the_reader_may_choose_the_other_language(shown: tuple[Shown, str]) -> None:
    russian = {"Accept-Language": "ru"}
    assert (await ask(f"{shown[1]}/?lang=en", headers=russian))[1]["Content-Language"] == "en"
    assert (await ask(f"{shown[1]}/?lang=<b>", headers=russian))[1]["Content-Language"] == "ru"


async def test_health_is_503_while_a_sync_is_stale_and_200_otherwise(shown: tuple[Shown, str]) -> None:
    what, url = shown
    status, _, text = await ask(url + "/healthz")
    document = json.loads(text)
    assert (status, document["ok"]) == (503, False)
    assert {one["name"]: one["state"] for one in document["syncs"]} == {
        "timetable": "fresh", "duty-roster": "stale", "rooms": "fresh", "holidays": "new"
    }  # fmt: skip
    assert document["portals"][1] == {"name": "branch", "refused": "the webhook was removed"}
    what.view = well()
    status, _, text = await ask(url + "/healthz")
    assert (status, json.loads(text)["ok"]) == (200, True)


async def test_a_ledger_that_cannot_be_read_is_an_answer_too(shown: tuple[Shown, str]) -> None:
    what, url = shown
    what.view = StateError("syncd.db: disk I/O error")
    for path in ("/", "/healthz", "/metrics"):
        assert (await ask(url + path))[::2] == (503, "syncd.db: disk I/O error\n")
    assert (await ask(url + "/style.css"))[0] == 200


async def test_metrics_are_read_by_prometheus_and_named_by_its_conventions(shown: tuple[Shown, str]) -> None:
    _, headers, text = await ask(shown[1] + "/metrics")
    assert headers["Content-Type"].startswith("text/plain; version=")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    ours = [name for name in families if name.startswith("syncd_")]
    assert len(ours) > 20
    for name in ours:
        assert families[name].documentation
        assert name == name.lower()
        assert not name.endswith(("_total", "_ms", "_minutes"))
    counters = [name for name in ours if families[name].type == "counter"]
    assert all(sample.name == f"{name}_total" for name in counters for sample in families[name].samples)
    stale = {sample.labels["sync"]: sample.value for sample in families["syncd_sync_stale"].samples}
    assert stale == {"timetable": 0, "duty-roster": 1, "rooms": 0, "holidays": 0}
    used = {sample.labels["method"]: sample.value for sample in families["syncd_operating_used_seconds"].samples}
    assert used["calendar.event.add"] == 412.0


def test_a_number_that_never_comes_is_left_out_of_the_metrics() -> None:
    never = replace(view().syncs[0], due=float("inf"))
    text = Metrics().exposition(replace(view(), syncs=(never,))).decode()
    assert "next_pass_timestamp_seconds{" not in text
    assert 'syncd_sync_entries{portal="main",sync="timetable"} 1240.0' in text


def test_no_request_makes_the_server_fail() -> None:
    """Throw odd requests at a running server: every one gets an answer that is no 5xx of its own making."""
    heads = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40)

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        method=st.sampled_from(["GET", "HEAD", "POST", "TRACE", "BREW", "get", ""]),
        path=st.one_of(st.sampled_from(PATHS), heads.map(lambda text: "/" + text), heads),
        language=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60),
        body=st.binary(max_size=200),
    )
    def probe(method: str, path: str, language: str, body: bytes) -> None:
        request = (
            f"{method} {path} HTTP/1.1\r\nHost: x\r\nAccept-Language: {language}\r\nContent-Length: {len(body)}\r\n"
        )
        raw = request.encode("latin-1") + b"Connection: close\r\n\r\n" + body
        answer = runner.run(_raw(raw))
        status = int(answer.split(b" ", 2)[1]) if answer else 400
        assert status < 500 or status == 503, answer

    async def _raw(raw: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(raw)
        await writer.drain()
        answer = await asyncio.wait_for(reader.read(), 60)
        writer.close()
        return answer

    with asyncio.Runner() as runner:
        serving_now = serving(Shown().read, host="127.0.0.1", port=0)
        port = runner.run(serving_now.__aenter__())
        probe()
        runner.run(serving_now.__aexit__(None, None, None))


TOKEN = "0123456789abcdef"


@asynccontextmanager
async def ringing(token: str | None) -> AsyncIterator[tuple[str, list[str]]]:
    """A server with a bell; yields its address and the syncs that were rung for."""
    rung: list[str] = []

    def ring(name: str) -> None:
        if name == "asleep":
            raise PausedError(say("{sync} is paused", sync=name), say("`syncd resume {sync}` lets it go on", sync=name))
        if name != "timetable":
            raise ConfigError(f"there is no sync {name!r}")
        rung.append(name)

    async with serving(Shown().read, host="127.0.0.1", port=0, bell=Bell(token=lambda: token, ring=ring)) as port:
        yield f"http://127.0.0.1:{port}/syncs", rung


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
async def test_who_bears_the_token_starts_a_pass(scheme: str) -> None:
    async with ringing(TOKEN) as (url, rung):
        status, headers, text = await ask(
            f"{url}/timetable/pass", "POST", headers={"Authorization": f"{scheme} {TOKEN}"}, data=b"{}"
        )
        assert (status, json.loads(text)) == (202, {"sync": "timetable", "pass": "due"})
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert rung == ["timetable"]


@pytest.mark.parametrize(
    "header", [None, "", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", "Bearer", "Bearer ü"]
)
async def test_whoever_does_not_bear_it_starts_nothing(header: str | None) -> None:
    async with ringing(TOKEN) as (url, rung):
        more = {"headers": {"Authorization": header}} if header is not None else {}
        for name in ("timetable", "nobody-knows"):
            status, headers, _ = await ask(f"{url}/{name}/pass", "POST", **more)
            assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
    assert rung == []


async def test_who_bears_the_token_is_refused_in_the_language_he_asks_for() -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept-Language": "ru"}
    async with ringing(TOKEN) as (url, _):
        got, _, text = await ask(f"{url}/asleep/pass", "POST", headers=headers)
    assert (got, text) == (409, "asleep: на паузе (продолжить: `syncd resume asleep`)\n")


@pytest.mark.parametrize(
    ("name", "status", "said"), [("asleep", 409, "is paused"), ("other", 404, "no sync 'other'"), ("%0a", 404, "")]
)
async def test_a_sync_that_is_paused_or_unknown_is_told_to_who_bears_it(name: str, status: int, said: str) -> None:
    async with ringing(TOKEN) as (url, rung):
        got, _, text = await ask(f"{url}/{name}/pass", "POST", headers={"Authorization": f"Bearer {TOKEN}"})
        assert (got, said in text) == (status, True)
    assert rung == []


async def test_without_a_token_in_the_config_nothing_can_be_started(shown: tuple[Shown, str]) -> None:
    async with ringing(None) as (url, rung):
        for address in (url, f"{shown[1]}/syncs"):
            status, _, _ = await ask(f"{address}/timetable/pass", "POST", headers={"Authorization": "Bearer None"})
            assert status == 404
    assert rung == []
