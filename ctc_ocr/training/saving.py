"""What is saved of a run: the checkpoint of an epoch, and the state within an epoch that is not finished."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.checkpoint import model_files
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.checkpoint.provenance import from_folder
from ctc_ocr.checkpoint.run_files import remove_unfinished, unfinished_path
from ctc_ocr.checkpoint.training_state import checksum, replacing_state, save_training_state
from ctc_ocr.generation.rows import Rows
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import MXArray
from ctc_ocr.training.divergence import check_finite
from ctc_ocr.training.network import TrainingNetwork
from ctc_ocr.training.resume import AVERAGE, FROZEN, OF_NETWORK, TRAINED
from ctc_ocr.training.state_values import MOVING
from ctc_ocr.training.weight_averages import WeightAverages
from ctc_ocr.training.workers import OneWorker

Arrays = dict[str, NDArray[Any]]


class Saving:
    """Writes the files of a run as the first of its workers; the others take part where all have something to give."""

    def __init__(self, model: Model, network: TrainingNetwork, averages: WeightAverages, workers: OneWorker) -> None:
        self.start: Path | None = None  # the model that the run started from
        self._model, self._network, self._averages, self._workers = model, network, averages, workers

    def check(self) -> None:
        """Raises Diverged if something that a checkpoint has is not finite. The network has its running average."""
        check_finite(self._network.values(), "the parameter")
        check_finite(self._averages.trained, "the parameter")
        check_finite(self._network.optimizer_state(), "the optimizer state")

    def checkpoint(self, prefix: str, epoch: int, values: Mapping[str, Any]) -> Path:
        """Write an epoch's files: the optimizer state first, the parameters last. These are their running average, if
        there is one; the state then has the parameters themselves. Returns the path of the parameters."""
        arguments, auxiliary = self._network.parameters()
        trained = {f"{TRAINED}{name}": array for name, array in self._averages.trained.items()}
        arrays = {**self._network.optimizer_state(), **trained}
        save_training_state(prefix, epoch, arrays, {**values, "checksum": checksum(arguments)})
        path = model_files.save(prefix, epoch, self._network.symbol, arguments, auxiliary, self._described(prefix))
        remove_unfinished(prefix)
        return path

    def unfinished(self, prefix: str, values: Mapping[str, Any]) -> Path | None:
        """Write the state within an epoch, one file with all that resuming needs; training is not disturbed. Every
        worker calls it: each has moving averages of its own. Returns the path, of the first worker. Raises Diverged."""
        arrays = {**self._network.optimizer_state(), **self._of_all(OF_NETWORK, self._network.vectors())}
        arrays |= self._of_all(AVERAGE, self._averages.vectors)
        arrays |= {f"{FROZEN}{name}": array for name, array in self._network.frozen_values().items()}
        check_finite(arrays, "the state")
        if not self._workers.is_first:
            return None
        path = unfinished_path(prefix)
        # The large file is on disk before the other is replaced: a full disk leaves an earlier run as it was.
        with replacing_state(path, arrays, values):
            model_files.save_description(prefix, self._described(prefix))
        return path

    def _of_all(self, beginning: str, vectors: Mapping[str, MXArray]) -> Arrays:
        """Named vectors: of the weights, which all workers have, and of the moving averages (workers, A)."""
        arrays = {name: vector.asnumpy() for name, vector in vectors.items()}
        if MOVING in arrays:
            rows = self._workers.gather(arrays[MOVING].astype(np.float64).tolist())
            arrays[MOVING] = np.array(rows, np.float32)
        return {f"{beginning}{name}": array for name, array in arrays.items()}

    def _described(self, prefix: str) -> Model:
        return self._model if self.start is None else replace(self._model, init_from=from_folder(self.start, prefix))


def own_vectors(stored: Mapping[str, NDArray[Any]], rows: Rows) -> dict[str, MXArray]:
    """A worker's part of the vectors that `Saving.unfinished` has written. Of another number of workers, all get the
    mean of the moving averages."""
    vectors = dict(stored)
    if MOVING in vectors:
        table = vectors[MOVING]
        vectors[MOVING] = table[rows.rank] if len(table) == rows.count else table.mean(axis=0, dtype=np.float32)
    return {name: mx.nd.array(array) for name, array in vectors.items()}


def own_sums(sums: Sequence[Sequence[float]], rows: Rows) -> list[float] | None:
    """A worker's part of the sums within an epoch; None if it has none. Of another number of workers, the first one
    gets them all."""
    if len(sums) == rows.count:
        return list(sums[rows.rank])
    return [sum(column) for column in zip(*sums, strict=True)] if sums and rows.rank == 0 else None
