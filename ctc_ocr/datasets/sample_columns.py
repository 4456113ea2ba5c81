"""Many samples in little memory: a set of millions is held by the process that trains and by each image process."""

import os
from array import array
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import overload

import numpy as np

from ctc_ocr.datasets.columns import Array, Ragged, compact, equal_groups
from ctc_ocr.datasets.samples import Sample, place_of_record

NO_PACK = -1


class SampleColumns(Sequence[Sample]):
    """Samples, each of which is made when it is asked for: about 15 bytes for a record of a pack with a short label.

    Others, image files and samples of a user's class, are kept as they are. `units` are the different units of the
    labels, and `labels` their numbers among these.
    """

    def __init__(
        self, units: Sequence[str], labels: Ragged, packs: Sequence[str], pack: Array, key: Array, others: list[Sample]
    ) -> None:
        """packs: the paths of the packs. pack: of each sample, the number of its pack, or NO_PACK, (N,). key: of each,
        the key of its record, or its place in `others`, (N,)."""
        self.units, self.labels = tuple(units), labels
        self._packs, self._pack, self._key, self._others = tuple(packs), compact(pack), compact(key), others

    @classmethod
    def of(cls, samples: Iterable[Sample]) -> "SampleColumns":
        if isinstance(samples, SampleColumns):
            return samples
        collector = SampleCollector()
        for sample in samples:
            collector.add(sample)
        return collector.columns()

    def __len__(self) -> int:
        return len(self._pack)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> "SampleColumns": ...
    def __getitem__(self, index: int | slice) -> "Sample | SampleColumns":
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        index = range(len(self))[index]  # IndexError, as of a list
        pack, key = int(self._pack[index]), int(self._key[index])
        if pack == NO_PACK:
            return self._others[key]
        rec = self._packs[pack]
        return Sample(rec, self.units_of(index), place_of_record(rec, key), key)

    def units_of(self, index: int) -> tuple[str, ...]:
        """The label of a sample, unit by unit."""
        return tuple(map(self.units.__getitem__, self.labels.row(index)))

    def take(self, indices: Iterable[int]) -> "SampleColumns":
        """Some of the samples."""
        chosen = np.fromiter(indices, np.intp)
        pack, key = self._pack[chosen], self._key[chosen].astype(np.int64)
        is_other = pack == NO_PACK
        others = [self._others[place] for place in key[is_other]]
        key[is_other] = np.arange(len(others))
        return SampleColumns(self.units, self.labels.take(chosen), self._packs, pack, key, others)

    def frequencies(self) -> Counter[str]:
        """How often each unit occurs, in the order in which they occur first."""
        values, first, counts = np.unique(self.labels.values, return_index=True, return_counts=True)
        order = np.argsort(first)
        return Counter({self.units[values[each]]: int(counts[each]) for each in order})

    def same_images(self, indices: Iterable[int]) -> list[list[int]]:
        """Groups of two or more of these indices whose samples are the same file or record."""
        chosen = np.fromiter(indices, np.intp)
        is_record = self._pack[chosen] != NO_PACK
        records, groups = chosen[is_record], dict[Hashable, list[int]]()
        for index in chosen[~is_record].tolist():
            if (identity := self[index].identity) is not None:
                groups.setdefault(identity, []).append(index)
        found = [group for group in groups.values() if len(group) > 1]
        # The same pack may have been named in several ways.
        places = [os.path.normpath(Path(rec).absolute()) for rec in self._packs]
        numbers = np.array([places.index(place) for place in places], np.int64)
        same = equal_groups(self._key[records], numbers[self._pack[records]]) if len(records) else []
        return sorted([*found, *(records[group].tolist() for group in same)])


class SampleCollector:
    """Samples that are put into columns one by one."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}  # of the units
        self._packs: dict[str, int] = {}
        self._labels, self._lengths = array("i"), array("i")
        self._pack, self._key = array("i"), array("q")
        self._others: list[Sample] = []

    def __len__(self) -> int:
        return len(self._pack)

    def add(self, sample: Sample) -> None:
        numbers = self._numbers
        self._labels.extend([numbers.setdefault(unit, len(numbers)) for unit in sample.units])
        self._lengths.append(len(sample.units))
        key = sample.record
        if type(sample) is Sample and key is not None and sample.where == place_of_record(sample.image, key):
            self._pack.append(self._packs.setdefault(sample.image, len(self._packs)))
            self._key.append(key)
        else:
            self._pack.append(NO_PACK)
            self._key.append(len(self._others))
            self._others.append(sample)

    def columns(self) -> SampleColumns:
        labels = Ragged.of_lengths(np.array(self._labels), np.array(self._lengths))
        return SampleColumns(
            tuple(self._numbers), labels, tuple(self._packs), np.array(self._pack), np.array(self._key), self._others
        )
