"""What decoders give."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Hypothesis:
    """A candidate text of one image.

    `codes` have no blanks. `log_probability` is log p(codes | image) over all alignments. Hypotheses are ordered by
    `score`: the log probability, plus what the language model and the length bonus add.
    """

    codes: list[int]
    log_probability: float
    score: float
