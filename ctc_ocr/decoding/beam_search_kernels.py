"""The compiled half of the beam search: one image at a time, in log probabilities.

Prefixes are nodes of a tree that grows while the image is read. Those in the beam have the log probability of all their
alignments that end in a blank, and of those that end in their last unit; the others are kept for their children.
"""

# mypy: allow-untyped-defs, no-check-untyped-defs

import heapq

import numpy as np

from ctc_ocr.runtime.compiled import compiled

BLANK = 0
NONE = -1
LEAST = -np.inf
NEGLIGIBLE = 37.0  # exp(-37) is less than half the distance between 1 and the next float64
ROOT = 0


@compiled
def log_add(a, b):
    """log(exp(a) + exp(b)), for -inf too."""
    if a < b:
        a, b = b, a
    return a if b == LEAST or a - b > NEGLIGIBLE else a + np.log1p(np.exp(b - a))


@compiled
def find_edge(table, state, unit):
    """Index of a state's edge for a unit in an NgramTable or a WordTable, or NONE: its edges are in order of units."""
    low, high = table.starts[state], table.starts[state + 1]
    while low < high:
        middle = (low + high) // 2
        if table.units[middle] < unit:
            low = middle + 1
        else:
            high = middle
    return low if low < table.starts[state + 1] and table.units[low] == unit else NONE


@compiled
def read_ngram(ngrams, state, unit):
    """(log probability of a unit in a state, state after it): by the longest known context, as in ARPA files."""
    log_prob = 0.0
    edge = find_edge(ngrams, state, unit)
    while edge == NONE:  # ends at the latest in state 0, which has an edge for every unit
        log_prob += ngrams.back_off_log_probs[state]
        state = ngrams.back_offs[state]
        edge = find_edge(ngrams, state, unit)
    return log_prob + ngrams.log_probs[edge], ngrams.targets[edge]


@compiled
def find_child(tree, node, unit):
    """The child of a node by a unit, or NONE."""
    child = tree.children[node]
    while child != NONE and tree.units[child] != unit:
        child = tree.siblings[child]
    return child


@compiled
def add_child(tree, node, unit, new, ngrams, weight, bonus, words):
    """Make node `new` the child of a node by a unit."""
    tree.parents[new] = node
    tree.units[new] = unit
    tree.lengths[new] = tree.lengths[node] + 1
    tree.children[new] = NONE
    tree.siblings[new] = tree.children[node]
    tree.children[node] = new
    tree.slots[new] = NONE
    extra, tree.ngram_states[new] = fuse(tree, node, unit, ngrams, weight, bonus)
    tree.extras[new] = tree.extras[node] + extra
    tree.word_states[new] = 0
    if len(words.final):
        tree.word_states[new] = words.targets[find_edge(words, tree.word_states[node], unit)]


@compiled
def fuse(tree, node, unit, ngrams, weight, bonus):
    """(what a unit after a node adds to the score besides the image, state of the language model after it)."""
    if weight == 0.0:
        return bonus, 0
    log_prob, state = read_ngram(ngrams, tree.ngram_states[node], unit)
    return weight * log_prob + bonus, state


@compiled
def grow(tree, nodes, blanks, lasts, row, left, width, ngrams, weight, bonus, words):
    """The best `width` candidates of a step after which `left` steps follow: a list of (score, slot, unit), a heap
    whose least is first.

    The beam is given by its nodes and their log probabilities (alignments that end in a blank, in the last unit), best
    first. Unit BLANK stands for the prefix itself. Returns also the prefixes' own log probabilities after the step.

    A prefix that is extended cannot score more than before by more than the unit's log probability (and the bonus):
    what cannot get among the best for that is not looked at, and nothing is lost by it. Nor is by leaving out the
    alignments that cannot become words in the steps that are left: else they could fill the beam until the end.
    """
    size = len(nodes)
    next_blanks, next_lasts, totals = np.empty(size), np.empty(size), np.empty(size)
    heap = [(0.0, 0, 0) for _ in range(0)]
    for slot in range(size):
        node = nodes[slot]
        unit = tree.units[node]
        totals[slot] = log_add(blanks[slot], lasts[slot])
        next_blanks[slot] = totals[slot] + row[BLANK]
        next_lasts[slot] = LEAST
        if node != ROOT:
            source = lasts[slot]
            parent = tree.parents[node]
            above = tree.slots[parent]
            if above != NONE:  # the prefix is reached from the beam once more
                repeated = tree.units[parent] == unit
                source = log_add(source, blanks[above] if repeated else log_add(blanks[above], lasts[above]))
            next_lasts[slot] = source + row[unit]
        if len(words.final):
            if left < words.steps_after_blank[tree.word_states[node]]:
                next_blanks[slot] = LEAST
            if left < words.steps_after_unit[tree.word_states[node]]:
                next_lasts[slot] = LEAST
        score = log_add(next_blanks[slot], next_lasts[slot]) + tree.extras[node]
        if score > LEAST:
            heapq.heappush(heap, (score, slot, BLANK))
    threshold = heap[0][0] if len(heap) == width else LEAST
    largest = max(bonus, 0.0)
    best = totals[0] + tree.extras[nodes[0]] + largest
    units = np.flatnonzero(best + row[1:] > threshold) + 1
    for unit in units[np.argsort(-row[units])]:
        for slot in range(size):
            node = nodes[slot]
            if totals[slot] + tree.extras[node] + row[unit] + largest <= threshold:
                break  # so are all that follow: the beam is in the order of its scores
            score = (blanks[slot] if tree.units[node] == unit else totals[slot]) + row[unit] + tree.extras[node]
            if score + largest <= threshold:
                continue
            child = find_child(tree, node, unit)
            if child != NONE and tree.slots[child] != NONE:
                continue  # in the beam itself: counted above
            if len(words.final):
                edge = find_edge(words, tree.word_states[node], unit)
                if edge == NONE or left < words.steps_after_unit[words.targets[edge]]:
                    continue
            score += fuse(tree, node, unit, ngrams, weight, bonus)[0]
            if score <= threshold:
                continue
            if len(heap) < width:
                heapq.heappush(heap, (score, slot, unit))
            else:
                heapq.heapreplace(heap, (score, slot, unit))
            if len(heap) == width:
                threshold = heap[0][0]
    return heap, next_blanks, next_lasts, totals


@compiled
def search(log_probs, image, steps, width, tree, ngrams, weight, bonus, words):
    """(nodes, log probabilities) of the beam after the steps of an image of (T, N, C) float64 log probabilities.
    Nothing is checked here: `image` is below N, and `steps` at most T.

    `tree` has room for 1 + steps * width nodes, and its root is set.
    """
    count = 1
    nodes, blanks, lasts = np.zeros(1, np.int64), np.zeros(1), np.full(1, LEAST)
    tree.slots[ROOT] = 0
    for step in range(steps):
        row = log_probs[step, image]
        heap, next_blanks, next_lasts, totals = grow(
            tree, nodes, blanks, lasts, row, steps - step - 1, width, ngrams, weight, bonus, words
        )
        for node in nodes:
            tree.slots[node] = NONE
        size = len(heap)
        new_nodes, new_blanks, new_lasts = np.empty(size, np.int64), np.empty(size), np.empty(size)
        for slot in range(size - 1, -1, -1):
            _, before, unit = heapq.heappop(heap)
            node = nodes[before]
            if unit == BLANK:
                new_blanks[slot], new_lasts[slot] = next_blanks[before], next_lasts[before]
            else:
                new_blanks[slot] = LEAST
                new_lasts[slot] = (blanks[before] if tree.units[node] == unit else totals[before]) + row[unit]
                child = find_child(tree, node, unit)
                if child == NONE:  # else it was in the beam earlier, and fell out
                    add_child(tree, node, unit, count, ngrams, weight, bonus, words)
                    child = count
                    count += 1
                node = child
            new_nodes[slot] = node
        nodes, blanks, lasts = new_nodes, new_blanks, new_lasts
        for slot in range(size):
            tree.slots[nodes[slot]] = slot
        if size == 0:
            break
    totals = np.empty(len(nodes))
    for slot in range(len(nodes)):
        totals[slot] = log_add(blanks[slot], lasts[slot])
    return nodes, totals


@compiled
def forward(log_probs, image, steps, codes):
    """log p(codes | image) by the forward algorithm (Graves et al., 2006) over (T, N, C) float64 log probabilities."""
    states = 2 * len(codes) + 1  # blank, unit, blank, ..., unit, blank
    alpha = np.full(states, LEAST)
    alpha[0] = 0.0  # before the first step: as after a blank that takes no time
    for step in range(steps):
        row = log_probs[step, image]
        # What has been reached by now, and still can reach the end.
        first, last = max(0, states - 2 * (steps - step)), min(states, 2 * step + 2)
        for state in range(last - 1, first - 1, -1):
            entered = alpha[state]
            if state > 0:
                entered = log_add(entered, alpha[state - 1])
            is_unit = state % 2 == 1
            if is_unit and state > 1 and codes[state // 2] != codes[state // 2 - 1]:
                entered = log_add(entered, alpha[state - 2])
            alpha[state] = entered + row[codes[state // 2] if is_unit else BLANK]
    return alpha[-1] if states == 1 else log_add(alpha[-1], alpha[-2])
