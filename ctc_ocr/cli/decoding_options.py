"""The flags that say how images are read, for all commands that read some."""

import argparse
import sys
from pathlib import Path

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.cli.common import integer
from ctc_ocr.decoding.beam_search import WIDEST, BeamSearch
from ctc_ocr.decoding.decoder import Decoder
from ctc_ocr.decoding.language_model import MAX_ORDER, LanguageModel
from ctc_ocr.decoding.mask import allowed_classes
from ctc_ocr.decoding.word_list import WordList
from ctc_ocr.errors import InputError

DEFAULT_WIDTH = 10


def add_decoding(parser: argparse.ArgumentParser) -> None:
    """All of them but --top_k, which is of use only where several readings are shown (see `add_top_k`).

    Those not given are absent from the parsed arguments.
    """
    group = parser.add_argument_group("how texts are found", argument_default=argparse.SUPPRESS)
    group.add_argument(
        "--beam_width",
        type=integer(1, WIDEST),
        metavar="N",
        help=f"prefix beam search with so many prefixes (default: the best path alone; {DEFAULT_WIDTH} where another "
        "of these options needs a search)",
    )
    group.add_argument(
        "--language_model", type=Path, metavar="TEXT", help="prefer what is like the lines of this UTF-8 file"
    )
    group.add_argument(
        "--lm_order",
        type=integer(1, MAX_ORDER),
        metavar="N",
        help="longest stretch of units it knows (default: 5)",
    )
    group.add_argument("--lm_weight", type=float, metavar="X", help="weight of the language model (default: 0.5)")
    group.add_argument("--length_bonus", type=float, metavar="X", help="added to the score for each unit (default: 0)")
    group.add_argument("--words", type=Path, metavar="FILE", help="read only words of this UTF-8 file, one a line")
    group.add_argument(
        "--separators", metavar="CHARS", help="what may stand around words; '' for one word an image (default: a space)"
    )
    group.add_argument("--allowed", metavar="CHARS", help="read only these characters (default: the model's alphabet)")


def add_top_k(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--top_k",
        type=integer(1, WIDEST),
        metavar="N",
        default=argparse.SUPPRESS,
        help="give the N most probable readings of each image (default: 1)",
    )


def decoder(arguments: argparse.Namespace, alphabet: Alphabet, prog: str) -> Decoder:
    """What the flags ask for. Raises InputError for files and values that do not do."""
    given = vars(arguments)
    _refuse_lonely(given, "language_model", "lm_order", "lm_weight")
    _refuse_lonely(given, "words", "separators")
    allowed = allowed_classes(alphabet, given["allowed"]) if "allowed" in given else None
    if not given.keys() & {"beam_width", "top_k", "language_model", "length_bonus", "words"}:
        return Decoder(None, allowed)
    top_k = given.get("top_k", 1)
    model = words = None
    if "language_model" in given:
        model = LanguageModel.from_text(given["language_model"], alphabet, given.get("lm_order", 5))
    if "words" in given:
        words = WordList.from_file(given["words"], alphabet, given.get("separators", " "))
        if words.skipped:
            told = f"{len(words.skipped)} word(s) that the alphabet cannot spell, {words.skipped[0]!r} first"
            print(f"{prog}: {given['words']}: left out {told}", file=sys.stderr)
    width = given.get("beam_width", max(DEFAULT_WIDTH, top_k))
    search = BeamSearch(width, top_k, model, given.get("lm_weight", 0.5), given.get("length_bonus", 0.0), words)
    return Decoder(search, allowed)


def _refuse_lonely(given: dict[str, object], needed: str, *names: str) -> None:
    lonely = [name for name in names if name in given and needed not in given]
    if lonely:
        raise InputError(f"--{lonely[0]} means nothing without --{needed}")
