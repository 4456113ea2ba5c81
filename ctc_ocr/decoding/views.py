"""One text from the network's outputs for several views of the same image."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.decoding.alignment import align
from ctc_ocr.decoding.decoder import BoundDecoder
from ctc_ocr.decoding.hypothesis import Hypothesis
from ctc_ocr.decoding.likelihood import Steps, label_log_probability
from ctc_ocr.decoding.mask import restrict
from ctc_ocr.decoding.unit_alternatives import with_alternatives

FURTHEST = 50.0  # nats below the likeliest candidate of a view: a text that is impossible in one may still be the best

Outputs = NDArray[np.floating[Any]]


def decode_views(
    decoder: BoundDecoder, views: Sequence[Outputs], steps: Steps | None, with_probability: bool
) -> list[list[Hypothesis]]:
    """As BoundDecoder.decode, of (T, N, C) log probabilities for each view; the first is the image as it is.

    What is found in any view is a candidate. Its log probability is the mean of those in all views, and its units are
    where the first view has them. The views' outputs themselves are not averaged: in each, a unit may be at another
    time step.
    """
    if len(views) == 1:
        return decoder.decode(views[0], steps, with_probability)
    if decoder.mask is not None:
        views = [restrict(each, decoder.mask) for each in views]
    candidates: list[dict[tuple[int, ...], float]] = [{} for _ in range(views[0].shape[1])]
    for log_probs in views:
        for known, found in zip(candidates, decoder.decode(log_probs, steps), strict=True):
            known.update({tuple(each.codes): each.score - each.log_probability for each in found})
    ordered = _ordered(views, steps, candidates)
    top_k = decoder.search.top_k if decoder.search is not None else 1
    best = [hypotheses[:top_k] for hypotheses in ordered]
    if not with_probability:
        return best
    texts = [first.codes for first, *_ in best]
    units = with_alternatives(views[0], texts, align(views[0], texts, steps))
    return [[replace(first, units=tuple(each)), *rest] for (first, *rest), each in zip(best, units, strict=True)]


def _ordered(
    views: Sequence[Outputs], steps: Steps | None, candidates: Sequence[dict[tuple[int, ...], float]]
) -> list[list[Hypothesis]]:
    """The candidates of each image, best first. `candidates`: what a language model and a length bonus add to each."""
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
