"""docs/strip.png: captchas, with the texts that a model read in them. In a checkout:

ctc-ocr train fonts --preset crnn --num_epoch 2 --prefix runs/strip
ctc-ocr generate --count 12 --output_dir runs/strip_images --seed 2 --width 160 --height 60 fonts
python docs_tools/strip.py runs/strip runs/strip_images docs/strip.png
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import ctc_ocr

COLUMNS, GAP, TEXT_HEIGHT = 6, 12, 30
FONT = Path(__file__).resolve().parent.parent / "fonts" / "Ubuntu-M.ttf"


def main(model: str, folder: str, out: str) -> None:
    """The images of the folder in their order, none left out, each above its prediction."""
    paths = sorted(Path(folder).glob("*.png"))
    predictions = ctc_ocr.Predictor(model).predict(paths)
    images = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]
    height, width = images[0].shape
    rows = -(-len(paths) // COLUMNS)
    strip = np.full((rows * (height + TEXT_HEIGHT + GAP), COLUMNS * (width + GAP)), 255, np.uint8)
    canvas = Image.fromarray(strip)
    draw, font = ImageDraw.Draw(canvas), ImageFont.truetype(str(FONT), 20)
    for number, (image, prediction) in enumerate(zip(images, predictions, strict=True)):
        x, y = number % COLUMNS * (width + GAP) + GAP // 2, number // COLUMNS * (height + TEXT_HEIGHT + GAP)
        canvas.paste(Image.fromarray(image), (x, y))
        draw.text((x + width // 2, y + height + 2), prediction.text, fill=0, font=font, anchor="ma")
    canvas.quantize(32).save(out, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
