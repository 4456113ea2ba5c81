"""The learning-rate range test: which learning rate suits a network and its images.

Smith, "Cyclical Learning Rates for Training Neural Networks", 2015: the rate rises with each update, and the loss
falls, reaches its lowest value and explodes.
"""

import math
from pathlib import Path

from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.errors import InputError, RunError, check_kind
from ctc_ocr.runtime.progress import Progress
from ctc_ocr.training.rate_curve import RateCurve, rising_rates
from ctc_ocr.training.session import TrainingSession
from ctc_ocr.training.settings import Captchas, LabelledImages, RunOptions

MIN_RATE, MAX_RATE, NUM_UPDATES = 1e-6, 1.0, 200
FEWEST_UPDATES = 10


def find_learning_rate(
    hyperparameters: Hyperparameters | None = None,
    data: Captchas | LabelledImages | str | Path | None = None,
    options: RunOptions | None = None,
    *,
    min_rate: float = MIN_RATE,
    max_rate: float = MAX_RATE,
    num_updates: int = NUM_UPDATES,
    progress: Progress | None = None,
) -> RateCurve:
    """Make updates whose learning rate rises exponentially from `min_rate` to `max_rate`, until the smoothed loss
    explodes. Nothing is saved.

    The first three arguments are as in `TrainingSession`; learning rate, schedule and number of epochs of the
    hyperparameters have no effect, nor have the options about files. With `init_from` in `options`, it starts from that
    model. progress: called as progress(done, num_updates) after each update.

    Raises InputError for arguments and files that cannot be used, RunError where the first loss is not finite.
    """
    check_kind("a number", min_rate=min_rate, max_rate=max_rate)
    check_kind("an integer", num_updates=num_updates)
    check_kind("a function", or_none=True, progress=progress)
    if not (0 < min_rate < max_rate and math.isfinite(max_rate)):
        raise InputError(f"expected a number above 0 and below max_rate, {max_rate:g}; got {min_rate:g}", "min_rate")
    if num_updates < FEWEST_UPDATES:
        raise InputError(f"expected {FEWEST_UPDATES} or more, got {num_updates}", "num_updates")
    rates, losses = rising_rates(min_rate, max_rate, num_updates).tolist(), list[float]()
    curve = RateCurve((), (), num_updates)
    with TrainingSession(hyperparameters, data, options).without_files() as (trainer, batches):
        from ctc_ocr.training.trial_updates import losses_at  # it imports MXNet

        for loss in losses_at(trainer.updates, rates, batches):
            if not math.isfinite(loss):
                break
            losses.append(loss)
            curve = RateCurve(tuple(rates[: len(losses)]), tuple(losses), num_updates)
            if progress:
                progress(len(losses), num_updates)
            if curve.explodes:
                break
    if not losses:
        raise RunError("the loss is not finite before the first update: check the hyperparameters")
    return curve
