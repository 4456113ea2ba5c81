"""Rare units come more often in training where units are balanced, by the same stream whatever the processes."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ctc_ocr
from ctc_ocr.config.sections import Training
from ctc_ocr.datasets.balance import drawn, sample_weights
from ctc_ocr.datasets.columns import Ragged
from ctc_ocr.datasets.labelled import LabelledBatches
from ctc_ocr.generation.pool import BatchPool
from ctc_ocr.generation.rows import Rows
from ctc_ocr.training.data import training_data
from ctc_ocr.training.settings import Captchas
from tests.test_labelled import SETTINGS, batch, make_source

COUNTS = {1: 60, 2: 15, 3: 5}


def source_of(folder: Path, balance: float, shuffle: bool = True) -> LabelledBatches:
    settings = replace(SETTINGS, training=Training(batch_size=4, balance=balance))
    source = make_source(folder, [8] * sum(COUNTS.values()), settings, shuffle)
    classes = [each for each, count in COUNTS.items() for _ in range(count)]
    images = [replace(image, codes=(each,)) for image, each in zip(source.images, classes, strict=True)]
    return LabelledBatches(images, settings, 1, shuffle)


def counted(source: LabelledBatches, batches: range) -> Counter[int]:
    return Counter(int(label) for number in batches for label in batch(source, number)["labels"][:, 0])


@pytest.mark.parametrize(
    ("balance", "shares"), [(1.0, (1, 1, 1)), (0.5, (60**0.5, 15**0.5, 5**0.5)), (0.0, (60, 15, 5))]
)
def test_units_come_as_often_as_their_weights_say(tmp_path: Path, balance: float, shares: tuple[float, ...]) -> None:
    found = counted(source_of(tmp_path, balance), range(60))  # three passes
    expected = 240 * np.array(shares) / sum(shares)
    assert [found[each] for each in COUNTS] == pytest.approx(expected, abs=6)


def test_validation_is_not_balanced(tmp_path: Path) -> None:
    assert counted(source_of(tmp_path, 1.0, shuffle=False), range(20)) == COUNTS


def test_the_stream_depends_on_the_seed_alone(tmp_path: Path) -> None:
    source = source_of(tmp_path, 1.0)
    expected = [batch(source, number)["labels"] for number in range(45)]
    assert (expected[0] != expected[20]).any()  # another pass draws others
    backwards = source_of(tmp_path, 1.0)
    for number in reversed(range(45)):
        np.testing.assert_array_equal(batch(backwards, number)["labels"], expected[number])
    with BatchPool(source, 2, range(6)) as pool:
        for number, arrays in enumerate(pool):
            np.testing.assert_array_equal(arrays["labels"], expected[number])
    for rank in range(2):  # two training workers, each with its rows
        part = replace(source, rows=Rows(rank, 2))
        np.testing.assert_array_equal(batch(part, 7)["labels"], Rows(rank, 2).of(expected[7]))
    other = replace(SETTINGS, training=Training(batch_size=4, balance=1.0, seed=1))
    assert (batch(replace(source, hyperparameters=other), 0)["labels"] != expected[0]).any()


def test_a_text_weighs_the_mean_of_its_units() -> None:
    codes = Ragged.of_lengths(np.array([1, 1, 2, 1, 1, 3]), np.array([2, 1, 1, 2]))
    np.testing.assert_allclose(sample_weights(codes, 1.0), [1 / 4, 1, 1 / 4, (1 / 4 + 1) / 2])
    np.testing.assert_allclose(sample_weights(codes, 0.0), 1)


def test_each_sample_is_drawn_as_often_as_its_weight_up_to_rounding() -> None:
    generator = np.random.default_rng(0)
    weights = generator.uniform(0.1, 4, 50)
    for _ in range(20):
        times = np.bincount(drawn(weights, generator), minlength=50)
        assert (np.abs(times - 50 * weights / weights.sum()) < 1 + 1e-9).all()


def test_captchas_are_refused() -> None:
    with pytest.raises(ctc_ocr.InputError, match="balance: for labelled images only"):
        training_data(ctc_ocr.preset("lstm", training={"balance": 1.0}), Captchas())
