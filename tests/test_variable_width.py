"""Lines of different widths in one batch: each is read, and taught by, as it would be alone."""

import itertools
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ctc_ocr import symbols
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.sections import Data, Network
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.runtime.mxnet_internals import bound_executor, data_address
from ctc_ocr.symbols import crnn
from ctc_ocr.training.network import training_symbol
from ctc_ocr.training.resume import newest
from ctc_ocr.training.trainer import Trainer
from tests.training_runs import SMALL, Batches, weights

WIDTHS = (9, 22, 37, 60)
LABELS = np.array([[1, 0, 0], [2, 2, 0], [3, 1, 2], [1, 2, 3]], np.float32)
CLASSES = 4


def line_settings(channels: int = 1, loss: str = "ctc", **network: Any) -> Hyperparameters:
    shape = {
        "features": (4, 6),
        "kernels": (3, 5),
        "strides": (1, 2),
        "pool_heights": (2, 1),
        "pool_widths": (2, 1),
        "num_layers": 2,
        "num_hidden": 5,
        **network,
    }
    return Hyperparameters(
        Data(alphabet="abc", min_length=1, max_length=2, width=60, height=12, keep_ratio=True, channels=channels),
        Network("crnn", **shape),
        replace(SMALL.training, batch_size=len(WIDTHS), loss=loss),
    )


def images(settings: Hyperparameters, width: int, garbage: int = 255) -> np.ndarray:
    """(N, H, width) or (N, H, width, 3): the lines, paper up to their last step, and `garbage` behind it."""
    generator = np.random.default_rng(5)
    colours = (3,) * (settings.data.channels == 3)
    found = np.full(
        (len(WIDTHS), settings.data.height, max(width, settings.geometry.full_width), *colours), garbage, np.uint8
    )
    for image, own in zip(found, WIDTHS, strict=True):
        columns = steps_of(settings, own) * settings.geometry.columns_per_step
        image[:, :columns] = 225
        image[:, :own] = generator.integers(0, 256, (settings.data.height, own, *colours))
    return found[:, :, :width]


def steps_of(settings: Hyperparameters, width: int) -> int:
    return settings.geometry.steps_of(width, settings.data.height)


def bound(settings: Hyperparameters, data: np.ndarray, rows: slice, is_train: bool) -> Any:
    """An executor with random parameters that has seen these rows; outputs: loss, best path, logits."""
    symbol = training_symbol(Model(settings, Alphabet(("a", "b", "c"))))
    symbol = mx.sym.Group([symbol, mx.sym.BlockGrad(symbol.get_internals()["pred_fc_output"])])
    steps = np.array([steps_of(settings, width) for width in WIDTHS], np.float32)
    inputs = {"data": data[rows], "steps": steps[rows], "label": LABELS[rows]}
    executor = symbol.simple_bind(
        mx.cpu(),
        grad_req={name: "null" if name in inputs else "write" for name in symbol.list_arguments()},
        type_dict={"data": "uint8", "label": "float32"},
        **{name: array.shape for name, array in inputs.items()},
    )
    generator = np.random.default_rng(1)
    for name, array in [*executor.arg_dict.items(), *executor.aux_dict.items()]:
        if name in inputs:
            array[:] = inputs[name]
        else:
            values = generator.normal(scale=0.5, size=array.shape)
            array[:] = abs(values) + 0.5 if name.endswith(("gamma", "moving_var")) else values
    executor.forward(is_train=is_train)
    return executor


def alone(settings: Hyperparameters, number: int, is_train: bool = False) -> Any:
    """One line as narrow as it can be."""
    width = steps_of(settings, WIDTHS[number]) * settings.geometry.columns_per_step
    return bound(settings, images(settings, width), slice(number, number + 1), is_train)


NETWORKS: list[dict[str, Any]] = [
    {},
    {"batch_norm": False},
    {"channels": 3},
    {"loss": "warpctc"},
    {"kernels": (1, 5), "strides": (2, 1), "pool_widths": (1, 3)},
]


@pytest.mark.parametrize("changes", NETWORKS)
@pytest.mark.parametrize(("width", "garbage"), [(60, 255), (76, 0), (112, 130)])
def test_a_line_is_read_the_same_alone_and_in_any_batch(changes: dict[str, Any], width: int, garbage: int) -> None:
    settings = line_settings(**changes)
    width = -(-width // settings.geometry.columns_per_step) * settings.geometry.columns_per_step
    batch = bound(settings, images(settings, width, garbage), slice(None), is_train=False)
    losses, paths, logits = (output.asnumpy() for output in batch.outputs)
    for number, own in enumerate(WIDTHS):
        steps = steps_of(settings, own)
        loss, path, expected = (output.asnumpy() for output in alone(settings, number).outputs)
        np.testing.assert_allclose(
            log_softmax(logits[:steps, number]), log_softmax(expected[:, 0]), atol=1e-5, err_msg=f"line {number}"
        )
        np.testing.assert_array_equal(paths[number, :steps], path[0])
        assert (paths[number, steps:] == -1).all()
        assert losses[number] == pytest.approx(loss[0], abs=1e-4)
        assert loss[0] > 0.1


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("loss", ["ctc", "warpctc"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_batch_teaches_what_its_lines_teach_alone(loss: str, channels: int) -> None:
    settings = line_settings(channels, loss, batch_norm=False)  # whose statistics are those of a batch
    batch = bound(settings, images(settings, 60, garbage=7), slice(None), is_train=True)
    batch.backward()
    sums: dict[str, np.ndarray] = {}
    for number in range(len(WIDTHS)):
        single = alone(settings, number, is_train=True)
        single.backward()
        for name, gradient in single.grad_dict.items():
            if gradient is not None:
                sums[name] = sums.get(name, 0) + gradient.asnumpy()
    assert len(sums) == 4 + 2 * 8 + 2
    for name, expected in sums.items():
        assert abs(expected).max() > 1e-3, name
        found = batch.grad_dict[name].asnumpy()
        np.testing.assert_allclose(found, expected, atol=1e-4 * abs(expected).max(), err_msg=name)


@pytest.mark.parametrize("loss", ["ctc", "warpctc"])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_what_lies_in_the_padding_changes_nothing(loss: str, batch_norm: bool) -> None:
    settings = line_settings(loss=loss, batch_norm=batch_norm)
    one, other = (bound(settings, images(settings, 60, garbage), slice(None), True) for garbage in (0, 255))
    for each in (one, other):
        each.backward()
    for first, second in zip(one.outputs[:2], other.outputs[:2], strict=True):
        np.testing.assert_array_equal(first.asnumpy(), second.asnumpy())
    for name, gradient in one.grad_dict.items():
        if gradient is not None:
            np.testing.assert_array_equal(gradient.asnumpy(), other.grad_dict[name].asnumpy(), err_msg=name)


@pytest.mark.parametrize("keep_ratio", [False, True])
@pytest.mark.parametrize(
    ("kernels", "strides", "pools"),
    [
        *[((k,), (s,), (p,)) for k, s, p in itertools.product((1, 3, 5), (1, 2), (1, 2, 3))],
        ((3, 5, 1), (2, 1, 2), (1, 3, 2)),
    ],
)
def test_sizes_are_those_that_the_hyperparameters_tell(
    kernels: tuple[int, ...], strides: tuple[int, ...], pools: tuple[int, ...], keep_ratio: bool
) -> None:
    for batch_norm, width in itertools.product((True, False), (36, 37, 38, 41, 47, 60)):
        network = Network(
            "crnn", 1, 3, features=(2,) * len(kernels), kernels=kernels, strides=strides, pool_heights=pools,
            pool_widths=pools[::-1], batch_norm=batch_norm,
        )  # fmt: skip
        data = Data(min_length=1, max_length=1, width=width, height=29, keep_ratio=keep_ratio)
        settings = Hyperparameters(data, network)
        maps = mx.sym.Variable("data")
        for index, (columns, rows) in enumerate(settings.geometry.map_sizes()):
            maps = crnn.block(maps, network, index)
            _, sizes, _ = maps.infer_shape(data=(1, 1, 29, settings.geometry.full_width))
            assert sizes[0][2:] == (rows, columns)
        logits = symbols.logits(mx.sym.Variable("data"), settings, 5)
        assert logits.infer_shape(data=(1, 29, settings.geometry.full_width))[1] == [
            (settings.geometry.num_steps, 1, 5)
        ]
        if keep_ratio:
            for own in range(1, width + 1):
                steps = settings.geometry.steps_of(own, 29)
                assert (
                    steps * settings.geometry.columns_per_step >= own > (steps - 1) * settings.geometry.columns_per_step
                )
                shape = (1, 29, steps * settings.geometry.columns_per_step)
                assert logits.infer_shape(data=shape)[1] == [(steps, 1, 5)]


def lines(settings: Hyperparameters, *largest: int) -> Batches:
    """A batch for each of these widths, of lines as wide, or less, or wholly black."""
    generator = np.random.default_rng(2)
    size, height = settings.training.batch_size, settings.data.height
    arrays: list[dict[str, np.ndarray]] = []
    for width in largest:
        pixels = np.zeros((size, height, settings.geometry.full_width), np.uint8)
        pixels[:, :, :width] = generator.integers(0, 256, (size, height, width))
        steps = np.array([steps_of(settings, width - 2 * row) for row in range(size)], np.float32)
        cut = np.array([steps.max() * settings.geometry.columns_per_step], np.float32)
        arrays.append({"images": pixels, "steps": steps, "width": cut, "labels": LABELS[:, :2].copy()})
    return Batches(settings, arrays)


def trainer_of(settings: Hyperparameters, batches: Batches, first: int = 0) -> tuple[Trainer, Any]:
    iterator = batches.iterator(first)
    return Trainer(Model(settings, Alphabet(("a", "b", "c"))), iterator, [mx.cpu()]), iterator


def test_weights_gradients_and_moving_averages_are_shared_between_widths() -> None:
    settings = line_settings()
    trainer, iterator = trainer_of(settings, lines(settings, 60, 20, 60, 40))
    addresses = []
    for batch in iterator:
        trainer.updates.make(batch)
        executor = bound_executor(trainer.network._module)
        assert executor.arg_dict["data"].shape[2] == batch.bucket_key
        arrays = [*executor.arg_dict.values(), *executor.grad_arrays, *executor.aux_dict.values()]
        shared = [each for each in arrays if each is not None and each.shape[0] != settings.training.batch_size]
        addresses.append([data_address(each) for each in shared])
    assert addresses[1:] == addresses[:-1]


def test_moving_averages_are_those_of_the_last_step() -> None:
    settings = line_settings(features=(32, 32))
    trainer, iterator = trainer_of(settings, lines(settings, *[60, 20] * 20))
    for batch in iterator:
        trainer.updates.make(batch)
        now = {name: array.asnumpy() for name, array in trainer.network.parameters()[1].items()}
        mx.nd.waitall()
        executor = bound_executor(trainer.network._module)
        for name, values in now.items():
            np.testing.assert_array_equal(executor.aux_dict[name].asnumpy(), values, err_msg=name)


def test_the_moving_averages_are_those_of_all_batches_in_turn() -> None:
    """Against NumPy: batch statistics of a first convolution that a rate of nearly 0 leaves as it is."""
    settings = line_settings(strides=(1, 1), kernels=(1, 1))
    settings = replace(settings, training=replace(settings.training, learning_rate=1e-20, warmup_updates=0))
    trainer, iterator = trainer_of(settings, lines(settings, 60, 20, 40))
    weight = weights(trainer)["conv0_weight"][:, 0, 0, 0]
    mean, variance = np.zeros(4), np.ones(4)
    for batch in iterator:
        pixels, steps = batch.data[0].asnumpy().astype(np.float64), batch.data[1].asnumpy()
        inside = np.arange(pixels.shape[2]) < (steps * settings.geometry.columns_per_step)[:, None]
        values = (settings.network.input_mean - pixels) / settings.network.input_scale * inside[:, None, :]
        mean = 0.9 * mean + 0.1 * weight * values.mean()
        variance = 0.9 * variance + 0.1 * weight**2 * values.var()
        trainer.updates.make(batch)
    auxiliary = trainer.network.parameters()[1]
    np.testing.assert_allclose(auxiliary["conv0_norm_moving_mean"].asnumpy(), mean, rtol=1e-4)
    np.testing.assert_allclose(auxiliary["conv0_norm_moving_var"].asnumpy(), variance, rtol=1e-3)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("optimizer", ["muon", "adam", "sgd", "rmsprop"])
def test_a_resumed_run_of_many_widths_gives_the_same_bits(tmp_path: Path, optimizer: str, dropout: float) -> None:
    settings = line_settings(dropout=dropout)
    settings = replace(settings, training=replace(settings.training, optimizer=optimizer, num_epoch=2))
    batches = lines(settings, 60, 20, 40, 20, 60)
    whole, iterator = trainer_of(settings, batches)
    validation = lines(settings, 60, 30).iterator()
    assert whole.fit(iterator, validation, str(tmp_path / "whole"), lambda: 0.0)

    part, iterator = trainer_of(settings, batches)
    for batch in itertools.islice(iterator, 3):
        part.updates.make(batch)
        part.state.batches_done += 1
    part.save(str(tmp_path / "part"), 1)
    mx.random.seed(99)  # as another process would begin with another one

    resumed, iterator = trainer_of(settings, batches, first=3)
    resumed.resume(newest(str(tmp_path / "part")))
    assert resumed.fit(iterator, validation, str(tmp_path / "part"), lambda: 0.0)
    assert resumed.state.best == whole.state.best
    for kind in (0, 1):
        for name, array in whole.network.parameters()[kind].items():
            found = resumed.network.parameters()[kind][name].asnumpy()
            np.testing.assert_array_equal(found, array.asnumpy(), err_msg=name)


def test_values_are_dropped_in_training_only() -> None:
    plain, dropping = line_settings(), line_settings(dropout=0.5)
    data = images(plain, 60)
    read = [bound(each, data, slice(None), is_train=False).outputs[2].asnumpy() for each in (plain, dropping, dropping)]
    np.testing.assert_array_equal(read[0], read[1])
    np.testing.assert_array_equal(read[0], read[2])
    train = [bound(each, data, slice(None), is_train=True).outputs[2].asnumpy() for each in (plain, dropping, dropping)]
    assert abs(train[0] - train[1]).max() > 0.01
    assert abs(train[1] - train[2]).max() > 0.01


def test_resume_refuses_another_alphabet_and_tells_of_another_augmentation(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = line_settings()
    batches = lines(settings, 60)
    trainer, iterator = trainer_of(settings, batches)
    trainer.updates.make(next(iterator))
    trainer.save(str(tmp_path / "ocr"), 1)
    other = Trainer(Model(settings, Alphabet(("a", "b", "d"))), batches.iterator(), [mx.cpu()])
    point = newest(str(tmp_path / "ocr"))
    before = weights(other)
    with pytest.raises(InputError, match="the run has another alphabet"):
        other.resume(point)
    assert all((weights(other)[name] == before[name]).all() for name in before)
    changed = replace(settings, augmentation=replace(settings.augmentation, augment=True))
    with caplog.at_level(logging.INFO, logger="ctc_ocr"):
        trainer_of(changed, batches)[0].resume(point)
    assert "Resuming with augment=True; it was False before" in caplog.text
