"""Progress bars: on a terminal only."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm

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
