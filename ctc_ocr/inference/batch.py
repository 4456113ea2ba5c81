"""Predictions for many images, in memory that does not grow with their number."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from ctc_ocr.errors import InputError
from ctc_ocr.images.pixels import Pixels
from ctc_ocr.inference.batch_rows import in_chunks
from ctc_ocr.inference.image_list import ListedImage
from ctc_ocr.inference.ink import InkCheck
from ctc_ocr.inference.locating import CountingLocate, Located, locate_listed, received, send_listed
from ctc_ocr.inference.places import Origin
from ctc_ocr.inference.prediction import Prediction
from ctc_ocr.inference.predictor import Predictor
from ctc_ocr.inference.reader_pool import ReaderPool

Item = TypeVar("Item")
Result = Prediction | InputError


def predict_files(
    reader: Predictor | ReaderPool,
    images: Iterable[ListedImage],
    *,
    confidence: bool = True,
    places: bool = True,
    ink: InkCheck | None = None,
) -> Iterator[tuple[ListedImage, Result]]:
    """Each image with its prediction, or with the error if it cannot be read, in their order.

    One batch is in memory at a time, or some for each process of a ReaderPool. places: of the characters, see
    `Predictor.predict_prepared`. `ink`, if given, counts images that look inverted.
    """
    if isinstance(reader, Predictor):
        return predict_each(reader, images, locate_listed, confidence=confidence, places=places, ink=ink)
    return predict_each(reader, images, received, send=send_listed, confidence=confidence, places=places, ink=ink)


def predict_each(
    reader: Predictor | ReaderPool,
    items: Iterable[Item],
    locate: Callable[[Any], Located],
    *,
    send: Callable[[Item], Any] | None = None,
    batches: int = 1,
    confidence: bool = True,
    places: bool = False,
    ink: InkCheck | None = None,
) -> Iterator[tuple[Item, Result]]:
    """Each item with its prediction, or with the error if its image cannot be read, in their order.

    `locate` returns an item's image file or its encoded bytes, and its place for errors, or raises InputError. It is
    called in the process that reads, with what `send`, called here, made of the item (None: the item itself); so both
    must be picklable for a ReaderPool. The images of `batches` batches are in memory at a time: with keep_ratio, more
    of them find others of their width.
    """
    chunks = in_chunks(items, batches * reader.batch_size)
    if isinstance(reader, Predictor):
        for chunk in chunks:
            given = [send(item) for item in chunk] if send else chunk
            yield from zip(chunk, read_chunk(reader, given, locate, confidence, places, ink), strict=True)
        return
    for chunk, outcome in reader.read_chunks(chunks, locate, send=send, confidence=confidence, places=places):
        if ink is not None:
            ink.count += outcome.num_inverted
        if isinstance(locate, CountingLocate) and outcome.counts is not None:
            locate.counts.update(outcome.counts)
        yield from zip(chunk, outcome.results, strict=True)


def read_chunk(
    predictor: Predictor,
    items: Sequence[Item],
    locate: Callable[[Item], Located],
    confidence: bool,
    places: bool,
    ink: InkCheck | None,
) -> list[Result]:
    """Each item's prediction or error; all their images are in memory, prepared."""
    prepared = [_prepare(predictor, item, locate, ink) for item in items]
    readable = [each for each in prepared if not isinstance(each, InputError)]
    origins = [origin for _, origin in readable] if places else None
    predictions = iter(predictor.predict_prepared([pixels for pixels, _ in readable], confidence, origins))
    return [each if isinstance(each, InputError) else next(predictions) for each in prepared]


def _prepare(
    predictor: Predictor, item: Item, locate: Callable[[Item], Located], ink: InkCheck | None
) -> tuple[Pixels, Origin | None] | InputError:
    """An item's image, prepared at once: a batch of large photographs is never in memory."""
    try:
        image, where = locate(item)
        return predictor.prepare_placed(image, where, ink)
    except InputError as error:
        return error
