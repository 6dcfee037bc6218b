"""The simulated month in small: what the process and the ledger hold does not grow with the passes."""

from __future__ import annotations

from pathlib import Path

from tests.bench.month import Sample, grown, live
from tests.service.test_service import Scene
from tests.support.sandbox import SHIFTS, run_inline


def test_memory_descriptors_threads_and_file_do_not_grow_with_days_of_edits_and_failures(tmp_path: Path) -> None:
    samples = run_inline(live(Scene(tmp_path, SHIFTS), days=5, rows=12))
    assert samples[-1].passes - samples[0].passes > 4 * 150
    assert samples[-1].failed - samples[0].failed > 4 * 20
    assert grown(samples) == []


def test_what_grows_is_told() -> None:
    flat = Sample(
        day=1, passes=90, failed=9, resident_mb=60.0, objects=60_000, descriptors=12, threads=1, file_bytes=500_000
    )
    more = Sample(
        day=2, passes=180, failed=18, resident_mb=66.0, objects=64_000, descriptors=13, threads=2, file_bytes=700_000
    )
    assert grown([flat, flat, flat]) == []
    assert grown([flat, flat, more]) == [
        "objects: 60000 -> 64000", "memory: 60.0 -> 66.0 MB", "descriptors: 12 -> 13", "threads: 1 -> 2",
        "the ledger: 500000 -> 700000 bytes",
    ]  # fmt: skip
