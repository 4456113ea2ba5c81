"""Flags that say which model is used, and how it takes the images."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ctc_ocr.checkpoint import bundle
from ctc_ocr.checkpoint.run_files import BEST, DEFAULT_EPOCH, NEWEST, Epoch, epochs, existing_files, is_onnx
from ctc_ocr.checkpoint.starter import STARTER
from ctc_ocr.decoding.decoder import Decoder
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.types import Context

if TYPE_CHECKING:
    from ctc_ocr.inference.predictor import Predictor
    from ctc_ocr.inference.reader_pool import ReaderPool

MODEL_HELP = "prefix of the model's files, one of its .params, a bundle, or a folder with one model"
DEFAULT_MODEL = "ocr"
EPOCH_NAMES: tuple[Epoch, ...] = (BEST, NEWEST)


def add_model(parser: argparse.ArgumentParser) -> None:
    """--model and --epoch."""
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help=f"{MODEL_HELP}, an ONNX model, or {STARTER}: the one that comes with the package (default: "
        f"{DEFAULT_MODEL} if it is here, else {STARTER})",
    )
    add_epoch(parser)


def add_epoch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--epoch",
        type=_epoch,
        metavar="N",
        help=f"epoch of the model: a number, {BEST} (by validation) or {NEWEST} (default: {DEFAULT_EPOCH}, or "
        f"{NEWEST} if no history tells which is best)",
    )


def add_ink(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ink",
        choices=("dark", "light", "auto"),
        help="dark or light ink in the images, or auto: decided per image (default: the model's)",
    )


def find_model(arguments: argparse.Namespace, prog: str) -> tuple[str, Epoch | None]:
    """(model, epoch) of --model and --epoch; without --model, of the model `ocr` here or of the starter, and a line on
    stderr says so. Raises InputError that names --model if there is no such model.
    """
    name = default_model(prog) if arguments.model is None else arguments.model
    if name == STARTER or is_onnx(name):
        return name, arguments.epoch
    try:
        stored = bundle.find_model(name, arguments.epoch)
    except InputError as error:
        raise error.within("--model") from None
    return stored.prefix, stored.epoch


def refuse_model(path: str | Path, expected: str) -> None:
    """Raises InputError for a model where something else is expected: --model was forgotten."""
    if not Path(path).exists() and epochs(path):
        raise InputError(f"a model; expected {expected}, and --model {path}", path)


def files_of_model(model: str | None) -> list[str | Path]:
    """The files of the model of --model, or of the default one, which no output may replace."""
    name = DEFAULT_MODEL if model is None else model
    with suppress(InputError):  # an ONNX model, or none, which is said later
        prefix = bundle.find_model(name).prefix
        return [name, prefix, *existing_files(prefix)]  # a prefix may be the path of a bundle
    return [name]


def default_model(prog: str) -> str:
    """The model `ocr` if it is here, else the starter, and a line on stderr says so."""
    if existing_files(DEFAULT_MODEL):
        return DEFAULT_MODEL
    print(f"{prog}: no model {DEFAULT_MODEL!r} here: reading with the starter model", file=sys.stderr)
    return STARTER


@contextmanager
def reader(
    arguments: argparse.Namespace, model: str, epoch: Epoch | None, how: Decoder, num_images: int
) -> Iterator["Predictor | ReaderPool"]:
    """What reads so many images, as --num_proc, --batch_size, --cpu, --gpu and --ink say."""
    # MXNet reads the number of threads when it is imported, so not above.
    from ctc_ocr.inference.batch_rows import BATCH_SIZE
    from ctc_ocr.inference.readers import open_reader

    with open_reader(
        model,
        num_images,
        arguments.num_proc,
        epoch=epoch,
        batch_size=arguments.batch_size or BATCH_SIZE,
        context=gpu(arguments),
        decoder=how,
        ink=arguments.ink,
        threads=arguments.cpu,
    ) as found:
        yield found


def gpu(arguments: argparse.Namespace) -> Context:
    """The MXNet device of --gpu or --gpu_ids; None for the CPU, which needs no MXNet. Raises InputError for several."""
    numbers = arguments.gpu_ids or range(arguments.gpu)
    if not numbers:
        return None
    if len(numbers) > 1 or min(numbers) < 0:
        raise InputError(f"expected the number of one GPU, got {','.join(map(str, numbers))}", "--gpu_ids")
    from ctc_ocr.runtime.devices import contexts

    return contexts(numbers)[0]


def _epoch(text: str) -> Epoch:
    if text.isdecimal():
        return int(text)
    for name in EPOCH_NAMES:
        if text == name:
            return name
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, {BEST} or {NEWEST}")


def warn_of_inverted(count: int, ink: str, prog: str) -> None:
    """One line on stderr: so many images look inverted to a model that expects this ink."""
    other = "light ink on dark paper" if ink == "dark" else "dark ink on light paper"
    print(
        f"{prog}: {count} image(s) look like {other}; if the model was not trained on such images, use --ink",
        file=sys.stderr,
    )
