"""Calibration of a run's confidences by its validation images."""

import logging
from collections.abc import Iterable

import numpy as np

from ctc_ocr.alphabet import unpad_labels
from ctc_ocr.checkpoint.calibration_file import save_calibrations
from ctc_ocr.evaluation.calibration import Calibration, expected_calibration_error
from ctc_ocr.images.pixels import Pixels
from ctc_ocr.inference.predictor import Predictor
from ctc_ocr.runtime.types import Context, DataBatch

FEW_IMAGES = 50  # with fewer, the accuracy at a confidence is uncertain by more than 0.1

log = logging.getLogger(__name__)


def calibrate(
    prefix: str, epochs: Iterable[int], validation: Iterable[DataBatch], context: Context
) -> dict[int, Calibration]:
    """Fit a calibration for each of these epochs to its predictions for the validation images, and save them.

    `validation` gives batches as `ctc_ocr.datasets.iterator` makes them. Returns {epoch: calibration}, which replaces
    the run's PREFIX-calibration.json.
    """
    batches = list(validation)
    found = {epoch: _fit(Predictor(prefix, epoch, context=context), batches) for epoch in epochs}
    save_calibrations(prefix, found)
    return found


def _fit(predictor: Predictor, batches: Iterable[DataBatch]) -> Calibration:
    predictor.calibration = None  # fitted to the confidences of the network itself
    confidences, correct = list[float](), list[bool]()
    for batch in batches:
        images, labels = _samples(batch, predictor.hyperparameters.geometry.columns_per_step)
        for prediction, label in zip(predictor.predict_prepared(images), labels, strict=True):
            confidences.append(prediction.confidence or 0.0)
            correct.append(prediction.codes == label)
    epoch = predictor.epoch
    if not any(correct):
        log.info("Epoch %d reads no validation image correctly: its confidences are not usable yet", epoch)
    elif len(correct) < FEW_IMAGES:
        log.info("%d validation images are few: confidences are rough estimates", len(correct))
    calibration = Calibration.fit(confidences, correct)
    log.info(
        "Calibrated epoch %d: expected calibration error %.3f, %.3f before",
        epoch,
        expected_calibration_error(calibration.apply(confidences), correct),
        expected_calibration_error(confidences, correct),
    )
    return calibration


def _samples(batch: DataBatch, columns_per_step: int) -> tuple[list[Pixels], list[list[int]]]:
    """The images of a batch, each in its own width, and their labels as codes; without those that pad the batch."""
    images, *steps = (each.asnumpy() for each in batch.data)
    size = len(images) - batch.pad
    labels = unpad_labels(batch.label[0].asnumpy())[:size]
    if not steps:
        return list(images[:size]), labels
    widths = (steps[0] * columns_per_step).astype(np.intp)
    return [image[:, :width] for image, width in zip(images[:size], widths, strict=False)], labels
