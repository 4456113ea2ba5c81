"""The digests of many images, 16 bytes each."""

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.datasets.columns import equal_groups
from ctc_ocr.images.digest import DIGEST_BYTES


class Digests(Sequence[bytes]):
    """Digests (`ctc_ocr.images.digest`) in one array, `words` (N, 2): two big-endian numbers of 64 bits for each."""

    def __init__(self, content: bytes | bytearray) -> None:
        """From the digests one after the other."""
        self.words = np.frombuffer(bytes(content), ">u8").reshape(-1, DIGEST_BYTES // 8)

    @classmethod
    def of(cls, digests: Sequence[bytes]) -> "Digests":
        return digests if isinstance(digests, Digests) else cls(b"".join(digests))

    def __len__(self) -> int:
        return len(self.words)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> "Digests": ...
    def __getitem__(self, index: int | slice) -> "bytes | Digests":
        chosen = self.words[index].tobytes()
        return Digests(chosen) if isinstance(index, slice) else chosen

    def __iter__(self) -> Iterator[bytes]:
        content = self.words.tobytes()
        return (content[start : start + DIGEST_BYTES] for start in range(0, len(content), DIGEST_BYTES))

    def take(self, indices: NDArray[np.intp]) -> "Digests":
        """Some of the digests."""
        return Digests(self.words[indices].tobytes())

    def different(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The index of the first of each different digest, in the order of the digests; and for each image, which of
        these its digest is, (N,)."""
        order = np.lexsort((self.words[:, 1], self.words[:, 0]))
        ordered = self.words[order]
        is_new = np.ones(len(order), bool)
        is_new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
        number = np.empty(len(order), np.intp)
        number[order] = np.cumsum(is_new) - 1
        return order[is_new], number

    def groups(self) -> list[list[int]]:
        """Indices of equal digests, a list for each that occurs more than once."""
        return equal_groups(self.words[:, 1], self.words[:, 0])
