"""Named sets of hyperparameters that are known to work, to start from."""

from typing import Any

from ctc_ocr.config.hyperparameters import Hyperparameters

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    # The network of MXNet's example: the defaults.
    "lstm": {},
    # Fewer mistakes in less time: the convolutions leave a quarter of the steps to the LSTM.
    "crnn": {
        "network": {"architecture": "crnn", "num_layers": 1, "num_hidden": 64},
        "training": {"learning_rate": 3e-3, "warmup_updates": 100, "samples_per_epoch": 10_000, "num_epoch": 6},
    },
    # Labelled images of one word or number: captchas, plates, meters.
    "word": {
        "data": {"height": 40, "width": 160, "keep_ratio": True, "normalise": "image"},
        "network": {"architecture": "crnn", "num_layers": 1, "num_hidden": 96, "dropout": 0.2, "input_scale": 60.0},
        "training": {"learning_rate": 3e-3, "num_epoch": 50, "samples_per_epoch": 0, "keep": 3},
        "augmentation": {"augment": True},
    },
    # Labelled lines of text.
    "line": {
        "data": {"height": 40, "width": 1200, "keep_ratio": True, "normalise": "image"},
        "network": {
            "architecture": "crnn",
            "features": (16, 32, 64, 96),
            "num_layers": 2,
            "num_hidden": 96,
            "dropout": 0.3,
            "input_scale": 80.0,
        },
        "training": {"batch_size": 16, "learning_rate": 3e-3, "num_epoch": 80, "samples_per_epoch": 0, "keep": 3},
        "augmentation": {"augment": True},
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
