"""lstm_ocr_infer: print what a model reads in images."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from ctc_ocr.cli.common import add_device_options, add_version, fraction, refuse_inputs, run
from ctc_ocr.cli.data_options import refuse_existing
from ctc_ocr.cli.decoding_options import add_decoding, add_top_k, decoder
from ctc_ocr.cli.models import InkWatch, add_epoch, add_ink, chosen_model
from ctc_ocr.cli.shown_readings import REFUSAL, is_refused, line_of, only_text
from ctc_ocr.datasets.labels_csv import read_labels
from ctc_ocr.errors import InputError
from ctc_ocr.evaluation.metrics import Tally
from ctc_ocr.images.files import find_images, read_image
from ctc_ocr.images.pixels import Pixels
from ctc_ocr.inference.predictions_csv import READ, REFUSED, UNREADABLE, Listed, read_listed, readings_file
from ctc_ocr.runtime.atomic_files import is_device
from ctc_ocr.runtime.threads import set_threads

if TYPE_CHECKING:
    from ctc_ocr.inference.predictor import Prediction, Predictor

PROG = "lstm_ocr_infer"


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    return run(PROG, _infer, argv)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog=PROG, description="Read images with a trained model.")
    made.add_argument("images", nargs="*", metavar="IMAGE", help="image file, or folder of image files")
    made.add_argument("--csv", type=Path, metavar="IN", help="read the images that the first column of this file names")
    made.add_argument("--out", type=Path, metavar="OUT", help="write the readings into this CSV file instead")
    made.add_argument("--overwrite", action="store_true", help="replace OUT if it is there")
    made.add_argument(
        "--prefix",
        "--model",
        default="ocr",
        help="prefix of the model's files, one of its .params, or the folder of one model (default: ocr)",
    )
    add_epoch(made)
    made.add_argument("--labels", type=Path, metavar="CSV", help="labels.csv with the truth, to be printed too")
    made.add_argument("--json", action="store_true", help="one JSON object a line: image, text, confidence")
    made.add_argument(
        "--min_confidence",
        type=fraction,
        default=0.0,
        metavar="P",
        help=f"print {REFUSAL} instead of a reading that is less probably right (default: 0)",
    )
    add_ink(made)
    add_decoding(made)
    add_top_k(made)
    add_device_options(made)
    add_version(made)
    return made


def _infer(argv: list[str]) -> int:
    arguments = parser().parse_args(argv)
    listed = _listed(arguments)
    truths = _truths(arguments.labels, listed) if arguments.labels else None
    set_threads(arguments.cpu)
    # Threads are fixed when MXNet is imported, so not above.
    from ctc_ocr.inference.predictor import BATCH_SIZE, Predictor
    from ctc_ocr.runtime.devices import contexts

    batch_size, context = arguments.batch_size or BATCH_SIZE, contexts(arguments.gpu)[0]
    predictor = Predictor(*chosen_model(arguments.prefix, arguments.epoch), batch_size, context, ink=arguments.ink)
    predictor.decoder = decoder(arguments, predictor.alphabet, PROG)
    reader = ImageReader(predictor)
    # What is not shown is not computed: it takes longer than the reading.
    confidence = bool(arguments.json or arguments.out or arguments.min_confidence or "top_k" in arguments)
    single = len(arguments.images) == 1 and not Path(arguments.images[0]).is_dir() and truths is None
    if single and not arguments.out:  # an image that cannot be read ends it
        prediction = predictor.predict_loaded([reader.read(listed[0])], confidence)[0]
        if arguments.json or "top_k" in arguments:
            print(line_of(listed[0].name, prediction, None, arguments))
        else:
            print(only_text(prediction, arguments, set(predictor.alphabet.units)))
    else:
        _give_all(listed, truths, predictor, reader, arguments, confidence)
    reader.ink.report(PROG)
    return 1 if reader.failures else 0


def _listed(arguments: argparse.Namespace) -> list[Listed]:
    """The images to be read. Raises InputError also for what cannot be done with their readings."""
    if bool(arguments.images) == bool(arguments.csv):
        raise InputError("give either images (files or folders) or --csv with a file that names them")
    if arguments.out:
        _check_out(arguments)
    elif arguments.overwrite:
        raise InputError("--overwrite means nothing without --out")
    if arguments.csv:
        return read_listed(arguments.csv)
    return [Listed(str(path), path) for path in find_images(arguments.images)]


def _check_out(arguments: argparse.Namespace) -> None:
    if arguments.json:
        raise InputError("--json prints and --out writes a CSV file: give one of them")
    if "top_k" in arguments:
        raise InputError("a row of --out has one reading: --top_k goes with --json, or with neither")
    refuse_inputs("--out", arguments.out, {"--csv": arguments.csv, "--labels": arguments.labels})
    if not is_device(arguments.out):
        refuse_existing([arguments.out], arguments.overwrite)


def _give_all(
    listed: Sequence[Listed],
    truths: dict[str, str] | None,
    predictor: "Predictor",
    reader: "ImageReader",
    arguments: argparse.Namespace,
    confidence: bool,
) -> None:
    """One line an image on stdout, or one row in the file --out; then how many were right."""
    tally, refused = Tally(), 0
    with ExitStack() as stack:
        write = stack.enter_context(readings_file(arguments.out)) if arguments.out else None
        for each, prediction in _readings(listed, predictor, reader, confidence):
            if prediction is None:
                if write:
                    write(each.name, "", None, UNREADABLE)
                continue
            truth = None if truths is None else truths.get(os.path.realpath(each.path))
            is_unsure = is_refused(prediction, arguments.min_confidence)
            if write:
                text, status = ("", REFUSED) if is_unsure else (prediction.text, READ)
                write(each.name, text, prediction.confidence, status)
            else:
                print(line_of(each.name, prediction, truth, arguments))
            if truth is not None and is_unsure:
                refused += 1
            elif truth is not None:
                tally.add([prediction.text], [truth])
    if (tally.count or refused) and not arguments.json:
        print(_summary(tally, refused))


def _summary(tally: Tally, refused: int) -> str:
    """Of the images whose truth is known. What was refused is neither right nor wrong."""
    share = f" ({tally.accuracy:.4f})" if tally.count else ""
    more = f", {refused} refused" if refused else ""
    return f"{tally.exact} of {tally.count} right{share}{more}"


class ImageReader:
    """Reads image files for a model, and counts what went wrong."""

    def __init__(self, predictor: "Predictor") -> None:
        self.predictor = predictor
        self.failures = 0
        self.ink = InkWatch(predictor.hyperparameters.data.ink)

    def read(self, listed: Listed) -> Pixels:
        """Raises InputError that names the image, and the row that names it, for what cannot be read."""
        try:
            if listed.problem:
                raise InputError(listed.problem)
            image = read_image(listed.path, channels=self.predictor.hyperparameters.data.channels)
            self.ink.look(image)
            return self.predictor.load(image, str(listed.path))
        except InputError as error:
            raise InputError(f"{listed.where}: {error}" if listed.where else str(error)) from None

    def try_read(self, listed: Listed) -> Pixels | None:
        """None for an image that cannot be read, which is said on stderr."""
        try:
            return self.read(listed)
        except InputError as error:
            self.failures += 1
            tqdm.write(f"{PROG}: {error}", file=sys.stderr)
            return None


def _truths(labels: Path, listed: Sequence[Listed]) -> dict[str, str]:
    """{image file: text} of a labels.csv, whose paths are relative to it. Says which images it does not know."""
    truths = {os.path.realpath(labels.parent / name): text for name, text in read_labels(labels).items()}
    unknown = [each.name for each in listed if not each.problem and os.path.realpath(each.path) not in truths]
    if unknown:
        print(f"{PROG}: {labels} has no label for {len(unknown)} image(s), {unknown[0]} first", file=sys.stderr)
    return truths


def _readings(
    listed: Sequence[Listed], predictor: "Predictor", reader: "ImageReader", confidence: bool
) -> Iterator[tuple[Listed, "Prediction | None"]]:
    """Each image and its reading, None where it cannot be read, batch by batch: memory does not grow with their
    number."""
    # Where the lines themselves appear on the terminal, they show the progress.
    hidden = True if sys.stdout.isatty() or len(listed) <= predictor.batch_size else None
    with tqdm(total=len(listed), unit="image", disable=hidden) as bar:
        for start in range(0, len(listed), predictor.batch_size):
            chunk = listed[start : start + predictor.batch_size]
            # Prepared at once: a chunk of large photographs is never in memory together.
            images = [reader.try_read(each) for each in chunk]
            predictions = predictor.predict_loaded([image for image in images if image is not None], confidence)
            in_turn = iter(predictions)
            for each, image in zip(chunk, images, strict=True):
                yield each, None if image is None else next(in_turn)
            sys.stdout.flush()
            bar.update(len(chunk))
