"""A disk that fills up in the middle of a pass: nothing is sent that is not written down, and nothing is made twice."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cycle.test_faults import expected, faulty, run_until_done
from tests.support.sandbox import run_inline

ENTRIES = 400


def _mount(*arguments: str) -> bool:
    try:
        return subprocess.run(("mount", *arguments), capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 600 kB for the state; skipped where mounting is not allowed."""
    place = tmp_path / "state"
    place.mkdir()
    if not _mount("-t", "tmpfs", "-o", "size=600k", "tmpfs", str(place)):
        pytest.skip("this user may not mount a small disk")
    yield place
    subprocess.run(("umount", str(place)), check=True)


def test_a_full_disk_ends_the_pass_with_the_remedy_and_more_room_lets_it_go_on(tmp_path: Path, disk: Path) -> None:
    stage = faulty(tmp_path, count=ENTRIES)
    with pytest.raises(Exception, match=r"disk|full|space") as caught:
        result = run_inline(stage.one_pass())
        assert result.error is not None
        raise result.error
    assert getattr(caught.value, "exit_code", None) == 7
    sent = len(stage.names())
    assert sent < ENTRIES
    assert _mount("-o", "remount,size=64m", str(disk))
    run_until_done(stage)
    assert stage.names() == expected(ENTRIES)


def test_a_disk_that_became_read_only_sends_nothing_and_says_so(tmp_path: Path, disk: Path) -> None:
    assert _mount("-o", "remount,size=64m", str(disk))
    stage = faulty(tmp_path, count=20)
    run_until_done(stage)
    assert _mount("-o", "remount,ro", str(disk))
    requests = stage.transport.requests
    with pytest.raises(Exception, match="Read-only") as caught:
        result = run_inline(stage.one_pass())
        assert result.error is not None
        raise result.error
    assert getattr(caught.value, "exit_code", None) == 7
    assert stage.transport.requests == requests
    assert _mount("-o", "remount,rw", str(disk))
    run_until_done(stage)
    assert stage.names() == expected(20)
