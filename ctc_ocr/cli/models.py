"""Which model is meant."""

import argparse
from pathlib import Path

from ctc_ocr.errors import InputError

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


def _epoch(text: str) -> int | str:
    if text == BEST or text.isdecimal():
        return text if text == BEST else int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is neither a whole number nor {BEST!r}")


def chosen_epoch(prefix: str, epoch: int | str | None) -> int | None:
    """The number of the epoch that is meant; None: the highest. Raises InputError where no best one is known."""
    from ctc_ocr.checkpoint import best_epoch

    if epoch != BEST:
        return None if epoch is None else int(epoch)
    found = best_epoch(prefix)
    if found is None:
        raise InputError(f"{prefix}-history.csv tells of no epoch that is there: which is the best is not known")
    return found


def find_model(path: str) -> str:
    """The prefix that is meant: the path itself, or that of the one model in a folder (else InputError)."""
    if not Path(path).is_dir():
        return path
    ending = "-symbol.json"
    prefixes = sorted(str(each)[: -len(ending)] for each in Path(path).glob(f"*{ending}"))
    if len(prefixes) != 1:
        found = ": " + ", ".join(prefixes) if prefixes else ""
        raise InputError(f"{path}: {len(prefixes)} models in this folder{found}; one is expected, or name its prefix")
    return prefixes[0]
