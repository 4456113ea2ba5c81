"""What is counted of a model's readings of known truth, in memory that does not grow with their number. No MXNet."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ctc_ocr.alphabet import Alphabet, UnitSplitter
from ctc_ocr.evaluation.calibration import MAX_LOG_ODDS, ReliabilityBins, log_odds, probability
from ctc_ocr.evaluation.metrics import Tally, confusions, exact_matches, has_repeat, wilson_interval

THRESHOLDS = 1000  # of confidence, evenly over the log odds: as close together near 1 as near 0
MOST_FREQUENT = 50

Report = dict[str, Any]


@dataclass
class Share:
    """How many samples there were, and how many of them were read exactly."""

    samples: int = 0
    right: int = 0

    def add(self, is_right: bool) -> None:
        self.samples += 1
        self.right += is_right

    def report(self) -> Report:
        """With accuracy and its 95 % interval; accuracy is None for no samples."""
        accuracy = self.right / self.samples if self.samples else None
        interval = list(wilson_interval(self.right, self.samples))
        return {"samples": self.samples, "right": self.right, "accuracy": accuracy, "interval": interval}


class Coverage:
    """Readings by their confidence: how many stay, and how many of these are right, if unsure ones are refused."""

    def __init__(self) -> None:
        self._counts = np.zeros((2, THRESHOLDS), dtype=np.int64)  # wrong ones, right ones

    def add(self, confidences: ArrayLike, right: ArrayLike) -> None:
        """N more: confidences (N,), and whether each reading was right (N,)."""
        places = (log_odds(confidences) / MAX_LOG_ODDS + 1) / 2 * THRESHOLDS
        columns = np.minimum(places, THRESHOLDS - 1).astype(np.intp)
        np.add.at(self._counts, (np.asarray(right, dtype=np.intp), columns), 1)

    def report(self) -> list[Report]:
        """A row for each threshold that makes a difference, from all readings kept to only the surest ones."""
        kept = self._counts[:, ::-1].cumsum(axis=1)[:, ::-1]  # of a threshold's confidence and above
        total = kept[:, 0].sum()
        rows: list[Report] = []
        for place in np.flatnonzero(self._counts.sum(axis=0)):
            wrong, right = kept[:, place].tolist()
            threshold = float(probability((2 * place / THRESHOLDS - 1) * MAX_LOG_ODDS)) if rows else 0.0
            rows.append(
                {"threshold": threshold, "coverage": (wrong + right) / total, "accuracy": right / (wrong + right)}
            )
        return rows


class Evaluation:
    """Counts of samples that are added in portions; `report` tells them.

    `min_confidence` refuses nothing: the report says what refusing the readings below it would have done.
    """

    def __init__(self, alphabet: Alphabet, min_confidence: float = 0.0) -> None:
        self._alphabet = alphabet
        self._known = frozenset(alphabet.units)
        self._has_long_units = any(len(unit) > 1 for unit in alphabet.units)
        self._split = UnitSplitter(alphabet)
        self._min_confidence = min_confidence
        self._tally, self._answered = Tally(), Tally()
        self._lengths: defaultdict[int, Share] = defaultdict(Share)
        self._repeats, self._outside = Share(), Share()
        self._outside_units: Counter[str] = Counter()
        self._edits: Counter[tuple[Any, Any]] = Counter()
        self._reliability, self._coverage = ReliabilityBins(), Coverage()

    def add(
        self, readings: Sequence[Sequence[int]], confidences: Sequence[float], truths: Sequence[Sequence[str]]
    ) -> None:
        """N more samples: the codes that were read, their confidences from 0 to 1, and the true units.

        Texts are compared, however labels divide them: a plain one has characters where the alphabet has longer units.
        So all are divided into units of the alphabet, the longest that fit. A unit outside the alphabet cannot have
        been read: its sample is wrong.
        """
        texts = [self._divided(self._alphabet.decode(codes)) for codes in readings]
        wanted = [self._divided("".join(truth)) for truth in truths]
        right = exact_matches(texts, wanted)
        self._tally.add(texts, wanted)
        sure = [index for index, each in enumerate(confidences) if each >= self._min_confidence]
        self._answered.add([texts[index] for index in sure], [wanted[index] for index in sure])
        self._reliability.add(confidences, right)
        self._coverage.add(confidences, right)
        for text, truth, is_right in zip(texts, wanted, right.tolist(), strict=True):
            self._add_details(text, truth, is_right)

    def _divided(self, text: str) -> list[str]:
        """In units of the alphabet; a character that is in none of them is a unit of its own."""
        return self._split.pieces(text) if self._has_long_units else list(text)

    def _add_details(self, text: list[str], truth: list[str], is_right: bool) -> None:
        self._lengths[len(truth)].add(is_right)
        if has_repeat(truth):
            self._repeats.add(is_right)
        if not is_right:
            self._edits.update(confusions(text, truth))
            if outside := [unit for unit in truth if unit not in self._known]:
                self._outside.add(False)
                self._outside_units.update(outside)

    def report(self) -> Report:
        """All of it, ready for JSON. Shares are 0 to 1, and None where there was nothing to count."""
        tally, answered = self._tally, self._answered
        kinds = Counter[str]()
        for (truth, read), count in self._edits.items():
            kinds["inserted" if truth is None else "missed" if read is None else "replaced"] += count
        return {
            **Share(tally.count, tally.exact).report(),
            "cer": _number(tally.cer),
            "lcs_ratio": _number(tally.lcs_ratio),
            "units": tally.length,
            "edits": tally.edits,
            **{kind: kinds[kind] for kind in ("replaced", "missed", "inserted")},
            "by_length": [{"length": length, **share.report()} for length, share in sorted(self._lengths.items())],
            "with_repeats": self._repeats.report(),
            "confusions": [
                {"truth": truth, "read": read, "count": count}
                for (truth, read), count in self._edits.most_common(MOST_FREQUENT)
            ],
            "outside_alphabet": {
                "samples": self._outside.samples,
                "units": dict(self._outside_units.most_common(MOST_FREQUENT)),
            },
            "calibration_error": _number(self._reliability.error),
            "coverage": self._coverage.report(),
            "min_confidence": {
                "threshold": self._min_confidence,
                "coverage": answered.count / tally.count if tally.count else None,
                **Share(answered.count, answered.exact).report(),
                "cer": _number(answered.cer),
            },
        }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
