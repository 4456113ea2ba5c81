"""One training of an experiment: on some samples, in a temporary folder, to read others with it."""

import logging
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint.bundle import find_model
from ctc_ocr.checkpoint.provenance import chain_of
from ctc_ocr.checkpoint.starter import NO_MODEL
from ctc_ocr.checkpoint.stored_model import stored_known_images
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.datasets.checking import CheckResult, check_sources
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.errors import InputError
from ctc_ocr.experiments.label_readings import LabelReading, read_labelled
from ctc_ocr.experiments.part_source import part_source
from ctc_ocr.runtime.advice import without_advice
from ctc_ocr.runtime.signals import interruption
from ctc_ocr.training.session import TrainingSession
from ctc_ocr.training.settings import LabelledImages, RunOptions, checked_options, refuse_cluster

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Experiment:
    """What the trainings of an experiment have in common: everything but the images that each is given.

    data: the labelled images, with their alphabet. checked: the valid ones among them, all of which are divided into
    parts. options: prefix, resume, overwrite and tensorboard of it have no effect.
    """

    hyperparameters: Hyperparameters
    data: LabelledImages
    options: RunOptions
    checked: CheckResult

    @classmethod
    def of(
        cls,
        data: LabelledImages | str | Path,
        hyperparameters: Hyperparameters | None = None,
        options: RunOptions | None = None,
    ) -> "Experiment":
        """Find and check the images. None means what it means for `ctc_ocr.train`.

        The alphabet is that of all labels, so that it is the same in each training; and what is chosen from the images
        is chosen from all. Raises InputError for a source that cannot be used, for validation with images that are
        divided too, and in a cluster; RunError if too many samples are invalid.
        """
        if not isinstance(data, (LabelledImages, str, Path)):
            hint = "; LabelledImages([...]) takes several sources" if isinstance(data, (list, tuple)) else ""
            raise InputError(f"expected LabelledImages or a path, got {type(data).__name__}{hint}", "data")
        images = data if isinstance(data, LabelledImages) else LabelledImages(data)
        if images.training_only_sources:
            raise InputError(
                "cannot be used here: a network could be trained on images that it is to read", "training_only"
            )
        options = replace(checked_options(options), resume=False, overwrite=False, tensorboard=False)
        refuse_cluster(options)
        settings, checked = TrainingSession(hyperparameters, images, options).checked_images()
        labels = [each.units for each in checked.samples]
        if images.validation_sources:
            others = check_sources(images.validation_sources, images.options, progress=None)
            shared = set(others.digests).intersection(checked.digests)
            if count := sum(digest in shared for digest in checked.digests):
                raise InputError(
                    f"{count} of these images are also among those to be read: they would help to choose the epoch "
                    "that reads them", "validation",
                )  # fmt: skip
            labels += [each.units for each in others.samples]
        images = replace(images, alphabet=images.alphabet or Alphabet.from_labels(labels), choose=())
        return cls(settings, images, options, checked)

    @property
    def alphabet(self) -> Alphabet:
        assert self.data.alphabet is not None
        return self.data.alphabet

    def samples(self, indices: Sequence[int]) -> list[Sample]:
        """Some of the valid samples."""
        return [self.checked.samples[index].sample for index in indices]

    def _source_of(self, indices: Sequence[int]) -> AbstractContextManager[str]:
        """Some of the valid samples as a source, which messages call as the user does."""
        form = f"{self.checked.form}; {len(indices)} of {len(self.checked.samples)} images"
        return part_source(self.samples(indices), self.checked.source, form)

    def warn_of_seen_images(self) -> None:
        """Log if the model that each training starts from has seen some of the images: it has learned what it reads."""
        if self.options.init_from in (None, NO_MODEL):
            return
        chain = [stored_known_images(each) for each in chain_of(find_model(self.options.init_from))]
        count = sum(
            any(known is not None and known.part(digest) is not None for known in chain)
            for digest in self.checked.digests
        )
        if count:
            log.warning("%s has seen %d of the images: the figures are too good", self.options.init_from, count)

    def train_and_read(
        self, train: Sequence[int], test: Sequence[int], fold: int = 0, seed: int | None = None
    ) -> list[LabelReading]:
        """Train on some of the images, a part of which is held out for validation as always, and read others with the
        best epoch. Nothing is left of the training.

        seed: of the training; None: that of the hyperparameters. Raises KeyboardInterrupt if a signal ended it.
        """
        training = self.hyperparameters.training
        settings = replace(
            self.hyperparameters, training=replace(training, seed=training.seed if seed is None else seed, keep=1)
        )
        with (
            tempfile.TemporaryDirectory(prefix="ctc_ocr-trial-") as folder,
            self._source_of(train) as source,
            without_advice(),
        ):
            prefix = str(Path(folder) / "ocr")
            options = replace(self.options, prefix=prefix)
            result = TrainingSession(settings, replace(self.data, source=source), options).run()
            if not result.finished:
                raise interruption(result.signal)
            from ctc_ocr.inference.predictor import Predictor
            from ctc_ocr.runtime.devices import contexts

            predictor = Predictor(prefix, context=contexts(self.options.gpus)[0])
            return read_labelled(predictor, self.samples(test), fold)
