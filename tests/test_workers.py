"""Several training workers: the same training as with one, and what happens when one of them is lost."""

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ctc_ocr
from ctc_ocr.checkpoint.history import read as read_history
from ctc_ocr.checkpoint.model_files import load
from ctc_ocr.checkpoint.training_state import load_training_state
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.generation.pool import Arrays, BatchSource
from ctc_ocr.generation.rows import Rows
from ctc_ocr.training import worker_processes
from ctc_ocr.training.data import training_data
from ctc_ocr.training.events import BatchEnd, EpochEnd, Saved
from ctc_ocr.training.number_of_workers import with_workers
from ctc_ocr.training.settings import Captchas, RunOptions
from ctc_ocr.training.worker_processes import WorkerProcesses
from tests.training_runs import CRNN, SMALL, training

SECONDS_TO_STOP = 30.0


def trained(prefix: Path, settings: Hyperparameters, workers: int, **options: Any) -> dict[str, np.ndarray]:
    """The weights and moving averages after a training."""
    settings = replace(settings, training=replace(settings.training, workers=workers))
    ctc_ocr.train(settings, prefix=prefix, progress=False, num_proc=1, **options)
    return saved(prefix)


def saved(prefix: Path, epoch: int | None = None) -> dict[str, np.ndarray]:
    checkpoint = load(str(prefix), epoch or len(list(prefix.parent.glob(f"{prefix.name}-*.params"))))
    return {n: a.asnumpy() for n, a in {**checkpoint.arg_params, **checkpoint.aux_params}.items()}


def same_bits(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> bool:
    return all((first[name] == second[name]).all() for name in first)


SGD = training(optimizer="sgd", learning_rate=0.1, samples_per_epoch=80, validation_samples=19)


@pytest.mark.parametrize("workers", [2, 3])
def test_several_workers_compute_what_one_does(workers: int, tmp_path: Path) -> None:
    """20 updates; three workers take 3, 3 and 2 of the 8 rows."""
    one = trained(tmp_path / "one", SGD, 1)
    several = trained(tmp_path / "several", SGD, workers)
    for name, expected in one.items():
        np.testing.assert_allclose(several[name], expected, atol=1e-4 * abs(expected).max(), rtol=0)
    rows, expected_rows = read_history(tmp_path / "several"), read_history(tmp_path / "one")
    for row, expected_row in zip(rows, expected_rows, strict=True):
        assert row.train_loss == pytest.approx(expected_row.train_loss, rel=1e-4)
        assert row.validation_loss == pytest.approx(expected_row.validation_loss, rel=1e-4)
        assert row.validation_cer == pytest.approx(expected_row.validation_cer, abs=0.05)
    images = [(tmp_path / f"{name}-validation.csv").read_text().count("\n") for name in ("one", "several")]
    assert images == [20, 20]  # with the header
    assert load(str(tmp_path / "several"), 1).model.hyperparameters.training.workers == workers  # type: ignore[union-attr]


def test_workers_part_in_what_dropout_drops_only(tmp_path: Path) -> None:
    settings = replace(training(samples_per_epoch=16, num_epoch=1), network=replace(SMALL.network, dropout=0.5))
    first, again = (trained(tmp_path / name, settings, 2) for name in ("first", "again"))
    assert same_bits(first, again)


def test_two_workers_resumed_give_the_same_bits(tmp_path: Path) -> None:
    settings = training(num_epoch=2)
    whole = trained(tmp_path / "whole", settings, 2)
    trained(tmp_path / "part", training(num_epoch=2), 2, callbacks=[stop_at(5)])
    state, values = load_training_state(str(tmp_path / "part"), 2)
    assert (values["epochs_done"], values["batches_done"]) == (1, 1)
    assert state
    resumed = trained(tmp_path / "part", settings, 2, resume=True)
    assert same_bits(resumed, whole)


def stop_at(update: int) -> Any:
    """A callback that presses Ctrl-C; the update after the one under way may be the last."""
    count = 0

    def callback(event: Any) -> None:
        nonlocal count
        count += isinstance(event, BatchEnd)
        if isinstance(event, BatchEnd) and count == update:
            os.kill(os.getpid(), signal.SIGINT)

    return callback
