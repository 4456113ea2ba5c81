"""Starting from the weights of another model: every layer that fits, and of the last one the shared units."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ctc_ocr.alphabet import BLANK, Alphabet
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.config.architectures import LAST_LAYER
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.errors import InputError

if TYPE_CHECKING:
    from ctc_ocr.checkpoint.model_files import Checkpoint

Arrays = Mapping[str, NDArray[Any]]
PARAMETER = re.compile(r"_(norm_.*|[ih]2h_weight|[ih]2h_bias|weight|bias)$")
# Hyperparameters that change the pixels which a network is given. Not grey, which is chosen for what is copied.
OF_PIXELS = {"data": ("height", "ink", "binarise", "normalise"), "network": ("input_mean", "input_scale")}
KERNEL_AXES = 4  # of a convolution's weights: (outputs, inputs, rows, columns)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Transferred:
    """Names of the layers that were copied whole and of the others, and how many classes of the last layer were
    copied: 0, or the blank and the units of both alphabets."""

    layers: tuple[str, ...]
    new: tuple[str, ...]
    classes: int
    num_classes: int

    def __str__(self) -> str:
        text = f"copied: {', '.join(self.layers)}"
        if 0 < self.classes < self.num_classes:
            text += f"; of {LAST_LAYER} the blank and {self.classes - 1} of {self.num_classes - 1} units"
        return f"{text}; new: {', '.join(self.new) or 'nothing'}"


def transfer(
    values: Arrays, alphabet: Alphabet, other: Arrays, other_alphabet: Alphabet, turned: bool = False
) -> tuple[dict[str, NDArray[Any]], Transferred]:
    """The new model's parameters (moving averages included), replaced by the other's where they fit; and what fitted.

    A layer (a convolution with its batch norm, a direction of an LSTM layer) is copied if all its parameters are there
    in the same shapes. In the last layer, a class is a row: those of the blank and of the units that both alphabets
    have are copied if they fit and the layer below is copied too, since they depend on it. `turned`: the images of the
    other model are transposed to these, so only convolutions are copied, and their kernels are transposed: they find in
    the new images what they found in the others. Raises InputError if no layer fits but the last one, and if the other
    model's last layer has not the classes of its alphabet.
    """
    other = _turned(other) if turned else other
    layers: dict[str, list[str]] = {}
    for name in values:
        layers.setdefault(layer_of(name), []).append(name)
    head = layers.pop(LAST_LAYER)
    copied = [
        layer
        for layer, names in layers.items()
        if all(name in other and other[name].shape == values[name].shape for name in names)
        and (not turned or any(values[name].ndim == KERNEL_AXES for name in names))
    ]
    if not copied:
        weights = ", ".join(f"{name} {value.shape}" for name, value in values.items() if name.endswith("weight"))
        raise InputError(f"no layer fits: expected some of {weights}")
    result = {name: other[name] if layer_of(name) in copied else value.copy() for name, value in values.items()}
    for name in head:
        if name not in other or len(other[name]) != other_alphabet.num_classes:
            raise InputError(f"{name} does not have the {other_alphabet.num_classes} classes of the model's alphabet")
    classes = 0
    below = list(layers)[-1].split("_")[0]  # l1 of l1_forward: both directions
    fits = all(other[name].shape[1:] == values[name].shape[1:] for name in head)
    if fits and all(layer in copied for layer in layers if layer.split("_")[0] == below):
        rows, other_rows = shared_classes(alphabet, other_alphabet)
        classes = len(rows)
        for name in head:
            result[name][rows] = other[name][other_rows]
    new = [layer for layer in layers if layer not in copied]
    (copied if classes == alphabet.num_classes else new).append(LAST_LAYER)
    return result, Transferred(tuple(copied), tuple(new), classes, alphabet.num_classes)


def transfer_checkpoint(
    values: Arrays, model: Model, checkpoint: "Checkpoint"
) -> tuple[dict[str, NDArray[Any]], Transferred]:
    """As transfer, with the parameters of another model, `model` being the new one. Raises InputError, also if the
    alphabet of the other model is not known."""
    if checkpoint.model is None:
        raise InputError("missing: it has the model's alphabet", checkpoint.description_file)
    other = {name: array.asnumpy() for name, array in {**checkpoint.arg_params, **checkpoint.aux_params}.items()}
    turned = checkpoint.model.hyperparameters.data.writing != model.hyperparameters.data.writing
    try:
        return transfer(values, model.alphabet, other, checkpoint.model.alphabet, turned)
    except InputError as error:
        raise error.within(checkpoint.params_file) from None


def _turned(values: Arrays) -> dict[str, NDArray[Any]]:
    return {name: each.swapaxes(2, 3) if each.ndim == KERNEL_AXES else each for name, each in values.items()}


def layer_of(name: str) -> str:
    """The layer of a parameter: conv0 of conv0_norm_gamma, l0_forward of l0_forward_i2h_weight."""
    return PARAMETER.sub("", name)


def shared_classes(alphabet: Alphabet, other: Alphabet) -> tuple[list[int], list[int]]:
    """Codes of the blank and of the units that both alphabets have, in the one and in the other."""
    lookup, other_lookup = alphabet.lookup, other.lookup
    shared = [unit for unit in alphabet.units if unit in other_lookup]
    return [BLANK, *(lookup[unit] for unit in shared)], [BLANK, *(other_lookup[unit] for unit in shared)]


def warn_of_other_pixels(before: Hyperparameters, now: Hyperparameters) -> None:
    """Log where the copied weights were trained on pixels of another kind."""
    same_rows = before.geometry.num_rows == now.geometry.num_rows  # as of the network for taller images
    for section, names in OF_PIXELS.items():
        for name in names:
            if name == "height" and same_rows:
                continue
            old, new = (getattr(getattr(each, section), name) for each in (before, now))
            if old != new and "auto" not in (old, new):  # which is dark or light, as the image is
                log.warning("The copied weights were trained with %s=%s; it is %s now", name, old, new)
