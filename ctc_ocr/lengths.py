"""The lengths that texts are expected to have: a captcha of five characters has five, whatever its lines look like."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ctc_ocr.errors import InputError, check_kind

MAX_LENGTH = 999_999
RARE = 0.01  # of the labels: so many of the shortest and of the longest may be wrong ones
NEVER = 1e-300  # probability of a length that the user excludes
_RANGE = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?", re.ASCII)


@dataclass(frozen=True)
class Lengths:
    """A prior for the number of units of a text: from `shortest` to `longest`, with the probability `outside` another
    one. Which of those that lie inside is left to the network."""

    shortest: int
    longest: int
    outside: float

    def __post_init__(self) -> None:
        """Raises InputError for values out of range."""
        if not 0 <= self.shortest <= self.longest <= MAX_LENGTH:
            raise InputError(
                f"expected 0 <= shortest <= longest <= {MAX_LENGTH}, got {self.shortest} and {self.longest}", "lengths"
            )
        if not 0 < self.outside <= 1:
            raise InputError(f"expected a probability above 0, at most 1; got {self.outside}", "lengths")

    @classmethod
    def of_labels(cls, lengths: Sequence[int]) -> "Lengths":
        """From the lengths of labels, at least one. `outside` is estimated by Laplace's rule of succession, so that few
        labels exclude little."""
        ordered = sorted(lengths)
        rare = int(RARE * len(ordered))
        shortest, longest = ordered[rare], ordered[len(ordered) - 1 - rare]
        others = sum(not shortest <= each <= longest for each in ordered)
        return cls(shortest, longest, (others + 1) / (len(ordered) + 2))

    @classmethod
    def from_values(cls, values: object) -> "Lengths | None":
        """From what asdict makes of it; None from None. Raises InputError for anything else."""
        if values is None:
            return None
        names = ("shortest", "longest", "outside")
        if not isinstance(values, dict) or set(values) != set(names):
            raise InputError(f"expected an object with {', '.join(names)}", "lengths")
        shortest, longest, outside = (values[name] for name in names)
        if type(shortest) is not int or type(longest) is not int or type(outside) not in (int, float):
            raise InputError("expected two integers and a probability", "lengths")
        if not 0 <= outside <= 1:  # also numbers too large for a float
            raise InputError("expected a probability from 0 to 1", "lengths")
        return cls(shortest, longest, float(outside))

    @classmethod
    def parse(cls, text: str) -> "Lengths":
        """From "5", "4-6" or "any". Raises InputError for anything else."""
        check_kind("a text", text=text)
        if text == "any":
            return cls(0, 0, 1.0)
        found = _RANGE.fullmatch(text)
        shortest, longest = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if shortest > longest or longest == 0:
            raise InputError(f"expected a length such as 5, a range such as 4-6, or any; got {text!r}", "lengths")
        return cls(shortest, longest, NEVER)

    def log_prior(self, length: int) -> float:
        """What is added to log p(text | image): 0 for a length inside."""
        return 0.0 if self.shortest <= length <= self.longest else math.log(self.outside)
