"""A decoder that says how long it took."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from ctc_ocr.decoding.decoder import BoundDecoder
from ctc_ocr.decoding.hypothesis import Hypothesis
from ctc_ocr.decoding.likelihood import Steps


@dataclass(frozen=True)
class TimedDecoder(BoundDecoder):
    """Decodes as another decoder does. Of one thread."""

    times: list[float] = field(default_factory=list)

    @staticmethod
    def of(decoder: BoundDecoder) -> "TimedDecoder":
        return TimedDecoder(decoder.search, decoder.mask, decoder.lengths, decoder.views)

    @property
    def seconds(self) -> float:
        """Of all calls of `decode_views`."""
        return sum(self.times)

    def decode_views(
        self, views: Sequence[NDArray[Any]], steps: Steps | None = None, with_probability: bool = True
    ) -> list[list[Hypothesis]]:
        """As BoundDecoder.decode_views."""
        start = time.perf_counter()
        found = super().decode_views(views, steps, with_probability)
        self.times.append(time.perf_counter() - start)
        return found
