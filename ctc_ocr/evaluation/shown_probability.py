"""A probability as text: different ones look different, also where nearly all are near 0 or near 1."""

import math

MAX_DECIMALS = 15  # of a number near 1: a float64 has no more


def shown_probability(value: float, digits: int = 6) -> str:
    """So many significant digits of a probability (0 to 1) below one half, or of what is missing to 1 above: 0.500000,
    0.9999982341, 3.20451e-19. "nan" for NaN."""
    distance = min(value, 1 - value)
    if not distance > 0:
        return f"{value:.{digits}f}"
    if value < 1e-4:
        return f"{value:.{digits - 1}e}"
    decimals = min(digits - 1 - math.floor(math.log10(distance)), MAX_DECIMALS)
    return f"{value:.{decimals}f}"
