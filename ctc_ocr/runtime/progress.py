"""How far work is, as functions and as bars; bars are shown on a terminal only."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

Item = TypeVar("Item")
Progress = Callable[[int, int], object]  # called with what is done and the total


def progress_bar(total: int, unit: str = "image", show: bool = True) -> "tqdm[None]":
    """A bar on stderr with speed and time left; use it as a context manager. Nothing if stderr is not a terminal."""
    from tqdm import tqdm  # not above: it takes a tenth of the time in which a single image is read

    return tqdm(total=total, unit=unit, disable=not (show and sys.stderr is not None and sys.stderr.isatty()))


@contextmanager
def shown_progress(unit: str = "image", show: bool = True) -> Iterator[Progress]:
    """A progress bar as a function (done, total), for functions that report their progress."""
    with progress_bar(0, unit, show) as bar:

        def update(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield update


def reporting(items: Iterable[Item], total: int, progress: Progress | None) -> Iterator[Item]:
    """The items; after each has been used, `progress` is called with how many that were, and the total."""
    for number, item in enumerate(items, start=1):
        yield item
        if progress is not None:
            progress(number, total)
