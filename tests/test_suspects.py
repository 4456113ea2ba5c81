"""Suspected label errors: their order, their file, and the labels that are corrected with it."""

import csv
import math
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ctc_ocr.cli import data
from ctc_ocr.datasets.checking import check_source
from ctc_ocr.datasets.samples import Sample, SourceOptions
from ctc_ocr.datasets.sources import open_source, read_source
from ctc_ocr.errors import InputError
from ctc_ocr.experiments.audit import Suspect, find_suspects
from ctc_ocr.experiments.label_readings import LabelReading
from ctc_ocr.experiments.part_source import part_source
from ctc_ocr.experiments.suspects_file import correct_labels, write_suspects
from ctc_ocr.experiments.suspects_sheet import suspects_sheet
from tests.commands import run_here


def reading(label: str, read: str, read_score: float, label_score: float, image: str = "a.png") -> LabelReading:
    return LabelReading(Sample(image, tuple(label), "row"), read, math.exp(read_score), read_score, label_score)


def test_what_is_much_less_probable_than_the_reading_comes_first() -> None:
    readings = [
        reading("abc", "abc", -0.1, -0.1),
        reading("abc", "abd", -0.7, -0.9),
        reading("ab", "abc", -0.1, -9.0),
        reading("abc", "xyz", -3.0, -2.5),  # the best path is not always the most probable text
        reading("a~", "ab", -0.1, -math.inf),
        reading("cab", "abc", -2.0, -7.0),
    ]
    found = find_suspects(readings)
    assert [each.label for each in found] == ["a~", "ab", "cab", "abc"]
    assert [each.suggestion for each in found] == ["ab", "abc", "abc", "abd"]
    assert found[1].score == pytest.approx(8.9)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Five labelled images."""
    (tmp_path / "images").mkdir()
    with (tmp_path / "images" / "labels.csv").open("w", encoding="utf-8") as file:
        file.write("image,label\n")
        for number in range(5):
            pixels = np.full((20, 40), 40 * number, np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / f"{number}.png")
            file.write(f"{number}.png,{number}x\n")
    return tmp_path / "images" / "labels.csv"


def suspects_of(labels: Path) -> list[Suspect]:
    samples, _ = read_source(labels)
    return [Suspect(each, f"{each.label}y", 9.5, 0.9) for each in samples[1:4]]


def accepted(path: Path, answers: list[str], suggestions: list[str] | None = None, delimiter: str = ",") -> None:
    """Write the file as a spreadsheet saves it, with answers in it."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for number, (row, answer) in enumerate(zip(rows, answers, strict=True)):
        row["accept"] = answer
        row["suggestion"] = suggestions[number] if suggestions else row["suggestion"]
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def test_accepted_suggestions_replace_labels_and_all_others_stay(tmp_path: Path, labels: Path) -> None:
    (tmp_path / "found").mkdir()
    path, out = tmp_path / "found" / "suspects.csv", tmp_path / "corrected.csv"
    write_suspects(path, suspects_of(labels))
    assert path.read_text(encoding="utf-8").splitlines()[:2] == [
        "image,label,suggestion,score,accept",
        "../images/1.png,1x,1xy,9.5000,",
    ]
    accepted(path, ["Yes", "", "x"], ["1xy", "2xy", "3 by hand"], delimiter=";")
    done = correct_labels(labels, path, out)
    assert (done.num_labels, done.num_changed, done.problems) == (5, 2, ())
    samples, problems = read_source(out)
    assert [each.label for each in samples] == ["0x", "1xy", "2x", "3 by hand", "4x"]
    assert problems == []
    assert all(Path(each.image).exists() for each in samples)


def test_nothing_accepted_changes_nothing(tmp_path: Path, labels: Path) -> None:
    write_suspects(tmp_path / "s.csv", suspects_of(labels))
    assert correct_labels(labels, tmp_path / "s.csv", tmp_path / "c.csv").num_changed == 0
    assert [each.label for each in read_source(tmp_path / "c.csv")[0]] == ["0x", "1x", "2x", "3x", "4x"]


@pytest.mark.parametrize(
    ("answers", "change", "complaint"),
    [
        (["maybe", "", ""], ("", ""), "s.csv, row 2: accept: expected yes, no or nothing, got 'maybe'"),
        (["yes", "", ""], ("1xy", ""), "s.csv, row 2: suggestion: an empty label cannot be accepted"),
        (["", "yes", ""], ("images/2.png", "images/9.png"), "s.csv, row 3: the image is not in"),
        (["", "yes", ""], ("2x,", "8x,"), "s.csv, row 3: the label was '8x', and"),
        (["yes", "yes", ""], ("images/2.png,2x,2xy", "images/1.png,1x,1xz"), "s.csv, row 3: suggestion: '1xz', and"),
        (["yes", "", ""], ("accept", "answer"), "s.csv: no column 'accept'"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_written(
    tmp_path: Path, labels: Path, answers: list[str], change: tuple[str, str], complaint: str
) -> None:
    path = tmp_path / "s.csv"
    write_suspects(path, suspects_of(labels))
    accepted(path, answers)
    path.write_text(path.read_text(encoding="utf-8").replace(*change, 1) if change[0] else path.read_text())
    with pytest.raises(InputError) as caught:
        correct_labels(labels, path, tmp_path / "c.csv")
    assert complaint in str(caught.value)
    assert not (tmp_path / "c.csv").exists()


def test_an_image_that_is_there_twice_is_corrected_twice(tmp_path: Path, labels: Path) -> None:
    with labels.open("a", encoding="utf-8") as file:
        file.write("1.png,1x\n")
    write_suspects(tmp_path / "s.csv", suspects_of(labels))
    accepted(tmp_path / "s.csv", ["yes", "", ""])
    assert correct_labels(labels, tmp_path / "s.csv", tmp_path / "c.csv").num_changed == 2
    assert [each.label for each in read_source(tmp_path / "c.csv")[0]] == ["0x", "1xy", "2x", "3x", "4x", "1xy"]


def test_two_names_of_one_file_with_two_labels_are_corrected_apart(tmp_path: Path, labels: Path) -> None:
    (labels.parent / "9.png").symlink_to(labels.parent / "2.png")
    with labels.open("a", encoding="utf-8") as file:
        file.write("9.png,9x\n")
    samples, _ = read_source(labels)
    write_suspects(tmp_path / "s.csv", [Suspect(samples[-1], "9y", 9.5, 0.9)])
    accepted(tmp_path / "s.csv", ["yes"])
    assert correct_labels(labels, tmp_path / "s.csv", tmp_path / "c.csv").num_changed == 1
    assert [each.label for each in read_source(tmp_path / "c.csv")[0]] == ["0x", "1x", "2x", "3x", "4x", "9y"]


def test_the_order_of_source_and_suspects_is_told(tmp_path: Path, labels: Path) -> None:
    with pytest.raises(InputError) as error:
        correct_labels(labels, labels.parent, tmp_path / "c.csv")
    expected = "a folder; expected the file of suspects that `ctc-ocr data audit --out` writes"
    assert str(error.value) == f"{labels.parent}: {expected}"


def test_paths_that_are_not_utf_8_are_written_as_they_are(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    write_suspects(tmp_path / "s.csv", [Suspect(Sample(str(tmp_path / name), ("a",), "row 1"), "b", 1.0, 0.9)])
    assert (tmp_path / "s.csv").read_bytes().splitlines()[1] == b"caf\xe9.png,a,b,1.0000,"


def test_a_name_with_a_line_end_is_one_row(tmp_path: Path) -> None:
    samples = (
        Sample(str(tmp_path / "a\nb.png"), ("a", "\n"), "row 1"),
        Sample("p\nq.rec", ("a",), "p\nq.rec, record 5", 5),
    )
    write_suspects(tmp_path / "s.csv", [Suspect(each, "b", 1.0, 0.9) for each in samples])
    rows = (tmp_path / "s.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert rows == [r"a\nb.png,a\n,b,1.0000,", r'"p\nq.rec, record 5",a,b,1.0000,']


def test_a_part_of_the_images_is_not_chosen_from_again() -> None:
    """Units that are frequent among all of them may be rare in it."""
    samples = [Sample("a.png", ("a", "é"), "row 1"), Sample("b.png", ("b",), "row 2")]
    with part_source(samples, "labels.csv", "a test") as name:
        assert list(open_source(name, SourceOptions(min_frequency=4, strip_accents=True))) == samples


def test_messages_call_a_part_of_the_images_as_the_user_does() -> None:
    with part_source([Sample("a.png", (), "labels.csv, row 1")], "labels.csv", "labels.csv; 1 of 8 images") as name:
        found = check_source(name)
    assert (found.source, found.form) == ("labels.csv", "labels.csv; 1 of 8 images")
    assert [str(each) for each in found.invalid] == ["labels.csv, row 1: the label is empty"]


def test_a_part_of_the_images_is_no_source_of_the_users() -> None:
    with pytest.raises(InputError, match="nor a registered source 'nothing'; registered: (?!.*_part)"):
        open_source("nothing:1")


def test_files_that_are_read_are_not_replaced(tmp_path: Path, labels: Path) -> None:
    write_suspects(tmp_path / "s.csv", suspects_of(labels))
    for path in (labels, tmp_path / "s.csv"):
        with pytest.raises(InputError, match="would replace a file that is read"):
            correct_labels(labels, tmp_path / "s.csv", path, overwrite=True)
        with pytest.raises(InputError, match="would replace a file that is read"):  # by its folder
            correct_labels(labels.parent, tmp_path / "s.csv", path, overwrite=True)


def test_the_command_corrects(tmp_path: Path, labels: Path) -> None:
    write_suspects(tmp_path / "s.csv", suspects_of(labels))
    accepted(tmp_path / "s.csv", ["1", "n", "true"])
    done = run_here(data.main, tmp_path, "correct", "s.csv", "images", "c.csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Wrote 5 labels to c.csv, 2 of them changed\n"
    assert run_here(data.main, tmp_path, "correct", "s.csv", "images", "c.csv").returncode == 2


def test_the_sheet_shows_each_suspect(labels: Path) -> None:
    suspects = suspects_of(labels)
    sheet = np.asarray(suspects_sheet(suspects))
    for number in (1, 2, 3):
        assert (sheet == 40 * number).all(axis=2).sum() >= 800
    with pytest.raises(InputError, match="no suspects"):
        suspects_sheet([])
