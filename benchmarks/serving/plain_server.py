"""A plain server, as one is written in an hour: the same framework and model, one image at a time under a lock.

As a program: `python -m benchmarks.serving.plain_server MODEL PORT`.
"""

import sys
import threading
from typing import Any

import uvicorn
from fastapi import FastAPI, UploadFile

import ctc_ocr


def make_app(model: str) -> FastAPI:
    app, lock = FastAPI(), threading.Lock()
    predictor = ctc_ocr.Predictor(model)

    @app.post("/read")
    def read(image: UploadFile) -> dict[str, Any]:
        content = image.file.read()
        with lock:
            found = predictor.read(content)
        return {
            "text": found.text,
            "confidence": found.confidence,
            "character_confidence": found.character_confidence,
            "characters": found.characters,
        }

    return app


if __name__ == "__main__":
    uvicorn.run(make_app(sys.argv[1]), port=int(sys.argv[2]), log_level="warning", access_log=False)
