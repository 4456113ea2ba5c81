"""ctc-ocr infer: print what a model reads in images."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ctc_ocr.cli.arguments import Parser, add_device_options, add_import, add_version, fraction, non_empty
from ctc_ocr.cli.data_options import (
    LABEL_OPTIONS,
    LIST_OPTIONS,
    add_label_options,
    print_invalid,
    source_options,
)
from ctc_ocr.cli.decoding_options import add_decoding, add_top_k, decoder, warn_of_skipped_words
from ctc_ocr.cli.infer_outputs import Results, output_format, print_single, printer, writer
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
from ctc_ocr.cli.shown_predictions import REJECTED_TEXT, Format, is_rejected
from ctc_ocr.datasets.image_labels import ImageLabels, read_image_labels
from ctc_ocr.errors import InputError, printable
from ctc_ocr.evaluation.metrics import Tally
from ctc_ocr.images.folders import find_images
from ctc_ocr.inference.image_list import ListedImage, read_image_list
from ctc_ocr.inference.order import ORDERS, least_confident_first
from ctc_ocr.inference.text_files import check_text_files
from ctc_ocr.runtime.atomic_files import is_device
from ctc_ocr.runtime.output_files import refuse_existing
from ctc_ocr.runtime.threads import set_threads

if TYPE_CHECKING:
    from ctc_ocr.inference.predictor import Predictor
    from ctc_ocr.inference.reader_pool import ReaderPool

PROG = "ctc-ocr infer"
DIGITS = frozenset("0123456789")


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status: 1 if an image or a row could not be read."""
    return run(PROG, _infer, argv, parser)


def parser() -> argparse.ArgumentParser:
    made = Parser(prog=PROG, description="Read images with a trained model.")
    made.add_argument(
        "images",
        type=non_empty,
        nargs="*",
        metavar="IMAGE",
        help="image file, or folder of images, with its subfolders",
    )
    made.add_argument("--csv", type=Path, metavar="IN", help="read the images that this CSV file lists")
    made.add_argument("--out", type=Path, metavar="OUT", help="write the predictions into this CSV file")
    made.add_argument("--txt", action="store_true", help="write each text into a .txt file beside its image")
    made.add_argument("--overwrite", action="store_true", help="replace OUT and .txt files that exist")
    add_model(made)
    made.add_argument("--prefix", dest="model", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    made.add_argument(
        "--labels", type=non_empty, metavar="SOURCE", help="labelled images, any source: print each label too"
    )
    made.add_argument("--json", action="store_true", help="one JSON object per line: image, text, confidence")
    made.add_argument(
        "--min_confidence",
        type=fraction,
        default=0.0,
        metavar="P",
        help=f"reject predictions with a lower confidence: print {REJECTED_TEXT} (default: 0)",
    )
    made.add_argument(
        "--sort", choices=ORDERS,
        help="give the least confident predictions first: by the confidence in the whole text, or per character, which "
        "does not depend on the length (default: in the order of the images)",
    )  # fmt: skip
    made.add_argument(
        "--show_confidence", action="store_true",
        help="print the confidences too, and each character with its probability; --json and --out have confidences "
        "anyway",
    )  # fmt: skip
    add_ink(made)
    add_decoding(made)
    add_top_k(made)
    add_label_options(
        made.add_argument_group(
            "how --labels is read (default: recognised; --delimiter, --encoding and --image_column are also for --csv)"
        )
    )
    add_device_options(made)
    add_import(made)
    add_version(made)
    return made


def _infer(argv: list[str]) -> int:
    arguments = parser().parse_args(argv)
    how = decoder(arguments)  # flags that contradict each other are told before files are opened
    images = _images(arguments)
    labels = _labels(arguments, images) if arguments.labels else None
    set_threads(arguments.cpu)
    model, epoch = find_model(arguments, PROG)
    with reader(arguments, model, epoch, how, len(images)) as opened:
        warn_of_skipped_words(opened.decoder, arguments, PROG)
        failures = _read(opened, images, labels, arguments)
    return 1 if failures or (labels and labels.problems) else 0


def _read(
    reader: "Predictor | ReaderPool",
    images: Sequence[ListedImage],
    labels: ImageLabels | None,
    arguments: argparse.Namespace,
) -> int:
    """Read all images, and give what is asked for. Returns the number of images that cannot be read."""
    # MXNet reads the number of threads when it is imported, so not above.
    from ctc_ocr.inference.batch import predict_files
    from ctc_ocr.inference.ink import InkCheck

    ink = InkCheck(reader.hyperparameters.data.ink, reader.light_ink)
    # Confidences that are not shown are not computed: they take longer than the rest.
    is_shown = arguments.json or arguments.out or arguments.show_confidence or "top_k" in arguments
    confidence = bool(is_shown or arguments.min_confidence or arguments.sort)
    results = predict_files(reader, images, confidence=confidence, places=arguments.json, ink=ink)
    shown, failures = output_format(arguments, reader.decoder), 0
    if _is_single(arguments):
        print_single(results, shown, digits=set(reader.alphabet.units) <= DIGITS)
    else:
        results = _with_progress(results, len(images), reader.batch_size, shown_later=bool(arguments.sort))
        if arguments.sort:
            results = iter(least_confident_first(results, arguments.sort))
        failures = _give_all(results, labels, arguments, shown)
    if ink.is_unusual(len(images) - failures):
        warn_of_inverted(ink.count, ink.ink, PROG)
    return failures


def _images(arguments: argparse.Namespace) -> list[ListedImage]:
    """The images to read. Raises InputError also for flags that contradict each other."""
    _refuse_label_options(arguments)
    if bool(arguments.images) == bool(arguments.csv):
        raise InputError("give either images (files or folders) or --csv with a file that lists them")
    for name in ("out", "txt"):
        _refuse_printing(arguments, name)
    if arguments.json and arguments.show_confidence:
        raise InputError("has no effect with --json, which has all confidences", "--show_confidence")
    if arguments.sort and arguments.txt and not arguments.out:
        raise InputError("has no effect with --txt alone, whose files have no order", "--sort")
    if arguments.out:
        files = {f"the model's {each}": each for each in files_of_model(arguments.model)}
        refuse_inputs("--out", arguments.out, {"--csv": arguments.csv, "--labels": arguments.labels, **files})
        if not is_device(arguments.out):
            refuse_existing([arguments.out], arguments.overwrite)
    elif arguments.overwrite and not arguments.txt:
        raise InputError("has no effect without --out or --txt", "--overwrite")
    if arguments.csv:
        images = read_image_list(arguments.csv, source_options(arguments))
    else:
        _refuse_models(arguments.images)
        images = [ListedImage(str(path), path) for path in find_images(arguments.images)]
    if arguments.txt:
        check_text_files((each.path for each in images if not each.problem), arguments.overwrite)
    return images


def _refuse_models(paths: Sequence[str]) -> None:
    """A model or a CSV file in place of an image."""
    for path in paths:
        refuse_model(path, "images")
        if path.lower().endswith((".csv", ".tsv")):
            raise InputError(f"not an image; --csv {path} reads the images that it lists", path)


def _refuse_label_options(arguments: argparse.Namespace) -> None:
    """Raises InputError for one that has no effect."""
    for name in LABEL_OPTIONS:
        if not getattr(arguments, name) or arguments.labels:
            continue
        if name not in LIST_OPTIONS:
            raise InputError("has no effect without --labels", f"--{name}")
        if not arguments.csv:
            raise InputError("has no effect without --labels or --csv", f"--{name}")


def _refuse_printing(arguments: argparse.Namespace, name: str) -> None:
    """Raises InputError for flags about what is printed, if predictions are written into files."""
    if getattr(arguments, name) and arguments.json:
        raise InputError(f"--json prints and --{name} writes files: give one of them")
    if getattr(arguments, name) and arguments.show_confidence:
        raise InputError(f"--show_confidence prints and --{name} writes files: give one of them")
    if getattr(arguments, name) and getattr(arguments, "top_k", 1) > 1:
        raise InputError(f"--{name} has one prediction for each image: give --top_k without it")


def _labels(arguments: argparse.Namespace, images: Sequence[ListedImage]) -> ImageLabels:
    """The labels of a source of image files. Warns of its invalid rows, and of images without a label."""
    found = read_image_labels(arguments.labels, source_options(arguments))
    print_invalid(found.problems, PROG)
    missing = [each.name for each in images if not each.problem and found.of(each.path) is None]
    if missing:
        print(
            f"{PROG}: {arguments.labels}: no label for {len(missing)} image(s), the first is {printable(missing[0])}",
            file=sys.stderr,
        )
    return found


def _is_single(arguments: argparse.Namespace) -> bool:
    """Whether one image is to be printed alone, as MXNet's example does it."""
    if arguments.labels or arguments.out or arguments.txt or len(arguments.images) != 1:
        return False
    return not Path(arguments.images[0]).is_dir()


def _give_all(results: Results, labels: ImageLabels | None, arguments: argparse.Namespace, shown: Format) -> int:
    """What is asked for of each image: a line on stdout, or a row in the file --out, or a .txt file; then, with labels,
    how many are correct. Returns the number of images that cannot be read, each of which is reported on stderr."""
    tally, num_rejected, failures, num_empty, count = Tally(), 0, 0, 0, 0
    with ExitStack() as stack:
        give = writer(arguments, stack) if arguments.out or arguments.txt else printer(shown)
        for image, result in results:
            label = labels.of(image.path) if labels else None
            give(image, result, label)
            count += 1
            num_empty += not isinstance(result, InputError) and not result.text
            if isinstance(result, InputError):
                failures += 1
                _tell(f"{PROG}: {result}")
            elif label is not None and is_rejected(result, arguments.min_confidence):
                num_rejected += 1
            elif label is not None:
                tally.add([result.text], [label])
    if (tally.count or num_rejected) and not arguments.json:
        print(_summary(tally, num_rejected))
    if 2 * num_empty > count > 1:
        print(f"{PROG}: {num_empty} of {count} texts are empty; see docs/guide/troubleshooting.md", file=sys.stderr)
    return failures


def _tell(line: str) -> None:
    """A line on stderr, above a progress bar."""
    from tqdm import tqdm  # not above: it takes a tenth of the time in which a single image is read

    tqdm.write(line, file=sys.stderr)


def _summary(tally: Tally, num_rejected: int) -> str:
    """Of the images with labels. A rejected prediction is neither correct nor incorrect."""
    accuracy = f" ({tally.accuracy:.4f})" if tally.count else ""
    rejected = f", {num_rejected} rejected" if num_rejected else ""
    return f"{tally.correct} of {tally.count} correct{accuracy}{rejected}"


def _with_progress(results: Results, total: int, batch_size: int, shown_later: bool) -> Results:
    """The same results, with a bar on stderr for more than one batch, and stdout flushed after each batch."""
    # If the lines themselves appear on the terminal at once, they show the progress.
    hidden = True if (sys.stdout.isatty() and not shown_later) or total <= batch_size else None
    from tqdm import tqdm  # not above, for the same reason

    with tqdm(total=total, unit="image", disable=hidden) as bar:
        for number, result in enumerate(results, start=1):
            yield result
            bar.update()
            if number % batch_size == 0:
                sys.stdout.flush()
