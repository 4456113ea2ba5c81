"""The images of one request, on their way through the reading threads."""

import asyncio
import base64
import binascii
from dataclasses import dataclass, field
from typing import TypeAlias

from ctc_ocr.errors import InputError, UserError
from ctc_ocr.images.pixels import Pixels
from ctc_ocr.inference.places import Origin
from ctc_ocr.inference.prediction import Prediction
from ctc_ocr.serving.models import ServedModel


@dataclass(frozen=True)
class Upload:
    """An image as it was sent: encoded, or that in base64. `name`: of its file, if that was said."""

    name: str | None
    content: bytes | bytearray | str

    def encoded(self) -> bytes | bytearray:
        """The image file. Raises InputError if it is not base64."""
        if not isinstance(self.content, str):
            return self.content
        try:
            return base64.b64decode(self.content, validate=True)
        except (binascii.Error, ValueError):  # ValueError: characters that are not ASCII
            raise InputError("not base64") from None


@dataclass(frozen=True)
class Read:
    """A prediction and the size of its image, in pixels."""

    prediction: Prediction
    width: int
    height: int


Outcome: TypeAlias = Read | UserError


class Job:
    """The images of one request. `done` is set when each of them has an outcome; used by the event loop's thread alone,
    but for `abandoned`: images that nobody waits for any more are not read."""

    def __init__(self, model: ServedModel, count: int, alternatives: int) -> None:
        self.model, self.alternatives = model, alternatives
        self.outcomes: list[Outcome | None] = [None] * count
        self.remaining = count
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.abandoned = False

    def finish(self, index: int, outcome: Outcome) -> None:
        """An image's outcome."""
        self.outcomes[index] = outcome
        self.remaining -= 1
        if not self.remaining and not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        """Raise this where the job is waited for, unless it is done."""
        if not self.done.done():
            self.done.set_exception(error)


@dataclass(eq=False)
class QueuedImage:
    """One image of a job. `since`: when it came to where it waits now, in seconds; `waited`: before that."""

    job: Job
    index: int
    upload: Upload | None
    since: float
    waited: float = 0.0
    prepared: tuple[Pixels, Origin | None] | None = None
    size: tuple[int, int] = (0, 0)  # width, height
    outcome: Outcome = field(default_factory=lambda: InputError("not read"))

    @property
    def kind(self) -> tuple[int, int]:
        """Images of one kind can be in one batch."""
        assert self.prepared is not None
        return self.prepared[0].shape[1], self.job.alternatives
