"""The service uses no more memory and no more files after hundreds of passes than after the first ones."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

from tests.service.test_service import ROWS, scene
from tests.support.sandbox import HEADER, SHIFTS, run_inline


def test_memory_and_file_descriptors_stay_flat_over_hundreds_of_passes(tmp_path: Path) -> None:
    stage = scene(tmp_path)
    text = SHIFTS.replace("timezone", 'every = "5m"\nwatch = false\nverify_every = "4h"\ntimezone')

    def use() -> tuple[int, int]:
        gc.collect()
        return len(gc.get_objects()), len(list(Path("/proc/self/fd").iterdir()))

    async def main() -> tuple[tuple[int, int], tuple[int, int], int]:
        async with stage.running(text) as (service, _):
            await asyncio.sleep(4 * 3600)
            before = use()
            for round_ in range(2):
                stage.write("shifts.csv", HEADER + ROWS.replace("Desk", f"Desk {round_}"))
                await asyncio.sleep(8 * 3600)
            return before, use(), stage.counts(service)["shifts"]

    (objects, files), (objects_after, files_after), passes = run_inline(main())
    assert passes >= 235
    assert files_after == files
    assert objects_after - objects < 2_000
