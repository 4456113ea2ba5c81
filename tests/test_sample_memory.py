"""A set of many images: what is held for each in memory, and that columns give back what was put into them."""

import pickle
import tracemalloc
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.config.presets import preset
from ctc_ocr.datasets import checking, examining
from ctc_ocr.datasets.checked_samples import CheckedSample, CheckedSamples
from ctc_ocr.datasets.columns import Ragged, compact, equal_groups
from ctc_ocr.datasets.digests import Digests
from ctc_ocr.datasets.image_columns import ImageColumns, LabelledImage
from ctc_ocr.datasets.labelled import LabelledBatches
from ctc_ocr.datasets.pack_index import read_index
from ctc_ocr.datasets.pack_writing import write_labelled_bytes
from ctc_ocr.datasets.sample_columns import SampleColumns
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.images.region import Region
from ctc_ocr.training import labelled_data

COUNT = 20_000
ALPHABET = Alphabet(tuple("0123456789"))


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records of a few bytes in two shards; each has its own label, of four or five digits."""
    prefix = tmp_path_factory.mktemp("memory") / "set"
    images = (([int(digit) + 1 for digit in f"{number:04d}"], b"image") for number in range(COUNT))
    write_labelled_bytes(prefix, images, ALPHABET, [COUNT // 2, COUNT // 2])
    return prefix


def not_decoded(sample: Sample, steps_of: object, region: Region) -> CheckedSample:
    digest = blake2b(sample.where.encode(), digest_size=16).digest()
    return CheckedSample(sample, (80, 30), digest, light_ink=False)


@pytest.mark.long
def test_memory_of_each_sample_that_is_trained_on(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examining, "examine", not_decoded)
    settings = preset("crnn")
    checking.check_source(pack)  # what the first call loads stays

    tracemalloc.start()
    try:
        checked = checking.check_source(pack).fitting(settings.geometry.steps_of)
        kept, peak = tracemalloc.get_traced_memory()
        assert len(checked.samples) == COUNT
        assert kept < 60 * COUNT
        assert peak < 200 * COUNT
        train, _ = labelled_data._split(checked, None, None)
        labelled_data._fingerprint(train)
        assert tracemalloc.get_traced_memory()[1] < 250 * COUNT
        batches = LabelledBatches(ImageColumns.encoded(train.samples, ALPHABET), settings, 5, shuffle=True)
        del checked, train
        sent = pickle.dumps(batches)
        assert len(sent) < 30 * COUNT
        del batches
        before = tracemalloc.get_traced_memory()[0]
        received = pickle.loads(sent)  # in an image process
        indices = received._index(0), received._index(1)
        assert indices[0] != indices[1]
        received.images[0].sample.read_bytes()
        received.images[len(received.images) - 1].sample.read_bytes()  # the index of each shard
        assert tracemalloc.get_traced_memory()[0] - before < 50 * COUNT
    finally:
        tracemalloc.stop()


def test_images_of_a_set_that_is_many_times_larger_than_the_cache_are_not_kept(
    pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = preset("crnn")
    monkeypatch.setattr("ctc_ocr.datasets.labelled.load", lambda *_: np.zeros((30, 80), np.uint8))
    monkeypatch.setattr("ctc_ocr.datasets.labelled.MAX_CACHE", 2400 * 8)
    images = [LabelledImage(Sample(str(pack), ("1",), "here", 0), (1,), (80, 30))] * 40
    monkeypatch.setattr(Sample, "read_bytes", lambda _: b"")
    for count, kept in ((31, 7), (32, 0), (40, 0)):
        batches = LabelledBatches(images[:count], settings, 1, shuffle=True)
        arrays = {name: np.empty(spec.shape, spec.dtype) for name, spec in batches.specs().items()}
        batches.fill(0, arrays)
        assert len(batches._cache) == kept


@dataclass(frozen=True)
class Own(Sample):
    text: str = ""

    def read_bytes(self) -> bytes:
        return self.text.encode()


SAMPLES = [
    Sample("a.rec", ("x", "yy"), "a.rec, record 7", 7),
    Sample("a.png", (), "list.csv, row 2"),
    Sample("b.rec", ("yy",) * 3, "b.rec, record 0", 0),
    Own("somewhere", ("z",), "there", text="own"),
    Sample("./a.rec", ("x",), "./a.rec, record 7", 7),
    Sample("a.rec", ("x",), "row 1 of a list", 7),
    Sample("a.png", ("q",), "list.csv, row 3"),
]


def test_samples_come_back_from_their_columns() -> None:
    columns = SampleColumns.of(iter(SAMPLES))
    again = pickle.loads(pickle.dumps(columns))
    for each in (columns, again):
        assert list(each) == SAMPLES
        assert each[-1] == SAMPLES[-1]
        assert list(each[1:6:2]) == SAMPLES[1:6:2]
        assert list(each.take([3, 0, 3, 1]).take([2, 3])) == [SAMPLES[3], SAMPLES[1]]
    assert columns[3].read_bytes() == b"own"
    with pytest.raises(IndexError):
        columns[len(SAMPLES)]
    assert list(columns.frequencies().items()) == [("x", 3), ("yy", 4), ("z", 1), ("q", 1)]
    assert list(columns.take([2, 0]).frequencies().items()) == [("yy", 4), ("x", 1)]
    assert columns.same_images(range(len(SAMPLES))) == [[0, 4], [1, 6]]
    assert columns.same_images([0, 1, 2, 3]) == []
    assert list(SampleColumns.of([])) == []


def test_checked_samples_and_images_come_back_from_their_columns() -> None:
    digests = [blake2b(bytes([number % 4]), digest_size=16).digest() for number in range(len(SAMPLES))]
    checked = [
        CheckedSample(sample, (300 + number, 20), digest, number % 2 == 0)
        for number, (sample, digest) in enumerate(zip(SAMPLES, digests, strict=True))
    ]
    columns = CheckedSamples.of(iter(checked))
    assert list(columns) == checked
    assert list(columns[::-2]) == checked[::-2]
    assert columns == CheckedSamples.of(checked) != CheckedSamples.of(checked[1:])
    assert list(columns.digests) == list(columns.digests[:]) == digests
    assert columns.digests.groups() == [[0, 4], [1, 5], [2, 6]]
    first, number = Digests.of(digests).different()
    assert [digests[index] for index in first] == sorted(set(digests))
    assert [sorted(set(digests))[each] for each in number] == digests
    encoded = ImageColumns.encoded(columns, Alphabet(("q", "z", "yy", "x")))
    assert [each.codes for each in encoded] == [(4, 3), (), (3, 3, 3), (2,), (4,), (4,), (1,)]
    images = [LabelledImage(each.sample, each.codes, each.size) for each in encoded]
    assert list(ImageColumns.of(images)) == images
    assert ImageColumns.of(images) == encoded
    assert list(encoded[2:]) == images[2:]


def test_columns_of_integers() -> None:
    for values in ([0, 255], [-1, 7], [0, 2**40], [-(2**31), 2**31]):
        assert compact(np.array(values)).tolist() == values
    assert compact(np.array([0, 255])).dtype == np.uint8
    ragged = Ragged.of_lengths(np.array([5, 6, 7, 300]), np.array([2, 0, 1, 1]))
    assert [ragged.row(index) for index in range(4)] == [[5, 6], [], [7], [300]]
    assert [ragged.take(np.array([3, 0, 1])).row(index) for index in range(3)] == [[300], [5, 6], []]
    assert equal_groups(np.array([1, 2, 1, 2, 3]), np.array([0, 0, 0, 1, 0])) == [[0, 2]]
    assert equal_groups(np.array([])) == []


def test_the_index_of_a_pack_with_any_keys(tmp_path: Path) -> None:
    rec = tmp_path / "set.rec"
    index = rec.with_suffix(".idx")
    index.write_text("0\t0\n1\t40\n2\t88\n")
    found = read_index(rec)
    assert (found.keys, list(found.items()), found.offset_of(2)) == (None, [(0, 0), (1, 40), (2, 88)], 88)
    index.write_text("\ufeff70\t0\r\n-4\t40\n9\t88\n70\t96")
    found = read_index(rec)
    assert list(found.items()) == [(70, 96), (-4, 40), (9, 88)]
    assert [found.offset_of(key) for key in (-4, 9, 70)] == [40, 88, 96]
    for key in (-5, 0, 8, 71):
        with pytest.raises(ValueError, match=f"no record {key} in this pack"):
            found.offset_of(key)
    index.write_text(f"0\t{2**63}\n")
    with pytest.raises(ValueError, match="line 1: expected KEY, a tab and OFFSET"):
        read_index(rec)
