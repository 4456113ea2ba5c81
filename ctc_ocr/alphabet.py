"""The alphabet: units of text and their codes. Code 0 is the CTC blank and the padding of labels."""

import itertools
import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ctc_ocr.errors import InputError
from ctc_ocr.runtime.atomic_files import replacing

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
        repeated = sorted(unit for unit, count in Counter(self.units).items() if count > 1)
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

    @classmethod
    def from_labels(cls, labels: Iterable[Sequence[str]], min_count: int = 1) -> "Alphabet":
        """The units of labels (each unit by unit) that occur at least `min_count` times, in the order of Unicode."""
        frequencies = Counter(itertools.chain.from_iterable(labels))
        return cls(tuple(sorted(unit for unit, count in frequencies.items() if count >= min_count)))

    def normalised(self, form: str) -> "Alphabet":
        """Its units in a normal form of Unicode ("": as they are). A character of which the form makes several gives
        as many units."""
        if not form:
            return self
        pieces = (unicodedata.normalize(form, unit) for unit in self.units)  # type: ignore[arg-type]
        apart = (piece if len(unit) == 1 else (piece,) for unit, piece in zip(self.units, pieces, strict=True))
        return Alphabet(tuple(dict.fromkeys(itertools.chain.from_iterable(apart))))

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


def read_lookups(paths: Iterable[str | Path]) -> Alphabet:
    """The alphabet of JSON files of the form {unit: code}: units of the first by their codes, then what others add.

    Only the order of the codes counts; the alphabet's own start at 1. Raises InputError that names the file for one
    that cannot be read, has another form, or gives two units the same code.
    """
    units: dict[str, None] = {}
    for path in paths:
        units |= dict.fromkeys(_read_lookup(Path(path)))
    return Alphabet(tuple(units))


def _read_lookup(path: Path) -> list[str]:
    try:
        lookup = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON: {error}") from None
    if not isinstance(lookup, dict) or not all(type(code) is int for code in lookup.values()) or "" in lookup:
        raise InputError(f"{path}: expected {{unit: code}}, units that are not empty with whole numbers")
    units = sorted(lookup, key=lambda unit: lookup[unit])
    for first, second in itertools.pairwise(units):
        if lookup[first] == lookup[second]:
            raise InputError(f"{path}: {first!r} and {second!r} have the same code, {lookup[first]}")
    return units


def write_lookup(path: str | Path, alphabet: Alphabet) -> None:
    """Write {unit: code} as JSON, to be read again by read_lookups. Raises RunError where that cannot be done."""
    with replacing(Path(path)) as temporary:
        temporary.write_text(json.dumps(alphabet.lookup, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
