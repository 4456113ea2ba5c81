"""Presets: hyperparameters that are known to work for a kind of image."""

from collections.abc import Mapping
from typing import Any

from ctc_ocr.config.hyperparameters import Hyperparameters, options
from ctc_ocr.errors import InputError

# Until validation stands still; the number of epochs is a bound that few runs meet.
STOPS_BY_ITSELF = {"schedule": "wsd", "stop_patience": 4, "num_epoch": 1000}

# What the presets of labelled images were measured with.
ADAM = {"optimizer": "adam", "average_power": 0.0, "warmup_updates": 200}

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    # The network of MXNet's example: the defaults.
    "lstm": {},
    # More accurate in less time: the convolutions reduce the time steps to a quarter.
    "crnn": {
        "network": {"architecture": "crnn", "num_layers": 1, "num_hidden": 64},
        "training": {"learning_rate": 3e-3, "num_epoch": 8},
    },
    # Labelled images of one word or number: captchas, plates, meters. The starter model has this network.
    "word": {
        "data": {"height": 40, "width": 192, "keep_ratio": True, "normalise": "image"},
        "network": {
            "architecture": "crnn",
            "features": (16, 32, 48, 64, 128),
            "kernels": (3, 3, 3, 3, 3),
            "strides": (1, 1, 1, 1, 1),
            "pool_heights": (2, 2, 1, 2, 2),
            "pool_widths": (2, 2, 1, 1, 1),
            "num_layers": 1,
            "num_hidden": 96,
            "dropout": 0.2,
            "input_scale": 60.0,
        },
        "training": {"learning_rate": 1e-3, "samples_per_epoch": 0, "keep": 3, **ADAM, **STOPS_BY_ITSELF},
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
        "training": {
            "batch_size": 16,
            "learning_rate": 3e-3,
            "samples_per_epoch": 0,
            "keep": 3,
            **ADAM,
            **STOPS_BY_ITSELF,
        },
        "augmentation": {"augment": True},
    },
}


def preset(name: str, *changes: Mapping[str, Mapping[str, Any]], **sections: Mapping[str, Any]) -> Hyperparameters:
    """The hyperparameters of a preset with changes: `preset("crnn", training={"num_epoch": 3})`.

    `changes` are {section: {name: value}}, applied in their order, then `sections`. Raises InputError for an unknown
    preset, and for values that Hyperparameters does not accept.
    """
    if name not in PRESETS:
        raise InputError(f"no preset {name!r}; there are: {', '.join(PRESETS)}")
    values: dict[str, dict[str, Any]] = {}
    for layer in (PRESETS[name], *changes, sections):
        for section, named in layer.items():
            if not isinstance(named, Mapping):
                raise InputError(_misplaced(section, named))
            values[section] = {**values.get(section, {}), **named}
    return Hyperparameters.from_dict(values)


def _misplaced(name: str, value: Any) -> str:
    """Why a keyword of `preset` that is no section with values cannot be used."""
    option = options().get(name)
    if option is not None:
        return f"{name} belongs to a section: {option.section}={{{name!r}: {value!r}}}"
    return f"{name}: expected a section, as in training={{'num_epoch': 3}}, got {value!r}"
