"""What decoders give."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Hypothesis:
    """A candidate text of one image.

    `codes` have no blanks. `log_probability` is log p(codes | image) over all alignments. Hypotheses are ordered by
    `score`: the log probability, plus what the language model and the length bonus add. `unit_probabilities` has the
    probability of each of the codes at its place in the image, see `alignment`; None if it was not computed.
    """

    codes: list[int]
    log_probability: float
    score: float
    unit_probabilities: tuple[float, ...] | None = None
