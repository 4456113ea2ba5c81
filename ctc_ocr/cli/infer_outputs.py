"""What infer does with its predictions: lines on stdout, rows of a CSV file, or .txt files beside the images."""

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ctc_ocr.cli.shown_predictions import Format, is_rejected
from ctc_ocr.errors import InputError
from ctc_ocr.inference.image_list import ListedImage
from ctc_ocr.inference.predictions_csv import READ, REJECTED, UNREADABLE, predictions_file
from ctc_ocr.inference.text_files import write_text

if TYPE_CHECKING:
    from ctc_ocr.decoding.decoder import BoundDecoder
    from ctc_ocr.inference.prediction import Prediction

Give = Callable[[ListedImage, "Prediction | InputError", str | None], None]
Results = Iterator[tuple[ListedImage, "Prediction | InputError"]]


def printer(shown: Format) -> Give:
    """Prints a line for each image that can be read, with its label if that is known."""

    def give(image: ListedImage, result: "Prediction | InputError", label: str | None) -> None:
        if not isinstance(result, InputError):
            print(shown.line(image.name, result, label))

    return give


def writer(arguments: argparse.Namespace, stack: ExitStack) -> Give:
    """Writes a row, a .txt file, or both. The file of the rows is closed by the stack. An image that is named several
    times has several rows, and one .txt file."""
    have_text = set[tuple[str, str]]()
    write_row = stack.enter_context(predictions_file(arguments.out)) if arguments.out else None

    def give(image: ListedImage, result: "Prediction | InputError", _: str | None) -> None:
        text, status = "", UNREADABLE
        if not isinstance(result, InputError):
            text, status = result.text, READ
            if is_rejected(result, arguments.min_confidence):
                text, status = "", REJECTED
        if write_row:
            write_row(image, text, None if isinstance(result, InputError) else result, status)
        if arguments.txt and not image.problem:
            place = os.path.realpath(image.path.parent), image.path.name
            if place not in have_text:
                write_text(image.path, text if status == READ else None, overwrite=arguments.overwrite)
                have_text.add(place)

    return give


def print_single(results: Results, shown: Format, digits: bool) -> None:
    """Raises InputError if the image cannot be read."""
    ((image, result),) = results
    if isinstance(result, InputError):
        raise result
    as_line = shown.as_json or shown.alternatives or shown.confidences
    print(shown.line(image.name, result, None) if as_line else shown.single(result, digits))


def output_format(arguments: argparse.Namespace, decoder: "BoundDecoder") -> Format:
    """What the flags ask for. Scores are shown where they may order texts otherwise than log probabilities do."""
    lengths = decoder.search.lengths if decoder.search else None
    has_prior = lengths is not None and lengths.outside < 1  # 1 is --lengths any
    return Format(
        as_json=arguments.json,
        alternatives="top_k" in arguments,
        scores="language_model" in arguments or getattr(arguments, "length_bonus", 0) != 0 or has_prior,
        min_confidence=arguments.min_confidence,
        confidences=arguments.show_confidence,
    )
