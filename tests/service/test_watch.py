"""Files that change: a pass begins when they have been still, also when their directory goes away and comes back."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from syncd.service import watch
from syncd.service.watch import FileState, Settling, Watched, Watcher, stat_files, system_hints
from syncd.source import open_source
from syncd.source.base import FileBacked
from syncd.threads import begin
from tests.support.few_threads import allow_threads
from tests.support.sandbox import SimClock, run_inline


def state(*names: str) -> tuple[tuple[str, int, int, int], ...]:
    return tuple((name, 1, 1, 1) for name in names)


def test_the_first_look_is_no_change_and_each_change_is_told_once() -> None:
    settling = Settling(2)
    assert [settling.seen(state("a"), at) for at in (0, 1, 9)] == [False, False, False]
    assert [settling.seen(state("b"), at) for at in (10, 11, 12, 13)] == [False, False, True, False]


def test_a_file_that_goes_on_changing_is_waited_for() -> None:
    settling = Settling(2)
    settling.seen(state("a"), 0)
    assert not any(settling.seen(state(f"b{at}"), at) for at in range(1, 60))
    assert settling.pending
    assert [settling.seen(state("b59"), at) for at in (60, 61)] == [False, True]


def test_files_that_are_gone_begin_no_pass_but_their_return_does() -> None:
    settling = Settling(1)
    settling.seen(state("a"), 0)
    assert [settling.seen((), at) for at in (1, 2, 3)] == [False, False, False]
    assert [settling.seen(state("a"), at) for at in (4, 5)] == [False, True]


def watched(folder: Path, path: str, name: str = "shifts") -> Watched:
    source = open_source({"type": "csv", "path": path, "columns": {"title": "T", "start": "S"}}, folder, where="x")
    assert isinstance(source, FileBacked)
    place, deep = source.folder()
    return Watched(name=name, files=source.files, folder=place, deep=deep, settle_s=2.0)


@pytest.mark.parametrize(
    ("path", "place", "deep"),
    [
        ("a/b.csv", "a", False),
        ("a", "a", False),
        ("a/*.csv", "a", False),
        ("a/**/*.csv", "a", True),
        ("a*/*.csv", ".", True),
    ],
)
def test_the_directory_to_listen_to_is_where_new_files_would_appear(
    tmp_path: Path, path: str, place: str, deep: bool
) -> None:
    (tmp_path / "a").mkdir()
    one = watched(tmp_path, path)
    assert (one.folder, one.deep) == (tmp_path / place, deep)


def run_watcher(folder: Path, path: str, steps: Sequence[tuple[float, str]]) -> list[float]:
    """Let the steps (seconds, shell-like action) happen on virtual time, and return when changes were told."""

    async def main() -> list[float]:
        clock, told = SimClock(), list[float]()
        watcher = Watcher([watched(folder, path)], clock=clock, changed=lambda _: told.append(round(clock.monotonic())))
        running = asyncio.create_task(watcher.run())
        for at, action in steps:
            await asyncio.sleep(at - clock.monotonic())
            act(folder, action)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return told

    return run_inline(main())


def act(folder: Path, action: str) -> None:
    what, _, name = action.partition(" ")
    match what:
        case "write":
            (folder / name).parent.mkdir(exist_ok=True)
            with (folder / name).open("a") as file:
                file.write("x")
        case "replace":
            (folder / "tmp").write_text("x")
            (folder / "tmp").replace(folder / name)
        case "drop":
            shutil.rmtree(folder / name)


def test_without_inotify_a_change_is_seen_within_seconds(tmp_path: Path) -> None:
    act(tmp_path, "write a.csv")
    (told,) = run_watcher(tmp_path, "a.csv", [(60, "write a.csv"), (100, "nothing")])
    assert 62 <= told <= 70


def test_a_file_that_is_replaced_by_rename_is_a_change(tmp_path: Path) -> None:
    act(tmp_path, "write a.csv")
    assert len(run_watcher(tmp_path, "a.csv", [(60, "replace a.csv"), (100, "nothing")])) == 1


def test_a_directory_that_is_removed_and_comes_back_is_seen(tmp_path: Path) -> None:
    act(tmp_path, "write in/a.csv")
    (told,) = run_watcher(tmp_path, "in", [(30, "drop in"), (90, "write in/a.csv"), (130, "nothing")])
    assert told > 90


def test_an_untouched_file_is_never_told_about_and_its_first_change_is(tmp_path: Path) -> None:
    act(tmp_path, "write a.csv")
    (told,) = run_watcher(tmp_path, "a.csv", [(14_400, "write a.csv"), (14_500, "nothing")])
    assert 14_402 <= told <= 14_410


def test_hints_make_the_watcher_look_at_once_and_a_broken_one_falls_back_to_looking(tmp_path: Path) -> None:
    act(tmp_path, "write a.csv")
    ring = asyncio.Event()

    async def hints(places: Sequence[Path], deep: bool) -> AsyncIterator[object]:
        assert (list(places), deep) == ([tmp_path], False)
        await ring.wait()
        yield "something"
        await asyncio.sleep(200)
        raise OSError("no space left for watches")

    async def main() -> list[float]:
        clock, told = SimClock(), list[float]()
        watcher = Watcher(
            [watched(tmp_path, "a.csv")], clock=clock, changed=lambda _: told.append(clock.monotonic()), hints=hints
        )
        running = asyncio.create_task(watcher.run())
        await asyncio.sleep(100)
        act(tmp_path, "write a.csv")
        ring.set()
        await asyncio.sleep(300)
        act(tmp_path, "write a.csv")
        await asyncio.sleep(60)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return told

    first, second = run_inline(main())
    assert 102 <= first <= 103.1
    assert 402 <= second <= 409


def test_a_look_without_memory_ends_nothing_and_hints_without_any_fall_back_to_looking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    act(tmp_path, "write a.csv")
    looks: list[float] = []
    allow_threads(monkeypatch, 0)

    async def hints(_places: Sequence[Path], _deep: bool) -> AsyncIterator[object]:
        begin(threading.Thread(target=str))
        yield "something"

    async def main() -> list[float]:
        clock, told = SimClock(), list[float]()

        def look(files: Watched) -> FileState:
            looks.append(clock.monotonic())
            if len(looks) < 4:
                raise MemoryError
            return stat_files(files.files())

        monkeypatch.setattr(watch, "state_of", look)
        watcher = Watcher(
            [watched(tmp_path, "a.csv")], clock=clock, changed=lambda _: told.append(clock.monotonic()), hints=hints
        )
        running = asyncio.create_task(watcher.run())
        await asyncio.sleep(100)
        act(tmp_path, "write a.csv")
        await asyncio.sleep(20)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return told

    (told,) = run_inline(main())
    assert 102 <= told <= 110
    assert [later - looks[0] for later in looks[:4]] == [0, 5, 10, 15]


@pytest.mark.skipif(find_spec("watchfiles") is None, reason="watchfiles is optional")
def test_inotify_is_not_asked_where_its_thread_could_not_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        hints = system_hints()
        assert hints is not None
        async for _ in hints([tmp_path], False):
            break

    allow_threads(monkeypatch, 0)
    with pytest.raises(MemoryError, match="can't start new thread"):
        asyncio.run(main())


def test_after_its_directory_was_replaced_the_watcher_listens_to_the_new_one(tmp_path: Path) -> None:
    act(tmp_path, "write in/a.csv")
    listened: list[int] = []

    async def hints(places: Sequence[Path], deep: bool) -> AsyncIterator[object]:
        listened.append(places[0].stat().st_ino)
        await asyncio.Event().wait()
        yield None

    async def main() -> None:
        clock = SimClock()
        watcher = Watcher([watched(tmp_path, "in")], clock=clock, changed=lambda _: None, hints=hints)
        running = asyncio.create_task(watcher.run())
        await asyncio.sleep(100)
        # Both exist for a moment, so that the file system cannot give the new directory the old one's inode.
        (tmp_path / "in").rename(tmp_path / "old")
        act(tmp_path, "write in/a.csv")
        await asyncio.sleep(300)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run_inline(main())
    assert listened == [(tmp_path / name).stat().st_ino for name in ("old", "in")]


async def test_the_operating_system_tells_of_a_change_within_two_seconds(tmp_path: Path) -> None:
    hints = system_hints()
    if hints is None:
        pytest.skip("watchfiles is not installed")
    heard = asyncio.Event()

    async def listen() -> None:
        async for _ in hints([tmp_path], False):
            heard.set()

    listening = asyncio.create_task(listen())
    try:
        for number in range(20):  # the watch itself takes a moment to be set up
            (tmp_path / "a.csv").write_text(str(number))
            try:
                await asyncio.wait_for(heard.wait(), 0.5)
                break
            except TimeoutError:
                continue
        assert heard.is_set()
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_the_operating_system_is_asked_less_than_once_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watchfiles = pytest.importorskip("watchfiles")
    asked: dict[str, object] = {}

    async def awatch(*_places: Path, **options: object) -> AsyncIterator[object]:
        asked.update(options)
        yield set()

    monkeypatch.setattr(watchfiles, "awatch", awatch)
    hints = system_hints()
    assert hints is not None
    assert [change async for change in hints([tmp_path], True)] == [set()]
    assert asked == {"watch_filter": None, "recursive": True, "step": 1500, "debounce": 1, "rust_timeout": 0}


def test_looking_leaves_out_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    assert [Path(name).name for name, *_ in stat_files([tmp_path / "b", tmp_path / "a", tmp_path / "c" / "d"])] == ["a"]
