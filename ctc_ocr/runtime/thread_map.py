"""Work on many items by threads, of which few are in memory at a time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from ctc_ocr.runtime.threads import available_cores

Item = TypeVar("Item")
Result = TypeVar("Result")
JOBS_PER_CORE = 32  # items that are handed to the threads at a time


def in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """function(item) of each item, in their order, by as many threads as there are cores. Raises what the function
    raises; items that no thread has begun by then are left.

    Not ThreadPoolExecutor.map, which makes the jobs for all items at once: each would take more memory than an item.
    """
    pool = ThreadPoolExecutor(available_cores())
    jobs = deque[Future[Result]]()
    try:
        for item in items:
            jobs.append(pool.submit(function, item))
            if len(jobs) >= JOBS_PER_CORE * available_cores():
                yield jobs.popleft().result()
        while jobs:
            yield jobs.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
