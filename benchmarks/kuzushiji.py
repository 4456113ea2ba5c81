"""4,213 characters from Japanese fonts, tested on fonts that training has not seen:
`python -m benchmarks.kuzushiji DIR --fonts FOLDER --held_out FOLDER [--minutes 60]`.

Kana and the first kanji of JIS X 0208. Each font draws each character that it has once; the images of the test fonts
are distorted once, as training images are each time. The last of FOLDER's fonts is not trained with: a quarter of its
images is the validation. Packs that DIR has already are kept.

    python -m starter.fonts FOLDER --table benchmarks/japanese_fonts.csv --kind train
    python -m starter.fonts OTHER_FOLDER --table benchmarks/japanese_fonts.csv --kind test
"""

import argparse
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

import ctc_ocr
from benchmarks.common import figure, table
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.datasets.pack_writing import LabelledBytes, write_labelled_bytes
from ctc_ocr.images.augmentation import augment
from ctc_ocr.rendering.fonts import find_fonts
from ctc_ocr.rendering.old_japanese import draw_glyph

COUNT = 4_213
SEED_ERROR = 0.017  # that was reached on real characters, with copies of training images among the validation images
AUGMENTATION = {
    "augment": True, "max_rotation": 6.0, "max_scale": 0.12, "max_warp": 0.03, "max_shift": 0.06, "max_blur": 1.0,
    "max_noise": 10.0,
}  # fmt: skip
TRAIN, VALIDATION, TEST = "train", "validation", "test"
VALIDATED = 4  # one in so many characters


def characters(count: int = COUNT) -> str:
    """Hiragana, katakana and kanji in the order of JIS X 0208."""
    rows = [0x24, 0x25, *range(0x30, 0x75)]
    found = [bytes([row + 0x80, cell + 0x80]).decode("euc_jp", "ignore") for row in rows for cell in range(0x21, 0x7F)]
    return "".join(filter(None, found))[:count]


def draw(prefix: Path, fonts: Sequence[str], units: str, distortion: Hyperparameters | None) -> int:
    """Write a pack of each character in each font that has it; returns the number of images. `distortion`: that of
    test images, which are distorted here."""
    return write_labelled_bytes(prefix, _images(fonts, units, distortion), Alphabet(tuple(units)))


def _images(fonts: Sequence[str], units: str, distortion: Hyperparameters | None) -> Iterator[LabelledBytes]:
    for number, font in enumerate(fonts):
        for code, unit in enumerate(units, start=1):
            image = draw_glyph(font, unit)
            if image is None:
                continue
            if distortion is not None:
                image = augment(image, distortion.augmentation, np.random.default_rng([number, code]))
            yield [code], cv2.imencode(".png", image)[1].tobytes()


def settings(minutes: float, workers: int, samples: int) -> Hyperparameters:
    return ctc_ocr.preset(
        "kuzushiji", data={"letterbox": True}, augmentation=AUGMENTATION,
        training={
            "max_minutes": minutes, "workers": workers, "num_epoch": 100, "samples_per_epoch": samples, "keep": 1,
        },
    )  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.kuzushiji", description="Thousands of characters from fonts.")
    parser.add_argument("folder", type=Path, help="for the packs and the model; created if missing")
    parser.add_argument("--fonts", required=True, help="folder of the fonts of training")
    parser.add_argument("--held_out", required=True, help="folder of the fonts of the test")
    parser.add_argument("--characters", type=int, default=COUNT, help=f"how many (default: {COUNT})")
    parser.add_argument("--minutes", type=float, default=60, help="of training (default: 60)")
    parser.add_argument("--workers", type=int, default=1, help="training processes (default: 1)")
    parser.add_argument("--samples", type=int, default=20_000, help="images of an epoch (default: 20000)")
    options = parser.parse_args(argv)
    options.folder.mkdir(parents=True, exist_ok=True)
    units, chosen = characters(options.characters), settings(options.minutes, options.workers, options.samples)
    *fonts, validated = find_fonts(options.fonts)
    packs = {
        TRAIN: (fonts, units, None), VALIDATION: ([validated], units[::VALIDATED], chosen),
        TEST: (find_fonts(options.held_out), units, chosen),
    }  # fmt: skip
    for name, (files, some, distortion) in packs.items():
        if not (options.folder / f"{name}.json").exists():
            draw(options.folder / name, files, some, distortion)
    prefix = options.folder / "ocr"
    data = ctc_ocr.LabelledImages(
        str(options.folder / f"{TRAIN}.rec"), validation=str(options.folder / f"{VALIDATION}.rec"), max_invalid=1.0
    )
    start = time.monotonic()
    result = ctc_ocr.train(chosen, data, prefix, cpu=1, num_proc=1, init_from="none", overwrite=True)
    seconds = time.monotonic() - start
    evaluation = ctc_ocr.evaluate(prefix, options.folder / f"{TEST}.rec")
    classes = evaluation.result.classes
    assert classes is not None
    samples = len(result.history) * chosen.training.samples_per_epoch
    rows = [
        ["images of training", f"{len(fonts)} fonts"],
        ["images of the test", f"{evaluation.num_samples:,} of {len(find_fonts(options.held_out))} other fonts"],
        ["trained on", f"{samples:,} images in {len(result.history)} epochs, {seconds / 60:.0f} minutes"],
        ["speed", f"{figure(samples / seconds)} images/s, validation included"],
        ["error", f"{1 - (evaluation.accuracy or 0):.4f} (the article, on real ones with copies: {SEED_ERROR})"],
        ["error of five guesses", f"{1 - (classes.top_5.accuracy or 0):.4f}"],
        ["peak of memory", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB"],
    ]  # fmt: skip
    print(table(("what", f"{len(units):,} characters"), rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
