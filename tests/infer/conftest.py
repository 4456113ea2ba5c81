"""A model of random weights, and images to read."""

import numpy as np
import pytest
from PIL import Image

from tests.infer.outputs import expected
from tests.models import save_own_model
from tests.reading_commands import fix_threads


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    fix_threads(monkeypatch)


@pytest.fixture
def prefix(tmp_path):
    save_own_model(tmp_path / "model", epoch=1, seed=1)
    save_own_model(tmp_path / "model", epoch=2, seed=2)
    return str(tmp_path / "model")


@pytest.fixture
def folder(tmp_path):
    """70 images of mostly light paper."""
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(70):
        levels = np.where(rng.random((10, 16)) < 0.3, rng.integers(0, 120, (10, 16)), 240)
        Image.fromarray(levels.astype(np.uint8)).save(folder / f"{index:02}.png")
    return folder


@pytest.fixture
def half_rejected(prefix, folder):
    """Flags that reject about half of the images, path and prediction of each, and whether it is rejected."""
    predictions = expected(prefix, folder)
    minimum = float(np.median([each.confidence for _, each in predictions]))
    rejected = [each.confidence < minimum for _, each in predictions]
    assert 20 < sum(rejected) < 50
    return ["--prefix", prefix, "--min_confidence", str(minimum)], predictions, rejected
