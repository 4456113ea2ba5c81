"""Labelled images and packs that are changed while they are trained on: named, and not read as something else."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.config.presets import preset
from ctc_ocr.datasets import recordio
from ctc_ocr.datasets.checking import check_source
from ctc_ocr.datasets.image_columns import ImageColumns
from ctc_ocr.datasets.labelled import ImageCache, LabelledBatches
from ctc_ocr.datasets.packing import pack_source
from ctc_ocr.errors import InputError
from tests.training_runs import filled

COUNT = 12
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve images of noise; the label is in the name."""
    (tmp_path / "images").mkdir()
    for number in range(COUNT):
        noise = np.random.default_rng(number).integers(0, 255, (20, 60), np.uint8)
        Image.fromarray(noise).save(tmp_path / "images" / f"{number % 10}_{number}.png")
    return tmp_path / "images"


def batches_of(source: Path) -> LabelledBatches:
    checked = check_source(source)
    assert len(checked.samples) == COUNT
    columns = ImageColumns.encoded(checked.samples, Alphabet(tuple("0123456789")))
    return LabelledBatches(columns, preset("word"), 2, shuffle=True)


def replaced(path: Path) -> None:
    other = path.with_name("other.tmp")
    Image.new("L", (60, 20), 255).save(other, "png")
    other.replace(path)


def rewritten_with_the_same_size(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (replaced, "the file was changed after its images were checked"),
        (rewritten_with_the_same_size, "the file was changed after its images were checked"),
        (lambda path: os.truncate(path, 50), "the file was changed after its images were checked"),
        (Path.unlink, "No such file or directory"),
    ],
)
def test_an_image_that_changes_is_named(folder: Path, change: Callable[[Path], None], reason: str) -> None:
    batches = batches_of(folder)
    list(filled(batches, [0]))
    batches = replace(batches, _cache=ImageCache(0))
    victim = folder / "3_3.png"
    change(victim)
    with pytest.raises(InputError, match=reason) as error:
        list(filled(batches, [0, 1]))
    assert str(victim) in error.value.where


def test_images_that_stay_are_read_in_another_process(folder: Path) -> None:
    first = next(filled(batches_of(folder), [0]))
    again = next(filled(batches_of(folder), [0]))
    assert all((first[name] == again[name]).all() for name in first)


@pytest.mark.parametrize("change", [lambda path: os.truncate(path, 3000), os.utime, Path.unlink])
def test_a_pack_that_changes_is_named(folder: Path, tmp_path: Path, change: Callable[[Path], None]) -> None:
    pack_source(folder, tmp_path / "set")
    batches = batches_of(tmp_path / "set.rec")
    list(filled(batches, [0]))
    batches = replace(batches, _cache=ImageCache(0))
    change(tmp_path / "set.rec")
    with pytest.raises(InputError, match=r"set\.rec, record \d+"):
        list(filled(batches, [0]))


CUT_SHORT = """
import os
from ctc_ocr.datasets.sources import open_source
from ctc_ocr.datasets.samples import Sample
rows = iter(open_source("set.rec"))
first = next(rows)
os.truncate("set.rec", 100)
print(isinstance(first, Sample), [str(row) for row in rows][-1])
"""


def test_a_pack_that_is_cut_short_while_it_is_read_is_no_signal(folder: Path, tmp_path: Path) -> None:
    """Of a file that is mapped into memory, the bytes that are gone are a SIGBUS."""
    pack_source(folder, tmp_path / "set")
    done = subprocess.run(
        [sys.executable, "-c", CUT_SHORT], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("True set.rec, record 11: damaged pack: no record at byte")


def test_bytes_beyond_the_end_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345678" * recordio.READ_AHEAD)
    with recordio.open_pack(tmp_path / "a") as pack:
        assert pack[2:5] == b"345"
        os.truncate(tmp_path / "a", 2 * recordio.READ_AHEAD)
        with pytest.raises(ValueError, match="it ends at byte 8192, and was longer"):
            pack[2 * recordio.READ_AHEAD - 9 : 3 * recordio.READ_AHEAD]
