"""lstm_ocr_infer: print what a model reads in images."""

import argparse
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from ctc_ocr.cli.common import add_version, at_least, run, share
from ctc_ocr.cli.decoding_options import add_decoding, add_top_k, decoder
from ctc_ocr.cli.models import add_epoch, add_ink, chosen_epoch, find_model
from ctc_ocr.cli.readings_csv import ReadingsFile, read_paths
from ctc_ocr.datasets.labels_csv import read_labels
from ctc_ocr.errors import InputError
from ctc_ocr.images import find_images, looks_inverted, read_image
from ctc_ocr.metrics import Tally
from ctc_ocr.preparation import Pixels, grey
from ctc_ocr.threads import set_threads

if TYPE_CHECKING:
    from ctc_ocr.prediction import Prediction, Predictor

PROG = "lstm_ocr_infer"
REFUSAL = "?"  # what is printed instead of a reading that the model is not sure of


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    return run(PROG, _infer, argv)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog=PROG, description="Read images with a trained model.")
    made.add_argument("images", nargs="*", metavar="IMAGE", help="image file, or folder of image files")
    made.add_argument("--csv", type=Path, metavar="IN", help="read the images that the first column of this file names")
    made.add_argument("--out", type=Path, metavar="OUT", help="write the readings into this CSV file instead")
    made.add_argument(
        "--prefix", "--model", default="ocr", help="prefix of the model's files, or their folder (default: ocr)"
    )
    add_epoch(made)
    made.add_argument("--labels", type=Path, metavar="CSV", help="labels.csv with the truth, to be printed too")
    made.add_argument("--json", action="store_true", help="one JSON object a line: image, text, confidence")
    made.add_argument(
        "--min_confidence",
        type=share,
        default=0.0,
        metavar="P",
        help=f"print {REFUSAL} instead of a reading that is less probably right (default: 0)",
    )
    add_ink(made)
    add_decoding(made)
    add_top_k(made)
    made.add_argument("--batch_size", type=at_least(1), help="images read at a time (default: fastest on one core)")
    device = made.add_mutually_exclusive_group()
    device.add_argument("--cpu", type=at_least(1), default=1, help="threads to use (default: 1)")
    device.add_argument("--gpu", type=int, choices=(0, 1), default=0, help="1: compute on a GPU (default: 0)")
    add_version(made)
    return made


def _infer(argv: list[str]) -> int:
    arguments = parser().parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # a file's name is printed as it is, whatever its bytes
    paths = _paths(arguments)
    truths = _truths(arguments.labels, paths) if arguments.labels else None
    set_threads(arguments.cpu)
    # Threads are fixed when MXNet is imported, so not above.
    from ctc_ocr.devices import contexts
    from ctc_ocr.prediction import BATCH_SIZE, Predictor

    batch_size, context = arguments.batch_size or BATCH_SIZE, contexts(arguments.gpu)[0]
    prefix = find_model(arguments.prefix)
    predictor = Predictor(prefix, chosen_epoch(prefix, arguments.epoch), batch_size, context, ink=arguments.ink)
    predictor.decoder = decoder(arguments, predictor.alphabet, PROG)
    reader = ImageReader(predictor)
    # What is not shown is not computed: it takes longer than the reading.
    confidence = bool(arguments.json or arguments.out or arguments.min_confidence or "top_k" in arguments)
    single = len(arguments.images) == 1 and not Path(arguments.images[0]).is_dir() and truths is None
    if single and not (arguments.out or arguments.json or "top_k" in arguments):
        prediction = predictor.predict_loaded([reader.read(paths[0])], confidence)[0]
        print(REFUSAL if _refused(prediction, arguments.min_confidence) else _single(prediction, predictor))
    elif single and not arguments.out:  # an image that cannot be read ends it
        prediction = predictor.predict_loaded([reader.read(paths[0])], confidence)[0]
        print(_shown(paths[0], prediction, None, arguments))
    else:
        _print_all(paths, truths, predictor, reader, arguments, confidence)
    reader.report()
    return 1 if reader.failures else 0


def _paths(arguments: argparse.Namespace) -> list[Path]:
    if bool(arguments.images) == bool(arguments.csv):
        raise InputError("give either images (files or folders) or --csv with a file that names them")
    if arguments.out and arguments.json:
        raise InputError("--json prints and --out writes a CSV file: give one of them")
    return read_paths(arguments.csv) if arguments.csv else find_images(arguments.images)


def _print_all(
    paths: list[Path],
    truths: dict[Path, str] | None,
    predictor: "Predictor",
    reader: "ImageReader",
    arguments: argparse.Namespace,
    confidence: bool,
) -> None:
    """One line an image on stdout, or one row in the file --out."""
    tally = Tally()
    with ReadingsFile(arguments.out) as out:
        for path, prediction in _readings(paths, predictor, reader, confidence):
            truth = None if truths is None else truths.get(path.resolve())
            if arguments.out:
                refused = _refused(prediction, arguments.min_confidence)
                out.write(path, "" if refused else prediction.text, prediction.confidence)
            else:
                print(_shown(path, prediction, truth, arguments))
            if truth is not None:
                tally.add([prediction.text], [truth])
    if tally.count and not arguments.json:
        print(f"{tally.exact} of {tally.count} right ({tally.accuracy:.4f})")


class ImageReader:
    """Reads image files for a model, and counts what went wrong and what looked wrong."""

    def __init__(self, predictor: "Predictor") -> None:
        self.predictor = predictor
        self.failures = 0
        self.suspects = 0

    def read(self, path: Path) -> Pixels:
        data = self.predictor.hyperparameters.data
        image = read_image(path, channels=data.channels)
        if data.ink == "dark" and looks_inverted(grey(image)):
            self.suspects += 1
        return self.predictor.load(image, str(path))

    def try_read(self, path: Path) -> Pixels | None:
        """None for an image that cannot be read, which is said on stderr."""
        try:
            return self.read(path)
        except InputError as error:
            self.failures += 1
            tqdm.write(f"{PROG}: {error}", file=sys.stderr)
            return None

    def report(self) -> None:
        if self.suspects:
            print(
                f"{PROG}: light ink on dark paper in {self.suspects} image(s), as it seems, read as dark ink; "
                "--ink light or --ink auto turns them over",
                file=sys.stderr,
            )


def _truths(labels: Path, paths: list[Path]) -> dict[Path, str]:
    """{image file: text} of a labels.csv, whose paths are relative to it. Says which of `paths` it does not know."""
    truths = {(labels.parent / name).resolve(): text for name, text in read_labels(labels).items()}
    unknown = [path for path in paths if path.resolve() not in truths]
    if unknown:
        print(f"{PROG}: {labels} has no label for {len(unknown)} image(s), {unknown[0]} first", file=sys.stderr)
    return truths


def _readings(
    paths: list[Path], predictor: "Predictor", reader: "ImageReader", confidence: bool
) -> Iterator[tuple[Path, "Prediction"]]:
    """Path and reading of each image that can be read, batch by batch: memory does not grow with their number."""
    # Where the lines themselves appear on the terminal, they show the progress.
    hidden = True if sys.stdout.isatty() or len(paths) <= predictor.batch_size else None
    with tqdm(total=len(paths), unit="image", disable=hidden) as bar:
        for start in range(0, len(paths), predictor.batch_size):
            chunk = paths[start : start + predictor.batch_size]
            # Prepared at once: a chunk of large photographs is never in memory together.
            read = [(path, image) for path in chunk if (image := reader.try_read(path)) is not None]
            predictions = predictor.predict_loaded([image for _, image in read], confidence)
            yield from zip([path for path, _ in read], predictions, strict=True)
            sys.stdout.flush()
            bar.update(len(chunk))


def _single(prediction: "Prediction", predictor: "Predictor") -> str:
    if set(predictor.alphabet.units) <= set("0123456789"):
        return f"Digits: {[int(digit) for digit in prediction.text]}"
    return f"Text: {prediction.text}"


def _refused(prediction: "Prediction", least: float) -> bool:
    return prediction.confidence is not None and prediction.confidence < least


def _shown(path: Path, prediction: "Prediction", truth: str | None, arguments: argparse.Namespace) -> str:
    refused = _refused(prediction, arguments.min_confidence)
    if arguments.json:
        return _json(path, prediction, truth, refused)
    if "top_k" in arguments:
        readings = [prediction, *prediction.alternatives]
        shown = "\t".join(f"{each.text} ({each.log_probability:.3f})" for each in readings)
    else:
        shown = prediction.text
    line = f"{path}\t{REFUSAL if refused else shown}"
    return line if truth is None else f"{line}\t{truth}\t{'right' if prediction.text == truth else 'wrong'}"


def _json(path: Path, prediction: "Prediction", truth: str | None, refused: bool) -> str:
    told: dict[str, Any] = {
        "image": str(path),
        "text": None if refused else prediction.text,
        "confidence": round(prediction.confidence or 0.0, 6),
    }
    if prediction.alternatives:
        told["alternatives"] = [
            {"text": each.text, "log_probability": round(each.log_probability or 0.0, 6)}
            for each in (prediction, *prediction.alternatives)
        ]
    return json.dumps(told if truth is None else {**told, "truth": truth})
