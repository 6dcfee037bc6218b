"""Parameters of crm.activity.add that few need: direction, markup, version, providers, results and settings."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from syncd.cycle.takeback import Taken, purge, undo
from syncd.errors import ConfigError
from syncd.model.markup import to_bbcode, to_html
from syncd.model.template import Template, compile_template
from syncd.sandbox.tables.crm_rows import Activity
from syncd.target.crm import extra
from tests.crm.stage import VISITS, activities
from tests.cycle.test_taking import yes
from tests.support.restoring import ask
from tests.support.sandbox import Stage, run_inline

HEADER = "No,Phone,Start,Minutes,Subject,Doctor,Room,State,Way,Text,Price,Rev\n"
PERSON = "anna.petrova@school.example"
CONFIG = VISITS.replace('status = "State"\n', 'status = "State"\ndescription = "Text"\n')
CALLS = CONFIG.replace('type = "activity"\n', 'type = "activity"\nactivity = "call"\n')


def row(way: str = "", text: str = "", price: str = "", revision: str = "1", subject: str = "Visit") -> str:
    return f'1,+79161112233,2026-12-01 10:00,30,{subject},{PERSON},,,{way},"{text}",{price},{revision}\n'


def staged(folder: Path, config: str, rows: str) -> Stage:
    stage = Stage(folder, config)
    stage.write("visits.csv", HEADER + rows)
    return stage


def done(stage: Stage, **options: bool) -> dict[str, int]:
    result = run_inline(stage.one_pass("visits", **options))
    assert result.exit_code == 0, (result.record.problems, result.error)
    return dict(result.record.counts)


def only(stage: Stage) -> Activity:
    (made,) = activities(stage)
    return made


def stays(stage: Stage) -> None:
    """Check that neither an ordinary pass nor one that reads everything back finds anything to do."""
    for verify in (False, True):
        counts = done(stage, verify=verify)
        assert (counts["unchanged"], counts["updated"], counts["created"], counts["conflict"]) == (1, 0, 0, 0)


# Direction


@pytest.mark.parametrize(
    ("key", "way", "direction"),
    [
        ("", "", 2),
        ('direction = "incoming"', "", 1),
        ('direction = "{Way}"', "incoming", 1),
        ('direction = "{Way}"', "", 2),
        ('direction = "{Way|map:in=incoming,*=outgoing}"', "in", 1),
    ],
)
def test_calls_go_out_unless_the_config_or_the_entry_says_otherwise(
    key: str, way: str, direction: int, tmp_path: Path
) -> None:
    stage = staged(tmp_path, f"{CALLS}{key}\n", row(way))
    assert done(stage)["created"] == 1
    assert only(stage).direction == direction
    stays(stage)


def test_a_direction_that_was_changed_in_the_portal_is_set_back(tmp_path: Path) -> None:
    stage = staged(tmp_path, f'{CALLS}direction = "incoming"\n', row())
    done(stage)
    ask(stage, "crm.activity.update", id=only(stage).id, fields={"DIRECTION": 2})
    assert done(stage, verify=True)["updated"] == 1
    assert only(stage).direction == 1


def test_an_unknown_direction_rejects_its_entry(tmp_path: Path) -> None:
    stage = staged(tmp_path, f'{CALLS}direction = "{{Way}}"\n', row("sideways"))
    (told,) = run_inline(stage.one_pass("visits")).record.problems
    assert "direction is 'sideways' (it must be outgoing or incoming)" in told.reason


# Markup


HTML = "<p>Bring <b>the <i>card</i></b> &amp; <a href='https://x.example/a?b=1'>map</a></p><script>alert(1)</script>"


@pytest.mark.parametrize(
    ("markup", "kind", "text"),
    [
        ("", 2, "Bring [b]the [i]card[/i][/b] & [url=https://x.example/a?b=1]map[/url]"),
        (
            '[sync.fields]\nmarkup = "html"\n',
            3,
            'Bring <b>the <i>card</i></b> &amp; <a href="https://x.example/a?b=1">map</a>',
        ),
    ],
)
def test_an_html_description_is_written_as_the_config_says(markup: str, kind: int, text: str, tmp_path: Path) -> None:
    stage = staged(tmp_path, CONFIG + markup, row(text=HTML))
    done(stage)
    assert (only(stage).description_type, only(stage).description) == (kind, text)
    stays(stage)


def test_a_plain_description_stays_plain_where_markup_is_html(tmp_path: Path) -> None:
    stage = staged(tmp_path, CONFIG + '[sync.fields]\nmarkup = "html"\n', row(text="3 < 4 & [b]"))
    done(stage)
    assert (only(stage).description_type, only(stage).description) == (1, "3 < 4 & [b]")
    stays(stage)


def test_markup_that_was_changed_in_the_portal_is_set_back(tmp_path: Path) -> None:
    stage = staged(tmp_path, CONFIG + '[sync.fields]\nmarkup = "html"\n', row(text=HTML))
    done(stage)
    ask(stage, "crm.activity.update", id=only(stage).id, fields={"DESCRIPTION_TYPE": 1})
    assert done(stage, verify=True)["updated"] == 1
    assert only(stage).description_type == 3


@pytest.mark.parametrize(
    ("bbcode", "made"),
    [
        ("a < b\n\"c\" & 'd'", "a &lt; b<br>&quot;c&quot; &amp; &#x27;d&#x27;"),
        ("[b]x[/i]y", "<b>x[/i]y</b>"),
        ("[i][b]x[/i]y", "<i><b>x</b></i>y"),
        ("[b][b]x[/b][/b]", "<b>[b]x</b>[/b]"),
        ("[url=javascript:alert(1)]x[/url]", "[url=javascript:alert(1)]x[/url]"),
        ('[url=https://x.example/"onclick=a]x[/url]', '<a href="https://x.example/%22onclick=a">x</a>'),
        ("[url]https://x.example[/url] [b=1]", "[url]https://x.example[/url] [b=1]"),
        ("[table][USER=5]<img src=x onerror=y>", "[table][USER=5]&lt;img src=x onerror=y&gt;"),
    ],
)
def test_no_text_becomes_a_tag_that_to_bbcode_would_not_have_made(bbcode: str, made: str) -> None:
    assert to_html(bbcode) == made


def test_long_html_is_cut_within_what_the_portal_holds(tmp_path: Path) -> None:
    stage = staged(tmp_path, CONFIG + '[sync.fields]\nmarkup = "html"\n', row(text="<b>" + "a & b " * 9_000 + "</b>"))
    result = run_inline(stage.one_pass("visits"))
    assert any("bytes as HTML; it is cut at a word" in one.reason for one in result.record.problems)
    text = only(stage).description
    assert 50_000 < len(text.encode()) <= 60_000
    assert text.startswith("<b>a &amp; b")
    assert text.endswith("</b>")


def test_html_says_what_bbcode_says() -> None:
    assert to_html(to_bbcode("<ul><li>one</li><li><s>two</s></li></ul>")) == "• one<br>• <s>two</s>"


# Version


def test_the_version_in_the_source_is_sent_and_a_new_one_is_an_update(tmp_path: Path) -> None:
    stage = staged(tmp_path, CONFIG + 'origin_version = "{Rev}"\n', row(revision="7"))
    done(stage)
    stays(stage)
    stage.write("visits.csv", HEADER + row(revision="8"))
    assert done(stage)["updated"] == 1
    stays(stage)


# What has no key of its own

EXTRA = """
[sync.fields.extra]
RESULT_SUM = "{Price}"
RESULT_CURRENCY_ID = "EUR"
PROVIDER_DATA = "visits"
IS_INCOMING_CHANNEL = "N"
SETTINGS.DISABLE_SENDING_MESSAGE_COPY = "Y"
SETTINGS.source.level = 2
"""


def test_parameters_without_a_key_are_sent_and_compared(tmp_path: Path) -> None:
    stage = staged(tmp_path, CONFIG + EXTRA, row(price='"1 250,50"'))
    done(stage)
    made = only(stage)
    assert made.results == {"RESULT_SUM": "1250.5000", "RESULT_CURRENCY_ID": "EUR", "PROVIDER_DATA": "visits"}
    assert made.settings == {"SETTINGS": {"DISABLE_SENDING_MESSAGE_COPY": "Y", "source": {"level": "2"}}}
    stays(stage)
    made.settings["SETTINGS"]["theirs"] = "kept"
    stays(stage)
    stage.write("visits.csv", HEADER + row(price="900", subject="Visit 2"))
    assert done(stage)["updated"] == 1
    assert only(stage).results["RESULT_SUM"] == "900.0000"
    stage.write("visits.csv", HEADER + row(price="900", subject="Visit 3"))
    made.settings["SETTINGS"]["theirs"] = "kept"
    assert done(stage)["updated"] == 1
    assert made.settings["SETTINGS"]["theirs"] == "kept", "settings that have not changed are not sent"
    ask(stage, "crm.activity.update", id=made.id, fields={"SETTINGS": {"DISABLE_SENDING_MESSAGE_COPY": "N"}})
    assert done(stage, verify=True)["updated"] == 1
    assert only(stage).settings["SETTINGS"]["DISABLE_SENDING_MESSAGE_COPY"] == "Y"


@pytest.mark.parametrize("name", ["RESULT_MARK", "RESULT_STATUS", "RESULT_STREAM", "AUTOCOMPLETE_RULE", "RESULT_VALUE"])
def test_a_result_that_an_entry_does_not_have_is_no_difference(name: str, tmp_path: Path) -> None:
    stage = staged(tmp_path, CONFIG + f'[sync.fields.extra]\n{name} = "{{Price}}"\n', row())
    for price in ("", "3", ""):
        stage.write("visits.csv", HEADER + row(price=price))
        done(stage)
        stays(stage)
        ask(stage, "crm.activity.update", id=only(stage).id, fields={"COMPLETED": "Y"})
        assert done(stage, verify=True)["updated"] == 0
        assert (only(stage).results.get(name) or "0").rstrip("0").rstrip(".") == price


@pytest.mark.parametrize("name", ["RESULT_MARK", "RESULT_STATUS", "RESULT_STREAM", "AUTOCOMPLETE_RULE"])
def test_zero_says_nothing_where_the_portal_shows_it_for_nothing(name: str, tmp_path: Path) -> None:
    stage = staged(tmp_path, CONFIG + f'[sync.fields.extra]\n{name} = "{{Price}}"\n', row(price="0"))
    done(stage)
    stays(stage)
    stage.write("visits.csv", HEADER + row())
    stays(stage)


def test_what_the_portal_may_not_take_is_sent_and_not_compared(tmp_path: Path) -> None:
    stage = staged(tmp_path, CONFIG + "[sync.fields.extra]\nASSOCIATED_ENTITY_ID = 7\n", row())
    done(stage)
    stays(stage)
    ask(stage, "crm.activity.update", id=only(stage).id, fields={"COMPLETED": "Y"})
    assert done(stage, verify=True)["updated"] == 0


def test_a_value_that_is_gone_from_the_source_is_taken_back(tmp_path: Path) -> None:
    stage = staged(tmp_path, CONFIG + EXTRA, row(price="5"))
    done(stage)
    stage.write("visits.csv", HEADER + row())
    assert done(stage)["updated"] == 1
    assert only(stage).results["RESULT_SUM"] == ""
    stays(stage)


def test_what_is_no_number_rejects_its_entry(tmp_path: Path) -> None:
    stage = staged(tmp_path, CONFIG + EXTRA, row(price="many"))
    (told,) = run_inline(stage.one_pass("visits")).record.problems
    assert "RESULT_SUM is 'many', which is no number (see [sync.fields.extra])" in told.reason


CUSTOM = (
    CONFIG.replace('type = "activity"\n', 'type = "activity"\nactivity = "custom"\n')
    + '[sync.fields.extra]\nPROVIDER_ID = "CRM_WEBFORM"\nPROVIDER_TYPE_ID = "3"\n'
)


def test_an_activity_of_another_program_is_made_changed_taken_back_and_purged(tmp_path: Path) -> None:
    stage = staged(tmp_path, CUSTOM, row())
    done(stage)
    made = only(stage)
    assert (made.type_id, made.provider_id, made.results["PROVIDER_TYPE_ID"], made.event_id) == (
        6,
        "CRM_WEBFORM",
        "3",
        0,
    )
    stays(stage)
    stage.write("visits.csv", HEADER + row(subject="Other"))
    run_id = run_inline(stage.one_pass("visits")).record.id

    async def take(run_id: int | None) -> Taken:
        async with stage.opened() as (syncs, app):
            run = app.open_pass(syncs["visits"], asyncio.Event())
            return await (purge(run, confirm=yes) if run_id is None else undo(run, run_id, confirm=yes))

    run_inline(take(run_id))
    assert only(stage).subject == "Visit"
    run_inline(take(None))
    assert activities(stage) == []


@pytest.mark.parametrize(
    ("provider", "says"),
    [("REST_APP", "this kind of activity is an app's"), ("CONFIGURABLE_REST_APP", "only that app change it")],
)
def test_an_activity_of_an_app_is_held_with_the_reason(provider: str, says: str, tmp_path: Path) -> None:
    stage = staged(tmp_path, CUSTOM.replace("CRM_WEBFORM", provider), row())
    (told,) = run_inline(stage.one_pass("visits")).record.problems
    assert (told.kind, says in told.reason) == ("held", True)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (CONFIG + '[sync.fields.extra]\nSUBJECT = "x"\n', r"extra\.SUBJECT is set by name in \[sync.fields\]"),
        (CONFIG + '[sync.fields.extra]\nRESULT_SUMM = "x"\n', r"is no parameter of crm.activity.add.*RESULT_SUM"),
        (CONFIG + '[sync.fields.extra]\nSETTINGS = "x"\n', r"extra\.SETTINGS must be a table"),
        (CONFIG + "[sync.fields.extra]\nSETTINGS.a = true\n", r"extra\.SETTINGS\.a is true or false"),
        (CONFIG + "[sync.fields.extra]\nSETTINGS.a = [1]\n", r"extra\.SETTINGS\.a must be a text or a number"),
        (CONFIG + '[sync.fields.extra]\nSETTINGS."a.b" = 1\n', r"has a dot in its name"),
        (CONFIG + '[sync.fields.extra]\nIS_INCOMING_CHANNEL = "yes"\n', r'must be "Y" or "N"'),
        (CONFIG + '[sync.fields.extra]\nPROVIDER_ID = "X"\n', r'PROVIDER_ID goes with activity = "custom"'),
        (CUSTOM.replace("CRM_WEBFORM", "CRM_TODO"), r"PROVIDER_ID is that of to-dos"),
        (CUSTOM.replace('PROVIDER_ID = "CRM_WEBFORM"\n', ""), r'activity is "custom", but PROVIDER_ID is missing'),
        (CONFIG + 'direction = "incoming"\n', r"direction has no meaning for meetings"),
        (CALLS + 'direction = "out"\n', r"direction must be one of outgoing, incoming"),
        (
            CONFIG.replace('"activity"', '"todo"') + '[sync.fields]\nmarkup = "html"\n',
            r'markup goes with type "activity"',
        ),
    ],
)
def test_keys_that_do_not_fit_are_told_with_file_and_line(config: str, says: str, tmp_path: Path) -> None:
    stage = staged(tmp_path, config, row())
    with pytest.raises(ConfigError, match=says) as refused:
        run_inline(stage.one_pass("visits"))
    assert "syncd.toml:" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "number"),
    [("12.50", "12.5"), ("1 250,5", "1250.5"), ("0", "0"), ("-3", "-3"), ("1e400", None), ("nan", None), ("x", None)],
)
def test_numbers_have_one_form(text: str, number: str | None) -> None:
    assert extra.plain_number(text) == number


def test_templates_of_results_are_filled_and_other_texts_are_not() -> None:
    given: list[tuple[str, str | Template]] = [
        ("RESULT_SUM", compile_template("{x}", where="here")),
        ("PROVIDER_DATA", "{x}"),
    ]
    assert extra.filled(given, lambda _: "5,0") == {"RESULT_SUM": "5", "PROVIDER_DATA": "{x}"}
