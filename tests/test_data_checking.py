"""What is dropped of a source, and why; what is said of the rest."""

import io
import itertools
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ctc_ocr.alphabet import Alphabet, required_steps
from ctc_ocr.datasets.checking import Check, check
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.datasets.sources import read_source
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


# Rows of a CSV file; a part of the reason for which each is dropped, or None for those that are kept.
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
    (b"good/5.png;|" + b"1|2|" * 20, "40 units; at most 30"),
    (b"good/6.png;|1|1|1|1|", "needs 7 time steps (4 units and 3 between equal neighbours), and the network makes 5"),
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


def test_every_kind_of_bad_row_is_dropped_with_its_row_and_reason(bad_csv: Path) -> None:
    seen: list[int] = []
    samples, problems = read_source(bad_csv)
    checked = check(
        samples, problems, alphabet=Alphabet(("1", "2", " ", "\x07")), steps=lambda width, height: width // 8,
        max_units=30, progress=seen.append,
    )  # fmt: skip
    told = {problem.where: problem.reason for problem in checked.dropped}
    expected = {f"{bad_csv}, row {number}": reason for number, (_, reason) in enumerate(ROWS, start=1) if reason}
    assert len(expected) >= 13
    assert told.keys() == expected.keys()
    assert [told[where] for where, part in expected.items() if part not in told[where]] == []
    kept = [number for number, (_, reason) in enumerate(ROWS, start=1) if reason is None]
    assert [sample.where for sample in checked.samples] == [f"{bad_csv}, row {number}" for number in kept]
    assert checked.sizes == [(40, 10)] * len(kept)
    assert sum(seen) == len(samples)
    assert checked.invalid_fraction == pytest.approx(1 - len(kept) / len(ROWS))


def test_the_rest_is_trained_on(bad_csv: Path, tmp_path: Path) -> None:
    flags = (f"--data={bad_csv}", "--alphabet=12 ", "--max_units=30", "--pool_widths=4,3", "--num_epoch=1")
    refused = train(tmp_path, *flags)
    assert refused.returncode == 1
    bad, kept = (sum((reason is None) == is_kept for _, reason in ROWS) for is_kept in (False, True))
    assert f"{bad / len(ROWS):.1%} of its samples cannot be used, more than --max_bad 0.1" in refused.stderr
    done = train(tmp_path, *flags, "--max_bad=0.9", "--validation_share=0.25")
    assert done.returncode == 0, done.stderr
    assert f"samples: {kept} good, {bad} dropped" in done.stderr
    assert f"{kept - 1} images to train on, 1 for validation" in done.stderr
    assert (tmp_path / "ocr-0001.params").is_file()


def test_reasons_name_the_file_once(tmp_path: Path) -> None:
    (tmp_path / "1_1.png").write_bytes(b"")
    (problem,) = check(*read_source(tmp_path)).dropped
    assert str(problem) == f"{tmp_path}/1_1.png: the file is empty"
    (tmp_path / "set.csv").write_text("none.png,1\n1_1.png,1\n")
    missing, empty = check(*read_source(tmp_path / "set.csv")).dropped
    assert str(missing) == f"{tmp_path}/set.csv, row 1: {tmp_path}/none.png: No such file or directory"
    assert str(empty) == f"{tmp_path}/set.csv, row 2: {tmp_path}/1_1.png: the file is empty"


def test_notes_are_about_samples_that_are_kept(tmp_path: Path) -> None:
    for name, level in {"a": 1, "b": 1, "c": 2, "d": 3}.items():
        (tmp_path / f"{name}.png").write_bytes(encoded(level=level))
    (tmp_path / "set.csv").write_text("a.png,1\nb.png,2\nc.png,3\nc.png,3\nd.png, 4\n")
    checked = check(*read_source(tmp_path / "set.csv"))
    assert checked.dropped == []
    assert [len(sample.units) for sample in checked.samples] == [1, 1, 1, 1, 2]
    told = {problem.where.rpartition(" ")[2]: problem.reason for problem in checked.notes}
    assert told.keys() == {"2", "4", "5"}
    assert "row 1 has the same pixels and is '1'" in told["2"]
    assert told["4"] == f"the same as {tmp_path}/set.csv, row 3"
    assert "blanks" in told["5"]
    assert checked.duplicates() == [[0, 1], [2, 3]]


def test_pixels_of_another_shape_or_file_format(tmp_path: Path) -> None:
    """A digest is of the pixels and their shape, whatever the file."""
    for name, content in {
        "a.png": encoded(12, 6, 255), "b.bmp": encoded(12, 6, 255, "BMP"), "c.png": encoded(6, 12, 255)
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(content)
    checked = check(*read_source(tmp_path))
    assert checked.duplicates() == [[0, 1]]
    assert checked.sizes == [(12, 6), (12, 6), (6, 12)]


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
    assert check(*read_source(tmp_path)).summary() == {
        "samples": 3, "dropped": 1, "invalid_fraction": 0.25, "alphabet": {"a": 3, "b": 2}, "label_lengths": {1: 1, 2: 2},
        "widths": {"0%": 40, "5%": 40, "50%": 60, "95%": 90, "100%": 90},
        "heights": {"0%": 10, "5%": 10, "50%": 12, "95%": 14, "100%": 14}, "same_pixels": 0,
        "light_ink": 3,
    }  # fmt: skip
    nothing = Check([], [], [], [], [], [])
    assert (nothing.invalid_fraction, nothing.summary()["widths"]) == (0.0, {})


def test_a_source_is_checked_without_touching_the_filters_of_warnings(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"1_{number}.png").write_bytes(encoded(level=number))
    before = list(warnings.filters)
    assert len(check(*read_source(tmp_path)).samples) == 40
    assert warnings.filters == before


def test_pixels_of_other_colours_are_others(tmp_path: Path) -> None:
    samples = []
    for number, colour in enumerate([(255, 0, 0), (76, 76, 76), (255, 0, 0)]):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (40, 20), colour).save(path)
        samples.append(Sample(str(path), ("1",), str(path)))
    assert check(samples, []).duplicates() == [[0, 2]]


def test_accents_in_two_forms_are_noted(tmp_path: Path) -> None:
    labels = ["abc", "\u00e9", "e\u0301", "e\u0301"]
    samples = []
    for number, label in enumerate(labels):
        path = tmp_path / f"{number}.png"
        Image.new("L", (40, 20), 10 * number).save(path)
        samples.append(Sample(str(path), tuple(label), f"row {number}"))
    (note,) = check(samples, []).notes
    assert note.where == "row 2"
    assert "--unicode_form NFC" in note.reason
    assert check(samples[:2], []).notes == check([samples[0], *samples[2:]], []).notes == []
