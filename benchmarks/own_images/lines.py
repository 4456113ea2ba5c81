"""Lines of text as pictures, in the fonts and sizes that are given."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from fontTools.ttLib import TTFont
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

HEADER = ("image", "label")


class Style(NamedTuple):
    """A font file and its size in pixels."""

    font: str
    size: int


def characters(font: str) -> set[str]:
    """What a font has glyphs for."""
    with TTFont(font) as opened:
        return {chr(code) for code in opened.getBestCmap()}


def render(text: str, style: Style, generator: np.random.Generator) -> NDArray[np.uint8]:
    """One line, (H, W) uint8: dark ink on light paper, with a random margin, levels, blur and noise as of a scan."""
    font = ImageFont.truetype(style.font, style.size, layout_engine=ImageFont.Layout.BASIC)
    ascent, descent = font.getmetrics()
    left, right, above, below = generator.integers(1, max(2, style.size // 3), 4).tolist()
    width = int(font.getlength(text)) + left + right
    image = Image.new("L", (width, ascent + descent + above + below), 255)
    ImageDraw.Draw(image).text((left, above), text, font=font, fill=0)
    ink, paper = generator.uniform(10, 90), generator.uniform(190, 250)
    levels = ink + (paper - ink) / 255 * np.asarray(image, np.float32)
    sigma = generator.uniform(0.0, style.size / 30)
    if sigma > 0.1:
        levels = cv2.GaussianBlur(levels, (0, 0), sigma)
    levels += generator.normal(0, generator.uniform(0, 8), levels.shape)
    return np.clip(levels, 0, 255).astype(np.uint8)


def write(folder: Path, texts: Iterable[str], styles: Sequence[Style], seed: int) -> int:
    """A folder of lines with labels.csv, each in one of the styles that have its characters; returns how many."""
    known = {style.font: characters(style.font) for style in styles}
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    rows: list[tuple[str, str]] = []
    for text in texts:
        able = [style for style in styles if set(text) <= known[style.font]]
        if able:
            name = f"{len(rows):06}.png"
            image: Any = render(text, able[int(generator.integers(len(able)))], generator)
            Image.fromarray(image).save(folder / name)
            rows.append((name, text))
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([HEADER, *rows])
    return len(rows)


def compose(words: Sequence[str], generator: np.random.Generator, longest: int) -> str:
    """A line of words with numbers, punctuation and capitals, of a third of `longest` to `longest` characters."""
    length, line = int(generator.integers(longest // 3, longest + 1)), ""
    while True:
        word = _word(words, generator)
        if line and len(line) + 1 + len(word) > length:
            break
        line = f"{line} {word}" if line else word
    return line[:longest].strip() + str(generator.choice(["", "", "", ".", ",", "-"]))


def _word(words: Sequence[str], generator: np.random.Generator) -> str:
    kind = generator.random()
    if kind < 0.04:
        return str(generator.integers(1, 2000))
    word = words[int(generator.integers(len(words)))]
    if kind < 0.08:
        word = word.capitalize()
    if kind < 0.1:
        return f"({word})"
    return word + str(generator.choice([""] * 16 + [",", ",", ".", ";", ":", "!", "?"]))
