"""Which images are held out, and which images a model knows."""

import csv
import json
import re
import shutil
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest

import ctc_ocr
from ctc_ocr.checkpoint.known_images import KnownImages, known_images_path, save_known_images
from ctc_ocr.checkpoint.stored_model import StoredRun, stored_known_images
from ctc_ocr.cli.evaluate import main as evaluate
from ctc_ocr.datasets.checking import check_source
from ctc_ocr.datasets.held_out import place, split_held_out
from ctc_ocr.errors import InputError

DIGESTS = [blake2b(str(number).encode(), digest_size=16).digest() for number in range(2000)]


def test_each_image_is_held_out_by_itself() -> None:
    train, validation = split_held_out(DIGESTS, 0.1)
    assert sorted(train + validation) == list(range(2000))
    assert 150 < len(validation) < 250  # binomial, 200 +- 13
    # In a set that grows, in another order, every image stays where it was; so do its duplicates.
    again = split_held_out(DIGESTS[::-1] + DIGESTS[:500], 0.1)
    held_out = {DIGESTS[index] for index in validation}
    assert {[*DIGESTS[::-1], *DIGESTS[:500]][index] for index in again[1]} == held_out
    # A larger fraction holds out the same images and others.
    assert set(validation) < set(split_held_out(DIGESTS, 0.3)[1])


@pytest.mark.parametrize("fraction", [1e-9, 1 - 1e-9])
def test_both_parts_have_images(fraction: float) -> None:
    few = DIGESTS[:5]
    train, validation = split_held_out(few, fraction)
    assert {len(train), len(validation)} == {1, 4}
    extreme = [place(few[each]) for each in (validation if len(validation) == 1 else train)]
    assert extreme == [(min if fraction < 0.5 else max)(map(place, few))]


def test_a_small_set_has_a_minimum_held_out() -> None:
    few = DIGESTS[:60]
    by_chance = set(split_held_out(few, 0.05)[1])
    train, validation = split_held_out([*few, *few], 0.05, at_least=10)
    assert {index % 60 for index in validation} > by_chance
    assert len(validation) == 20  # ten images, each twice
    assert max(place(few[index % 60]) for index in validation) < min(place(few[index % 60]) for index in train)
    # What was trained on is not held out.
    before = KnownImages.of(few[:55], [])
    assert set(split_held_out(few, 1e-9, before.part, at_least=10)[1]) == set(range(55, 60))


def test_images_of_an_earlier_run_stay_in_their_part() -> None:
    before = KnownImages.of(DIGESTS[:100], DIGESTS[100:200])
    train, validation = split_held_out(DIGESTS[:300], 0.5, before.part)
    assert set(range(100)) <= set(train)
    assert set(range(100, 200)) <= set(validation)
    assert 25 < sum(index >= 200 for index in validation) < 75


def test_the_file_of_known_images(tmp_path: Path) -> None:
    known = KnownImages.of(DIGESTS[:30], DIGESTS[20:40])
    save_known_images(tmp_path / "ocr", known)
    read = load_known_images(tmp_path / "ocr")
    assert read is not None
    np.testing.assert_array_equal(read.training, known.training)
    np.testing.assert_array_equal(read.validation, known.validation)
    assert [read.part(DIGESTS[index]) for index in (0, 29, 30, 39, 40)] == [
        "training", "training", "validation", "validation", None,
    ]  # fmt: skip
    later = KnownImages.of(DIGESTS[35:50], DIGESTS[50:60]).with_earlier(read)
    assert [later.part(DIGESTS[index]) for index in (0, 34, 35, 49, 55, 60)] == [
        "training", "validation", "training", "training", "validation", None,
    ]  # fmt: skip
    assert load_known_images(tmp_path / "other") is None


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("digest\n", "row 1"),
        ("digest,part\n0123456789abcdef,training\n0123,training\n", "row 3"),
        ("digest,part\n0123456789abcdeg,training\n", "row 2"),
        ("digest,part\n-123456789abcdef,training\n", "row 2"),
        ("digest,part\n0x23456789abcdef,training\n", "row 2"),
        ("digest,part\n0123456789abcdef,test\n", "row 2"),
        ("digest,part\n0123456789abcdef\n", "row 2"),
        (f"{'0' * 200_000}\n", "row 1"),  # csv refuses so long a field
        (f"digest,part\n{'0' * 200_000},training\n", "row 2"),
    ],
)
def test_a_broken_file_of_known_images(tmp_path: Path, text: str, row: str) -> None:
    known_images_path(tmp_path / "ocr").write_text(text)
    with pytest.raises(InputError) as caught:
        load_known_images(tmp_path / "ocr")
    assert caught.value.where == f"{tmp_path / 'ocr'}-images.csv, {row}"


def load_known_images(prefix: Path) -> KnownImages | None:
    return stored_known_images(StoredRun(str(prefix), 1))


def settings(**training: object) -> ctc_ocr.Hyperparameters:
    network = {"features": (4, 8), "kernels": (3, 3), "strides": (1, 1), "pool_heights": (2, 2), "pool_widths": (2, 1)}
    return ctc_ocr.preset(
        "word", data={"height": 16, "width": 64}, network={**network, "num_hidden": 8},
        training={"num_epoch": 1, "batch_size": 8, **training},
    )  # fmt: skip


def captchas(folder: Path, count: int, seed: int) -> Path:
    ctc_ocr.CaptchaWriter.create(ctc_ocr.Data(alphabet="abc"), seed=seed).write_folder(folder, count)
    return folder


def digests(source: Path) -> list[bytes]:
    return list(check_source(source).digests)


@pytest.mark.slow
def test_a_corrected_set_is_added_and_nothing_held_out_is_trained_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Train on 60 captchas, then on these and 40 others, starting from the first model."""
    old, new = captchas(tmp_path / "old", 60, 1), captchas(tmp_path / "new", 40, 2)
    ctc_ocr.train(settings(), old, tmp_path / "first", num_proc=1)
    first = load_known_images(tmp_path / "first")
    assert first is not None
    assert {first.part(digest) for digest in digests(old)} == {"training", "validation"}
    assert [first.part(digest) for digest in digests(new)] == [None] * 40

    with (new / "labels.csv").open(newline="") as file:
        rows = [(row["image"], row["label"]) for row in csv.DictReader(file)]
    lines = ["image;label;comment", *(f"{image};{label};" for image, label in rows)]
    (new / "corrected.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    both = ctc_ocr.LabelledImages([old, new / "corrected.csv"], validation_fraction=0.02)
    ctc_ocr.train(settings(), both, tmp_path / "second", num_proc=1, init_from=tmp_path / "first")
    second = load_known_images(tmp_path / "second")
    assert second is not None
    held_out = [digest for digest in digests(old) if first.part(digest) == "validation"]
    assert held_out
    assert [second.part(digest) for digest in held_out] == ["validation"] * len(held_out)
    assert all(second.part(digest) is not None for digest in digests(new))

    # Evaluated on images that it knows, it says so; on new ones, it does not.
    figures = tmp_path / "figures.json"
    assert evaluate([str(tmp_path / "second"), str(old), str(new), "--report", str(figures)]) == 0
    printed = capsys.readouterr().err
    read = json.loads(figures.read_text())
    parts = [second.part(digest) for digest in [*digests(old), *digests(new)]]
    assert read["samples"] == 100
    assert (read["trained_on"], read["validated_with"]) == (parts.count("training"), parts.count("validation"))
    assert re.search(rf"{parts.count('training')} of 100 images are images that the model was trained on", printed)
    ctc_ocr.bundle_model(tmp_path / "second", tmp_path / "second.zip")
    assert evaluate([str(tmp_path / "second.zip"), str(old), "--report", str(figures)]) == 0
    assert json.loads(figures.read_text())["trained_on"] == parts[:60].count("training")
    assert "images that the model was trained on" in capsys.readouterr().err
    other = captchas(tmp_path / "other", 8, 3)
    assert evaluate([str(tmp_path / "second"), str(other), "--report", str(figures)]) == 0
    read = json.loads(figures.read_text())
    assert (read["trained_on"], read["validated_with"]) == (0, 0)
    assert capsys.readouterr().err == ""


def test_models_of_generated_captchas_know_no_images(tmp_path: Path) -> None:
    small = ctc_ocr.preset(
        "lstm", data={"width": 40, "height": 20}, network={"num_layers": 1, "num_hidden": 8},
        training={"num_epoch": 1, "samples_per_epoch": 16, "batch_size": 8, "validation_samples": 8},
    )  # fmt: skip
    ctc_ocr.train(small, prefix=tmp_path / "ocr", num_proc=1)
    result = ctc_ocr.evaluate(tmp_path / "ocr", captchas(tmp_path / "photos", 8, 1))
    assert (result.num_trained_on, result.num_validated_with) == (None, None)


@pytest.mark.slow
def test_a_run_that_replaces_another_replaces_its_images(tmp_path: Path) -> None:
    old, new = captchas(tmp_path / "old", 20, 1), captchas(tmp_path / "new", 20, 2)
    ctc_ocr.train(settings(), old, tmp_path / "ocr", num_proc=1)
    ctc_ocr.train(settings(), new, tmp_path / "ocr", num_proc=1, overwrite=True)
    known = load_known_images(tmp_path / "ocr")
    assert known is not None
    assert {known.part(digest) for digest in digests(old)} == {None}
    # A resumed run keeps its split: another fraction is refused.
    again = ctc_ocr.LabelledImages(new, validation_fraction=0.5)
    with pytest.raises(InputError, match="the run was not begun with validation_fraction 0.5"):
        ctc_ocr.train(settings(num_epoch=2), again, tmp_path / "ocr", num_proc=1, resume=True)
    result = ctc_ocr.train(settings(num_epoch=2), new, tmp_path / "ocr", num_proc=1, resume=True)
    assert result.newest_epoch == 2
    shutil.rmtree(new)


@pytest.mark.slow
def test_a_run_that_was_killed_before_it_wrote_its_images_keeps_its_split(tmp_path: Path) -> None:
    """That of the model that it started from, for the images which that one knew."""
    old, new = captchas(tmp_path / "old", 20, 1), captchas(tmp_path / "new", 10, 2)
    half = ctc_ocr.LabelledImages(old, validation_fraction=0.5)
    ctc_ocr.train(settings(), half, tmp_path / "first", num_proc=1)
    both = ctc_ocr.LabelledImages([old, new])
    ctc_ocr.train(settings(), both, tmp_path / "ocr", num_proc=1, init_from=tmp_path / "first")
    written = known_images_path(tmp_path / "ocr").read_bytes()
    known_images_path(tmp_path / "ocr").unlink()
    ctc_ocr.train(settings(num_epoch=2), both, tmp_path / "ocr", num_proc=1, resume=True)
    assert known_images_path(tmp_path / "ocr").read_bytes() == written


def test_several_sources_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from ctc_ocr.cli.data import main as data

    old, new = captchas(tmp_path / "old", 20, 1), captchas(tmp_path / "new", 20, 2)
    assert data(["check", str(old), str(new), "--json"]) == 0
    read = json.loads(capsys.readouterr().out)
    assert read["samples"] == 40
    assert str(old) in read["labels"]
    assert str(new) in read["labels"]


@pytest.mark.parametrize("name", ["source", "validation"])
def test_no_sources(name: str) -> None:
    with pytest.raises(InputError, match=f"{name}: expected at least one source"):
        ctc_ocr.LabelledImages(**{"source": "photos", name: []})  # type: ignore[arg-type]
