"""Which epoch of a run is used."""

from dataclasses import replace
from pathlib import Path

import pytest

import ctc_ocr
from ctc_ocr.checkpoint import history, run_files
from ctc_ocr.checkpoint.history import Row, best_row

# (learning rate, validation loss, accuracy, CER) of each epoch
Epoch = tuple[float, float, float, float]


def rows(*epochs: Epoch, samples: int = 50) -> list[Row]:
    return [
        Row(number, 64 * number, 1.0, rate, 1.0, 0.5, 0.5, loss, accuracy, cer, samples)
        for number, (rate, loss, accuracy, cer) in enumerate(epochs, start=1)
    ]


def chosen(*epochs: Epoch, samples: int = 50) -> int:
    return best_row(rows(*epochs, samples=samples)).epoch


def test_the_lowest_cer_counts_and_then_the_lowest_loss() -> None:
    constant = 1e-3
    assert chosen((constant, 1.0, 0.8, 0.1), (constant, 0.5, 0.9, 0.05), (constant, 0.1, 0.8, 0.06)) == 2
    assert chosen((constant, 0.6, 0.9, 0.05), (constant, 0.5, 0.9, 0.05), (constant, 0.5, 0.9, 0.05)) == 2
    nan = float("nan")
    assert chosen((constant, nan, nan, nan), (constant, 9.0, 0.0, 1.0), (0.0, nan, nan, nan)) == 2


def test_a_later_epoch_whose_rate_has_fallen_counts_if_it_is_not_clearly_worse() -> None:
    best = (1e-3, 0.5, 0.9, 0.05)  # 5 of 50 are wrong
    assert chosen(best, (2e-4, 0.5, 0.9, 0.05), (0.0, 0.6, 0.84, 0.08)) == 3  # 8 are: within chance
    assert chosen(best, (2e-4, 0.5, 0.9, 0.06), (0.0, 0.6, 0.78, 0.12)) == 1  # 11 are
    assert chosen(best, (2e-4, 0.5, 0.9, 0.06)) == 1  # the rate has not fallen far
    assert chosen(best, (0.0, 0.9, 0.9, 0.05)) == 1  # the loss is much higher
    assert chosen(best, (0.0, 0.79, 0.9, 0.05)) == 2
    assert chosen((1e-3, 0.5, 0.99, 0.05), (0.0, 0.5, 0.98, 0.08), samples=3000) == 1  # 30 are wrong, and 60
    assert chosen((1e-3, 0.01, 1.0, 0.0), (0.0, 0.05, 0.98, 0.01)) == 2
    one_more_wrong = (1e-3, 0.25, 1.0, 0.0), (0.0, 0.55, 0.9, 0.02)
    assert chosen(*one_more_wrong, samples=10) == 2  # one sample explains the loss, too
    assert chosen(*one_more_wrong, samples=100) == 1


def test_a_resumed_run_has_several_such_epochs() -> None:
    fallen = (0.0, 0.5, 0.9, 0.05)
    assert chosen((1e-3, 0.6, 0.9, 0.05), fallen, (1e-3, 0.4, 0.9, 0.04), fallen) == 4
    assert chosen((1e-3, 0.6, 0.9, 0.05), fallen, (1e-3, 0.4, 0.9, 0.04)) == 3
    assert chosen((1e-3, 0.6, 0.9, 0.05), fallen, (1e-3, 0.7, 0.9, 0.06)) == 2


def test_without_the_number_of_samples_the_lowest_cer_counts(tmp_path: Path) -> None:
    epochs = [(1e-3, 0.5, 0.9, 0.05), (0.0, 0.5, 0.9, 0.06)]
    for number in (1, 2):
        (tmp_path / f"ocr-{number:04}.params").touch()
    history.write(tmp_path / "ocr", rows(*epochs))
    assert run_files.best_epoch(tmp_path / "ocr") == 2
    assert run_files.ranked_epochs(tmp_path / "ocr") == [2, 1]
    path = history.history_path(tmp_path / "ocr")
    lines = [line.rpartition(",")[0] for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines) + "\n")  # as version 0.2 wrote it
    assert history.read(tmp_path / "ocr") == [replace(row, validation_samples=0) for row in rows(*epochs)]
    assert run_files.best_epoch(tmp_path / "ocr") == 1
    path.write_text("\n".join([lines[0], lines[1] + ",50"]) + "\n")
    with pytest.raises(ctc_ocr.InputError, match="row 2: expected 10 numbers"):
        history.read(tmp_path / "ocr")
