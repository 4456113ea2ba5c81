"""What ctc-ocr infer is expected to print, and what it wrote."""

import csv

import numpy as np
from PIL import Image

from ctc_ocr.inference.predictor import Predictor


def expected(prefix, folder, epoch=None):
    files = sorted(folder.glob("*.png"))
    predictions = Predictor(prefix, epoch).predict([np.array(Image.open(file)) for file in files])
    assert len({each.text for each in predictions}) > 10
    return [(str(file), each) for file, each in zip(files, predictions, strict=True)]


def rows_of(path):
    """The rows of --out, {column: value} each."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["image", "text", "confidence", "character_confidence", "status"]
    return rows
