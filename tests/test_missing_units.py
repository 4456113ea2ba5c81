"""Units that few labels lack by chance, and that the starter knows."""

import logging
import string
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import ctc_ocr
from ctc_ocr.lengths import Lengths
from ctc_ocr.training.data import training_data
from ctc_ocr.training.missing_units import likely_missing
from ctc_ocr.training.settings import LabelledImages

KNOWN = string.digits + string.ascii_uppercase + string.ascii_lowercase


def labels(alphabet: str, count: int, seed: int = 0) -> Counter[str]:
    """The units of `count` labels of four characters."""
    return Counter(np.random.default_rng(seed).choice(list(alphabet), 4 * count).tolist())


@pytest.mark.parametrize("alphabet", [string.digits, string.ascii_lowercase, KNOWN])
def test_units_that_few_labels_lack_are_found(alphabet: str) -> None:
    few = labels(alphabet, len(alphabet) // 2)
    lacking = set(alphabet) - few.keys()
    assert lacking
    assert set(likely_missing(few, KNOWN)) == lacking


def test_units_that_many_labels_lack_are_left_out_on_purpose() -> None:
    without = "".join(unit for unit in KNOWN if unit not in "0O1Il")
    assert likely_missing(labels(without, 300), KNOWN) == ()
    assert likely_missing(labels("0123456789", 100), KNOWN) == ()


def test_only_kinds_that_occur_are_completed() -> None:
    plates = labels(string.digits, 100) + Counter("KAKMKAHBMÜ")
    assert plates["B"] == 1
    assert likely_missing(plates, KNOWN) == ()  # letters occur, but few of them
    assert likely_missing(Counter(), KNOWN) == ()


@pytest.mark.slow
def test_a_run_has_them_and_is_resumed_with_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="ctc_ocr")
    writer = ctc_ocr.CaptchaWriter.create(ctc_ocr.Data(alphabet="012345678"), seed=1)
    writer.write_folder(tmp_path / "few", 6)
    settings = ctc_ocr.preset("word", training={"num_epoch": 1, "samples_per_epoch": 16, "batch_size": 8})
    ctc_ocr.train(settings, tmp_path / "few", tmp_path / "ocr", num_proc=1)
    assert "Units that no label has, and that the starter model knows: " in caplog.text
    assert "9" in ctc_ocr.Predictor(tmp_path / "ocr").alphabet.units
    longer = ctc_ocr.preset("word", training={"num_epoch": 2, "samples_per_epoch": 16, "batch_size": 8})
    assert ctc_ocr.train(longer, tmp_path / "few", tmp_path / "ocr", num_proc=1, resume=True).finished
    ctc_ocr.train(settings, tmp_path / "few", tmp_path / "new", num_proc=1, init_from="none")
    assert "9" not in ctc_ocr.Predictor(tmp_path / "new").alphabet.units


def test_what_is_only_trained_on_says_nothing_about_labels(tmp_path: Path) -> None:
    """The readings of --unlabelled: neither their lengths nor their units are those of labels."""
    for name, alphabet, length in (("own", "0123", 4), ("read", "456789", 6)):
        data = ctc_ocr.Data(alphabet=alphabet, min_length=length, max_length=length)
        ctc_ocr.CaptchaWriter.create(data, seed=1).write_folder(tmp_path / name, 20)
    images = LabelledImages(tmp_path / "own", training_only=(str(tmp_path / "read"),))
    data_of_run = training_data(ctc_ocr.preset("word"), images, progress=False, from_starter=True)
    assert data_of_run.lengths == Lengths.of_labels([4] * 16)
    assert data_of_run.alphabet.units == tuple("0123456789")
