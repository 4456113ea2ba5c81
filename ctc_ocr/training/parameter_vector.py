"""All weights of a network as one vector, and all its gradients.

An optimizer that is given one vector makes one update in place of one for each of some thirty arrays, a key-value store
one message. On the CPU both are copied through the memory of the arrays: a tenth of a millisecond for 200,000 weights,
where an MXNet operator for each array takes several.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ctc_ocr.errors import InputError
from ctc_ocr.runtime.host_memory import host_view, is_on_host
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.types import MXArray

FOREIGN_STATE = "the saved optimizer state belongs to another optimizer or network"


def refuse_foreign(arrays: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Raises InputError if saved arrays have not the names and shapes of a run's own."""
    if {name: each.shape for name, each in arrays.items()} != {name: each.shape for name, each in own.items()}:
        raise InputError(FOREIGN_STATE)


class ArrayCopies:
    """The arrays [parameter][device] of a network, with a copy of each parameter on every device; `shapes` are theirs.

    A vector (P,) float32 on the first device has the elements of all parameters, one after the other. The arrays must
    have their elements in order: oneDNN keeps weights in a layout of its own from a forward without training until the
    next one of training.
    """

    def __init__(self, arrays: Sequence[Sequence[MXArray]]) -> None:
        self._devices = [list(copies) for copies in zip(*arrays, strict=True)]
        self.shapes: list[tuple[int, ...]] = [each.shape for each in self._devices[0]]
        self._ends = np.cumsum([each.size for each in self._devices[0]]).tolist()
        self._views = None
        if all(is_on_host(each) for copies in self._devices for each in copies):
            self._views = [[host_view(each).reshape(-1) for each in copies] for copies in self._devices]

    @property
    def size(self) -> int:
        """P, the number of elements."""
        return int(self._ends[-1])

    def gather(self, vector: MXArray) -> None:
        """Copy the first device's arrays into the vector."""
        if self._views is None:
            mx.nd.concat(*(each.reshape((-1,)) for each in self._devices[0]), dim=0).copyto(vector)
        else:
            mx.nd.waitall()  # MXNet does not know who reads its memory
            np.concatenate(self._views[0], out=host_view(vector))

    def gather_sum(self, vector: MXArray) -> None:
        """Write the sum over the devices into the vector."""
        self.gather(vector)
        for number, copies in enumerate(self._devices[1:], start=1):
            if self._views is None:
                flat = mx.nd.concat(*(each.reshape((-1,)) for each in copies), dim=0)
                vector += flat.as_in_context(vector.context)
            else:
                sums = host_view(vector)
                sums += np.concatenate(self._views[number])

    def scatter(self, vector: MXArray) -> None:
        """Copy the vector into the arrays of all devices. Nothing else may be using them."""
        if self._views is not None:
            parts = np.split(host_view(vector), self._ends[:-1])
            for copies in self._views:
                for view, part in zip(copies, parts, strict=True):
                    view[:] = part
            return
        for copies in self._devices:
            for each, part in zip(copies, self.parts(vector), strict=True):
                part.copyto(each)

    def parts(self, vector: MXArray) -> list[MXArray]:
        """The part of each parameter, in its shape and in the memory of the vector."""
        bounds = zip([0, *self._ends[:-1]], self._ends, self.shapes, strict=True)
        return [vector[start:end].reshape(shape) for start, end, shape in bounds]
