"""Whatever a config gets wrong is told with file, line and key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.config import load_config
from syncd.errors import ConfigError
from tests.config.test_load import MINIMAL, PORTAL, SYNC

Write = Callable[[str], Path]


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path, {"HOME": "/h"})
    assert caught.value.exit_code == 2
    return str(caught.value).replace(f"{path}", "FILE")


def with_sync(line: str) -> str:
    """Put `line` on line 5 of the file, into [[sync]]."""
    return MINIMAL.replace('name = "timetable"\n', f'name = "timetable"\n{line}\n')


def with_card(lines: str) -> str:
    return with_target(f'type = "activity"\n{lines}').replace('owner = "{owner}"\n', "")


def with_target(lines: str) -> str:
    """Put `lines` on line 9 and on, into [sync.target]."""
    return MINIMAL + lines + "\n"


def with_fields(line: str) -> str:
    """Put `line` on line 11, into [sync.fields]."""
    return MINIMAL + "[sync.fields]\n" + line + "\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[portals\nx = 1", "FILE:1:9: is not TOML: "),
        ("a = 1\nb = = 2", "FILE:2:5: is not TOML: Invalid value"),
        ("a = 1\na = 2", "FILE:2:6: is not TOML: "),
        ('a = """x', "FILE:1:9: is not TOML: "),
        ("a = " + "[" * 9999, "FILE: is nested too deeply"),
        ("", "FILE:1: portals has no portal (add [portals.main] with its webhook)"),
        (MINIMAL + "[htp]\n", 'FILE:10: htp is not a known key (did you mean "http"?)'),
        ('stat = "x"\n' + MINIMAL, 'FILE:1: stat is not a known key (did you mean "state"?)'),
        ("state = 5\n" + MINIMAL, "FILE:1: state must be text in quotes, not a whole number"),
        ('state = " "\n' + MINIMAL, "FILE:1: state is empty"),
        ("portals = 3\n", "FILE:1: portals must be a table, not a whole number"),
        ("[portals]\nmain = 3\n", "FILE:2: portals.main must be a table, as in [portals.main]"),
        (PORTAL + "[sync]\nname = 'x'\n", "FILE:3: sync must be a list, not a table"),
        (PORTAL + 'tarif = "x"\n', 'FILE:3: portals.main.tarif is not a known key (did you mean "tariff"?)'),
        (
            PORTAL + 'tariff = "enterprize"\n',
            'FILE:3: portals.main.tariff must be one of standard, enterprise, self-hosted, not "enterprize"'
            ' (did you mean "enterprise"?)',
        ),
        (PORTAL + "limits.burts = 5\n", 'FILE:3: portals.main.limits.burts is not a known key (did you mean "burst"?)'),
        (PORTAL + "[portals.main.limits]\nburst = 1.5\n", "FILE:4: portals.main.limits.burst must be a whole number"),
        (PORTAL + "[portals.main.limits]\n\nrate = 0\n", "FILE:5: portals.main.limits.rate must be greater than 0"),
        (
            PORTAL + "limits.timeout = 10\n",
            "FILE:3: portals.main.limits.timeout must be at least batch_seconds,"
            " which is 20, not 10: a request that is still at work would be taken for lost",
        ),
        (PORTAL + "limits.timeout = inf\n", "FILE:3: portals.main.limits.timeout must be greater than 0, not inf"),
        (PORTAL + "limits.operating_share = 1.1\n", "FILE:3: portals.main.limits.operating_share must be at most 1"),
        (PORTAL + "limits.batch_size = 51\n", "FILE:3: portals.main.limits.batch_size must be at most 50"),
        (
            PORTAL + PORTAL.replace("main", "again").replace("example", "EXAMPLE"),
            "FILE:3: portals.again goes to example.bitrix24.com like [portals.main]",
        ),
    ],
)
def test_mistakes_of_the_file_and_its_portals(write: Callable[[str], Path], text: str, message: str) -> None:
    assert refusal(write(text)).startswith(message)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('evry = "1m"', 'sync.evry is not a known key (did you mean "every"?)'),
        ('cron = "* * * *"', 'sync.cron must have five fields, not "* * * *"'),
        ('cron = "0 25 * * *"', 'sync.cron has a bad hour: "0 25 * * *"'),
        ('cron = "0 0 31 2 *"', 'sync.cron has a bad day-of-month: "0 0 31 2 *"'),
        ('cron = "0 3 * * *"\nevery = "1h"', "sync.cron and every exclude each other"),
        ('jitter = "soon"', 'sync.jitter must be a duration like "90s", "15m", "2h" or "30d", not "soon"'),
        ('settle = "2h"', 'sync.settle must be at most "1h", not "2h"'),
        ('stale_after = "0s"', 'sync.stale_after must be longer than "0s"'),
        ('every = "15"', 'sync.every must be a duration like "90s", "15m", "2h" or "30d", not "15"'),
        ("every = 15", "sync.every must be text in quotes, not a whole number"),
        ("every = 12:00:00", "sync.every must be text in quotes, not a time of day"),
        ('every = "0s"', 'sync.every must be longer than "0s"'),
        ('verify_every = "1 week"', "sync.verify_every must be a duration"),
        ('verify_every = "99999999d"', "sync.verify_every must be at most 36500 days"),
        (
            'timezone = "Europe/Moskow"',
            'sync.timezone must be an IANA time zone, not "Europe/Moskow" (did you mean "Europe/Mosc',
        ),
        ('timezone = "Europe"', 'sync.timezone must be an IANA time zone, not "Europe"'),
        ('timezone = "../etc/passwd"', "sync.timezone must be an IANA time zone"),
        ('timezone = ""', "sync.timezone must be an IANA time zone"),
        ('window = "30d"', "sync.window must be a table, not text in quotes"),
        ('window = { pats = "1d" }', 'sync.window.pats is not a known key (did you mean "past"?)'),
        ('window = { past = "-1d" }', "sync.window.past must be a duration"),
        ('on_removed = "remove"', "sync.on_removed must be one of keep, delete"),
        ("removed_after = 0", "sync.removed_after must be at least 1"),
        ("removed_after = true", "sync.removed_after must be a whole number, not true or false"),
        (
            'on_conflict = "sorce"',
            'sync.on_conflict must be one of source, portal, report, not "sorce" (did you mean "source"?)',
        ),
        ("fields.meeting.notify = true", "sync.fields.meeting.notify is about meetings, but nobody is invited"),
        ('on_host_change = "report"', "sync.on_host_change is about the host, and [sync.fields] names none"),
        ('on_host_change = "remake"', "sync.on_host_change must be one of report, recreate"),
        ('max_removed = "20"', 'sync.max_removed must be a number like 5 or a percentage like "20%", not "20"'),
        ("max_removed = -1", "sync.max_removed must be a number from 0"),
        ("max_changed = 0.5", "sync.max_changed must be a whole number or text in quotes, not a number"),
        ('max_changed = "120%"', "sync.max_changed must be a number from 0, or a percentage"),
        ('adopt = "yes"', 'sync.adopt must be one of identical, same-time, true, false, not "yes"'),
        (
            'adopt = "same time"',
            'sync.adopt must be one of identical, same-time, true, false, not "same time" (did you',
        ),
        ("adopt = 1", "sync.adopt must be true or false or text in quotes, not a whole number"),
        ('marker = "title"', "sync.marker must be one of none, description"),
        ('portal = "mian"', 'sync.portal names "mian", but there is no [portals.mian] (did you mean "main"?)'),
    ],
)
def test_mistakes_of_a_sync(write: Write, line: str, message: str) -> None:
    assert refusal(write(with_sync(line))).startswith(f"FILE:5: {message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MINIMAL.replace('name = "timetable"\n', ""), "FILE:3: sync.name is missing"),
        (MINIMAL.replace("timetable", "Time table"), 'FILE:4: sync.name must consist of a-z, 0-9 and "-" only'),
        (MINIMAL + SYNC, 'FILE:11: sync.name "timetable" is taken by another sync (FILE:3: sync timetable)'),
        (PORTAL + '[[sync]]\nname = "x"\n', "FILE:3: sync.source is missing"),
        (MINIMAL.split("[sync.target]", maxsplit=1)[0], "FILE:3: sync.target is missing"),
        (MINIMAL.replace('type = "csv"', "type = 5"), "FILE:6: sync.source.type must be text in quotes"),
        (MINIMAL.replace('type = "csv"\n', ""), "FILE:5: sync.source.type is missing"),
        (
            MINIMAL.replace('"csv"', '"bitrix24"').replace("path =", "portal ="),
            'FILE:7: sync.source.portal names "shifts.csv", but there is no [portals.shifts.csv]',
        ),
        (
            MINIMAL.replace("path =", "passwrod ="),
            'FILE:7: sync.source.passwrod is not a known key (did you mean "password"?)',
        ),
        (
            MINIMAL.replace("path =", 'pth = "x"\npath ='),
            'FILE:7: sync.source.pth is not a known key (did you mean "path"?)',
        ),
        (
            MINIMAL.replace('"csv"\n', '"ics"\ndelimiter = ";"\n'),
            "FILE:7: sync.source.delimiter is not a known key (known here: type, path, url,",
        ),
        (
            MINIMAL.replace("[sync.target]", '[sync.source.columns]\ntitel = "x"\n[sync.target]'),
            'FILE:9: sync.source.columns.titel is not a known key (did you mean "title"?)',
        ),
        (MINIMAL.replace('owner = "{owner}"\n', ""), "FILE:8: sync.target.owner is missing"),
        (MINIMAL.replace('"{owner}"', '"{owner"'), "FILE:9: sync.target.owner: a lone { at character 1"),
        (
            MINIMAL.replace('"{owner}"', '"{owner|uper}"'),
            "FILE:9: sync.target.owner: {owner|uper} uses an unknown filter",
        ),
        (with_target('type = "calender"'), 'FILE:10: sync.target.type must be one of calendar, activity, todo, not "c'),
        (with_target('contact = "{x}"'), 'FILE:10: sync.target.contact goes with type "activity", "todo", not'),
        (with_target('type = "todo"'), 'FILE:9: sync.target.owner goes with type "calendar", not "todo"'),
        (with_card(""), "FILE:8: sync.target.contact is missing"),
        (with_card('contact = "{x"'), "FILE:10: sync.target.contact: a lone { at character 1"),
        (with_card('contact = "5"\nactivity = "visit"'), "FILE:11: sync.target.activity must be one of meeting, call"),
        (with_card('contact = "5"\nowner_type = "contakt"'), "FILE:11: sync.target.owner_type must be one of contact,"),
        (
            with_card('contact = "5"\nowner_type = 14'),
            "FILE:11: sync.target.owner_type is 14, which is no type of one's",
        ),
        (
            with_card('contact = "5"\nowner_field = "uf crm"'),
            'FILE:11: sync.target.owner_field is "uf crm", which is no',
        ),
        (with_card('contact = "5"\ndeadline = "end"'), 'FILE:11: sync.target.deadline goes with type "todo", not'),
        (with_card('contact = "5"\ncompleted = "yes"'), 'FILE:11: sync.target.completed must be "past", "never"'),
        (with_card('contact = "5"\nsection = "x"'), 'FILE:11: sync.target.section goes with type "calendar", not'),
        (
            with_card('contact = "5"\nping = ["1m"]').replace('"activity"', '"todo"').replace("1m", "90s"),
            "FILE:11: sync.target.ping must be whole minutes",
        ),
        (
            with_target('owners_file = "none.csv"'),
            "FILE:10: sync.target.owners_file names",
        ),
        (with_target('calendar = "company"'), "FILE:9: sync.target.owner has no meaning for the company calendar"),
        (with_target('section = ""'), "FILE:10: sync.target.section is empty"),
        (
            with_target("\nowners = { a = true }"),
            "FILE:11: sync.target.owners must be a whole number or text in quotes",
        ),
        (with_target('on_unresolved = "fallback"'), "FILE:8: sync.target.fallback_owner is missing"),
        (with_target("fallback_owner = 5"), "FILE:10: sync.target.fallback_owner has no effect"),
    ],
)
def test_mistakes_between_tables(write: Write, text: str, message: str) -> None:
    assert refusal(write(text)).startswith(message)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('titel = "x"', "sync.fields.titel is not a known key"),
        ('name = "{title|cut}"', "sync.fields.name: {title|cut}: cut needs a number"),
        ('color = "9cbe1c"', 'sync.fields.color must be "#rrggbb", a template or a name, not "9cbe1c"'),
        ('color = "#9cbe1"', "sync.fields.color must be"),
        (
            'accessibility = "bussy"',
            'sync.fields.accessibility must be one of busy, quest, free, absent, or a template, not "bussy" (did you',
        ),
        ('importance = "urgent"', "sync.fields.importance must be one of high, normal, low"),
        ('private = "yes"', "sync.fields.private must be true, false or a template"),
        ("private = 1", "sync.fields.private must be true or false or text in quotes, not a whole number"),
        ('remind = "15m"', "sync.fields.remind must be a list, not text in quotes"),
        ('remind = ["15m", "x"]', "sync.fields.remind must be a duration"),
        ('remind = ["90s"]', "sync.fields.remind must be whole minutes"),
        ('attendees = "all"', 'sync.fields.attendees must be "source", "none" or a list'),
        ('crm = ["{contact"]', "sync.fields.crm: a lone { at character 1"),
        ('crm = "Contact 5"', 'sync.fields.crm has "Contact 5", which names nothing in the CRM'),
        ('colors = { Exam = "blu" }', 'sync.fields.colors.Exam must be "#rrggbb" or a name, not "blu"'),
        ('colors = { "title ~ (" = "red" }', 'sync.fields.colors.title ~ (: "title ~ (" has a bad regular expression'),
        ('outside_guests = "mail"', 'sync.fields.outside_guests must be one of drop, list, not "mail"'),
        ('invite = "silent"', 'sync.fields.invite must be one of notice, copy, not "silent"'),
        ('crm = ["X_5"]', 'sync.fields.crm has "X_5", which names nothing in the CRM'),
    ],
)
def test_mistakes_of_fields(write: Write, line: str, message: str) -> None:
    assert refusal(write(with_fields(line))).startswith(f"FILE:11: {message}")


def test_a_bad_filter_is_told_with_the_line_of_its_element(write: Write) -> None:
    text = MINIMAL + '[sync.filter]\nexclude = [\n  "title = x",\n  "title ~ (",\n]\n'
    assert refusal(write(text)).startswith('FILE:13: sync.filter.exclude: "title ~ (" has a bad regular expression')


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.toml").startswith("FILE: cannot be read: No such file")
    assert refusal(tmp_path).startswith("FILE: cannot be read: Is a directory")


def test_a_file_that_is_not_utf_8_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "syncd.toml"
    path.write_bytes("# ok\nstate = 'тест'\n".encode("cp1251"))
    assert refusal(path).startswith("FILE:2: is not UTF-8")


def test_the_hint_for_an_abbreviation_is_the_zone_that_it_means(write: Write) -> None:
    told = refusal(write(MINIMAL.replace('name = "timetable"\n', 'name = "timetable"\ntimezone = "MSK"\n')))
    assert 'did you mean "Europe/Moscow"?' in told
