"""The average of a network's weights over the updates of a run, in which newer ones are heavier.

Updates at a large learning rate learn fast and leave the weights jumping about good ones, which their average is near
(Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992). Heavier by a power of the update
(Shamir and Zhang, "Stochastic gradient descent for non-smooth optimization", 2013), newer weights outweigh those of the
all-blank plateau, however long that took.
"""

from collections.abc import Mapping

from ctc_ocr.runtime.types import MXArray


class RunningAverage:
    """After update t, the mean of the weights after updates 1 to t, that of update n about n ** `power` times as heavy.

    `arrays` are the means by name, on the device of the weights; empty before the first update. They are computed in
    the background.
    """

    def __init__(self, power: float) -> None:
        self.arrays: dict[str, MXArray] = {}
        self._power = power

    def add(self, arrays: Mapping[str, MXArray], update: int) -> None:
        """Take the weights after an update into account; the first of a run is 1."""
        if not self.arrays:
            self.restore(arrays)
        share = (self._power + 1) / (update + self._power)
        for name, array in arrays.items():
            mean = self.arrays[name]
            mean += share * (array - mean)

    def restore(self, arrays: Mapping[str, MXArray]) -> None:
        """Go on from an average that was saved: `arrays` are those of a network that has it, as for `add`."""
        self.arrays = {name: array.copy() for name, array in arrays.items()}
