"""Commands beside a daemon that speaks another language: whoever gives one reads his own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from syncd.sandbox.http_server import RunningSandbox
from tests.service.test_beside import LOST, ONE, Beside, daemon

CYRILLIC = re.compile("[а-яё]{3}")


class Speaking(Beside):
    """A daemon whose config names its language."""

    def __init__(self, folder: Path, portal: RunningSandbox, language: str) -> None:
        super().__init__(folder, portal)
        self.text = f'language = "{language}"\n{self.text}'
        self.config.write_text(self.text)

    async def begun(self) -> None:
        await self.start()
        await self.hear("STATUS=", await self.hear("STATUS=shifts: "))


@pytest.mark.parametrize(("house", "client"), [("en", "ru"), ("ru", "en")])
async def test_a_command_is_told_in_the_language_of_who_gives_it(
    tmp_path: Path, portal: RunningSandbox, house: str, client: str
) -> None:
    russian = client == "ru"
    async with daemon(tmp_path, portal, Speaking(tmp_path, portal, house)) as unit:
        unit.rows(ONE, LOST)
        code, out, err = await unit.command("--lang", client, "sync")
        assert code == 1, err
        assert bool(CYRILLIC.search(out)) == russian
        _, out, err = await unit.command("--lang", client, "status")
        assert err == ""
        assert ("на портале нет пользователя" in out, "in the portal" in out) == (russian, not russian)
        code, _, err = await unit.command("--lang", client, "undo", "999", "--yes")
        assert code != 0
        assert bool(CYRILLIC.search(err)) == russian
        _, out, _ = await unit.command("--lang", client, "status", "--json")
        (held,) = json.loads(out)["syncs"][0]["held"]
        assert ("на портале нет пользователя" in held["reason"]) == russian
        _, out, _ = await unit.command("status")  # in the daemon's, which the config of both names
        assert ("на портале нет пользователя" in out) == (not russian)
        said = any(CYRILLIC.search(line) for line in unit.heard if line.startswith("STATUS="))
        assert said == (house == "ru")
