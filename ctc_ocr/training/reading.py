"""What a run lets a model read: the starter, to choose the part of the images and to straighten them, and its own, to
calibrate it."""

import logging
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from ctc_ocr.checkpoint import run_files
from ctc_ocr.checkpoint.calibration_file import has_been_chosen
from ctc_ocr.checkpoint.starter import STARTER
from ctc_ocr.config.sections import Data
from ctc_ocr.datasets.checking import CheckedSample
from ctc_ocr.datasets.choices import FoundRegion
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.datasets.straightened import StraightenedSample
from ctc_ocr.images.files import read_image
from ctc_ocr.images.preparation import channels_to_read
from ctc_ocr.images.region import Region
from ctc_ocr.lengths import Lengths
from ctc_ocr.runtime.progress import Progress
from ctc_ocr.runtime.types import Context
from ctc_ocr.training.job import Ended

if TYPE_CHECKING:
    from ctc_ocr.datasets.iterator import BatchIter

log = logging.getLogger(__name__)


def region_by_starter(
    samples: Sequence[CheckedSample], region: Region, ink: str, seed: int, names: Collection[str], is_straight: bool
) -> FoundRegion:
    """Imports MXNet."""
    from ctc_ocr.inference.likely_region import likely_region

    return likely_region(STARTER, samples, region, ink, seed, names, is_straight)


def straightened_by_starter(
    samples: Sequence[Sample], data: Data, lengths: Lengths, progress: Progress
) -> list[StraightenedSample]:
    """The samples, with their lines of text found. Raises InputError for an image that cannot be read. Imports MXNet
    if it is there."""
    from ctc_ocr.inference.predictor import straightener

    how, channels = straightener(data, lengths), channels_to_read(data)
    assert how is not None
    found = list[StraightenedSample]()
    for index, each in enumerate(samples):
        image = read_image(each.read_bytes(), each.place, channels)
        found.append(StraightenedSample.made(each, how.placement(image), channels))
        progress(index + 1, len(samples))
    return found


def calibrate(
    prefix: str, ended: Ended, validation: "BatchIter", context: Context, turned: Sequence[Sample] = ()
) -> None:
    """`turned`: the validation images as they are, if they are straightened. Of an interrupted run, only the best
    epoch, which is read by default; and not if no epoch was completed, for then the images of `validation` may still be
    in the making. Imports MXNet."""
    from ctc_ocr.inference.calibrate import calibrate_unless_interrupted

    epochs = run_files.epochs_to_calibrate(prefix)
    if ended.finished:
        calibrate_unless_interrupted(prefix, epochs, validation, context, turned)
    elif not (epochs and has_been_chosen(prefix, epochs[0])):
        if epochs and ended.complete:
            calibrate_unless_interrupted(prefix, epochs[:1], validation, context, turned)
        else:
            log.info("Not calibrated: no epoch was completed. A run that reaches its end is calibrated")
