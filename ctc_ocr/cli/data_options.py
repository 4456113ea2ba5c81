"""Arguments that the commands for labelled images share, and how their results are shown."""

import argparse
import itertools
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from ctc_ocr.alphabet import UNICODE_FORMS, Alphabet, read_lookups
from ctc_ocr.cli.arguments import fraction, integer, non_empty
from ctc_ocr.config import presets
from ctc_ocr.config.hyperparameters import Hyperparameters, options, read_config
from ctc_ocr.datasets.choices import CHOSEN
from ctc_ocr.datasets.samples import PAGE_OPTIONS, Problem, SourceOptions
from ctc_ocr.errors import InputError
from ctc_ocr.pages.charsets import CHARSETS
from ctc_ocr.pages.reading_order import DEFAULT_ORDER, READING_ORDERS
from ctc_ocr.pages.scopes import SCOPES

LIST_OPTIONS = ("delimiter", "encoding", "image_column")  # how images are found in a CSV file
LABEL_OPTIONS = (
    *LIST_OPTIONS, "splitter", "pattern", "unicode_form", "strip_accents", "label_column", "min_frequency",
    *PAGE_OPTIONS,
)  # fmt: skip


def add_source(parser: argparse.ArgumentParser, several: bool = False) -> None:
    """SOURCE, or with `several` one or more in a list, and how labels are found."""
    parser.add_argument(
        "source",
        type=non_empty,
        metavar="SOURCE",
        nargs="+" if several else None,
        help="folder of labelled images, file with their paths and labels, RecordIO pack (X.rec, or X if it is in "
        "shards), or NAME:ARGUMENT of a registered source; see docs/reference/data_formats.md",
    )
    add_label_options(parser.add_argument_group("how labels are found (default: recognised from the source)"))


def add_label_options(group: argparse._ArgumentGroup) -> None:
    """LABEL_OPTIONS: how labels are found."""
    group.add_argument("--delimiter", type=_character, metavar="C", help=r"CSV: character between fields; \t is a tab")
    group.add_argument(
        "--splitter",
        type=_character,
        metavar="C",
        help="CSV: character around each unit of a label; '' if each character is a unit",
    )
    group.add_argument(
        "--pattern",
        metavar="REGEX",
        help="folder: regular expression with a group (?P<label>...), searched in file names without suffix",
    )
    group.add_argument(
        "--unicode_form", choices=UNICODE_FORMS, default="", help="Unicode form for all labels (default: unchanged)"
    )
    group.add_argument(
        "--encoding", metavar="NAME", help="CSV: text encoding, such as cp1252 (default: UTF-8, or UTF-16 if so marked)"
    )
    for kind, what in (("image", "image paths"), ("label", "labels")):
        group.add_argument(
            f"--{kind}_column", metavar="COLUMN", help=f"CSV: column of the {what}: its name, or its number from 1"
        )
    group.add_argument("--strip_accents", action="store_true", help="remove accents from the letters of all labels")
    group.add_argument(
        "--min_frequency", type=integer(0), default=0, metavar="N",
        help="leave out samples with a unit that is in fewer than N of them (pages: in fewer than N boxes)",
    )  # fmt: skip
    _add_page_options(group)


def _add_page_options(group: argparse._ArgumentGroup) -> None:
    """PAGE_OPTIONS: what samples are cut out of pages with boxes."""
    group.add_argument("--scope", choices=SCOPES, help="pages: what a sample is (default: char)")
    group.add_argument(
        "--charset", metavar="NAMES",
        help=f"pages: characters of samples: {', '.join(CHARSETS)}, several separated by commas, or = and the "
        "characters (default: all)",
    )  # fmt: skip
    group.add_argument(
        "--seq_length", type=_lengths, metavar="N or A-B",
        help="pages: characters of a sequence, or the least and the greatest number (default: 3)",
    )  # fmt: skip
    group.add_argument("--seq_seed", type=integer(0), default=0, help="pages: seed of the lengths A-B (default: 0)")
    group.add_argument(
        "--reading_order", choices=READING_ORDERS, help=f"pages: rule by which lines end (default: {DEFAULT_ORDER})"
    )
    group.add_argument(
        "--mask_neighbours", action="store_true", help="pages: paint over other boxes with the level of the paper"
    )
    group.add_argument(
        "--margin", type=fraction, default=0.0, metavar="F",
        help="pages: margin around what is cut, in widths of a character (default: 0)",
    )  # fmt: skip
    group.add_argument(
        "--cut_size", metavar="SIZE",
        help="pages: size of what is cut: 64x64; x64 or 64x, which keep the ratio; or a scale, 0.5 (default: as it is)",
    )  # fmt: skip


def _lengths(text: str) -> tuple[int, int]:
    least, dash, most = text.partition("-")
    if not (least.isdecimal() and (most.isdecimal() if dash else True)):
        raise argparse.ArgumentTypeError(f"expected a number, or two such as 2-5, got {text!r}")
    return int(least), int(most if dash else least)


def _character(text: str) -> str:
    return "\t" if text == r"\t" else text


def add_taken(group: argparse._ArgumentGroup) -> None:
    """Which labels are valid: --lookup, --max_units and --only_alphabet."""
    group.add_argument(
        "--lookup", nargs="+", metavar="FILE.json",
        help="alphabet as {unit: code}; the units of several files are merged (default: the units of the labels)",
    )  # fmt: skip
    group.add_argument("--max_units", type=integer(0), default=0, help="maximum length of a label; 0: any (default: 0)")
    group.add_argument(
        "--only_alphabet", action="store_true",
        help="skip samples with units that are not in the alphabet of --lookup or --alphabet; they are not invalid",
    )  # fmt: skip


def add_valid_labels(parser: argparse.ArgumentParser) -> None:
    """Which labels are valid, for commands without hyperparameters: those of add_taken, and --alphabet."""
    group = parser.add_argument_group("which labels are valid (default: any)")
    add_taken(group)
    group.add_argument("--alphabet", metavar="CHARS", default=argparse.SUPPRESS, help="alphabet as its characters")


def given_alphabet(arguments: argparse.Namespace) -> Alphabet | None:
    """The alphabet of --lookup or --alphabet, changed as the labels are; None without them."""
    alphabet = unchanged_alphabet(arguments)
    if alphabet is None:
        if arguments.only_alphabet:
            raise InputError("has no effect without --lookup or --alphabet", "--only_alphabet")
        return None
    alphabet = alphabet.with_unicode_form(arguments.unicode_form)
    return alphabet.without_accents() if arguments.strip_accents else alphabet


def unchanged_alphabet(arguments: argparse.Namespace) -> Alphabet | None:
    """The alphabet as --lookup or --alphabet has it."""
    characters = getattr(arguments, "alphabet", None)
    if arguments.lookup and characters is not None:
        raise InputError("--lookup and --alphabet both set the alphabet: use one of them")
    if arguments.lookup:
        return read_lookups(arguments.lookup)
    return None if characters is None else Alphabet(tuple(characters))


def source_options(arguments: argparse.Namespace) -> SourceOptions:
    return SourceOptions(**{name: getattr(arguments, name) for name in LABEL_OPTIONS})


def print_skipped(count: int) -> None:
    """The number of samples that --only_alphabet left out."""
    if count:
        print(f"skipped: {count} samples with units that are not in the alphabet")


def add_network(parser: argparse.ArgumentParser) -> None:
    """--config and --preset."""
    group = parser.add_argument_group("the network that will read the images")
    group.add_argument("--config", metavar="FILE.json", help="hyperparameters, as in a model's PREFIX.json")
    group.add_argument("--preset", choices=presets.PRESETS, help="hyperparameters to start from")


def hyperparameters(
    arguments: argparse.Namespace,
    start: Mapping[str, Mapping[str, Any]] | None = None,
    task: Mapping[str, Mapping[str, Any]] | None = None,
) -> Hyperparameters:
    """From the flags that were given, or else --config, `start`, the changes of a `task`, --preset, the defaults."""
    config = _config_of(arguments)
    preset_training = presets.PRESETS[arguments.preset or "lstm"].get("training", {})
    default: dict[str, dict[str, Any]] = {}
    if getattr(arguments, "data", None) and "samples_per_epoch" not in preset_training:
        # The default is a number of captchas, which are endless, and does not suit labelled images.
        default = {"training": {"samples_per_epoch": 0}}
    flags: dict[str, dict[str, Any]] = {}
    for name, option in options().items():
        if name in arguments:
            flags.setdefault(option.section, {})[name] = getattr(arguments, name)
    found = presets.preset(arguments.preset or "lstm", task or {}, default, start or {}, config, flags)
    for name in itertools.chain.from_iterable(flags.values()):
        if reason := found.without_effect(name):
            raise InputError(f"has no effect {reason}", f"--{name}")
    return found


def _config_of(arguments: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """{section: {name: value}} of --config, which is read once: it may be a pipe, as of `<(command)`."""
    if "read_config" not in arguments:
        arguments.read_config = read_config(arguments.config) if arguments.config else {}
    found: dict[str, dict[str, Any]] = arguments.read_config
    return found


def names_to_choose(arguments: argparse.Namespace) -> tuple[str, ...]:
    """The hyperparameters that are chosen from labelled images: those of CHOSEN that no flag sets, nor the --config or
    --preset that was given. A preset always says what size its images are."""
    said = {*_config_of(arguments).get("data", {})}
    if arguments.preset:
        said |= {"height", "width", *presets.PRESETS[arguments.preset].get("data", {})}
    return tuple(name for name in CHOSEN if name not in arguments and name not in said)


def print_invalid(problems: Iterable[Problem], prog: str) -> None:
    """Invalid samples on stderr."""
    for problem in problems:
        print(f"{prog}: invalid: {problem}", file=sys.stderr)
