"""Captchas through image processes and the DataIter."""

import itertools
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ctc_ocr.config.sections import Data
from ctc_ocr.datasets.generated import GeneratedSource
from ctc_ocr.datasets.iterator import BatchIter, cached_batches, streamed_batches
from ctc_ocr.generation.pool import Arrays, ArraySpec, BatchPool, ImageProcessError
from ctc_ocr.rendering.captcha_library import CaptchaLibraryRenderer
from ctc_ocr.runtime.mxnet import mx


def source(font: str, batch_size: int = 4, seed: int = 0, stream: int = 0) -> GeneratedSource:
    return GeneratedSource(CaptchaLibraryRenderer((font,)), Data(), batch_size, seed, stream)


def samples(iterator: BatchIter) -> list[tuple[bytes, tuple[int, ...]]]:
    found = []
    for batch in iterator:
        images, labels = batch.data[0].asnumpy(), batch.label[0].asnumpy().astype(int)
        count = len(images) - batch.pad
        found += [(image.tobytes(), tuple(label)) for image, label in zip(images[:count], labels, strict=False)]
    return found


def rendered(font: str, num_proc: int, batch_size: int, count: int) -> list[tuple[bytes, tuple[int, ...]]]:
    from_seed = source(font, batch_size)
    with BatchPool(from_seed, num_proc, itertools.count()) as pool:
        return samples(streamed_batches(from_seed, pool, count))


def test_same_seed_same_data_whatever_processes_and_batches(ubuntu_font: str) -> None:
    expected = rendered(ubuntu_font, num_proc=1, batch_size=4, count=16)
    assert len(set(expected)) == 16
    assert rendered(ubuntu_font, num_proc=3, batch_size=4, count=16) == expected
    assert rendered(ubuntu_font, num_proc=2, batch_size=8, count=16) == expected


def test_seeds_and_streams_differ(ubuntu_font: str) -> None:
    sets = [
        set(samples(cached_batches(source(ubuntu_font, 4, seed, stream), 8, 1)))
        for seed, stream in ((0, 0), (1, 0), (0, 1))
    ]
    assert all(one.isdisjoint(other) for one, other in itertools.combinations(sets, 2))


def test_labels_are_within_the_lengths_and_padded_with_blanks(ubuntu_font: str) -> None:
    labels = np.array([label for _, label in samples(cached_batches(source(ubuntu_font, 32), 64, 1))])
    lengths = (labels > 0).sum(axis=1)
    assert set(lengths) == {3, 4}
    assert (labels[lengths == 3, 3] == 0).all()
    assert labels.max() <= 10


def test_validation_is_the_same_every_epoch_and_has_its_padding(ubuntu_font: str) -> None:
    iterator = cached_batches(source(ubuntu_font), 10, 1)
    pads = [batch.pad for batch in iterator]
    iterator.reset()
    first = samples(iterator)
    iterator.reset()
    assert pads == [0, 0, 2]
    assert len(first) == 10
    assert samples(iterator) == first


@pytest.mark.parametrize("asked", [0, 1, 3])
def test_reset_goes_to_the_next_epoch(ubuntu_font: str, asked: int) -> None:
    from_seed = source(ubuntu_font)
    everything = samples(cached_batches(from_seed, 24, 1))
    with BatchPool(from_seed, 1, itertools.count()) as pool:
        iterator = streamed_batches(from_seed, pool, 12)
        for _ in range(asked):
            iterator.next()
        iterator.reset()
        following = samples(iterator)
    assert following == (everything[12:] if asked else everything[:12])


def test_a_resumed_epoch_begins_in_its_middle(ubuntu_font: str) -> None:
    from_seed = source(ubuntu_font)
    everything = samples(cached_batches(from_seed, 24, 1))
    with BatchPool(from_seed, 1, itertools.count(2)) as pool:
        iterator = streamed_batches(from_seed, pool, 12, first_batch=2)
        rest = samples(iterator)
        iterator.reset()
        assert rest == everything[8:12]
        assert samples(iterator) == everything[12:]


def test_module_fit_takes_the_iterator_as_it_is(ubuntu_font: str) -> None:
    from_seed = source(ubuntu_font, batch_size=8)
    data = mx.sym.cast(mx.sym.Variable("data"), dtype="float32")
    label = mx.sym.slice_axis(mx.sym.Variable("label"), axis=1, begin=0, end=1)
    symbol = mx.sym.LinearRegressionOutput(mx.sym.FullyConnected(data, num_hidden=1), label)
    with BatchPool(from_seed, 1, itertools.count()) as pool:
        module = mx.mod.Module(symbol, ["data"], ["label"])
        validation = cached_batches(source(ubuntu_font, 8, stream=1), 12, 1)
        module.fit(
            streamed_batches(from_seed, pool, 16),
            eval_data=validation,
            eval_metric=mx.metric.CustomMetric(lambda label, output: float(np.isfinite(output).all())),
            num_epoch=2,
            optimizer_params={"learning_rate": 1e-9},
        )


def test_both_ways_to_go_through_a_data_iter(ubuntu_font: str) -> None:
    iterator = cached_batches(source(ubuntu_font), 10, 1)
    batches = [(batch.data[0].asnumpy(), batch.label[0].asnumpy(), batch.pad) for batch in iterator]
    iterator.reset()
    found = []
    while iterator.iter_next():
        found.append((iterator.getdata()[0].asnumpy(), iterator.getlabel()[0].asnumpy(), iterator.getpad()))
    assert len(found) == len(batches) == 3
    for one, other in zip(found, batches, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@dataclass(frozen=True)
class Slow:
    """Each batch takes a moment; batch `broken` raises. With a gate, none is ready before that file exists."""

    broken: int = -1
    seconds: float = 0.05
    gate: Path | None = None

    def specs(self) -> dict[str, ArraySpec]:
        return {"images": ArraySpec((1, 2, 3), "uint8"), "labels": ArraySpec((1, 1), "float32")}

    def fill(self, number: int, arrays: Arrays) -> None:
        time.sleep(self.seconds)
        while self.gate is not None and not self.gate.exists():
            time.sleep(0.01)
        if number == self.broken:
            raise ZeroDivisionError("planted")
        arrays["images"][:] = number
        arrays["labels"][:] = number


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_cached_batches_are_prepared_in_the_background(tmp_path: Path) -> None:
    with cached_batches(Slow(gate=tmp_path / "gate", seconds=0), 40, 1) as iterator:
        (tmp_path / "gate").touch()  # none is prepared before this: the line above has waited for none
        labels = [int(batch.label[0].asnumpy()[0, 0]) for batch in iterator]
    assert labels == list(range(40))
    iterator.reset()
    assert len(list(iterator)) == 40  # complete ones remain after the end


def test_cached_batches_that_are_closed_early_leave_nothing() -> None:
    iterator = cached_batches(Slow(seconds=0.1), 10_000, 2)
    close: Any = iterator._close
    cache = close.__self__
    pids = cache._pool.process_ids
    assert all(map(is_alive, pids))
    iterator.close()
    assert not any(map(is_alive, pids))
    assert not cache._thread.is_alive()
    with pytest.raises(RuntimeError, match="closed before they were complete"):
        iterator.next()
    iterator.close()


def test_an_error_of_cached_batches_is_raised_by_the_first_epoch() -> None:
    with cached_batches(Slow(broken=3), 10, 1) as iterator:
        for _ in range(2):
            with pytest.raises(ImageProcessError, match="batch 3: (?s:.*)ZeroDivisionError: planted"):
                iterator.next()
