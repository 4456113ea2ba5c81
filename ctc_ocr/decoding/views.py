"""One text from the network's outputs for several views of the same image."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.decoding.hypothesis import Hypothesis
from ctc_ocr.decoding.likelihood import Steps, label_log_probability

FURTHEST = 50.0  # nats below the likeliest candidate of a view: a text that is impossible in one may still be the best

Outputs = NDArray[np.floating[Any]]


def best_of_views(
    views: Sequence[Outputs], found: Sequence[Sequence[Sequence[Hypothesis]]], steps: Steps | None
) -> list[list[Hypothesis]]:
    """For each image its candidates, best first: what was `found` for it [view][image] in the (T, N, C) log
    probabilities of any view. Where that is impossible in all of them, it is what was found in the first.

    A candidate's log probability is the mean of those in all views, in each of which it is at most FURTHEST below the
    likeliest. The views' outputs themselves are not averaged: in each, a unit may be at another time step.
    """
    candidates: list[dict[tuple[int, ...], float]] = [{} for _ in range(views[0].shape[1])]
    for of_view in found:
        for known, hypotheses in zip(candidates, of_view, strict=True):
            known.update({tuple(each.codes): each.score - each.log_probability for each in hypotheses if _fits(each)})
    ordered = _ordered(views, steps, candidates)
    return [texts or list(found[0][image]) for image, texts in enumerate(ordered)]


def _fits(hypothesis: Hypothesis) -> bool:
    """Whether it is a text that may be in the image: not what a search gives where no word of its list fits."""
    return hypothesis.log_probability > -np.inf


def _ordered(
    views: Sequence[Outputs], steps: Steps | None, candidates: Sequence[dict[tuple[int, ...], float]]
) -> list[list[Hypothesis]]:
    """The candidates of each image, best first. `candidates`: what is added to the log probability of each."""
    images = [image for image, texts in enumerate(candidates) for _ in texts]
    texts = [list(text) for each in candidates for text in each]
    of_each = None if steps is None else np.asarray(steps)[images]
    in_views = np.array([label_log_probability(each[:, images], texts, of_each) for each in views])
    best = np.full((len(candidates), len(views)), -np.inf)
    np.maximum.at(best, images, in_views.T)
    log_probabilities = np.maximum(in_views, best[images].T - FURTHEST).mean(axis=0)
    found: list[list[Hypothesis]] = [[] for _ in candidates]
    for image, text, value in zip(images, texts, log_probabilities.tolist(), strict=True):
        found[image].append(Hypothesis(text, value, value + candidates[image][tuple(text)]))
    return [sorted(each, key=lambda hypothesis: -hypothesis.score) for each in found]
