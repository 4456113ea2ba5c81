"""Work on many items by threads."""

import threading
import time
from collections.abc import Iterator

import pytest

from ctc_ocr.runtime.thread_map import JOBS_PER_CORE, in_threads
from ctc_ocr.runtime.threads import available_cores

AHEAD = JOBS_PER_CORE * available_cores()
taken: list[int] = []


def items(count: int) -> Iterator[int]:
    taken.clear()
    for number in range(count):
        taken.append(number)
        yield number


def test_results_are_in_order_and_few_items_are_taken_at_a_time() -> None:
    def work(item: int) -> int:
        time.sleep(0.002 * (item % 3))
        return item

    done = []
    for found in in_threads(work, items(3 * AHEAD)):
        done.append(found)
        assert len(taken) <= len(done) + AHEAD
    assert done == list(range(3 * AHEAD))
    assert list(in_threads(str, [])) == []


def test_an_error_leaves_the_rest() -> None:
    begun = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 3:
            raise ValueError("three")
        time.sleep(0.01)
        return item

    with pytest.raises(ValueError, match="three"):
        list(in_threads(work, items(100_000)))
    assert len(begun) <= AHEAD


def test_an_iterator_that_is_closed_ends_its_threads() -> None:
    before = threading.active_count()
    found = in_threads(str, items(10 * AHEAD))
    assert next(found) == "0"
    assert isinstance(found, Iterator)
    del found
    assert threading.active_count() == before
    assert len(taken) <= AHEAD
