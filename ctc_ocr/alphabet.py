"""The alphabet: units of text and their codes; and the rules of CTC for labels, each in one place.

Code 0 is the blank (Graves et al., 2006), and the padding of labels.
"""

import itertools
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.errors import InputError, check_kind, list_of
from ctc_ocr.runtime.atomic_files import replacing
from ctc_ocr.runtime.text_files import read_json

BLANK = 0
UNICODE_FORMS = ("NFC", "NFD", "NFKC", "NFKD")
MAX_UNITS = 200_000  # more than Unicode has characters in use
MAX_CHARACTERS = 1_000_000  # of all units
MAX_SHOWN = 30  # characters of a text in an error


@dataclass(frozen=True)
class Alphabet:
    """Distinct units of text, in the order of their codes: unit i has code i + 1.

    A unit is a character or a longer string; the empty string is none. Bad units raise InputError.
    """

    units: tuple[str, ...]

    def __post_init__(self) -> None:
        if isinstance(self.units, str):
            text = self.units[:MAX_SHOWN]
            raise InputError(f"expected the units as a tuple: Alphabet(tuple({text!r})) has those of a text")
        if not isinstance(self.units, Iterable) or not all(isinstance(unit, str) for unit in self.units):
            raise InputError("expected a tuple of texts, which are the units")
        object.__setattr__(self, "units", tuple(self.units))
        if not self.units:
            raise InputError("the alphabet is empty")
        if len(self.units) > MAX_UNITS or sum(map(len, self.units)) > MAX_CHARACTERS:
            raise InputError(f"an alphabet has at most {MAX_UNITS:,} units, of {MAX_CHARACTERS:,} characters in all")
        if not is_text("".join(self.units)):
            broken = next((unit for unit in self.units if not is_text(unit)), "")
            raise InputError(f"the unit {broken!r} is not valid Unicode: it has half of a surrogate pair")
        repeated = sorted(unit for unit, count in Counter(self.units).items() if count > 1)
        if repeated or "" in self.units:
            raise InputError(
                f"units of an alphabet must be distinct and not empty; repeated or empty: {repeated or ['']}"
            )

    @classmethod
    def from_lookup(cls, lookup: Mapping[str, int]) -> "Alphabet":
        """The alphabet of a lookup table {unit: code}; the codes must be 1..n, each once (else InputError)."""
        check_kind(Mapping, lookup=lookup)
        by_code = sorted(lookup.items(), key=lambda item: item[1])
        if [code for _, code in by_code] != list(range(1, len(by_code) + 1)):
            raise InputError(f"the codes of an alphabet must be 1 to {len(by_code)}, each once; 0 is the blank")
        return cls(tuple(unit for unit, _ in by_code))

    @classmethod
    def from_labels(cls, labels: Iterable[Sequence[str]], min_count: int = 1) -> "Alphabet":
        """The units of labels (each unit by unit) that occur at least `min_count` times, in the order of Unicode."""
        check_kind("a list", labels=labels)
        check_kind("an integer", min_count=min_count)
        frequencies = Counter(itertools.chain.from_iterable(labels))
        return cls(tuple(sorted(unit for unit, count in frequencies.items() if count >= min_count)))

    def with_unicode_form(self, form: str) -> "Alphabet":
        """The units in a Unicode form such as "NFC" ("": unchanged). A character that the form splits into several
        becomes as many units."""
        if not form:
            return self
        check_unicode_form(form, "form")
        pieces = (unicodedata.normalize(form, unit) for unit in self.units)  # type: ignore[arg-type]
        split = (piece if len(unit) == 1 else (piece,) for unit, piece in zip(self.units, pieces, strict=True))
        return Alphabet(tuple(dict.fromkeys(itertools.chain.from_iterable(split))))

    def without_accents(self) -> "Alphabet":
        """The units without their accents; of units that become alike, the first stays. Those that were nothing but
        an accent are left out."""
        stripped = dict.fromkeys(map(without_accents, self.units))
        return Alphabet(tuple(unit for unit in stripped if unit))

    def extended(self, units: Iterable[str]) -> "Alphabet":
        """This alphabet, whose codes stay, with further units in the order of Unicode; those it has are skipped."""
        return Alphabet((*self.units, *sorted(set(list_of(str, units, "units")) - set(self.units))))

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
        check_kind("a list", units=units)
        units = list(units)
        unknown = sorted({unit for unit in units if unit not in self._codes}, key=str)
        if unknown:
            raise InputError(f"not in the alphabet: {', '.join(map(repr, unknown))}")
        return [self._codes[unit] for unit in units]

    def decode(self, codes: Sequence[int]) -> str:
        """The text of codes that hold no blank (as decoding gives them). Raises InputError for others."""
        unknown = [code for code in codes if not 1 <= code <= len(self.units)]
        if unknown:
            raise InputError(f"expected codes from 1 to {len(self.units)}, got {unknown[0]}", "codes")
        return "".join(self.units[code - 1] for code in codes)


def check_unicode_form(form: str, where: str) -> None:
    """Raises InputError for what is none of UNICODE_FORMS, nor ""."""
    if form not in ("", *UNICODE_FORMS):
        forms = ", ".join(UNICODE_FORMS)
        raise InputError(f"expected {forms} or nothing, got {form!r}", where)


def is_text(text: str) -> bool:
    """Whether a text has no lone surrogates: such as stand for bytes that are not UTF-8, or come from escapes in JSON.
    It could not be written to a file."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def without_accents(text: str) -> str:
    """The text decomposed (NFD), without combining marks, and composed again (NFC). "\u00e9" becomes "e"; letters such
    as "\u00f8", which have no decomposition, stay."""
    decomposed = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(each for each in decomposed if not unicodedata.combining(each)))


def collapse(path: NDArray[Any]) -> list[list[int]]:
    """(T, N) classes, of any integral or float dtype -> N lists of codes: repeats merged, then blanks removed."""
    path = np.asarray(path).astype(np.int64, copy=False).T
    kept = path != BLANK
    kept[:, 1:] &= path[:, 1:] != path[:, :-1]
    bounds = [0, *np.cumsum(kept.sum(axis=1)).tolist()]
    codes = path[kept].tolist()
    return [codes[start:end] for start, end in itertools.pairwise(bounds)]


def required_steps(label: Sequence[object]) -> int:
    """Minimum number of time steps into which a label fits: one per unit, and a blank between two equal neighbours."""
    return len(label) + sum(first == second for first, second in itertools.pairwise(label))


def required_steps_of_batch(labels: NDArray[np.int32], lengths: NDArray[np.int32]) -> NDArray[np.int64]:
    """required_steps (N,) of N labels of these lengths (N,), concatenated without padding (sum of lengths,)."""
    sample = np.repeat(np.arange(len(lengths)), lengths)
    repeated = (labels[1:] == labels[:-1]) & (sample[1:] == sample[:-1])
    return np.asarray(lengths + np.bincount(sample[1:][repeated], minlength=len(lengths)))


def pad_labels(labels: Sequence[Sequence[int]], out: NDArray[Any]) -> None:
    """Write labels into the first rows of `out` (N, L), padded with the blank's code; rows beyond them are padding."""
    out[:] = BLANK
    for row, codes in zip(out[: len(labels)], labels, strict=True):
        row[: len(codes)] = codes


def unpad_labels(labels: NDArray[Any]) -> list[list[int]]:
    """Rows of padded labels (N, L) as lists of codes."""
    rows = labels.astype(np.int64)
    return [row[:length].tolist() for row, length in zip(rows, (rows != BLANK).sum(axis=1), strict=True)]


class UnitSplitter:
    """Splits plain text into units of an alphabet; of those that match, the longest is taken."""

    def __init__(self, alphabet: Alphabet) -> None:
        longest_first = sorted(alphabet.units, key=len, reverse=True)
        self._unit = re.compile("|".join(map(re.escape, longest_first)), re.DOTALL)
        self._piece = re.compile(f"{self._unit.pattern}|.", re.DOTALL)
        self._run = re.compile(f"(?:{self._unit.pattern})+", re.DOTALL)

    def runs(self, text: str) -> Iterator[list[str]]:
        """The units of each stretch of the text that consists of units only."""
        return (self._unit.findall(run) for run in self._run.findall(text))

    def pieces(self, text: str) -> list[str]:
        """The units of a text, and each character of it that is in none."""
        return self._piece.findall(text)

    def units(self, text: str) -> list[str]:
        """The units of a text; empty if a part of it is no unit."""
        units = self._unit.findall(text)
        return units if sum(map(len, units)) == len(text) else []


def read_lookups(paths: Iterable[str | Path]) -> Alphabet:
    """The alphabet of lookup files {unit: code}, the units of the first file by their codes, then new ones.

    Only the order of the codes counts; the alphabet's own start at 1. Raises InputError that names the file if it
    cannot be read, is something else, or gives two units the same code.
    """
    units: dict[str, None] = {}
    for path in paths:
        units |= dict.fromkeys(_read_lookup(Path(path)))
    return Alphabet(tuple(units))


def _read_lookup(path: Path) -> list[str]:
    lookup = read_json(path)
    if not isinstance(lookup, dict) or not all(type(code) is int for code in lookup.values()) or "" in lookup:
        raise InputError("expected {unit: code}, with non-empty units and integer codes", path)
    units = sorted(lookup, key=lambda unit: lookup[unit])
    for first, second in itertools.pairwise(units):
        if lookup[first] == lookup[second]:
            raise InputError(f"{first!r} and {second!r} have the same code, {lookup[first]}", path)
    return units


def write_lookup(path: str | Path, alphabet: Alphabet) -> None:
    """Write {unit: code} as JSON, for read_lookups. Raises RunError where that fails."""
    with replacing(Path(path)) as temporary:
        temporary.write_text(json.dumps(alphabet.lookup, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
