"""What a request is answered with, as JSON, and its schema."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field

from ctc_ocr.errors import UserError
from ctc_ocr.inference.prediction_json import as_json
from ctc_ocr.serving.jobs import Job, Read, Upload


class _Unit(BaseModel):
    unit: str
    probability: float | None = Field(description="The network's own, 0 to 1, not calibrated.")
    alternatives: list[tuple[str, float | None]] = Field(description="Other units there, with their probabilities.")


class Character(_Unit):
    """A unit of the text."""

    left: float | None = Field(description="Where it begins in the image, in pixels of its width.")
    right: float | None = Field(description="Where it ends.")


class VerticalCharacter(_Unit):
    """A unit of vertical text."""

    top: float | None = Field(description="Where it begins in the image, in pixels of its height.")
    bottom: float | None = Field(description="Where it ends.")


class Alternative(BaseModel):
    """One of the best texts of a beam search."""

    text: str
    log_probability: float | None = Field(description="Of the text, in nats; null for minus infinity.")


class Reading(BaseModel):
    """An image that was read."""

    image: str | None = Field(description="The name of its file, if that was sent.")
    text: str
    confidence: float | None = Field(description="Probability that the text is correct, 0 to 1.")
    character_confidence: float | None = Field(description="Geometric mean of the probability per unit, 0 to 1.")
    characters: list[Character | VerticalCharacter]
    alternatives: list[Alternative] = Field(
        default=[], description="The best texts, best first, if more than one was asked for."
    )
    width: int = Field(description="Of the image, in pixels.")
    height: int = Field(description="Of the image, in pixels.")


class Unreadable(BaseModel):
    """An image that could not be read."""

    image: str | None
    error: str = Field(description="Why it could not be read.")


class Answer(BaseModel):
    """The readings of a request's images, in their order."""

    model: str
    readings: list[Reading | Unreadable]


class RefusedAnswer(BaseModel):
    """Why a request was refused."""

    error: str


class ModelAnswer(BaseModel):
    """A model that requests can name."""

    name: str
    architecture: str
    alphabet: list[str]
    epoch: int
    format: str = Field(description="onnx, bundle or checkpoint")


class ModelsAnswer(BaseModel):
    """All models, that of `POST /read` first."""

    models: list[ModelAnswer]


class HealthAnswer(BaseModel):
    """Whether the server takes requests."""

    status: str = Field(description="ok, or stopping")


def answer(job: Job, uploads: Sequence[Upload]) -> tuple[int, bytes]:
    """(HTTP status, JSON) of a job that is done: 200 if an image was read, 422 if none could be, or 500 if that is
    not the images' fault."""
    readings = [_reading(upload.name, outcome) for upload, outcome in zip(uploads, job.outcomes, strict=True)]
    status = 200
    if not any(isinstance(each, Read) for each in job.outcomes):
        statuses = {each.exit_status for each in job.outcomes if isinstance(each, UserError)}
        status = 422 if statuses == {2} else 500
    return status, as_bytes({"model": job.model.name, "readings": readings})


def as_bytes(values: dict[str, Any]) -> bytes:
    return json.dumps(values, allow_nan=False, separators=(",", ":")).encode()


def _reading(name: str | None, outcome: Read | UserError | None) -> dict[str, Any]:
    if not isinstance(outcome, Read):
        return {"image": name, "error": outcome.reason if outcome else "not read"}
    found = as_json(outcome.prediction, alternatives=bool(outcome.prediction.alternatives))
    return {"image": name, **found, "width": outcome.width, "height": outcome.height}
