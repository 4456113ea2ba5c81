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


def chosen_model(path: str, epoch: int | str | None) -> tuple[str, int | None]:
    """(prefix, epoch) of the model that is meant; epoch None: the highest.

    The path is a prefix, a PREFIX-0001.params, or a folder with one model in it; of a prefix and a folder with the same
    name, the prefix. Raises InputError where there is no one model, and where no best epoch is known.
    """
    from ctc_ocr.checkpoint import best_epoch, epochs, split_name

    prefix, named = path, None
    if not epochs(path):
        prefix, named = split_name(path)
        if named is None and Path(path).is_dir():
            prefix = _only_model(Path(path))
    if named is not None and epoch not in (None, named):
        raise InputError(f"{path} is epoch {named}: --epoch {epoch} is another, or to be found out")
    if epoch != BEST:
        return prefix, named if epoch is None else int(epoch)
    found = best_epoch(prefix)
    if found is None:
        raise InputError(f"{prefix}-history.csv tells of no epoch that is there: which is the best is not known")
    return prefix, found


def _only_model(folder: Path) -> str:
    """The prefix of the one model in a folder (else InputError)."""
    ending = "-symbol.json"
    prefixes = sorted(str(each)[: -len(ending)] for each in folder.iterdir() if each.name.endswith(ending))
    if len(prefixes) != 1:
        found = ": " + ", ".join(prefixes) if prefixes else ""
        raise InputError(f"{folder}: {len(prefixes)} models in this folder{found}; one is expected, or name its prefix")
    return prefixes[0]
