"""Calibration of a run's confidences by its validation images."""

import logging
from collections.abc import Iterable, Sequence

import numpy as np

from ctc_ocr.alphabet import unpad_labels
from ctc_ocr.checkpoint.calibration_file import save_calibrations
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.evaluation.calibration_choice import MIN_IMAGES, CalibrationChoice, choose_calibration
from ctc_ocr.images.files import read_image
from ctc_ocr.images.pixels import Pixels
from ctc_ocr.images.preparation import channels_to_read
from ctc_ocr.inference.prediction import Prediction
from ctc_ocr.inference.predictor import Predictor
from ctc_ocr.runtime.advice import advice
from ctc_ocr.runtime.types import Context, DataBatch

FEW_IMAGES = 50  # with fewer, the accuracy at a confidence is uncertain by more than 0.1
MAX_TURNED = 100  # images whose lines are found again: that takes up to a second each

log = logging.getLogger(__name__)


def calibrate(
    prefix: str,
    epochs: Iterable[int],
    validation: Iterable[DataBatch],
    context: Context,
    turned: Sequence[Sample] = (),
) -> dict[int, CalibrationChoice]:
    """Choose a calibration, or none, for each of these epochs by its predictions for the validation images.

    `validation` gives batches as `ctc_ocr.datasets.iterator` makes them. `turned`: the same images as they are, if they
    are straightened. A network finds their lines better than what straightened them for training; some of them are then
    read in place of the batches. Returns {epoch: choice}, which replaces the
    run's PREFIX-calibration.json; it is written after each epoch.
    """
    batches, found = [] if turned else list(validation), dict[int, CalibrationChoice]()
    for epoch in epochs:
        predictor = Predictor(prefix, epoch, context=context)
        predictor.calibration = None  # fitted to the confidences of the network itself
        found[epoch] = _choose(predictor, _read_turned(predictor, turned) if turned else _read(predictor, batches))
        save_calibrations(prefix, found)
    return found


def calibrate_unless_interrupted(
    prefix: str,
    epochs: Sequence[int],
    validation: Iterable[DataBatch],
    context: Context,
    turned: Sequence[Sample] = (),
) -> None:
    """As calibrate; Ctrl-C ends it, and what it costs is only the calibration."""
    try:
        log.info("Calibrating on the validation images: epoch %s (Ctrl-C skips it)", " and ".join(map(str, epochs)))
        calibrate(prefix, epochs, validation, context, turned)
    except KeyboardInterrupt:
        advice.info(
            "Skipped: these confidences are the network's own. --resume --num_epoch %d calibrates them", max(epochs)
        )


def _read(predictor: Predictor, batches: Iterable[DataBatch]) -> list[tuple[Prediction, list[int]]]:
    """The predictions for the images of batches, and their labels as codes."""
    predictor.take_stretched_images()
    found = list[tuple[Prediction, list[int]]]()
    for batch in batches:
        images, labels = _samples(batch, predictor.hyperparameters.geometry.columns_per_step)
        found += zip(predictor.predict_prepared(images), labels, strict=True)
    return found


def _read_turned(predictor: Predictor, samples: Sequence[Sample]) -> list[tuple[Prediction, list[int]]]:
    """As `_read`, of images that are not straightened, at most MAX_TURNED of them."""
    found = list[tuple[Prediction, list[int]]]()
    channels = channels_to_read(predictor.hyperparameters.data)
    for sample in samples[:: -(-len(samples) // MAX_TURNED)]:
        image = read_image(sample.read_bytes(), sample.place, channels)
        found.append((predictor.read(image), predictor.alphabet.encode(sample.units)))
    right = sum(prediction.codes == label for prediction, label in found)
    log.info(
        "Epoch %d reads %d of %d validation images where it finds the lines itself, as it does from now on",
        predictor.epoch, right, len(found),
    )  # fmt: skip
    return found


def _choose(predictor: Predictor, read: Sequence[tuple[Prediction, list[int]]]) -> CalibrationChoice:
    confidences = [prediction.confidence or 0.0 for prediction, _ in read]
    correct = [prediction.codes == label for prediction, label in read]
    if not any(correct):
        log.info("Epoch %d reads no validation image correctly: its confidences are not usable yet", predictor.epoch)
    elif MIN_IMAGES <= len(correct) < FEW_IMAGES:
        log.info("%d validation images are few: confidences are rough estimates", len(correct))
    choice = choose_calibration(confidences, correct)
    _log(predictor.epoch, choice)
    return choice


def _log(epoch: int, choice: CalibrationChoice) -> None:
    if choice.images < MIN_IMAGES:
        log.info("Epoch %d is not calibrated: that needs %d validation images or more", epoch, MIN_IMAGES)
        return
    chosen = "Calibrated epoch %d" if choice.calibration else "Epoch %d is not calibrated, as that does not help"
    log.info(
        f"{chosen}: by cross-validation, log loss %.4f with a calibration and %.4f without, "
        "expected calibration error %.3f and %.3f",
        epoch, choice.after.log_loss, choice.before.log_loss,
        choice.after.calibration_error, choice.before.calibration_error,
    )  # fmt: skip


def _samples(batch: DataBatch, columns_per_step: int) -> tuple[list[Pixels], list[list[int]]]:
    """The images of a batch, each in its own width, and their labels as codes; without those that pad the batch."""
    images, *steps = (each.asnumpy() for each in batch.data)
    size = len(images) - batch.pad
    labels = unpad_labels(batch.label[0].asnumpy())[:size]
    if not steps:
        return list(images[:size]), labels
    widths = (steps[0] * columns_per_step).astype(np.intp)
    return [image[:, :width] for image, width in zip(images[:size], widths, strict=False)], labels
