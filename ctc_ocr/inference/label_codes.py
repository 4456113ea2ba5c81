"""The codes of a label in the alphabet of a model that may not know all of its units."""

from collections.abc import Sequence

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.decoding.likelihood import ANYTHING


def label_codes(units: Sequence[str], alphabet: Alphabet) -> list[int] | None:
    """The codes of a label, of letters in the other case if need be, and ANYTHING for units that the model does not
    know, such as the dash of a plate: it reads nothing there, or other units. None if these are more than half."""
    known = set(alphabet.units)
    codes = list[int]()
    for unit in units:
        form = unit if unit in known else unit.swapcase()
        if form in known:
            codes.append(alphabet.encode([form])[0])
        elif codes[-1:] != [ANYTHING]:
            codes.append(ANYTHING)
    found = num_known(codes)
    return codes if found and 2 * found >= len(units) else None


def num_known(codes: Sequence[int]) -> int:
    """Those that the model knows."""
    return len(codes) - codes.count(ANYTHING)
