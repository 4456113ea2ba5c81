"""The average of trained weights and those of the start: chosen by validation, kept by a run."""

import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import ctc_ocr
from ctc_ocr.checkpoint import history, run_files
from ctc_ocr.checkpoint.params_file import parse_params
from ctc_ocr.config.sections import Data
from ctc_ocr.evaluation.metrics import Tally
from ctc_ocr.rendering.wild import WildRenderer
from ctc_ocr.training.averaging import SHARE, average
from ctc_ocr.training.sums import Sums
from ctc_ocr.training.weight_averages import WeightAverages


def test_the_average_is_between_start_and_trained() -> None:
    start, trained = {"w": np.array([0.0, 4.0], np.float32)}, {"w": np.array([1.0, 0.0], np.float32)}
    np.testing.assert_allclose(average(start, trained, 0.75)["w"], [0.75, 1.0])
    np.testing.assert_array_equal(average(start, trained, 1.0)["w"], trained["w"])
    assert average(start, trained, 0.3)["w"].dtype == np.float32


@pytest.fixture(scope="module")
def captchas(tmp_path_factory: pytest.TempPathFactory, ubuntu_font: str) -> Path:
    """Twenty drawn captchas of three digits, named after their labels."""
    folder = tmp_path_factory.mktemp("captchas")
    drawn = WildRenderer((ubuntu_font,), Data(alphabet="0123456789"))
    generator = np.random.default_rng(0)
    for number in range(20):
        text = f"{(617 * number) % 1000:03}"
        Image.fromarray(drawn.render(text, generator)).save(folder / f"{text}.png")
    return folder


def settings() -> ctc_ocr.Hyperparameters:
    """A learning rate that spoils the weights within two epochs of two updates."""
    training = {
        "num_epoch": 2, "samples_per_epoch": 32, "batch_size": 16, "learning_rate": 0.02, "warmup_updates": 0,
        "schedule": "constant",
    }  # fmt: skip
    return ctc_ocr.preset("word", training=training)


def train(folder: Path, prefix: Path, **options: Any) -> ctc_ocr.TrainingResult:
    return ctc_ocr.train(settings(), str(folder), prefix, num_proc=1, cpu=1, progress=False, **options)


def weights(prefix: Path, epoch: int) -> dict[str, NDArray[Any]]:
    path = Path(f"{prefix}-{epoch:04d}.params")
    return parse_params(path.read_bytes(), path)


@pytest.mark.slow
def test_a_run_ends_with_the_average_and_also_if_it_was_resumed(
    captchas: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "ctc_ocr"):
        train(captchas, tmp_path / "whole")
    told = re.search(r"Weights averaged with those of the start: validation loss ([0-9.]+) with \d+ %", caplog.text)
    assert told
    rows = history.read(tmp_path / "whole")
    assert len(rows) == 2
    assert f"{rows[-1].validation_loss:.3f}" == told[1]
    assert caplog.text.count("Weights averaged") == 1  # at the end alone

    def stop(event: object) -> None:
        if isinstance(event, ctc_ocr.EpochEnd):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(captchas, tmp_path / "stopped", callbacks=[stop])
    assert history.read(tmp_path / "stopped")[-1].epoch == 1
    train(captchas, tmp_path / "stopped", resume=True)
    whole, resumed = (weights(tmp_path / name, 2) for name in ("whole", "stopped"))
    for name, values in whole.items():
        np.testing.assert_array_equal(resumed[name], values, err_msg=name)


def test_early_stopping_ends_a_run_that_its_average_made_better(
    captchas: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The weights get worse, and their average with the start's is the best of the run."""
    values = settings().to_dict()
    values["training"] |= {"num_epoch": 5, "stop_patience": 1, "learning_rate": 0.01}
    hyperparameters = ctc_ocr.Hyperparameters.from_dict(values)
    with caplog.at_level(logging.INFO, "ctc_ocr"):
        ctc_ocr.train(hyperparameters, str(captchas), tmp_path / "m", num_proc=1, cpu=1, progress=False)
    assert caplog.text.count("Weights averaged") == 1
    rows = history.read(tmp_path / "m")
    assert run_files.best_epoch(tmp_path / "m") == len(rows) < 5


def test_a_run_from_nothing_is_not_averaged(captchas: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "ctc_ocr"):
        train(captchas, tmp_path / "m", init_from="none")
    assert "Weights averaged" not in caplog.text


class Given:
    """A network of one weight."""

    def __init__(self, weight: float) -> None:
        self.weight = np.float32(weight)

    def values(self) -> dict[str, Any]:
        return {"w": np.array([self.weight])}

    def set_values(self, values: dict[str, Any]) -> None:
        self.weight = values["w"][0]


@pytest.mark.parametrize(("errors", "kept"), [(3, True), (4, True), (5, False)])
@pytest.mark.parametrize("in_images", [False, True])
def test_an_average_that_reads_worse_is_not_kept_for_its_loss(errors: int, kept: bool, in_images: bool) -> None:
    """The start, whose weight is 0, always has the lower loss. More errors, or as many in more images, are worse."""
    network = Given(1.0)
    averages = WeightAverages(network, 0.0)  # type: ignore[arg-type]
    averages.start = {"w": np.zeros(1, np.float32)}

    def validate() -> tuple[Sums, float]:
        share = round(float(network.weight), 2)
        wrong = 4 if share == 1.0 else errors
        correct, edits = (10 - wrong, 4) if in_images else (0, wrong)
        return Sums(Tally(10, correct, 0.0, edits, 10), 10 * share), share

    validated, share = averages.with_start(validate, *validate())
    assert share == (SHARE if kept else 1.0)
    assert network.weight == np.float32(share)
    assert (10 - validated.tally.correct if in_images else validated.tally.edits) == (errors if kept else 4)


@pytest.mark.parametrize("loss", [1.0, 2.0, np.nan])
def test_an_average_with_a_higher_loss_is_not_kept(loss: float) -> None:
    network = Given(1.0)
    averages = WeightAverages(network, 0.0)  # type: ignore[arg-type]
    averages.start = {"w": np.zeros(1, np.float32)}
    trained, of_average = Sums(Tally(10, 5, 0.0, 5, 10), 10.0), Sums(Tally(10, 9, 0.0, 1, 10), 10 * loss)
    validated, _ = averages.with_start(lambda: (of_average, ""), trained, "")
    assert validated is trained
    assert network.weight == 1.0
