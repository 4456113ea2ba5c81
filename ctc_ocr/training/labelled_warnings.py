"""Warnings about labelled images that can be trained on, but probably not as they are."""

import logging

from ctc_ocr.checkpoint.known_images import KnownImages
from ctc_ocr.datasets.checking import LONG_LABEL, CheckResult

log = logging.getLogger(__name__)


def warn_of_long_labels(checked: CheckResult) -> None:
    """Lines of text in a network for words: it is told once what helps."""
    count = sum(problem.reason.startswith(LONG_LABEL) for problem in checked.invalid)
    if 2 * count > len(checked.invalid):
        log.warning(
            "%d labels need more time steps than the network makes: use --preset line for lines of text, or a larger "
            "--width",
            count,
        )


def warn_of_ink(checked: CheckResult, ink: str) -> None:
    """Images of another ink than the hyperparameter `ink` says, dark or light: most of them, or some."""
    light, count = int(checked.samples.light_ink.sum()), len(checked.samples)
    if ink == "dark" and 2 * light > count:
        log.warning("%d of %d images seem to have light ink on dark paper: use --ink light", light, count)
    elif ink == "light" and 2 * light < count:
        log.warning("%d of %d images seem to have dark ink on light paper: use --ink dark", count - light, count)
    elif ink != "auto" and 0 < light < count:
        log.info("%d of %d images seem to have light ink on dark paper: consider --ink auto", light, count)


def warn_of_shared_images(train: CheckResult, validation: CheckResult) -> None:
    """Images that the user names for validation, and for training too."""
    shared = set(validation.digests).intersection(train.digests)
    count = sum(digest in shared for digest in validation.digests)
    if count:
        log.warning("%d validation images are also training images, pixel by pixel", count)


def warn_of_changed_parts(train: CheckResult, validation: CheckResult, before: KnownImages) -> None:
    """Only images that the user names for validation, or of which too few are left, change their part."""
    for checked, part, was, now in (
        (validation, "training", "trained on", "now used for validation, which looks better than it is"),
        (train, "validation", "validated with", "now used for training"),
    ):
        count = sum(before.part(digest) == part for digest in checked.digests)
        if count:
            log.warning("%d images that the earlier model was %s are %s", count, was, now)
