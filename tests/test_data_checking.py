"""Which samples are invalid, and why; notes on the valid ones."""

import io
import itertools
import struct
import warnings
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ctc_ocr.alphabet import Alphabet, required_steps
from ctc_ocr.datasets.checking import CheckedSamples, CheckResult, check, check_source
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.datasets.sources import read_source
from ctc_ocr.datasets.summary import summary
from tests.test_train_labelled_cli import run as train


def encoded(width: int = 40, height: int = 10, level: int = 0, kind: str = "PNG") -> bytes:
    pixels = np.full((height, width), 255, np.uint8)
    pixels[2:-2, 2:-2] = level
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def bomb() -> bytes:
    """A PNG file of a few bytes that says it has 50,000 x 50,000 pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


# Rows of a CSV file; a part of the error of each invalid one, None for the valid ones.
ROWS: list[tuple[bytes, str | None]] = [
    (b"good/1.png;|1|2|", None),
    (b"good/2.png", "got 1"),
    (b"good/2.png;|1|;|2|", "got 3"),
    (b'good/2.png;"|1|', "bad quoting"),
    (b"good/2.png;|\xff|", "not UTF-8"),
    (b"good/2.png;|\x00|", "NUL"),
    (b"good/2.png;1", "start and end with '|'"),
    (b"good/2.png;|1||2|", "empty unit"),
    (b";|1|", "no path"),
    (b"good/2.png;||", "the label is empty"),
    (b"good/3.png;|1|x|\xc3\xbc|", "not in the alphabet: 'x', '\u00fc'"),
    (b"good/4.png;|1|\x07|", "control characters in the label: U+0007"),
    (b"good/5.png;|" + b"1|2|" * 20, "40 units; the maximum is 30"),
    (
        b"good/6.png;|1|1|1|1|",
        "it needs 7 time steps (4 units and 3 blanks between equal neighbours), and",
    ),
    (b"good/7.png;|1|2|1|2|1|", None),
    (b"bad/missing.png;|1|", "bad/missing.png: No such file"),
    (b"bad;|1|", "bad: Is a directory"),
    (b"bad/empty.png;|1|", "the file is empty"),
    (b"bad/truncated.png;|1|", "broken image"),
    (b"bad/text.png;|1|", "not an image"),
    (b"bad/bomb.png;|1|", "too large"),
    (b"good/8.png;|1|", "contradicting labels"),
    (b"good/../good/8.png;|2|", "contradicting labels"),
    (b"good/9.png;||", "the label is empty"),  # and so contradicts nothing
    (b"bad/jpeg.png;|2|1|", None),
    (b"good/9.png;| |1|", None),
]


@pytest.fixture
def bad_csv(tmp_path: Path) -> Path:
    (tmp_path / "good").mkdir()
    (tmp_path / "bad").mkdir()
    for number in range(1, 10):
        (tmp_path / "good" / f"{number}.png").write_bytes(encoded(level=number))
    for name, content in {
        "empty": b"", "truncated": encoded()[:-30], "text": b"no image", "bomb": bomb(), "jpeg": encoded(kind="JPEG")
    }.items():  # fmt: skip
        (tmp_path / "bad" / f"{name}.png").write_bytes(content)
    path = tmp_path / "bad.csv"
    path.write_bytes(b"\n".join(row for row, _ in ROWS))
    return path


def test_every_kind_of_bad_row_is_invalid_with_its_row_and_reason(bad_csv: Path) -> None:
    steps_of, seen = (lambda width, height: width // 8), list[tuple[int, int]]()
    alphabet = Alphabet(("1", "2", " ", "\x07"))
    result = check_source(
        bad_csv, alphabet=alphabet, steps_of=steps_of, max_units=30,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    errors = {str(problem).removeprefix(f"{bad_csv}, ").partition(": ")[0]: str(problem) for problem in result.invalid}
    expected = {f"row {number}": reason for number, (_, reason) in enumerate(ROWS, start=1) if reason}
    assert len(expected) >= 13
    assert errors.keys() == expected.keys()
    assert [errors[row] for row, part in expected.items() if part not in errors[row]] == []
    valid = [number for number, (_, reason) in enumerate(ROWS, start=1) if reason is None]
    assert [each.sample.where for each in result.samples] == [f"{bad_csv}, row {number}" for number in valid]
    assert {each.size for each in result.samples} == {(40, 10)}
    count = len(read_source(bad_csv)[0])
    assert seen == [(number, count) for number in range(1, count + 1)]
    assert result.invalid_fraction == pytest.approx(1 - len(valid) / len(ROWS))
    assert "units separated by '|'" in result.form


def test_the_rest_is_trained_on(bad_csv: Path, tmp_path: Path) -> None:
    flags = (f"--data={bad_csv}", "--alphabet=12 ", "--max_units=30", "--pool_widths=4,3", "--num_epoch=1")
    refused = train(tmp_path, *flags)
    assert refused.returncode == 1
    invalid, valid = (sum((reason is None) == is_valid for _, reason in ROWS) for is_valid in (False, True))
    assert f"{invalid / len(ROWS):.1%} of its samples are invalid, more than the accepted 10.0%" in refused.stderr
    done = train(tmp_path, *flags, "--max_invalid=0.9", "--validation_fraction=0.25")
    assert done.returncode == 0, done.stderr
    assert f"samples: {valid} valid, {invalid} invalid" in done.stderr
    assert f"{valid - 1} images for training, 1 for validation" in done.stderr
    assert (tmp_path / "ocr-0001.params").is_file()


def test_reasons_name_the_file_once(tmp_path: Path) -> None:
    (tmp_path / "1_1.png").write_bytes(b"")
    (problem,) = check_source(tmp_path).invalid
    assert str(problem) == f"{tmp_path}/1_1.png: the file is empty"
    (tmp_path / "set.csv").write_text("none.png,1\n1_1.png,1\n")
    missing, empty = check_source(tmp_path / "set.csv").invalid
    assert str(missing) == f"{tmp_path}/set.csv, row 1: {tmp_path}/none.png: No such file or directory"
    assert str(empty) == f"{tmp_path}/set.csv, row 2: {tmp_path}/1_1.png: the file is empty"
    assert (empty.where, empty.reason) == (f"{tmp_path}/set.csv, row 2: {tmp_path}/1_1.png", "the file is empty")


def test_notes_are_about_valid_samples(tmp_path: Path) -> None:
    for name, level in {"a": 1, "b": 1, "c": 2, "d": 3}.items():
        (tmp_path / f"{name}.png").write_bytes(encoded(level=level))
    (tmp_path / "set.csv").write_text("a.png,1\nb.png,2\nc.png,3\nc.png,3\nd.png, 4\n")
    checked = check(*read_source(tmp_path / "set.csv"))
    assert checked.invalid == ()
    assert [len(sample.units) for sample in checked.samples] == [1, 1, 1, 1, 2]
    notes = {problem.where.rpartition(" ")[2]: problem.reason for problem in checked.notes}
    assert notes.keys() == {"2", "4", "5", ""}
    assert "row 1 has the same pixels and the label '1'" in notes["2"]
    assert notes["4"] == f"the same as {tmp_path}/set.csv, row 3"
    assert "whitespace" in notes["5"]
    assert checked.duplicates() == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    ("width", "height", "is_noted"),
    [(1, 1, True), (200, 4, True), (8, 12, False), (5, 9, False), (5, 8, True), (9, 5, False), (8, 5, True)],
)
def test_images_that_nobody_can_read_are_noted(tmp_path: Path, width: int, height: int, is_noted: bool) -> None:
    """Five characters in a row or in a column."""
    (tmp_path / "a.png").write_bytes(encoded(width, height))
    (tmp_path / "set.csv").write_text("a.png,11111\n")
    checked = check_source(tmp_path / "set.csv")
    said = f"{width}x{height} pixels are too few: nobody can read '11111' in them"
    assert (len(checked.samples), [each.reason for each in checked.notes]) == (1, [said] if is_noted else [])


def test_pixels_of_another_shape_or_file_format(tmp_path: Path) -> None:
    """A digest is of the pixels and their shape, whatever the file."""
    for name, content in {
        "a.png": encoded(12, 6, 255), "b.bmp": encoded(12, 6, 255, "BMP"), "c.png": encoded(6, 12, 255)
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(content)
    checked = check(*read_source(tmp_path))
    assert checked.duplicates() == [[0, 1]]
    assert [each.size for each in checked.samples] == [(12, 6), (12, 6), (6, 12)]


def test_needed_steps_is_the_shortest_path_that_collapses_to_the_label() -> None:
    """Against all paths over blank and three units, the shortest first."""
    for length in range(1, 4):
        for label in itertools.product("abc", repeat=length):
            steps = next(
                steps
                for steps in range(1, 8)
                if any(collapsed(path) == list(label) for path in itertools.product("-abc", repeat=steps))
            )
            assert required_steps(label) == steps
    assert required_steps(("ch", "c", "h", "h")) == 5


def collapsed(path: tuple[str, ...]) -> list[str]:
    return [unit for unit, _ in itertools.groupby(path) if unit != "-"]


def test_summary(tmp_path: Path) -> None:
    for number, (width, height) in enumerate([(40, 10), (60, 12), (90, 14)]):
        (tmp_path / f"{'ab'[: number + 1]}_{number}.png").write_bytes(encoded(width, height))
    (tmp_path / "bad_1.png").write_bytes(b"no image")
    assert summary(check_source(tmp_path)) == {
        "samples": 3, "invalid": 1, "invalid_fraction": 0.25, "skipped": 0, "alphabet": {"a": 3, "b": 2},
        "label_lengths": {1: 1, 2: 2},
        "widths": {"0%": 40, "5%": 40, "50%": 60, "95%": 90, "100%": 90},
        "heights": {"0%": 10, "5%": 10, "50%": 12, "95%": 14, "100%": 14}, "duplicates": 0,
        "light_ink": 3,
    }  # fmt: skip
    nothing = CheckResult(CheckedSamples.of(()))
    assert (nothing.invalid_fraction, summary(nothing)["widths"]) == (0.0, {})


def test_a_source_is_checked_without_touching_the_filters_of_warnings(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"{number % 7}_{number}.png").write_bytes(encoded(level=number))
    before = list(warnings.filters)
    assert len(check(*read_source(tmp_path)).samples) == 40
    assert warnings.filters == before


def test_filters_that_are_set_while_a_source_is_checked_stay(tmp_path: Path) -> None:
    """By another thread, say."""
    (tmp_path / "1.png").write_bytes(encoded())
    before = list(warnings.filters)
    check(*read_source(tmp_path), progress=lambda done, total: warnings.filterwarnings("error", message="another"))
    assert warnings.filters[1:] == before
    with pytest.raises(UserWarning, match="another"):
        warnings.warn("another", stacklevel=1)


def test_pixels_of_other_colours_are_others(tmp_path: Path) -> None:
    samples = []
    for number, colour in enumerate([(255, 0, 0), (76, 76, 76), (255, 0, 0)]):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (40, 20), colour).save(path)
        samples.append(Sample(str(path), ("1",), str(path)))
    assert check(samples).duplicates() == [[0, 2]]


@pytest.mark.parametrize(
    ("labels", "notes"),
    [
        (["12AB", "1,23E+05", "#NAME?", "4E12"],
         ["labels as a spreadsheet writes large numbers or errors: 2: '1,23E+05' (row 2), '#NAME?' (row 3)"]),
        (["1E+10", "2.5E+11", "1E-07", "#DIV/0!", "x"],
         ["labels as a spreadsheet writes large numbers or errors: 4: '1E+10' (row 1), '2.5E+11' (row 2), "
          "'1E-07' (row 3) and 1 more"]),
        (["12.0", "7.0", "130.0", "5.0", "8.0"],
         ["all labels end in .0, such as '12.0': were they numbers in a table of pandas?"]),
        (["12.0", "7.0", "130.0", "5.0", "8.5"], []),
        (["7.0"], []),
        (["ABE+12", "123E", "#12"], []),
    ],
)  # fmt: skip
def test_labels_that_a_table_has_rewritten_are_noted(tmp_path: Path, labels: list[str], notes: list[str]) -> None:
    samples = []
    for number, label in enumerate(labels, 1):
        path = tmp_path / f"{number}.png"
        Image.new("L", (90, 30), 10 * number).save(path)
        samples.append(Sample(str(path), tuple(label), f"row {number}"))
    found = [each.reason for each in check(samples).notes]
    assert [each for each in found if "spreadsheet" in each or "pandas" in each] == notes


def test_labels_that_are_all_alike_are_noted(tmp_path: Path) -> None:
    samples = []
    for number in range(5):
        path = tmp_path / f"{number}.png"
        Image.new("L", (40, 20), 10 * number).save(path)
        samples.append(Sample(str(path), tuple("train"), f"row {number}"))
    said = "all 5 labels are 'train'; are the labels in another column?"
    assert [each.reason for each in check(samples).notes] == [said]
    assert check(samples[:4]).notes == ()
    assert check([*samples[:4], replace(samples[4], units=tuple("tra"))]).notes == ()


def test_accents_in_two_forms_are_noted(tmp_path: Path) -> None:
    labels = ["abcabc", "\u00e9\u00e9", "e\u0301", "e\u0301"]
    samples = []
    for number, label in enumerate(labels):
        path = tmp_path / f"{number}.png"
        Image.new("L", (40, 20), 10 * number).save(path)
        samples.append(Sample(str(path), tuple(label), f"row {number}"))
    (note,) = check(samples).notes
    assert note.where == "row 2"
    assert "--unicode_form NFC" in note.reason
    assert check(samples[:2]).notes == check([samples[0], *samples[2:]]).notes == ()
