"""Predictions that are rejected: ctc-ocr infer --min_confidence."""

import json
from pathlib import Path

import numpy as np
import pytest

from ctc_ocr.cli.infer import main
from ctc_ocr.cli.shown_predictions import is_rejected
from ctc_ocr.inference.prediction import Prediction
from tests.infer.outputs import rows_of
from tests.reading_commands import (
    SEARCH,
)


def test_a_rejected_prediction_is_not_shown_in_any_form(prefix, folder, capsys):
    arguments = ["--prefix", prefix, *SEARCH, "--top_k", "3", str(folder)]

    def lines(*flags):
        assert main([*arguments, *flags]) == 0
        return capsys.readouterr().out.splitlines()

    everything = [json.loads(line) for line in lines("--json")]
    minimum = np.median([each["alternatives"][0]["log_probability"] for each in everything])
    flags = ["--min_confidence", str(np.exp(minimum))]
    rejected = 0
    for each, text, printed in zip(everything, lines(*flags), map(json.loads, lines("--json", *flags)), strict=True):
        if each["alternatives"][0]["log_probability"] < minimum:
            assert printed == {**each, "text": None, "characters": None, "alternatives": []}
            assert text == f"{each['image']}\t?"
            rejected += 1
        else:
            assert printed == each
            assert text.startswith(f"{each['image']}\t{each['text']} (")
    assert 20 < rejected < 50


def test_a_rejected_prediction_is_neither_correct_nor_incorrect(half_rejected, folder, tmp_path, capsys):
    flags, predictions, rejected = half_rejected
    rows = [f"images/{Path(path).name},{each.text}\n" for path, each in predictions]
    (tmp_path / "labels.csv").write_text("image,label\n" + "".join(rows))
    arguments = [*flags, "--labels", str(tmp_path / "labels.csv"), str(folder)]
    assert main(arguments) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines == [
        f"{path}\t{'?' if is_low else each.text}\t{each.text}\t{'rejected' if is_low else 'correct'}"
        for (path, each), is_low in zip(predictions, rejected, strict=True)
    ]
    given = 70 - sum(rejected)
    assert last == f"{given} of {given} correct (1.0000), {sum(rejected)} rejected"
    assert main(["--min_confidence", "1", *[each for each in arguments if each not in flags[2:]], *flags[:2]]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "0 of 0 correct, 70 rejected"


def test_the_file_of_predictions_has_the_rejected_ones(half_rejected, folder, tmp_path, capsys):
    flags, predictions, rejected = half_rejected
    assert main([*flags, "--out", str(tmp_path / "out.csv"), str(folder)]) == 0
    assert capsys.readouterr().out == ""
    for row, (path, each), is_low in zip(rows_of(tmp_path / "out.csv"), predictions, rejected, strict=True):
        given = ("", "rejected") if is_low else (each.text, "read")
        assert (row["image"], row["text"], row["status"]) == (f"images/{Path(path).name}", *given)
        assert float(row["confidence"]) == pytest.approx(each.confidence, abs=1e-5)


@pytest.mark.parametrize(
    ("confidence", "minimum", "rejected"), [(0.5, 0.5, False), (0.4, 0.5, True), (None, 0.5, False)]
)
def test_what_is_rejected(confidence, minimum, rejected):
    assert is_rejected(Prediction("1", [2], confidence), minimum) is rejected
    assert is_rejected(Prediction("1", [2], float("nan")), minimum)
