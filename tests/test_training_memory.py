"""The memory that a training with batches of many widths takes, in a process of its own."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parent.parent
LINES = 192  # twelve batches, of about as many widths; one epoch
LIMIT = 1900  # MB, with the network that calibrates at the end; with operators of its own for each width 2800
TRAINING = """
import resource, sys
from ctc_ocr import LabelledImages, preset, train

if __name__ == "__main__":
    settings = preset("line", training={"num_epoch": 1, "samples_per_epoch": 192, "schedule": "constant"})
    train(settings, LabelledImages(sys.argv[1]), sys.argv[2], num_proc=1, cpu=1, progress=False)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


SAVING = """
import sys
import numpy as np
from benchmarks.processes import pss
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint import model_files
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.config.presets import preset
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.training.network import training_symbol

model = Model(preset("crnn"), Alphabet(tuple("0123456789")))
symbol, weights = training_symbol(model), {"a": mx.nd.ones(1000)}
sizes = []
for number in range(3):
    for _ in range(100):
        model_files.save(sys.argv[1], 1, symbol, weights, {}, model)
    sizes.append(pss("self"))
print(sizes[2] - sizes[1])
"""


def draw_lines(folder: Path) -> Path:
    """A CSV file of lines of 20 to 70 letters, 300 to 1,200 pixels wide at the height of the preset."""
    generator, font = np.random.default_rng(0), ImageFont.load_default(size=28)
    with (folder / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        for number in range(LINES):
            length = 20 + 50 * number // LINES
            text = "".join(generator.choice(list("abcdefghijklmnoprstuvw"), length))
            image = Image.new("L", (30 + 17 * length, 40), 255)
            ImageDraw.Draw(image).text((10, 2), text, fill=0, font=font)
            image.save(folder / f"{number}.png")
            rows.writerow([f"{number}.png", text])
    return folder / "labels.csv"


@pytest.mark.slow
def test_checkpoints_leave_no_memory(tmp_path: Path) -> None:
    """A hundred of them: MXNet's default way to write a symbol leaks 6 MB."""
    command = [sys.executable, "-c", SAVING, str(tmp_path / "ocr")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 2**20


@pytest.mark.long
def test_lines_of_many_widths_are_trained_with_the_memory_of_one(tmp_path: Path) -> None:
    """Were the operators of each width kept, it would take twice as much."""
    labels = draw_lines(tmp_path)
    script = tmp_path / "training.py"
    script.write_text(TRAINING)
    command = [sys.executable, str(script), str(labels), str(tmp_path / "run" / "ocr")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert result.returncode == 0, result.stderr
    assert float(result.stdout.split()[-1]) < LIMIT
