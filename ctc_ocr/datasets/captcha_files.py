"""Captchas as image files: one, or a folder of them with labels.csv, which is a source of labelled images."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ctc_ocr.alphabet import pad_labels
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.registries import RENDERERS
from ctc_ocr.config.renderers import BatchRenderer
from ctc_ocr.config.sections import Data
from ctc_ocr.datasets.labels_csv import LABELS_FILE, write_labels
from ctc_ocr.errors import InputError, RunError, check_kind
from ctc_ocr.generation.pool import Arrays, ArraySpec, BatchPool
from ctc_ocr.generation.seeds import FILES, sample_generator
from ctc_ocr.rendering.factory import KINDS as BUILT_IN
from ctc_ocr.rendering.fonts import check_glyphs, find_fonts
from ctc_ocr.rendering.renderer import Renderer
from ctc_ocr.rendering.text import random_text
from ctc_ocr.runtime.home_folder import refuse_tilde
from ctc_ocr.runtime.progress import Progress, reporting

FORMATS = ("png", "jpg", "jpeg", "bmp", "tif", "tiff", "webp", "pgm")
LARGEST_GAP = 1024  # numbers that a call may lack which was interrupted: its processes write batches
MAX_FILES_PER_BATCH = 64  # few enough to stop soon, many enough to hide the cost of a job


class TextRenderer(Protocol):
    """Renders a text as an image (H, W) or (H, W, 3) RGB uint8; `ctc_ocr.Renderer` and the captcha library's do."""

    def render(self, text: str, generator: np.random.Generator) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class OneByOne:
    """Images as a network would read them in training: of a renderer of batches, which may have nothing else."""

    renderer: BatchRenderer
    data: Data

    def render(self, text: str, generator: np.random.Generator) -> NDArray[np.uint8]:
        """One image, (height, width) uint8; takes one seed from the generator."""
        image = np.empty((1, self.data.height, self.data.width), np.uint8)
        self.renderer.render_batch([text], generator.integers(0, 2**64, size=1, dtype=np.uint64), image)
        return np.asarray(image[0], np.uint8)


def refuse_arguments(count: int, num_proc: int, format: str) -> None:
    """Raises InputError for numbers below 1, and for a format that is not one of FORMATS."""
    check_kind("a text", format=format)
    check_kind("an integer", count=count, num_proc=num_proc)
    if format.lower() not in FORMATS:
        raise InputError(f"expected one of {', '.join(FORMATS)}, got {format!r}", "format")
    if count < 1 or num_proc < 1:
        raise InputError(f"expected a count and num_proc of 1 or more, got {count} and {num_proc}")


@dataclass(frozen=True)
class CaptchaWriter:
    """Writes captchas; captcha `index` depends on the writer's fields and on the index alone."""

    renderer: TextRenderer
    data: Data
    seed: int

    @classmethod
    def create(
        cls, data: Data, seed: int, font: str | Path | None = None, renderer: str = "captcha"
    ) -> "CaptchaWriter":
        """A writer of captchas of `data.width` and `data.height`. `font`: a file or a folder of fonts (None: the
        captcha package's font). `renderer`: "captcha" for the captcha library's, "fast", "wild", or a registered one's
        name. Images of "wild" and of classes derived from `ctc_ocr.Renderer` keep the sizes that they are drawn in.

        Raises InputError for values, names or fonts that cannot be used."""
        check_kind("an integer", seed=seed)
        check_kind("a path", or_none=True, font=font)
        check_kind("a text", renderer=renderer)
        Hyperparameters(data=data)  # checks the values
        fonts = find_fonts(font)
        made = RENDERERS.get(renderer)(fonts, data)
        if isinstance(made, Renderer):
            return cls(made, data, seed)
        if renderer not in BUILT_IN:
            return cls(OneByOne(made, data), data, seed)
        check_glyphs(fonts, data.alphabet)
        return cls(made, data, seed)

    def write(self, path: str | Path, text: str | None = None, index: int = 0) -> str:
        """Write an image file and return its text, which is random if none is given. Raises InputError for a name that
        ends in no known format, RunError if the file cannot be written."""
        check_kind("a path", path=path)
        path = Path(path)
        if path.suffix.lower().lstrip(".") not in FORMATS:
            raise InputError(f"the name must end in one of .{', .'.join(FORMATS)}", path)
        try:
            text, image = self.encoded(path.suffix, text, index)
            path.write_bytes(image)
        except RunError as error:
            raise error.within(path) from None
        except OSError as error:
            raise RunError(str(error.strerror), path) from None
        return text

    def encoded(self, suffix: str, text: str | None = None, index: int = 0) -> tuple[str, bytes]:
        """The text, which is random if none is given, and the image as a file of a format. `suffix`: such as ".png".
        Raises RunError for a format that OpenCV cannot write."""
        check_kind("a text", suffix=suffix)
        check_kind("a text", or_none=True, text=text)
        check_kind("an integer", index=index)
        if index < 0:
            raise InputError(f"expected 0 or more, got {index}", "index")
        if text == "":
            raise InputError("expected at least one character, got none", "text")
        generator = sample_generator(self.seed, FILES, index)
        if text is None:
            text = "".join(random_text(generator, self.data.alphabet, self.data.min_length, self.data.max_length))
        image = self.renderer.render(text, generator)
        if image.ndim == 3:
            image = np.ascontiguousarray(image[..., ::-1])  # OpenCV has BGR
        try:
            encoded, file = cv2.imencode(suffix, image)
        except cv2.error:  # a suffix that it does not know
            encoded = False
        if not encoded:
            raise RunError("OpenCV cannot write this format")
        return text, file.tobytes()

    def write_folder(
        self,
        folder: str | Path,
        count: int,
        format: str = "png",
        num_proc: int = 1,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> None:
        """Write 000000.png, ... and labels.csv, by `num_proc` processes; more than one do not change the images.

        With `overwrite`, the files that an earlier call wrote are removed first. Raises InputError for a folder that
        contains images or labels and for arguments that are not accepted, RunError if a file cannot be written.
        """
        refuse_arguments(count, num_proc, format)
        check_kind("a path", folder=folder)
        folder = Path(folder)
        _prepare(folder, overwrite)
        size = max(1, min(MAX_FILES_PER_BATCH, count // num_proc))
        batches = _FileBatches(self, folder, format, count, size)
        write_labels(folder / LABELS_FILE, reporting(batches.write_all(num_proc), count, progress))


@dataclass(frozen=True)
class _FileBatches:
    """Batches of image files. An image process returns their texts, as codes (N, max_length) padded with 0."""

    writer: CaptchaWriter
    folder: Path
    format: str
    count: int
    batch_size: int

    def specs(self) -> Mapping[str, ArraySpec]:
        return {"codes": ArraySpec((self.batch_size, self.writer.data.max_length), "int64")}

    def fill(self, number: int, arrays: Arrays) -> None:
        """Write the files of batch `number`."""
        alphabet = self.writer.data.alphabet
        texts = [text for _, text in self._write(number)]
        pad_labels([[alphabet.index(character) + 1 for character in text] for text in texts], arrays["codes"])

    def write_all(self, num_proc: int) -> Iterator[tuple[str, str]]:
        """Write all files; gives (name, text) of each, in order."""
        numbers = range(-(-self.count // self.batch_size))
        if num_proc == 1:
            for number in numbers:
                yield from self._write(number)
            return
        alphabet = np.array(["", *self.writer.data.alphabet])
        with BatchPool(self, min(num_proc, len(numbers)), numbers) as pool:
            for number, arrays in zip(numbers, pool, strict=True):
                texts = ["".join(alphabet[codes]) for codes in arrays["codes"]]
                yield from zip(map(self._name, self._indices(number)), texts, strict=False)

    def _write(self, number: int) -> list[tuple[str, str]]:
        rows = []
        for index in self._indices(number):
            name = self._name(index)
            rows.append((name, self.writer.write(self.folder / name, index=index)))
        return rows

    def _indices(self, number: int) -> Sequence[int]:
        return range(self.count)[number * self.batch_size : (number + 1) * self.batch_size]

    def _name(self, index: int) -> str:
        return f"{index:06d}.{self.format}"


def _prepare(folder: Path, overwrite: bool) -> None:
    """Make the folder. One with images or labels is refused, or the files of an earlier call are removed."""
    refuse_tilde(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        found = [path for path in folder.iterdir() if path.is_file() and _is_image_or_labels(path.name.lower())]
        if found and not overwrite:
            raise InputError(f"contains images or {LABELS_FILE}: use another folder, or --overwrite", folder)
        for path in _written(found):
            path.unlink()
    except OSError as error:
        raise InputError(f"not a folder that can be written to ({error.strerror})", folder) from None


def _is_image_or_labels(name: str) -> bool:
    """By the name of a file in lower case: a folder with `Labels.CSV` beside labels.csv could not be read."""
    return name == LABELS_FILE or Path(name).suffix.lstrip(".") in FORMATS


def _written(found: Sequence[Path]) -> list[Path]:
    """labels.csv, and the images that an earlier call has written: those that it lists, or without it all numbered
    ones, which an interrupted call left. None if the numbers are far apart: captchas that are named after their text.
    """
    labels = [path for path in found if path.name == LABELS_FILE]
    numbers = {path: int(path.stem) for path in found if re.fullmatch(r"\d{6,}\.\w+", path.name)}
    if labels:
        listed = _listed(labels[0])
        numbers = {path: number for path, number in numbers.items() if path.name in listed}
    dense = max(numbers.values(), default=0) < len(numbers) + LARGEST_GAP
    return labels + (list(numbers) if dense else [])


def _listed(path: Path) -> set[str]:
    """What the first column of a file of labels has; nothing of a file that cannot be read as one."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {row[0] for row in csv.reader(file) if row}
    except (csv.Error, UnicodeDecodeError):
        return set()
