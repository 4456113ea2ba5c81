"""Folds and nested subsets: by the pixels, whatever the order."""

import random

import pytest

from ctc_ocr.datasets.held_out import place
from ctc_ocr.errors import InputError
from ctc_ocr.experiments.folds import folds_of, nested_subsets

DIGESTS = [number.to_bytes(16, "big") for number in range(1, 42)]


def test_folds_are_a_partition_of_nearly_equal_parts() -> None:
    folds = folds_of(DIGESTS, 5)
    assert sorted(sum(folds, [])) == list(range(41))
    assert sorted(map(len, folds)) == [8, 8, 8, 8, 9]


def test_equal_images_share_a_fold() -> None:
    digests = [*DIGESTS[:10], *DIGESTS[:10], DIGESTS[0]]
    for fold in folds_of(digests, 3):
        images = {digests[index] for index in fold}
        assert [index for index, digest in enumerate(digests) if digest in images] == fold


def test_folds_depend_on_seed_and_images_and_not_on_their_order() -> None:
    def as_sets(digests: list[bytes], seed: int) -> list[set[bytes]]:
        return [{digests[index] for index in fold} for fold in folds_of(digests, 4, seed)]

    shuffled = random.Random(0).sample(DIGESTS, len(DIGESTS))
    assert as_sets(DIGESTS, 7) == as_sets(shuffled, 7)
    assert as_sets(DIGESTS, 7) != as_sets(DIGESTS, 8)


def test_folds_have_nothing_to_do_with_what_is_held_out_for_validation() -> None:
    digests = [random.Random(number).randbytes(16) for number in range(4000)]
    for fold in folds_of(digests, 4):
        held_out = sum(place(digests[index]) < 0.1 for index in fold)
        assert 60 < held_out < 140


@pytest.mark.parametrize("count", [1, 0, 3])
def test_too_few_or_too_many_folds_are_refused(count: int) -> None:
    with pytest.raises(InputError, match="^folds: expected 2 to 2, the number of different images"):
        folds_of([DIGESTS[0], DIGESTS[1], DIGESTS[1]], count)


def test_images_that_are_all_the_same_make_no_folds() -> None:
    with pytest.raises(InputError, match="^folds: too few images: expected at least two that differ, got 1$"):
        folds_of([DIGESTS[0]] * 3, 2)


def test_subsets_are_nested_and_of_the_asked_sizes() -> None:
    subsets = nested_subsets(range(5, 35), DIGESTS, [3, 10, 30], seed=0)
    assert [len(each) for each in subsets] == [3, 10, 30]
    assert set(subsets[0]) < set(subsets[1]) < set(subsets[2]) == set(range(5, 35))
    assert nested_subsets(range(5, 35), DIGESTS, [10], seed=0) == subsets[1:2]
    assert nested_subsets(range(5, 35), DIGESTS, [10], seed=1) != subsets[1:2]
    with pytest.raises(InputError, match="^sizes: expected subsets of 1 to 30 images, got 31"):
        nested_subsets(range(5, 35), DIGESTS, [31], seed=0)
