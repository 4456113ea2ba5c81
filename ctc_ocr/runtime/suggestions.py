"""What was probably meant by a name that does not exist."""

import difflib
from collections.abc import Iterable

CUTOFF = 0.75  # similarity by difflib, 0 to 1, above which a name is suggested


def like(given: str, names: Iterable[str], cutoff: float = CUTOFF) -> str:
    """The name that is most similar to what was given, whatever its case; "" if none is near."""
    by_lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(given.lower(), by_lower, n=1, cutoff=cutoff)
    return by_lower[near[0]] if near else ""


def did_you_mean(name: str) -> str:
    """The end of an error; "" for no name."""
    return f"; did you mean {name}?" if name else ""
