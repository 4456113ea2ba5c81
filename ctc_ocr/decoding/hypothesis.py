"""What decoders give."""

from dataclasses import dataclass

from ctc_ocr.decoding.alignment import AlignedUnit


@dataclass(frozen=True)
class Hypothesis:
    """A candidate text of one image.

    `codes` have no blanks. `log_probability` is log p(codes | image) over all alignments. Hypotheses are ordered by
    `score`: the log probability, plus what the language model, the length bonus and the prior of lengths add. `units`
    says where each of the codes is and how probable it is there; None if that was not computed.
    """

    codes: list[int]
    log_probability: float
    score: float
    units: tuple[AlignedUnit, ...] | None = None
