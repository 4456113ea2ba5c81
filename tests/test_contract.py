"""Architectures of users that break the contract are told before anything is trained."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

import ctc_ocr
from ctc_ocr import mxnet as mx
from ctc_ocr.config.registries import ARCHITECTURES
from ctc_ocr.training.transfer import warn_of_other_pixels


def network(images: Any, hyperparameters: Any, num_classes: int, steps: Any = None, name: str = "pred_fc") -> Any:
    """One time step per two columns."""
    maps = mx.sym.expand_dims(mx.sym.cast(images, dtype="float32"), axis=1)
    maps = mx.sym.Pooling(maps, kernel=(2, 2), stride=(2, 2), pool_type="max")
    columns = mx.sym.reshape(mx.sym.transpose(maps, axes=(3, 0, 1, 2)), shape=(0, 0, -1))
    return mx.sym.FullyConnected(columns, num_hidden=num_classes, flatten=False, name=name)


def batch_first(*arguments: Any) -> Any:
    logits = network(*arguments)
    return mx.sym.FullyConnected(
        mx.sym.transpose(logits, axes=(1, 0, 2)), num_hidden=arguments[2], flatten=False, name="pred_fc"
    )


def one_class_less(images: Any, hyperparameters: Any, num_classes: int, steps: Any = None) -> Any:
    return network(images, hyperparameters, num_classes - 1, steps)


def other_name(images: Any, hyperparameters: Any, num_classes: int, steps: Any = None) -> Any:
    return network(images, hyperparameters, num_classes, steps, name="out")


def impossible(images: Any, hyperparameters: Any, num_classes: int, steps: Any = None) -> Any:
    maps = mx.sym.expand_dims(mx.sym.cast(images, dtype="float32"), axis=1)
    maps = mx.sym.Convolution(maps, num_filter=2, kernel=(99, 99))  # larger than the image
    return mx.sym.FullyConnected(maps, num_hidden=num_classes, flatten=False, name="pred_fc")


def no_symbol(*arguments: Any) -> Any:
    return None


def two_outputs(*arguments: Any) -> Any:
    logits = network(*arguments)
    return mx.sym.Group([logits, mx.sym.softmax(logits)])


def three_arguments(images: Any, hyperparameters: Any, num_classes: int) -> Any:
    return network(images, hyperparameters, num_classes)


@pytest.fixture
def register() -> Any:
    names: list[str] = []

    def add(build: Callable[..., Any], **options: Any) -> str:
        name = f"contract_{build.__name__}"
        ctc_ocr.register_architecture(name, **options)(build)
        names.append(name)
        return name

    yield add
    for name in names:
        ARCHITECTURES._parts.pop(name, None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "columns", "complaint"),
    [
        (other_name, 2, r"its last layer must be named pred_fc; it is 'out_output'"),
        (
            network,
            4,
            r"expected logits .* \(20, 2, 11\) for 2 images 80 wide, got \(40, 2, 11\); columns_per_",
        ),
        (network, 3, r"expected logits .* \(26, 2, 11\)"),
        (one_class_less, 2, r"expected logits .* \(40, 2, 11\) .*, got \(40, 2, 10\)"),
        (impossible, 2, r"does not fit images of \(30, 80\) pixels: "),
        (no_symbol, 2, "expected a symbol, the logits; got NoneType"),
        (two_outputs, 2, "expected one output, the logits; got 2"),
    ],
)
def test_a_broken_contract_is_found_before_training(
    tmp_path: Path, register: Any, build: Callable[..., Any], columns: int, complaint: str
) -> None:
    settings = ctc_ocr.preset("lstm", network={"architecture": register(build, columns_per_step=columns)})
    options = ctc_ocr.RunOptions(str(tmp_path / "ocr"), cpu=1, num_proc=1)
    session = ctc_ocr.TrainingSession(settings, options=options)
    for action in (session.network_summary, session.overfit_batch, session.run):
        with pytest.raises(ctc_ocr.InputError, match=complaint) as error:
            action()
        assert error.value.where == f"architecture contract_{build.__name__}"
    assert list(tmp_path.iterdir()) == []


def test_the_contract_holds_for_any_batch(register: Any) -> None:
    """The batch of the check has two images; one that fixes the batch in its shapes is found."""
    settings = ctc_ocr.preset("lstm", network={"architecture": register(batch_first, columns_per_step=2)})
    with pytest.raises(ctc_ocr.InputError, match=r"expected logits .* \(40, 2, 11\) .*, got \(2, 40, 11\)"):
        ctc_ocr.TrainingSession(settings, options=ctc_ocr.RunOptions(cpu=1, num_proc=1)).network_summary()


def test_a_function_of_other_arguments_is_refused() -> None:
    with pytest.raises(ctc_ocr.InputError, match="must accept \\(images, hyperparameters, num_classes, steps\\)"):
        ctc_ocr.register_architecture("short", columns_per_step=1)(cast(Any, three_arguments))
    with pytest.raises(ctc_ocr.InputError, match="columns_per_step: 0 is less than 1"):
        ctc_ocr.register_architecture("short", columns_per_step=0)
    assert "short" not in ARCHITECTURES


def test_the_lists_of_convolutions_are_free_for_own_architectures(register: Any) -> None:
    name = register(network, columns_per_step=2)
    assert ctc_ocr.preset("lstm", network={"architecture": name, "features": (8, 8)}).geometry.num_steps == 40
    for strides in ((1, 1), ()):
        settings = ctc_ocr.preset("lstm", network={"architecture": name, "strides": strides})
        assert settings.geometry.num_rows == settings.data.height
        warn_of_other_pixels(settings, settings)
