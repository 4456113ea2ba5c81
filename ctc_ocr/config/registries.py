"""The names that the hyperparameters `architecture` and `renderer` can have. What they stand for is imported late."""

from typing import Any

from ctc_ocr.registry import Registry

ARCHITECTURES: Registry[Any] = Registry(
    "architecture", {"lstm": "ctc_ocr.config.architectures:LSTM", "crnn": "ctc_ocr.config.architectures:CRNN"}
)
RENDERERS: Registry[Any] = Registry(
    "renderer",
    {
        "fast": "ctc_ocr.rendering.factory:make_fast",
        "captcha": "ctc_ocr.rendering.factory:make_captcha",
        "wild": "ctc_ocr.rendering.wild:make_wild",
    },
)
