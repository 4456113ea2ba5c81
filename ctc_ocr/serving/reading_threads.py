"""Threads that decode the images of many requests and read them in batches that requests share.

Each thread does what is needed most: it runs a network if a batch is due, and otherwise decodes the next image. No
image is handed from a thread to another without need, and no more images are decoded at a time than there are threads.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from ctc_ocr.errors import InputError, RunError, UserError
from ctc_ocr.images.files import read_image
from ctc_ocr.images.preparation import channels_to_read
from ctc_ocr.runtime.threads import available_cores
from ctc_ocr.serving.jobs import Job, QueuedImage, Read, Upload
from ctc_ocr.serving.lanes import Lane
from ctc_ocr.serving.metrics import DECODING_IMAGE, DECODING_TEXT, NETWORK, WAITING, Metrics
from ctc_ocr.serving.models import ServedModel
from ctc_ocr.serving.refusals import busy
from ctc_ocr.serving.settings import Limits, Settings
from ctc_ocr.serving.timed_decoder import TimedDecoder

logger = logging.getLogger("ctc_ocr.serving")
Task = Callable[[], None]
UNEXPECTED = RunError("the image could not be read; the server's log says why")


class ReadingThreads:
    """Started by `start`, ended by `stop`; `submit` is for the thread of the event loop that called `start`."""

    def __init__(self, models: Sequence[ServedModel], limits: Limits, settings: Settings, metrics: Metrics) -> None:
        self._limits, self._metrics = limits, metrics
        count = settings.threads or available_cores()
        self._lanes = {each.name: Lane(each, settings.wait_ms / 1000, count if each.parallel else 1) for each in models}
        self._threads = [threading.Thread(target=self._work, name=f"reading {n}", daemon=True) for n in range(count)]
        self._changed = threading.Condition()
        # Under the condition's lock:
        self._encoded: deque[QueuedImage] = deque()
        self._stopping = False
        # Of the event loop's thread:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._count = 0
        metrics.queue.set_function(lambda: self._count)

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        for each in self._threads:
            each.start()

    def stop(self) -> None:
        """Read what was submitted, and end the threads."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for each in self._threads:
            each.join()

    def submit(self, model: ServedModel, uploads: Sequence[Upload], alternatives: int) -> Job:
        """Read images. Raises Refusal if the queue is full."""
        if self._count + len(uploads) > self._limits.max_queue:
            raise busy(f"the queue is full: {self._count} images; the maximum is {self._limits.max_queue}")
        job, now = Job(model, len(uploads), alternatives), time.perf_counter()
        images = [QueuedImage(job, index, upload, now) for index, upload in enumerate(uploads)]
        self._count += len(images)
        with self._changed:
            self._encoded += images
            self._lanes[model.name].coming += len(images)
            self._changed.notify(len(images))
        return job

    def abandon(self, job: Job) -> None:
        """Nobody waits for a job any more: what it has sent and is not decoded yet is forgotten."""
        with self._changed:
            job.abandoned = True
            for each in self._encoded:
                if each.job is job:
                    each.upload = None

    def _work(self) -> None:
        while task := self._next():
            task()

    def _next(self) -> Task | None:
        """What to do now, waiting for it; None at the end."""
        with self._changed:
            while True:
                task, seconds = self._chosen(time.perf_counter())
                if task is not None:
                    if self._encoded or self._seconds_to_batch() is not None:
                        self._changed.notify()  # more to do, or to wait for, for another thread
                    return task
                if self._stopping and not any(lane.coming for lane in self._lanes.values()):
                    self._changed.notify_all()
                    return None
                self._changed.wait(seconds)

    def _chosen(self, now: float) -> tuple[Task | None, float | None]:
        """(what to do now, or seconds until a batch may be due)."""
        for lane in self._lanes.values():
            if lane.seconds_to_batch(now) == 0:
                return partial(self._read, lane, lane.take(), now), None
        if self._encoded:
            return partial(self._prepare, self._encoded.popleft()), None
        return None, self._seconds_to_batch()

    def _seconds_to_batch(self) -> float | None:
        """Of the first batch that waits; None if no image does."""
        now = time.perf_counter()
        found = (lane.seconds_to_batch(now) for lane in self._lanes.values())
        return min((each for each in found if each is not None), default=None)

    def _prepare(self, image: QueuedImage) -> None:
        start = time.perf_counter()
        image.waited = start - image.since
        error: UserError | None = None
        if image.job.abandoned:
            error = InputError("abandoned")
        else:
            try:
                self._decode(image)
            except InputError as found:
                error = found
            except Exception:  # no image ends a thread
                logger.exception("an image could not be prepared")
                error = UNEXPECTED
        image.upload = None
        image.since = time.perf_counter()
        self._metrics.stages[DECODING_IMAGE].observe(image.since - start)
        lane = self._lanes[image.job.model.name]
        with self._changed:
            lane.coming -= 1
            if error is None:
                lane.add(image)
        if error is not None:
            image.outcome = error
            self._deliver([image])

    def _decode(self, image: QueuedImage) -> None:
        assert image.upload is not None
        predictor = image.job.model.predictor
        channels = channels_to_read(predictor.hyperparameters.data)
        pixels = read_image(image.upload.encoded(), "image", channels, self._limits.max_pixels)
        image.size = (pixels.shape[1], pixels.shape[0])
        image.prepared = predictor.prepare_placed(pixels)

    def _read(self, lane: Lane, images: list[QueuedImage], taken: float) -> None:
        live = [each for each in images if not each.job.abandoned]
        for each in live:
            self._metrics.stages[WAITING].observe(each.waited + taken - each.since)
        try:
            if live:
                self._predict(lane, live)
        except Exception as error:  # no batch ends a thread
            if not isinstance(error, UserError):
                logger.exception("a batch could not be read")
            for each in live:
                each.outcome = RunError(error.reason) if isinstance(error, UserError) else UNEXPECTED
        with self._changed:
            lane.running -= 1
        self._deliver(images)

    def _predict(self, lane: Lane, images: list[QueuedImage]) -> None:
        decoder = TimedDecoder.of(lane.decoder(images[0].job.alternatives))
        start = time.perf_counter()
        prepared, origins = zip(*(each.prepared for each in images if each.prepared is not None), strict=True)
        predictions = lane.model.predictor.predict_prepared(prepared, origins=origins, decoder=decoder)
        seconds = time.perf_counter() - start
        self._metrics.stages[DECODING_TEXT].observe(decoder.seconds)
        self._metrics.stages[NETWORK].observe(seconds - decoder.seconds)
        self._metrics.batches.labels(lane.model.name).observe(len(images))
        for image, prediction in zip(images, predictions, strict=True):
            image.outcome = Read(prediction, *image.size)

    def _deliver(self, images: list[QueuedImage]) -> None:
        """Once for each batch: waking the event loop takes longer than what it then does."""
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(self._finish, images)
        except RuntimeError:  # the loop was closed: nobody waits
            return

    def _finish(self, images: list[QueuedImage]) -> None:
        self._count -= len(images)
        for each in images:
            each.job.finish(each.index, each.outcome)
