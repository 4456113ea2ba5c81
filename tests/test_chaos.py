"""A small run under kills with signal 9; many of them: `make chaos`."""

from pathlib import Path

import pytest

from benchmarks.chaos.__main__ import chaos


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_that_is_killed_is_resumed_to_the_bit_and_leaves_nothing(tmp_path: Path, workers: int) -> None:
    report, _ = chaos(tmp_path, kills=4, workers=workers, seed=1)
    assert report.wrong == []
    assert report.kills.total() >= 4
