"""The alphabet: units of text and their codes. Code 0 is the CTC blank and the padding of labels."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ctc_ocr.errors import InputError

BLANK = 0


@dataclass(frozen=True)
class Alphabet:
    """Distinct units of text, in the order of their codes: unit i has code i + 1.

    A unit is a character or a longer string; the empty string is none. Bad units raise InputError.
    """

    units: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.units:
            raise InputError("the alphabet is empty")
        repeated = sorted({unit for unit in self.units if self.units.count(unit) > 1})
        if repeated or "" in self.units:
            raise InputError(
                f"units of an alphabet must be distinct and not empty; repeated or empty: {repeated or ['']}"
            )

    @classmethod
    def from_lookup(cls, lookup: Mapping[str, int]) -> "Alphabet":
        """The alphabet of a lookup table {unit: code}; the codes must be 1..n, each once (else InputError)."""
        by_code = sorted(lookup.items(), key=lambda item: item[1])
        if [code for _, code in by_code] != list(range(1, len(by_code) + 1)):
            raise InputError(f"the codes of an alphabet must be 1 to {len(by_code)}, each once; 0 is the blank")
        return cls(tuple(unit for unit, _ in by_code))

    @property
    def lookup(self) -> dict[str, int]:
        """{unit: code}, the form in which model files carry an alphabet."""
        return {unit: code for code, unit in enumerate(self.units, start=1)}

    @property
    def num_classes(self) -> int:
        """Number of classes of a network that reads this alphabet: the units and the blank."""
        return len(self.units) + 1

    @cached_property
    def _codes(self) -> dict[str, int]:
        return self.lookup

    def encode(self, units: Iterable[str]) -> list[int]:
        """Codes of a text given unit by unit (a plain string is taken character by character).

        Raises InputError that names the units which are not in the alphabet.
        """
        units = list(units)
        unknown = sorted({unit for unit in units if unit not in self._codes})
        if unknown:
            raise InputError(f"not in the alphabet: {', '.join(map(repr, unknown))}")
        return [self._codes[unit] for unit in units]

    def decode(self, codes: Sequence[int]) -> str:
        """The text of codes that hold no blank (as greedy or beam decoding gives them)."""
        return "".join(self.units[code - 1] for code in codes)
