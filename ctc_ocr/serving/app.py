"""The ASGI application: models behind HTTP."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Query
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ctc_ocr.errors import InputError, check_kind, list_of
from ctc_ocr.serving.answers import HealthAnswer, ModelsAnswer, as_bytes
from ctc_ocr.serving.docs_page import add_docs_page
from ctc_ocr.serving.gate import Gate
from ctc_ocr.serving.guard import Guard
from ctc_ocr.serving.metrics import Metrics
from ctc_ocr.serving.models import ServedModel
from ctc_ocr.serving.openapi import BODY, READ, describe, refused
from ctc_ocr.serving.refusals import Refusal
from ctc_ocr.serving.service import Service
from ctc_ocr.serving.settings import MAX_ALTERNATIVES, Limits, Settings
from ctc_ocr.serving.web_page import add_page
from ctc_ocr.version import __version__

Alternatives = Annotated[
    int,
    Query(ge=1, le=MAX_ALTERNATIVES, description="Texts for each image, best first; above 1 by a beam search."),
]


def make_app(models: Sequence[ServedModel], limits: Limits | None = None, settings: Settings | None = None) -> Gate:
    """An ASGI application that reads images with models (see `load_models`); the first one is that of `POST /read`.

    Its threads start and end with the lifespan that the ASGI server announces. Set `stopping` of what is returned
    before the server ends, so that connections end with their answers. The limit of connections is the ASGI server's.
    Raises InputError without a model.
    """
    models = list_of(ServedModel, models, "models")
    check_kind(Limits, or_none=True, limits=limits)
    check_kind(Settings, or_none=True, settings=settings)
    if not models:
        raise InputError("expected at least one model", "models")
    limits, settings, metrics = limits or Limits(), settings or Settings(), Metrics()
    service = Service(models, limits, settings, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.threads.start()
        yield
        await asyncio.to_thread(service.threads.stop)

    app = FastAPI(
        title="ctc_ocr", version=__version__, description="Reads the text in images.", lifespan=lifespan,
        docs_url=None, redoc_url=None, redirect_slashes=False,
    )  # fmt: skip
    gate = Gate(app, Guard(settings), metrics, settings.log_requests)
    _add_errors(app)
    _add_reading(app, service)
    _add_questions(app, service, gate)
    add_docs_page(app)
    add_page(app)
    describe(app)
    return gate


def _add_reading(app: FastAPI, service: Service) -> None:
    async def read(request: Request, alternatives: Alternatives = 1) -> Response:
        """Read one image or many with the first model."""
        return await service.read(service.first, request, alternatives)

    async def read_with(request: Request, name: str, alternatives: Alternatives = 1) -> Response:
        """Read one image or many with the model of this name."""
        return await service.read(service.model(name), request, alternatives)

    post: dict[str, Any] = {"methods": ["POST"], "response_class": Response, "openapi_extra": BODY}
    app.add_api_route("/read", read, responses=READ, **post)
    app.add_api_route("/models/{name}/read", read_with, responses={**READ, **refused(404)}, **post)


def _add_questions(app: FastAPI, service: Service, gate: Gate) -> None:
    async def health() -> Response:
        """Whether the server takes requests."""
        return _json({"status": "stopping" if gate.stopping else "ok"}, 503 if gate.stopping else 200)

    async def models() -> Response:
        """The models, that of `POST /read` first."""
        return _json({"models": [each.described() for each in service.models.values()]})

    async def metrics() -> Response:
        """Counters for Prometheus."""
        return Response(service.metrics.text(), media_type=service.metrics.media_type)

    stopping: dict[int | str, dict[str, Any]] = {503: {"model": HealthAnswer, "description": "It is stopping"}}
    app.add_api_route("/health", health, responses={200: {"model": HealthAnswer}, **stopping}, response_class=Response)
    app.add_api_route(
        "/models", models, responses={200: {"model": ModelsAnswer}, **refused(401, 403)}, response_class=Response
    )
    text: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
    app.add_api_route("/metrics", metrics, responses={**text, **refused(401, 403)}, response_class=Response)


def _add_errors(app: FastAPI) -> None:
    """Every answer that is an error has the same form."""

    async def of_refusal(_: Request, error: Refusal) -> Response:
        return _json({"error": error.reason}, error.status, error.headers)

    async def of_parameters(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return _json({"error": f"{first['loc'][-1]}: {first['msg']}"}, 400)

    async def of_routing(_: Request, error: HTTPException) -> Response:
        return _json({"error": str(error.detail)}, error.status_code, dict(error.headers or {}))

    async def of_failure(_: Request, __: Exception) -> Response:
        return _json({"error": "the server failed; its log says why"}, 500)

    handlers: dict[Any, Any] = {
        Refusal: of_refusal, RequestValidationError: of_parameters, HTTPException: of_routing, Exception: of_failure,
    }  # fmt: skip
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def _json(values: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(as_bytes(values), status, headers, "application/json")
