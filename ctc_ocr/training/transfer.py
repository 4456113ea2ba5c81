"""Weights of another model for a new one: every layer that fits, and of the last one what the alphabets share."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ctc_ocr.alphabet import BLANK, Alphabet
from ctc_ocr.checkpoint.model_files import LAST_LAYER
from ctc_ocr.errors import InputError

Arrays = Mapping[str, NDArray[Any]]
PARAMETER = re.compile(r"_(norm_.*|[ih]2h_weight|[ih]2h_bias|weight|bias)$")


@dataclass(frozen=True)
class Taken:
    """Names of the layers that were taken whole and of the others, and how many of the last layer's classes were taken:
    0, or the blank and the units that both alphabets have."""

    layers: tuple[str, ...]
    new: tuple[str, ...]
    classes: int
    num_classes: int

    def __str__(self) -> str:
        told = f"taken: {', '.join(self.layers)}"
        if 0 < self.classes < self.num_classes:
            told += f"; of {LAST_LAYER} the blank and {self.classes - 1} of {self.num_classes - 1} units"
        return f"{told}; new: {', '.join(self.new) or 'nothing'}"


def transfer(
    values: Arrays, alphabet: Alphabet, other: Arrays, other_alphabet: Alphabet
) -> tuple[dict[str, NDArray[Any]], Taken]:
    """The new model's parameters (moving averages among them), replaced by the other's where they fit; and what fitted.

    A layer (a convolution with its batch norm, a direction of an LSTM layer) is taken if all its parameters are there
    in the same shapes. In the last layer, a class is a row: those of the blank and of the units that both alphabets
    have are taken, if the layer below is taken too, as they mean nothing above a new one. Raises InputError if no layer
    but the last one fits.
    """
    layers: dict[str, list[str]] = {}
    for name in values:
        layers.setdefault(layer_of(name), []).append(name)
    head = layers.pop(LAST_LAYER)
    taken = [
        layer
        for layer, names in layers.items()
        if all(name in other and other[name].shape == values[name].shape for name in names)
    ]
    if not taken:
        weights = ", ".join(f"{name} {value.shape}" for name, value in values.items() if name.endswith("weight"))
        raise InputError(f"no layer fits: expected some of {weights}")
    result = {name: other[name] if layer_of(name) in taken else value.copy() for name, value in values.items()}
    classes = 0
    below = list(layers)[-1].split("_")[0]  # l1 of l1_forward: both directions
    if all(layer in taken for layer in layers if layer.split("_")[0] == below):
        rows, other_rows = shared_classes(alphabet, other_alphabet)
        classes = len(rows)
        for name in head:
            result[name][rows] = other[name][other_rows]
    new = [layer for layer in layers if layer not in taken]
    (taken if classes == alphabet.num_classes else new).append(LAST_LAYER)
    return result, Taken(tuple(taken), tuple(new), classes, alphabet.num_classes)


def layer_of(name: str) -> str:
    """The layer that a parameter belongs to: conv0 of conv0_norm_gamma, l0_forward of l0_forward_i2h_weight."""
    return PARAMETER.sub("", name)


def shared_classes(alphabet: Alphabet, other: Alphabet) -> tuple[list[int], list[int]]:
    """Codes of the blank and of the units that both alphabets have, in the one and in the other."""
    lookup, other_lookup = alphabet.lookup, other.lookup
    shared = [unit for unit in alphabet.units if unit in other_lookup]
    return [BLANK, *(lookup[unit] for unit in shared)], [BLANK, *(other_lookup[unit] for unit in shared)]
