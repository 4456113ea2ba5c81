"""Every benchmark runs, with tiny sizes, and its baseline does what it stands for. No time is asserted."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import accuracy, baseline_training, common, feeding, queue_feed, reading, training, unrolled
from benchmarks.__main__ import efficiency, in_words, training_row

ROOT = Path(__file__).resolve().parent.parent


def check(rows):
    for row in rows:
        assert row.ours > 0
        assert row.baseline > 0
        assert row.ratio > 0


def test_rendering_in_a_process_of_its_own():
    check(common.isolated(1, "rendering", 1, 40, 2))


def test_feeding():
    check(feeding.measure(1, 2, 1, batch_size=8))


def test_training_and_what_it_makes_of_the_core():
    found = training.measure(2, 2, 1, batch_size=8, matrix=64)
    assert all(len(found[side]) == 2 and min(found[side]) > 0 for side in ("ours", "baseline", "peak"))
    # Two layers of four gates of 100 units over 30 and 100 inputs and 100 states, then 11 classes, at 80 steps.
    assert found["flops"] == 3 * 2 * 80 * (400 * (30 + 100) + 400 * (100 + 100) + 11 * 100)
    row = training_row({1: found, 2: {**found, "ours": [1e9], "baseline": [1e6]}})
    assert (row.ours, row.baseline, row.ratio) == (1e9, 1e6, 1000)
    shares = efficiency(found, common.row("", "ms", [1], [2], 1), common.row("", "images/s", [1], [2], 1))
    assert all(math.isfinite(value) and value > 0 for value in shares.values())
    assert "63.9 million a training sample" in in_words(shares)


def test_both_readers_read_the_same():
    check(reading.measure(1, 2, 10, 2, 64))
    predictor, reader = reading.models(64)
    images = reading.captchas(6)
    readings = [each.codes for each in predictor.predict(images)]
    assert [reader.read(image) for image in images] == readings
    assert any(readings)


def test_baseline_draws_what_the_label_says():
    with queue_feed.QueueFeed(1) as feed:
        iterator = feeding.QueueIter(feed, 4, {"state": (4, 2)})
        batch = iterator.next()
    data, state = (each.asnumpy() for each in batch.data)
    assert data.shape == (4, common.WIDTH, common.HEIGHT)
    assert 0 <= data.min() < data.max() <= 1
    assert data.std(axis=(1, 2)).min() > 0
    assert not state.any()
    lengths = (batch.label[0].asnumpy() > 0).sum(axis=1)
    assert set(lengths) <= {3, 4}


def test_baseline_counts_exact_readings():
    paths = [[0, 3, 3, 0, 3, 4], [0, 0, 5, 5, 6, 0]]
    probabilities = np.zeros((common.WIDTH, 2, common.CLASSES), np.float32)
    probabilities[:, :, 0] = 0.5
    for sample, path in enumerate(paths):
        probabilities[np.arange(len(path)), sample, path] = 1
    labels = np.array([[3, 3, 4, 0], [5, 6, 7, 0]], np.float32)
    assert unrolled.accuracy(labels, probabilities.reshape(-1, common.CLASSES)) == 0.5


def test_the_real_command_is_timed_and_read():
    tiny = ("--renderer", "captcha", "--samples_per_epoch", "32", "--validation_samples", "32", "--num_epoch", "2")
    told: list[str] = []
    run = accuracy.train("lstm", 1.0, told.append, tiny)
    assert len(run.validations) == len(told) == 2
    first, second = run.validations
    assert 0 < first.seconds < second.seconds
    assert second.samples == 2 * first.samples
    assert run.seconds_to(0.0) == first.seconds
    assert run.samples_to(1.1) == math.inf
    with pytest.raises(RuntimeError, match="nonsense"):
        accuracy.train("lstm", 1.0, told.append, ("--nonsense",))


def test_baseline_training_and_the_row_it_is_read_into(tmp_path):
    file = tmp_path / "sgd.json"
    found = baseline_training.measure(200, file, every=128, held_out=64)
    assert [each["samples"] for each in found] == [128, 256]
    assert json.loads(file.read_text()) == {"validations": found}
    run = accuracy.Run((accuracy.Validation(64, 0.5, 1.0), accuracy.Validation(128, 0.96, 2.0)))
    row = accuracy.samples_row(run, file, 10)
    assert (row.ours, row.baseline, row.ratio, row.reached) == (128, 256, 2, False)
    assert "cut off" in row.what


def test_the_table():
    rows = [
        common.row("speed", "images/s", [20, 10, 30], [1, 2, 3], 10),
        common.row("time", "ms", [2], [10], 6),
        common.row("a figure alone", "s", [120], [], 300),
    ]
    assert [each.reached for each in rows] == [True, False, True]
    assert common.comparison(rows).splitlines() == [
        "| what | ours | baseline | ratio | target |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| speed | 20 images/s | 2 images/s | 10.0x | >= 10x |",
        "| time | 2 ms | 10 ms | 5.0x | >= 6x |",
        "| a figure alone | 120 s |  |  | < 300 s |",
    ]


def test_beam_search_is_measured_against_one_in_python() -> None:
    """It compares the readings of both before it compares their times."""
    command = [sys.executable, "-m", "benchmarks.decoding", "--images=2", "--rounds=1", "--words=300"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert [line.split("|")[1].strip() for line in done.stdout.splitlines()[4:7]] == ["10", "30", "100"]
    assert "against a dictionary in Python" in done.stdout
