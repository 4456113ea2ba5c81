"""The learning rate, what it depends on, and when a run ends."""

import logging
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.datasets.generated import GeneratedSource
from ctc_ocr.datasets.iterator import BatchIter
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.training.best import Best
from ctc_ocr.training.events import EpochEnd
from ctc_ocr.training.resume import newest
from ctc_ocr.training.schedules import Course, Schedule
from ctc_ocr.training.trainer import Trainer
from tests.training_runs import SMALL, cached, make_source, run, training, weights

STEPS = 110
# So small a rate changes no float32: validation stands still.
STILL: dict[str, Any] = {"learning_rate": 1e-20, "warmup_updates": 0}


@pytest.fixture
def source(ubuntu_font: str) -> GeneratedSource:
    return make_source(ubuntu_font)


def rates(schedule: str, num_steps: int = STEPS, reductions: int = 0, **changes: Any) -> list[float]:
    """Of the steps 1 to `num_steps`, and of one after them."""
    settings = {"learning_rate": 0.1, "warmup_updates": 10, "schedule": schedule, **changes}
    made = Schedule(replace(SMALL.training, **settings), Course(num_steps, reductions=reductions))
    return [made(step) for step in range(1, num_steps + 2)]


def test_the_only_update_of_a_run_changes_weights() -> None:
    for schedule in ("cosine", "wsd", "one_cycle", "constant"):
        assert rates(schedule, 1)[0] == 0.1


def test_cosine_is_mxnets() -> None:
    expected = mx.lr_scheduler.CosineScheduler(STEPS, base_lr=0.1, final_lr=0, warmup_steps=10)
    assert rates("cosine") == pytest.approx([expected(step) for step in range(1, STEPS + 2)], abs=1e-12)
    assert rates("cosine", warmup_updates=0)[0] == pytest.approx(0.1, rel=1e-3)


def test_constant_rises_and_stays() -> None:
    assert rates("constant") == pytest.approx([0.1 * min(step, 10) / 10 for step in range(1, STEPS + 2)])
    assert rates("constant", num_steps=5)[-2:] == [0.1, 0.1]  # a warm-up longer than the run


def test_one_cycle_goes_up_and_down_without_a_warm_up() -> None:
    found = rates("one_cycle", num_steps=100)
    for step in range(1, 101):
        if step <= 30:
            expected = 0.1 * (1 / 25 + 24 / 25 * step / 30)
        else:
            expected = 0.1 * (1e-4 + (1 - 1e-4) * 0.5 * (1 + math.cos(math.pi * (step - 30) / 70)))
        assert found[step - 1] == pytest.approx(expected, rel=1e-9)
    assert max(found) == found[29] == pytest.approx(0.1)
    assert found[99] == found[100] == pytest.approx(1e-5)
    assert found == rates("one_cycle", num_steps=100, warmup_updates=50)


def test_plateau_falls_by_its_factor() -> None:
    for reductions in range(4):
        expected = [0.1 * step / 10 if step < 10 else 0.1 * 0.3**reductions for step in range(1, STEPS + 2)]
        assert rates("plateau", reductions=reductions, plateau_factor=0.3) == pytest.approx(expected)
    assert rates("constant", reductions=2) == rates("constant")


def test_the_optimizer_takes_the_rate_of_each_step(source: GeneratedSource) -> None:
    # Without momentum, SGD moves a weight by the rate times its gradient.
    settings = training(optimizer="sgd", momentum=0.0, learning_rate=0.5, warmup_updates=2, clip_gradient=0.0)
    batches = cached(source, 48)
    trainer = Trainer(Model(settings, Alphabet(("0", "1"))), batches, [mx.cpu()])
    num_steps = settings.training.num_epoch * batches.num_batches
    for step, batch in enumerate(batches, start=1):
        before = weights(trainer)["pred_fc_bias"]
        trainer.updates.make(batch)
        names = trainer.network._module._exec_group.param_names
        gradient = trainer.network._module._exec_group.grad_arrays[names.index("pred_fc_bias")][0].asnumpy() / 8
        moved = before - weights(trainer)["pred_fc_bias"]
        expected = 0.5 * (step / 2 if step < 2 else (1 + math.cos(math.pi * (step - 2) / (num_steps - 2))) / 2)
        np.testing.assert_allclose(moved, expected * gradient, rtol=1e-3, atol=1e-6)


BASE = training(schedule="constant", clip_gradient=0.5, samples_per_epoch=24)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"optimizer": "sgd"}),
        ({}, {"optimizer": "rmsprop"}),
        ({"optimizer": "sgd"}, {"optimizer": "rmsprop"}),
        ({}, {"learning_rate": 0.003}),
        ({"optimizer": "sgd"}, {"optimizer": "sgd", "momentum": 0.5}),
        ({}, {"optimizer": "adam"}),
        ({}, {"weight_decay": 0.1}),
        ({"optimizer": "adam"}, {"optimizer": "adam", "weight_decay": 0.1}),
        ({"optimizer": "sgd"}, {"optimizer": "sgd", "weight_decay": 0.1}),
        ({"optimizer": "rmsprop"}, {"optimizer": "rmsprop", "weight_decay": 0.1}),
        ({}, {"warmup_updates": 1}),
        ({}, {"schedule": "cosine"}),
        ({}, {"schedule": "one_cycle"}),
        ({}, {"clip_gradient": 0.0}),
        ({"optimizer": "rmsprop"}, {"optimizer": "rmsprop", "clip_gradient": 5.0}),
        ({}, {"seed": 1}),
        ({"schedule": "cosine"}, {"schedule": "cosine", "num_epoch": 3}),
    ],
)
def test_each_setting_of_the_optimizer_changes_what_is_learned(
    source: GeneratedSource, before: dict[str, Any], after: dict[str, Any]
) -> None:
    batches = cached(source, 24)
    one, again, other = (learned(changes, batches) for changes in (before, before, after))
    assert all((one[name] == again[name]).all() for name in one)
    assert max(abs(one[name] - other[name]).max() for name in one) > 1e-6


def learned(changes: dict[str, Any], batches: BatchIter) -> dict[str, np.ndarray]:
    settings = replace(BASE, training=replace(BASE.training, **changes))
    trainer = Trainer(Model(settings, Alphabet(("0", "1"))), batches, [mx.cpu()])
    batches.reset()
    for batch in batches:
        trainer.updates.make(batch)
    return weights(trainer)


def test_the_best_validation_has_the_lowest_cer_then_the_lowest_loss() -> None:
    best = Best()
    seen = []
    for cer, loss in [(1, 9), (1, 8), (1, 8), (0.5, 20), (0.5, 30), (math.nan, 1), (0.5, 19)]:
        best.add(cer, loss)
        seen.append((best.cer, best.loss, best.epochs_since))
    assert seen == [(1, 9, 0), (1, 8, 0), (1, 8, 1), (0.5, 20, 0), (0.5, 20, 1), (0.5, 20, 2), (0.5, 19, 0)]


def test_the_best_validation_of_an_earlier_versions_state() -> None:
    written = {"cer": 0.5, "loss": 2.0, "epochs_since": 3}
    assert Best.from_values({"epoch": 4, **written}) == Best.from_values(written) == Best(0.5, 2.0, 3)


def ends(events: list[Any]) -> list[EpochEnd]:
    return [event for event in events if isinstance(event, EpochEnd)]


def test_the_rate_falls_while_validation_stands_still_and_a_resumed_run_does_the_same(
    source: GeneratedSource, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    still = {**STILL, "schedule": "plateau", "plateau_patience": 2, "plateau_factor": 0.1, "samples_per_epoch": 8}
    with caplog.at_level(logging.INFO, logger="ctc_ocr"):
        trainer, events = run(training(num_epoch=7, **still), source, tmp_path / "whole")
    expected = [1e-20, 1e-20, 1e-20, 1e-21, 1e-21, 1e-22, 1e-22]  # after epochs 3, 5 and 7
    assert [end.learning_rate for end in ends(events)] == pytest.approx(expected)
    assert caplog.text.count("No improvement in") == 3
    assert "No improvement in 2 epochs: learning rate reduced to 1e-21" in caplog.text
    run(training(num_epoch=4, **still), source, tmp_path / "part")
    resumed, later = run(training(num_epoch=7, **still), source, tmp_path / "part", first=4)
    assert [end.learning_rate for end in ends(later)] == pytest.approx(expected[4:])
    best = trainer.state.best
    assert resumed.state.best == best == Best(best.cer, best.loss, 6)
    assert newest(str(tmp_path / "part")).state.reductions == 3


def test_a_run_stops_that_stands_still_and_stays_stopped(
    source: GeneratedSource, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = training(num_epoch=9, stop_patience=2, samples_per_epoch=8, target_accuracy=1.0, **STILL)
    with caplog.at_level(logging.INFO, logger="ctc_ocr"):
        trainer, events = run(settings, source, tmp_path / "ocr")
    assert [end.best_epoch for end in ends(events)] == [1, 1, 1]
    assert "Early stopping: no improvement in 2 epochs" in caplog.text
    assert "Target accuracy 1.0 not reached" in caplog.text
    _, later = run(settings, source, tmp_path / "ocr", first=3)
    assert later == []
    # More training was asked for: patience begins anew.
    more = replace(settings, training=replace(settings.training, num_epoch=12))
    _, later = run(more, source, tmp_path / "ocr", first=3)
    assert [end.epoch for end in ends(later)] == [3, 4]


def test_a_run_that_gets_better_does_not_stop(source: GeneratedSource, tmp_path: Path) -> None:
    _, events = run(training(num_epoch=3, stop_patience=1), source, tmp_path / "ocr")
    assert [end.best_epoch for end in ends(events)] == [1, 2, 3]


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "wsd"])
def test_the_rate_falls_within_the_minutes_even_in_a_long_first_epoch(
    schedule: str, ubuntu_font: str, tmp_path: Path
) -> None:
    settings = training(schedule=schedule, num_epoch=1000, samples_per_epoch=320, max_minutes=1e-4)
    _, events = run(settings, make_source(ubuntu_font), tmp_path / "ocr")
    (end,) = (event for event in events if isinstance(event, EpochEnd))
    assert end.learning_rate <= 1e-3 * settings.training.learning_rate
