"""What counts as a secret of the demonstration and of the sandbox is no word of a message: it would be hidden there."""

from __future__ import annotations

from pathlib import Path

import pytest

import syncd.lang
from syncd.demo import seed
from syncd.sandbox.seed import language_school

SECRETS = (seed.CODE, seed.CLIENT_SECRET, language_school.ADMIN_CODE, language_school.STAFF_CODE)


@pytest.mark.parametrize("secret", SECRETS)
def test_no_message_holds_a_secret_of_the_simulated_portals(secret: str) -> None:
    catalogs = sorted(Path(syncd.lang.__file__).parent.glob("ru/*.po"))
    assert len(catalogs) > 10
    assert [one.name for one in catalogs if secret in one.read_text(encoding="utf-8").replace('"\n"', "")] == []
