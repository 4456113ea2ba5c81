"""The compiled part of the prefix beam search: one image at a time, in log probabilities.

Only `beam_search` and `language_model` use it, and import it when they need it: it imports numba. All functions are in
one file, as numba's cache on disk requires (see runtime/compiled.py). Language model and words are arguments of their
own: of a named tuple within another, numba counts the references to all arrays at each use, which takes a third longer.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs

import heapq
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import BLANK
from ctc_ocr.decoding.prefix_tree import NONE, ROOT
from ctc_ocr.runtime.compiled import compiled

LOG_ZERO = -np.inf
NEGLIGIBLE = 37.0  # exp(-37) is less than half the distance between 1 and the next float64


class Beam(NamedTuple):
    """The prefixes kept after a time step, best score first, as parallel arrays (K,).

    Each has the log probability of all its alignments up to this step, and those of two parts of them: the alignments
    that end in a blank, and those that end in the prefix's last unit.
    """

    nodes: NDArray[np.int64]
    log_probs: NDArray[np.float64]
    blank_log_probs: NDArray[np.float64]
    unit_log_probs: NDArray[np.float64]


@compiled
def log_add(a, b):
    """log(exp(a) + exp(b)), for -inf too."""
    if a < b:
        a, b = b, a
    return a if b == LOG_ZERO or a - b > NEGLIGIBLE else a + np.log1p(np.exp(b - a))


@compiled
def find_edge(table, state, code):
    """Index of the edge of a state of an NgramTable or a WordTable for a code, or NONE. Edges are sorted by code."""
    low, high = table.starts[state], table.starts[state + 1]
    while low < high:
        middle = (low + high) // 2
        if table.codes[middle] < code:
            low = middle + 1
        else:
            high = middle
    return low if low < table.starts[state + 1] and table.codes[low] == code else NONE


@compiled
def ngram_step(ngrams, state, code):
    """(log probability of a code in a state, state after it), with back-off to shorter contexts as in ARPA files."""
    log_prob = 0.0
    edge = find_edge(ngrams, state, code)
    while edge == NONE:  # ends at the latest in state 0, which has an edge for every code
        log_prob += ngrams.back_off_log_probs[state]
        state = ngrams.back_offs[state]
        edge = find_edge(ngrams, state, code)
    return log_prob + ngrams.log_probs[edge], ngrams.targets[edge]


@compiled
def fusion_step(ngrams, lm_weight, length_bonus, state, code):
    """(what a unit adds to the score besides the image's log probability, state of the language model after it)."""
    if lm_weight == 0.0:
        return length_bonus, 0
    log_prob, next_state = ngram_step(ngrams, state, code)
    return lm_weight * log_prob + length_bonus, next_state


@compiled
def find_child(tree, node, code):
    """The child of a node for a code, or NONE."""
    child = tree.first_children[node]
    while child != NONE and tree.codes[child] != code:
        child = tree.next_siblings[child]
    return child


@compiled
def add_child(tree, node, code, child, ngrams, lm_weight, length_bonus, words):
    """Make `child`, a node that is not in use, the child of a node for a code."""
    tree.codes[child] = code
    tree.lengths[child] = tree.lengths[node] + 1
    tree.parents[child] = node
    tree.first_children[child] = NONE
    tree.next_siblings[child] = tree.first_children[node]
    tree.first_children[node] = child
    tree.positions[child] = NONE
    score, tree.ngram_states[child] = fusion_step(ngrams, lm_weight, length_bonus, tree.ngram_states[node], code)
    tree.fusion_scores[child] = tree.fusion_scores[node] + score
    tree.word_states[child] = 0
    if len(words.final):
        tree.word_states[child] = words.targets[find_edge(words, tree.word_states[node], code)]


@compiled
def extendable(beam, tree, position, code):
    """Log probability of those alignments of a prefix after which `code` is a new unit: all, or, where it repeats the
    prefix's last unit, those that end in a blank."""
    if tree.codes[beam.nodes[position]] == code:
        return beam.blank_log_probs[position]
    return beam.log_probs[position]


@compiled
def stay(beam, tree, class_log_probs, steps_left, words):
    """Log probabilities of the beam's prefixes after one more step: (ending in a blank, ending in the last unit), (K,)
    each.

    A prefix gets its last unit again, or from its parent, if that is in the beam too. Alignments that cannot become
    words in the steps left are dropped: else they could fill the beam until the end.
    """
    nodes, beam_log_probs = beam.nodes, beam.log_probs
    blank_log_probs, unit_log_probs = np.empty(len(nodes)), np.empty(len(nodes))
    for position in range(len(nodes)):
        node = nodes[position]
        blank_log_probs[position] = beam_log_probs[position] + class_log_probs[BLANK]
        unit_log_probs[position] = LOG_ZERO
        if node != ROOT:
            code = tree.codes[node]
            before = beam.unit_log_probs[position]
            parent = tree.positions[tree.parents[node]]
            if parent != NONE:
                before = log_add(before, extendable(beam, tree, parent, code))
            unit_log_probs[position] = before + class_log_probs[code]
        if len(words.final):
            if steps_left < words.steps_after_blank[tree.word_states[node]]:
                blank_log_probs[position] = LOG_ZERO
            if steps_left < words.steps_after_unit[tree.word_states[node]]:
                unit_log_probs[position] = LOG_ZERO
    return blank_log_probs, unit_log_probs


@compiled
def best_candidates(beam, tree, stayed, class_log_probs, steps_left, width, ngrams, lm_weight, length_bonus, words):
    """The best `width` prefixes after a step, as a heap of (score, position in the beam, code): the prefix at this
    position extended by a unit, or, for BLANK, the prefix itself. `stayed` is what `stay` gives.

    Pruning is exact: a unit adds its log probability, which the language model can only lower, and the length bonus.
    Extensions that cannot be among the best even so are skipped.
    """
    # Taken out of their tuples once: numba counts references each time.
    nodes, beam_log_probs, fusion_scores = beam.nodes, beam.log_probs, tree.fusion_scores
    blank_log_probs, unit_log_probs = stayed
    heap = [(0.0, 0, 0) for _ in range(0)]
    for position in range(len(nodes)):
        score = log_add(blank_log_probs[position], unit_log_probs[position]) + fusion_scores[nodes[position]]
        if score > LOG_ZERO:
            heapq.heappush(heap, (score, position, BLANK))
    threshold = heap[0][0] if len(heap) == width else LOG_ZERO
    max_bonus = max(length_bonus, 0.0)
    best = beam_log_probs[0] + fusion_scores[nodes[0]] + max_bonus
    codes = np.flatnonzero(class_log_probs[1:] > threshold - best) + 1
    if len(codes) > 1:  # in most steps of a clear image it is not
        codes = codes[np.argsort(-class_log_probs[codes])]
    for code in codes:
        for position in range(len(nodes)):
            node = nodes[position]
            gain = class_log_probs[code] + fusion_scores[node]
            if beam_log_probs[position] + gain + max_bonus <= threshold:
                break  # and so are all that follow: their scores are lower
            score = extendable(beam, tree, position, code) + gain
            if score + max_bonus <= threshold:
                continue
            if len(words.final):
                edge = find_edge(words, tree.word_states[node], code)
                if edge == NONE or steps_left < words.steps_after_unit[words.targets[edge]]:
                    continue
            score += fusion_step(ngrams, lm_weight, length_bonus, tree.ngram_states[node], code)[0]
            if score <= threshold:
                continue
            child = find_child(tree, node, code)
            if child != NONE and tree.positions[child] != NONE:
                continue  # it is in the beam, where `stay` has counted this
            if len(heap) < width:
                heapq.heappush(heap, (score, position, code))
            else:
                heapq.heapreplace(heap, (score, position, code))
            if len(heap) == width:
                threshold = heap[0][0]
    return heap


@compiled
def next_beam(heap, beam, tree, stayed, class_log_probs, num_nodes, ngrams, lm_weight, length_bonus, words):
    """(beam of the candidates in the heap, number of nodes of the tree, to which new prefixes are added)."""
    size = len(heap)
    nodes_before, (blanks_stayed, units_stayed) = beam.nodes, stayed
    nodes = np.empty(size, np.int64)
    log_probs, blank_log_probs, unit_log_probs = np.empty(size), np.empty(size), np.empty(size)
    for position in range(size - 1, -1, -1):  # the heap gives the lowest score first
        _, before, code = heapq.heappop(heap)
        node = nodes_before[before]
        if code == BLANK:
            blank, unit = blanks_stayed[before], units_stayed[before]
        else:
            blank, unit = LOG_ZERO, extendable(beam, tree, before, code) + class_log_probs[code]
            child = find_child(tree, node, code)
            if child == NONE:  # else it was in the beam earlier
                child = num_nodes
                add_child(tree, node, code, child, ngrams, lm_weight, length_bonus, words)
                num_nodes += 1
            node = child
        nodes[position], log_probs[position] = node, log_add(blank, unit)
        blank_log_probs[position], unit_log_probs[position] = blank, unit
    for node in nodes_before:
        tree.positions[node] = NONE
    for position in range(size):
        tree.positions[nodes[position]] = position
    return Beam(nodes, log_probs, blank_log_probs, unit_log_probs), num_nodes


@compiled
def search(log_probs, image, steps, width, tree, ngrams, lm_weight, length_bonus, words):
    """(nodes, log probabilities) of the beam after the time steps of one image of (T, N, C) float64 log probabilities.

    Indices are not checked: `image` must be below N, and `steps` at most T. `tree` has its root alone, and room for
    1 + steps * width nodes.
    """
    beam = Beam(np.full(1, ROOT), np.zeros(1), np.zeros(1), np.full(1, LOG_ZERO))
    tree.positions[ROOT] = 0
    num_nodes = 1
    for step in range(steps):
        class_log_probs, steps_left = log_probs[step, image], steps - step - 1
        stayed = stay(beam, tree, class_log_probs, steps_left, words)
        heap = best_candidates(
            beam, tree, stayed, class_log_probs, steps_left, width, ngrams, lm_weight, length_bonus, words
        )
        beam, num_nodes = next_beam(
            heap, beam, tree, stayed, class_log_probs, num_nodes, ngrams, lm_weight, length_bonus, words
        )
        if len(beam.nodes) == 0:
            break
    return beam.nodes, beam.log_probs


@compiled
def forward(log_probs, image, steps, codes):
    """log p(codes | image) by the forward algorithm (Graves et al., 2006) over (T, N, C) float64 log probabilities."""
    states = 2 * len(codes) + 1  # blank, unit, blank, ..., unit, blank
    alpha = np.full(states, LOG_ZERO)
    alpha[0] = 0.0  # before the first step: as after a blank that takes no time
    for step in range(steps):
        class_log_probs = log_probs[step, image]
        # States that can be reached by now, and from which the end can be reached.
        first, last = max(0, states - 2 * (steps - step)), min(states, 2 * step + 2)
        for state in range(last - 1, first - 1, -1):
            entered = alpha[state]
            if state > 0:
                entered = log_add(entered, alpha[state - 1])
            is_unit = state % 2 == 1
            if is_unit and state > 1 and codes[state // 2] != codes[state // 2 - 1]:
                entered = log_add(entered, alpha[state - 2])
            alpha[state] = entered + class_log_probs[codes[state // 2] if is_unit else BLANK]
    return alpha[-1] if states == 1 else log_add(alpha[-1], alpha[-2])
