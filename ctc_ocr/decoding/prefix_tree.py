"""The tree of prefixes that the beam search keeps for one image."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import BLANK

ROOT = 0  # the empty prefix
NONE = -1  # no node, no edge, not in the beam


class PrefixTree(NamedTuple):
    """Prefixes as parallel arrays, the form that compiled code works on: entry i belongs to node i."""

    fusion_scores: NDArray[np.float64]  # what the language model and the length bonus add to the score
    codes: NDArray[np.int64]  # last unit; BLANK for the root
    lengths: NDArray[np.int64]  # units of the prefix
    parents: NDArray[np.int64]
    first_children: NDArray[np.int64]
    next_siblings: NDArray[np.int64]
    positions: NDArray[np.int64]  # in the beam
    ngram_states: NDArray[np.int64]
    word_states: NDArray[np.int64]

    @classmethod
    def with_root(cls, capacity: int, ngram_state: int) -> "PrefixTree":
        """The root, and room for `capacity` nodes with it. `ngram_state` is the language model's before any unit."""
        integers = (np.empty(capacity, np.int64) for _ in range(8))
        tree = cls(np.empty(capacity), *integers)
        for links in (tree.parents, tree.first_children, tree.next_siblings, tree.positions):
            links[ROOT] = NONE
        tree.codes[ROOT], tree.lengths[ROOT], tree.fusion_scores[ROOT] = BLANK, 0, 0.0
        tree.ngram_states[ROOT], tree.word_states[ROOT] = ngram_state, 0
        return tree

    def prefix(self, node: int) -> NDArray[np.int64]:
        """The codes from the root to a node."""
        prefix = np.empty(self.lengths[node], np.int64)
        for index in range(len(prefix) - 1, -1, -1):
            prefix[index] = self.codes[node]
            node = self.parents[node]
        return prefix
