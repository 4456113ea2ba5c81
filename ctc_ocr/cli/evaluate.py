"""ctc-ocr evaluate: measure how well a model reads labelled images."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ctc_ocr.cli.arguments import Parser, add_device_options, add_import, add_version, fraction
from ctc_ocr.cli.data_options import add_source, source_options
from ctc_ocr.cli.decoding_options import add_decoding, decoder, warn_of_skipped_words
from ctc_ocr.cli.evaluation_table import table
from ctc_ocr.cli.model_options import (
    add_ink,
    add_model,
    files_of_model,
    find_model,
    reader,
    refuse_model,
    warn_of_inverted,
)
from ctc_ocr.cli.running import refuse_inputs, run
from ctc_ocr.decoding.decoder import Decoder
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.inference.readings_csv import Reading, write_readings
from ctc_ocr.runtime.atomic_files import is_device, replacing
from ctc_ocr.runtime.output_files import refuse_existing
from ctc_ocr.runtime.progress import shown_progress
from ctc_ocr.runtime.text_files import read_json
from ctc_ocr.runtime.threads import set_threads

if TYPE_CHECKING:
    from ctc_ocr.inference.evaluate import Evaluation

PROG = "ctc-ocr evaluate"


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status: 1 if a sample is invalid."""
    return run(PROG, _evaluate, argv, parser)


def parser() -> argparse.ArgumentParser:
    made = Parser(
        prog=PROG,
        usage="%(prog)s [--model MODEL] SOURCE ... [options]",
        description="Measure how well a model reads labelled images.",
    )
    add_source(made, several=True)
    add_model(made)
    made.add_argument("--json", action="store_true", help="print all figures as JSON instead of the table")
    made.add_argument("--report", type=Path, metavar="FILE.json", help="write all figures into this file too")
    made.add_argument(
        "--out", type=Path, metavar="FILE.csv",
        help="write label, prediction, confidences and edits of each image into this file, worst first",
    )  # fmt: skip
    made.add_argument("--overwrite", action="store_true", help="replace the file of --out if it exists")
    made.add_argument(
        "--min_confidence",
        type=fraction,
        default=0.0,
        metavar="P",
        help="show coverage and accuracy without predictions below this confidence too",
    )
    add_ink(made)
    add_decoding(made)
    add_device_options(made)
    add_import(made)
    add_version(made)
    return made


def _evaluate(argv: list[str]) -> int:
    arguments = _parse(argv)
    _check_out(arguments)
    if arguments.report:
        _check_report(arguments)
    how = decoder(arguments)
    set_threads(arguments.cpu)
    readings: list[Reading] = []
    evaluation = _evaluation(arguments, how, readings.append if arguments.out else None)
    for error in evaluation.invalid:
        print(f"{PROG}: invalid sample: {error}", file=sys.stderr)
    if evaluation.num_invalid > len(evaluation.invalid):
        print(f"{PROG}: {evaluation.num_invalid - len(evaluation.invalid)} more invalid samples", file=sys.stderr)
    if evaluation.has_unusual_ink:
        warn_of_inverted(evaluation.num_inverted, evaluation.ink, PROG)
    if not evaluation.num_samples:
        raise RunError(f"none of its {evaluation.num_invalid} samples is valid", evaluation.source)
    _warn_of_known(evaluation)
    text = json.dumps(evaluation.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    try:  # files first: the program that reads what is printed may end before
        if arguments.report:
            _write(arguments.report, f"{text}\n")
        if arguments.out:
            write_readings(arguments.out, readings)
    finally:
        print(text if arguments.json else table(evaluation.result))
    return 1 if evaluation.num_invalid else 0


def _parse(argv: list[str]) -> argparse.Namespace:
    made = parser()
    arguments = made.parse_intermixed_args(argv)  # a flag may stand between two sources
    if arguments.model is made.get_default("model") and len(arguments.source) > 1:
        arguments.model, *arguments.source = arguments.source  # MODEL SOURCE, as in version 0.2
    return arguments


def _warn_of_known(evaluation: "Evaluation") -> None:
    """Figures of images that the model has seen say nothing about new ones."""
    for count, how in (
        (evaluation.num_trained_on, "was trained on"),
        (evaluation.num_validated_with, "was validated with, which chose its best epoch"),
    ):
        if count:
            print(
                f"{PROG}: {count} of {evaluation.num_samples} images are images that the model {how}: "
                "new images may be read worse",
                file=sys.stderr,
            )


def _check_report(arguments: argparse.Namespace) -> None:
    refuse_inputs("--report", arguments.report, {f"SOURCE {each}": each for each in arguments.source})
    if is_device(arguments.report):
        return
    refuse_existing([arguments.report], overwrite=True)
    if arguments.report.is_file() and not _is_report(arguments.report):
        raise InputError("exists, and is not an earlier report: use another name", arguments.report)


def _is_report(path: Path) -> bool:
    """Whether an earlier command has written a file, which a new report may replace: not a model, nor labels."""
    if not path.stat().st_size:
        return True
    try:
        found = read_json(path)
    except InputError:
        return False
    return isinstance(found, dict) and {"model", "epoch", "samples", "invalid"} <= found.keys()


def _check_out(arguments: argparse.Namespace) -> None:
    """It is not replaced as the file of --report is: it may have been corrected since."""
    if not arguments.out:
        if arguments.overwrite:
            raise InputError("has no effect without --out", "--overwrite")
        return
    inputs = {f"SOURCE {each}": each for each in arguments.source}
    files = {f"the model's {each}": each for each in files_of_model(arguments.model)}
    refuse_inputs("--out", arguments.out, {**inputs, **files, "--report": arguments.report})
    if not is_device(arguments.out):
        refuse_existing([arguments.out], arguments.overwrite)


def _evaluation(
    arguments: argparse.Namespace, how: Decoder, on_reading: Callable[[Reading], None] | None
) -> "Evaluation":
    # MXNet reads the number of threads when it is imported, so not above.
    from ctc_ocr.inference.evaluate import evaluate, open_sources

    for each in arguments.source:
        refuse_model(each, "labelled images")
    model, epoch = find_model(arguments, PROG)
    sources = open_sources(arguments.source, source_options(arguments))
    with reader(arguments, model, epoch, how, sources.total) as opened, shown_progress() as progress:
        warn_of_skipped_words(opened.decoder, arguments, PROG)
        return evaluate(
            opened, sources, min_confidence=arguments.min_confidence, progress=progress, on_reading=on_reading
        )


def _write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape")
