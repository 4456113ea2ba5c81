"""What MXNet prints does not reach the stderr of a program that uses a Predictor."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from ctc_ocr.errors import InputError
from ctc_ocr.inference.predictor import Predictor
from tests.models import save_example_model, save_line_model, save_own_model
from tests.test_prediction import change_description

PROGRAM = """
import sys
from ctc_ocr.errors import InputError
from ctc_ocr.inference.predictor import Predictor
for prefix in sys.argv[2:]:
    try:
        predictor = Predictor(prefix)
        print(predictor.read(sys.argv[1]).text, *(each.text for each in predictor.predict([sys.argv[1]] * 3)))
    except InputError as error:
        print(error)
"""


def set_version(prefix, version):
    """Let a symbol say which MXNet wrote it; None: it does not say it, as before 0.9."""
    path = prefix.with_name(f"{prefix.name}-symbol.json")
    graph = json.loads(path.read_text())
    graph["attrs"] = {} if version is None else {"mxnet_version": ["int", version]}
    path.write_text(json.dumps(graph))


def test_stderr_is_empty(tmp_path):
    """Without any environment settings of the commands."""
    image = tmp_path / "image.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 40), dtype=np.uint8)).save(image)
    save_own_model(tmp_path / "own")
    save_line_model(tmp_path / "line")
    save_line_model(tmp_path / "bad")
    change_description(tmp_path / "bad", "data", height=40)
    good = ["own", "line"]
    for version in (None, 904, 10600, 10900, 20000):
        name = f"example{version}"
        save_example_model(str(tmp_path / name), "WarpCTC" if version == 904 else "ctc", width=16, height=10, hidden=8)
        set_version(tmp_path / name, version)
        good.append(name)
    prefixes = [str(tmp_path / name) for name in (*good, "bad")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MXNET_")}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(image), *prefixes],
        env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert ran.stderr == ""
    *lines, error = ran.stdout.splitlines()
    for name, line in zip(good, lines, strict=True):
        text = Predictor(tmp_path / name).read(image).text
        assert line.split(" ") == [text] * 4
    with pytest.raises(InputError, match="has the shape .*; the network needs") as raised:
        Predictor(tmp_path / "bad")
    assert error == str(raised.value)
