"""Suspected label errors: images whose label is much less probable than what is read in them.

A model that has learned a wrong label by heart reads it. So the images are read by models that have not seen them:
those of the folds of a cross-validation, or the given model if it was trained on other images.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from ctc_ocr.checkpoint.bundle import find_model
from ctc_ocr.checkpoint.known_images import KnownImages
from ctc_ocr.checkpoint.provenance import chain_of, path_of
from ctc_ocr.checkpoint.starter import NO_MODEL
from ctc_ocr.checkpoint.stored_model import StoredModel, stored_description, stored_known_images
from ctc_ocr.config.hyperparameters import Hyperparameters, without_workers
from ctc_ocr.config.presets import preset
from ctc_ocr.datasets.samples import Problem, Sample
from ctc_ocr.errors import InputError, check_kind
from ctc_ocr.experiments.cross_validation import FOLDS, cross_validated
from ctc_ocr.experiments.label_readings import LabelReading, read_labelled
from ctc_ocr.experiments.trial import Experiment
from ctc_ocr.runtime.threads import set_threads
from ctc_ocr.training.settings import LabelledImages, RunOptions, checked_options
from ctc_ocr.training.start import network_of

MIN_ACCURACY = 0.5  # of the readings; with less, most differences are the reader's mistakes

Chain: TypeAlias = list[tuple[StoredModel, bool | None]]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Suspect:
    """An image whose label may be wrong. suggestion: what was read. score: by how many nats it is more probable than
    the label. confidence: of the suggestion, 0 to 1."""

    sample: Sample
    suggestion: str
    score: float
    confidence: float

    @property
    def label(self) -> str:
        return self.sample.label


@dataclass(frozen=True)
class Audit:
    """The suspects, best first. num_read: images that were read; num_correct: of which the reading is the label.
    num_folds: trainings that were made; 0 if the model itself has read them. invalid: samples that were left out."""

    suspects: tuple[Suspect, ...]
    num_read: int
    num_correct: int
    num_folds: int
    invalid: tuple[Problem, ...] = ()

    @property
    def is_reliable(self) -> bool:
        """Whether so many labels were read that the others say something about the labels."""
        return self.num_correct >= MIN_ACCURACY * self.num_read


def find_suspects(readings: Sequence[LabelReading]) -> tuple[Suspect, ...]:
    """The images whose reading is more probable than their label, by the margin in nats, largest first."""
    ranked = sorted((each for each in readings if each.margin > 0), key=lambda each: -each.margin)
    return tuple(Suspect(each.sample, each.reading, each.margin, each.confidence) for each in ranked)


def audit_labels(
    model: str | Path,
    data: LabelledImages | str | Path,
    folds: int = FOLDS,
    hyperparameters: Hyperparameters | None = None,
    options: RunOptions | None = None,
) -> Audit:
    """Find labels that are probably wrong.

    The model itself reads the images if it was trained on labelled images, and on none of these. Else each fold is read
    by a network that is trained on the others as the model was: with its hyperparameters, unless others are given, and
    from `init_from` of the options, or else from what the model started from, as far as that has not seen these images.
    A model of generated images is itself the start.

    Raises InputError for a model or a source that cannot be used, RunError for a training that fails.
    """
    check_kind("a path", model=model)
    check_kind("an integer", folds=folds)
    stored, options = find_model(model), checked_options(options)
    if hyperparameters is None:
        hyperparameters, data = preset("word", settings_of(model)), _nothing_chosen(data)
    experiment = Experiment.of(data, hyperparameters, options)
    chain = chain_that_has_seen(stored, experiment.checked.digests)
    if _may_read(chain):
        log.info("%s was not trained on these images: it reads them", model)
        return _audited(_read_by(model, experiment), experiment, 0)
    start = options.init_from or unseen_start(chain)
    log.info("Each of %d folds is read by a network that is trained on the others, from %s", folds, start or "nothing")
    experiment = replace(experiment, options=replace(options, init_from=start or NO_MODEL))
    return _audited(cross_validated(experiment, folds).readings, experiment, folds)


def _nothing_chosen(data: LabelledImages | str | Path) -> LabelledImages | str | Path:
    """The images, of which nothing is chosen unless they say so: what the network is given is as it was for a model."""
    if isinstance(data, str | Path):
        return LabelledImages(data, choose=())
    if isinstance(data, LabelledImages) and data.choose is None:
        return replace(data, choose=())
    return data


def chain_that_has_seen(model: StoredModel, digests: Sequence[bytes]) -> Chain:
    """A model, what it started from, what that started from and so on, each with whether it has seen some of the images
    with these digests; None for one of generated images. Raises InputError for a broken list of images."""
    return [(each, _has_seen(stored_known_images(each), digests)) for each in chain_of(model)]


def _has_seen(known: KnownImages | None, digests: Sequence[bytes]) -> bool | None:
    return None if known is None else any(known.part(digest) for digest in digests)


def unseen_start(chain: Chain) -> Path | None:
    """The first of a chain whose weights come from none of the images; None without one, or if it is not there any
    more."""
    # A run of generated images does not tell what the one before it has seen.
    num_seen = max((number for number, (_, has_seen) in enumerate(chain, 1) if has_seen), default=0)
    return path_of(chain[num_seen][0]) if num_seen < len(chain) else None


def settings_of(model: str | Path) -> dict[str, dict[str, Any]]:
    """{section: {name: value}} for trainings like that of a model: all its hyperparameters but workers, or those of its
    network and its pixels if it was trained on generated images. Raises InputError if there is no such model."""
    stored = find_model(model)
    described = stored_description(stored)
    if described is None:
        raise InputError("has no description (PREFIX.json), which says how it was trained", model)
    if stored_known_images(stored) is None:  # of generated images
        return network_of(model)
    return without_workers(described.hyperparameters.to_dict())


def _may_read(chain: Chain) -> bool:
    """Whether the first of a chain was trained on labelled images, and none of it on those that are to be read."""
    return chain[0][1] is not None and not any(has_seen for _, has_seen in chain)


def _read_by(model: str | Path, experiment: Experiment) -> list[LabelReading]:
    set_threads(experiment.options.cpu or 1)
    from ctc_ocr.inference.predictor import Predictor
    from ctc_ocr.runtime.devices import contexts

    predictor = Predictor(model, context=contexts(experiment.options.gpus)[0])
    return read_labelled(predictor, [each.sample for each in experiment.checked.samples])


def _audited(readings: Sequence[LabelReading], experiment: Experiment, folds: int) -> Audit:
    num_correct = sum(each.correct for each in readings)
    return Audit(find_suspects(readings), len(readings), num_correct, folds, experiment.checked.invalid)
