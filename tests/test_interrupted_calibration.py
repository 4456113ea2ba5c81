"""Ctrl-C and calibration: what was read by default is calibrated, and skipping it costs nothing else."""

import logging
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ctc_ocr
from ctc_ocr.checkpoint import history
from ctc_ocr.checkpoint.calibration_file import calibration_path, has_been_chosen
from tests.test_session import small


def at_batch(epoch: int, batch: int) -> Callable[[Any], None]:
    """A callback: Ctrl-C after this batch."""

    def interrupt(event: Any) -> None:
        if isinstance(event, ctc_ocr.BatchEnd) and (event.epoch, event.batch) == (epoch, batch):
            signal.raise_signal(signal.SIGINT)

    return interrupt


class CtrlC(logging.Handler):
    """Ctrl-C when the log says that calibration begins."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith("Calibrating"):
            signal.raise_signal(signal.SIGINT)


@pytest.fixture
def train(tmp_path: Path, ubuntu_font: str, caplog: pytest.LogCaptureFixture) -> Callable[..., ctc_ocr.TrainingResult]:
    caplog.set_level(logging.INFO, logger="ctc_ocr")

    def run(*callbacks: Any, num_epoch: int = 2, **options: Any) -> ctc_ocr.TrainingResult:
        caplog.clear()
        settings, prefix = small(num_epoch=num_epoch), str(tmp_path / "ocr")
        return ctc_ocr.train(settings, ctc_ocr.Captchas(ubuntu_font), prefix, callbacks, cpu=1, num_proc=1, **options)

    return run


def test_an_interrupted_run_is_calibrated_where_it_is_read(
    train: Callable[..., ctc_ocr.TrainingResult], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its unfinished epoch has other weights once the run is resumed, and is not."""
    prefix = tmp_path / "ocr"
    result = train(at_batch(1, 3))
    assert (result.finished, result.best_epoch, result.newest_epoch) == (False, 1, 2)
    assert (has_been_chosen(prefix, 1), has_been_chosen(prefix, 2)) == (True, False)
    assert ctc_ocr.Predictor(prefix).epoch == 1
    # Interrupted again before its validation images were needed: what there is stays.
    before = calibration_path(prefix).read_bytes()
    assert not train(at_batch(1, 5), resume=True).finished
    assert calibration_path(prefix).read_bytes() == before
    assert "alibrat" not in caplog.text
    assert train(resume=True).finished
    assert has_been_chosen(prefix, 2)


def test_a_run_that_is_interrupted_in_its_first_epoch_says_why_it_is_not_calibrated(
    train: Callable[..., ctc_ocr.TrainingResult], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert not train(at_batch(0, 3)).finished
    assert "Not calibrated: no epoch was completed" in caplog.text
    assert not calibration_path(tmp_path / "ocr").exists()
    assert ctc_ocr.Predictor(tmp_path / "ocr").epoch == 1


@pytest.mark.parametrize("interrupted", [False, True])
def test_calibration_can_be_skipped_and_made_up_for(
    train: Callable[..., ctc_ocr.TrainingResult], tmp_path: Path, caplog: pytest.LogCaptureFixture, interrupted: bool
) -> None:
    prefix, logger, handler = tmp_path / "ocr", logging.getLogger("ctc_ocr"), CtrlC()
    logger.addHandler(handler)
    try:
        result = train(*([at_batch(1, 3)] if interrupted else []))
    finally:
        logger.removeHandler(handler)
    assert result.finished == (not interrupted)
    told = 1 if interrupted else 2
    assert f"Skipped: these confidences are the network's own. --resume --num_epoch {told} calibrates" in caplog.text
    assert not calibration_path(prefix).exists()
    rows = history.read(prefix)
    assert train(num_epoch=told, resume=True).finished
    assert has_been_chosen(prefix, ctc_ocr.Predictor(prefix).epoch)
    assert history.read(prefix) == rows
