"""Benchmarks of labelled images: the lines that are rendered, and the figures of a run. No network, no training."""

import argparse
import csv
import json

import numpy as np
import pytest

from benchmarks.own_images.common import Work, accuracy_cells, table
from benchmarks.own_images.lines import Style, characters, compose, render, write
from benchmarks.own_images.old_prints import long_s
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint import history
from ctc_ocr.datasets.samples import SourceOptions
from ctc_ocr.datasets.sources import read_source
from ctc_ocr.evaluation.evaluator import Evaluator
from ctc_ocr.evaluation.metrics import wilson_interval


def work(folder, reuse=True):
    return Work(argparse.Namespace(work=folder, cpu=1, reuse=reuse))


def test_a_line_is_dark_on_light_with_ink_from_end_to_end(ubuntu_font):
    image = render("Häuser, 12 l.", Style(ubuntu_font, 30), np.random.default_rng(0))
    assert image.dtype == np.uint8
    assert 30 <= image.shape[0] <= 60
    ink = np.flatnonzero((image < 128).any(axis=0))
    assert ink[0] <= 15
    assert image.shape[1] - ink[-1] <= 15
    assert np.median(image) > 150


def test_a_larger_size_gives_a_larger_line(ubuntu_font):
    small, large = (render("Wort", Style(ubuntu_font, size), np.random.default_rng(1)) for size in (20, 60))
    assert large.shape[0] > 2 * small.shape[0]
    assert large.shape[1] > 2 * small.shape[1]


def test_a_folder_of_lines_is_a_source_without_what_the_font_lacks(tmp_path, ubuntu_font):
    texts = ['a, "b"', "日本", "été -"]
    assert "日" not in characters(ubuntu_font)
    assert write(tmp_path / "lines", texts, [Style(ubuntu_font, 24)], seed=0) == 2
    samples, problems = read_source(str(tmp_path / "lines"), SourceOptions(None, None, None, ""))
    assert [sample.label for sample in samples] == ['a, "b"', "été -"]
    assert not problems


def test_the_same_seed_writes_the_same_lines(tmp_path, ubuntu_font):
    for name in ("one", "other"):
        write(tmp_path / name, ["eins", "zwei"], [Style(ubuntu_font, size) for size in (20, 30)], seed=5)
    for name in ("000000.png", "000001.png", "labels.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_composed_lines_keep_to_their_length_and_to_the_words():
    generator = np.random.default_rng(0)
    lines = [compose(["été", "maison", "jour"], generator, 60) for _ in range(300)]
    assert all(0 < len(line) <= 61 and line == line.strip() for line in lines)
    assert max(map(len, lines)) > 50
    assert set("étmaisonjur ") <= set("".join(lines)) & set("étmaisonjur ,.()")
    assert any(character.isdigit() for character in "".join(lines))


@pytest.mark.parametrize(
    ("word", "set_in_type"), [("Wissens", "Wiſſens"), ("das", "das"), ("s", "s"), ("ist", "iſt"), ("", "")]
)
def test_only_the_last_s_of_a_word_is_round(word, set_in_type):
    assert long_s(word) == set_in_type


def test_the_figures_of_a_report_are_those_of_evaluate():
    evaluation = Evaluator(Alphabet(("a", "b")))
    evaluation.add([[1], [2], [1]], [0.5] * 3, [["a"], ["b"], ["b"]])
    report = json.loads(json.dumps(evaluation.result().to_dict()))
    low, high = wilson_interval(2, 3)
    assert accuracy_cells(report, 4) == ("0.6667", f"{low:.3f} to {high:.3f}")
    assert (report["samples"], report["cer"]) == (3, pytest.approx(1 / 3))


def test_a_table_has_a_line_for_each_row():
    assert table(("a", "b"), [(1, "x"), (2, "y")]).splitlines() == [
        "| a | b |",
        "| --- | --- |",
        "| 1 | x |",
        "| 2 | y |",
    ]


def test_the_curve_is_that_of_the_runs_history(tmp_path):
    rows = [
        history.Row(epoch, 100 * epoch, 1.0, 0.1, 2.0, 0.5, 0.4, 2.0, 0.5, cer) for epoch, cer in ((1, 0.5), (2, 0.25))
    ]
    history.write(tmp_path / "ocr", rows)
    assert work(tmp_path).best_cer("ocr") == [(1, 0.5), (2, 0.25)]


def test_a_folder_is_not_used_again_unasked(tmp_path):
    with pytest.raises(SystemExit, match="--reuse"):
        work(tmp_path, reuse=False)


def test_a_command_that_fails_ends_the_benchmark_and_names_the_log(tmp_path):
    with pytest.raises(SystemExit, match=r"ended with 2: see .*commands\.log"):
        work(tmp_path).command("data", "split", "nowhere", "parts")
    assert "nowhere" in (tmp_path / "commands.log").read_text(encoding="utf-8")


def test_named_works_are_the_test_part(tmp_path, ubuntu_font):
    """The split of old_prints, on lines that stand for those of three works."""
    (tmp_path / "all").mkdir()
    texts = [f"Zeile {number}" for number in range(12)]
    write(tmp_path / "drawn", texts, [Style(ubuntu_font, 20)], seed=0)
    for number, text in enumerate(texts):
        stem = tmp_path / "all" / f"work_{'abc'[number % 3]}_{number}"
        stem.with_suffix(".png").write_bytes((tmp_path / "drawn" / f"{number:06}.png").read_bytes())
        stem.with_suffix(".txt").write_text(text, encoding="utf-8")
    work(tmp_path).command("data", "split", "all", "lines", "--group", "^(.*)_", "--test_groups", "work_b",
                           "--fractions", "0.75,0.25,0", "--unicode_form", "NFC")  # fmt: skip
    names = {}
    for part in ("train", "validation", "test"):
        with (tmp_path / "lines" / f"{part}.csv").open(encoding="utf-8", newline="") as file:
            names[part] = [row["image"] for row in csv.DictReader(file)]
    assert [len(names[part]) for part in names] == [6, 2, 4]
    assert all("work_b_" in name for name in names["test"])
    assert not any("work_b_" in name for part in ("train", "validation") for name in names[part])
