"""After a run: how probably right its model's readings are, by its confidence in them."""

import logging
from collections.abc import Iterable
from typing import Any

import numpy as np

from ctc_ocr.checkpoint.calibration_file import save_calibrations
from ctc_ocr.evaluation.calibration import Calibration, expected_calibration_error

FEW = 50  # validation images, with which the confidence of a reading cannot be told to a tenth

log = logging.getLogger(__name__)


def calibrate(prefix: str, epochs: Iterable[int], validation: Iterable[Any], context: Any) -> None:
    """Read the validation images with the models of some epochs, and write what their confidences are worth."""
    from ctc_ocr.inference.predictor import Predictor

    batches = list(validation)
    found = {}
    for epoch in epochs:
        predictor = Predictor(prefix, epoch, context=context)
        predictor.calibration = None
        confidences, right = list[float](), list[bool]()
        for batch in batches:
            images, truths = _samples(batch, predictor.hyperparameters.geometry.columns_per_step)
            for prediction, truth in zip(predictor.predict_loaded(images), truths, strict=True):
                confidences.append(prediction.confidence or 0.0)
                right.append(prediction.codes == truth)
        if not any(right):
            log.info("Epoch %d reads none of the validation images: its confidences mean nothing yet", epoch)
        elif len(right) < FEW:
            log.info("%d validation images are few: confidences are rough guesses", len(right))
        found[epoch] = Calibration.fit(confidences, right)
        log.info(
            "Calibrated epoch %d: confidences are off by %.3f on average, %.3f before",
            epoch,
            expected_calibration_error(found[epoch].apply(confidences), right),
            expected_calibration_error(confidences, right),
        )
    save_calibrations(prefix, found)


def _samples(batch: Any, columns_per_step: int) -> tuple[list[Any], list[list[int]]]:
    """The images of a batch, each as wide as it is, and their labels; without those that only fill it up."""
    from ctc_ocr.alphabet import unpad_labels

    images, *steps = (each.asnumpy() for each in batch.data)
    size = len(images) - batch.pad
    labels = unpad_labels(batch.label[0].asnumpy())[:size]
    if not steps:
        return list(images[:size]), labels
    widths = (steps[0] * columns_per_step).astype(np.intp)
    return [image[:, :width] for image, width in zip(images[:size], widths, strict=False)], labels
