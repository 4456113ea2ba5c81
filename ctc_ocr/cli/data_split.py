"""ctc-ocr data split: train.csv, validation.csv and test.csv, with no image in two of them."""

import argparse
import sys
from collections.abc import Sequence

from ctc_ocr.cli.arguments import integer, integers, non_empty
from ctc_ocr.cli.data_options import (
    add_source,
    add_valid_labels,
    given_alphabet,
    print_invalid,
    print_skipped,
    source_options,
)
from ctc_ocr.datasets.page_cutting import GROUPS
from ctc_ocr.datasets.splitting import (
    DEFAULT_FRACTIONS,
    PARTS,
    Part,
    Split,
    SplitOptions,
    are_fractions,
    split_source,
)
from ctc_ocr.errors import printable
from ctc_ocr.runtime.progress import shown_progress

PROG = "ctc-ocr data split"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    parser.add_argument(
        "out", type=non_empty, metavar="OUT", help=f"folder for {', '.join(f'{part}.csv' for part in PARTS)}"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what an earlier split wrote to OUT")
    sizes = parser.add_mutually_exclusive_group()
    shown = ",".join(map(str, DEFAULT_FRACTIONS))
    sizes.add_argument(
        "--fractions", type=_fractions, default=DEFAULT_FRACTIONS, metavar="A,B,C",
        help=f"fractions of the samples for {', '.join(PARTS)} (default: {shown})",
    )  # fmt: skip
    sizes.add_argument("--shares", type=_fractions, dest="fractions", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    sizes.add_argument(
        "--counts", type=integers, metavar="A,B,C",
        help="numbers of samples, 0 for a part of named groups; others are in no part",
    )  # fmt: skip
    grouped = parser.add_mutually_exclusive_group()
    grouped.add_argument(
        "--by", choices=GROUPS, help="keep the samples of a page or a book together: of a folder that data cut wrote"
    )
    grouped.add_argument(
        "--group", metavar="REGEX",
        help="regular expression, searched in the names of image files (in their paths if it contains a /); samples "
        "with the same group (?P<group>...), or else first group, stay together",
    )  # fmt: skip
    for part in PARTS[1:]:
        parser.add_argument(
            f"--{part}_groups", type=_names, default=(), metavar="A,B,...",
            help=f"groups that make up the {part} part; samples of other groups are split one by one",
        )  # fmt: skip
    parser.add_argument("--seed", type=integer(0), default=0, help="seed of the random split (default: 0)")
    parser.add_argument(
        "--near_duplicates", action="store_true", help="report images of different parts that look nearly the same"
    )
    add_valid_labels(parser)


def _fractions(text: str) -> tuple[float, ...]:
    try:
        fractions = tuple(float(each) for each in text.split(","))
    except ValueError:
        fractions = ()
    if not are_fractions(fractions):
        raise argparse.ArgumentTypeError(
            f"expected {len(PARTS)} fractions separated by commas, with the sum 1, got {text!r}"
        )
    return fractions


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def split(arguments: argparse.Namespace) -> int:
    options = SplitOptions(
        arguments.fractions, arguments.counts, GROUPS.get(arguments.by, arguments.group), arguments.validation_groups,
        arguments.test_groups, arguments.seed, arguments.near_duplicates,
    )  # fmt: skip
    with shown_progress() as progress:
        written = split_source(
            arguments.source, arguments.out, options, source_options(arguments), alphabet=given_alphabet(arguments),
            max_units=arguments.max_units, only_alphabet=arguments.only_alphabet, overwrite=arguments.overwrite,
            progress=progress,
        )  # fmt: skip
    print_invalid(written.invalid, PROG)
    _print(written)
    if options.counts is None:
        _warn_of_empty_parts(written, options.fractions)
    return 0


def _warn_of_empty_parts(split: Split, fractions: Sequence[float]) -> None:
    """Parts that were wanted: what is to be done with them next would fail."""
    for part, fraction in zip(split.parts, fractions, strict=True):
        if fraction and not part.samples:
            print(
                f"{PROG}: the {part.name} part is empty: for a fraction of {fraction:g} there are too few samples, or "
                "too many that stay together; use other --fractions, or --counts",
                file=sys.stderr,
            )


def _print(split: Split) -> None:
    for part in split.parts:
        groups = "" if part.num_groups is None else f" of {part.num_groups} group{'s' * (part.num_groups != 1)}"
        print(f"{part.name}: {len(part.samples)} samples{groups}, {part.path or 'no file'}{_majority(part)}")
    print_skipped(split.num_skipped)
    if split.num_left_over:
        print(f"in no part: {split.num_left_over} samples")
    if split.num_duplicates:
        where = "not all in one part" if split.duplicates_across else "kept together"
        print(f"duplicates: {split.num_duplicates} images, {where}")
    if split.near_duplicates_across == ():
        print("near duplicates: none in different parts")
    for across in split.near_duplicates_across or ():
        print(f"near duplicates in {across.first} and {across.second}: {len(across.pairs)} images of {across.second}")
        for one, other in across.pairs:
            print(printable(f"  {one.image} ~ {other.image}"), file=sys.stderr)
    for across in split.duplicates_across:
        print(f"duplicates in {across.first} and {across.second}: {len(across.pairs)} images of {across.second}")
        for one, other in across.pairs:
            print(printable(f"  {one.image} = {other.image}"), file=sys.stderr)


def _majority(part: Part) -> str:
    found = part.majority()
    return f"; most frequent: {found[0]}, {found[1]:.2%}" if found else ""
