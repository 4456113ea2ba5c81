"""Named sets of hyperparameters that are known to work, to start from."""

from typing import Any

from ctc_ocr.hyperparameters import Hyperparameters

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    # The network of MXNet's example: the defaults.
    "lstm": {},
    # Fewer mistakes in less time: the convolutions leave a quarter of the steps to the LSTM.
    "crnn": {
        "network": {"architecture": "crnn", "num_layers": 1, "num_hidden": 64},
        "training": {"learning_rate": 3e-3, "warmup_steps": 100, "samples_per_epoch": 10_000, "num_epoch": 6},
    },
}


def settings(preset: str, *over: dict[str, dict[str, Any]]) -> Hyperparameters:
    """The defaults, under a preset of PRESETS, under each of `over` ({section: {name: value}}), the last on top.

    Raises InputError for values that Hyperparameters does not accept.
    """
    values: dict[str, dict[str, Any]] = {}
    for layer in (PRESETS[preset], *over):
        for section, named in layer.items():
            values[section] = {**values.get(section, {}), **named}
    return Hyperparameters.from_dict(values, where="hyperparameters")
