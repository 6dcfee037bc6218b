from datetime import datetime
from pathlib import Path

import pytest

from syncd.errors import SourceError
from syncd.source import Source, open_source
from syncd.source.conformance import CONTEXT, PAGE, FileSourceConformance
from tests.source.workbooks import workbook

HEADER = ("ID", "Shift", "Start", "End")
NINE, TEN = datetime(2026, 12, 1, 9), datetime(2026, 12, 1, 10)
COLUMNS = {"uid": "ID", "title": "Shift", "start": "Start", "end": "End"}


class TestCsv(FileSourceConformance):
    suffix = ".csv"

    def opened(self, path: str, base: Path) -> Source:
        return open_source({"type": "csv", "path": path, "columns": COLUMNS}, base, where="test")

    def schedule(self, *uids: str) -> bytes:
        rows = [f"{uid},Shift {uid},2026-12-01 09:00,2026-12-01 10:00\n" for uid in uids]
        return "".join(["ID,Shift,Start,End\n", *rows]).encode()

    def with_broken(self, good: str, bad: str) -> tuple[bytes, int]:
        return self.schedule(good) + f"{bad},Bad,2026-02-31 09:00,2026-02-31 10:00\n".encode(), 3

    def truncated(self) -> bytes:
        return self.schedule("one") + b'two,"Shift tw'


class TestIcs(FileSourceConformance):
    suffix = ".ics"

    def opened(self, path: str, base: Path) -> Source:
        return open_source({"type": "ics", "path": path}, base, where="test")

    def schedule(self, *uids: str) -> bytes:
        return _calendar(*(_event(uid, "20261201") for uid in uids))

    def with_broken(self, good: str, bad: str) -> tuple[bytes, int]:
        return _calendar(_event(good, "20261201"), _event(bad, "20260231")), 9

    def truncated(self) -> bytes:
        return _calendar(_event("one", "20261201"), _event("two", "20261201"))[:-40]


class TestXlsx(FileSourceConformance):
    suffix = ".xlsx"

    def opened(self, path: str, base: Path) -> Source:
        return open_source({"type": "xlsx", "path": path, "columns": COLUMNS}, base, where="test")

    def schedule(self, *uids: str) -> bytes:
        return workbook(HEADER, *((uid, f"Shift {uid}", NINE, TEN) for uid in uids))

    def with_broken(self, good: str, bad: str) -> tuple[bytes, int]:
        return workbook(HEADER, (good, "Good", NINE, TEN), (bad, "Bad", "2026-02-31 09:00", "2026-02-31 10:00")), 3

    def foreign(self) -> tuple[tuple[bytes, str], ...]:
        return (
            (PAGE, "HTML"),
            (b"PK\x03\x04\x00\x00binary\x00", "not an Excel file"),
            (b"ID;Shift", "not an Excel file"),
        )

    def truncated(self) -> bytes:
        return self.schedule("one", "two")[:-300]

    async def test_a_truncated_file_is_incomplete_and_keeps_what_was_read(self, tmp_path: Path) -> None:
        """A part of an archive cannot be read at all, so it is an error, which deletes nothing either."""
        (tmp_path / "a.xlsx").write_bytes(self.truncated())
        with pytest.raises(SourceError, match=r"a\.xlsx"):
            await self.opened("a.xlsx", tmp_path).read(CONTEXT)


def _event(uid: str, day: str) -> str:
    return (
        f"BEGIN:VEVENT\r\nUID:{uid}\r\nSUMMARY:Shift {uid}\r\n"
        f"DTSTART:{day}T090000\r\nDTEND:{day}T100000\r\nEND:VEVENT\r\n"
    )


def _calendar(*events: str) -> bytes:
    return "".join(["BEGIN:VCALENDAR\r\nVERSION:2.0\r\n", *events, "END:VCALENDAR\r\n"]).encode()
