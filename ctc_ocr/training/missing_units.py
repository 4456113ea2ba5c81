"""Units that few labels happen to lack, and that a model to start from knows."""

import string
from collections import Counter
from collections.abc import Sequence

KINDS = tuple(map(frozenset, (string.digits, string.ascii_uppercase, string.ascii_lowercase)))
KIND_IS_USED = 0.5  # so many units of a kind must occur, as a fraction
UNSEEN = 0.005  # probability that the next unit of another label is a new one, from which on it is worth while


def likely_missing(frequencies: Counter[str], known: Sequence[str]) -> tuple[str, ...]:
    """The `known` units that may occur in other images, although no label has them.

    frequencies: how often each unit occurs in the labels. The probability that the next unit is a new one is about the
    fraction of units that occurred once (Good, "The population frequencies of species and the estimation of population
    parameters", 1953): labels that leave some characters out on purpose have the others more than once. If it is
    enough, these are all digits, capital or small letters that are missing in a kind of which most occur.
    """
    once = sum(count == 1 for count in frequencies.values())
    if once <= UNSEEN * sum(frequencies.values()):
        return ()
    used = [kind for kind in KINDS if len(kind & frequencies.keys()) >= KIND_IS_USED * len(kind)]
    return tuple(unit for unit in known if unit not in frequencies and any(unit in kind for kind in used))
