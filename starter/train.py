"""Train the starter model on drawn texts, and write its bundle: `python -m starter.train FONTS --prefix runs/starter`.

FONTS is what `python -m starter.fonts FONTS` downloads. There are three trainings, each but the first with the weights
of the one before and a learning rate that starts again (Loshchilov and Hutter, "SGDR: stochastic gradient descent with
warm restarts", 2017). The starter has the mean of the weights of the last two, which reads foreign images better than
either (Izmailov et al., "Averaging weights leads to wider optima and better generalization", 2018). What was stopped
goes on with the same command.
"""

import argparse
import logging
import string
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

import ctc_ocr
from ctc_ocr.checkpoint.run_files import can_be_resumed, params_path
from ctc_ocr.checkpoint.starter import starter_path
from ctc_ocr.errors import UserError
from ctc_ocr.runtime.types import MXArray

NAMES = ("first", "second", "third")
EPOCHS = (35, 30, 18)  # of the trainings
SETTINGS = ctc_ocr.preset(
    "word",
    data={
        "renderer": "wild", "alphabet": string.digits + string.ascii_uppercase + string.ascii_lowercase,
        "min_length": 1, "max_length": 8, "ink": "auto", "views": 5,
    },
    network={"dropout": 0.0},
    training={
        "schedule": "cosine", "samples_per_epoch": 20_000, "num_epoch": EPOCHS[0], "validation_samples": 1000,
        "warmup_updates": 500, "stop_patience": 0, "keep": 2,
    },
    augmentation={"augment": False},
)  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit status: 1 if it was interrupted."""
    made = argparse.ArgumentParser(prog="python -m starter.train", description="Train the starter model.")
    made.add_argument("fonts", metavar="FONTS", help="folder of fonts")
    made.add_argument("--prefix", required=True, help="beginning of the names of the run's files")
    made.add_argument("--out", type=Path, default=starter_path(), help="the bundle (default: in the package)")
    made.add_argument("--quick", action="store_true", help="a few updates, to see that it works")
    arguments = made.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    settings = quick(SETTINGS) if arguments.quick else SETTINGS
    prefixes = [f"{arguments.prefix}-{name}" for name in NAMES]
    try:
        for number, prefix in enumerate(prefixes):
            start = prefixes[number - 1] if number else None
            if not trained(settings_of(settings, number), arguments.fonts, prefix, init_from=start):
                return 1
        save_mean(prefixes[-2:], arguments.prefix)
        ctc_ocr.bundle_model(params_path(arguments.prefix, 1), arguments.out, overwrite=True)
        ctc_ocr.export_onnx(arguments.out, arguments.out.with_suffix(".onnx"), overwrite=True)
    except UserError as error:
        made.error(str(error))
    except KeyboardInterrupt:  # before the first update
        return 1
    return 0


def trained(settings: ctc_ocr.Hyperparameters, fonts: str, prefix: str, init_from: str | None = None) -> bool:
    """Train, or go on; returns whether it was finished."""
    resume = can_be_resumed(prefix)
    result = ctc_ocr.train(
        settings, ctc_ocr.Captchas(fonts), prefix,
        resume=resume, init_from=None if resume else init_from, num_proc=1, cpu=1,
    )  # fmt: skip
    return result.finished


def settings_of(settings: ctc_ocr.Hyperparameters, number: int) -> ctc_ocr.Hyperparameters:
    """Those of a training: other images, and its own number of epochs."""
    values = settings.to_dict()
    values["training"] |= {"seed": number, "num_epoch": min(EPOCHS[number], values["training"]["num_epoch"])}
    return ctc_ocr.Hyperparameters.from_dict(values)


def save_mean(prefixes: Sequence[str], prefix: str) -> None:
    """Write a model whose weights, and moving averages of batch norm, are the mean of those of two runs' newest
    epochs, which have the same network and alphabet."""
    from ctc_ocr.checkpoint import model_files
    from ctc_ocr.runtime.mxnet import mx
    from ctc_ocr.training.averaging import average
    from ctc_ocr.training.network import training_symbol

    loaded = [model_files.load(each, "newest") for each in prefixes]
    weights, statistics = (
        {name: mx.nd.array(values) for name, values in average(_arrays(first), _arrays(second), 0.5).items()}
        for first, second in (
            (loaded[0].arg_params, loaded[1].arg_params), (loaded[0].aux_params, loaded[1].aux_params),
        )
    )  # fmt: skip
    model = loaded[1].model
    assert model is not None
    model_files.save(prefix, 1, training_symbol(model), weights, statistics, replace(model, init_from=None))


def _arrays(values: Mapping[str, MXArray]) -> dict[str, NDArray[Any]]:
    return {name: array.asnumpy() for name, array in values.items()}


def quick(settings: ctc_ocr.Hyperparameters) -> ctc_ocr.Hyperparameters:
    """Two epochs of two updates."""
    values = settings.to_dict()
    values["training"] |= {"samples_per_epoch": 64, "num_epoch": 2, "validation_samples": 32}
    return ctc_ocr.Hyperparameters.from_dict(values)


if __name__ == "__main__":
    sys.exit(main())
