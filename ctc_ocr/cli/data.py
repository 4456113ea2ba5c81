"""ctc-ocr data: check, split, pack and preview labelled images."""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ctc_ocr.alphabet import Alphabet, write_lookup
from ctc_ocr.cli import data_split
from ctc_ocr.cli.common import add_hyperparameters, add_version, integer, run
from ctc_ocr.cli.data_options import (
    add_network,
    add_source,
    add_taken,
    check_with_progress,
    given_alphabet,
    good_samples,
    hyperparameters,
    refuse_existing,
    source_options,
    tell_dropped,
)
from ctc_ocr.config.hyperparameters import Hyperparameters, options
from ctc_ocr.config.sections import Augmentation
from ctc_ocr.datasets.checking import Check
from ctc_ocr.datasets.labelled import LabelledSource
from ctc_ocr.datasets.sources import open_source, read_source, samples_and_problems
from ctc_ocr.datasets.sources.packs import PARTS, write_pack
from ctc_ocr.datasets.summary import problem_lines, summary_lines
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.images.contact_sheet import contact_sheet
from ctc_ocr.rendering.fonts import find_fonts
from ctc_ocr.runtime.atomic_files import replacing

PROG = "ctc-ocr data"
SEEN = ("width", "height", "keep_ratio", "channels", "ink", "normalise")  # what else decides how an image is seen


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status: 1 from `check` where a sample would be dropped."""
    return run(PROG, _data, argv)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog=PROG, description="See to labelled images before a network is trained on them.")
    add_version(made)
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    for name, body, add_arguments, told in (
        ("check", _check, _add_check, "what is in a source, and every sample that would be dropped, with the reason"),
        ("split", data_split.split, data_split.add_arguments, "divide a source into train, validation and test"),
        ("pack", _pack, _add_pack, "put a source into one RecordIO file, for large sets"),
        ("preview", _preview, _add_preview, "a picture of what the network will see in training"),
    ):
        command = commands.add_parser(name, help=told, description=told[0].upper() + told[1:] + ".")
        add_arguments(command)
        command.set_defaults(body=body)
    return made


def _data(argv: list[str]) -> int:
    arguments = parser().parse_args(argv)
    status: int = arguments.body(arguments)
    return status


def _add_labels(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("which labels are taken (default: any)")
    add_taken(group)
    group.add_argument("--alphabet", metavar="CHARS", default=argparse.SUPPRESS, help="alphabet as its characters")


def _add_check(command: argparse.ArgumentParser) -> None:
    add_source(command)
    _add_labels(command)
    add_network(command)
    command.add_argument("--json", action="store_true", help="one JSON object instead of text")
    command.add_argument(
        "--write_lookup", type=Path, metavar="FILE.json", help="write the labels' alphabet, {unit: code}"
    )
    command.add_argument("--overwrite", action="store_true", help="replace the file of --write_lookup")


def _check(arguments: argparse.Namespace) -> int:
    steps = hyperparameters(arguments).geometry.steps_of if arguments.config or arguments.preset else None
    alphabet = given_alphabet(arguments)
    if arguments.write_lookup:
        refuse_existing([arguments.write_lookup], arguments.overwrite)
    rows = open_source(arguments.source, source_options(arguments))
    checked = check_with_progress(samples_and_problems(rows, arguments.source), alphabet, steps, arguments.max_units)
    print(
        _as_json(checked, rows.form)
        if arguments.json
        else "\n".join(summary_lines(checked, rows.form) + problem_lines(checked))
    )
    if arguments.write_lookup and checked.samples:
        write_lookup(arguments.write_lookup, Alphabet.from_labels(sample.units for sample in checked.samples))
    return 1 if checked.dropped else 0


def _as_json(checked: Check, form: str) -> str:
    told = {"drops": checked.dropped, "notes": checked.notes}
    lists = {name: [{"where": each.where, "reason": each.reason} for each in told[name]] for name in told}
    return json.dumps({"labels": form, **checked.summary(), **lists}, indent=1)


def _add_pack(command: argparse.ArgumentParser) -> None:
    add_source(command)
    command.add_argument("out", metavar="OUT", help=f"beginning of the names of OUT{', OUT'.join(PARTS)}")
    _add_labels(command)
    command.add_argument("--overwrite", action="store_true", help="replace a pack of this name")


def _pack(arguments: argparse.Namespace) -> int:
    prefix = Path(arguments.out.removesuffix(PARTS[0]))
    alphabet = given_alphabet(arguments)
    refuse_existing([Path(f"{prefix}{suffix}") for suffix in PARTS], arguments.overwrite)
    checked = good_samples(arguments, f"{PROG} pack", alphabet, arguments.max_units)
    alphabet = alphabet or Alphabet.from_labels(sample.units for sample in checked.samples)
    try:
        count = write_pack(prefix, tqdm(checked.samples, unit="image", disable=not sys.stderr.isatty()), alphabet)
    except OSError as error:
        raise RunError(f"{prefix}{PARTS[0]}: {error.strerror}") from None
    print(f"Packed {count} images in {prefix}{PARTS[0]}; {len(alphabet.units)} units in {prefix}{PARTS[-1]}")
    return 0


def _add_preview(command: argparse.ArgumentParser) -> None:
    add_source(command)
    command.add_argument("out", metavar="OUT.png", type=Path, help="the picture to write")
    command.add_argument("--overwrite", action="store_true", help="replace OUT.png")
    command.add_argument("--count", type=integer(1, 10_000), default=40, help="images on it (default: 40)")
    command.add_argument("--font", metavar="FILE", help="font for the labels (default: the captcha package's)")
    add_network(command)
    known = options()
    augmentation = [name for name in known if hasattr(Augmentation(), name)]
    add_hyperparameters(command.add_argument_group("how they are seen"), [*SEEN, "seed", *augmentation], suppress=True)


def _preview(arguments: argparse.Namespace) -> int:
    arguments.preset = arguments.preset or "word"  # as training on labelled images has it
    settings = hyperparameters(arguments)
    fonts = [*(find_fonts(arguments.font) if arguments.font else ()), *find_fonts(None)]
    if arguments.out.suffix.lower() != ".png":
        raise InputError("the name must end in .png", arguments.out)
    refuse_existing([arguments.out], arguments.overwrite)
    samples, problems = read_source(arguments.source, source_options(arguments))
    generator = np.random.default_rng(settings.training.seed)
    chosen = [samples[index] for index in generator.permutation(len(samples))[: arguments.count]]
    checked = check_with_progress((chosen, problems), steps=settings.geometry.steps_of)
    tell_dropped(checked, f"{PROG} preview")
    if not checked.samples:
        raise RunError(f"none of {len(checked.dropped)} samples can be used", arguments.source)
    images, labels = _as_trained(checked, settings, arguments.count)
    with replacing(arguments.out) as temporary:
        contact_sheet(images, labels, fonts).save(temporary, format="PNG")
    print(f"Wrote {len(images)} images to {arguments.out} (seed {settings.training.seed})")
    return 0


def _as_trained(checked: Check, settings: Hyperparameters, count: int) -> tuple[list[Any], list[str]]:
    """`count` images (H, W) or (H, W, 3) uint8 as they come to the network alone, and their labels."""
    single = replace(settings, training=replace(settings.training, batch_size=1))
    images, labels = [], []
    for number in range(count):
        index = number % len(checked.samples)
        sample = checked.samples[index]
        # A source of its own for each, so that each is shown; its batches differ in how they are changed.
        codes = Alphabet.from_labels([sample.units]).encode(sample.units)
        source = LabelledSource([sample], [codes], [checked.sizes[index]], single, max_length=len(codes), shuffle=True)
        arrays = {name: np.empty(spec.shape, spec.dtype) for name, spec in source.specs().items()}
        source.fill(number, arrays)
        width = int(arrays["width"][0]) if "width" in arrays else settings.data.width
        images.append(arrays["images"][0][:, :width])
        labels.append(sample.label)
    return images, labels
