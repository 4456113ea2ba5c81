"""How many training workers a run has, where nobody says."""

from dataclasses import replace

from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.distributed.cluster import cluster_of
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.threads import available_cores
from ctc_ocr.training.budget import samples_of_epoch
from ctc_ocr.training.settings import Captchas, LabelledImages, RunOptions

# With fewer rows, what an update costs whatever their number is most of it. Measured: docs/benchmarks.md.
MIN_ROWS = 16
# To start the workers takes some seconds longer, which fewer updates do not save.
MIN_UPDATES = 500


def with_workers(
    hyperparameters: Hyperparameters, data: Captchas | LabelledImages, options: RunOptions
) -> Hyperparameters:
    """The hyperparameters with a number of workers.

    One for each core, as long as each has MIN_ROWS of a batch, unless the user has set the number of threads or GPUs,
    or the run is short. In a cluster, as many as it has. Raises InputError for a number that cannot be.
    """
    training = hyperparameters.training
    if options.kv_store is not None:
        number = cluster_of()[1].num_workers
        if training.workers not in (0, number) and not options.resume:
            raise InputError(f"has no effect in a cluster, which has {number} workers", "workers")
        return replace(hyperparameters, training=replace(training, workers=number))
    if training.workers > training.batch_size:
        raise InputError(f"{training.workers} are more than the {training.batch_size} samples of a batch", "workers")
    if training.workers > 1 and options.gpus:
        raise InputError("several workers train on the CPU; one process uses several GPUs: set it to 1", "workers")
    number = training.workers or _fastest(hyperparameters, data, options)
    return replace(hyperparameters, training=replace(training, workers=number))


def _fastest(hyperparameters: Hyperparameters, data: Captchas | LabelledImages, options: RunOptions) -> int:
    training = hyperparameters.training
    if options.cpu is not None or options.gpus:
        return 1
    updates = -(-samples_of_epoch(training, isinstance(data, Captchas)) // training.batch_size)
    if updates * training.num_epoch < MIN_UPDATES:
        return 1
    return max(1, min(available_cores(), training.batch_size // MIN_ROWS))
