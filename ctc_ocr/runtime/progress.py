"""Progress bars: on a terminal only."""

import sys

from tqdm import tqdm


def progress_bar(total: int, unit: str = "image", show: bool = True) -> "tqdm[None]":
    """A bar on stderr with speed and time left; use it as a context manager. Nothing if stderr is not a terminal."""
    return tqdm(total=total, unit=unit, disable=not (show and sys.stderr is not None and sys.stderr.isatty()))
