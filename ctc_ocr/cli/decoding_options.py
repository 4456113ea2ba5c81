"""The flags that choose how texts are found, for all commands that read images."""

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from ctc_ocr.cli.arguments import integer
from ctc_ocr.config.sections import MAX_VIEWS
from ctc_ocr.decoding.beam_search import MAX_WIDTH
from ctc_ocr.decoding.decoder import DEFAULT_BEAM_WIDTH, LENGTHS_BEAM_WIDTH, BoundDecoder, Decoder
from ctc_ocr.decoding.language_model import MAX_ORDER
from ctc_ocr.errors import InputError
from ctc_ocr.lengths import Lengths


def add_decoding(parser: argparse.ArgumentParser) -> None:
    """Add the flags, named as the fields of Decoder, but not --top_k, which only some commands have (see `add_top_k`).

    Flags that are not given are absent from the parsed arguments.
    """
    group = parser.add_argument_group("decoding", argument_default=argparse.SUPPRESS)
    group.add_argument(
        "--beam_width",
        type=integer(1, MAX_WIDTH),
        metavar="N",
        help="use prefix beam search and keep N prefixes at each time step (default: greedy decoding; "
        f"{DEFAULT_BEAM_WIDTH} if another option needs beam search, or {LENGTHS_BEAM_WIDTH} where the model knows the "
        "lengths of texts)",
    )
    group.add_argument(
        "--language_model",
        type=Path,
        metavar="FILE",
        help="prefer texts like those of this UTF-8 file, one per line",
    )
    group.add_argument(
        "--lm_order",
        type=integer(1, MAX_ORDER),
        metavar="N",
        help="maximum n of the language model's n-grams (default: 5)",
    )
    group.add_argument("--lm_weight", type=float, metavar="X", help="weight of the language model (default: 0.5)")
    group.add_argument("--length_bonus", type=float, metavar="X", help="added to the score per unit (default: 0)")
    group.add_argument("--words", type=Path, metavar="FILE", help="only output words of this UTF-8 file, one per line")
    group.add_argument(
        "--separators",
        metavar="CHARS",
        help="characters that may stand around words; '' for one word per image (default: a space)",
    )
    group.add_argument("--allowed", metavar="CHARS", help="only output these characters (default: all)")
    group.add_argument(
        "--lengths", type=lengths, metavar="N-M",
        help="how many units texts have: a number, a range, or any (default: as the labels that the model was trained "
        "on, unless an image clearly shows another number)",
    )  # fmt: skip
    group.add_argument(
        "--views",
        type=integer(1, MAX_VIEWS),
        metavar="N",
        help="read N views of each image, as it is and slightly changed, and take the text that is likeliest in all; "
        "takes N times as long (default: as the model says)",
    )


def lengths(text: str) -> Lengths:
    """The type of an argument."""
    try:
        return Lengths.parse(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(error.reason) from None


def add_top_k(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--top_k",
        type=integer(1, MAX_WIDTH),
        metavar="N",
        default=argparse.SUPPRESS,
        help="give the N most probable texts of each image (default: 1)",
    )


def decoder(arguments: argparse.Namespace) -> Decoder:
    """The decoder that the flags describe. Raises InputError for values out of range and for flags without effect."""
    names = {field.name for field in fields(Decoder)}
    given = {name: value for name, value in vars(arguments).items() if name in names}
    _require(given, "language_model", "lm_order", "lm_weight")
    _require(given, "words", "separators")
    return Decoder(**given)


def _require(given: dict[str, Any], needed: str, *names: str) -> None:
    without_effect = [name for name in names if name in given and needed not in given]
    if without_effect:
        raise InputError(f"has no effect without --{needed}", f"--{without_effect[0]}")


def warn_of_skipped_words(decoder: BoundDecoder, arguments: argparse.Namespace, prog: str) -> None:
    """Tell on stderr which words of --words the alphabet cannot spell."""
    words = decoder.search.words if decoder.search else None
    if words and words.skipped:
        skipped = f"{len(words.skipped)} word(s) that the alphabet cannot spell, such as {words.skipped[0]!r}"
        print(f"{prog}: {arguments.words}: skipped {skipped}", file=sys.stderr)
