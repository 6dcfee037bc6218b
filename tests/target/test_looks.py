"""What an event shows beside its time: colour, importance, links to the CRM, descriptions from HTML."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote

import pytest
from msgspec import structs

from syncd.model.colors import COLORS, color_of
from syncd.portal.line.answers import RawAnswer
from syncd.target.calendar.portal_event import EventFields, comparison_of, from_fields, to_fields
from tests.support.sandbox import Stage, run_inline
from tests.target.guests_stage import HEADER, MEETINGS, event_of, staged


@pytest.mark.parametrize(
    ("text", "color"),
    [("red", "#ff0000"), (" Teal ", "#008080"), ("#9CBE1C", "#9cbe1c"), ("#abc", "#aabbcc"), ("#11223344", "#112233"),
     ("", ""), ("reddish", None), ("9cbe1c", None), ("#12", None)],
)  # fmt: skip
def test_colours_by_name_and_number(text: str, color: str | None) -> None:
    assert color_of(text) == color


def test_a_colour_of_the_text_is_sent_where_it_is_set_and_changes_no_other_item() -> None:
    plain = EventFields(name="a", start="2026-12-01", end="2026-12-01", all_day=True)
    assert "text_color" not in to_fields(plain), "or every event would be written again"
    dark = structs.replace(plain, text_color="#283033")
    assert from_fields(to_fields(dark)) == dark
    assert "text_color" not in comparison_of("s").defaults, "no portal that is recent gives it back"


def test_the_text_colour_of_the_config_reaches_the_portal(tmp_path: Path) -> None:
    stage = staged(tmp_path, "", 'text_color = "navy"\n')
    sent: list[str] = []
    post = stage.transport.post

    async def listening(method: str, body: bytes, timeout_s: float) -> RawAnswer:
        sent.append(unquote(json.dumps(json.loads(body))))
        return await post(method, body, timeout_s)

    stage.transport.post = listening  # type: ignore[method-assign]
    run_inline(stage.one_pass())
    assert any("text_color=#000080" in one or '"text_color": "#000080"' in one for one in sent)


def test_every_name_is_a_whole_colour() -> None:
    assert all(color_of(value) == value for value in COLORS.values())


@pytest.mark.parametrize(
    ("kind", "color"), [("Exam", "#ff0000"), ("exam, other", "#ff0000"), ("Sport", "#008080"), ("", "#9cbe1c")]
)
def test_the_first_rule_that_holds_gives_the_colour(tmp_path: Path, kind: str, color: str) -> None:
    more = 'color = "#9cbe1c"\ncolors = { Exam = "red", "categories ~ (?i)sport" = "teal" }\n'
    stage = staged(tmp_path, "", more, kind=kind)
    run_inline(stage.one_pass())
    assert event_of(stage, 3).color == color


def test_priority_is_importance_unless_a_map_says_otherwise(tmp_path: Path) -> None:
    config = MEETINGS.replace('categories = "Kind"', 'priority = "Kind"')
    for number, (more, kind, importance) in enumerate(
        (("", "1", "high"), ("", "9", "low"), ("", "5", "normal"), ("", "", "normal"),
         ('importance = "{priority|map:9=high,*=low}"\n', "9", "high"))
    ):  # fmt: skip
        folder = tmp_path / str(number)
        folder.mkdir()
        stage = staged(folder, "", more, kind=kind, config=config)
        run_inline(stage.one_pass())
        assert event_of(stage, 3).importance == importance


@pytest.mark.parametrize(("field", "word"), [("accessibility", "remote"), ("importance", "urgent")])
def test_a_word_of_another_program_is_an_edit_like_any_other(tmp_path: Path, field: str, word: str) -> None:
    stage = staged(tmp_path, "", config=MEETINGS.replace("on_removed", 'on_conflict = "source"\non_removed'))
    run_inline(stage.one_pass())
    event = event_of(stage, 3)
    before = getattr(event, field)
    setattr(event, field, word)
    event.version += 1
    assert run_inline(stage.one_pass(verify=True)).record.counts["updated"] == 1
    assert getattr(event_of(stage, 3), field) == before


def test_events_are_linked_to_the_contact_of_a_phone_or_e_mail(tmp_path: Path) -> None:
    config = MEETINGS.replace('categories = "Kind"', 'contact_phone = "Kind"\ncontact_email = "Guests"').replace(
        'attendees = "Guests"\n', ""
    )
    stage = Stage(tmp_path, config + 'crm = ["{contact}", "CO_1"]\n')
    lines = (
        '1,By phone,2026-12-01 10:00,2026-12-01 11:00,3,,,"8 916 111 22 33"\n'
        "2,By mail,2026-12-01 10:00,2026-12-01 11:00,5,,OSCAR@lind.example,\n"
        "3,Nobody,2026-12-01 10:00,2026-12-01 11:00,7,,,+1 555 000\n"
        "4,None,2026-12-01 10:00,2026-12-01 11:00,8,,,\n"
    )
    stage.write("shifts.csv", HEADER + lines)
    result = run_inline(stage.one_pass())
    assert [event_of(stage, owner).crm for owner in (3, 5, 7, 8)] == [
        ("CO_1", "C_1"), ("CO_1", "C_2"), ("CO_1",), ("CO_1",),
    ]  # fmt: skip
    (problem,) = result.record.problems
    assert "not linked to the CRM: no contact with '+1 555 000'" in problem.reason
    assert run_inline(stage.one_pass(verify=True)).record.counts["unchanged"] == 4


def test_an_entry_without_the_column_of_its_link_is_rejected_alone(tmp_path: Path) -> None:
    stage = Stage(tmp_path, MEETINGS.replace("shifts.csv", "*.csv") + 'crm = ["{Client}"]\n')
    row = "{n},Council,2026-12-01 10:00,2026-12-01 11:00,{owner},,,"
    stage.write("a.csv", HEADER.replace("\n", ",Client\n") + row.format(n=1, owner=3) + ",oscar@lind.example\n")
    stage.write("b.csv", HEADER + row.format(n=2, owner=5) + "\n")
    result = run_inline(stage.one_pass())
    assert event_of(stage, 3).crm == ("C_2",)
    (problem,) = result.record.problems
    assert (problem.where, problem.kind) == ("b.csv:2", "rejected")
    assert 'no field or column "Client"' in problem.reason


ICS = """BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
UID:1
DTSTAMP:20261101T000000Z
DTSTART:20261201T070000Z
DTEND:20261201T080000Z
SUMMARY:Call
DESCRIPTION:Join the call
X-ALT-DESC;FMTTYPE=text/html:<html><body><p>Join <a href="https://meet.example/1">here</a></p><script>x()</script></body></html>
URL:https://site.example/e/1
X-GOOGLE-CONFERENCE:https://meet.google.example/abc
ORGANIZER:mailto:boss@x.example
CATEGORIES:Work,Calls
END:VEVENT
END:VCALENDAR
"""


def test_an_html_description_with_links_and_what_a_template_adds(tmp_path: Path) -> None:
    config = MEETINGS[: MEETINGS.index("[sync.source]")] + (
        '[sync.source]\ntype = "ics"\npath = "team.ics"\n[sync.target]\nowner = "3"\n[sync.fields]\n'
        'description = "{description}\\n{url|prefix:Page: }\\n{conference}\\n{organizer}: {categories}"\n'
    )
    stage = Stage(tmp_path, config)
    stage.write("team.ics", ICS.replace("\n", "\r\n"))
    result = run_inline(stage.one_pass())
    assert result.exit_code == 0, result.record.problems
    assert event_of(stage, 3).description == (
        "Join [url=https://meet.example/1]here[/url]\nPage: https://site.example/e/1\n"
        "https://meet.google.example/abc\nboss@x.example: Work, Calls"
    )
