"""Do two environments draw the same images? `python -m benchmarks.same_images PYTHON OTHER [--count N]`.

PYTHON and OTHER are interpreters, each with the package installed beside other releases of NumPy, Pillow, OpenCV or
Numba. Each renderer draws the same texts with the same seeds in both, and what the first renderer draws is augmented;
printed is how many images are the same to the byte, and how far the others are apart.
"""

import argparse
import importlib.metadata
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import FONT, table
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.registries import RENDERERS
from ctc_ocr.config.sections import Augmentation, Data
from ctc_ocr.images.augmentation import augment
from ctc_ocr.images.preparation import fit

ROOT = Path(__file__).resolve().parent.parent
KANA = str(ROOT / "fonts" / "kana" / "YujiSyuku-Kana.ttf")
PACKAGES = ("numpy", "pillow", "opencv-python-headless", "numba", "captcha")
HEIGHT, WIDTH = 60, 160
ALPHABETS = {"old_japanese": "あいうえおかきくけこ"}
DIGITS = "0123456789"


def drawn(count: int) -> dict[str, NDArray[np.uint8]]:
    """{what: images (N, H, W)} of this environment."""
    found = {}
    for name in RENDERERS.names():
        alphabet = ALPHABETS.get(name, DIGITS)
        data = Data(alphabet=alphabet, width=WIDTH, height=HEIGHT, renderer=name)
        generator = np.random.Generator(np.random.Philox(key=1))
        texts = ["".join(generator.choice(list(alphabet), size=4)) for _ in range(count)]
        images = np.zeros((count, HEIGHT, WIDTH), np.uint8)
        renderer = RENDERERS.get(name)((KANA if name in ALPHABETS else FONT,), data)
        renderer.render_batch(texts, np.arange(count, dtype=np.uint64), images)
        found[name] = images
    found["augmented"] = augmented(found["fast"])
    return found


def augmented(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Each image with all kinds of augmentation, (N, H, W)."""
    kinds = Augmentation(augment=True, max_warp=0.05, max_noise=10.0)
    settings = Hyperparameters(data=Data(width=WIDTH, height=HEIGHT), augmentation=kinds)
    generators = (np.random.Generator(np.random.Philox(key=number)) for number in range(len(images)))
    changed = [fit(augment(image, kinds, each), settings) for image, each in zip(images, generators, strict=True)]
    return np.stack(changed)


def draw_in(python: str, count: int, path: Path) -> str:
    """Draw in another environment, into a file; the releases of its packages."""
    command = [python, "-m", "benchmarks.same_images", "--draw", str(path), "--count", str(count)]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def releases() -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    return ", ".join([f"Python {version}", *(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)])


def compared(one: dict[str, NDArray[np.uint8]], other: dict[str, NDArray[np.uint8]]) -> list[list[str]]:
    """A row for each kind of image: how many are equal, pixels that differ of all, and the largest difference."""
    rows = []
    for name, images in one.items():
        apart = np.abs(images.astype(np.int16) - other[name].astype(np.int16))
        equal = int((apart.max(axis=(1, 2)) == 0).sum())
        rows.append([name, f"{equal} of {len(images)}", f"{(apart > 0).mean():.2e}", str(apart.max())])
    return rows


def main(argv: list[str] | None = None) -> int:
    """Exit status 1 if any image differs."""
    parser = argparse.ArgumentParser(prog="benchmarks.same_images", description="Two environments, the same images?")
    parser.add_argument("pythons", nargs="*", metavar="PYTHON", help="two interpreters")
    parser.add_argument("--count", type=int, default=500, help="images of each renderer (default: 500)")
    parser.add_argument("--draw", type=Path, metavar="FILE", help="draw in this environment, into FILE (.npz)")
    options = parser.parse_args(argv)
    if options.draw:
        np.savez(options.draw, **drawn(options.count))
        print(releases())
        return 0
    if len(options.pythons) != 2:
        parser.error("two interpreters are compared")
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for number, python in enumerate(options.pythons):
            path = Path(folder) / f"{number}.npz"
            print(draw_in(python, options.count, path), flush=True)
            with np.load(path) as file:
                found.append(dict(file))
    rows = compared(*found)
    print(table(("images", "the same", "pixels that differ", "by at most"), rows))
    return int(any(row[3] != "0" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
