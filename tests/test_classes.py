"""Figures of single characters, against NumPy's own means."""

import numpy as np
import pytest

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.cli import evaluation_table
from ctc_ocr.evaluation.evaluator import Evaluator

ALPHABET = Alphabet(tuple("abcdefgh"))


def random_readings(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels (N,), of which some are far more frequent, and log probabilities of the units (N, 8)."""
    rng = np.random.default_rng(0)
    labels = rng.choice(8, count, p=[0.4, 0.2, 0.15, 0.1, 0.06, 0.05, 0.03, 0.01])
    scores = rng.normal(0, 1, (count, 8))
    scores[np.arange(count), labels] += 1
    return labels, scores


def test_figures_equal_those_of_numpy() -> None:
    labels, scores = random_readings(500)
    order = np.argsort(-scores, axis=1)
    evaluator = Evaluator(ALPHABET)
    for start in range(0, 500, 64):
        part = slice(start, start + 64)
        evaluator.add(
            [[int(best) + 1] for best in order[part, 0]],
            [0.5] * len(labels[part]),
            [(ALPHABET.units[label],) for label in labels[part]],
            [tuple(ALPHABET.units[unit] for unit in row[1:5]) for row in order[part]],
        )
    figures = evaluator.result().classes
    assert figures is not None
    recalls = [(order[labels == unit, 0] == unit).mean() for unit in np.unique(labels)]
    assert figures.classes == len(np.unique(labels)) == 8
    assert figures.balanced_accuracy == pytest.approx(np.mean(recalls))
    assert figures.top_5.accuracy == pytest.approx((order[:, :5] == labels[:, None]).any(axis=1).mean())
    assert figures.majority.accuracy == pytest.approx((labels == 0).mean())
    assert figures.majority_label == "a"
    assert evaluator.result().correct < figures.top_5.correct < 500
    table = evaluation_table.table(evaluator.result())
    assert f"balanced accuracy           {figures.balanced_accuracy:.4f}" in table
    assert "if all were read as 'a', the most frequent of 8 characters" in table
    assert "LCS" not in table


def test_no_reading_is_no_class_and_longer_labels_are_none() -> None:
    evaluator = Evaluator(ALPHABET)
    evaluator.add([[], [2]], [0.1, 0.9], [("a",), ("b",)])
    figures = evaluator.result().classes
    assert figures is not None
    assert (figures.balanced_accuracy, figures.top_5.correct) == (0.5, 1)
    evaluator.add([[1, 2]], [0.5], [("a", "b")])
    assert evaluator.result().classes is None
    assert Evaluator(ALPHABET).result().classes is None


def test_the_alternatives_of_a_character_are_not_those_of_a_longer_unit() -> None:
    evaluator = Evaluator(Alphabet(("a", "b", "ab", "q")))
    evaluator.add([[1, 2]], [0.9], [["q"]], [("q",)])
    figures = evaluator.result().classes
    assert figures is not None
    assert figures.top_5.correct == 0
