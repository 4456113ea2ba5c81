"""Which model is meant."""

import argparse
import sys

from ctc_ocr.errors import InputError
from ctc_ocr.images.pixels import Pixels, grey, has_light_ink

BEST = "best"


def add_epoch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--epoch",
        type=_epoch,
        metavar="N",
        help="epoch of the model, or `best` by its validation (default: the highest)",
    )


def add_ink(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ink",
        choices=("dark", "light", "auto"),
        help="whether the text is darker or lighter than its ground; auto looks at each image (default: the model's)",
    )


class InkWatch:
    """Notices images whose ink is not what a model takes it for. It cannot know what the model was trained on: one that
    learned from light ink as it is reads it as it is."""

    def __init__(self, ink: str) -> None:
        self._ink = ink
        self._strange = 0

    def look(self, image: Pixels) -> None:
        """An image (H, W) or (H, W, 3) uint8 as it was read."""
        if self._ink != "auto":
            self._strange += has_light_ink(grey(image)) != (self._ink == "light")

    def report(self, prog: str) -> None:
        """One line on stderr if there were any."""
        if self._strange:
            other = "light ink on dark paper" if self._ink == "dark" else "dark ink on light paper"
            print(
                f"{prog}: {self._strange} image(s) look like {other}, which the model may not have been trained on; "
                "--ink dark, light or auto says what is to be turned over",
                file=sys.stderr,
            )


def _epoch(text: str) -> int | str:
    if text == BEST or text.isdecimal():
        return text if text == BEST else int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is neither a whole number nor {BEST!r}")


def chosen_model(path: str, epoch: int | str | None) -> tuple[str, int | None]:
    """(prefix, epoch) of the model that is meant; epoch None: the highest. See checkpoint.located for the path.

    Raises InputError where there is no one model, and where no best epoch is known.
    """
    from ctc_ocr.checkpoint.run_files import best_epoch, resolve_model

    prefix, named = resolve_model(path)
    if named is not None and epoch not in (None, named):
        raise InputError(f"{path} is epoch {named}: --epoch {epoch} is another, or to be found out")
    if epoch != BEST:
        return prefix, named if epoch is None else int(epoch)
    found = best_epoch(prefix)
    if found is None:
        raise InputError(f"{prefix}-history.csv tells of no epoch that is there: which is the best is not known")
    return prefix, found
