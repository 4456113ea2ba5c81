"""What OpenAPI cannot know from the code: bodies that are read as they arrive, refusals, and the API key."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from ctc_ocr.serving.answers import Answer, RefusedAnswer

Responses = dict[int | str, dict[str, Any]]

_BINARY = {"schema": {"type": "string", "format": "binary"}}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One image or many. BMP, GIF, JPEG, PNG, PPM, TIFF or WebP.",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "description": "Each part is an image file, under any name.",
                    "properties": {"image": {"type": "array", "items": {"type": "string", "format": "binary"}}},
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["images"],
                    "properties": {
                        "images": {
                            "type": "array",
                            "minItems": 1,
                            "items": {"type": "string", "format": "byte", "description": "An image file in base64."},
                        }
                    },
                }
            },
            "application/octet-stream": _BINARY,
            "image/*": _BINARY,
        },
    }
}


def refused(*statuses: int) -> Responses:
    """The responses of requests that are refused, for OpenAPI."""
    return {status: {"model": RefusedAnswer, "description": DESCRIPTIONS[status]} for status in statuses}


DESCRIPTIONS = {
    400: "Bad parameters, or a body that is broken or has no image",
    401: "No API key, or another one",
    403: "A host that is not this server's, or a page of another site",
    404: "No such model",
    408: "The body did not arrive in time",
    413: "Too many bytes or images",
    415: "A content type that is not accepted",
    500: "The server failed",
    503: "Too much at once; header Retry-After",
}
READ: Responses = {
    200: {"model": Answer, "description": "At least one image was read"},
    422: {"model": Answer, "description": "No image could be read; the answer says why"},
    **refused(400, 401, 403, 408, 413, 415, 500, 503),
}


def describe(app: FastAPI) -> None:
    """Let the application's OpenAPI document name the API key."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )  # fmt: skip
            made["components"]["securitySchemes"] = {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            }
            made["security"] = [{}, {"bearer": []}, {"key": []}]  # whether it needs one, a server does not tell here
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
