"""How probable a model finds a label."""

from pathlib import Path

import numpy as np
import pytest

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.inference.label_probabilities import LabelProbabilities
from ctc_ocr.inference.predictor import Predictor
from tests.models import save_own_model

UNITS = ("c", "h", "ch", "o")


@pytest.mark.parametrize(
    ("units", "divisions"),
    [
        (("c", "h"), [("c", "h"), ("ch",)]),  # a source that says nothing: each character is a unit
        (("ch",), [("ch",)]),
        (("o", "c", "h"), [("o", "c", "h"), ("o", "ch")]),
        (("ch", "c", "h"), [("ch", "c", "h")]),
        (("oc", "h"), [("o", "ch")]),  # the alphabet lacks a unit of the source
        ((), [()]),
        (("x",), []),
    ],
)
def test_a_label_is_divided_into_units_as_it_is_likeliest(
    tmp_path: Path, units: tuple[str, ...], divisions: list[tuple[str, ...]]
) -> None:
    for seed in range(4):
        save_own_model(tmp_path / "ocr", "abcd", seed=seed)
        predictor = Predictor(tmp_path / "ocr")
        predictor.alphabet = Alphabet(UNITS)
        image = np.random.default_rng(seed).integers(0, 256, (10, 16), dtype=np.uint8)
        reading = predictor.read(image)
        prepared = predictor.prepare(image)
        (found,) = LabelProbabilities(predictor)([Sample("x.png", units, "x.png")], [prepared], [reading])
        each = [
            predictor.label_log_probabilities([prepared], [predictor.alphabet.encode(division)])[0]
            for division in divisions
        ]
        assert found == pytest.approx(max(each, default=-np.inf))
