"""Spoils inputs at random: single values, lines, whole files, and what stands inside of workbooks.

A mutation that strikes lines says which, so that a test can tell whether the other lines are still read as before.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

MOMENTS = (
    *("0001-01-01", "9999-12-31", "31.12.9999", "00.00.0000", "01.01.0001 00:00", "2026-02-30", "29.02.2027"),
    *("9999-12-31 23:59:59", "2026-12-01T25:61", "2026-12-01T09:00:00+99:99", "2026-12-01T09:00:00-23:59", "24:00"),
    *(
        "12/31/2026",
        "31/12/2026",
        "03/04/2026",
        "12-31-2026",
        "٣٠.١٢.٢٠٢٦",
        "２０２６-１２-０１",
        "²²:²²",
        "1E5",
        "46357.5",
    ),
    *("8-20", "08:00-08:00", "сутки", "с 8 до 20", "8:00-", "-", "NaT", "99:99-99:99", "-1:00", "1900-01-00", "0:00"),
    *("00010101", "99991231", "99991231T235959Z", "00010101T000000", "20261301T990000Z", "20261201T0900", "20260230"),
    *("PT0S", "-P1D", "P999999999D", "PT99999999999999H", "P1DT", "PT9" + "9" * 400 + "S", "20261201/PT1H", "/"),
)
RULES = (
    *("FREQ=DAILY;COUNT=999999999", "FREQ=SECONDLY", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31", "FREQ=DAILY;INTERVAL=0"),
    *("FREQ=DAILY;INTERVAL=99999999999", "FREQ=WEEKLY;BYDAY=", "FREQ=DAILY;UNTIL=00000000", "FREQ=", "FREQ=NEVER"),
    *("FREQ=MONTHLY;BYDAY=99MO,-99SU", "FREQ=DAILY;COUNT=²", "FREQ=YEARLY;BYYEARDAY=366,-366;BYHOUR=25", ";;;", "="),
    *("FREQ=MINUTELY;BYSECOND=0,1,2,3,4,5,6,7,8,9;UNTIL=20371231", "FREQ=DAILY;UNTIL=99991231T235959Z;INTERVAL=3"),
    *("FREQ=MONTHLY;BYSETPOS=-1;BYDAY=MO,TU,WE,TH,FR", "FREQ=YEARLY;BYWEEKNO=53", "RRULE:FREQ=DAILY", "COUNT=-1"),
)
TEXTS = (
    *("", " ", "\x00", "a\x00b", "\x0b", "\x7f", "\x85", "\u2028", "\u202eevil\u202c", "\u200b", "\ufeff", "\ufffd"),
    *("\U0010ffff", "'", "''", "\\", "\\n\\;\\,", "{title}", "{0}%s%d", "=cmd()", "#REF!", "#N/A", "Err:502", "###"),
    *(
        "<script>",
        "&#x0;",
        "]]>",
        "[b]x",
        "-1",
        "0",
        "1e308",
        "NaN",
        "Infinity",
        "-0.0",
        "9" * 30,
        "9" * 5000,
        "ё" * 300,
    ),
    *(
        "Итого",
        "Составил: ___",
        "NULL",
        "None",
        "true",
        "Europe/../../etc/passwd",
        "/etc/localtime",
        "Mars/Olympus",
        "²",
    ),
    *("e\u0301" * 40, "\N{PILE OF POO}", "anna.petrova@school.example", "8 (916) 111-22-33", "mailto:", "CANCELLED"),
)
VALUES = tuple(one.encode("utf-8", "surrogatepass") for one in (*MOMENTS, *RULES, *TEXTS, "\ud800", "\udcff"))
BYTES = (
    b"\x00",
    b"\xff",
    b"\xfe\xff",
    b"\x1a",
    b'"',
    b'""',
    b",",
    b";",
    b"\t",
    b"\r",
    b"\xc3",
    b"\xe2\x80\xae",
    b":",
    b"=",
)
_DELIMITERS = re.compile(rb"[,;\t|]")
_ENCODINGS = ("cp1251", "koi8-r", "cp866", "utf-16", "utf-16-le", "utf-8-sig", "latin-1", "mac-cyrillic", "utf-7")
_XML_VALUE = re.compile(rb'>([^<>]+)<|="([^"<>]*)"')

LineWay = Callable[[bytes, Random], bytes]
FileWay = Callable[[bytes, Random], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutated:
    """Spoiled bytes, and which lines of the original (from 0) were struck; None if it may be any."""

    content: bytes
    how: str
    struck: frozenset[int] | None = None


def strike_lines(content: bytes, among: list[int], random: Random) -> Mutated:
    """Return the content with one to three of the lines `among` spoiled; the other lines stay as they are."""
    lines = content.split(b"\n")
    struck = random.sample(among, min(len(among), random.choice((1, 1, 1, 2, 3))))
    ways = []
    for at in struck:
        way = random.choice(LINE_WAYS)
        ways.append(way.__name__)
        end = b"\r" if lines[at].endswith(b"\r") else b""
        lines[at] = way(lines[at].removesuffix(b"\r"), random) + end
    return Mutated(content=b"\n".join(lines), how="+".join(ways), struck=frozenset(struck))


def strike_file(content: bytes, random: Random) -> Mutated:
    """Return the content spoiled anywhere."""
    way = random.choice(FILE_WAYS)
    return Mutated(content=way(content, random), how=way.__name__)


def strike_workbook(content: bytes, random: Random) -> Mutated:
    """Return a workbook with one to three values of its XML spoiled and packed again, or spoiled as bytes."""
    if random.random() < 0.25:
        return strike_file(content, random)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    struck = random.choice([*members, *[name for name in members if "sheet" in name] * 3])
    way = random.choice((xml_values, xml_values, xml_values, bits_flipped, cut_short, block_doubled, left_out))
    members[struck] = way(members[struck], random)
    if way is left_out:
        del members[struck]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return Mutated(content=packed.getvalue(), how=f"{way.__name__} in {struck}")


def odd_value(random: Random) -> bytes:
    return random.choice(VALUES)


def value_replaced(line: bytes, random: Random) -> bytes:
    """Replace a cell, or the value of a property."""
    if found := re.match(rb"([A-Z-]+)([;:])", line):
        # A property: its value, a parameter's, or all behind the name.
        name, _, value = line.rpartition(b":") if random.random() < 0.8 else (found[1], b"", b"")
        return (name or found[1]) + b":" + (odd_value(random) if random.random() < 0.8 else value + odd_value(random))
    cells = _cells(line)
    cells[random.randrange(len(cells))] = odd_value(random)
    return _joined(cells, line)


def values_swapped(line: bytes, random: Random) -> bytes:
    cells = _cells(line)
    one, other = random.randrange(len(cells)), random.randrange(len(cells))
    cells[one], cells[other] = cells[other], cells[one]
    return _joined(cells, line)


def value_repeated(line: bytes, random: Random) -> bytes:
    cells = _cells(line)
    at = random.randrange(len(cells))
    return _joined([*cells[:at], *[cells[at]] * random.choice((2, 3, 40)), *cells[at + 1 :]], line)


def value_left_out(line: bytes, random: Random) -> bytes:
    cells = _cells(line)
    del cells[random.randrange(len(cells))]
    return _joined(cells, line)


def bytes_put_in(line: bytes, random: Random) -> bytes:
    at = random.randrange(len(line) + 1)
    return line[:at] + random.choice(BYTES) + line[at:]


def bits_flipped(content: bytes, random: Random) -> bytes:
    spoiled = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 5)) if spoiled else 0):
        at = random.randrange(len(spoiled))
        flipped = spoiled[at] ^ 1 << random.randrange(8)
        # A new line end would strike the next line, too.
        spoiled[at] = flipped if flipped not in b"\r\n" else 0
    return bytes(spoiled)


def digits_changed(line: bytes, random: Random) -> bytes:
    return re.sub(rb"\d", lambda found: b"%d" % random.randrange(10) if random.random() < 0.4 else found[0], line)


def line_cut(line: bytes, random: Random) -> bytes:
    return line[: random.randrange(len(line) + 1)]


def line_doubled(line: bytes, _random: Random) -> bytes:
    return line + b"\n" + line


def line_emptied(_line: bytes, _random: Random) -> bytes:
    return b""


def line_recoded(line: bytes, random: Random) -> bytes:
    # Wide encodings have bytes of line ends in them.
    return line.decode("utf-8", "replace").encode(random.choice(("cp1251", "koi8-r", "cp866", "latin-1")), "replace")


def cut_short(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def block_left_out(content: bytes, random: Random) -> bytes:
    first, last = sorted(random.randrange(len(content) + 1) for _ in range(2))
    return content[:first] + content[last:]


def block_doubled(content: bytes, random: Random) -> bytes:
    first, last = sorted(random.randrange(len(content) + 1) for _ in range(2))
    return content[:last] + content[first:last] * random.choice((1, 1, 2, 20)) + content[last:]


def blocks_swapped(content: bytes, random: Random) -> bytes:
    one, two, three = sorted(random.randrange(len(content) + 1) for _ in range(3))
    return content[:one] + content[two:three] + content[one:two] + content[three:]


def lines_mixed(content: bytes, random: Random) -> bytes:
    lines = content.split(b"\n")
    random.shuffle(lines)
    return b"\n".join(lines)


def line_moved(content: bytes, random: Random) -> bytes:
    lines = content.split(b"\n")
    lines.insert(random.randrange(len(lines) + 1), lines.pop(random.randrange(len(lines))))
    return b"\n".join(lines)


def all_recoded(content: bytes, random: Random) -> bytes:
    return content.decode("utf-8", "replace").encode(random.choice(_ENCODINGS), "replace")


def half_recoded(content: bytes, random: Random) -> bytes:
    at = random.randrange(len(content) + 1)
    return content[:at] + all_recoded(content[at:], random)


def columns_swapped(content: bytes, random: Random) -> bytes:
    lines = [_cells(line) for line in content.split(b"\n")]
    width = max(map(len, lines))
    one, other = random.randrange(width), random.randrange(width)
    for cells in lines:
        if max(one, other) < len(cells):
            cells[one], cells[other] = cells[other], cells[one]
    return b"\n".join(b",".join(cells) for cells in lines)


def line_ends_changed(content: bytes, random: Random) -> bytes:
    return content.replace(b"\r\n", b"\n").replace(
        b"\n", random.choice((b"\r", b"\r\n", b"\n\n", b"\r\r\n", b"\x0b", b" "))
    )


def junk_around(content: bytes, random: Random) -> bytes:
    junk = b"".join(odd_value(random) for _ in range(3)) + random.choice((b"\n", b"\r\n", b""))
    return junk + content if random.random() < 0.5 else content + junk


def values_anywhere(content: bytes, random: Random) -> bytes:
    """Spoil a tenth of all lines."""
    lines = content.split(b"\n")
    for at in range(len(lines)):
        if random.random() < 0.1:
            lines[at] = random.choice(LINE_WAYS)(lines[at], random)
    return b"\n".join(lines)


def value_everywhere(content: bytes, random: Random) -> bytes:
    """Put one odd value in the place of another, wherever that stands."""
    words = re.findall(rb"[\w:.-]{2,}", content)
    return content.replace(random.choice(words), odd_value(random)) if words else odd_value(random)


def xml_values(content: bytes, random: Random) -> bytes:
    """Put odd values between tags and in attributes."""
    places = list(_XML_VALUE.finditer(content))
    for found in sorted(
        random.sample(places, min(len(places), random.choice((1, 1, 2, 3)))), key=lambda one: -one.start()
    ):
        group = 1 if found[1] is not None else 2
        content = content[: found.start(group)] + odd_value(random) + content[found.end(group) :]
    return content


def left_out(_content: bytes, _random: Random) -> bytes:
    return b""


LINE_WAYS: tuple[LineWay, ...] = (
    *(value_replaced, value_replaced, value_replaced, value_replaced, values_swapped, value_repeated, value_left_out),
    *(bytes_put_in, bits_flipped, digits_changed, line_cut, line_doubled, line_emptied, line_recoded),
)
FILE_WAYS: tuple[FileWay, ...] = (
    *(bits_flipped, bytes_put_in, cut_short, block_left_out, block_doubled, blocks_swapped, lines_mixed, line_moved),
    *(all_recoded, half_recoded, columns_swapped, line_ends_changed, junk_around, values_anywhere, values_anywhere),
    *(value_everywhere, value_everywhere),
)


def _cells(line: bytes) -> list[bytes]:
    return _DELIMITERS.split(line)


def _joined(cells: list[bytes], line: bytes) -> bytes:
    found = _DELIMITERS.search(line)
    return (found[0] if found is not None else b",").join(cells)
