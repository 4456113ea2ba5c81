"""Where labelled images can be cut between their characters: by the alignment of their labels."""

from collections.abc import Sequence

from ctc_ocr.checkpoint.stored_model import StoredModel
from ctc_ocr.config.sections import Data
from ctc_ocr.datasets.mixing import Cuts, cuts_between
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.errors import InputError
from ctc_ocr.images.files import read_image
from ctc_ocr.images.pixels import Pixels
from ctc_ocr.inference.predictor import Predictor
from ctc_ocr.runtime.types import Context

LEAST_PROBABILITY = 0.05  # of each unit at its place: below, the alignment is a guess


def find_cuts(model: StoredModel, data: Data, samples: Sequence[Sample], context: Context) -> list[Cuts | None]:
    """The cuts of each sample; None where the model does not find its units.

    `data`: how the images are prepared. A unit that the model does not know may be known in another case.
    """
    predictor = Predictor(model.prefix, model.epoch, context=context)
    predictor.prepare_as(data)
    found: list[Cuts | None] = [None] * len(samples)
    images, labels, indices = list[Pixels](), list[list[int]](), list[int]()
    for index, sample in enumerate(samples):
        codes = _codes(sample.units, predictor.alphabet.lookup)
        if codes is None or len(codes) < 2:
            continue
        try:
            image = read_image(sample.read_bytes(), sample.place, data.channels)
        except InputError:
            continue  # told when it is trained on
        images.append(predictor.prepare(image))
        labels.append(codes)
        indices.append(index)
    for index, image, units in zip(indices, images, predictor.aligned_labels(images, labels), strict=True):
        if all(each.probability >= LEAST_PROBABILITY for each in units):
            steps = int(predictor.steps([image])[0])
            found[index] = cuts_between([(each.start, each.stop) for each in units], steps)
    return found


def _codes(units: Sequence[str], lookup: dict[str, int]) -> list[int] | None:
    forms = ([unit, unit.swapcase()] for unit in units)
    codes = [next((lookup[form] for form in each if form in lookup), None) for each in forms]
    return None if None in codes else [code for code in codes if code is not None]
