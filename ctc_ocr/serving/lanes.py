"""The images that are ready for one model's network, and which of them make the next batch."""

from functools import lru_cache

from ctc_ocr.decoding.decoder import BoundDecoder, Decoder
from ctc_ocr.serving.jobs import QueuedImage
from ctc_ocr.serving.models import ServedModel


class Lane:
    """One model's prepared images. Used under the lock of the reading threads.

    coming: images of the model that are not prepared yet. running: batches that its network computes now.
    """

    def __init__(self, model: ServedModel, wait: float, max_running: int) -> None:
        self.model, self.coming, self.running = model, 0, 0
        self._max_running, self._wait = max_running, wait
        self._prepared: list[QueuedImage] = []
        self.decoder = lru_cache(maxsize=None)(self._decoder)

    def add(self, image: QueuedImage) -> None:
        """An image that is prepared."""
        self._prepared.append(image)

    def seconds_to_batch(self, now: float) -> float | None:
        """0 if a batch is to be computed now; seconds until that may be; None if only another event can change it.

        A batch waits while more images are on their way, until it is full or its oldest image has waited long enough.
        """
        if not self._prepared or self.running >= self._max_running:
            return None
        if not self.coming or len(self._prepared) >= self.model.predictor.batch_size:
            return 0.0
        return max(0.0, self._prepared[0].since + self._wait - now)

    def take(self) -> list[QueuedImage]:
        """The next batch: the oldest image, and those that can be computed with it."""
        predictor, wanted = self.model.predictor, self._group(self._prepared[0])
        same = sum(self._group(image) == wanted for image in self._prepared)
        size = predictor.best_count(min(same, predictor.batch_size), wanted[0])
        batch: list[QueuedImage] = []
        left: list[QueuedImage] = []
        for image in self._prepared:
            (batch if len(batch) < size and self._group(image) == wanted else left).append(image)
        self._prepared = left
        self.running += 1
        return batch

    def _group(self, image: QueuedImage) -> tuple[int, int]:
        """Images that keep their aspect ratio are computed with others of about their width."""
        width, alternatives = image.kind
        hyperparameters = self.model.predictor.hyperparameters
        if hyperparameters.data.keep_ratio:
            width = hyperparameters.geometry.batch_width(width)
        return width, alternatives

    def _decoder(self, alternatives: int) -> BoundDecoder:
        """That of the predictor, or a beam search."""
        predictor = self.model.predictor
        if alternatives == 1:
            return predictor.decoder
        views = predictor.decoder.views
        return Decoder(top_k=alternatives, views=views).bind(predictor.alphabet, predictor.lengths)
