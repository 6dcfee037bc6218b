from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.errors import ConfigError, EntryError
from syncd.model.entry import Entry
from syncd.model.names import FIELDS
from syncd.model.template import compile_template, cut
from tests.model.entries import HOLIDAY, entry


def rendered(text: str, subject: Entry) -> str:
    return compile_template(text, where="name").render(subject, subject.details, subject.span)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain", "plain"),
        ("{title}", "Lesson"),
        ("{title} in {Room}", "Lesson in 4b"),
        ("{room}", "4b"),
        ("{ Title }", "Lesson"),
        ("{title|upper}!", "LESSON!"),
        ("{title|lower|upper}", "LESSON"),
        ("{Teacher|strip}", "Ann"),
        ("{location or Room}", "4b"),
        ("{Room or title}", "4b"),
        ("{location or description}", ""),
        ("{location or description|default:n/a: none}", "n/a: none"),
        ("{Room|default:x}", "4b"),
        ("{start}", "2026-12-01 09:05"),
        ("{end|date:%H:%M}", "10:00"),
        ("{start|date:%d.%m.%Y}", "01.12.2026"),
        ("{Day|date:%d.%m}", "24.12"),
        ("{location|date:%d}", ""),
        ("{title|cut:4}", "Les…"),
        ("{timezone} {all_day}", "Europe/Moscow no"),
        ("{{title}}", "{title}"),
        ("{{{title}}}", "{Lesson}"),
        ('{"a or b"}|{"x|y:{z}"}', "quoted|odd"),
        ("{Floor}", "orange"),
        ("{X-ROOM}", ""),
        ("{uid} {where}", "u1 shifts.csv:14"),
        ("{categories}; {priority}", "a, b; 5"),
        ("{title|prefix:On: }{location|prefix:At: }", "On: Lesson"),
        ("{priority|map:1=high,5=normal,*=low}", "normal"),
        ("{categories|map:b=blue,*=gray}", "blue"),
        ("{title|map:x=y}", ""),
        ("{title|map: lesson = found }", "found"),
        ("{conference}{transparency}{contact}{contact_phone}{contact_email}", ""),
    ],
)
def test_a_template_is_filled_from_fields_and_columns(text: str, expected: str) -> None:
    columns = (
        ("Room", "4b"),
        ("Teacher", "  Ann "),
        ("Day", "2026-12-24"),
        ("a or b", "quoted"),
        ("x|y:{z}", "odd"),
        ("Floor", "orange"),
        ("Floor", "second of its title"),
    )
    assert rendered(text, entry(columns=columns, categories=("a", "b"), priority=5)) == expected


@pytest.mark.parametrize("text", ["{title|prefix}", "{title|map}", "{title|map:a}", "{title|map:a=b,c}"])
def test_filters_without_what_they_need_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="needs"):
        compile_template(text, where="name")


def test_derived_names_come_from_the_columns_that_mean_them_and_yield_to_a_column_of_their_own() -> None:
    derived = (("X-GOOGLE-CONFERENCE", "https://meet"), ("contact_phone", " "), ("contact_email", "a@b"))
    assert rendered("{conference} {contact}", entry(columns=derived)) == "https://meet a@b"
    own = (("Contact", "Ann"), ("Conference", "Hall"))
    assert rendered("{Contact} {conference}", entry(columns=own)) == "Ann Hall"


def test_whole_days_end_on_their_last_day() -> None:
    assert rendered("{start} - {end} {all_day}{timezone}", entry(span=HOLIDAY)) == "2026-12-01 - 2026-12-03 yes"


def test_a_field_comes_before_a_column_of_its_name() -> None:
    assert rendered("{title} {TITLE}", entry(columns=(("title", "no"), ("TITLE", "column")))) == "Lesson column"


@given(st.text())
def test_what_stands_in_the_source_is_never_read_as_a_template(text: str) -> None:
    subject = entry(title=text, columns=(("Room", "{title}"),))
    assert rendered("{title}{Room}", subject) == f"{text if text.strip() else ''}{{title}}"


@given(st.text(), st.sampled_from(FIELDS))
def test_any_text_can_be_written_with_doubled_braces(text: str, name: str) -> None:
    template = compile_template(text.replace("{", "{{").replace("}", "}}"), where="name")
    assert template.constant == text
    assert compile_template(f"{{{name}}}", where="name").constant is None


@given(st.text(), st.integers(1, 40))
def test_a_cut_text_is_never_longer_and_begins_like_the_whole(text: str, length: int) -> None:
    short = cut(text, length)
    assert len(short) <= length
    assert short == text or text.startswith(short[:-1])


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (30, "Physics for beginners"),
        (20, "Physics for…"),
        (12, "Physics for…"),
        (9, "Physics…"),
        (5, "Phys…"),
        (1, "…"),
    ],
)
def test_a_text_is_cut_at_a_word(length: int, expected: str) -> None:
    assert cut("Physics for beginners", length) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{title", "a.toml:3: name: a lone { at character 1"),
        ("title}", "a lone } at character 6"),
        ("a {} b", "no name"),
        ("{title or }", "no name"),
        ("{|upper}", "no name"),
        ("{title|uper}", 'unknown filter "uper" (did you mean "upper"?)'),
        ("{title|}", 'unknown filter ""'),
        ("{title|nonsense}", "there are lower, upper"),
        ("{title|cut}", "cut needs a number"),
        ("{title|cut:x}", "cut needs a number"),
        ("{title|cut:0}", "cut needs a number"),
        ("{title|upper:3}", "upper takes nothing"),
        ("{start|date}", "date needs a format"),
        ("{title|default}", "default needs a text"),
    ],
)
def test_what_is_no_template_is_refused_with_its_key(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compile_template(text, where="a.toml:3: name")
    assert message in str(caught.value)
    assert str(caught.value).startswith("a.toml:3: name: ")


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        (
            "{Teecher}",
            {"Teacher": "Ann"},
            'shifts.csv:14: there is no field or column "Teecher" (did you mean "Teacher"?)',
        ),
        ("{loction or title}", {}, 'did you mean "location"?'),
        ("{qqq}", {"Teacher": "Ann"}, "columns here: Teacher"),
        ("{Day|date:%d}", {"Day": "tomorrow"}, 'shifts.csv:14: name does not fit: "tomorrow" is not an ISO date'),
    ],
)
def test_what_an_entry_cannot_fill_in_rejects_that_entry(text: str, columns: dict[str, str], message: str) -> None:
    subject: Any = entry(columns=tuple(columns.items()))
    with pytest.raises(EntryError) as caught:
        rendered(text, subject)
    assert message in str(caught.value)


def test_the_names_used_are_known_before_any_entry_is() -> None:
    assert compile_template('{b|upper} {a or b or "c d"} {{e}}', where="name").names == ("b", "a", "c d")
