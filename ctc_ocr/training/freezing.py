"""Which layers are frozen: those that the user names."""

from collections.abc import Collection, Sequence

from ctc_ocr.errors import InputError
from ctc_ocr.training.transfer import layer_of


def frozen_layers(freeze: Collection[str], parameters: Sequence[str]) -> list[str]:
    """The layers that `freeze` names: by their names, or, where no layer has it, by the beginning of their names.

    parameters: the names of all. Raises InputError for a name that is neither, or if nothing is left to train.
    """
    layers = list(dict.fromkeys(map(layer_of, parameters)))
    found: list[str] = []
    for name in freeze:
        named = [name] if name in layers else [layer for layer in layers if layer.startswith(name)]
        if not named:
            raise InputError(f"no layer {name!r}; there are: {', '.join(layers)}", "training.freeze")
        found += named
    if layers and set(layers) <= set(found):
        raise InputError("all layers are frozen: nothing is left to train", "training.freeze")
    return found
