"""Applications of the simulated portal: tokens, bindings, the queue: merging, reservation, its own-write rule."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson
import pytest

from syncd.sandbox.faults import parse_fault
from syncd.sandbox.php.wire import PortalRequest
from syncd.sandbox.seed.language_school import CLIENT_ID, CLIENT_SECRET, default_world
from syncd.sandbox.settings import Settings
from syncd.sandbox.world import World

NOON = 1_795_255_200.0
HOUR = 3600.0
TIMES = {"from": "2026-12-01T10:00:00", "to": "2026-12-01T11:00:00", "skip_time": "N",
         "timezone_from": "Europe/Moscow", "timezone_to": "Europe/Moscow"}  # fmt: skip


class Visitor:
    """Calls a world as an application, and as people by webhook."""

    def __init__(self, **settings: Any) -> None:
        self.world = World(Settings(integer_stamps=False, tariff="enterprise", **settings), default_world())
        self.now = NOON
        self.given = self.tokens(grant_type="authorization_code", code=self.code())

    def code(self) -> str:
        query = urlencode({"client_id": CLIENT_ID, "state": "s"})
        answer = self.world.handle(self.now, PortalRequest(http_method="GET", path="/oauth/authorize/", query=query))
        assert answer.status == 302
        found = parse_qs(urlsplit(dict(answer.headers)["Location"]).query)
        assert found["state"] == ["s"]
        return found["code"][0]

    def tokens(self, **query: str) -> dict[str, Any]:
        query = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET} | query
        request = PortalRequest(http_method="GET", path="/oauth/token/", query=urlencode(query))
        answer = self.world.handle(self.now, request)
        found: dict[str, Any] = orjson.loads(answer.body)
        return found

    def call(self, method: str, *, token: str | None = None, **params: Any) -> Any:
        """Return the result of a call by application, or its error."""
        auth = {"auth": self.given["access_token"] if token is None else token}
        return self._sent(f"/rest/{method}", auth | params)

    def person(self, method: str, **params: Any) -> Any:
        return self._sent(f"/rest/1/sandboxadmin/{method}", params)

    def _sent(self, path: str, params: dict[str, Any]) -> Any:
        body = orjson.dumps(params)
        answer = self.world.handle(
            self.now, PortalRequest(path=path, content_type="application/json", body=body, address="a")
        )
        self.now += 1
        value = orjson.loads(answer.body)
        return value["result"] if "result" in value else value["error"]

    def queue(self, **params: Any) -> list[tuple[str, int]]:
        found = self.call("event.offline.get", **params)
        return [(row["EVENT_NAME"], row["EVENT_DATA"]["id"]) for row in found["events"]]


def bound(**settings: Any) -> Visitor:
    visitor = Visitor(**settings)
    for what in ("Add", "Update", "Delete"):
        assert visitor.call("event.bind", event=f"OnCalendarEntry{what}", event_type="offline") is True
    return visitor


def add(ask: Any) -> int:
    made: int = ask("calendar.event.add", type="user", ownerId=3, section=3, name="Lesson", **TIMES)
    return made


def update(ask: Any, event: int) -> None:
    assert ask("calendar.event.update", id=event, type="user", ownerId=3, section=3, name="X", **TIMES) == event


@pytest.mark.parametrize("kind", ["once", "kept"])
def test_a_refresh_token_works_once_or_again_as_the_switch_says(kind: str) -> None:
    visitor = Visitor(refresh_tokens=kind)
    first = visitor.given["refresh_token"]
    renewed = visitor.tokens(grant_type="refresh_token", refresh_token=first)
    again = visitor.tokens(grant_type="refresh_token", refresh_token=first)
    assert renewed["refresh_token"] != first
    assert (again.get("error") == "invalid_grant") == (kind == "once")
    assert visitor.call("profile", token=renewed["access_token"])["ID"] == "1"
    assert (visitor.call("profile") == "NO_AUTH_FOUND") == (kind == "once"), "the token beside it ends, too"


def test_tokens_and_codes_end_when_they_should() -> None:
    visitor = Visitor()
    code = visitor.code()
    visitor.now += 31
    assert visitor.tokens(grant_type="authorization_code", code=code)["error"] == "invalid_grant"
    visitor.now += HOUR
    assert visitor.call("profile") == "expired_token"
    assert visitor.tokens(grant_type="refresh_token", refresh_token="x")["error"] == "invalid_grant"
    assert visitor.tokens(grant_type="x")["error"] == "invalid_request"
    assert visitor.tokens(client_secret="wrong")["error"] == "invalid_client"
    refresh = visitor.given["refresh_token"]
    visitor.world.authority.paid = False
    assert visitor.tokens(grant_type="refresh_token", refresh_token=refresh)["error"] == "PAYMENT_REQUIRED"
    visitor.world.authority.paid = True
    visitor.now += 181 * 86_400
    assert visitor.tokens(grant_type="refresh_token", refresh_token=refresh)["error"] == "invalid_grant"


def test_an_answer_of_the_oauth_server_can_get_lost() -> None:
    visitor = Visitor()
    visitor.world._line.faults = (parse_fault("cut-after:method=oauth.token"), parse_fault("storm:request=1-"))
    request = PortalRequest(http_method="GET", path="/oauth/token/", query="")
    assert visitor.world.handle(NOON, request).cut, "a fault by another name concerns it not"


def test_an_application_counts_its_operating_time_for_itself() -> None:
    visitor = Visitor(operating_limit_s=1.0, costs_s={"server.time": 0.6})
    for _ in range(2):
        visitor.person("server.time")
    assert visitor.person("server.time") == "OPERATION_TIME_LIMIT"
    batch = visitor.call("batch", cmd={"a": "server.time"})
    assert "a" in batch["result"]
    keys = {key for key, *_ in visitor.world.budgets(visitor.now)}
    assert f"oauth|{CLIENT_ID}|server.time" in keys


def test_a_webhook_binds_nothing_and_reads_no_queue() -> None:
    visitor = Visitor()
    for method in ("event.bind", "event.get", "event.offline.get", "app.option.get", "event.offline.list"):
        assert visitor.person(method, event="OnCalendarEntryAdd", event_type="offline") == "WRONG_AUTH_TYPE"


def test_offline_events_are_for_administrators_and_for_scopes_that_there_are() -> None:
    visitor = Visitor()
    assert visitor.call("event.bind", event="OnSomething", event_type="offline") == "ERROR_EVENT_NOT_FOUND"
    application = visitor.world.tables.applications[CLIENT_ID]
    application.scopes = frozenset({"calendar"})
    assert visitor.call("event.bind", event="OnCrmActivityAdd", event_type="offline") == "ERROR_EVENT_NOT_FOUND"
    assert visitor.call("event.bind", event="OnCalendarEntryAdd", event_type="offline") is True
    twice = visitor.call("event.bind", event="ONCALENDARENTRYADD", event_type="offline")
    assert twice == "ERROR_EVENT_BINDING_EXISTS"
    assert visitor.call("event.bind", event="OnCalendarEntryAdd", handler="https://a.example/x") is True
    assert [row["offline"] for row in visitor.call("event.get")] == [1, 0]
    assert visitor.call("event.unbind", event="OnCalendarEntryAdd", event_type="offline") == {"count": 1}
    visitor.world.tables.users[1].admin = False
    assert visitor.call("event.bind", event="OnCalendarEntryAdd", event_type="offline") == "ACCESS_DENIED"


def test_what_people_do_is_merged_by_event_and_object_and_own_changes_do_not_come_back() -> None:
    visitor = bound()
    own = add(visitor.call)
    update(visitor.call, own)
    assert visitor.queue() == []
    theirs = add(visitor.person)
    update(visitor.person, own)
    update(visitor.person, theirs)
    update(visitor.person, own)
    assert visitor.person("calendar.event.delete", id=theirs) is True
    names = [("ONCALENDARENTRYADD", theirs), ("ONCALENDARENTRYUPDATE", theirs), ("ONCALENDARENTRYUPDATE", own)]
    assert visitor.queue() == [*names, ("ONCALENDARENTRYDELETE", theirs)]
    assert visitor.queue() == [], "what was given is deleted"


def test_what_the_application_writes_under_another_connector_comes_back() -> None:
    visitor = bound()
    event = add(visitor.call)
    visitor.call(
        "calendar.event.update", id=event, type="user", ownerId=3, section=3, name="X", auth_connector="b", **TIMES
    )
    assert visitor.queue() == [("ONCALENDARENTRYUPDATE", event)]


@pytest.mark.parametrize(("settings", "allowed"), [({}, False), ({"offline_extended": True}, True)])
def test_reservation_depends_on_the_licence(settings: dict[str, Any], allowed: bool) -> None:
    visitor = bound(**settings)
    event = add(visitor.person)
    assert visitor.call("feature.get", CODE="rest_offline_extended")["value"] == ("Y" if allowed else "N")
    if not allowed:
        assert visitor.call("event.offline.get", clear=0) == "WRONG_LICENSE"
        return
    taken = visitor.call("event.offline.get", clear=0)
    process = taken["process_id"]
    assert [row["EVENT_DATA"]["id"] for row in taken["events"]] == [event]
    assert visitor.queue(clear=0) == [], "another process does not get it"
    assert visitor.queue(clear=0, process_id=process) == [("ONCALENDARENTRYADD", event)], "the same one does, again"
    assert visitor.call("event.offline.clear", process_id=process) is True
    assert visitor.queue(clear=0, process_id=process) == []
    assert visitor.call("event.offline.clear") == "ERROR_ARGUMENT"


def test_reserved_rows_are_given_up_after_a_month() -> None:
    visitor = bound(offline_extended=True)
    add(visitor.person)
    assert len(visitor.queue(clear=0, process_id="p")) == 1
    visitor.world.authority._tokens[visitor.given["access_token"]].until = float("inf")
    visitor.now += 2_952_001
    assert visitor.queue(clear=0, process_id="p") == []


def test_the_limit_is_fifty_unless_another_is_asked_for() -> None:
    visitor = bound()
    for _ in range(60):
        add(visitor.person)
    listed = visitor.call("event.offline.list")
    assert len(listed) == 50
    assert [len(visitor.queue()), len(visitor.queue(limit=500))] == [50, 10]


def test_a_removed_application_is_unknown_and_leaves_nothing() -> None:
    visitor = bound()
    add(visitor.person)
    visitor.world.authority.remove(CLIENT_ID)
    assert visitor.call("profile") == "NO_AUTH_FOUND"
    assert visitor.world.tables.queue.waiting(CLIENT_ID) == ()
    assert visitor.tokens(grant_type="refresh_token", refresh_token=visitor.given["refresh_token"])["error"] == (
        "invalid_client"
    )


def test_an_application_keeps_values_in_the_portal() -> None:
    visitor = Visitor()
    assert visitor.call("app.option.get") == []
    assert visitor.call("app.option.set", options={"a": "1"}) is True
    assert visitor.call("app.option.get", option="a") == "1"
    assert visitor.call("app.option.get") == {"a": "1"}


def test_activities_and_sections_are_told_too() -> None:
    visitor = Visitor()
    for name in ("OnCrmActivityAdd", "OnCrmActivityDelete", "OnCalendarSectionAdd", "OnCalendarSectionDelete"):
        assert visitor.call("event.bind", event=name, event_type="offline") is True
    fields = {"TYPE_ID": 2, "OWNER_TYPE_ID": 3, "OWNER_ID": 1, "SUBJECT": "Call", "RESPONSIBLE_ID": 1,
              "COMMUNICATIONS": [{"VALUE": "+79161112233", "ENTITY_ID": 1, "ENTITY_TYPE_ID": 3, "TYPE": "PHONE"}],
              "START_TIME": "2026-12-01T10:00:00", "END_TIME": "2026-12-01T11:00:00"}  # fmt: skip
    activity = visitor.person("crm.activity.add", fields=fields)
    section = visitor.person("calendar.section.add", type="user", ownerId=3, name="New")
    visitor.person("calendar.section.delete", type="user", ownerId=3, id=section)
    visitor.person("crm.activity.delete", id=activity)
    found = visitor.call("event.offline.get")["events"]
    told = [(row["EVENT_NAME"], row["EVENT_DATA"], row["EVENT_ADDITIONAL"]) for row in found]
    assert told == [
        ("ONCRMACTIVITYADD", {"FIELDS": {"ID": activity}}, {"user_id": 1}),
        ("ONCALENDARSECTIONADD", {"id": section}, {"user_id": 1}),
        ("ONCALENDARSECTIONDELETE", {"id": section}, {"user_id": 1}),
        ("ONCRMACTIVITYDELETE", {"FIELDS": {"ID": activity}}, {"user_id": 1}),
    ]
