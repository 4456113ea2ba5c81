"""lstm_ocr_infer: print what a model reads in images."""

import argparse
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from ctc_ocr.cli.common import add_version, at_least, run
from ctc_ocr.datasets.labels_csv import read_labels
from ctc_ocr.errors import InputError
from ctc_ocr.images import Grey, find_images, invert, looks_inverted, read_image
from ctc_ocr.metrics import Tally
from ctc_ocr.threads import set_threads

if TYPE_CHECKING:
    from ctc_ocr.prediction import Prediction, Predictor

PROG = "lstm_ocr_infer"


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    return run(PROG, _infer, argv)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog=PROG, description="Read images with a trained model.")
    made.add_argument("images", nargs="+", metavar="IMAGE", help="image file, or folder of image files")
    made.add_argument("--prefix", default="ocr", help="prefix of the model's files (default: ocr)")
    made.add_argument("--epoch", type=at_least(0), help="epoch of the model (default: the highest there is)")
    made.add_argument("--labels", type=Path, metavar="CSV", help="labels.csv with the truth, to be printed too")
    made.add_argument("--json", action="store_true", help="one JSON object a line: image, text, confidence")
    made.add_argument(
        "--ink",
        choices=("dark", "light", "auto"),
        default="dark",
        help="whether the text is darker or lighter than its ground; auto decides for each image (default: dark)",
    )
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
    paths = find_images(arguments.images)
    truths = _truths(arguments.labels, paths) if arguments.labels else None
    set_threads(arguments.cpu)
    # Threads are fixed when MXNet is imported, so not above.
    from ctc_ocr.devices import contexts
    from ctc_ocr.prediction import BATCH_SIZE, Predictor

    batch_size = arguments.batch_size or BATCH_SIZE
    predictor = Predictor(arguments.prefix, arguments.epoch, batch_size, context=contexts(arguments.gpu)[0])
    reader = ImageReader(arguments.ink)
    if len(arguments.images) == 1 and not Path(arguments.images[0]).is_dir() and truths is None:
        predictions = predictor.predict([reader.read(paths[0])], arguments.json)
        print(_json(paths[0], predictions[0], None) if arguments.json else _single(predictions[0], predictor))
    else:
        tally = Tally()
        for path, prediction in _readings(paths, predictor, reader, arguments.json):
            truth = None if truths is None else truths.get(path.resolve())
            print(_json(path, prediction, truth) if arguments.json else _line(path, prediction, truth))
            if truth is not None:
                tally.add([prediction.text], [truth])
        if tally.count and not arguments.json:
            print(f"{tally.exact} of {tally.count} right ({tally.accuracy:.4f})")
    reader.report()
    return 1 if reader.failures else 0


class ImageReader:
    """Reads image files as dark ink on light, and counts what went wrong and what looked wrong."""

    def __init__(self, ink: str) -> None:
        self.ink = ink
        self.failures = 0
        self.suspects = 0

    def read(self, path: Path) -> Grey:
        image = read_image(path)
        if self.ink == "light":
            return invert(image)
        if looks_inverted(image):
            if self.ink == "auto":
                return invert(image)
            self.suspects += 1
        return image

    def try_read(self, path: Path) -> Grey | None:
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
    paths: list[Path], predictor: "Predictor", reader: ImageReader, confidence: bool
) -> Iterator[tuple[Path, "Prediction"]]:
    """Path and reading of each image that can be read, batch by batch: memory does not grow with their number."""
    # Where the lines themselves appear on the terminal, they show the progress.
    hidden = True if sys.stdout.isatty() or len(paths) <= predictor.batch_size else None
    with tqdm(total=len(paths), unit="image", disable=hidden) as bar:
        for start in range(0, len(paths), predictor.batch_size):
            chunk = paths[start : start + predictor.batch_size]
            # Prepared at once: a chunk of large photographs is never in memory together.
            read = [(path, predictor.prepare(image)) for path in chunk if (image := reader.try_read(path)) is not None]
            predictions = predictor.predict([image for _, image in read], confidence)
            yield from zip([path for path, _ in read], predictions, strict=True)
            sys.stdout.flush()
            bar.update(len(chunk))


def _single(prediction: "Prediction", predictor: "Predictor") -> str:
    if set(predictor.alphabet.units) <= set("0123456789"):
        return f"Digits: {[int(digit) for digit in prediction.text]}"
    return f"Text: {prediction.text}"


def _line(path: Path, prediction: "Prediction", truth: str | None) -> str:
    line = f"{path}\t{prediction.text}"
    return line if truth is None else f"{line}\t{truth}\t{'right' if prediction.text == truth else 'wrong'}"


def _json(path: Path, prediction: "Prediction", truth: str | None) -> str:
    told = {"image": str(path), "text": prediction.text, "confidence": round(prediction.confidence or 0.0, 6)}
    return json.dumps(told if truth is None else {**told, "truth": truth})
