"""A message is English text to the program, and can be put into any language after it was stored."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.errors import ConfigError
from syncd.lang.catalog import reading, told
from syncd.lang.saying import Saying, Value, joined, restored, say, say_count, stored
from syncd.scrub import Scrubber, within

texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers() | st.floats(allow_nan=False)
leaves = (
    texts
    | numbers
    | st.dates()
    | st.datetimes()
    | st.timedeltas(timedelta(), timedelta(days=10_000)).map(lambda one: timedelta(seconds=round(one.total_seconds())))
)
sayings = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple) | st.builds(lambda value: say("about {what}", what=value), inner)
    ),
    max_leaves=6,
)


@given(sayings)
def test_what_is_stored_comes_back_as_it_was(value: Value) -> None:
    saying = say("it is {value}, «{{}}»", value=value)
    back = restored(stored(saying))
    assert isinstance(back, Saying)
    assert (back, back.form, back.values) == (saying, saying.form, saying.values)


@given(st.one_of(texts, texts.map(lambda text: '{"say":' + text), st.just('{"say":"{text}","values":{"text":"x"}}')))
def test_any_other_text_is_stored_as_itself(text: str) -> None:
    assert restored(stored(text)) == text
    assert not isinstance(restored(stored(text)), Saying)


def test_a_saying_is_its_english_text() -> None:
    saying = say("no user {name} in the portal", name="Анна")
    assert saying == "no user Анна in the portal"
    assert orjson.dumps([saying]) == '["no user Анна in the portal"]'.encode()
    assert pickle.loads(pickle.dumps(saying)).form == saying.form


@pytest.mark.parametrize(
    ("number", "text"), [(1, "1 entry is held"), (0, "0 entries are held"), (12345, "12,345 entries are held")]
)
def test_a_number_takes_the_form_that_fits(number: int, text: str) -> None:
    assert say_count("{count:,} entry is held", "{count:,} entries are held", number) == text


def test_a_form_reaches_no_further_than_its_values() -> None:
    with pytest.raises(KeyError):
        say("{name.__class__}", name="x")
    with pytest.raises(KeyError):
        say("{name[0]}", name="x")


def test_values_are_put_in_once_and_never_read_as_forms() -> None:
    assert say("{one}", one="{two}") == "{two}"
    assert told(say("{titles} and {more} more", titles=("{more}", "b"), more=3), "ru") == "{more}, b и ещё 3"


def test_an_error_tells_its_message_and_remedy_in_the_reader_s_language() -> None:
    error = ConfigError(say("the series begins beyond the year {last_year}", last_year=9000), say("section changed"))
    assert str(error) == "the series begins beyond the year 9000 (section changed)"
    assert told(str(error), "ru") == "серия начинается позже 9000 года (изменён раздел)"


def test_bytes_that_are_no_text_can_be_told_in_a_message() -> None:
    error = ConfigError(say("{titles}", titles=("caf\udce9",)))
    assert str(error).encode() == rb"caf\udce9"


@pytest.mark.parametrize("count", [0, 1, 2, 3, 2_000])
def test_however_many_messages_are_joined_they_can_be_raised_stored_and_translated(count: int) -> None:
    said = [say("calendar {name!r} is unknown", name=f"room {number}") for number in range(count)]
    whole = joined(said)
    assert whole == "; ".join(said)
    assert ConfigError(whole).message == pickle.loads(pickle.dumps(whole)) == restored(stored(whole)) == whole
    assert told(restored(stored(whole)), "ru") == "; ".join(told(one, "ru") for one in said)


def test_secrets_are_taken_out_of_the_values() -> None:
    scrubber = Scrubber(["hunter2hunter2"])
    saying = say(
        "reads back differently: {names}", names=("a hunter2hunter2", say("{titles}", titles=("hunter2hunter2",)))
    )
    clean = within(saying, scrubber.certain)
    assert told(clean, "ru") == "на портале прочитано другое: a ***, ***"
    assert "hunter2" not in stored(clean)


@pytest.mark.parametrize(
    ("value", "english", "russian"),
    [
        (1234567, "1,234,567", "1\u00a0234\u00a0567"),
        (1234, "1,234", "1234"),
        (12.5, "12.5", "12,5"),
        (date(2026, 12, 1), "2026-12-01", "01.12.2026"),
        (datetime(2026, 12, 1, 9, 5, tzinfo=UTC), "2026-12-01 09:05 +0000", "01.12.2026 09:05 +0000"),
        (timedelta(seconds=80), "80 s", "80 с"),
        (timedelta(hours=35), "35 h", "35 ч"),
        (timedelta(seconds=0.5), "0.5 s", "0,5 с"),
    ],
)
def test_values_are_written_as_each_language_writes_them(value: Value, english: str, russian: str) -> None:
    form = "{value:,}" if isinstance(value, int) else "{value}"
    saying = say(form, value=value)
    assert saying == english
    assert told(saying, "ru") == russian


@pytest.mark.parametrize(
    ("spec", "value", "russian"),
    [(".1f", 0.25, "0,2"), (",.2f", 12345.678, "12\u00a0345,68"), (".0%", 0.25, "25\u00a0%")],
)
def test_specified_numbers_keep_their_digits_in_russian(spec: str, value: float, russian: str) -> None:
    assert told(say("{value:" + spec + "}", value=value), "ru") == russian


@pytest.mark.parametrize(
    ("number", "noun"),
    [(1, "событие"), (2, "события"), (5, "событий"), (11, "событий"), (21, "событие"), (104, "события")],
)
def test_plurals_follow_the_rules_of_russian(number: int, noun: str) -> None:
    one = "no entries, where {count:,} item was known (removed_after = {removed_after} passes in a row)"
    many = "no entries, where {count:,} items were known (removed_after = {removed_after} passes in a row)"
    assert f"{number} {noun} " in told(say_count(one, many, number, removed_after=2), "ru")


def test_the_reader_is_the_one_of_the_task() -> None:
    with reading("ru"):
        assert told(say("section changed")) == "изменён раздел"
    assert told(say("section changed")) == "section changed"


def test_a_form_of_another_version_is_shown_in_english() -> None:
    saying = restored('{"say":"no {thing} of an older version","values":{"thing":"x"}}')
    assert told(saying, "ru") == "no x of an older version"
    assert restored('{"say":"{gone}","values":{}}') == '{"say":"{gone}","values":{}}'


@pytest.fixture
def python_s_own_depth() -> Iterator[None]:
    """Python's limit on recursion as it begins with; libraries that another test has loaded may raise it."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000)
    yield
    sys.setrecursionlimit(before)


def nested(depth: int) -> Saying:
    said = say("section changed")
    for _ in range(depth):
        said = say("{first}; {second}", first=said, second="x")
    return said


@pytest.mark.parametrize(
    "said", [say("about {what}", what="caf\udce9"), nested(200), nested(450), say("{what}", what='{"say":\udce9')]
)
def test_what_json_cannot_hold_is_stored_in_english(said: Saying) -> None:
    kept = restored(stored(said))
    assert kept == said.encode("utf-8", "backslashreplace").decode()
    assert told(said, "ru")


@pytest.mark.usefixtures("python_s_own_depth")
@pytest.mark.parametrize(
    "text",
    [
        '{"say":"{x:>100000000}","values":{"x":5}}',
        '{"say":"{x:.99999999f}","values":{"x":5}}',
        '{"say":"{count}","many":"{count}","values":{"count":"a"}}',
        '{"say":"{count}","many":"{count}","values":{"count":1.5}}',
        '{"say":"{text}","values":{"text":5}}',
        '{"say":"{at}","values":{"at":{"span":1e300}}}',
        '{"say":"{at}","values":{"at":{"moment":5}}}',
        '{"say":"{x.__class__}","values":{"x":5}}',
        '{"say":5}',
        '{"say":"x","values":[]}',
        '{"say":"{a}","values":{"a":' * 500 + '"x"' + "}}" * 500,
    ],
)
def test_what_only_looks_like_a_message_is_shown_as_it_is(text: str) -> None:
    assert restored(text) == text
    assert told(restored(text), "ru") == text


@pytest.mark.parametrize("value", [10**40, -(10**40), float("inf"), float("nan"), True])
@pytest.mark.parametrize("spec", ["", ":,", ":g", ":.0f", ":.1f", ":.0%"])
def test_any_number_can_be_told_and_stored(value: float, spec: str) -> None:
    said = say("about {what" + spec + "}", what=value)
    assert told(said, "ru")
    assert restored(stored(said)) == said
