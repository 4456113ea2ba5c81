"""Pictures with one line of small characters somewhere, drawn from a seed."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ctc_ocr.images.pixels import Pixels
from ctc_ocr.images.text_region import Box

WIDTH, HEIGHT = 640, 360
BACKGROUNDS = ("plain", "texture", "shapes")
ALPHABET = "0123456789ABCDEF"


def picture(seed: int, font: str, background: str = "plain", light: bool = False) -> tuple[Pixels, str, Box]:
    """(HEIGHT, WIDTH, 3) RGB, the text of 4 to 7 characters, 18 to 40 pixels high, and its box without a margin."""
    generator = np.random.default_rng(seed)
    text = "".join(generator.choice(list(ALPHABET), generator.integers(4, 8)))
    face = ImageFont.truetype(font, int(generator.integers(26, 50)))
    left, top, right, bottom = (round(each) for each in face.getbbox(text))
    x = int(generator.integers(20, WIDTH - (right - left) - 20))
    y = int(generator.integers(20, HEIGHT - (bottom - top) - 20))
    image = Image.fromarray(_background(generator, background, 60.0 if light else 190.0))
    ink = (240, 230, 200) if light else (20, 30, 60)
    ImageDraw.Draw(image).text((x - left, y - top), text, font=face, fill=ink)
    return np.array(image), text, Box(x, y, x + right - left, y + bottom - top)


def _background(generator: np.random.Generator, kind: str, level: float) -> Pixels:
    image = np.full((HEIGHT, WIDTH, 3), level + generator.uniform(-30, 30, 3), np.float32)
    if kind == "plain":
        return image.astype(np.uint8)
    for size in (1, 2, 4, 16, 64):  # noise of several scales
        noise = generator.normal(0, 6, (HEIGHT // size + 2, WIDTH // size + 2, 3)).astype(np.float32)
        image += cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    if kind == "shapes":
        for _ in range(8):
            middle = [int(each) for each in generator.integers(0, (WIDTH, HEIGHT))]
            axes = [int(each) for each in generator.integers(20, 150, 2)]
            colour = (level + generator.uniform(-50, 50, 3)).tolist()
            cv2.ellipse(image, middle, axes, int(generator.integers(180)), 0, 360, colour, -1, cv2.LINE_AA)
    return np.clip(image, 0, 255).astype(np.uint8)


def write_pictures(folder: Path, count: int, font: str, light: bool = False) -> None:
    """`count` pictures with a labels.csv."""
    folder.mkdir()
    rows = ["image,label"]
    for number in range(count):
        image, text, _ = picture(number, font, BACKGROUNDS[number % len(BACKGROUNDS)], light)
        Image.fromarray(image).save(folder / f"{number:03}.png")
        rows.append(f"{number:03}.png,{text}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
