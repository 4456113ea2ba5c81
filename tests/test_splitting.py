"""Splitting samples: the counts, no sample in two parts, related ones kept together."""

from collections import Counter

import numpy as np
import pytest

from ctc_ocr.datasets.partition import clusters, counts_of_fractions, duplicates_across, partition
from ctc_ocr.errors import InputError


@pytest.mark.parametrize(
    ("fractions", "count", "expected"),
    [
        ((0.8, 0.1, 0.1), 100, [80, 10, 10]),
        ((0.8, 0.1, 0.1), 7, [5, 1, 1]),
        ((0.9, 0.1, 0.0), 30, [27, 3, 0]),
        ((0.9, 0.0, 0.0), 3, [3, 0, 0]),
        ((0.34, 0.33, 0.33), 1, [1, 0, 0]),
    ],
)
def test_counts_of_fractions(fractions: tuple[float, ...], count: int, expected: list[int]) -> None:
    assert counts_of_fractions(fractions, count) == expected


def test_counts_of_any_fractions_are_within_one_of_them() -> None:
    generator = np.random.default_rng(1)
    for count in range(200):
        fractions = generator.dirichlet((1, 1, 1))
        counts = counts_of_fractions(fractions.tolist(), count)
        assert sum(counts) == count
        assert np.abs(counts - fractions * count).max() < 1


def test_clusters_join_through_any_key() -> None:
    assert clusters("abcab") == [[0, 3], [1, 4], [2]]
    assert clusters("abcd", [1, 2, 2, 3]) == [[0], [1, 2], [3]]
    assert clusters("abbc", [1, 1, 2, 2], "xyzw") == [[0, 1, 2, 3]]


def test_clusters_are_the_connected_components() -> None:
    """Against a plain search from every sample."""
    generator = np.random.default_rng(2)
    for _ in range(30):
        keys = [generator.integers(0, 12, size=20).tolist() for _ in range(2)]
        expected = set()
        for start in range(20):
            reached, before = {start}, set[int]()
            while reached != before:
                before = reached
                reached = {each for each in range(20) if any(key[each] == key[one] for key in keys for one in before)}
            expected.add(tuple(sorted(reached)))
        assert {tuple(group) for group in clusters(*keys)} == expected


def test_partition_meets_counts_keeps_groups_and_depends_on_the_seed() -> None:
    groups = [[number] for number in range(10, 100)] + [[0, 1, 2, 3], [4, 5, 6], [7, 8, 9]]
    results = [partition(groups, [80, 10, 10], np.random.default_rng(seed)) for seed in (0, 0, 1)]
    for parts in results:
        assert [len(part) for part in parts] == [80, 10, 10]
        assert sorted(index for part in parts for index in part) == list(range(100))
        assert all(any(set(group) <= set(part) for part in parts) for group in groups)
        assert parts == [sorted(part) for part in parts]
    assert results[0] == results[1] != results[2]


def test_each_sample_is_as_likely_to_be_in_a_part() -> None:
    """Of 20 samples in 4,000 partitions, each is in the test part 1,000 times, within 6 standard deviations."""
    generator = np.random.default_rng(3)
    seen = Counter(
        index for _ in range(4000) for index in partition([[each] for each in range(20)], [10, 5, 5], generator)[2]
    )
    assert all(abs(seen[index] - 1000) < 6 * np.sqrt(4000 * 0.25 * 0.75) for index in range(20))


def test_counts_for_fewer_samples_leave_the_others() -> None:
    singles = [[each] for each in range(50)]
    parts = partition(singles, [20, 5, 0], np.random.default_rng(0))
    assert [len(part) for part in parts] == [20, 5, 0]
    groups = [list(range(10)), *([each] for each in range(10, 20))]
    assert [len(part) for part in partition(groups, [6, 4, 0], np.random.default_rng(0))] == [6, 4, 0]
    with pytest.raises(InputError, match="were not met"):
        partition(groups, [9, 4, 0], np.random.default_rng(0))


def test_large_groups_go_where_most_samples_are_missing() -> None:
    groups = [list(range(start, start + 10)) for start in range(0, 200, 10)]
    parts = partition(groups, [160, 20, 20], np.random.default_rng(0))
    assert [len(part) for part in parts] == [160, 20, 20]


@pytest.mark.parametrize(
    ("sizes", "empty"), [((20, 20, 20), 0), ((50, 5, 3, 2), 0), ((1, 1, 58), 0), ((30, 30), 1), ((60,), 2)]
)
def test_no_part_is_empty_where_there_are_as_many_groups(sizes: tuple[int, ...], empty: int) -> None:
    ends = np.cumsum(sizes).tolist()
    groups = [list(range(end - size, end)) for size, end in zip(sizes, ends, strict=True)]
    for seed in range(20):
        parts = partition(groups, [48, 6, 6], np.random.default_rng(seed))
        assert sorted(index for part in parts for index in part) == list(range(60))
        assert sum(not part for part in parts) == empty
        assert all(len({tuple(part) for part in parts if index in part}) == 1 for index in range(60))
    assert not partition(groups, [54, 6, 0], np.random.default_rng(0))[2]


def test_duplicates_across_parts() -> None:
    digests = [b"a", b"b", b"a", b"c", b"b", b"b"]
    assert duplicates_across([[0, 1], [2, 3], [4, 5]], digests) == {(0, 1): [(0, 2)], (0, 2): [(1, 4), (1, 5)]}
    assert duplicates_across([[0, 2], [1, 4, 5], [3]], digests) == {}
