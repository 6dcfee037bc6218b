"""Rows without an id: one that moves moves its event, and what is gone from the source is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.sandbox import SHIFTS, Stage, run_inline

HEADER = "Shift,Start,End,E-mail\n"
CONFIG = SHIFTS.replace('uid = "ID"\n', "").replace('location = "Place"\n', "")
ANNA, IVAN = "anna.petrova", "ivan.sokolov"


def row(start: str, title: str = "Early shift", owner: str = ANNA, hours: int = 8) -> str:
    day, _, time = start.partition(" ")
    return f"{title},{day} {time}:00,{day} {int(time) + hours}:00,{owner}@school.example\n"


def staged(folder: Path, *rows: str, config: str = CONFIG) -> Stage:
    stage = Stage(folder, config)
    stage.write("shifts.csv", HEADER + "".join(rows))
    run_inline(stage.one_pass())
    return stage


def then(stage: Stage, *rows: str) -> dict[str, int]:
    stage.write("shifts.csv", HEADER + "".join(rows))
    record = run_inline(stage.one_pass(force=True)).record
    return {name: record.counts[name] for name in ("created", "updated", "deleted", "unchanged") if record.counts[name]}


def starts(stage: Stage, owner: int = 3) -> list[str]:
    return sorted(f"{event.stored.date_from:%d %H}" for event in stage.world.events("user", owner))


def ids(stage: Stage, owner: int = 3) -> list[int]:
    return sorted(event.id for event in stage.world.events("user", owner))


@pytest.mark.parametrize("on_removed", ["keep", "delete"])
@pytest.mark.parametrize("to", ["2026-12-01 9", "2026-12-01 7", "2026-12-03 8", "2026-11-28 8"])
def test_a_row_that_moved_moves_its_event(tmp_path: Path, on_removed: str, to: str) -> None:
    config = CONFIG.replace('"delete"', f'"{on_removed}"')
    other = row("2026-12-08 8")
    stage = staged(tmp_path, row("2026-12-01 8"), other, config=config)
    before = ids(stage)
    assert then(stage, row(to), other) == {"updated": 1, "unchanged": 1}
    assert (ids(stage), len(starts(stage))) == (before, 2)
    assert then(stage, row(to), other) == {"unchanged": 2}
    assert then(stage, row("2026-12-01 8"), other) == {"updated": 1, "unchanged": 1}
    assert ids(stage) == before


def test_a_move_is_told_with_place_and_remedy(tmp_path: Path) -> None:
    stage = staged(tmp_path, row("2026-12-01 8"))
    stage.write("shifts.csv", HEADER + row("2026-12-01 9"))
    (problem,) = run_inline(stage.one_pass()).record.problems
    assert problem.kind == "warning"
    assert "«Early shift» 2026-12-01 08:00 to 2026-12-01 09:00 (shifts.csv:2); give the rows an id" in (problem.reason)


def test_several_moved_rows_go_to_the_nearest_each(tmp_path: Path) -> None:
    stage = staged(tmp_path, row("2026-12-01 6", hours=1), row("2026-12-01 12", hours=1), row("2026-12-02 6"))
    before = {event.id: event.stored.date_from.hour for event in stage.world.events("user", 3)}
    moved = [row("2026-12-01 13", hours=1), row("2026-12-01 7", hours=1), row("2026-12-02 6")]
    assert then(stage, *moved) == {"updated": 2, "unchanged": 1}
    after = {event.id: event.stored.date_from.hour for event in stage.world.events("user", 3)}
    assert [after[one] - before[one] for one in sorted(before)] == [1, 1, 0]


@pytest.mark.parametrize("to", ["2026-12-01 8", "2026-12-01 9"])
def test_a_title_that_was_only_written_otherwise_is_the_same_row(tmp_path: Path, to: str) -> None:
    stage = staged(tmp_path, row("2026-12-01 8", title="early  Shift"))
    before = ids(stage)
    assert then(stage, row(to)) == {"updated": 1}
    assert (ids(stage), stage.names(owner=3)) == (before, ["Early shift"])


@pytest.mark.parametrize("day", ["2026-12-01", "2026-12-03"])
def test_rows_of_one_title_that_move_together_move_in_their_order(tmp_path: Path, day: str) -> None:
    lessons = [row(f"2026-12-01 {hour}", hours=1) for hour in (8, 10, 12)]
    stage = staged(tmp_path, *lessons, row("2026-12-08 8"))
    before = {event.id: event.stored.date_from.hour for event in stage.world.events("user", 3)}
    # Each is as near to the one before as to the one after.
    moved = [row(f"{day} {hour}", hours=1) for hour in (13, 9, 11)]
    assert then(stage, *moved, row("2026-12-08 8")) == {"updated": 3, "unchanged": 1}
    after = {event.id: event.stored.date_from.hour for event in stage.world.events("user", 3)}
    assert [after[one] - before[one] for one in sorted(before)] == [1, 1, 1, 0]


@pytest.mark.parametrize(
    "rows",
    [
        (row("2026-12-01 7"), row("2026-12-01 9")),  # two are equally near
        (row("2026-12-01 9", title="Late shift"),),
        (row("2026-12-01 9", owner=IVAN),),
        (row("2026-12-20 8"),),  # too far
        (row("2026-12-03 8"), row("2026-12-04 8")),  # which of the two?
    ],
)
def test_what_is_not_certain_stays_two_rows(tmp_path: Path, rows: tuple[str, ...]) -> None:
    stage = staged(tmp_path, row("2026-12-01 8"))
    assert then(stage, *rows) == {"created": len(rows), "deleted": 1}


def test_a_schedule_that_rolls_on_moves_nothing(tmp_path: Path) -> None:
    stage = staged(
        tmp_path, *(row(f"2026-11-{day} 8") for day in range(20, 25)), config=CONFIG.replace("delete", "keep")
    )
    assert then(stage, *(row(f"2026-11-{day} 8") for day in range(21, 26))) == {"created": 1, "unchanged": 4}
    assert starts(stage) == [f"{day} 08" for day in range(20, 26)]


def test_rows_with_ids_are_never_guessed_about(tmp_path: Path) -> None:
    stage = Stage(tmp_path, SHIFTS)
    header = "ID,Shift,Start,End,E-mail,Place\n"
    stage.write("shifts.csv", header + "1," + row("2026-12-01 8").strip() + ",\n")
    run_inline(stage.one_pass())
    stage.write("shifts.csv", header + "2," + row("2026-12-01 9").strip() + ",\n")
    assert run_inline(stage.one_pass(force=True)).record.counts["created"] == 1


def of_files(folder: Path, *saves: dict[str, tuple[str, ...]]) -> tuple[Stage, list[dict[str, int]]]:
    """Return the stage after passes over each of `saves`, files with their rows, and what each pass did."""
    stage = Stage(folder, CONFIG.replace("shifts.csv", "*.csv").replace('"delete"', '"keep"'))
    done = []
    for files in saves:
        for old in folder.glob("*.csv"):
            old.unlink()
        for name, rows in files.items():
            stage.write(name, HEADER + "".join(rows))
        counts = run_inline(stage.one_pass(force=True)).record.counts
        done.append({name: counts[name] for name in ("created", "updated", "unchanged", "kept") if counts[name]})
    return stage, done


@pytest.mark.parametrize("to", ["2026-12-01 9", "2026-12-03 8"])
def test_the_one_row_that_goes_from_a_file_and_comes_in_another_is_one_move(tmp_path: Path, to: str) -> None:
    other = row("2026-12-08 8", owner=IVAN)
    before: dict[str, tuple[str, ...]] = {"a.csv": (row("2026-12-01 8"), other), "b.csv": ()}
    _, done = of_files(tmp_path, before, {"a.csv": (other,), "b.csv": (row(to),)})
    assert done[1] == {"updated": 1, "unchanged": 1}


def test_rows_of_a_renamed_file_move_as_those_of_one_file_do(tmp_path: Path) -> None:
    stay, moved = row("2026-12-08 8", owner=IVAN), [row(f"2026-12-01 {hour}", hours=1) for hour in (13, 9, 11)]
    before = {"a.csv": (*(row(f"2026-12-01 {hour}", hours=1) for hour in (8, 10, 12)), stay)}
    stage, done = of_files(tmp_path, before, {"b.csv": before["a.csv"]}, {"c.csv": (*moved, stay)})
    assert done[1:] == [{"unchanged": 4}, {"updated": 3, "unchanged": 1}]
    assert starts(stage) == ["01 09", "01 11", "01 13"]


def test_of_several_that_go_and_come_in_other_files_none_is_guessed(tmp_path: Path) -> None:
    lessons = [row(f"2026-12-01 {hour}", hours=1) for hour in (8, 10)]
    later = [row(f"2026-12-01 {hour}", hours=1) for hour in (9, 11)]
    before: dict[str, tuple[str, ...]] = {"a.csv": (*lessons, row("2026-12-08 8")), "b.csv": ()}
    after = {"a.csv": (row("2026-12-08 8"),), "b.csv": tuple(later)}
    _, done = of_files(tmp_path, before, after)
    assert done[1] == {"created": 2, "unchanged": 1, "kept": 2}


def test_a_file_of_which_unchanged_rows_stay_is_not_renamed_by_one_that_goes_and_changes(tmp_path: Path) -> None:
    lessons = [row(f"2026-12-01 {hour}", hours=1) for hour in (8, 10)]
    later = [row(f"2026-12-01 {hour}", hours=1) for hour in (9, 11)]
    stay, goes, changed = row("2026-12-08 8"), row("2026-12-09 8", owner=IVAN), row("2026-12-09 8", owner=IVAN, hours=4)
    before: dict[str, tuple[str, ...]] = {"a.csv": (*lessons, stay, goes), "b.csv": ()}
    _, done = of_files(tmp_path, before, {"a.csv": (stay,), "b.csv": (*later, changed)})
    assert done[1] == {"created": 2, "updated": 1, "unchanged": 1, "kept": 2}


def test_a_plan_of_the_next_month_in_a_file_of_its_own_moves_nothing(tmp_path: Path) -> None:
    november, december = row("2026-11-20 8"), row("2026-12-01 8")
    _, done = of_files(tmp_path, {"11.csv": (november,)}, {"12.csv": (december,)})
    assert done[1] == {"created": 1, "kept": 1}


def unreadable(line: str) -> str:
    """Return a row with days that no calendar has."""
    return line.replace("2026-12-0", "2026-02-3")


def test_a_row_of_another_title_that_cannot_be_read_hides_no_move(tmp_path: Path) -> None:
    late = row("2026-12-02 8", "Late shift")
    stage = staged(tmp_path, row("2026-12-01 8"), late)
    assert then(stage, row("2026-12-01 14"), unreadable(late)) == {"updated": 1}
    assert then(stage, row("2026-12-01 14"), late) == {"unchanged": 2}
    assert starts(stage) == ["01 14", "02 08"]


def test_a_row_of_the_same_title_that_cannot_be_read_may_be_the_one_that_is_gone(tmp_path: Path) -> None:
    stage = staged(tmp_path, row("2026-12-01 8"))
    assert then(stage, row("2026-12-01 14"), unreadable(row("2026-12-01 8"))) == {"created": 1}
    assert starts(stage) == ["01 08", "01 14"]


def test_a_row_without_a_title_that_cannot_be_read_may_be_any(tmp_path: Path) -> None:
    stage = staged(tmp_path, row("2026-12-01 8"))
    assert then(stage, row("2026-12-01 14"), unreadable(row("2026-12-01 8", ""))) == {"created": 1}


@pytest.mark.parametrize("name", ["{owner}", "Shift of {title}"])
def test_where_titles_are_made_of_other_columns_only_those_that_show_their_own_are_told_apart(
    tmp_path: Path, name: str
) -> None:
    config = f'{CONFIG}\n[sync.fields]\nname = "{name}"\n'
    late = row("2026-12-02 8", "Late shift")
    stage = staged(tmp_path, row("2026-12-01 8"), late, config=config)
    expected = {"created": 1} if name == "{owner}" else {"updated": 1}
    assert then(stage, row("2026-12-01 14"), unreadable(late)) == expected


@pytest.mark.parametrize(("known", "moves"), [(True, True), (False, False)])
def test_a_row_of_the_same_title_that_cannot_be_read_is_apart_where_it_is_known_to_be_another_persons(
    tmp_path: Path, known: bool, moves: bool
) -> None:
    ivans = row("2026-12-02 8", owner=IVAN)
    others = (row("2026-12-09 8", "Late shift", owner=IVAN),) if known else ()
    stage = staged(tmp_path, row("2026-12-01 8"), ivans, *others)
    done = then(stage, row("2026-12-01 14"), unreadable(ivans), *others)
    assert done.get("updated", 0) == int(moves)
    assert done.get("created", 0) == int(not moves)
