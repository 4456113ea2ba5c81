"""Folders of 30 captchas in the layouts of other programs, all with the same labels."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from ctc_ocr import CaptchaWriter
from ctc_ocr.config.sections import Data

COUNT = 30
Labels = Mapping[str, str]  # {path of an image from the folder: its label}


def images(folder: Path, font: str, name: Callable[[int], str] = "word_{:03}.png".format) -> dict[str, str]:
    """Write captchas of three or four digits; returns {name: label}."""
    writer = CaptchaWriter.create(Data(min_length=3, max_length=4), seed=7, font=font)
    folder.mkdir(parents=True, exist_ok=True)
    return {name(number): writer.write(folder / name(number), index=number) for number in range(COUNT)}


def write_list(path: Path, labels: Labels, delimiter: str = "\t", prefix: str = "") -> Path:
    path.write_text("".join(f"{prefix}{name}{delimiter}{label}\n" for name, label in labels.items()), encoding="utf-8")
    return path


def write_json(path: Path, labels: Labels) -> Path:
    path.write_text(json.dumps(labels, indent=1), encoding="utf-8")
    return path


def write_texts(folder: Path, labels: Labels, suffix: str) -> None:
    for name, label in labels.items():
        (folder / f"{name.partition('.')[0]}{suffix}").write_text(f"{label}\n", encoding="utf-8")
