"""Whether texts from the names of files count up, as those that a counter gave."""

import re
from collections import Counter
from collections.abc import Sequence

NUMBERED = re.compile(r"(.*?)([0-9]+)", re.DOTALL)
MIN_RUNNING = 0.9  # fraction of texts in a run of numbers, and of numbers in the run that are there
MIN_RUN = 3


def is_running(texts: Sequence[str], any_width: bool = False) -> bool:
    """Whether nearly all texts are one text and a number, and the numbers are nearly all of n, n + 1, n + 2, ...

    The numbers have one width, or, with `any_width`, no leading zeros. Numbers that are labels, as of captchas, repeat
    or leave larger gaps.
    """
    matches = [match for match in map(NUMBERED.fullmatch, texts) if match]
    if len(matches) < MIN_RUN:
        return False
    head = Counter(match[1] for match in matches).most_common(1)[0][0]
    digits = [match[2] for match in matches if match[1] == head]
    numbers = {int(each) for each in digits if len(each) <= 18}
    if len(numbers) < max(MIN_RUN, MIN_RUNNING * len(texts)) or len(numbers) < len(digits):
        return False
    one_width = len(set(map(len, digits))) == 1
    no_zeros = not any(each[0] == "0" and len(each) > 1 for each in digits)
    return (one_width or (any_width and no_zeros)) and len(numbers) >= MIN_RUNNING * (max(numbers) - min(numbers) + 1)
