"""Every benchmark runs, with tiny sizes, and its baseline does what it stands for.

Where times would be compared, a clock that gives each measurement the same time shows what is counted on both sides.
"""

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import (
    accuracy,
    baseline_training,
    common,
    feeding,
    large_sets,
    learning_speed,
    losses,
    onnx_models,
    queue_feed,
    reading,
    reading_processes,
    rendering,
    rendering_equality,
    threads,
    training,
    unrolled,
    workers,
)
from benchmarks.__main__ import efficiency, in_words, training_row
from ctc_ocr.cli import infer
from ctc_ocr.evaluation.metrics import Tally
from ctc_ocr.inference.predictor import Predictor
from tests.models import save_example_model

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def half_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is measured takes half a second."""

    def seconds(job: Callable[[], object]) -> float:
        job()
        return 0.5

    for module in (feeding, reading, rendering, training):
        monkeypatch.setattr(module, "seconds", seconds)


def figures(rows: Sequence[common.Row]) -> list[tuple[str, str, float, float | None, float | None, float]]:
    return [(row.what, row.unit, row.ours, row.baseline, row.ratio, row.target) for row in rows]


@pytest.mark.long
def test_rendering_in_a_process_of_its_own() -> None:
    rows = common.isolated(1, "rendering", 1, 320, 2)
    assert [(row.what, row.unit, row.target) for row in rows] == [
        ("captcha images on one core", "images/s", 40), ("wild images on one core", "images/s", 6),
    ]  # fmt: skip
    for row in rows:
        assert row.ratio == row.ours / row.baseline
        assert row.ratio > 1


@pytest.mark.slow
def test_images_of_all_renderers_are_counted(half_a_second: None) -> None:
    assert figures(rendering.measure(3, 40, 2)) == [
        ("captcha images on one core", "images/s", 80, 4, 20, 40),
        ("wild images on one core", "images/s", 80, 4, 20, 6),
    ]


@pytest.mark.long
def test_samples_of_both_iterators_are_counted(half_a_second: None) -> None:
    expected = ("the whole iterator, 2 processes", "samples/s", 2 * 2 * 8, 2 * 1 * 8, 2, 25)
    assert figures(feeding.measure(1, 2, 1, batch_size=8)) == [expected]


@pytest.mark.slow
def test_training_and_its_efficiency(half_a_second: None) -> None:
    found = training.measure(2, 2, 1, batch_size=8, matrix=64)
    assert found["baseline"] == [2 * 8] * 2
    assert found["peak"] == [2 * 2 * 64**3] * 2
    assert len(found["ours"]) == 2
    assert all(0 < speed < math.inf for speed in found["ours"])
    # Two layers of four gates of 100 units over 30 and 100 inputs and 100 states, then 11 classes, at 80 time steps.
    assert found["flops"] == 3 * 2 * 80 * (400 * (30 + 100) + 400 * (100 + 100) + 11 * 100)
    row = training_row({1: found, 2: {**found, "ours": [1e9], "baseline": [1e6]}})
    assert (row.ours, row.baseline, row.ratio, row.unit) == (1e9, 1e6, 1000, "samples/s")


def test_efficiency_is_a_fraction_of_the_peak() -> None:
    trained = {"peak": [1e10, 2e10], "flops": 6e7, "ours": [100, 300, 200]}
    one, many = common.row("", "ms", [2], [1], 1), common.row("", "images/s", [100], [1], 1)
    found = efficiency(trained, one, many)
    assert found == pytest.approx(
        {
            "peak": 2e10,
            "training_sample": 6e7,
            "prediction": 2e7,
            "training_fraction": 0.6,
            "one_image_fraction": 0.5,
            "many_images_fraction": 0.1,
        }
    )
    assert in_words(found) == (
        "Floating-point operations: 60.0 million per training sample, 20.0 million per prediction. Of the 20 GFLOP/s "
        "that a large product of matrices reaches on one core, training makes 60%, reading one image 50%, and many 10%."
    )


@pytest.mark.slow
def test_both_readers_are_given_the_same_images(half_a_second: None, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, baseline = list[list[bytes]](), list[bytes]()
    predict, read = Predictor.predict, unrolled.Reader.read

    def predict_and_record(self: Predictor, images: Any, **options: Any) -> Any:
        ours.append([image.tobytes() for image in images])
        return predict(self, images, **options)

    def read_and_record(self: unrolled.Reader, image: Any) -> list[int]:
        baseline.append(image.tobytes())
        return read(self, image)

    monkeypatch.setattr(Predictor, "predict", predict_and_record)
    monkeypatch.setattr(unrolled.Reader, "read", read_and_record)
    assert figures(reading.measure(1, 2, 10, 3, 64)) == [
        ("one image, warm, decoded", "ms", 500, 500, 1, 10),
        ("10 images from memory, decoded", "images/s", 20, 6, 20 / 6, 20),
    ]
    images = ours[-1]
    assert len(set(images)) == 10
    # A round that is not counted, the round of single images, and at last the images in memory.
    assert [*ours[0], *ours[1]] == [*ours[2], *ours[3]] == images[:2]
    assert baseline == [*images[:2], *images[:2], *images[:3]]


@pytest.mark.slow
def test_both_readers_find_the_same_texts() -> None:
    predictor, reader = reading.models(3200)
    images = reading.captchas(6)
    predictions = [each.codes for each in predictor.predict(images)]
    assert [reader.read(image) for image in images] == predictions
    assert any(predictions)


@pytest.mark.slow
def test_threads_read_what_one_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "THREADS", (1, 8))
    measured = threads.measure(40, 1, 64)
    assert measured["other texts"] == [0]
    assert {count: len(speeds) for count, speeds in measured.items()} == {"other texts": 1, "1": 1, "8": 1}
    assert [line.split(" | ")[0] for line in threads.table(measured)[2:4]] == ["| 1", "| 8"]


def test_the_baselines_samples() -> None:
    with queue_feed.QueueFeed(1) as feed:
        iterator = feeding.QueueIter(feed, 4, {"state": (4, 2)})
        batch = iterator.next()
    data, state = (each.asnumpy() for each in batch.data)
    assert data.shape == (4, common.WIDTH, common.HEIGHT)
    assert 0 <= data.min() < data.max() <= 1
    assert data.std(axis=(1, 2)).min() > 0.01
    assert not state.any()
    lengths = (batch.label[0].asnumpy() > 0).sum(axis=1)
    assert set(lengths) <= {3, 4}


def test_baseline_counts_correct_predictions() -> None:
    paths = [[0, 3, 3, 0, 3, 4], [0, 0, 5, 5, 6, 0]]
    probabilities = np.zeros((common.WIDTH, 2, common.CLASSES), np.float32)
    probabilities[:, :, 0] = 0.5
    for sample, path in enumerate(paths):
        probabilities[np.arange(len(path)), sample, path] = 1
    labels = np.array([[3, 3, 4, 0], [5, 6, 7, 0]], np.float32)
    assert unrolled.accuracy(labels, probabilities.reshape(-1, common.CLASSES)) == 0.5


@pytest.mark.slow
def test_the_real_command_is_timed_and_read() -> None:
    tiny = ("--renderer", "captcha", "--samples_per_epoch", "32", "--validation_samples", "32", "--num_epoch", "2")
    reported: list[str] = []
    run = accuracy.train("lstm", 1.0, reported.append, tiny)
    assert len(run.validations) == len(reported) == 2
    first, second = run.validations
    assert 0 < first.seconds < second.seconds
    assert second.samples == 2 * first.samples
    assert run.seconds_to(0.0) == first.seconds
    assert run.samples_to(1.1) == math.inf
    with pytest.raises(RuntimeError, match="nonsense"):
        accuracy.train("lstm", 1.0, reported.append, ("--nonsense",))


def test_runs_to_an_accuracy_go_on_where_they_were_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "rows.csv"
    tiny = ["--renderer=captcha", "--samples_per_epoch=32", "--validation_samples=32", "--num_epoch=1"]
    command = ["--out", str(file), "--presets", "lstm", "--seeds", "3", "--", *tiny]
    learning_speed.main(command)
    assert "missed" in (first := capsys.readouterr().out)
    (row,) = learning_speed.read(file)
    assert (row.preset, row.seed, row.flags, row.samples_to_99) == ("lstm", 3, " ".join(tiny), math.inf)
    monkeypatch.setattr(learning_speed, "measured", None)
    learning_speed.main(command)
    assert capsys.readouterr().out == first


def test_a_summary_has_medians_and_counts_what_missed() -> None:
    rows = [
        learning_speed.Row("crnn", "", seed, 0.999, 6000.0, 20.0, samples, samples / 400, 0.99)
        for seed, samples in enumerate((20_000.0, 40_000.0, math.inf))
    ]
    assert learning_speed.summary(rows).splitlines()[-1] == "| crnn | 3 | 6,000 | 20 | 40,000 | 100 | 0.999 | 1 |"


@pytest.mark.slow
def test_baseline_training_and_the_row_it_is_read_into(tmp_path: Path) -> None:
    file = tmp_path / "sgd.json"
    found = baseline_training.measure(200, file, every=128, held_out=64)
    assert [each["samples"] for each in found] == [128, 256]
    assert 0 < found[0]["seconds"] < found[1]["seconds"]
    assert all(0 <= each["accuracy"] <= 1 for each in found)
    assert 0 < found[1]["loss"] < found[0]["loss"] < 80 * math.log(common.CLASSES)  # of equal probabilities
    assert json.loads(file.read_text()) == {"validations": found}
    run = accuracy.Run((accuracy.Validation(64, 0.5, 1.0), accuracy.Validation(128, 0.96, 2.0)))
    row = accuracy.samples_row(run, file, 10)
    assert (row.ours, row.baseline, row.ratio, row.reached) == (128, 256, 2, False)
    assert "cut off" in row.what


def test_both_losses_are_measured() -> None:
    found = losses.measure(10, 2, 5, 0.0)
    assert (found["classes"], found["batch"], found["rounds"]) == (5, 2, losses.MIN_ROUNDS)
    assert found["ratio"] == found["ctc_ms"] / found["warpctc_ms"]


def test_the_accuracy_that_infer_prints_is_found() -> None:
    tally = Tally()
    tally.add(["12", "34", "56", ""], ["12", "34", "5", "7"])
    assert rendering_equality.printed_accuracy(infer._summary(tally, 0)) == 0.5


def test_the_table() -> None:
    rows = [
        common.row("speed", "images/s", [20, 10, 30], [1, 2, 3], 10),
        common.row("time", "ms", [2], [10], 6),
        common.row("without a baseline", "s", [120], [], 300),
    ]
    assert [each.reached for each in rows] == [True, False, True]
    assert common.comparison(rows).splitlines() == [
        "| what | ours | baseline | ratio | target |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| speed | 20 images/s | 2 images/s | 10.0x | >= 10x |",
        "| time | 2 ms | 10 ms | 5.0x | >= 6x |",
        "| without a baseline | 120 s |  |  | < 300 s |",
    ]


@pytest.mark.slow
def test_beam_search_is_measured_against_one_in_python() -> None:
    """It compares the predictions of both before it compares their times."""
    command = [sys.executable, "-m", "benchmarks.decoding", "--images=2", "--rounds=1", "--words=300"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines() if "|" in line]
    assert [row[0] for row in rows[2:5]] == ["10", "30", "100"]
    assert all(float(cell) > 0 for row in rows[2:5] for cell in row[1:])
    assert rows[-1][0] == "prefix beam search, width 10, against a dictionary in Python"
    ours, baseline = (float(cell.removesuffix(" ms").replace(",", "")) for cell in rows[-1][1:3])
    assert float(rows[-1][3].removesuffix("x")) == pytest.approx(baseline / ours, rel=0.05)


@pytest.mark.long
def test_onnx_models_beside_mxnet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a model that is given; those that it trains are made in the benchmark of reading processes too."""
    save_example_model(tmp_path / "example", "ctc")
    also = ["--also", str(tmp_path / "example")]
    assert onnx_models.main([str(tmp_path), "--rounds=1", "--images=20", "--models", *also]) == 0
    shown = capsys.readouterr().out
    for what in ("file", "cold start", "one image", "20 images", "peak of memory"):
        assert f"example: {what}" in shown


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory is read from /proc")
def test_a_set_in_shards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--images=300", "--shards=2", "--epoch=64", "--minutes=0.02", "--every=0.3"]
    assert large_sets.main([str(tmp_path), *flags]) == 0
    said = capsys.readouterr().out
    assert re.search(r"drawn and packed in [\d.]+ s\non disk: 0 MB, \d,?\d+ bytes for each image\nchecked in", said)
    assert re.search(r"\| trains \| \d+ MB \| [1-9]\d* MB \|", said)
    assert re.search(r"trained: [\d.,]+ samples/s from disk, [\d.,]+ samples/s drawn$", said.strip())
    assert len(list(tmp_path.glob("captchas-*-of-0002.rec"))) == 2


@pytest.mark.slow
def test_two_training_workers_beside_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--rounds=1", "--presets", "lstm", "--samples=64", "--batch_size=8", "--apart"]
    assert workers.main([str(tmp_path), *flags]) == 0
    rows = capsys.readouterr().out.splitlines()[-2:]
    assert rows[0].startswith("| lstm, 8 samples per batch, 2 workers beside 1 | ")
    assert rows[1].startswith("| two trainings apart, beside 1 | ")
    for row in rows:
        ours, one = (float(cell.removesuffix(" samples/s").replace(",", "")) for cell in row.split(" | ")[1:3])
        assert float(row.split(" | ")[3].removesuffix("x")) == pytest.approx(ours / one, abs=0.06)


@pytest.mark.long
def test_two_reading_processes_beside_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--rounds=1", "--images=20", "--models", "lstm, fused", "--engines", "ONNX"]
    assert reading_processes.main([str(tmp_path), *flags]) == 0
    rows = capsys.readouterr().out.splitlines()[-3:]
    assert [each.split(" | ")[0] for each in rows] == [
        f"| lstm, fused, ONNX, 20 images: {what}" for what in ("warm", "infer", "evaluate")
    ]
    assert len(list((tmp_path / "files_20").glob("*.png"))) == 20
