"""ctc-ocr infer: print what a model reads in images."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from ctc_ocr.cli.arguments import Parser, add_device_options, add_import, add_version, fraction
from ctc_ocr.cli.data_options import refuse_existing
from ctc_ocr.cli.decoding_options import add_decoding, add_top_k, decoder, warn_of_skipped_words
from ctc_ocr.cli.model_options import add_ink, add_model, find_model, warn_of_inverted
from ctc_ocr.cli.running import refuse_inputs, run
from ctc_ocr.cli.shown_predictions import REJECTED_TEXT, Format, is_rejected
from ctc_ocr.datasets.labels_csv import read_labels
from ctc_ocr.errors import InputError
from ctc_ocr.evaluation.metrics import Tally
from ctc_ocr.images.files import find_images
from ctc_ocr.inference.image_list import ListedImage, read_image_list
from ctc_ocr.inference.predictions_csv import READ, REJECTED, UNREADABLE, predictions_file
from ctc_ocr.runtime.atomic_files import is_device
from ctc_ocr.runtime.threads import set_threads

if TYPE_CHECKING:
    from ctc_ocr.inference.prediction import Prediction

PROG = "ctc-ocr infer"
DIGITS = frozenset("0123456789")

Results = Iterator[tuple[ListedImage, "Prediction | InputError"]]


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status: 1 if an image could not be read."""
    return run(PROG, _infer, argv, parser)


def parser() -> argparse.ArgumentParser:
    made = Parser(prog=PROG, description="Read images with a trained model.")
    made.add_argument("images", nargs="*", metavar="IMAGE", help="image file, or folder of image files")
    made.add_argument("--csv", type=Path, metavar="IN", help="read the images in the first column of this file")
    made.add_argument("--out", type=Path, metavar="OUT", help="write the predictions into this CSV file")
    made.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    add_model(made)
    made.add_argument("--prefix", dest="model", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    made.add_argument("--labels", type=Path, metavar="CSV", help="labels.csv: print each label too")
    made.add_argument("--json", action="store_true", help="one JSON object per line: image, text, confidence")
    made.add_argument(
        "--min_confidence",
        type=fraction,
        default=0.0,
        metavar="P",
        help=f"reject predictions with a lower confidence: print {REJECTED_TEXT} (default: 0)",
    )
    add_ink(made)
    add_decoding(made)
    add_top_k(made)
    add_device_options(made)
    add_import(made)
    add_version(made)
    return made


def _infer(argv: list[str]) -> int:
    arguments = parser().parse_args(argv)
    how = decoder(arguments)  # flags that contradict each other are told before files are opened
    images = _images(arguments)
    labels = _labels(arguments.labels, images) if arguments.labels else None
    set_threads(arguments.cpu)
    # MXNet reads the number of threads when it is imported, so not above.
    from ctc_ocr.inference.batch import predict_files
    from ctc_ocr.inference.ink import InkCheck
    from ctc_ocr.inference.predictor import BATCH_SIZE, Predictor
    from ctc_ocr.runtime.devices import contexts

    batch_size, context = arguments.batch_size or BATCH_SIZE, contexts(arguments.gpu)[0]
    predictor = Predictor(*find_model(arguments), batch_size, context, how, arguments.ink)
    warn_of_skipped_words(predictor.decoder, arguments, PROG)
    ink = InkCheck(predictor.hyperparameters.data.ink)
    # Confidences that are not shown are not computed: they take longer than the rest.
    confidence = bool(arguments.json or arguments.out or arguments.min_confidence or "top_k" in arguments)
    results = predict_files(predictor, images, confidence=confidence, ink=ink)
    failures = 0
    if _is_single(arguments):
        _print_single(results, arguments, digits=set(predictor.alphabet.units) <= DIGITS)
    else:
        failures = _give_all(_with_progress(results, len(images), batch_size), labels, arguments)
    warn_of_inverted(ink.count, ink.ink, PROG)
    return 1 if failures else 0


def _images(arguments: argparse.Namespace) -> list[ListedImage]:
    """The images to read. Raises InputError also for flags that contradict each other."""
    if bool(arguments.images) == bool(arguments.csv):
        raise InputError("give either images (files or folders) or --csv with a file that lists them")
    if arguments.out:
        _check_out(arguments)
    elif arguments.overwrite:
        raise InputError("has no effect without --out", "--overwrite")
    if arguments.csv:
        return read_image_list(arguments.csv)
    return [ListedImage(str(path), path) for path in find_images(arguments.images)]


def _check_out(arguments: argparse.Namespace) -> None:
    if arguments.json:
        raise InputError("--json prints and --out writes a CSV file: give one of them")
    if "top_k" in arguments:
        raise InputError("a row of --out has one prediction: give --top_k without --out")
    refuse_inputs("--out", arguments.out, {"--csv": arguments.csv, "--labels": arguments.labels})
    if not is_device(arguments.out):
        refuse_existing([arguments.out], arguments.overwrite)


def _labels(path: Path, images: Sequence[ListedImage]) -> dict[str, str]:
    """{image file: label} of a labels.csv, whose paths are relative to it. Warns of images without a label."""
    labels = {os.path.realpath(path.parent / name): label for name, label in read_labels(path).items()}
    missing = [each.name for each in images if not each.problem and os.path.realpath(each.path) not in labels]
    if missing:
        print(f"{PROG}: {path}: no label for {len(missing)} image(s), the first is {missing[0]}", file=sys.stderr)
    return labels


def _is_single(arguments: argparse.Namespace) -> bool:
    """Whether one image is to be printed alone, as MXNet's example does it."""
    if arguments.labels or arguments.out or len(arguments.images) != 1:
        return False
    return not Path(arguments.images[0]).is_dir()


def _format(arguments: argparse.Namespace) -> Format:
    return Format(
        as_json=arguments.json,
        alternatives="top_k" in arguments,
        scores="language_model" in arguments or "length_bonus" in arguments,
        min_confidence=arguments.min_confidence,
    )


def _print_single(results: Results, arguments: argparse.Namespace, digits: bool) -> None:
    """Raises InputError if the image cannot be read."""
    ((image, result),) = results
    if isinstance(result, InputError):
        raise result
    shown = _format(arguments)
    as_line = shown.as_json or shown.alternatives
    print(shown.line(image.name, result, None) if as_line else shown.single(result, digits))


def _give_all(results: Results, labels: dict[str, str] | None, arguments: argparse.Namespace) -> int:
    """One line per image on stdout, or one row in the file --out; then, with labels, how many are correct. Returns the
    number of images that cannot be read, each of which is reported on stderr."""
    shown, tally, num_rejected, failures = _format(arguments), Tally(), 0, 0
    with ExitStack() as stack:
        write = stack.enter_context(predictions_file(arguments.out)) if arguments.out else None
        for image, result in results:
            if isinstance(result, InputError):
                failures += 1
                tqdm.write(f"{PROG}: {result}", file=sys.stderr)
                if write:
                    write(image.name, "", None, UNREADABLE)
                continue
            label = None if labels is None else labels.get(os.path.realpath(image.path))
            rejected = is_rejected(result, arguments.min_confidence)
            if write:
                text, status = ("", REJECTED) if rejected else (result.text, READ)
                write(image.name, text, result.confidence, status)
            else:
                print(shown.line(image.name, result, label))
            if label is not None and rejected:
                num_rejected += 1
            elif label is not None:
                tally.add([result.text], [label])
    if (tally.count or num_rejected) and not arguments.json:
        print(_summary(tally, num_rejected))
    return failures


def _summary(tally: Tally, num_rejected: int) -> str:
    """Of the images with labels. A rejected prediction is neither correct nor incorrect."""
    accuracy = f" ({tally.accuracy:.4f})" if tally.count else ""
    rejected = f", {num_rejected} rejected" if num_rejected else ""
    return f"{tally.correct} of {tally.count} correct{accuracy}{rejected}"


def _with_progress(results: Results, total: int, batch_size: int) -> Results:
    """The same results, with a bar on stderr for more than one batch, and stdout flushed after each batch."""
    # If the lines themselves appear on the terminal, they show the progress.
    hidden = True if sys.stdout.isatty() or total <= batch_size else None
    with tqdm(total=total, unit="image", disable=hidden) as bar:
        for number, result in enumerate(results, start=1):
            yield result
            bar.update()
            if number % batch_size == 0:
                sys.stdout.flush()
