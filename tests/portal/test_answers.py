"""What an HTTP answer means for each command."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.portal.line.answers import Answer, RawAnswer, call_time, read_batch, read_single, scrubbed
from syncd.portal.line.wire import CallTime, Done, Refused, Unknown

KEYS = ("c0", "c1", "c2")


def raw(body: Any, status: int = 200) -> RawAnswer:
    return RawAnswer(status=status, headers={"content-type": "application/json"}, body=json.dumps(body).encode())


def batch(**maps: Any) -> RawAnswer:
    empty: dict[str, Any] = {f"result{part}": [] for part in ("", "_error", "_total", "_next", "_time")}
    return raw({"result": {**empty, **maps}, "time": {"start": 5, "finish": 6, "operating": 0}})


def test_each_command_of_a_batch_has_its_own_outcome() -> None:
    answer = read_batch(
        batch(
            result={"c0": 101, "c2": None},
            result_error={"c1": {"error": "", "error_description": "Access denied"}},
            result_total={"c0": 3},
            result_next={"c0": 50},
            result_time={"c0": {"operating": 1.5, "operating_reset_at": 600}},
        ),
        KEYS,
    )
    assert answer.replies == (
        Done(result=101, time=CallTime(operating=1.5, operating_reset_at=600.0), total=3, next=50),
        Refused(code="", description="Access denied"),
        Done(result=None),
    )
    assert answer.whole is None
    assert answer.time == CallTime(start=5.0, finish=6.0, operating=0.0)


def test_a_command_in_neither_map_is_unknown() -> None:
    answer = read_batch(batch(result={"c0": 1}), KEYS)
    assert isinstance(answer.replies[1], Unknown)
    assert isinstance(answer.replies[2], Unknown)
    assert answer.whole is None


def test_a_command_in_both_maps_is_unknown() -> None:
    answer = read_batch(batch(result={"c0": 1}, result_error={"c0": {"error": "X"}}), ("c0",))
    assert isinstance(answer.replies[0], Unknown)


@pytest.mark.parametrize("empty", [[], {}, None, "", 0])
def test_empty_maps_may_be_anything_empty(empty: Any) -> None:
    answer = read_batch(batch(result={"c0": 7}, result_error=empty, result_time=empty, result_total=empty), ("c0",))
    assert answer.replies == (Done(result=7),)


@pytest.mark.parametrize("result", [None, [], "x", 5, True])
def test_a_batch_without_maps_leaves_every_command_unknown(result: Any) -> None:
    answer = read_batch(raw({"result": result}), KEYS)
    assert isinstance(answer.whole, Unknown)
    assert [type(outcome) for outcome in answer.replies] == [Unknown] * len(KEYS)


@pytest.mark.parametrize(
    ("code", "reach", "transient"),
    [
        ("QUERY_LIMIT_EXCEEDED", "rate", True), ("OPERATION_TIME_LIMIT", "method", True),
        ("OVERLOAD_LIMIT", "portal", False), ("INVALID_CREDENTIALS", "portal", False),
        ("insufficient_scope", "portal", False), ("expired_token", "portal", True), ("NO_AUTH_FOUND", "portal", False),
        ("user_access_error", "portal", False), ("authorization_error", "portal", False),
        ("ACCESS_DENIED", "portal", False), ("PORTAL_DELETED", "portal", False), ("WRONG_LICENSE", "portal", False),
        ("INVALID_REQUEST", "portal", False), ("ERROR_METHOD_NOT_FOUND", "portal", False),
        ("allowed_only_intranet_user", "portal", False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [200, 400, 401, 403, 429, 500, 503])
def test_a_failed_batch_is_classed_by_its_code_whatever_the_status(
    code: str, reach: str, transient: bool, status: int
) -> None:
    answer = read_batch(raw({"error": code, "error_description": "Too many requests"}, status), KEYS)
    assert isinstance(answer.whole, Refused)
    assert (answer.whole.code, answer.whole.reach, answer.whole.transient) == (code, reach, transient)
    assert answer.replies == (answer.whole,) * 3


@pytest.mark.parametrize(
    ("code", "status"),
    [("INTERNAL_SERVER_ERROR", 500), ("INTERNAL_SERVER_ERROR", 200), ("ERROR_UNEXPECTED_ANSWER", 500),
     ("WRONG_ENCODING", 200), ("ERROR_CORE", 500), ("", 400), ("SOMETHING_NEW", 418)],
)  # fmt: skip
def test_a_failed_batch_that_may_have_run_is_unknown(code: str, status: int) -> None:
    answer = read_batch(raw({"error": code, "error_description": "Too many requests"}, status), KEYS)
    assert isinstance(answer.whole, Unknown)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"error": "", "error_description": "OPERATION_TIME_LIMIT"}, ("command", False)),
        ({"error": "OPERATION_TIME_LIMIT"}, ("method", True)),
        ({"error": "ACCESS_DENIED"}, ("command", False)),
        ({"error": "insufficient_scope"}, ("portal", False)),
        ({"error": "ERROR_METHOD_NOT_FOUND"}, ("method", False)),
        ({"error": "ERROR_ARGUMENT", "argument": "x"}, ("command", False)),
        ({"error": 100, "error_description": "missing"}, ("command", False)),
        ({"error": "ERROR_BATCH_LENGTH_EXCEEDED"}, ("command", True)),
        ("boom", ("command", False)),
    ],
)
def test_a_refused_command_is_classed_by_its_code(error: Any, expected: tuple[str, bool]) -> None:
    (outcome,) = read_batch(batch(result_error={"c0": error}), ("c0",)).replies
    assert isinstance(outcome, Refused)
    assert (outcome.reach, outcome.transient) == expected


@pytest.mark.parametrize("code", ["ERROR_CORE", "INTERNAL_SERVER_ERROR"])
def test_a_command_that_failed_inside_the_server_is_unknown(code: str) -> None:
    (outcome,) = read_batch(batch(result_error={"c0": {"error": code}}), ("c0",)).replies
    assert isinstance(outcome, Unknown)


def test_an_error_with_status_200_is_an_error() -> None:
    answer = read_single(raw({"error": "", "error_description": "no"}))
    assert answer.replies == (Refused(code="", description="no"),)
    assert answer.whole is None


def test_a_single_answer_carries_total_next_and_time() -> None:
    answer = read_single(raw({"result": [1], "total": "7", "next": 50, "time": {"operating": "3.5"}}))
    assert answer.replies == (Done(result=[1], time=CallTime(operating=3.5), total=7, next=50),)


@pytest.mark.parametrize(
    "answer",
    [
        RawAnswer(status=200, body=b""), RawAnswer(status=200, body=b"<html>login</html>"),
        RawAnswer(status=504, body=b"<html>Gateway</html>", headers={"content-type": "text/html"}),
        RawAnswer(status=200, body=b'{"result": [1, 2'), raw([1]), raw("x"), raw(None), raw({}), raw({"time": {}}),
        raw({"result": 1}, 302), raw({"result": 1}, 500), RawAnswer(status=200, body=b'{"result": 1}\xff'),
    ],
)  # fmt: skip
def test_what_cannot_be_read_for_certain_is_unknown(answer: RawAnswer) -> None:
    assert isinstance(read_single(answer).whole, Unknown)
    assert isinstance(read_batch(answer, KEYS).whole, Unknown)


@pytest.mark.parametrize(
    ("location", "place"),
    [
        ("https://new.example.net/rest/1/topsecretcode/profile?k=1", "to new.example.net"),
        ("https://me:pw@new.example.net/x", "to new.example.net"),
        ("/auth/login", "to another page"),
        ("http://[::1/x", "to another page"),
    ],
)
def test_a_redirect_that_is_not_followed_says_where_it_leads_and_no_more(location: str, place: str) -> None:
    answer = RawAnswer(status=302, headers={"location": location}, body=b"moved")
    (outcome,) = read_single(answer).replies
    reason = f"HTTP 302: the portal redirects {place}; check its address in the config"
    assert outcome == Unknown(reason=reason, ended=True)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None), ([], None), ("x", None), ({}, CallTime()),
        ({"operating": -5, "operating_reset_at": "x", "start": True, "finish": [], "duration": None}, CallTime()),
        ({"operating": "12.5", "start": 7, "date_start": 5}, CallTime(operating=12.5, start=7.0)),
        ({"operating": 1e999, "finish": "nan"}, CallTime()),
    ],
)  # fmt: skip
def test_times_of_any_shape_are_read_or_left_out(value: Any, expected: CallTime | None) -> None:
    assert call_time(value) == expected


def test_a_long_message_with_control_characters_becomes_one_short_line() -> None:
    text = "a\r\nb\x1b[31m\x00" + "x" * 5000
    (outcome,) = read_single(raw({"error": "E", "error_description": text})).replies
    assert isinstance(outcome, Refused)
    assert outcome.description.startswith("a b [31m x")
    assert len(outcome.description) <= 600


def test_a_secret_echoed_by_the_portal_is_taken_out() -> None:
    answer = read_batch(raw({"error": "NO_AUTH_FOUND", "error_description": "bad code s3cret"}, 401), KEYS)
    clean = scrubbed(answer, lambda text: text.replace("s3cret", "***"))
    assert "s3cret" not in repr(clean)
    assert clean.replies[0] == clean.whole


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["c0", "c1", "result", "result_error", "result_time", "error", "time"]), inner
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(body=JSON, status=st.sampled_from([200, 302, 400, 500]))
def test_no_answer_breaks_the_reader_and_every_command_gets_one_outcome(body: Any, status: int) -> None:
    for answer in (read_batch(raw(body, status), ("c0", "c1")), read_single(raw(body, status))):
        assert isinstance(answer, Answer)
        assert len(answer.replies) in (1, 2)


@settings(max_examples=100, deadline=None)
@given(cut=st.integers(0, 200))
def test_a_body_cut_anywhere_is_never_taken_for_an_answer(cut: int) -> None:
    whole = batch(result={"c0": 1, "c1": 2, "c2": 3}).body
    if cut < len(whole):
        answer = read_batch(RawAnswer(status=200, body=whole[:cut]), KEYS)
        assert isinstance(answer.whole, Unknown)
