"""What is said of models that are damaged, or cannot do what is asked of them: their files, ONNX, reading, decoding."""

import json
import multiprocessing
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nltk.lm.counter
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import ctc_ocr
from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint import bundle
from ctc_ocr.checkpoint.model_files import load
from ctc_ocr.checkpoint.params_file import params_content
from ctc_ocr.checkpoint.stored_model import DESCRIPTION, PARTS
from ctc_ocr.cli.interpret import main as interpret
from ctc_ocr.decoding.language_model import LanguageModel
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.experiments.audit import audit_labels
from ctc_ocr.inference.activation_map import ActivationMaps
from ctc_ocr.inference.predictor import Predictor
from ctc_ocr.inference.reader_pool import ReaderPool
from ctc_ocr.inference.reading_process import Outcome, _load_and_tell
from tests.commands import run_here
from tests.models import save_example_model, save_own_model
from tests.servers import STARTER

SAMPLE = STARTER.parent.parent.parent / "docs" / "sample.png"
Arrays = dict[str, NDArray[Any]]


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A model of MXNet's example/ctc, which has no PREFIX.json."""
    save_example_model(str(tmp_path / "ocr"), "ctc", width=16, height=10, hidden=6)
    return tmp_path / "ocr"


# --- files ------------------------------------------------------------------------------------------------------------

TWO = params_content({"arg:a": np.ones(2, np.float32), "arg:b": np.ones(2, np.float32)})
WITHOUT_THE_LAST_NAME = TWO[:-13].replace(b"\x02" + bytes(7) + b"\x05", b"\x01" + bytes(7) + b"\x05")
BROKEN_PARAMS = {
    "a number alone": (params_content({"arg:a": np.array(1, np.float32)}), "an array without a shape"),
    "a name twice": (TWO.replace(b"arg:b", b"arg:a"), "2 arrays with 1 different names; expected one for each"),
    "a name too few": (WITHOUT_THE_LAST_NAME, "2 arrays with 1 different names; expected one for each"),
}


@pytest.mark.parametrize("name", BROKEN_PARAMS)
def test_broken_parameters(name: str, tmp_path: Path) -> None:
    content, said = BROKEN_PARAMS[name]
    save_own_model(tmp_path / "m")
    (tmp_path / "m-0001.params").write_bytes(content)
    with pytest.raises(InputError, match=rf"m-0001\.params: broken parameters: {said}$"):
        load(tmp_path / "m")


def test_a_symbol_that_slices_something_else(example: Path) -> None:
    path = Path(f"{example}-symbol.json")
    graph = json.loads(path.read_text(encoding="utf-8"))
    next(node for node in graph["nodes"] if node["name"] == "data")["name"] = "images"
    path.write_text(json.dumps(graph), encoding="utf-8")
    with pytest.raises(InputError, match=r"ocr-symbol\.json: does not slice `data` into time steps$"):
        Predictor(example)


@pytest.mark.parametrize("change", [lambda found: found.clear(), lambda found: found.update(l0_i2h_weight=np.ones(3))])
def test_parameters_of_neither_a_model_of_ours_nor_the_example(example: Path, change: Callable[[Arrays], None]) -> None:
    params: Arrays = {name: array.asnumpy() for name, array in load(example).arg_params.items()}
    change(params)
    kept = {f"arg:{name}": array.astype(np.float32) for name, array in params.items()}
    Path(f"{example}-0001.params").write_bytes(params_content(kept))
    with pytest.raises(
        InputError, match=r"ocr-0001\.params: has no matrix l0_i2h_weight; without .*ocr\.json, a model"
    ):
        Predictor(example)


def test_an_audit_needs_to_know_how_the_model_was_trained(example: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ocr: has no description \(PREFIX\.json\), which says how it was trained$"):
        audit_labels(example, tmp_path)


def test_a_part_that_is_too_large_for_a_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a smaller limit: the real ones are 1 MiB to 1 GiB."""
    save_own_model(tmp_path / "m")
    parts = [replace(part, max_bytes=1000) if part is DESCRIPTION else part for part in PARTS]
    monkeypatch.setattr(bundle, "PARTS", parts)
    with pytest.raises(InputError, match=r"m\.json: too large for a bundle: at most 1,000 bytes$"):
        ctc_ocr.bundle_model(tmp_path / "m", tmp_path / "m.zip")
    assert not (tmp_path / "m.zip").exists()


# --- reading ----------------------------------------------------------------------------------------------------------


def test_the_example_has_no_activation_maps(example: Path) -> None:
    with pytest.raises(InputError, match=r"ocr-0001\.params: a model of MXNet's example has no convolutions$"):
        ActivationMaps(load(example))


def test_an_onnx_model_is_interpreted_without_activation_maps(tmp_path: Path) -> None:
    Image.open(SAMPLE).save(tmp_path / "0089.png")
    done = run_here(interpret, tmp_path, "--model", str(STARTER), ".", "--out=found")
    said = f"no activation maps: {STARTER}: an ONNX model has none; the model that it was made of may\n"
    assert done.stderr.endswith(f"ctc-ocr interpret: {said}")
    assert done.returncode == 0
    assert json.loads((tmp_path / "found" / "interpretation.json").read_text(encoding="utf-8"))["num_samples"] == 1


def test_a_process_that_cannot_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the user's has the name of a module of the standard library."""
    (tmp_path / "queue.py").write_text("raise ImportError('not the queue that was looked for')\n", encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    before = set(multiprocessing.active_children())
    with pytest.raises(
        RunError, match="^a reading process could not start: ImportError: not the queue that was looked for$"
    ):
        ReaderPool(STARTER, 1)
    assert set(multiprocessing.active_children()) == before


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("1 / 0", "a reading process failed:\nTraceback .*\nZeroDivisionError: division by zero"),
        ("raise SystemExit('enough')", "a reading process failed: SystemExit: enough"),
    ],
)
def test_a_module_of_the_users_that_ends_a_reading_process(
    statement: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What such a process does first, with a module that is imported for an architecture of the user's."""
    (tmp_path / "ending_module.py").write_text(f"{statement}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    parent, child = multiprocessing.Pipe()
    with parent, child:
        assert _load_and_tell(child, 1, b"cending_module\nbuild\n.") is None  # the pickle of its function `build`
        outcome = parent.recv()
    assert isinstance(outcome, Outcome)
    assert (outcome.number, outcome.results) == (None, [])
    assert isinstance(outcome.error, RunError)
    assert re.fullmatch(said, outcome.error.reason, re.DOTALL)
    assert "ending_module" not in sys.modules


@pytest.mark.skipif(not hasattr(nltk.lm.counter, "MAX_NGRAMS"), reason="this nltk does not bound its memory")
def test_a_text_with_more_n_grams_than_nltk_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nltk.lm.counter, "MAX_NGRAMS", 30)
    (tmp_path / "text.txt").write_text("abcdefgh\nhgfedcba\n", encoding="utf-8")
    alphabet = Alphabet(tuple("abcdefgh"))
    LanguageModel.from_file(tmp_path / "text.txt", alphabet, 1)
    with pytest.raises(InputError, match="^the text is too large for a language model: .* limit of 30 distinct ngrams"):
        LanguageModel.from_file(tmp_path / "text.txt", alphabet, 5)
