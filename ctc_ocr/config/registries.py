"""The names that tasks and the hyperparameters `architecture` and `renderer` can have. What they stand for is imported
late."""

from typing import Any

from ctc_ocr.registry import Registry

ARCHITECTURES: Registry[Any] = Registry(
    "architecture",
    {
        "lstm": "ctc_ocr.config.architectures:LSTM",
        "crnn": "ctc_ocr.config.architectures:CRNN",
        "cnn": "ctc_ocr.config.architectures:CNN",
    },
)
RENDERERS: Registry[Any] = Registry(
    "renderer",
    {
        "fast": "ctc_ocr.rendering.factory:make_fast",
        "captcha": "ctc_ocr.rendering.factory:make_captcha",
        "wild": "ctc_ocr.rendering.wild:make_wild",
        "old_japanese": "ctc_ocr.rendering.old_japanese:make_old_japanese",
    },
)
TASKS: Registry[Any] = Registry(
    "task",
    {
        "single_kana": "ctc_ocr.config.tasks:SINGLE_KANA",
        "single_character": "ctc_ocr.config.tasks:SINGLE_CHARACTER",
        "kana_sequence": "ctc_ocr.config.tasks:KANA_SEQUENCE",
        "line": "ctc_ocr.config.tasks:LINE",
    },
)
