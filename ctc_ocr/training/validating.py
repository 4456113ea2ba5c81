"""Validation: the network reads the images that are held out, each worker its own rows of every batch."""

from collections.abc import Callable, Sequence

import numpy as np

from ctc_ocr.alphabet import unpad_labels
from ctc_ocr.datasets.iterator import BatchIter
from ctc_ocr.evaluation.metrics import edit_distances
from ctc_ocr.training.events import ValidationPrediction
from ctc_ocr.training.network import TrainingNetwork
from ctc_ocr.training.sums import Sums
from ctc_ocr.training.workers import OneWorker

NO_STEP = -1  # of the best path, beyond a sample's own time steps


def validate(
    network: TrainingNetwork,
    validation: BatchIter,
    workers: OneWorker,
    num_steps: int,
    decode: Callable[[Sequence[int]], str],
) -> tuple[Sums, tuple[ValidationPrediction, ...]]:
    """Sums and predictions of all images, the same for every worker. `num_steps`: time steps of the widest images."""
    sums, predictions = Sums(), list[ValidationPrediction]()
    for number, batch in enumerate(validation):
        losses, best_path = (each.asnumpy() for each in network.predict(batch))
        # A batch is as wide as its own rows need.
        best_path = np.pad(best_path, ((0, 0), (0, num_steps - best_path.shape[1])), constant_values=NO_STEP)
        columns = [losses, best_path, batch.label[0].asnumpy()]
        size = validation.size_of(number)
        losses, best_path, labels = (each[:size] for each in workers.whole_batch(columns, size))
        codes, truths = sums.add(losses, best_path, labels), unpad_labels(labels)
        edits = edit_distances(codes, truths).tolist()
        predictions += [
            ValidationPrediction(decode(truth), decode(code), edit)
            for truth, code, edit in zip(truths, codes, edits, strict=True)
        ]
    validation.reset()
    return sums, tuple(predictions)
