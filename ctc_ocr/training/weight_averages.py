"""The averages of a network's weights that are validated and saved: over the updates of a run, and with the weights of
the model that it started from."""

import logging
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.runtime.types import MXArray
from ctc_ocr.training.averaging import SHARE, average
from ctc_ocr.training.network import TrainingNetwork
from ctc_ocr.training.parameter_vector import refuse_foreign
from ctc_ocr.training.running_average import RunningAverage
from ctc_ocr.training.sums import Sums

Values = dict[str, NDArray[np.float32]]
Predictions = TypeVar("Predictions")

log = logging.getLogger(__name__)


class WeightAverages:
    """`start`: parameters and moving averages at the start from another model; {} without one. `trained`: the weights,
    while the network has their running average; {} otherwise. `power`: see RunningAverage; 0 for no running average."""

    def __init__(self, network: TrainingNetwork, power: float) -> None:
        self.start: Values = {}
        self.trained: Values = {}
        self._network = network
        self._running = RunningAverage(power) if power else None

    def add(self, update: int) -> None:
        """Take the weights after an update into account."""
        if self._running is not None:
            self._running.add(self._network.vectors(), update)

    @property
    def vectors(self) -> Mapping[str, MXArray]:
        """The running average, as the network's `vectors`; empty without one, and before the first update."""
        return self._running.arrays if self._running is not None else {}

    def restore_vectors(self, vectors: Mapping[str, MXArray]) -> None:
        """Go on from a running average that was saved. Raises InputError for that of another network."""
        if self._running is None or not vectors:
            return
        own = self._network.vectors()
        refuse_foreign(vectors, own)
        device = own["weights"].context
        self._running.restore({name: each.as_in_context(device) for name, each in vectors.items()})

    def use(self) -> None:
        """Replace the weights by their running average, if there is one, until `leave`: to validate and save. After
        this, all workers have the same."""
        if self.trained:
            return
        self._network.share_moving_averages()
        if self.vectors:
            self._network.share_moving_averages(self.vectors.get("moving averages"))
            self.trained = self._network.values()
            self._network.set_vectors(self.vectors)

    def leave(self) -> None:
        """Put the weights back with which training goes on."""
        self._network.set_values(self.trained)
        self.trained = {}

    def restore(self, trained: Values) -> None:
        """Go on with these weights, and with those of the network as their average; {}: these are not an average.
        Raises InputError for those of another network."""
        if not trained:
            return
        refuse_foreign(trained, self._network.values())
        self.restore_vectors(self._network.vectors())
        self._network.set_values(trained)

    def with_start(
        self, validate: Callable[[], tuple[Sums, Predictions]], validated: Sums, predictions: Predictions
    ) -> tuple[Sums, Predictions]:
        """Replace the weights by their average with those of the start, if validation is better with it: its loss, and
        its CER and accuracy are no worse. Returns the validation of the weights that are left."""
        trained = self._network.values()
        self._network.set_values(average(self.start, trained, SHARE))
        of_average, read = validate()
        # What is surely wrong costs much loss: a start that is unsure of everything lowers it and reads worse.
        before, now = validated.tally, of_average.tally
        if now.cer > before.cer or now.accuracy < before.accuracy or not of_average.mean_loss < validated.mean_loss:
            self._network.set_values(trained)
            return validated, predictions
        log.info(
            "Weights averaged with those of the start: validation loss %.3f with %.0f %% of the trained ones, "
            "%.3f without", of_average.mean_loss, 100 * SHARE, validated.mean_loss,
        )  # fmt: skip
        return of_average, read
