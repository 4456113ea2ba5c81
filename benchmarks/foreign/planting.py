"""Wrong labels as people write them: one character changed or missing, or the labels of two images swapped."""

from collections.abc import Sequence

import numpy as np


def plant(labels: Sequence[str], count: int, seed: int) -> tuple[list[str], list[int]]:
    """The labels with `count` wrong ones among them, and the indices of those, sorted.

    About a third is of each kind. Changed characters are among those of all labels. Two labels are swapped only if they
    differ, and a character is taken only from a label that has two or more.
    """
    generator = np.random.default_rng(seed)
    wrong, characters = list(labels), sorted(set("".join(labels)))
    order = [int(index) for index in generator.permutation(len(labels))]
    chosen: list[int] = []
    while len(chosen) + 2 <= 2 * (count // 6):
        first = order.pop()
        second = next(index for index in reversed(order) if labels[index] != labels[first])
        order.remove(second)
        wrong[first], wrong[second] = labels[second], labels[first]
        chosen += [first, second]
    while len(chosen) < count:
        index = order.pop()
        label, place = labels[index], int(generator.integers(len(labels[index])))
        if len(chosen) % 2 and len(label) > 1:
            wrong[index] = label[:place] + label[place + 1 :]
        else:
            others = [each for each in characters if each != label[place]]
            wrong[index] = label[:place] + str(generator.choice(others)) + label[place + 1 :]
        chosen.append(index)
    return wrong, sorted(chosen)
