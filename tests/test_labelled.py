"""Batches of labelled images: which images they contain, and how they are changed."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ctc_ocr.config.architectures import register_architecture
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.registries import ARCHITECTURES
from ctc_ocr.config.sections import Augmentation, Data, Network, Training
from ctc_ocr.datasets import labelled
from ctc_ocr.datasets.labelled import LabelledBatches, LabelledImage
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.errors import InputError
from ctc_ocr.generation.pool import BatchPool

HEIGHT = 8
SETTINGS = Hyperparameters(Data(width=64, height=HEIGHT, keep_ratio=True), training=Training(batch_size=4))


def make_source(
    folder: Path, widths: list[int], settings: Hyperparameters = SETTINGS, shuffle: bool = True
) -> LabelledBatches:
    """Sample i has the label i + 1 and is an image of its own width, half black."""
    images = []
    for number, width in enumerate(widths):
        path = folder / f"{number}.png"
        image = np.full((HEIGHT, width), 220, np.uint8)
        image[:, : width // 2] = 0
        Image.fromarray(image).save(path)
        sample = Sample(str(path), (str(number),), str(path))
        images.append(LabelledImage(sample, (number + 1,), (width, HEIGHT)))
    return LabelledBatches(images, settings, 1, shuffle)


def batch(source: LabelledBatches, number: int) -> dict[str, np.ndarray]:
    arrays = {name: np.zeros(spec.shape, spec.dtype) for name, spec in source.specs().items()}
    source.fill(number, arrays)
    return arrays


def labels(source: LabelledBatches, number: int) -> list[int]:
    return [int(label) for label in batch(source, number)["labels"][:, 0]]


@pytest.mark.parametrize("count", [1, 3, 4, 5, 30, 64, 65, 150])
def test_a_pass_has_every_image_once_and_no_batch_one_twice(tmp_path: Path, count: int) -> None:
    generator = np.random.default_rng(0)
    source = make_source(tmp_path, [int(width) for width in generator.integers(4, 60, count)])
    num_batches = -(-count // 4)
    for number_of_pass in range(3):
        batches = [labels(source, number_of_pass * num_batches + number) for number in range(num_batches)]
        times = Counter(label for each in batches for label in each)
        assert set(times) == set(range(1, count + 1))
        assert sum(times.values()) - count < 4
        if count % 4 == 0:
            assert all(len(set(each)) == 4 for each in batches)


def test_passes_and_seeds_differ_and_neighbours_have_about_the_same_width(tmp_path: Path) -> None:
    widths = [4 + number for number in range(48)]
    source = make_source(tmp_path, widths)
    first, second = ([labels(source, start + number) for number in range(12)] for start in (0, 12))
    other = replace(source, hyperparameters=replace(SETTINGS, training=Training(batch_size=4, seed=1)))
    assert first != second
    assert first != [labels(other, number) for number in range(12)]
    assert all(max(each) - min(each) == 3 for each in first)  # 12 batches are one window: the width is the label
    assert [each[0] for each in first] != sorted(each[0] for each in first)


def test_without_shuffling_narrow_images_come_first_and_the_last_fills_the_batch(tmp_path: Path) -> None:
    source = make_source(tmp_path, [40, 10, 30, 20, 50], shuffle=False)
    assert list(source.order) == [1, 3, 2, 0, 4]
    assert [labels(source, number) for number in range(2)] == [[2, 4, 3, 1], [5, 5, 5, 5]]
    found = batch(source, 0)
    assert found["steps"].tolist() == [10, 20, 30, 40]
    assert found["width"].tolist() == [40]
    assert (found["images"][0, :, 10:] == 225).all()  # the padding


def test_an_image_that_becomes_too_narrow_for_its_label_stays_unchanged(tmp_path: Path) -> None:
    settings = replace(SETTINGS, augmentation=Augmentation(augment=True, max_scale=0.5, max_padding=0.0))
    source = make_source(tmp_path, [20], settings)
    steps = {float(step) for number in range(20) for step in batch(source, number)["steps"]}
    assert min(steps) < 20
    long = replace(source, images=[replace(source.images[0], codes=(1,) * 10)], max_length=10)  # needs 19
    assert min(float(step) for number in range(20) for step in batch(long, number)["steps"]) >= 19


def test_images_are_cached_while_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_source(tmp_path, [16] * 4)
    before = batch(source, 0)["images"]
    for path in tmp_path.iterdir():
        path.unlink()
    np.testing.assert_array_equal(batch(source, 0)["images"], before)
    monkeypatch.setattr(labelled, "MAX_CACHE", 2 * 16 * HEIGHT)
    assert len(make_filled(tmp_path)._cache) == 1


def make_filled(folder: Path) -> LabelledBatches:
    source = make_source(folder, [16] * 4)
    batch(source, 0)
    return source


def test_image_processes_know_the_time_steps_of_a_users_architecture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ARCHITECTURES, "_parts", dict(ARCHITECTURES._parts))
    register_architecture("of_a_test", columns_per_step=3)(lambda images, *_: images)
    settings = replace(SETTINGS, network=Network("of_a_test"))
    source = make_source(tmp_path, [30, 10, 20], settings, shuffle=False)
    with BatchPool(source, 1, range(1)) as pool:
        assert next(pool)["steps"].tolist() == [4, 7, 10, 10]


def test_a_sample_that_cannot_be_read_any_more_ends_the_batch(tmp_path: Path) -> None:
    source = make_source(tmp_path, [16])
    (tmp_path / "0.png").unlink()
    with pytest.raises(InputError) as error:
        batch(source, 0)
    assert (error.value.where, error.value.reason) == (str(tmp_path / "0.png"), "No such file or directory")
