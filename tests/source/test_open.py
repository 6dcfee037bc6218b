from pathlib import Path

import pytest

from syncd.errors import ConfigError
from syncd.source import open_source

COLUMNS = {"title": "T", "start": "S"}
CSV = {"type": "csv", "path": "a.csv", "columns": COLUMNS}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "missing key 'type'"),
        ({"type": "cvs", "path": "a"}, "unknown source type 'cvs'.*did you mean 'csv'"),
        ({"type": "xlsx", "path": "a", "columns": COLUMNS, "sheet": 0}, "sheet = 0 is no sheet"),
        ({"type": "xlsx", "path": "a", "columns": COLUMNS, "header": -1}, "header = -1 is no row"),
        (
            {"type": "xlsx", "path": "a", "columns": COLUMNS, "header": 0},
            "header = 0 says that the table has no titles",
        ),
        ({"type": "xlsx", "path": "a", "columns": COLUMNS, "encoding": "utf-8"}, "unknown key 'encoding'"),
        ({"type": "caldav"}, "missing key 'url'"),
        ({"type": "caldav", "url": "https://x", "path": "a"}, "unknown key 'path'"),
        ({"type": "caldav", "url": "https://x", "calendars": "Team"}, "calendars must be a list, not text in quotes"),
        ({"type": "bitrix24"}, "missing key 'portal'"),
        ({"type": "bitrix24", "portal": "x", "calendar": "room"}, "calendar must be one of user, group, company"),
        ({"type": "bitrix24", "portal": "x", "calendar": "company", "owner": 5}, "owner has no meaning"),
        ({**CSV, "url": "https://x"}, "path and url exclude each other"),
        ({"type": "ics", "path": "a", "password_env": "X"}, "password_env goes with url"),
        ({"type": "ics", "path": "https://example.com/a.ics"}, "path holds an address.*give it as url"),
        ({**CSV, "delimeter": ";"}, "unknown key 'delimeter'.*did you mean 'delimiter'"),
        ({"type": "ics", "path": "a", "delimiter": ";"}, "unknown key 'delimiter'"),
        ({"type": "ics"}, "missing key 'path'"),
        ({**CSV, "path": 7}, "path must be text in quotes, not a whole number"),
        ({**CSV, "dates": "ymd"}, 'dates must be one of auto, iso, dmy, mdy, not "ymd"'),
        ({**CSV, "encoding": "cp12511"}, "unknown encoding 'cp12511'"),
        ({"type": "ics", "path": "a", "encoding": "rot13"}, "unknown encoding 'rot13'"),
        ({**CSV, "delimiter": ";;"}, "delimiter = ';;' is not one character"),
        ({**CSV, "columns": {**COLUMNS, "ownr": "x"}}, "unknown field 'ownr'.*did you mean 'owner'"),
        ({**CSV, "columns": {"start": "S"}}, "no column for title"),
        ({**CSV, "columns": {"title": "T"}}, "no column for start or date"),
        ({**CSV, "columns": {**COLUMNS, "date": "D"}}, "both start and date"),
        ({**CSV, "columns": {**COLUMNS, "start_time": "D"}}, "start_time goes with date"),
        ({**CSV, "columns": {**COLUMNS, "end": "E", "duration": "D"}}, "duration and end exclude each other"),
        ({**CSV, "columns": {**COLUMNS, "end": 0}}, "end = 0 names no column"),
        ({"type": "csv", "path": "a"}, "missing key 'columns'"),
    ],
)
def test_options_that_cannot_be_used_are_named_with_the_remedy(options: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match="^the sync: .*" + says):
        open_source(options, Path(), where="the sync")
