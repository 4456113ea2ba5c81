"""How well single characters are classified: what accuracy alone does not say where some are far more frequent."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ctc_ocr.evaluation.result import Accuracy

TOP = 5


@dataclass(frozen=True)
class ClassFigures:
    """Figures of samples whose labels are all one unit.

    classes: different labels.
    balanced_accuracy: mean over these classes of the fraction of their samples that are correct, 0 to 1.
    top_5: samples whose label is among the five most probable units. Units with a probability below 0.001 are not
        looked at: a label among them counts as missed.
    majority: what would be correct if every sample were read as the most frequent label, `majority_label`.
    """

    classes: int
    balanced_accuracy: float
    top_5: Accuracy
    majority: Accuracy
    majority_label: str


class ClassTally:
    """Counts samples by class, in memory that grows with the number of classes only."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()
        self._correct: Counter[str] = Counter()
        self._in_top = 0
        self._all_single = True

    def add(self, labels: Sequence[Sequence[str]], ranked: Sequence[Sequence[str]]) -> None:
        """N more labels as units, and what each sample was read as: units, most probable first, () for nothing."""
        for label, units in zip(labels, ranked, strict=True):
            if len(label) != 1:
                self._all_single = False
                continue
            (unit,) = label
            self._seen[unit] += 1
            self._correct[unit] += units[:1] == (unit,)
            self._in_top += unit in units[:TOP]

    def figures(self) -> ClassFigures | None:
        """None without samples, or if a label was not one unit."""
        if not self._all_single or not self._seen:
            return None
        (majority_label, majority), total = self._seen.most_common(1)[0], self._seen.total()
        recalls = [self._correct[unit] / count for unit, count in self._seen.items()]
        return ClassFigures(
            classes=len(self._seen),
            balanced_accuracy=sum(recalls) / len(recalls),
            top_5=Accuracy(total, self._in_top),
            majority=Accuracy(total, majority),
            majority_label=majority_label,
        )
