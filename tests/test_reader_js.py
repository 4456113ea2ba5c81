"""The reader in JavaScript reads what the package reads."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ctc_ocr
from ctc_ocr.checkpoint.starter import starter_onnx_path
from ctc_ocr.config.sections import Data
from ctc_ocr.rendering.wild import WildRenderer
from tests.models import save_line_model

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "reader_js"

PREPARED = """
import { readFile } from "node:fs/promises";
import { PNG } from "pngjs";
import { describe } from "./metadata.mjs";
import { prepare } from "./preparation.mjs";

const [model, ...paths] = process.argv.slice(2);
const { images } = describe(new Uint8Array(await readFile(model)));
for (const path of paths) {
  const { width, height, data } = prepare(PNG.sync.read(await readFile(path)), images);
  console.log(JSON.stringify({ width, height, levels: [...data] }));
}
"""

pytestmark = [
    pytest.mark.skipif(shutil.which("npm") is None, reason="Node.js is not installed"),
    pytest.mark.xdist_group("reader_js"),
]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, with what it needs installed."""
    folder = Path(shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("js") / "reader"))
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot install the runtime here: {done.stderr.strip().splitlines()[-1]}")
    return folder


def texts(reader: Path, model: Path, images: list[Path]) -> list[str]:
    command = ["node", "reader.mjs", str(model), *map(str, images)]
    done = subprocess.run(command, cwd=reader, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [line.partition(" ")[2] for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_it_reads_the_same_texts(reader: Path, tmp_path: Path, ubuntu_font: str) -> None:
    """Twenty images in colour, of sizes that are enlarged and reduced, some of them with light ink or transparent."""
    drawn = WildRenderer((ubuntu_font,), Data(alphabet="0123456789", channels=3, ink="auto"))
    generator = np.random.default_rng(5)
    images = []
    for number in range(20):
        image = Image.fromarray(drawn.render(f"{generator.integers(100, 99999)}", generator))
        factor = (0.4, 0.6, 1.0, 3.1)[number % 4]
        image = image.resize((max(1, round(factor * image.width)), max(1, round(factor * image.height))))
        if number % 5 == 4:
            image.putalpha(Image.linear_gradient("L").resize(image.size).point(lambda level: 128 + level // 2))
        images.append(tmp_path / f"{number}.png")
        image.save(images[-1])
    model = tmp_path / "starter.onnx"
    ctc_ocr.export_onnx("starter", model)
    predictor = ctc_ocr.Predictor(model, decoder=ctc_ocr.Decoder(views=1))  # the reader's
    expected = [each.text for each in predictor.predict(images)]
    assert len(set(expected)) > 15
    assert texts(reader, model, images) == expected


def test_images_are_prepared_to_the_bit(reader: Path, tmp_path: Path) -> None:
    """Enlarged and reduced in one direction or both, by little and by much."""
    images, generator = [], np.random.default_rng(7)
    for number, (width, height) in enumerate(((80, 30), (160, 60), (93, 41), (400, 39), (30, 200), (640, 360), (5, 3))):
        images.append(tmp_path / f"{number}.png")
        Image.fromarray(generator.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(images[-1])
    (reader / "prepared.mjs").write_text(PREPARED)
    command = ["node", "prepared.mjs", str(starter_onnx_path()), *map(str, images)]
    done = subprocess.run(command, cwd=reader, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    predictor = ctc_ocr.Predictor(starter_onnx_path())
    for line, path in zip(done.stdout.splitlines(), images, strict=True):
        found = json.loads(line)
        expected = predictor.prepare(path)
        np.testing.assert_array_equal(np.array(found["levels"]).reshape(found["height"], found["width"]), expected)


@pytest.mark.slow
def test_a_model_in_colour_and_rows(reader: Path, tmp_path: Path) -> None:
    save_line_model(tmp_path / "m", channels=3, ink="light")
    generator = np.random.default_rng(0)
    path = tmp_path / "a.png"
    Image.fromarray(np.where(generator.random((30, 80, 3)) < 0.3, 20, 240).astype(np.uint8)).save(path)
    ctc_ocr.export_onnx(tmp_path / "m", tmp_path / "m.onnx", images=[path])
    assert texts(reader, tmp_path / "m.onnx", [path]) == [ctc_ocr.Predictor(tmp_path / "m").read(path).text]


@pytest.mark.slow
def test_images_are_prepared_in_the_same_way_and_black_and_white_is_refused(reader: Path, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    colours = np.where(generator.random((80, 30, 3)) < 0.3, 20, 240)
    colours[:20] = np.where(generator.random((20, 30, 1)) < 0.9, 20, 240)
    colours += np.arange(30)[None, :, None] // 2  # a gradient
    path = tmp_path / "a.png"
    Image.fromarray(colours.astype(np.uint8)).save(path)
    greys = {each: {"grey": each} for each in ("max", "min", "unsaturated", "paper")}
    upper = {"top_edge": 0.0, "bottom_edge": 0.25, "ink": "auto"}  # dark paper, and light below
    prepared: dict[str, dict[str, Any]] = {"vertical": {"writing": "vertical"}, "upper": upper, **greys}
    for name, data in {**prepared, "binary": {"binarise": "otsu"}}.items():
        save_line_model(tmp_path / name, **data)
        ctc_ocr.export_onnx(tmp_path / name, tmp_path / f"{name}.onnx", images=[path])
    (reader / "prepared.mjs").write_text(PREPARED)
    for name in prepared:
        command = ["node", "prepared.mjs", str(tmp_path / f"{name}.onnx"), str(path)]
        done = subprocess.run(command, cwd=reader, capture_output=True, text=True, check=False)
        found, expected = json.loads(done.stdout), ctc_ocr.Predictor(tmp_path / name).prepare(path)
        np.testing.assert_array_equal(np.array(found["levels"]).reshape(found["height"], found["width"]), expected)
    command = ["node", "reader.mjs", str(tmp_path / "binary.onnx"), str(path)]
    done = subprocess.run(command, cwd=reader, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "binarise otsu is not implemented here" in done.stderr


def test_another_file_is_refused(reader: Path, tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"\x08\x08")
    done = subprocess.run(
        ["node", "reader.mjs", str(tmp_path / "a.onnx"), "x.png"],
        cwd=reader, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "its metadata does not describe it" in done.stderr
