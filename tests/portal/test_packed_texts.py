"""The texts of a long push, packed while they wait: what leaves is what was offered, and little of it is held."""

from __future__ import annotations

import random
import tracemalloc

from syncd.portal.exchange import packed_texts
from syncd.portal.exchange.queue import Job, Queue
from syncd.portal.line.wire import Command
from tests.portal.fake import ADD, DELETE, UPDATE

COUNT = 4_321
"""More than are kept as they are, and not a whole number of groups."""


def text_of(number: int) -> str | None:
    """Return a text of its own for each job; every seventh travels alone."""
    return None if number % 7 == 3 else f"calendar.event.add?name={'%D0%A1' * (number % 40)}{number}"


def filled(count: int, *, behind: int | None = None) -> Queue:
    """Return a queue of jobs of three methods; with `behind` every other one waits for that job."""
    queue = Queue()
    for number in range(count):
        command = Command(method=(ADD, UPDATE, DELETE)[number % 3])
        waits = [behind] if behind is not None and number % 2 else []
        queue.add(Job(id=number, command=command, repeatable=True), text_of(number), behind=waits)
    return queue


def taken(queue: Queue, *, single: bool) -> dict[int, str | None]:
    """Take all jobs that are ready, and return their texts by id."""
    found: dict[int, str | None] = {}
    while (waiting := queue.first(single=single, without=())) is not None:
        found[waiting.job.id] = queue.text_of(waiting)
        queue.take(waiting)
    return found


def test_each_job_of_a_long_push_leaves_with_the_text_it_was_offered_with() -> None:
    queue = filled(COUNT)
    found = taken(queue, single=False) | taken(queue, single=True)
    assert found == {number: text_of(number) for number in range(COUNT)}


def test_so_do_jobs_that_were_held_and_those_that_are_put_back() -> None:
    queue = filled(COUNT, behind=COUNT)
    first = taken(queue, single=False)
    queue.release(COUNT)
    second = taken(queue, single=False)
    assert first | second == {number: text for number in range(COUNT) if (text := text_of(number)) is not None}
    assert not first.keys() & second.keys()


def test_a_job_that_was_put_back_keeps_its_text() -> None:
    queue = filled(COUNT)
    while (late := queue.first(single=False, without=())) is not None and late.job.id < 3_000:
        queue.take(late)
    assert late is not None
    assert queue.text_of(late) == text_of(late.job.id)
    queue.take(late)
    queue.put_back([late], sent=True)
    assert queue.first(single=False, without=()) is late
    assert queue.text_of(late) == text_of(late.job.id)


def test_groups_can_be_asked_for_in_any_order() -> None:
    groups = [
        packed_texts.grouped(first, [text_of(one) for one in range(first, first + 10)]) for first in range(0, 300, 10)
    ]
    numbers, unpacking = list(range(300)), packed_texts.Unpacking()
    random.Random(1).shuffle(numbers)
    assert all(unpacking.text(groups[number // 10], number) == text_of(number) for number in numbers)


def test_what_waits_takes_a_fraction_of_its_texts() -> None:
    text, count = "calendar.event.add?" + "&%66%72%6F%6D=2027-02-07T15%3A00%3A00" * 12, 20_000
    tracemalloc.start()
    try:
        queue = Queue()
        for number in range(count):
            queue.add(Job(id=number, command=Command(method=ADD), repeatable=False), f"{text}{number}", behind=[])
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held / count < 450, "the commands and the books of the queue; a text alone takes more than all of it"
    assert queue.counts().total() == count
