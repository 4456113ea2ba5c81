"""A training that diverges: noticed within an update, never saved, ended or started again from the last good epoch; and
the states within an epoch, from which a run goes on to the bit."""

import itertools
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

import ctc_ocr
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint import run_files
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.checkpoint.history import Row
from ctc_ocr.checkpoint.history import read as read_history
from ctc_ocr.checkpoint.model_files import load
from ctc_ocr.checkpoint.params_file import params_content, read_params
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.datasets.generated import GeneratedSource
from ctc_ocr.errors import RunError
from ctc_ocr.generation.rows import ALL_ROWS
from ctc_ocr.runtime.host_memory import host_view
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.training.data import training_data
from ctc_ocr.training.divergence import Diverged
from ctc_ocr.training.events import BatchEnd, EpochEnd, Restarted, StateSaved
from ctc_ocr.training.interrupts import Interrupts
from ctc_ocr.training.job import Job, _Attempts
from ctc_ocr.training.resume import newest
from ctc_ocr.training.run_state import RunState
from ctc_ocr.training.trainer import Trainer
from ctc_ocr.training.workers import ALONE, OneWorker
from tests.training_runs import CRNN, SMALL, cached, make_source, run, streamed, training, weights

NAN = float("nan")


@pytest.fixture
def source(ubuntu_font: str) -> GeneratedSource:
    return make_source(ubuntu_font)


def trainer_with(settings: Hyperparameters, source: GeneratedSource, callback: Callable[[Any], None]) -> Any:
    """(trainer, function that trains under a prefix)."""
    iterator = streamed(source, settings.training.samples_per_epoch)
    trainer = Trainer(Model(settings, Alphabet(tuple(settings.data.alphabet))), iterator, [mx.cpu()], [callback])
    validation = cached(replace(source, stream=1), settings.training.validation_samples)
    return trainer, lambda prefix: trainer.fit(iterator, validation, str(prefix), lambda: 0.0)


def spoil_weights(trainer: Trainer, value: float) -> None:
    """One weight of the first layer gets another value, as by an update that went wrong."""
    vector = trainer.network.vectors()["weights"]
    host_view(vector)[3] = value
    trainer.network.set_vectors(trainer.network.vectors())


@pytest.mark.parametrize("network", [SMALL.network, CRNN])
@pytest.mark.parametrize("value", [NAN, float("inf"), 3e38])
def test_weights_that_are_not_finite_are_noticed_within_an_update(
    source: GeneratedSource, tmp_path: Path, network: Any, value: float
) -> None:
    """oneDNN's ReLU, after the convolutions of the second network, makes 0 of NaN: the loss may stay a number."""
    seen: list[int] = []

    def spoil(event: Any) -> None:
        if isinstance(event, BatchEnd):
            seen.append(event.batch + event.num_batches * event.epoch)
            if seen[-1] == 6:
                spoil_weights(trainer, value)

    trainer, fit = trainer_with(replace(SMALL, network=network), source, spoil)
    with pytest.raises(Diverged, match=r"after [78] updates; try a lower --learning_rate"):
        fit(tmp_path / "ocr")
    assert seen[-1] <= 8
    assert run_files.epochs(tmp_path / "ocr") == [1]
    assert np.isfinite(load(str(tmp_path / "ocr"), 1).arg_params["pred_fc_weight"].asnumpy()).all()


def test_the_last_update_of_an_epoch_is_looked_at_too(source: GeneratedSource, tmp_path: Path) -> None:
    def spoil(event: Any) -> None:
        if isinstance(event, BatchEnd) and event.batch == event.num_batches and event.epoch == 1:
            spoil_weights(trainer, NAN)

    trainer, fit = trainer_with(replace(SMALL, network=CRNN), source, spoil)
    with pytest.raises(Diverged, match="not finite"):
        fit(tmp_path / "ocr")
    assert run_files.epochs(tmp_path / "ocr") == [1]


def test_a_loss_that_explodes_is_noticed(source: GeneratedSource, tmp_path: Path) -> None:
    settings = training(optimizer="sgd", momentum=0.0, learning_rate=1e6, warmup_updates=0, clip_gradient=0.0,
                        samples_per_epoch=160, num_epoch=1)  # fmt: skip
    with pytest.raises(Diverged, match=r"the loss has exploded: .* nats per sample after"):
        run(settings, source, tmp_path / "ocr")
    assert list(tmp_path.iterdir()) == []


FAILS = training(optimizer="sgd", momentum=0.0, learning_rate=1e6, clip_gradient=0.0, samples_per_epoch=64,
                 validation_samples=16, num_epoch=1, warmup_updates=0, on_divergence="restart",
                 schedule="constant", average_power=0.0)  # fmt: skip


@pytest.mark.long
def test_a_run_that_cannot_but_diverge_ends_after_some_restarts(tmp_path: Path, ubuntu_font: str) -> None:
    restarts: list[Restarted] = []
    with pytest.raises(RunError, match="the loss has exploded"):
        ctc_ocr.train(
            FAILS, ctc_ocr.Captchas(ubuntu_font), tmp_path / "ocr", num_proc=1, cpu=1, progress=False,
            callbacks=[lambda event: restarts.append(event) if isinstance(event, Restarted) else None],
        )  # fmt: skip
    assert [each.epochs_done for each in restarts] == [0] * 8


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_run_goes_back_to_the_last_epoch_with_half_the_rate(tmp_path: Path, ubuntu_font: str, workers: int) -> None:
    """A rate that is too high is put into the second epoch, by a state that was trained with a good one."""
    good = training(
        workers=workers, num_epoch=1, samples_per_epoch=64, schedule="constant", warmup_updates=0, optimizer="sgd",
        momentum=0.0, learning_rate=1e-3, clip_gradient=0.0, average_power=0.0,
    )  # fmt: skip
    options: dict[str, Any] = {"num_proc": 1, "cpu": 1, "progress": False}
    ctc_ocr.train(good, ctc_ocr.Captchas(ubuntu_font), tmp_path / "ocr", **options)
    rates: list[float] = []
    restarts: list[int] = []

    def note(event: Any) -> None:
        if isinstance(event, Restarted):
            restarts.append(event.epochs_done)
        elif isinstance(event, EpochEnd):
            rates.append(event.learning_rate)

    bad = replace(good, training=replace(good.training, learning_rate=200.0, num_epoch=2, on_divergence="restart"))
    ctc_ocr.train(bad, ctc_ocr.Captchas(ubuntu_font), tmp_path / "ocr", callbacks=[note], resume=True, **options)
    assert restarts == [1] * len(restarts)
    assert restarts
    assert rates == [200.0 / 2 ** len(restarts)]
    assert newest(str(tmp_path / "ocr")).state.restarts == len(restarts)
    assert [row.epoch for row in read_history(tmp_path / "ocr")] == [1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("damaged", [(2,), (1, 2)])
def test_a_run_goes_back_to_an_epoch_that_is_whole(
    tmp_path: Path, ubuntu_font: str, caplog: pytest.LogCaptureFixture, damaged: tuple[int, ...]
) -> None:
    """If none is, it ends with the divergence, and not with the damage that came to light by it."""
    settings = training(
        num_epoch=2, samples_per_epoch=64, schedule="constant", warmup_updates=0, optimizer="sgd", momentum=0.0,
        learning_rate=1e-3, clip_gradient=0.0, average_power=0.0, on_divergence="restart",
    )  # fmt: skip
    options: dict[str, Any] = {"num_proc": 1, "cpu": 1, "progress": False}
    data, restarts, rows = ctc_ocr.Captchas(ubuntu_font), list[Restarted](), list[list[int]]()
    ctc_ocr.train(settings, data, tmp_path / "ocr", **options)

    def damage(event: Any) -> None:
        if isinstance(event, BatchEnd) and not restarts:
            for epoch in damaged:
                run_files.params_path(tmp_path / "ocr", epoch).write_bytes(b"")
        elif isinstance(event, Restarted):
            restarts.append(event)
            rows.append([row.epoch for row in read_history(tmp_path / "ocr")])

    def go_on() -> None:
        bad = replace(settings, training=replace(settings.training, learning_rate=200.0, num_epoch=3))
        ctc_ocr.train(bad, data, tmp_path / "ocr", callbacks=[damage], resume=True, **options)

    if damaged == (1, 2):
        with pytest.raises(Diverged):
            go_on()
        assert restarts == []
    else:
        go_on()
        assert [(each.epochs_done, each.updates_done) for each in restarts[:1]] == [(1, 8)]
        assert rows[0] == [1]
        assert [row.epoch for row in read_history(tmp_path / "ocr")] == [1, 2, 3]
        state = newest(str(tmp_path / "ocr")).state
        assert state.epochs_done == 3
        assert state.budget.lost > 0
    assert "Damaged or incomplete, and not used" in caplog.text


class Cluster(OneWorker):
    """Of two workers, which have found these epochs."""

    def __init__(self, *epochs: int) -> None:
        self.epochs = epochs

    def gather(self, values: Sequence[float]) -> list[list[float]]:
        return [[epoch, *values[1:]] for epoch in self.epochs]


@pytest.mark.parametrize(("epochs", "goes_back"), [((0, 0), True), ((0, 1), False)])
def test_workers_that_see_other_epochs_do_not_go_back(
    tmp_path: Path, ubuntu_font: str, epochs: tuple[int, int], goes_back: bool
) -> None:
    """In a cluster whose machines have no folder in common, they would go on from different weights."""
    job = Job(ctc_ocr.RunOptions(str(tmp_path / "ocr")), training_data(FAILS, ctc_ocr.Captchas(ubuntu_font)), 1)
    attempts = _Attempts(job, ALL_ROWS, lambda: ALONE, lambda begun: lambda event: None, Interrupts(), None)
    attempts._workers = Cluster(*epochs)
    attempts._trainer = cast(Trainer, SimpleNamespace(state=RunState(4), epochs_saved=0, seconds_used=3.0))
    assert attempts.can_restart_after(Diverged("the loss is not finite")) == goes_back
    assert attempts._lost == (3.0 if goes_back else 0.0)


@pytest.mark.parametrize(("max_minutes", "goes_back"), [(0.0, True), (0.05, False), (0.06, True)])
def test_a_run_does_not_begin_again_after_its_minutes(
    tmp_path: Path, ubuntu_font: str, max_minutes: float, goes_back: bool
) -> None:
    """A first epoch is always trained, also if it takes longer; but not a second time."""
    settings = replace(FAILS, training=replace(FAILS.training, max_minutes=max_minutes))
    job = Job(ctc_ocr.RunOptions(str(tmp_path / "ocr")), training_data(settings, ctc_ocr.Captchas(ubuntu_font)), 1)
    attempts = _Attempts(job, ALL_ROWS, lambda: ALONE, lambda begun: lambda event: None, Interrupts(), None)
    attempts._workers = Cluster(0)
    attempts._trainer = cast(Trainer, SimpleNamespace(state=RunState(4), epochs_saved=0, seconds_used=3.0))
    assert attempts.can_restart_after(Diverged("the loss is not finite")) == goes_back


def rows_of(prefix: Path) -> list[Row]:
    return [replace(row, seconds=0.0) for row in read_history(prefix)]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.long)])
@pytest.mark.parametrize("update", [9, 17])
def test_a_state_within_an_epoch_goes_on_to_the_bit(
    tmp_path: Path, ubuntu_font: str, update: int, workers: int
) -> None:
    """With batch norm, whose moving averages each worker has for itself, and a running average of the weights. The
    state is copied away while the run goes on."""
    settings = replace(
        training(num_epoch=2, samples_per_epoch=96, workers=workers, checkpoint_minutes=1e-9), network=CRNN
    )
    saved = itertools.count(1)

    def copy(event: Any) -> None:
        if isinstance(event, StateSaved) and next(saved) == update:
            for path in tmp_path.glob("whole*"):
                if path.suffix != ".lock":
                    shutil.copy(path, tmp_path / path.name.replace("whole", "part"))

    options: dict[str, Any] = {"num_proc": 1, "cpu": 1, "progress": False}
    data = ctc_ocr.Captchas(ubuntu_font)
    ctc_ocr.train(settings, data, tmp_path / "whole", callbacks=[copy], **options)
    assert not run_files.unfinished_path(tmp_path / "whole").exists()
    point = newest(str(tmp_path / "part"))
    assert point.state.batches_done > 0
    assert point.state.epochs_done == (0 if update < 12 else 1)
    without = replace(settings, training=replace(settings.training, checkpoint_minutes=0.0))
    ctc_ocr.train(without, data, tmp_path / "part", resume=True, **options)
    assert rows_of(tmp_path / "part") == rows_of(tmp_path / "whole")
    one, other = (read_params(run_files.params_path(tmp_path / name, 2)) for name in ("whole", "part"))
    assert params_content(one) == params_content(other)


@pytest.mark.slow
def test_a_state_within_the_first_epoch_has_the_layers_that_are_frozen(tmp_path: Path, ubuntu_font: str) -> None:
    """They came from another model, and no checkpoint has them yet."""
    options: dict[str, Any] = {"num_proc": 1, "cpu": 1, "progress": False}
    data, saved = ctc_ocr.Captchas(ubuntu_font), itertools.count(1)
    ctc_ocr.train(replace(training(num_epoch=1), network=CRNN), data, tmp_path / "start", **options)

    def copy(event: Any) -> None:
        if isinstance(event, StateSaved) and next(saved) == 1:
            for path in tmp_path.glob("whole*"):
                if path.suffix != ".lock":
                    shutil.copy(path, tmp_path / path.name.replace("whole", "part"))

    settings = replace(training(freeze=("conv",), checkpoint_minutes=1e-9), network=CRNN)
    start = tmp_path / "start"
    ctc_ocr.train(settings, data, tmp_path / "whole", callbacks=[copy], init_from=start, **options)
    ctc_ocr.train(settings, data, tmp_path / "part", resume=True, **options)
    one, other, first = (read_params(run_files.params_path(tmp_path / name, 1)) for name in ("whole", "part", "start"))
    assert params_content(one) == params_content(other)
    assert (other["arg:conv0_weight"] == first["arg:conv0_weight"]).all()


def test_states_within_an_epoch_do_not_disturb_training(source: GeneratedSource, tmp_path: Path) -> None:
    found = [
        weights(run(training(checkpoint_minutes=minutes), source, tmp_path / str(minutes))[0])
        for minutes in (0.0, 1e-9)
    ]
    assert all((found[0][name] == found[1][name]).all() for name in found[0])


def test_the_newest_epoch_that_is_damaged_is_told_and_skipped(
    source: GeneratedSource, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(training(num_epoch=3), source, tmp_path / "ocr")
    path = tmp_path / "ocr-0003.params"
    path.write_bytes(path.read_bytes()[:-40])
    assert newest(str(tmp_path / "ocr")).stored.epoch == 2
    assert run_files.existing_epoch(tmp_path / "ocr") == 2
    assert caplog.text.count("Damaged or incomplete, and not used: ") == 2
    assert "ocr-0003.params: broken parameters: the file is truncated" in caplog.text
    (tmp_path / "ocr-0002.state.npz").write_bytes(b"")
    assert newest(str(tmp_path / "ocr")).stored.epoch == 1
    values = read_params(tmp_path / "ocr-0002.params")
    values["arg:pred_fc_bias"] = np.full_like(values["arg:pred_fc_bias"], NAN)
    (tmp_path / "ocr-0002.params").write_bytes(params_content(values))
    assert run_files.existing_epoch(tmp_path / "ocr", "newest") == 1
