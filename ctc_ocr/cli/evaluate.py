"""ctc-ocr evaluate: how well a model reads labelled images."""

import argparse
import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctc_ocr.cli.common import add_device_options, add_version, fraction, refuse_inputs, run
from ctc_ocr.cli.data_options import add_source, progress_bar, refuse_existing, source_options
from ctc_ocr.cli.decoding_options import add_decoding, decoder, warn_of_skipped_words
from ctc_ocr.cli.evaluation_table import table
from ctc_ocr.cli.models import InkWatch, add_epoch, add_ink, chosen_model
from ctc_ocr.datasets.samples import Problem, Rows
from ctc_ocr.datasets.sources import open_source
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.evaluation.evaluator import Evaluator
from ctc_ocr.images.files import read_image
from ctc_ocr.runtime.atomic_files import is_device, replacing
from ctc_ocr.runtime.threads import set_threads

if TYPE_CHECKING:
    from ctc_ocr.inference.predictor import Predictor

PROG = "ctc-ocr evaluate"
LISTED = 10  # problems
BATCHES = 4  # that are read at a time: images of about the same width find each other


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status: 1 where a row or an image could not be read."""
    return run(PROG, _evaluate, argv)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog=PROG, description="Measure how well a model reads labelled images.")
    made.add_argument(
        "model", metavar="MODEL", help="prefix of the model's files, one of its .params, or the folder of one model"
    )
    add_source(made)
    add_epoch(made)
    made.add_argument("--json", type=Path, metavar="FILE", help="write all figures here too")
    made.add_argument(
        "--min_confidence",
        type=fraction,
        default=0.0,
        metavar="P",
        help="tell what is left, and how much of it is right, without the readings below this confidence",
    )
    add_ink(made)
    add_decoding(made)
    add_device_options(made)
    add_version(made)
    return made


def _evaluate(argv: list[str]) -> int:
    arguments = parser().parse_args(argv)
    if arguments.json:
        refuse_inputs("--json", arguments.json, {"SOURCE": arguments.source})
    if arguments.json and not is_device(arguments.json):
        refuse_existing([arguments.json], overwrite=True)
    rows = open_source(arguments.source, source_options(arguments))
    set_threads(arguments.cpu)
    # Threads are fixed when MXNet is imported, so not above.
    from ctc_ocr.inference.predictor import BATCH_SIZE, Predictor
    from ctc_ocr.runtime.devices import contexts

    batch_size = arguments.batch_size or BATCH_SIZE
    prefix, epoch = chosen_model(arguments.model, arguments.epoch)
    predictor = Predictor(prefix, epoch, batch_size, contexts(arguments.gpu)[0], decoder(arguments), arguments.ink)
    warn_of_skipped_words(predictor.decoder, arguments, PROG)
    evaluator = Evaluator(predictor.alphabet, arguments.min_confidence)
    first, count = list[Problem](), 0
    ink = InkWatch(predictor.hyperparameters.data.ink)
    for truths, readings, problems in _readings(rows, predictor, ink):
        evaluator.add([each.codes for each in readings], [each.confidence or 0.0 for each in readings], truths)
        first += problems[: LISTED - len(first)]
        count += len(problems)
    _tell_problems(first, count)
    ink.report(PROG)
    result = evaluator.result()
    if not (result.samples or count):
        raise InputError("no labelled images in it", arguments.source)
    if not result.samples:
        raise RunError(f"not one of its {count} images could be evaluated", arguments.source)
    print(table(result))
    model = {"model": prefix, "epoch": predictor.epoch, "source": str(arguments.source)}
    skipped = {"count": count, "first": [str(each) for each in first]}
    if arguments.json:
        _write(arguments.json, {**model, **result.to_dict(), "problems": skipped})
    return 1 if count else 0


def _readings(
    rows: Rows, predictor: "Predictor", ink: InkWatch
) -> Iterator[tuple[list[tuple[str, ...]], list[Any], list[Problem]]]:
    """Truths and readings, and what could not be read, some batches at a time: memory does not grow with the rows."""
    left = iter(rows)
    with progress_bar(rows.total) as bar:
        while chunk := list(itertools.islice(left, BATCHES * predictor.batch_size)):
            truths, images, problems = [], [], []
            for row in chunk:
                if isinstance(row, Problem):
                    problems.append(row)
                    continue
                try:
                    image = read_image(row.read_bytes(), row.where, predictor.hyperparameters.data.channels)
                    ink.look(image)
                    # As small as the model reads it at once: large photographs are never in memory together.
                    images.append(predictor.load(image, row.where))
                    truths.append(row.units)
                except InputError as error:
                    problems.append(Problem(row.where, str(error).removeprefix(f"{row.where}: ")))
            yield truths, predictor.predict_loaded(images), problems
            bar.update(len(chunk))


def _tell_problems(first: Sequence[Problem], count: int) -> None:
    for problem in first:
        print(f"{PROG}: left out: {problem}", file=sys.stderr)
    if count > len(first):
        print(f"{PROG}: left out: {count - len(first)} more", file=sys.stderr)


def _write(path: Path, values: dict[str, Any]) -> None:
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", errors="surrogateescape")
