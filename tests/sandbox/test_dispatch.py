"""Transport, envelopes, batches and limits of the simulated portal (PORTAL.md 1 to 3)."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from syncd.sandbox.php.wire import PortalRequest, encode
from syncd.sandbox.seed.language_school import default_world
from tests.sandbox.asking import NOW, Caller, add_command, command, portal

USER_GET = "user.get"


@pytest.fixture
def caller() -> Caller:
    return portal()


def with_scopes(*scopes: str) -> Caller:
    world = default_world()
    hooks = tuple(msgspec.structs.replace(hook, scopes=scopes) for hook in world.webhooks)
    return portal(msgspec.structs.replace(world, webhooks=hooks))


@pytest.mark.parametrize("suffix", ["", ".json", "/"])
@pytest.mark.parametrize("name", ["server.time", "SERVER.Time"])
def test_method_names_ignore_case_and_the_json_suffix(caller: Caller, name: str, suffix: str) -> None:
    response = caller.send(PortalRequest(http_method="GET", path=caller.path(name) + suffix))
    assert json.loads(response.body)["result"] == "2026-07-15T12:00:00+03:00"


BODIES = [
    ("application/json", b'{"FILTER": {"ID": 7}}'),
    ("application/vnd.api+json; charset=utf-8", b'{"FILTER": {"ID": 7}}'),
    ("application/x-www-form-urlencoded", b"FILTER%5BID%5D=7"),
    ("text/plain", b"FILTER[ID]=7"),
    (
        "multipart/form-data; boundary=xx",
        b'--xx\r\nContent-Disposition: form-data; name="FILTER[ID]"\r\n\r\n7\r\n--xx--\r\n',
    ),
]


@pytest.mark.parametrize(("content_type", "body"), BODIES)
def test_every_kind_of_body_is_read(caller: Caller, content_type: str, body: bytes) -> None:
    response = caller.send(PortalRequest(path=caller.path(USER_GET), content_type=content_type, body=body))
    assert [user["ID"] for user in json.loads(response.body)["result"]] == ["7"]


def test_body_overrides_the_query_key_by_key_at_the_top_level(caller: Caller) -> None:
    request = PortalRequest(
        path=caller.path(USER_GET),
        query="FILTER[ID]=7&FILTER[ACTIVE]=N&sort=ID&order=DESC",
        content_type="application/json",
        body=b'{"FILTER": {"@ID": [2, 7]}}',
    )
    assert [user["ID"] for user in json.loads(caller.send(request).body)["result"]] == ["7", "2"]


@pytest.mark.parametrize(
    "body", [b'{"id": 1', b"7", b'"text"', b'{"id": "\xff"}', b'{"id":' + b"[" * 600 + b"]" * 600 + b"}"]
)
def test_malformed_json_is_a_call_without_parameters(caller: Caller, body: bytes) -> None:
    path = caller.path("calendar.event.getbyid")
    response = caller.send(PortalRequest(path=path, content_type="application/json", body=body))
    answer = json.loads(response.body)
    assert (response.status, answer["error"]) == (400, "")
    assert '"id"' in answer["error_description"]


def test_get_ignores_the_body(caller: Caller) -> None:
    path = caller.path(USER_GET)
    request = PortalRequest(http_method="GET", path=path, content_type="application/json", body=b'{"ID": 7}')
    assert json.loads(caller.send(request).body)["total"] == 12


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/rest/1/WRONG/no.such.method", 404, "ERROR_METHOD_NOT_FOUND"),
        ("/rest/1/WRONG/user.get", 401, "INVALID_CREDENTIALS"),
        ("/rest/3/sandboxadmin/user.get", 401, "INVALID_CREDENTIALS"),
        ("/rest/1/WRONG/batch", 401, "INVALID_CREDENTIALS"),
        ("/rest/user.get", 401, "NO_AUTH_FOUND"),
        ("/rest/no.such.method", 404, "ERROR_METHOD_NOT_FOUND"),
        ("/rest/1/sandboxadmin/crm.product.get", 404, "ERROR_METHOD_NOT_FOUND"),
        ("/rest/1/sandboxadmin/app.info", 404, "ERROR_METHOD_NOT_FOUND"),
    ],
)
def test_the_method_is_looked_for_before_the_credentials(caller: Caller, path: str, status: int, error: str) -> None:
    response = caller.send(PortalRequest(path=path))
    answer = json.loads(response.body)
    assert (response.status, answer["error"]) == (status, error)
    assert "time" not in answer


def test_documented_statuses_of_credentials_are_a_switch() -> None:
    docs = portal(docs_statuses=True)
    docs.code = "WRONG"
    assert docs.refused("user.get")[:2] == (403, "INVALID_CREDENTIALS")


def test_a_dismissed_user_cannot_be_authorized() -> None:
    world = default_world()
    users = tuple(msgspec.structs.replace(user, active=user.id != 1) for user in world.users)
    assert portal(msgspec.structs.replace(world, users=users)).refused("scope")[:2] == (401, "authorization_error")


def test_scopes_are_checked_per_call_and_per_command() -> None:
    caller = with_scopes("calendar")
    assert caller.refused("user.get")[:2] == (401, "insufficient_scope")
    result = caller.batch({"a": "user.get", "b": command("calendar.section.get", type="user", ownerId=1)})
    assert result["result_error"]["a"]["error"] == "insufficient_scope"
    assert [section["ID"] for section in result["result"]["b"]] == ["1"]


def test_methods_lists_what_the_webhook_may_call() -> None:
    caller = with_scopes("calendar")
    assert "user.get" not in caller.ask("methods")
    assert "calendar.event.add" in caller.ask("methods")
    assert "user.get" in caller.ask("methods", full=True)
    assert caller.ask("scope") == ["calendar"]
    assert caller.ask("method.get", name="user.get") == {"isExisting": True, "isAvailable": False}
    assert caller.ask("method.get", name="no.such") == {"isExisting": False, "isAvailable": False}


def test_time_carries_the_server_offset_and_whole_seconds() -> None:
    stamps = json.loads(portal().raw("server.time").body)["time"]
    assert stamps["start"] == int(NOW)
    assert isinstance(stamps["start"], int)
    assert stamps["date_start"] == "2026-07-15T12:00:00+03:00"
    assert stamps["operating"] == 0
    assert stamps["operating_reset_at"] == int(NOW) + 600
    floats = json.loads(portal(integer_stamps=False).raw("server.time").body)["time"]
    assert isinstance(floats["start"], float)


def test_self_hosted_answers_carry_no_operating_time() -> None:
    assert "operating" not in json.loads(portal(tariff="self-hosted").raw("server.time").body)["time"]
    limited = json.loads(portal(tariff="self-hosted", load_limiter=True).raw("server.time").body)["time"]
    assert limited["operating"] == 0


@pytest.mark.parametrize("text", ["<b>", "R&D", "it's", 'say "so"', "back\\slash", '\\"', "Привет"])
def test_json_hides_markup_but_means_the_same(text: str) -> None:
    raw = encode({"a": text})
    assert not set(raw[5:-1]) & set(b"<>&'")
    assert raw.count(b'"') == 4
    assert json.loads(raw) == {"a": text}


# batch


def test_batch_answers_200_with_the_whole_error_object(caller: Caller) -> None:
    result = caller.batch({"bad": "calendar.event.delete", "good": "server.time"})
    assert result["result_error"] == {"bad": {"error": "", "error_description": "Event id not specified"}}
    assert list(result["result"]) == ["good"]
    assert list(result["result_time"]) == ["good"]
    assert result["result_next"] == []


@pytest.mark.parametrize(
    ("cmd", "shape"),
    [(["server.time", "no.such"], list), (["no.such", "server.time"], dict), (["no.such"], list)],
)
def test_numeric_keys_change_the_shape_of_the_result(caller: Caller, cmd: list[str], shape: type) -> None:
    assert isinstance(caller.batch(cmd)["result"], shape)


@pytest.mark.parametrize(("halt", "stops"), [("false", True), (1, True), ("0", False), ("", False), (False, False)])
def test_halt_is_truthy_as_in_php(caller: Caller, halt: Any, *, stops: bool) -> None:
    result = caller.batch({"a": "no.such", "b": "server.time"}, halt=halt)
    assert ("b" in result["result"]) is not stops


def test_a_null_result_keeps_its_key(caller: Caller) -> None:
    result = caller.batch({"a": "calendar.event.getbyid?id=999"})
    assert result["result"] == {"a": None}


def test_only_fifty_commands_run_and_what_is_no_text_counts(caller: Caller) -> None:
    cmd: dict[str, Any] = {f"k{number}": "server.time" for number in range(52)}
    cmd["k3"] = 7
    result = caller.batch(cmd)
    assert len(result["result"]) == 49
    assert "k3" not in result["result_error"]
    assert {key: error["error"] for key, error in result["result_error"].items()} == {
        "k50": "ERROR_BATCH_LENGTH_EXCEEDED",
        "k51": "ERROR_BATCH_LENGTH_EXCEEDED",
    }


def test_batch_without_commands_gives_five_empty_lists(caller: Caller) -> None:
    assert caller.ask("batch") == {
        key: [] for key in ("result", "result_error", "result_total", "result_next", "result_time")
    }


def test_batch_keys_ignore_case_and_forms_need_a_second_layer(caller: Caller) -> None:
    body = b"CMD[a]=user.get%3FFILTER%5BID%5D%3D7"
    response = caller.send(PortalRequest(path=caller.path("batch"), content_type="", body=body))
    assert json.loads(response.body)["result"]["result_total"] == {"a": 1}


@pytest.mark.parametrize(
    ("written", "error"),
    [
        ("batch?cmd[a]=server.time", "ERROR_BATCH_METHOD_NOT_ALLOWED"),
        ("download", "ERROR_BATCH_METHOD_NOT_ALLOWED"),
        ("server.time.json", "ERROR_METHOD_NOT_FOUND"),
    ],
)
def test_commands_that_a_batch_refuses(caller: Caller, written: str, error: str) -> None:
    assert caller.batch({"a": written})["result_error"]["a"]["error"] == error


def test_macros_are_substituted_in_batches_only(caller: Caller) -> None:
    cmd = {
        "who": "user.get?ID=7",
        "add": add_command("price $total[who] euro"),
        "read": "calendar.event.getbyid?id=$result[add]",
    }
    result = caller.batch(cmd)["result"]
    assert result["read"]["NAME"] == "price 1 euro"
    assert caller.read(caller.add(name="price $total[who] euro"))["NAME"] == "price $total[who] euro"


def test_an_unresolved_macro_leaks_all_earlier_results_and_fails_as_a_name(caller: Caller) -> None:
    result = caller.batch({"who": "user.get?ID=7", "add": add_command("$result[nobody]")})
    assert result["result_error"]["add"]["error_description"] == 'Invalid value for the parameter "name"'


def test_an_array_where_a_text_belongs_kills_the_batch_after_earlier_commands(caller: Caller) -> None:
    crash = add_command("third").replace("ownerId=1", "ownerId=1&location[0]=x")
    response = caller.raw("batch", {"cmd": {"a": add_command("first"), "b": crash, "c": add_command("last")}})
    assert response.status == 500
    assert response.body == b""
    assert [row.name for row in caller.world.events("user", 1)] == ["first"]


def test_hash_newline_and_plus_corrupt_a_raw_command(caller: Caller) -> None:
    raw = add_command("X").replace("name=X", "name=a+b\nc").replace("&timezone_to", "#&timezone_to")
    made = caller.batch({"a": raw})["result"]["a"]
    assert caller.read(made)["NAME"] == "a b_c"


def test_more_than_a_thousand_variables_are_dropped_silently(caller: Caller) -> None:
    guests = "&".join(f"attendees[]={number % 12 + 1}" for number in range(1000))
    result = caller.batch({"a": command("calendar.event.add", type="user", ownerId=1) + f"&{guests}&name=late"})
    assert '"from"' in result["result_error"]["a"]["error_description"]


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("Create event for marketing", "Cre ate   event for marketing"),
        ("Trip from Riga, where to meet?", "Trip fr om Riga, wh ere to meet?"),
    ],
)
def test_the_filter_rewrites_single_calls_and_commands(sent: str, stored: str) -> None:
    caller = portal(waf=True)
    made = caller.batch({"a": add_command(sent)})["result"]["a"]
    assert caller.row(made).name == stored
    assert caller.row(caller.add(name=sent)).name == stored
    plain = portal()
    assert plain.row(plain.add(name=sent)).name == sent


# limits


def test_the_request_bucket_refuses_the_51st_and_leaks_two_a_second(caller: Caller) -> None:
    request = PortalRequest(path=caller.path("server.time"))
    statuses = [caller.world.handle(NOW, request).status for _ in range(52)]
    assert statuses == [200] * 50 + [503] * 2
    assert json.loads(caller.world.handle(NOW + 0.9, request).body)["error"] == "QUERY_LIMIT_EXCEEDED"
    assert [caller.world.handle(NOW + 1.0, request).status for _ in range(3)] == [200, 200, 503]
    assert caller.world.traffic.refused["QUERY_LIMIT_EXCEEDED"] == 4


def test_each_source_address_has_its_own_bucket_and_self_hosted_none(caller: Caller) -> None:
    near = PortalRequest(path=caller.path("server.time"))
    far = PortalRequest(path=caller.path("server.time"), address="10.0.0.9")
    assert {caller.world.handle(NOW, near).status for _ in range(60)} == {200, 503}
    assert caller.world.handle(NOW, far).status == 200
    hosted = portal(tariff="self-hosted")
    assert {hosted.world.handle(NOW, near).status for _ in range(300)} == {200}


def test_a_method_over_its_operating_time_is_refused_alone() -> None:
    caller = portal(costs_s={"calendar.event.getbyid": 5.0}, operating_limit_s=12.0)
    for _ in range(3):
        caller.read(1)
    assert caller.refused("calendar.event.getbyid", id=1)[:2] == (429, "OPERATION_TIME_LIMIT")
    caller.ask("server.time")
    result = caller.batch({f"k{number}": "calendar.event.getbyid?id=1" for number in range(4)})
    assert list(result["result"]) == ["k0", "k1", "k2"], "batched webhook calls have a counter of their own"
    assert result["result_error"]["k3"]["error"] == "OPERATION_TIME_LIMIT"
    assert result["result_time"]["k2"]["operating"] == 15.0


def test_all_webhooks_share_the_counter_of_batched_calls() -> None:
    caller = portal(costs_s={"server.time": 10.0}, operating_limit_s=5.0)
    caller.batch({"a": "server.time"})
    caller.user = 2
    assert caller.batch({"a": "server.time"})["result_error"]["a"]["error"] == "OPERATION_TIME_LIMIT"
    assert caller.raw("server.time").status == 200


def test_overlapping_requests_are_charged_only_when_they_end() -> None:
    caller = portal(costs_s={"server.time": 30.0}, operating_limit_s=20.0)
    request = PortalRequest(path=caller.path("server.time"))
    assert caller.world.handle(NOW, request).status == 200
    assert caller.world.handle(NOW + 10, request).status == 200
    assert caller.world.handle(NOW + 31, request).status == 429


def test_the_cloud_cuts_a_request_after_a_minute_and_keeps_what_was_done() -> None:
    caller = portal(costs_s={"calendar.event.add": 25.0})
    response = caller.raw("batch", {"cmd": {f"k{number}": add_command(f"n{number}") for number in range(5)}})
    assert response.status == 504
    assert response.duration_s == 60.0
    assert [row.name for row in caller.world.events("user", 1)] == ["n0", "n1", "n2"]


def test_jitter_repeats_with_its_seed() -> None:
    def durations(seed: int) -> list[float]:
        caller = portal(jitter=0.3, seed=seed)
        return [caller.raw("server.time").duration_s for _ in range(5)]

    assert durations(1) == durations(1) != durations(2)
    assert all(0.0035 <= seconds <= 0.0065 for seconds in durations(3))


def test_five_thousand_batched_adds_are_quick_and_all_there() -> None:
    caller = portal()
    for start in range(0, 5000, 50):
        caller.now += 60
        cmd = {f"k{number}": add_command(f"Lesson {number}") for number in range(start, start + 50)}
        assert len(caller.batch(cmd)["result"]) == 50
    assert len(caller.world.events("user", 1)) == 5000
    assert caller.world.traffic.requests == 100
    assert caller.world.traffic.commands["calendar.event.add"] == 5000
