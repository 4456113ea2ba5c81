"""What the data commands share: their arguments, looking at a source with a progress bar, and what is said of it."""

import argparse
import itertools
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ctc_ocr.alphabet import Alphabet, read_lookups
from ctc_ocr.cli.common import integer
from ctc_ocr.config import presets
from ctc_ocr.config.hyperparameters import Hyperparameters, options, read_sections
from ctc_ocr.datasets.checking import Check, check
from ctc_ocr.datasets.samples import Problem, Sample, SourceOptions
from ctc_ocr.datasets.sources import read_source
from ctc_ocr.errors import InputError, RunError

LABEL_OPTIONS = ("delimiter", "splitter", "pattern", "unicode_form")
FORMS = ("NFC", "NFD", "NFKC", "NFKD")


def add_source(parser: argparse.ArgumentParser) -> None:
    """SOURCE, and how its labels are found."""
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="CSV file, RecordIO pack (.rec), or folder of labelled images: see docs/data.md",
    )
    add_label_options(parser.add_argument_group("how labels are found (default: as the source's content shows)"))


def add_label_options(group: argparse._ArgumentGroup) -> None:
    """LABEL_OPTIONS: how labels are found."""
    group.add_argument("--delimiter", type=_character, metavar="C", help=r"CSV: between path and label; \t is a tab")
    group.add_argument(
        "--splitter",
        type=_character,
        metavar="C",
        help="CSV: around the units of a label; '' where characters are units",
    )
    group.add_argument(
        "--pattern", metavar="REGEX", help="folder: the group (?P<label>...) of this, searched in names without suffix"
    )
    group.add_argument("--unicode_form", choices=FORMS, default="", help="normal form of Unicode that labels are given")


def _character(text: str) -> str:
    return "\t" if text == r"\t" else text


def add_taken(group: argparse._ArgumentGroup) -> None:
    """Which labels are taken."""
    group.add_argument(
        "--lookup", nargs="+", metavar="FILE.json",
        help="alphabet as {unit: code}; of several files, all units (default: what is in the labels)",
    )  # fmt: skip
    group.add_argument("--max_units", type=integer(0), default=0, help="longest label; 0 is any (default: 0)")


def given_alphabet(arguments: argparse.Namespace) -> Alphabet | None:
    """That of --lookup or --alphabet; None where neither is given."""
    characters = getattr(arguments, "alphabet", None)
    if arguments.lookup and characters is not None:
        raise InputError("--lookup and --alphabet both give the alphabet: take one of them")
    if arguments.lookup:
        return read_lookups(arguments.lookup).with_unicode_form(arguments.unicode_form)
    return None if characters is None else Alphabet(tuple(characters)).with_unicode_form(arguments.unicode_form)


def source_options(arguments: argparse.Namespace) -> SourceOptions:
    return SourceOptions(arguments.delimiter, arguments.splitter, arguments.pattern, arguments.unicode_form)


def add_network(parser: argparse.ArgumentParser) -> None:
    """--config and --preset."""
    group = parser.add_argument_group("the network that is to read the images")
    group.add_argument("--config", metavar="FILE.json", help="hyperparameters, as in a model's PREFIX.json")
    group.add_argument("--preset", choices=presets.PRESETS, help="hyperparameters to start from")


def hyperparameters(arguments: argparse.Namespace) -> Hyperparameters:
    """The flags of hyperparameters that were given, over --config, over --preset, over the defaults."""
    config = read_sections(arguments.config) if arguments.config else {}
    if getattr(arguments, "data", None):
        # Whatever the preset has for captchas, which there is no end of.
        config = {**config, "training": {"samples_per_epoch": 0, **config.get("training", {})}}
    flags: dict[str, dict[str, Any]] = {}
    for name, option in options().items():
        if name in arguments:
            flags.setdefault(option.section, {})[name] = getattr(arguments, name)
    found = presets.preset(arguments.preset or "lstm", config, flags)
    for name in itertools.chain.from_iterable(flags.values()):
        if why := found.without_effect(name):
            raise InputError(f"--{name} has no effect {why}")
    return found


def check_with_progress(
    found: tuple[list[Sample], list[Problem]],
    alphabet: Alphabet | None = None,
    steps: Callable[[int, int], int] | None = None,
    max_units: int = 0,
) -> Check:
    """Check what a source gave, with a progress bar on a terminal."""
    samples, problems = found
    with progress_bar(len(samples)) as bar:
        return check(samples, problems, alphabet=alphabet, steps=steps, max_units=max_units, progress=bar.update)


def progress_bar(total: int) -> "tqdm[None]":
    return tqdm(total=total, unit="image", disable=not sys.stderr.isatty())


def good_samples(
    arguments: argparse.Namespace, prog: str, alphabet: Alphabet | None = None, max_units: int = 0
) -> Check:
    """Read and check the source, and say on stderr what is left out. Raises RunError where nothing is left."""
    checked = check_with_progress(read_source(arguments.source, source_options(arguments)), alphabet, None, max_units)
    tell_dropped(checked, prog)
    if not checked.samples:
        raise RunError(f"none of its {len(checked.dropped)} samples can be used", arguments.source)
    return checked


def tell_dropped(checked: Check, prog: str) -> None:
    for problem in checked.dropped:
        print(f"{prog}: left out: {problem}", file=sys.stderr)


def refuse_existing(paths: Iterable[Path], overwrite: bool) -> None:
    """Make the folder that the files will be in. Raises InputError where one is there already, unless `overwrite`."""
    for path in paths:
        if path.exists() and (not overwrite or path.is_dir()):
            way = "it is a folder" if path.is_dir() else "replace it with --overwrite, or take another name"
            raise InputError(f"{path} is there already: {way}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"not a folder that can be written to ({error.strerror})", path.parent) from None
