"""What mail gateways and old programs make of a calendar on its way: quoted texts, gaps in folds, marks."""

from __future__ import annotations

import codecs

import pytest

from tests.source.calendars import NIGHT, calendar, event, one, parse


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("SUMMARY;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=D0=A3=D1=80=D0=BE=D0=BA", "Урок"),
        ("SUMMARY; ENCODING=QUOTED-PRINTABLE:Room=20booking=\n =20two", "Room booking two"),
        ("SUMMARY;ENCODING=QUOTED-PRINTABLE:Room=20booking=\n=20two", "Room booking two"),
        ("SUMMARY;ENCODING=QUOTED-PRINTABLE:one =\ntwo =\nthree", "one two three"),
        ("SUMMARY;ENCODING=quoted-printable;CHARSET=windows-1251:=D3=F0=EE=EA", "Урок"),
        ("SUMMARY;LANGUAGE=\"ru\";ENCODING=QUOTED-PRINTABLE:=D0=A3", "У"),
        ("SUMMARY;QUOTED-PRINTABLE:a=3Db", "a=b"),
        ("SUMMARY;ENCODING=QUOTED-PRINTABLE:already Урок", "already Урок"),
        ("SUMMARY;ENCODING=QUOTED-PRINTABLE:ends in =", "ends in"),
        ("SUMMARY;ENCODING=BASE64:0KPRgNC+0Lo=", "Урок"),
        ("SUMMARY;ENCODING=8BIT:a=3Db", "a=3Db"),
        ("SUMMARY:a=3Db", "a=3Db"),
    ],
)  # fmt: skip
def test_a_quoted_title_is_decoded(line: str, title: str) -> None:
    assert one(line, "DTSTART:20261201T090000").details.title == title


def test_line_breaks_of_a_quoted_text_are_kept_and_later_events_keep_their_lines() -> None:
    first = event("DESCRIPTION;ENCODING=QUOTED-PRINTABLE:a=0D=0A=\nb=\n =20c", "DTSTART:20261201T090000")
    found = parse(calendar(first, event(NIGHT, uid="v"))).entries
    assert found[0].details.description == "a\nb c"
    assert found[1].where == "t.ics:10"


@pytest.mark.parametrize(
    "value",
    [
        "CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=D0",
        "ENCODING=BASE64:0KPR*",
        "CHARSET=x;ENCODING=B:AA==",
        "ENCODING=B:Урок",
    ],
)
def test_a_text_that_does_not_fit_its_encoding_is_left_out_with_a_line(value: str) -> None:
    part = parse(calendar(event(f"LOCATION;{value}", "SUMMARY:a", "DTSTART:20261201T090000")))
    assert [(entry.details.title, entry.details.location) for entry in part.entries] == [("a", "")]
    assert "LOCATION" in part.problems[0].reason


def test_a_blank_line_within_a_fold_parts_nothing_and_lines_are_counted_on() -> None:
    content = calendar(event("DTSTART:20261201T090000", "SUMMARY:one\n\n  two\n\n\n\t three"), event(NIGHT, uid="v"))
    part = parse(content)
    assert part.problems == []
    assert [entry.details.title for entry in part.entries[:1]] == ["one two three"]
    assert content.split(b"\r\n")[int(part.entries[1].where.partition(":")[2]) - 1] == b"BEGIN:VEVENT"


@pytest.mark.parametrize("between", [b"\xef\xbb\xbf", b"\r\n\xef\xbb\xbf", b"", b"\r\n"])
@pytest.mark.parametrize("mark", [codecs.BOM_UTF8, b""])
def test_calendars_put_one_after_the_other_are_all_read(between: bytes, mark: bytes) -> None:
    one_, two = calendar(event(NIGHT, uid="a")).rstrip(), calendar(event(NIGHT, uid="b"))
    part = parse(mark + one_ + between + two)
    assert ([entry.uid for entry in part.entries], part.problems, part.incomplete) == (["a", "b"], [], "")


def test_calendars_in_utf_16_put_one_after_the_other_are_all_read() -> None:
    texts = [calendar(event(NIGHT, f"SUMMARY:Урок {uid}", uid=uid)).decode() for uid in "ab"]
    part = parse(codecs.BOM_UTF16_LE + "\ufeff".join(texts).encode("utf-16-le"))
    assert ([entry.uid for entry in part.entries], part.problems, part.incomplete) == (["a", "b"], [], "")
