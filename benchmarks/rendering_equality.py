"""Is a model that was trained on the fast renderer's images as good on the captcha library's as one trained on those?

For each seed a model is trained on images of each renderer, for as many samples, by the training command; then all read
the same images of the captcha library, which none has seen. Takes about a quarter of an hour.

    python benchmarks/rendering_equality.py [--seeds 3] [--epochs 4] [--images 20000] [--json FILE]
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

KINDS = ("fast", "captcha")
FONT = str(Path(__file__).resolve().parent.parent / "fonts" / "Ubuntu-M.ttf")
IMAGES_SEED = 20_000


def command(name: str, *arguments: object) -> str:
    """Run a subcommand of ctc-ocr and return what it printed."""
    words = [sys.executable, "-m", "ctc_ocr", name, *map(str, arguments)]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def accuracy(folder: Path, kind: str, seed: int, epochs: int) -> float:
    """Of a model that was trained with this renderer and seed, on the images in folder/images."""
    prefix = folder / f"{kind}-{seed}"
    command(
        "train", FONT, "--preset", "crnn", "--renderer", kind, "--seed", seed, "--num_epoch", epochs,
        "--validation_samples", 32, "--num_proc", 1, "--cpu", 1, "--prefix", prefix,
    )  # fmt: skip
    printed = command("infer", "--prefix", prefix, "--labels", folder / "images" / "labels.csv", folder / "images")
    return printed_accuracy(printed)


def printed_accuracy(printed: str) -> float:
    """From the last line that `ctc-ocr infer --labels` prints."""
    return float(re.findall(r"correct \(([\d.]+)\)", printed)[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command("generate", FONT, "--count", arguments.images, "--output_dir", folder / "images", "--seed", IMAGES_SEED)
        for seed in range(arguments.seeds):
            for kind in KINDS:
                found[kind].append(accuracy(folder, kind, seed, arguments.epochs))
                print(f"seed {seed}, trained on {kind}: {found[kind][-1]:.4f}", flush=True)
    means = {kind: statistics.mean(values) for kind, values in found.items()}
    difference = 100 * (means["fast"] - means["captcha"])
    print(f"means: fast {means['fast']:.4f}, captcha {means['captcha']:.4f}; difference {difference:+.2f} points")
    if arguments.json:
        arguments.json.write_text(json.dumps({"accuracies": found, "difference_points": difference}, indent=2) + "\n")


if __name__ == "__main__":
    main()
