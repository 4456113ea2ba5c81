"""Predictions for many images, in memory that does not grow with their number."""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from ctc_ocr.errors import InputError
from ctc_ocr.images.files import Encoded
from ctc_ocr.images.pixels import Pixels
from ctc_ocr.inference.image_list import ListedImage
from ctc_ocr.inference.ink import InkCheck
from ctc_ocr.inference.places import Origin
from ctc_ocr.inference.prediction import Prediction
from ctc_ocr.inference.predictor import Predictor

Item = TypeVar("Item")
FileOrBytes = str | os.PathLike[str] | Encoded


def predict_files(
    predictor: Predictor,
    images: Iterable[ListedImage],
    *,
    confidence: bool = True,
    places: bool = True,
    ink: InkCheck | None = None,
) -> Iterator[tuple[ListedImage, Prediction | InputError]]:
    """Each image with its prediction, or with the error if it cannot be read, in their order.

    One batch is in memory at a time. places: of the characters, see `Predictor.predict_prepared`. `ink`, if given,
    counts images that look inverted.
    """

    def locate(image: ListedImage) -> tuple[FileOrBytes, str]:
        if image.problem:
            raise InputError(image.problem, image.where)
        return image.path, f"{image.where}: {image.path}" if image.where else str(image.path)

    return predict_each(predictor, images, locate, confidence=confidence, places=places, ink=ink)


def predict_each(
    predictor: Predictor,
    items: Iterable[Item],
    locate: Callable[[Item], tuple[FileOrBytes, str]],
    *,
    batches: int = 1,
    confidence: bool = True,
    places: bool = False,
    ink: InkCheck | None = None,
) -> Iterator[tuple[Item, Prediction | InputError]]:
    """Each item with its prediction, or with the error if its image cannot be read, in their order.

    `locate` returns an item's image file or its encoded bytes, and its place for errors, or raises InputError. The
    images of `batches` batches are in memory at a time: with keep_ratio, more of them find others of their width.
    """
    remaining = iter(items)
    while chunk := list(itertools.islice(remaining, batches * predictor.batch_size)):
        prepared = [_prepare(predictor, item, locate, ink) for item in chunk]
        readable = [each for each in prepared if not isinstance(each, InputError)]
        origins = [origin for _, origin in readable] if places else None
        predictions = iter(predictor.predict_prepared([pixels for pixels, _ in readable], confidence, origins))
        for item, each in zip(chunk, prepared, strict=True):
            yield item, each if isinstance(each, InputError) else next(predictions)


def _prepare(
    predictor: Predictor, item: Item, locate: Callable[[Item], tuple[FileOrBytes, str]], ink: InkCheck | None
) -> tuple[Pixels, Origin] | InputError:
    """An item's image, prepared at once: a batch of large photographs is never in memory."""
    try:
        image, where = locate(item)
        return predictor.prepare_placed(image, where, ink)
    except InputError as error:
        return error
