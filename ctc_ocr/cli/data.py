"""ctc-ocr data: fetch, cut, check, split, pack, preview, audit and correct labelled images."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from ctc_ocr.alphabet import Alphabet, write_lookup
from ctc_ocr.cli import data_audit, data_curve, data_cut, data_fetch, data_pages, data_split
from ctc_ocr.cli.arguments import Parser, add_hyperparameters, add_import, add_version, integer, non_empty
from ctc_ocr.cli.commands import listed, unknown
from ctc_ocr.cli.data_options import (
    add_network,
    add_source,
    add_valid_labels,
    given_alphabet,
    hyperparameters,
    names_to_choose,
    print_invalid,
    print_skipped,
    source_options,
    unchanged_alphabet,
)
from ctc_ocr.cli.running import inputs_of, refuse_inputs, run
from ctc_ocr.config.hyperparameters import options
from ctc_ocr.config.sections import Augmentation
from ctc_ocr.datasets.checking import check_sources
from ctc_ocr.datasets.packing import pack_source
from ctc_ocr.datasets.preview import preview
from ctc_ocr.datasets.sources.shards import MAX_SHARDS, PARTS
from ctc_ocr.datasets.summary import problem_lines, report, summary_lines
from ctc_ocr.errors import InputError
from ctc_ocr.images.region import WHOLE, Region
from ctc_ocr.runtime.atomic_files import replacing
from ctc_ocr.runtime.output_files import refuse_existing
from ctc_ocr.runtime.progress import shown_progress

PROG = "ctc-ocr data"
COMMANDS = {
    "check": "describe a source, and list every invalid sample with the reason",
    "split": "split a source into train, validation and test parts",
    "pack": "write a source into a RecordIO pack, for large sets",
    "preview": "draw images as the network sees them in training",
    "audit": "find labels that are probably wrong",
    "curve": "say how many labels are needed: accuracy against their number",
    "correct": "replace the labels whose suggestions were accepted",
    "cut": "cut pages with boxes into an image folder or a pack",
    "pages": "draw pages with boxes and glyphs, samples of each class and frequencies",
    "fetch": "fetch pages with boxes from where they are published",
}
PREPARATION = (
    "width", "height", "keep_ratio", "letterbox", "channels", "ink", "writing", "crop", "top_edge", "bottom_edge",
    "binarise", "grey", "normalise",
)  # fmt: skip

Body = Callable[[argparse.Namespace], int]
AddArguments = Callable[[argparse.ArgumentParser], None]


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status: 1 from `check` if a sample is invalid."""
    name, *others = (sys.argv[1:] if argv is None else argv) or [""]
    if name in COMMANDS:
        return run(f"{PROG} {name}", lambda argv: _run(name, argv), others, lambda: command_parser(name))
    if name in ("-h", "--help", "--version"):
        parser().parse_args([name])
    print(unknown(PROG, name, COMMANDS) if name else listed(PROG, COMMANDS), file=sys.stderr)
    return 2


def _run(name: str, argv: list[str]) -> int:
    body, _ = PARTS_OF[name]
    return body(command_parser(name).parse_args(argv))


def parser() -> argparse.ArgumentParser:
    """With all commands, for --help and the reference; each is parsed by a parser of its own."""
    made = Parser(prog=PROG, description="Prepare labelled images for training.")
    add_version(made)
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        _fill(commands.add_parser(name, help=text), name)
    return made


def command_parser(name: str) -> Parser:
    """The parser of one of COMMANDS."""
    return _fill(Parser(prog=f"{PROG} {name}"), name)


def _fill(made: Parser, name: str) -> Parser:
    _, add_arguments = PARTS_OF[name]
    made.description = f"{COMMANDS[name][0].upper()}{COMMANDS[name][1:]}."
    add_arguments(made)
    add_import(made)
    return made


def _add_check(command: argparse.ArgumentParser) -> None:
    add_source(command, several=True)
    add_valid_labels(command)
    add_network(command)
    command.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    command.add_argument(
        "--write_lookup", type=Path, metavar="FILE.json",
        help="write the alphabet of the labels, {unit: code}; that of --lookup or --alphabet is extended",
    )  # fmt: skip
    command.add_argument("--overwrite", action="store_true", help="replace the file of --write_lookup")


def _check(arguments: argparse.Namespace) -> int:
    settings = hyperparameters(arguments) if arguments.config or arguments.preset else None
    alphabet = given_alphabet(arguments)
    if arguments.write_lookup:
        _check_extended(arguments, alphabet)
        refuse_inputs("--write_lookup", arguments.write_lookup, inputs_of(arguments))
        refuse_existing([arguments.write_lookup], arguments.overwrite)
    elif arguments.overwrite:
        raise InputError("has no effect without --write_lookup", "--overwrite")
    with shown_progress() as progress:
        result = check_sources(
            arguments.source, source_options(arguments), alphabet=None if arguments.write_lookup else alphabet,
            steps_of=settings.geometry.steps_of if settings else None,
            region=Region.of(settings.data) if settings else WHOLE,
            max_units=arguments.max_units, only_alphabet=arguments.only_alphabet, progress=progress,
        )  # fmt: skip
    if arguments.json:
        print(json.dumps(report(result), indent=1))
    else:
        print("\n".join(summary_lines(result) + problem_lines(result)))
    if arguments.write_lookup and result.samples:
        _write_lookup(arguments.write_lookup, alphabet, result.alphabet(), shown=not arguments.json)
    return 1 if result.invalid else 0


def _check_extended(arguments: argparse.Namespace, alphabet: Alphabet | None) -> None:
    """Raises InputError for flags with which an alphabet cannot be extended."""
    if arguments.only_alphabet:
        raise InputError("has no effect with --write_lookup, which adds all new units", "--only_alphabet")
    if alphabet != unchanged_alphabet(arguments):
        raise InputError(
            "keeps the codes of the given alphabet, but --unicode_form or --strip_accents would change its units",
            "--write_lookup",
        )


def _write_lookup(path: Path, given: Alphabet | None, found: Alphabet, shown: bool) -> None:
    written = found if given is None else given.extended(found.units)
    write_lookup(path, written)
    if shown:
        new = "" if given is None else f", {len(written.units) - len(given.units)} of them new"
        print(f"Wrote {len(written.units)} units to {path}{new}")


def _add_pack(command: argparse.ArgumentParser) -> None:
    add_source(command)
    command.add_argument("out", type=non_empty, metavar="OUT", help=f"the pack is written to OUT{', OUT'.join(PARTS)}")
    add_valid_labels(command)
    command.add_argument(
        "--shards", type=integer(1, MAX_SHARDS), default=1, metavar="N",
        help="number of files that the images are divided among, OUT-0000-of-0008.rec and so on (default: 1, OUT.rec)",
    )  # fmt: skip
    command.add_argument("--overwrite", action="store_true", help="replace a pack of this name")


def _pack(arguments: argparse.Namespace) -> int:
    with shown_progress() as progress:
        pack = pack_source(
            arguments.source, arguments.out, source_options(arguments), alphabet=given_alphabet(arguments),
            max_units=arguments.max_units, only_alphabet=arguments.only_alphabet, overwrite=arguments.overwrite,
            shards=arguments.shards, progress=progress,
        )  # fmt: skip
    print_invalid(pack.invalid, f"{PROG} pack")
    print_skipped(pack.num_skipped)
    shards = f" ({pack.shards} shards)" if pack.shards > 1 else ""
    print(
        f"Packed {pack.num_samples} images in {pack.path}{shards}; {len(pack.alphabet.units)} units in "
        f"{pack.alphabet_file}"
    )
    return 0


def _add_preview(command: argparse.ArgumentParser) -> None:
    add_source(command)
    command.add_argument("out", metavar="OUT.png", type=Path, help="the picture to write")
    command.add_argument("--overwrite", action="store_true", help="replace OUT.png")
    command.add_argument("--count", type=integer(1, 10_000), default=40, help="number of images (default: 40)")
    command.add_argument("--font", metavar="FILE", help="font for the labels (default: the captcha package's)")
    add_network(command)
    augmentation = [name for name in options() if hasattr(Augmentation(), name)]
    group = command.add_argument_group("preparation and augmentation")
    add_hyperparameters(group, [*PREPARATION, "seed", *augmentation], suppress=True)


def _preview(arguments: argparse.Namespace) -> int:
    choose = names_to_choose(arguments)
    arguments.preset = arguments.preset or "word"  # the default of training on labelled images
    settings = hyperparameters(arguments)
    if arguments.out.suffix.lower() != ".png":
        raise InputError("the name must end in .png", arguments.out)
    refuse_inputs("OUT.png", arguments.out, inputs_of(arguments))
    refuse_existing([arguments.out], arguments.overwrite)
    with shown_progress() as progress:
        shown = preview(
            arguments.source, settings, source_options(arguments), count=arguments.count, font=arguments.font,
            choose=choose, progress=progress,
        )  # fmt: skip
    print_invalid(shown.invalid, f"{PROG} preview")
    with replacing(arguments.out) as temporary:
        shown.image.save(temporary, format="PNG")
    print(f"Wrote {arguments.count} images to {arguments.out} (seed {settings.training.seed})")
    return 0


# What each command does, and its arguments.
PARTS_OF: dict[str, tuple[Body, AddArguments]] = {
    "check": (_check, _add_check),
    "split": (data_split.split, data_split.add_arguments),
    "fetch": (data_fetch.fetch, data_fetch.add_arguments),
    "pages": (data_pages.pages, data_pages.add_arguments),
    "cut": (data_cut.cut, data_cut.add_arguments),
    "pack": (_pack, _add_pack),
    "preview": (_preview, _add_preview),
    "audit": (data_audit.run_audit, data_audit.add_audit),
    "curve": (data_curve.curve, data_curve.add_arguments),
    "correct": (data_audit.run_correct, data_audit.add_correct),
}
