"""Damages a real ledger at random places, and sees that every command then ends right or with the one clear error."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from random import Random

from syncd.cycle.plan import preview
from syncd.errors import StateError
from syncd.sandbox.tables.database import Tables
from tests.cycle.test_faults import expected, faulty, run_until_done
from tests.cycle.test_restored import left_by_a_crash
from tests.support.sandbox import Stage, run_inline

PAGE = 4096
COUNT = 60


def flipped(content: bytes, random: Random) -> bytes:
    """Return `content` with one to three bits turned over."""
    damaged = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 3))):
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
    return bytes(damaged)


def swapped(content: bytes, random: Random) -> bytes:
    """Return `content` with two of its pages in each other's place."""
    one, other = sorted(random.sample(range(len(content) // PAGE), 2))
    pages = [content[at : at + PAGE] for at in range(0, len(content), PAGE)]
    pages[one], pages[other] = pages[other], pages[one]
    return b"".join(pages)


def zeroed(content: bytes, random: Random) -> bytes:
    """Return `content` with a sector of zeros, as a failing disk leaves it."""
    at = random.randrange(len(content) // 512) * 512
    return content[:at] + bytes(512) + content[at + 512 :]


def cut_short(content: bytes, random: Random) -> bytes:
    """Return the beginning of `content`."""
    return content[: random.randrange(1, len(content))]


WAYS: tuple[Callable[[bytes, Random], bytes], ...] = (flipped, flipped, flipped, swapped, swapped, zeroed, cut_short)


@dataclass(slots=True)
class Victim:
    """A portal that is in step with its source, and the ledger of it, with its log if it was left by a crash."""

    stage: Stage
    ledger: bytes
    log: bytes
    echo: bytes
    tables: Tables

    @classmethod
    def made(cls, folder: Path, *, crashed: bool) -> Victim:
        """Return one with COUNT events."""
        stage = faulty(folder, count=COUNT)
        run_until_done(stage)
        if crashed:
            left_by_a_crash(stage)
        path = folder / "state" / "syncd.db"
        log = Path(f"{path}-wal")
        return cls(
            stage=stage,
            ledger=path.read_bytes(),
            log=log.read_bytes() if log.exists() else b"",
            echo=Path(f"{path}.echo").read_bytes(),
            tables=deepcopy(stage.world.tables),
        )

    def put(self, ledger: bytes, log: bytes) -> None:
        """Put the ledger and its log into the place of what is there."""
        path = self.stage.folder / "state" / "syncd.db"
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        path.write_bytes(ledger)
        Path(f"{path}.echo").write_bytes(self.echo)
        if log:
            Path(f"{path}-wal").write_bytes(log)

    def suffer(self, seed: int) -> str:
        """Damage it, look at it, plan and sync; return what came of it. Raises AssertionError for anything wrong."""
        self.stage.set_faults(self.stage.settings)  # with its limits as they were before the first trial
        self.stage.world.tables = deepcopy(self.tables)
        random = Random(seed)
        way = WAYS[seed % len(WAYS)]
        if self.log and random.random() < 0.5:
            self.put(self.ledger, way(self.log, random))
        else:
            self.put(way(self.ledger, random), self.log)
        told = [self._told(self._look), self._told(self._sync)]
        assert self.stage.names() == expected(COUNT), f"{way.__name__} {seed}: {told}"
        return f"{way.__name__}: {told[-1]}"

    def _told(self, command: Callable[[], str]) -> str:
        try:
            return command()
        except StateError as error:
            assert "is damaged" in error.message or "another program" in error.message or "newer syncd" in error.message
            assert error.remedy
            assert error.exit_code == 2
            return "told"

    def _look(self) -> str:
        async def look() -> int:
            async with self.stage.opened(readonly=True) as (syncs, app):
                await app.ledger.of("shifts").runs(5)
                return (await preview(app.open_pass(syncs["shifts"], asyncio.Event()), verify=False)).counts["delete"]

        assert run_inline(look()) == 0
        return "planned"

    def _sync(self) -> str:
        result = run_inline(self.stage.one_pass())
        if result.error is not None:
            raise result.error
        assert result.record.counts["created"] == 0
        return "right"
