"""What every architecture must fulfil, checked before anything is trained."""

from ctc_ocr.config.architectures import LAST_LAYER
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.registries import ARCHITECTURES
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.mxnet_errors import reason_of
from ctc_ocr.runtime.types import Symbol

BATCH = 2


def check_contract(logits: Symbol, hyperparameters: Hyperparameters, num_classes: int) -> None:
    """Raises InputError for logits that are not one symbol (T, N, num_classes) with the promised number of time steps,
    whose last layer has another name, or that use `steps` although they were registered as not needing them, or the
    reverse."""
    data, name = hyperparameters.data, hyperparameters.network.architecture
    where = f"architecture {name}"
    if not isinstance(logits, mx.sym.Symbol):
        raise InputError(f"expected a symbol, the logits; got {type(logits).__name__}", where)
    if (count := len(logits.list_outputs())) != 1:
        raise InputError(f"expected one output, the logits; got {count}", where)
    if f"{LAST_LAYER}_output" not in logits.get_internals().list_outputs():
        raise InputError(f"its last layer must be named {LAST_LAYER}; it is {logits.list_outputs()[0]!r}", where)
    arguments = logits.list_arguments()
    if data.keep_ratio:
        _check_steps("steps" in arguments, ARCHITECTURES.get(name).needs_steps, where)
    colours = (3,) if data.channels == 3 else ()
    inputs = {"data": (BATCH, data.height, hyperparameters.geometry.full_width, *colours), "steps": (BATCH,)}
    try:
        _, (shape,), _ = logits.infer_shape_partial(**{n: s for n, s in inputs.items() if n in arguments})
    except mx.base.MXNetError as error:
        raise InputError(f"does not fit images of {inputs['data'][1:3]} pixels: {reason_of(error)}", where) from None
    expected = (hyperparameters.geometry.num_steps, BATCH, num_classes)
    if shape != expected:
        raise InputError(
            f"expected logits (time steps, images, classes) {expected} for {BATCH} images {data.width} wide, "
            f"got {shape}; columns_per_step is {hyperparameters.geometry.columns_per_step}",
            where,
        )


def _check_steps(uses_steps: bool, needs_steps: bool, where: str) -> None:
    """Padding must not change what is read."""
    if uses_steps and not needs_steps:
        raise InputError("uses steps, but is registered with needs_steps=False", where)
    if needs_steps and not uses_steps:
        raise InputError(
            "does not use steps, so that padding could change what is read. Make it ignore what follows the steps of "
            "each image; if padding cannot matter, register it with needs_steps=False; or set keep_ratio to false",
            where,
        )
