"""Where there is no memory to begin or to say more, a command still ends with the exit code of that, and in words."""

from __future__ import annotations

import json

import pytest

from syncd import cli
from syncd.cli import execute, speaking


def _none(*_arguments: object, **_options: object) -> None:
    raise MemoryError


@pytest.mark.parametrize("document", [False, True])
@pytest.mark.parametrize("error", [MemoryError(), ImportError("x.so: failed to map segment from shared object")])
def test_no_memory_to_load_a_command_is_told_as_such_and_is_no_defect(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], document: bool, error: Exception
) -> None:
    def unloadable(_name: str) -> None:
        raise error

    monkeypatch.setattr(execute, "command_of", unloadable)
    assert cli.main(["status", *(["--json"] if document else [])]) == 7
    out, err = capsys.readouterr()
    assert "MemoryMax" in err
    assert ("Traceback" in err, "defect" in err) == (False, False)
    assert (json.loads(out)["exit_code"] if document else out) == (7 if document else "")


@pytest.mark.parametrize("document", [False, True])
@pytest.mark.parametrize("place", [(speaking, "speaking"), (execute, "print_error")])
def test_no_memory_to_say_so_leaves_prepared_words(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], place: tuple[object, str], document: bool
) -> None:
    monkeypatch.setattr(execute, "command_of", _none)
    monkeypatch.setattr(*place, _none)
    assert cli.main(["status", *(["--json"] if document else [])]) == 7
    out, err = capfd.readouterr()
    assert err == "error: there is no memory left, not even to say more; let syncd have more (MemoryMax= in its unit)\n"
    assert (json.loads(out)["exit_code"] if document else out) == (7 if document else "")
