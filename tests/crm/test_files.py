"""Files of an ICS feed on activities: inline, by link from hosts that the config names, and none by default."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from syncd.cycle.run import PassOptions, PassResult, run_pass
from syncd.cycle.takeback import undo
from syncd.errors import ConfigError
from syncd.sandbox.tables.crm_rows import Activity
from syncd.source.ical.attachments import attachments_of
from syncd.source.ical.lines import Component, Property
from syncd.target.crm import attached
from syncd.target.crm.activity import ActivityTarget
from syncd.target.crm.file_links import FileError, SilentError, allowed, fetch_file
from tests.crm.stage import activities
from tests.cycle.test_taking import yes
from tests.support.restoring import ask
from tests.support.sandbox import WEBHOOK, Stage, run_inline

CONFIG = f"""
[portals.main]
webhook = "{WEBHOOK}"

[[sync]]
name = "visits"
timezone = "Europe/Moscow"
on_removed = "delete"
removed_after = 1

[sync.source]
type = "ics"
path = "visits.ics"

[sync.target]
type = "activity"
contact = "C_1"

[sync.fields]
"""
INLINE = CONFIG + 'files = "inline"\n'
LINKS = CONFIG + 'files = "links"\nfile_hosts = ["Files.example.com"]\n'
LINK = "ATTACH;FILENAME=plan.pdf:https://files.example.com/p/plan.pdf?token=SECRET"


def inline(content: bytes, name: str = "card.txt") -> str:
    text = base64.b64encode(content).decode()
    return f"ATTACH;FILENAME={name};ENCODING=BASE64;VALUE=BINARY:{text}"


def feed(*lines: str, title: str = "Visit") -> str:
    body = "\n".join(("UID:1", f"SUMMARY:{title}", "DTSTART:20261201T070000Z", "DURATION:PT30M", *lines))
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\n{body}\nEND:VEVENT\nEND:VCALENDAR\n"
    return text.replace("\n", "\r\n")


def staged(folder: Path, config: str, *lines: str) -> Stage:
    stage = Stage(folder, config)
    stage.write("visits.ics", feed(*lines))
    return stage


def passed(stage: Stage, **options: bool) -> PassResult:
    return run_inline(stage.one_pass("visits", **options))


def only(stage: Stage) -> Activity:
    (made,) = activities(stage)
    return made


def files(stage: Stage) -> list[tuple[str, int]]:
    return [(one.name, one.size_bytes) for one in only(stage).files]


def stays(stage: Stage) -> None:
    for verify in (False, True):
        counts = passed(stage, verify=verify).record.counts
        assert (counts["unchanged"], counts["updated"], counts["created"], counts["held"]) == (1, 0, 0, 0)


def test_no_file_is_attached_unless_the_config_asks(tmp_path: Path) -> None:
    stage = staged(tmp_path, CONFIG, inline(b"hello"), LINK)
    assert passed(stage).exit_code == 0
    assert files(stage) == []


def test_inline_files_are_attached_replaced_and_taken_away(tmp_path: Path) -> None:
    stage = staged(tmp_path, INLINE, inline(b"hello"), inline(b"x" * 1000, "big.bin"))
    assert passed(stage).exit_code == 0
    assert files(stage) == [("card.txt", 5), ("big.bin", 1000)]
    stays(stage)
    stage.write("visits.ics", feed(inline(b"hello again")))
    assert passed(stage).record.counts["updated"] == 1
    assert files(stage) == [("card.txt", 11)]
    stays(stage)
    stage.write("visits.ics", feed())
    assert passed(stage).record.counts["updated"] == 1
    assert files(stage) == []
    stays(stage)


def test_files_travel_only_when_they_have_changed(tmp_path: Path) -> None:
    stage = staged(tmp_path, INLINE, inline(b"hello"))
    passed(stage)
    only(stage).files = (*only(stage).files, *only(stage).files)  # somebody attaches one more
    stays(stage)
    stage.write("visits.ics", feed(inline(b"hello"), title="Other"))
    assert passed(stage).record.counts["updated"] == 1
    assert (only(stage).subject, len(only(stage).files)) == ("Other", 2)


def test_files_of_people_go_when_those_of_the_entry_change_and_the_limits_say_so(tmp_path: Path) -> None:
    stage = staged(tmp_path, INLINE, inline(b"hello"))
    passed(stage)
    only(stage).files = (*only(stage).files, *only(stage).files)
    stage.write("visits.ics", feed(inline(b"hello again")))
    passed(stage)
    assert files(stage) == [("card.txt", 11)]

    async def limits() -> tuple[str, ...]:
        async with stage.opened() as (syncs, _):
            return syncs["visits"].target.limits()

    assert any("replaces all files" in one for one in run_inline(limits()))


def test_a_file_that_was_deleted_in_the_portal_is_attached_again(tmp_path: Path) -> None:
    stage = staged(tmp_path, INLINE, inline(b"hello"))
    passed(stage)
    ask(stage, "crm.activity.update", id=only(stage).id, fields={"FILES": []})
    assert passed(stage, verify=True).record.counts["updated"] == 1
    assert files(stage) == [("card.txt", 5)]


def test_a_daemon_keeps_the_contents_of_one_pass_only(tmp_path: Path) -> None:
    stage = staged(tmp_path, INLINE)

    async def day() -> tuple[list[bytes], int]:
        async with stage.opened() as (syncs, app):

            async def one(*, verify: bool = False, fresh: bool = False) -> PassResult:
                return await run_pass(
                    app.open_pass(syncs["visits"], asyncio.Event()), PassOptions(verify=verify, fresh=fresh)
                )

            for content in (b"one", b"two", b"three"):
                stage.write("visits.ics", feed(inline(content)))
                await one()
            target = syncs["visits"].target
            assert isinstance(target, ActivityTarget)
            kept = [*target._files._contents.values()]
            ask(stage, "crm.activity.update", id=only(stage).id, fields={"FILES": []})
            await one(fresh=True)  # which knows the entry as it was
            return kept, (await one(verify=True)).record.counts["updated"]

    assert run_inline(day()) == ([b"three"], 1)
    assert files(stage) == [("card.txt", 5)]


def test_what_is_too_large_broken_or_only_a_link_is_told_and_the_rest_attached(tmp_path: Path) -> None:
    config = INLINE + "files_max_bytes = 10\n"
    broken = "ATTACH;ENCODING=BASE64;VALUE=BINARY:%%%"
    stage = staged(tmp_path, config, inline(b"x" * 11, "big.bin"), broken, LINK, inline(b"hello"))
    reasons = " ".join(one.reason for one in passed(stage).record.problems)
    assert "'big.bin' is not attached: it has 11 bytes, more than the 10 of files_max_bytes" in reasons
    assert "ATTACH is marked as BASE64 and is not; it is left out" in reasons
    assert "'plan.pdf' is not attached: it is only a link" in reasons
    assert files(stage) == [("card.txt", 5)]


# Links


class Server:
    """Stands for the hosts of links; raises what it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fails = ""
        self.is_silent = False

    def __call__(self, **limits: object) -> Callable[[str], Awaitable[bytes]]:
        async def fetch(url: str) -> bytes:
            self.asked.append(url)
            if self.fails:
                raise (SilentError if self.is_silent else FileError)(self.fails)
            return b"plan"

        return fetch


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    standing = Server()
    monkeypatch.setattr(attached, "partial", lambda _fetch, **limits: standing(**limits))
    return standing


def test_a_linked_file_is_fetched_when_its_activity_is_made_and_never_again(tmp_path: Path, server: Server) -> None:
    stage = staged(tmp_path, LINKS, LINK, inline(b"hello"))
    assert passed(stage).exit_code == 0
    assert files(stage) == [("plan.pdf", 4), ("card.txt", 5)]
    stays(stage)
    stage.write("visits.ics", feed(LINK, inline(b"hello"), title="Other"))
    assert passed(stage).record.counts["updated"] == 1
    assert server.asked == ["https://files.example.com/p/plan.pdf?token=SECRET"]


def test_no_link_is_kept_in_the_state(tmp_path: Path, server: Server) -> None:
    stage = staged(tmp_path, LINKS, LINK)
    passed(stage)
    kept = b"".join(file.read_bytes() for file in (tmp_path / "state").rglob("*") if file.is_file())
    assert b"SECRET" not in kept


def test_an_activity_is_made_without_a_file_that_cannot_be_had_and_gets_it_later(
    tmp_path: Path, server: Server
) -> None:
    stage = staged(tmp_path, LINKS, LINK, inline(b"hello"))
    server.fails = "its server answers with HTTP 503"
    assert passed(stage).record.counts["created"] == 1
    assert files(stage) == [("card.txt", 5)]
    again = passed(stage)
    assert (again.record.counts["held"], again.exit_code) == (1, 1)
    (told,) = again.record.problems
    assert "the file 'plan.pdf': its server answers with HTTP 503" in told.reason
    assert "SECRET" not in told.reason
    server.fails = ""
    assert passed(stage).record.counts["updated"] == 1
    assert files(stage) == [("plan.pdf", 4), ("card.txt", 5)]
    stays(stage)


def many(number: int, *lines: str) -> str:
    one = feed(*lines)
    head, _, tail = one.partition("BEGIN:VEVENT")
    event, end, _ = tail.partition("END:VEVENT\r\n")
    events = (f"BEGIN:VEVENT{event}{end}".replace("UID:1\r\n", f"UID:{n}\r\n") for n in range(number))
    return head + "".join(events) + "END:VCALENDAR\r\n"


def attached_to(stage: Stage) -> list[int]:
    return sorted(len(one.files) for one in activities(stage))


def test_a_file_that_many_activities_get_counts_for_each_and_the_next_pass_goes_on(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attached, "_MOST_LINKED_BYTES", 8)
    stage = staged(tmp_path, LINKS)
    stage.write("visits.ics", many(5, LINK))
    assert passed(stage).record.counts["created"] == 5
    assert (attached_to(stage), len(server.asked)) == ([0, 0, 0, 1, 1], 1)
    told = passed(stage).record.problems
    assert (attached_to(stage), len(told)) == ([0, 1, 1, 1, 1], 1)
    assert "enough was fetched for one pass" in told[0].reason
    assert passed(stage).exit_code == 0
    assert attached_to(stage) == [1] * 5
    assert passed(stage, verify=True).record.counts["unchanged"] == 5


def test_a_host_that_does_not_answer_is_not_asked_for_every_file(tmp_path: Path, server: Server) -> None:
    server.is_silent, server.fails = True, "its server does not give it (TimeoutError)"
    stage = staged(tmp_path, LINKS)
    stage.write("visits.ics", many(9, LINK))
    assert passed(stage).record.counts["created"] == 9
    assert len(server.asked) == 3
    reasons = {one.reason.partition(": ")[2] for one in passed(stage).record.problems}
    assert reasons == {server.fails, "its server has not answered before in this pass"}
    server.is_silent, server.fails = False, ""
    assert passed(stage).record.counts["updated"] == 9


def test_fetching_ends_in_time_and_what_is_left_has_its_turn_in_the_next_pass(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attached, "_MOST_FETCH_S", -1.0)
    stage = staged(tmp_path, LINKS, LINK)
    assert (passed(stage).record.counts["created"], server.asked) == (1, [])


def test_what_is_attached_stays_while_its_server_is_silent(tmp_path: Path, server: Server) -> None:
    stage = staged(tmp_path, LINKS, LINK, inline(b"hello"))
    passed(stage)
    server.fails = "its server answers with HTTP 503"
    stage.write("visits.ics", feed(LINK, inline(b"hello again"), title="Other"))
    assert passed(stage).record.counts["updated"] == 1
    assert (only(stage).subject, files(stage)) == ("Other", [("plan.pdf", 4), ("card.txt", 5)])
    assert passed(stage).record.counts["held"] == 1
    server.fails = ""
    assert passed(stage).record.counts["updated"] == 1
    assert files(stage) == [("plan.pdf", 4), ("card.txt", 11)]
    stays(stage)


def test_a_file_deleted_in_the_portal_comes_back_once_its_server_answers(tmp_path: Path, server: Server) -> None:
    stage = staged(tmp_path, LINKS, LINK, inline(b"hello"))
    passed(stage)
    only(stage).files = only(stage).files[:1]
    ask(stage, "crm.activity.update", id=only(stage).id, fields={"SUBJECT": "Mine"})
    server.fails = "its server answers with HTTP 503"
    passed(stage, verify=True)
    assert (only(stage).subject, files(stage)) == ("Visit", [("plan.pdf", 4)])
    assert passed(stage).record.counts["held"] == 1
    server.fails = ""
    assert passed(stage).record.counts["updated"] == 1
    assert files(stage) == [("plan.pdf", 4), ("card.txt", 5)]


def test_a_file_that_cannot_be_had_does_not_have_the_portal_s_people_read_again(tmp_path: Path, server: Server) -> None:
    stage = staged(tmp_path, LINKS, LINK)
    server.fails = "its server answers with HTTP 503"
    passed(stage)
    commands = [passed(stage).record.commands for _ in range(3)]
    assert commands == commands[:1] * 3


def test_links_to_hosts_that_are_not_named_are_told_and_never_followed(tmp_path: Path, server: Server) -> None:
    links = (
        "ATTACH:http://files.example.com/a",
        "ATTACH:https://169.254.169.254/latest/meta-data",
        "ATTACH:https://files.example.com.evil.example/a",
        "ATTACH:https://user:pass@files.example.com/a",
        "ATTACH:file:///etc/passwd",
        "ATTACH:http://127.0.0.1:8787/healthz",
    )
    stage = staged(tmp_path, LINKS, *links)
    result = passed(stage)
    assert result.record.counts["created"] == 1
    assert len([one for one in result.record.problems if "is not attached" in one.reason]) == len(links)
    assert (files(stage), server.asked) == ([], [])


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://files.example.com/a", ""),
        ("https://FILES.example.com.:8443/a", ""),
        ("http://files.example.com/a", "does not begin with https"),
        ("https://a@files.example.com/a", "holds a password"),
        ("https://files.example.com@evil.example/a", "holds a password"),
        ("https://evil.example/#files.example.com", "not in file_hosts"),
        ("https://[::1]/a", "not in file_hosts"),
        ("https://files.example.com:x/a", "no address"),
        ("cid:part1", "does not begin with https"),
    ],
)
def test_a_link_is_followed_to_named_hosts_only(url: str, why: str) -> None:
    said = allowed(url, {"files.example.com"})
    assert (why in said) if why else said == ""


@pytest.mark.parametrize(
    ("path", "why"),
    [("/good", ""), ("/large", "more than the 1000 bytes"), ("/away", "sends elsewhere"), ("/none", "HTTP 404")],
)
def test_fetching_is_limited_and_follows_no_redirect(path: str, why: str) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        if request.path == "/away":
            raise web.HTTPFound("/good")
        body = {"/good": b"content", "/large": b"x" * 5000}.get(request.path)
        return web.Response(body=body) if body else web.Response(status=404)

    async def run() -> bytes:
        app = web.Application()
        app.router.add_get("/{name}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            port = runner.addresses[0][1]
            return await fetch_file(f"http://127.0.0.1:{port}{path}", hosts={"127.0.0.1"}, limit_bytes=1000)
        finally:
            await runner.cleanup()

    if why:
        with pytest.raises(FileError, match=why):
            asyncio.run(run())
    else:
        assert asyncio.run(run()) == b"content"
    assert asked == [path]


def test_a_server_that_is_not_there_is_told_without_the_link() -> None:
    with pytest.raises(FileError) as told:
        asyncio.run(fetch_file("http://127.0.0.1:9/SECRET", hosts={"127.0.0.1"}, limit_bytes=10))
    assert "SECRET" not in str(told.value)


# Names


@pytest.mark.parametrize(
    ("params", "value", "name"),
    [
        ({"FILENAME": "../../etc/pass wd"}, "https://h/a", "pass wd"),
        ({"FILENAME": "a\u202efdp.exe"}, "https://h/a", "a_fdp.exe"),
        ({}, "https://h/d/%D0%9F%D0%BB%D0%B0%D0%BD.pdf?x=1", "План.pdf"),
        ({}, "https://h/", "attachment-1"),
        ({"FMTTYPE": "application/pdf"}, "https://h", "attachment-1.pdf"),
        ({"FILENAME": "x" * 300 + ".docx"}, "https://h/a", "x" * 95 + ".docx"),
    ],
)
def test_names_of_files_are_plain(params: dict[str, str], value: str, name: str) -> None:
    component = Component(kind="VEVENT", properties={"ATTACH": [Property(value=value, params=params)]})
    (found,), _ = attachments_of(component)
    assert found.name == name


def test_files_of_one_name_are_told_apart() -> None:
    links = [Property(value=f"https://h/{n}/a.txt", params={}) for n in range(2000)]
    found, _ = attachments_of(Component(kind="VEVENT", properties={"ATTACH": links}))
    assert [one.name for one in found[:3]] == ["a.txt", "a-2.txt", "a-3.txt"]
    assert len({one.name for one in found}) == len(links)


# Config and undo


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (CONFIG + 'files = "links"\n', r"file_hosts is missing, with files = \"links\""),
        (INLINE + 'file_hosts = ["a.example"]\n', r"file_hosts has no effect without files = \"links\""),
        (CONFIG + 'files = "links"\nfile_hosts = ["https://a"]\n', r"file_hosts has \"https://a\", which is no name"),
        (INLINE + "files_max_bytes = 0\n", r"files_max_bytes must be from 1 to"),
        (
            INLINE.replace('"ics"', '"csv"').replace(".ics", ".csv"),
            r"files goes with a source of one of the types ics, caldav",
        ),
        (INLINE.replace('"activity"', '"todo"'), r"files goes with type \"activity\""),
        (CONFIG.replace('type = "ics"', 'type = "ics"\nattachments = true'), r"source.attachments"),
    ],
)
def test_keys_of_files_that_do_not_fit_are_told(config: str, says: str, tmp_path: Path) -> None:
    stage = staged(tmp_path, config)
    with pytest.raises(ConfigError, match=says):
        passed(stage)


def test_undo_restores_an_activity_and_says_nothing_of_files_that_it_does_not_have(tmp_path: Path) -> None:
    stage = staged(tmp_path, INLINE, inline(b"hello"))
    passed(stage)
    stage.write("visits.ics", feed(inline(b"hello again"), title="Other"))
    run_id = passed(stage).record.id

    async def take() -> None:
        async with stage.opened() as (syncs, app):
            await undo(app.open_pass(syncs["visits"], asyncio.Event()), run_id, confirm=yes)

    run_inline(take())
    assert (only(stage).subject, files(stage)) == ("Visit", [("card.txt", 11)])
    assert passed(stage).record.counts["updated"] == 1
    assert (only(stage).subject, files(stage)) == ("Other", [("card.txt", 11)])
