"""From a network's output to texts, by greedy decoding or by a prefix beam search."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.config.sections import MAX_VIEWS
from ctc_ocr.decoding.alignment import AlignedUnit, align, align_greedy
from ctc_ocr.decoding.beam_search import BeamSearch
from ctc_ocr.decoding.greedy import greedy
from ctc_ocr.decoding.hypothesis import Hypothesis
from ctc_ocr.decoding.language_model import MAX_ORDER, LanguageModel
from ctc_ocr.decoding.likelihood import Steps, label_log_probability
from ctc_ocr.decoding.mask import allowed_classes, restrict
from ctc_ocr.decoding.unit_alternatives import with_alternatives
from ctc_ocr.decoding.views import best_of_views
from ctc_ocr.decoding.word_list import DEFAULT_SEPARATORS, WordList
from ctc_ocr.errors import InputError, refuse_other
from ctc_ocr.lengths import Lengths

DEFAULT_BEAM_WIDTH = 10
LENGTHS_BEAM_WIDTH = 100  # for the few texts of another length than expected, whose best prefixes are the wrong ones

PathName = str | PathLike[str]
OfAlphabet = TypeVar("OfAlphabet", LanguageModel, WordList)


@dataclass(frozen=True)
class Decoder:
    """How texts are found, for any alphabet: `Predictor("model", decoder=Decoder(beam_width=20, allowed="0123"))`.

    Greedy decoding, or a prefix beam search if `beam_width` is given or another option needs it; its width is then 10,
    100 where the lengths of texts are known, or `top_k` if that is more.

    beam_width: prefixes kept at each time step, 1 to 4096.
    top_k: number of texts for each image, best first.
    language_model: a UTF-8 file of example texts, one per line, or a LanguageModel.
    lm_order: n of the language model's longest n-grams, 1 to 20; only for a file.
    lm_weight: weight of the language model in the score, at least 0.
    length_bonus: added to the score for each unit.
    words: the only words to output: a UTF-8 file, one word per line, or a collection of words, or a WordList.
    separators: units that may stand around words; "" for one word per image. Not for a WordList.
    allowed: the only units to output, as a text or a sequence of units; None for all.
    lengths: how many units texts have, such as "5", "4-6" or "any"; None for what the model's labels had. Greedy
        decoding is followed by a beam search of width 100 for the images whose text has another length.
    views: views of each image that are read, 1 to 9: slightly moved ones beside the image itself, and the text is, of
        those that are found in any of them, that which is likeliest in all. Reading takes as many times as long. None:
        as many as the model says.

    Raises InputError for values of another kind, and for numbers out of range.
    """

    beam_width: int | None = None
    top_k: int = 1
    language_model: LanguageModel | PathName | None = None
    lm_order: int = 5
    lm_weight: float = 0.5
    length_bonus: float = 0.0
    words: WordList | Collection[str] | PathName | None = None
    separators: str = DEFAULT_SEPARATORS
    allowed: Collection[str] | None = None
    lengths: Lengths | str | None = None
    views: int | None = None

    def __post_init__(self) -> None:
        refuse_other(self, "an integer", ("beam_width", "views"), or_none=True)
        refuse_other(self, "an integer", ("top_k", "lm_order"))
        refuse_other(self, "a number", ("lm_weight", "length_bonus"))
        refuse_other(self, "a text", ("separators",))
        refuse_other(self, "a text or a list of units", ("allowed",), or_none=True)
        if not all(isinstance(each, str) for each in self.allowed or ()):
            raise InputError(f"expected a text or a list of units or None; got {self.allowed!r}", "allowed")
        if not isinstance(self.language_model, LanguageModel):
            refuse_other(self, "a path", ("language_model",), or_none=True)
        if not isinstance(self.words, WordList):
            refuse_other(self, "words or a path", ("words",), or_none=True)
        self._search()
        self._lengths()
        if not self.lm_weight >= 0:
            raise InputError(f"expected a weight of 0 or more, got {self.lm_weight}", "lm_weight")
        if not 1 <= self.lm_order <= MAX_ORDER:
            raise InputError(f"expected 1 to {MAX_ORDER}, got {self.lm_order}", "lm_order")
        if self.views is not None and not 1 <= self.views <= MAX_VIEWS:
            raise InputError(f"expected 1 to {MAX_VIEWS}, got {self.views}", "views")

    def bind(self, alphabet: Alphabet, lengths: Lengths | None = None, views: int = 1) -> "BoundDecoder":
        """The decoder for networks with this alphabet. Reads the files. lengths: of the model's labels, if known.
        views: what the model says.

        Raises InputError for files that cannot be read, for units that are not in the alphabet, and for a language
        model or words of another alphabet.
        """
        if self.allowed is not None and not self.allowed:
            raise InputError("expected at least one unit", "allowed")
        mask = None if self.allowed is None else allowed_classes(alphabet, self.allowed)
        search, lengths = self._search(), self._lengths() or lengths
        if search is None:
            return BoundDecoder(None, mask, lengths, self.views or views)
        words = self._words(alphabet)
        if words is not None and mask is not None:
            words = words.restricted(mask)
        model = self._language_model(alphabet)
        width = max(search.width, LENGTHS_BEAM_WIDTH) if lengths and self.beam_width is None else search.width
        search = replace(search, width=width, language_model=model, words=words, lengths=lengths)
        return BoundDecoder(search, mask, views=self.views or views)

    def _search(self) -> BeamSearch | None:
        """The search without what needs an alphabet; None for greedy decoding."""
        needs_search = self.top_k != 1 or self.length_bonus or self.language_model is not None or self.words is not None
        if self.beam_width is None and not needs_search:
            return None
        width = max(DEFAULT_BEAM_WIDTH, self.top_k) if self.beam_width is None else self.beam_width
        return BeamSearch(width, self.top_k, lm_weight=self.lm_weight, length_bonus=self.length_bonus)

    def _lengths(self) -> Lengths | None:
        if self.lengths is None or isinstance(self.lengths, Lengths):
            return self.lengths
        return Lengths.parse(str(self.lengths))

    def _language_model(self, alphabet: Alphabet) -> LanguageModel | None:
        if self.language_model is None:
            return None
        if isinstance(self.language_model, LanguageModel):
            return _of_alphabet(self.language_model, alphabet, "language_model")
        return LanguageModel.from_file(Path(self.language_model), alphabet, self.lm_order)

    def _words(self, alphabet: Alphabet) -> WordList | None:
        if self.words is None:
            return None
        if isinstance(self.words, WordList):
            return _of_alphabet(self.words, alphabet, "words")
        if isinstance(self.words, str | PathLike):
            return WordList.from_file(Path(self.words), alphabet, self.separators)
        return WordList.from_words(self.words, alphabet, self.separators)


def checked_decoder(decoder: object) -> Decoder:
    """That of a reader; the default for None. Raises InputError for anything else, such as a dict of its fields."""
    if decoder is None:
        return Decoder()
    if not isinstance(decoder, Decoder):
        raise InputError(f"expected a Decoder, such as Decoder(beam_width=10); got {decoder!r}", "decoder")
    return decoder


def _of_alphabet(made: OfAlphabet, alphabet: Alphabet, where: str) -> OfAlphabet:
    """What was made for this alphabet: its codes are those of the network's classes."""
    if made.alphabet != alphabet:
        raise InputError("was made for another alphabet than the model's", where)
    return made


@dataclass(frozen=True)
class BoundDecoder:
    """A decoder for one alphabet: greedy if `search` is None, of the classes in `mask` (C,) bool (None: all).

    lengths: only for greedy decoding; a text that has another length is searched for. views: of each image that are
    to be read; `decode` is for one of them, decode_views for all.
    """

    search: BeamSearch | None = None
    mask: NDArray[np.bool_] | None = None
    lengths: Lengths | None = None
    views: int = 1

    def decode(
        self, log_probs: NDArray[np.floating[Any]], steps: Steps | None = None, with_probability: bool = True
    ) -> list[list[Hypothesis]]:
        """(T, N, C) log probabilities and the time steps (N,) of each image (None: T) -> for each image its hypotheses,
        best first, at least one.

        Greedy decoding gives one, and is faster without its log probability, which is then NaN. With it, the best
        hypothesis of each image has its aligned units too. Raises InputError for steps that are not N
        numbers from 0 to T.
        """
        if self.mask is not None:
            log_probs = restrict(log_probs, self.mask)
        found = self._hypotheses(log_probs, steps, with_probability)
        searched = [] if self.search else self._search_unexpected(log_probs, steps, found)
        if not with_probability:
            return found
        if self.search is None:
            aligned = align_greedy(log_probs, steps)
        else:
            aligned, searched = [[] for _ in found], list(range(len(found)))
        if searched:
            codes = [found[image][0].codes for image in searched]
            for image, units in zip(searched, align(log_probs[:, searched], codes, _of(steps, searched)), strict=True):
                aligned[image] = units
        texts = [best.codes for best, *_ in found]
        return _with_units(found, with_alternatives(log_probs, texts, aligned))

    def decode_views(
        self, views: Sequence[NDArray[np.floating[Any]]], steps: Steps | None = None, with_probability: bool = True
    ) -> list[list[Hypothesis]]:
        """As `decode`, of the log probabilities of each view; the first is the image as it is, in which the units are.

        What is found in any view is a candidate, and the best is that with the highest mean log probability.
        """
        if len(views) == 1:
            return self.decode(views[0], steps, with_probability)
        if self.mask is not None:
            views = [restrict(each, self.mask) for each in views]
        of_views = [self._hypotheses(each, steps, with_probability=True) for each in views]
        for log_probs, found in zip(views, of_views, strict=True):
            if self.search is None:
                self._search_unexpected(log_probs, steps, found)
        top_k = self.search.top_k if self.search is not None else 1
        best = [hypotheses[:top_k] for hypotheses in best_of_views(views, of_views, steps)]
        if not with_probability:
            return best
        texts = [first.codes for first, *_ in best]
        return _with_units(best, with_alternatives(views[0], texts, align(views[0], texts, steps)))

    def _hypotheses(
        self, log_probs: NDArray[np.floating[Any]], steps: Steps | None, with_probability: bool
    ) -> list[list[Hypothesis]]:
        if self.search is not None:
            return self.search.decode(log_probs, steps)
        codes = greedy(log_probs, steps)
        scores = [np.nan] * len(codes)
        if with_probability:
            scores = label_log_probability(log_probs, codes, steps).tolist()
        return [[Hypothesis(text, score, score)] for text, score in zip(codes, scores, strict=True)]

    def _search_unexpected(
        self, log_probs: NDArray[np.floating[Any]], steps: Steps | None, found: list[list[Hypothesis]]
    ) -> list[int]:
        """Replace the texts whose length is not expected by what a search finds, which may be the same; returns the
        numbers of their images."""
        if self.lengths is None:
            return []
        searched = [n for n, (best,) in enumerate(found) if self.lengths.log_prior(len(best.codes)) < 0]
        if searched:
            search = BeamSearch(LENGTHS_BEAM_WIDTH, lengths=self.lengths)
            for image, texts in zip(searched, search.decode(log_probs[:, searched], _of(steps, searched)), strict=True):
                found[image] = texts
        return searched


def _of(steps: Steps | None, images: list[int]) -> NDArray[np.intp] | None:
    return None if steps is None else np.asarray(steps)[images]


def _with_units(found: list[list[Hypothesis]], aligned: list[list[AlignedUnit]]) -> list[list[Hypothesis]]:
    """The same hypotheses, the best of each image with its units."""
    return [[replace(best, units=tuple(units)), *others] for (best, *others), units in zip(found, aligned, strict=True)]


class WithDecoder:
    """What reads images with a decoder, which may be replaced. Raises InputError for a Decoder that is not bound, and
    for others."""

    @property
    def decoder(self) -> BoundDecoder:
        """How texts are found."""
        return self._decoder

    @decoder.setter
    def decoder(self, decoder: BoundDecoder) -> None:
        if not isinstance(decoder, BoundDecoder):
            raise InputError(
                f"expected a bound decoder: Decoder(...).bind(predictor.alphabet, predictor.lengths); got {decoder!r}",
                "decoder",
            )
        self._decoder = decoder
