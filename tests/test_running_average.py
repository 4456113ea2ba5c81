"""The running average of the weights: what it is, and that runs keep it."""

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint import model_files
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.checkpoint.run_files import unfinished_path
from ctc_ocr.checkpoint.training_state import load_state, load_training_state, save_state, save_training_state
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.datasets.generated import GeneratedSource
from ctc_ocr.errors import InputError
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.training.events import BatchEnd, Callback, EpochEnd, StateSaved
from ctc_ocr.training.resume import newest
from ctc_ocr.training.running_average import RunningAverage
from ctc_ocr.training.trainer import Trainer
from tests.training_runs import CRNN, cached, make_source, run, streamed, training


@pytest.fixture
def source(ubuntu_font: str) -> GeneratedSource:
    return make_source(ubuntu_font)


@pytest.mark.parametrize("power", [1.0, 8.0])
def test_weights_of_later_updates_are_heavier_by_a_power(power: float) -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(size=(50, 3)).astype(np.float32)
    found = RunningAverage(power)
    assert found.arrays == {}
    for update, value in enumerate(values, 1):
        found.add({"w": mx.nd.array(value)}, update)
    # (n + power - 1)! / (n - 1)!, which grows as n ** power
    heaviness = [np.prod([update + k for k in range(int(power))], dtype=float) for update in range(1, 51)]
    np.testing.assert_allclose(
        found.arrays["w"].asnumpy(), np.average(values, axis=0, weights=heaviness), rtol=1e-4, atol=1e-6
    )


def test_the_first_update_of_a_run_is_its_own_average() -> None:
    average = RunningAverage(8.0)
    average.add({"w": mx.nd.array([2.0, 3.0])}, 1)
    np.testing.assert_allclose(average.arrays["w"].asnumpy(), [2, 3])


def arrays_of(trainer: Trainer) -> dict[str, np.ndarray]:
    arguments, auxiliary = trainer.network.parameters()
    return {name: array.asnumpy() for name, array in {**arguments, **auxiliary}.items()}


@pytest.mark.parametrize("network", ["lstm", "crnn"])
def test_a_checkpoint_has_the_average_and_training_goes_on_without(
    source: GeneratedSource, tmp_path: Path, network: str
) -> None:
    """Moving averages of batch norm are averaged too."""
    averaged, updates, events = trained(of(network, average_power=3.0), source, tmp_path / "averaged")
    plain, _, _ = trained(of(network, average_power=0.0), source, tmp_path / "plain")
    for name, array in arrays_of(plain).items():
        np.testing.assert_array_equal(arrays_of(averaged)[name], array, err_msg=name)
    stored = model_files.load(tmp_path / "averaged", 2)
    heaviness = [(n + 1) * (n + 2) * (n + 3) for n in range(8)]
    for name, found in {**stored.arg_params, **stored.aux_params}.items():
        expected = np.average([each[name] for each in updates], axis=0, weights=heaviness)
        np.testing.assert_allclose(found.asnumpy(), expected, rtol=1e-3, atol=1e-5, err_msg=name)
    plain.network.set_parameters(stored.arg_params, stored.aux_params)
    validated = plain._validate(cached(replace(source, stream=1), 16))[0]
    assert events[-1].validation_loss == pytest.approx(validated.mean_loss)


def trained(
    settings: Hyperparameters, source: GeneratedSource, prefix: Path, *callbacks: Callback
) -> tuple[Trainer, list[dict[str, np.ndarray]], list[EpochEnd]]:
    """A trainer at the end of its run, its arrays after each update, and what it said of its epochs."""
    updates, epochs = list[dict[str, np.ndarray]](), list[EpochEnd]()

    def look(event: Any) -> None:
        if isinstance(event, BatchEnd):
            updates.append(arrays_of(trainer))
        elif isinstance(event, EpochEnd):
            epochs.append(event)

    batches = streamed(source, settings.training.samples_per_epoch)
    trainer = Trainer(Model(settings, Alphabet(("0", "1"))), batches, [mx.cpu()], [look, *callbacks])
    validation = cached(replace(source, stream=1), settings.training.validation_samples)
    trainer.fit(batches, validation, str(prefix), lambda: 0.0)
    return trainer, updates, epochs


def of(network: str, **changes: Any) -> Hyperparameters:
    settings = training(**changes)
    return replace(settings, network=CRNN) if network == "crnn" else settings


@pytest.mark.parametrize("updates", [3, 4, 6])
def test_a_resumed_run_has_the_bits_of_the_average_that_was_not_stopped(
    source: GeneratedSource, tmp_path: Path, updates: int
) -> None:
    """Stopped within an epoch or at its end."""
    settings = of("crnn")

    def interrupt(event: Any) -> None:
        if isinstance(event, BatchEnd) and 4 * event.epoch + event.batch == updates:
            signal.raise_signal(signal.SIGINT)

    trained(settings, source, tmp_path / "whole")
    trained(settings, source, tmp_path / "part", interrupt)
    assert newest(str(tmp_path / "part")).state.updates_done == updates
    run(settings, source, tmp_path / "part", first=updates)
    whole, part = (model_files.load(tmp_path / name, 2) for name in ("whole", "part"))
    for name, array in {**whole.arg_params, **whole.aux_params}.items():
        found = {**part.arg_params, **part.aux_params}[name]
        np.testing.assert_array_equal(found.asnumpy(), array.asnumpy(), err_msg=name)


def test_a_state_of_other_weights_is_refused(source: GeneratedSource, tmp_path: Path) -> None:
    run(training(), source, tmp_path / "ocr")
    arrays, values = load_training_state(tmp_path / "ocr", 2)
    arrays["trained.pred_fc_bias"] = np.zeros(99, np.float32)
    save_training_state(tmp_path / "ocr", 2, arrays, values)
    with pytest.raises(InputError, match=r"ocr-0002\.state\.npz: the saved optimizer state belongs to another"):
        run(training(num_epoch=3), source, tmp_path / "ocr", first=8)


@pytest.mark.parametrize(
    ("name", "array", "reason"),
    [
        ("average.weights", np.zeros(99, np.float32), "the saved optimizer state belongs to another"),
        ("average.more", np.zeros(99, np.float32), "the saved optimizer state belongs to another"),
        ("average.weights", np.zeros(99, np.float64), "not a training state of this package"),
        ("network.moving averages", np.zeros(99, np.float32), "not a training state of this package"),
        ("network.moving averages", np.zeros((0, 99), np.float32), "not a training state of this package"),
    ],
)
def test_a_state_within_an_epoch_with_other_vectors_is_refused(
    source: GeneratedSource, tmp_path: Path, name: str, array: NDArray[Any], reason: str
) -> None:
    def stop(event: Any) -> None:
        if isinstance(event, StateSaved):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(training(checkpoint_minutes=1e-9), source, tmp_path / "ocr", callbacks=[stop])
    path = unfinished_path(tmp_path / "ocr")
    arrays, values = load_state(path)
    arrays[name] = array
    save_state(path, arrays, values)
    with pytest.raises(InputError, match=rf"ocr-unfinished\.state\.npz: {reason}"):
        run(training(checkpoint_minutes=1e-9), source, tmp_path / "ocr", first=1)
