"""Names of two parts, either of which could be the label."""

import re
from collections.abc import Sequence

from ctc_ocr.datasets.sources.running_numbers import is_running

AFTER_NUMBER = r"^[0-9]+[-_ ]+(?P<label>.+)$"
AFTER_UNDERSCORE = r"_(?P<label>[^_]*)$"
DIGEST = re.compile(r"[0-9a-f]{8,}", re.IGNORECASE)
MIN_DIFFERENT = 0.5  # fraction of different second parts; labels differ, while parts of a data set are few
MIN_OF_TWO = 0.9  # fraction of names that have two parts


def begin_with_counter(stems: Sequence[str]) -> bool:
    """Whether the names count up, and something else follows: `0_ab`, `1_cd`, ..., `10_ef`."""
    first, second = _parts(stems, r"([0-9]+)[-_ ]+(.+)")
    return is_running(first, any_width=True) and len(set(second)) > 1 and not is_running(second, any_width=True)


def are_ambiguous(stems: Sequence[str]) -> bool:
    """Whether what follows the last underscore could be the label as well: it differs, and is neither a digest nor, by
    all appearances, a number of the image."""
    first, second = _parts(stems, r"(.+)_([^_]+)")
    if len(set(second)) <= max(1, MIN_DIFFERENT * len(second)) or all(map(DIGEST.fullmatch, second)):
        return False
    if is_running(second, any_width=True) or first == second:
        return False
    return not all(map(str.isdecimal, second)) or all(map(str.isdecimal, first))


def _parts(stems: Sequence[str], pattern: str) -> tuple[list[str], list[str]]:
    """The first and the second parts of the names that have two; none if other names are more than a few."""
    found = [match for match in (re.fullmatch(pattern, stem, re.DOTALL) for stem in stems) if match]
    if len(found) < MIN_OF_TWO * len(stems):
        return [], []
    return [match[1] for match in found], [match[2] for match in found]
