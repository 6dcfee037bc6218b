"""Plays spoiled inputs of the cases through the whole of syncd, and tells what breaks a rule.

nothing but the errors of `errors.py` comes out              an entry that is lost leaves a line with its place
the same bytes give the same snapshot, read again or not      what was not struck is read as before
no problem line is a defect of syncd                         an input takes a bounded time
what was brought into the portal is not sent again           `init` ends with a config or an error
"""

from __future__ import annotations

import asyncio
import io
import re
import shutil
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, Self, cast

import orjson
import pytest

from syncd.app.application import App
from syncd.app.init import make_start
from syncd.app.wiring import make_sync
from syncd.cycle.plan import preview
from syncd.cycle.prepared import Prepared
from syncd.cycle.sync import Sync
from syncd.errors import SyncdError
from syncd.model.entry import AllDay, Entry, Problem, Snapshot, Window
from syncd.portal.line.answers import RawAnswer
from syncd.source.base import ReadContext
from syncd.source.caldav import caldav_source
from syncd.source.web.web_client import WebAnswer
from tests.cases.dav import COLLECTION, QUIRKS, Quirky, event, in_bytes
from tests.cases.harness import CASES, TODAY
from tests.cases.mutations import Mutated, strike_file, strike_lines, strike_workbook
from tests.support.sandbox import WEBHOOK, SimClock, Stage, WorldTransport, run_inline

MOST_CPU_S = 4.0
"""More than any of these small inputs may take to be read twice and planned three times."""
_INPUTS = (".csv", ".ics", ".xlsx")
_CARDS = """
[[sync]]
name = "{kind}"
timezone = "Europe/Moscow"
window = {{ past = "90d", future = "700d" }}

[sync.source]
type = "csv"
path = "never-read-{kind}.csv"
columns = {{ title = "Title", start = "Start" }}

[sync.target]
type = "{kind}"
contact = "1"
"""
"""Their syncs are given what the case's own has read; of one source syncd would refuse to make them all."""
_WRITES = re.compile(r"\.(?:add|update|delete)$")
_LINE = re.compile(rb"\r\n|\r|\n")
_HEAVY = frozenset({"24-caldav-attach", "26-caldav-digest"})
"""Answers of twelve megabytes, and a server that answers nothing to who does not prove a password."""
PLAYED = tuple(case for case in CASES if case.name not in _HEAVY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What one spoiled input came to: "read", "incomplete" or the name of an error; and the rules that it broke."""

    end: str
    how: str
    broken: tuple[str, ...]
    cpu_s: float


def play(case: Path, folder: Path, seeds: range) -> Iterator[tuple[int, Trial]]:
    """Return what came of spoiling the inputs of a case, once for each seed."""
    trials: list[tuple[int, Trial]] = []

    async def all_of_them() -> None:
        async with _bed(case, folder) as bed:
            for seed in seeds:
                trials.append((seed, await bed.trial(seed)))

    run_inline(all_of_them())
    yield from trials


@dataclass(slots=True)
class Bed:
    """A case with the parts of syncd that stay from trial to trial; `sound` is what it holds before it is spoiled."""

    case: Path
    stage: Stage
    app: App
    syncs: Mapping[str, Sync]
    context: ReadContext
    server: _Server
    sound: Snapshot = field(default_factory=lambda: Snapshot(entries=()))

    async def trial(self, seed: int) -> Trial:
        """Spoil an input, read it, and plan for each kind of target."""
        random = Random(f"{self.case.name} {seed}")
        name, mutated = self._spoiled(random)
        began = time.process_time()
        broken: list[str] = []
        try:
            end = await self._read_and_plan(name, mutated, broken)
        except SyncdError as error:
            end = type(error).__name__
            if not str(error) or "\n" in str(error):
                broken.append(f"an error that is no line: {error!r}")
            str(error).encode()
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            where = traceback.extract_tb(error.__traceback__)[-1]
            end = "CRASH"
            broken.append(f"{type(error).__name__}: {str(error)[:200]} at {where.filename}:{where.lineno} {where.name}")
        cpu_s = time.process_time() - began
        if cpu_s > MOST_CPU_S:
            broken.append(f"took {cpu_s:.1f} s")
        return Trial(end=end, how=mutated.how, broken=tuple(broken), cpu_s=cpu_s)

    async def _read_and_plan(self, name: str, mutated: Mutated, broken: list[str]) -> str:
        # One that has read other bytes before; of a server it would ask something else than a fresh one.
        source = self.syncs["case"].source if name else self._fresh()
        snapshot = await source.read(self.context)
        self.server.begin()
        again = await self._fresh().read(self.context)
        # Markers tell readings apart, and CalDAV's depend on what was known before.
        if replace(again, changed_marker="") != replace(snapshot, changed_marker=""):
            broken.append(f"read again it is another: {_difference(snapshot, again)}")
        broken.extend(_ill_told(snapshot.problems))
        broken.extend(_unspeakable(snapshot))
        broken.extend(self._lost(name, mutated, snapshot))
        for sync in self.syncs.values():
            run = self.app.open_pass(replace(sync, source=Given(snapshot)), asyncio.Event())
            prepared = await preview(run, verify=False)
            broken.extend(f"{sync.name}: {one}" for one in _ill_shaped(prepared, snapshot))
        return "read" if snapshot.complete else "incomplete"

    def _fresh(self) -> Any:
        """Return a source that has read nothing; one that needs a process of its own is kept."""
        if "again" in self.spare:
            return self.spare["again"]
        config = self.app.config
        return make_sync(config, config.syncs[0], Nowhere(), Nowhere(), self.app.clock, str).source

    @property
    def spare(self) -> dict[str, Any]:
        return self.server.spare

    def _spoiled(self, random: Random) -> tuple[str, Mutated]:
        """Spoil one input of the case where the source reads it."""
        inputs = _inputs(self.case)
        if not inputs:
            self.server.spoil(random.random())
            return "", Mutated(content=b"", how="answers")
        for file in inputs:
            shutil.copy(file, self.stage.folder)
        file = random.choice(inputs)
        mutated = spoiled(file, random, self.sound)
        self.stage.folder.joinpath(file.name).write_bytes(mutated.content)
        return file.name, mutated

    def _lost(self, name: str, mutated: Mutated, now: Snapshot) -> Iterator[str]:
        if mutated.struck is None or not now.complete:
            return
        base = self.case.joinpath(name).read_bytes()
        untouched = _untouched_rows if name.endswith(".csv") else _untouched_events
        for entry, line in untouched(name, base, mutated, self.sound):
            found = next((one for one in now.entries if one.uid == entry.uid), None)
            told = any(_names(problem.where, name, line) and problem.kind == "rejected" for problem in now.problems)
            if (found is None or _placeless(found) != _placeless(entry)) and not told:
                broken = "is lost" if found is None else "has changed"
                yield f"untouched {entry.uid!r} at {entry.where} {broken} without a line"
        # A filter leaves rows out, and a plan of people the rows of who has no shift.
        if name.endswith(".csv") and not re.search(r"\[sync\.(?:filter|source\.grid)", self.stage.config):
            yield from _silent_rows(name, base, mutated, now)


def _inputs(case: Path) -> list[Path]:
    return sorted(file for file in case.iterdir() if file.suffix in _INPUTS)


def _names(where: str, name: str, line: int) -> bool:
    return re.match(rf"{re.escape(name)}:{line}(?!\d)", where) is not None


def spoiled(file: Path, random: Random, sound: Snapshot) -> Mutated:
    """Return the file's bytes with one mutation; of texts half the mutations strike known lines only."""
    content = file.read_bytes()
    if file.suffix == ".xlsx":
        return strike_workbook(content, random)
    among = _rows(file, content, sound) if file.suffix == ".csv" else _event_lines(content)
    if among and random.random() < 0.6:
        return strike_lines(content, among, random)
    return strike_file(content, random)


def _rows(file: Path, content: bytes, sound: Snapshot) -> list[int]:
    """Return the lines from the first row that is an entry on; those above are the header's."""
    places = [one.where.partition(":")[2].partition(" ")[0] for one in sound.entries]
    lines = content.split(b"\n")
    if (
        not places
        or b"\r" in content.replace(b"\r\n", b"\n")
        or any(b'"' in line and line.count(b'"') % 2 for line in lines)
    ):
        return []
    return [at for at in range(min(map(int, places)) - 1, len(lines)) if lines[at].strip()]


def _event_lines(content: bytes) -> list[int]:
    """Return the lines inside of one event that is not the file's only one, without its bounds and its UID."""
    inside = [group for group in _events(content) if len(group) > 2]
    return [at for group in inside for at in group] if len(inside) > 1 else []


def _events(content: bytes) -> list[list[int]]:
    groups: list[list[int]] = []
    within = False
    for at, line in enumerate(content.split(b"\n")):
        bare = line.strip().upper()
        if bare == b"BEGIN:VEVENT":
            within = True
            groups.append([])
        elif bare == b"END:VEVENT":
            within = False
        elif within and not bare.startswith((b"UID", b"RECURRENCE-ID", b"BEGIN:", b"END:")):
            groups[-1].append(at)
    return groups


def _untouched_rows(name: str, base: bytes, mutated: Mutated, sound: Snapshot) -> Iterator[tuple[Entry, int]]:
    """Yield the entries of rows that were not struck, with their lines in the spoiled file."""
    assert mutated.struck is not None
    moved = _moved_lines(base, mutated)
    for entry in sound.entries:
        line = int(entry.where.partition(":")[2].partition(" ")[0])
        if line - 1 not in mutated.struck:
            yield entry, moved[line - 1]


def _moved_lines(base: bytes, mutated: Mutated) -> list[int]:
    """Return on which line each line of the original now begins."""
    struck = mutated.struck or frozenset()
    lines = base.split(b"\n")
    kept = [at for at in range(len(lines)) if at not in struck]
    now, at, found = mutated.content, 0, []
    # Lines that were not struck are found from the end backwards, so that copies of one line do not matter.
    for number in range(len(lines)):
        found.append(at)
        at += len(lines[number]) + 1 if number not in struck else 0
        if number in struck:
            rest = sum(len(lines[one]) + 1 for one in range(number + 1, len(lines)) if one not in struck)
            later = [one for one in struck if one > number]
            if not later:
                at = len(now) + 1 - rest
            else:
                following = lines[number + 1] if number + 1 in kept else None
                place = now.find(b"\n" + following + b"\n", at) if following is not None else now.find(b"\n", at)
                at = place + 1 if place >= 0 else at
    return [len(_LINE.findall(now[:one])) + 1 for one in found]


def _silent_rows(name: str, base: bytes, mutated: Mutated, now: Snapshot) -> Iterator[str]:
    """Yield the rows that hold something and are neither an entry nor in a problem line."""
    assert mutated.struck is not None
    said = {place for where in _places(now) for place in re.findall(r"\d+", where)}
    said |= {place for one in now.problems for place in re.findall(r"\d+", one.reason)}
    moved = _moved_lines(base, mutated)
    lines = _LINE.split(mutated.content)
    for at in mutated.struck:
        line = moved[at]
        text = lines[line - 1] if line <= len(lines) else b""
        if re.sub(rb'[\s,;\t|"\x00-\x1f\x7f\x85]', b"", text) and str(line) not in said and name.endswith(".csv"):
            yield f"row {line} {text[:80]!r} is in no line"


def _places(now: Snapshot) -> list[str]:
    return [*(one.where for one in now.entries), *(one.where for one in now.problems)]


def _untouched_events(name: str, base: bytes, mutated: Mutated, sound: Snapshot) -> Iterator[tuple[Entry, int]]:
    """Yield the entries of events whose UID no struck event has; of their lines nothing can be said."""
    struck: set[str] = set()
    lines = base.split(b"\n")
    groups = _events(base)
    starts = [at for at, line in enumerate(lines) if line.strip().upper() == b"BEGIN:VEVENT"]
    for start, group in zip(starts, groups, strict=True):
        if not mutated.struck or mutated.struck.isdisjoint(group):
            continue
        end = next(at for at in range(start, len(lines)) if lines[at].strip().upper() == b"END:VEVENT")
        uid = next((line.partition(b":")[2].strip() for line in lines[start:end] if line[:3].upper() == b"UID"), None)
        if uid is None:
            return  # a name made of what was struck may be any
        struck.add(uid.decode("utf-8", "replace"))
    for entry in sound.entries:
        if entry.uid.partition("#")[0] not in struck:
            yield entry, 0


def _placeless(entry: Entry) -> Entry:
    return replace(entry, where="", overrides=tuple(replace(one, where="") for one in entry.overrides))


def _difference(one: Snapshot, other: Snapshot) -> str:
    for name in ("entries", "problems", "complete", "incomplete_because", "rejected_uids", "assumed"):
        if getattr(one, name) != getattr(other, name):
            return f"{name}: {getattr(one, name)!r:.300} | {getattr(other, name)!r:.300}"
    return "?"


def _ill_told(problems: tuple[Problem, ...]) -> Iterator[str]:
    for one in problems:
        said = f"{one.where}: {one.reason}"
        if not one.where or not one.reason or "\n" in said or "\r" in said:
            yield f"a problem that is no line with a place: {one!r:.300}"
        if "defect" in one.reason:
            yield f"a defect: {said:.300}"
        try:
            f"{said}{one.title}{one.key}".encode()
        except UnicodeEncodeError:
            yield f"a problem that nobody can print: {one!r:.300}"


def _unspeakable(snapshot: Snapshot) -> Iterator[str]:
    for one in snapshot.entries:
        try:
            repr_free = (one.uid, one.where, one.details.title, one.details.description, one.details.location)
            "".join((*repr_free, one.details.owner, one.details.url, *one.details.attendees)).encode()
        except UnicodeEncodeError:
            yield f"an entry that nobody can print: {one!r:.300}"


def _ill_shaped(prepared: Prepared, snapshot: Snapshot) -> Iterator[str]:
    own = tuple(one for one in prepared.problems if one not in snapshot.problems)
    yield from _ill_told(own)
    told = {one.key for one in prepared.problems}
    assert prepared.forecast.requests >= 0
    assert prepared.notices >= 0
    window = prepared.run.sync.window(prepared.now)
    made = {item.key.uid for item in prepared.wanted.items}
    for entry in prepared.kept.entries:
        shows = entry.recurrence is None and entry.details.status != "CANCELLED" and _touches(window, entry)
        if entry.uid not in made | told and shows:
            yield f"{entry.uid!r} at {entry.where} becomes nothing without a line"
    if not snapshot.complete and any(change.op == "delete" for change in prepared.plan.changes):
        yield "deletes although the source is incomplete"


def _touches(window: Window, entry: Entry) -> bool:
    """Return True if an entry stands well inside of the window, whatever its zone."""
    span = entry.span
    first, last = (span.first, span.end) if isinstance(span, AllDay) else (span.start.date(), span.end.date())
    assert window.first is not None
    assert window.last is not None
    return (first - window.first).days > 1 and (window.last - last).days > 1


@dataclass(frozen=True)
class Given:
    """A source that holds a snapshot."""

    snapshot: Snapshot

    async def read(self, _context: ReadContext) -> Snapshot:
        return self.snapshot

    def describe(self) -> str:
        return "given"


class Nowhere:
    """A cache that keeps nothing."""

    writable = False

    def load(self, _name: str) -> bytes | None:
        return None

    def save(self, name: str, content: bytes) -> None:
        pass


class _Server:
    """The CalDAV server of the cases without sockets; its answers are spoiled, the same ones in each reading."""

    def __init__(self, quirk: str) -> None:
        self._quirk = quirk
        self._seed: float | None = None
        self._answers = 0
        self.spare: dict[str, Any] = {}

    def begin(self) -> None:
        """Begin another reading of the same answers."""
        self._answers = 0

    def spoil(self, seed: float | None) -> None:
        """Spoil answers from now on in another way."""
        self._seed = seed
        self.begin()

    def answer(self, method: str, url: str, body: bytes) -> WebAnswer:
        said = _Saying.to(self._quirk, method, url, body)
        self._answers += 1
        content = said.content
        random = Random(f"{self._seed} {self._answers}")
        if self._seed is not None and random.random() < 0.5:
            content = (
                strike_lines(content, [0], random).content
                if random.random() < 0.3
                else strike_file(content, random).content
            )
        return WebAnswer(status=said.status, headers=said.said, body=content, url=url)

    def client(self) -> Callable[..., _Client]:
        return lambda *_arguments: _Client(self)


class _Client:
    """What a source asks the server with."""

    def __init__(self, server: _Server) -> None:
        self._server = server

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_about: object) -> None:
        pass

    async def ask(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> WebAnswer:
        return self._server.answer(method, url, body or b"")

    def trusts(self, url: str) -> bool:
        return url.startswith("http://127.0.0.1:9/")


class _Saying(Quirky):
    """The handler of the cases' server, asked without a connection."""

    status = 0
    content = b""
    said: dict[str, str]

    @classmethod
    def to(cls, quirk: str, method: str, url: str, body: bytes) -> _Saying:
        one = object.__new__(cls)
        one.quirk, more = quirk, QUIRKS[quirk]
        one.resources = {f"{COLLECTION}{at}.ics": event(at, more if at == 3 else "") for at in range(1, 6)}
        one.command, one.path = (
            method,
            url.partition("//")[2].partition("/")[1] + url.partition("//")[2].partition("/")[2],
        )
        one.headers = cast(Any, {"Content-Length": str(len(body))})
        one.rfile = io.BufferedReader(io.BytesIO(body))
        one.handle_one()
        return one

    def _say(self, status: int, text: str, **headers: str) -> None:
        self.status, self.content = status, in_bytes(text)
        self.said = {name.lower(): value for name, value in headers.items()}


class _Counting(WorldTransport):
    """Counts the calls that write."""

    writes = 0

    async def post(self, method: str, body: bytes, timeout_s: float) -> RawAnswer:
        called = orjson.loads(body).get("cmd", {}).values() if method == "batch" else (method,)
        self.writes += sum(_WRITES.search(one.partition("?")[0]) is not None for one in called)
        return await super().post(method, body, timeout_s)


@asynccontextmanager
async def _bed(case: Path, folder: Path) -> AsyncIterator[Bed]:
    shutil.copytree(case, folder, dirs_exist_ok=True)
    server = _Server(orjson.loads(case.joinpath("expected.json").read_bytes()).get("server", ["", "none"])[1])
    stage = Stage(folder, _config(case), clock=SimClock(start=TODAY))
    with _answering(server):
        async with stage.opened() as (syncs, app):
            context = syncs["case"].reading(app.clock.now())
            bed = Bed(case, stage, app, syncs, context, server)
            with ExitStack() as stack:
                if any(one.suffix == ".xlsx" for one in _inputs(case)):
                    server.spare["again"] = bed._fresh()
                    for source in (cast(Any, syncs["case"].source), server.spare["again"]):
                        # Each reading would otherwise start a process of its own.
                        source._assembly._format.begin()
                        stack.callback(source._assembly._format.end)
                bed.sound = await bed._fresh().read(context)
                for sync in syncs.values():
                    await preview(app.open_pass(replace(sync, source=Given(bed.sound)), asyncio.Event()), verify=False)
                yield bed


@contextmanager
def _answering(server: _Server) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(caldav_source, "WebClient", server.client())
        yield


def _config(case: Path, *, cards: bool = True) -> str:
    """Return the case's config, with syncs of activities and to-dos besides."""
    text = case.joinpath("syncd.toml").read_text("utf-8").replace("@WEBHOOK@", WEBHOOK).replace("@PORT@", "9")
    return text + "".join(_CARDS.format(kind=kind) for kind in ("activity", "todo")) if cards else text


def bring(case: Path, folder: Path, seed: int) -> tuple[str, ...]:
    """Bring a spoiled input into the portal twice, and return the rules that this broke."""
    random = Random(f"{case.name} {seed}")
    shutil.copytree(case, folder, dirs_exist_ok=True)
    files = _inputs(case)
    server = _Server(orjson.loads(case.joinpath("expected.json").read_bytes()).get("server", ["", "none"])[1])
    if files:
        file = random.choice(files)
        folder.joinpath(file.name).write_bytes(spoiled(file, random, Snapshot(entries=())).content)
    else:
        server.spoil(random.random())
    stage = Stage(folder, _config(case, cards=False), clock=SimClock(start=TODAY))
    stage.transport = counting = _Counting(stage.world, stage.clock)
    with _answering(server):
        try:
            first = run_inline(stage.one_pass("case"))
            sent, shown = counting.writes, sorted(stage.names())
            server.begin()
            second = run_inline(stage.one_pass("case"))
        except SyncdError as error:
            return () if str(error) else ("an error without a word",)
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            return (f"bringing it: {type(error).__name__}: {str(error)[:200]}",)
    broken: list[str] = []
    for result in (first, second):
        broken.extend(_ill_told(tuple(result.record.problems)))
    if counting.writes != sent and first.error is None:
        broken.append(f"a second pass writes {counting.writes - sent} times: {second.record.counts}")
    if sorted(stage.names()) != shown:
        broken.append("a second pass changes what people see")
    if first.exit_code != second.exit_code:
        broken.append(f"exit codes {first.exit_code} and {second.exit_code}")
    return tuple(broken)


def begin_with(case: Path, folder: Path, seed: int) -> tuple[str, ...]:
    """Have `init` look at a spoiled input, and return the rules that this broke."""
    random = Random(f"{case.name} {seed}")
    files = _inputs(case)
    if not files:
        return ()
    file = random.choice(files)
    path = folder / file.name
    path.write_bytes(spoiled(file, random, Snapshot(entries=())).content)
    try:
        start = run_inline(make_start(str(path), None, folder=folder, clock=SimClock(start=TODAY)))
    except SyncdError as error:
        return () if str(error) else ("an error without a word",)
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        return (f"init: {type(error).__name__}: {str(error)[:200]}",)
    return () if start.text else ("an empty config",)
