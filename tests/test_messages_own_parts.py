"""Messages about command-line values, parts of the user and use from Python, each provoked by what leads to it."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ctc_ocr
from ctc_ocr import mxnet as mx
from ctc_ocr.checkpoint.starter import starter_path
from ctc_ocr.cli.main import main
from ctc_ocr.config.registries import ARCHITECTURES
from ctc_ocr.datasets.sources import read_source
from ctc_ocr.datasets.sources.registered import SOURCES
from ctc_ocr.errors import InputError
from ctc_ocr.inference.reader_pool import ReaderPool
from ctc_ocr.losses import warpctc
from ctc_ocr.symbols.summary import describe_network
from tests.models import save_own_model
from tests.test_contract import network
from tests.training_runs import SMALL

# --- values on the command line ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flag", "reason"),
    [
        ("--gpu_ids=1,x", "expected integers separated by commas, got '1,x'"),
        ("--features=8,", "expected integers separated by commas, got '8,'"),
        ("--freeze=conv0,,conv1", "expected names separated by commas, got 'conv0,,conv1'"),
    ],
)
def test_lists_that_are_none(flag: str, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train", flag])
    assert ended.value.code == 2
    assert f"error: {flag.partition('=')[0]}: {reason}" in capsys.readouterr().err


@pytest.fixture
def _imports_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A module that is imported adds its folder to the path."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    sources = dict(SOURCES._parts)
    yield
    SOURCES._parts = sources


@pytest.mark.usefixtures("_imports_as_before")
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("import ctc_ocr\n1 / 0\n", "ZeroDivisionError: division by zero (own_mistake.py, line 2)"),
        ("raise RuntimeError('not today')\n", "RuntimeError: not today (own_mistake.py, line 1)"),
        ("import ctc_ocr\nx = = 1\n", "line 2: invalid syntax"),
    ],
)
def test_a_module_of_the_user_with_a_mistake(
    content: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "own_mistake.py"
    path.write_text(content, encoding="utf-8")
    assert main(["train", f"--import={path}"]) == 2
    assert capsys.readouterr().err == f"ctc-ocr train: error: --import {path}: {reason}\n"
    assert "own_mistake" not in sys.modules


# --- parts of the user ------------------------------------------------------------------------------------------------

OWN_SOURCE = """
import ctc_ocr
from ctc_ocr.datasets.samples import Sample
from ctc_ocr.datasets.sources import read_source

@ctc_ocr.register_source("{name}")
def rows(argument, options):
    return [{row}]
"""


@pytest.mark.usefixtures("_imports_as_before")
@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("'1.png'", "own_wrong_7:: a source must give Sample and Problem objects, got str"),
        (
            "Sample('1.png', '12', 'row 1')",
            "row 1: the units of a sample must be a tuple of str, got '12'",
        ),
    ],
)
def test_a_source_that_gives_something_else(
    row: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"own_source_{len(row)}.py"
    path.write_text(OWN_SOURCE.format(name=f"own_wrong_{len(row)}", row=row), encoding="utf-8")
    assert main(["data", "check", f"--import={path}", f"own_wrong_{len(row)}:"]) == 2
    assert f"error: {reason}\n" in capsys.readouterr().err
    with pytest.raises(InputError) as error:
        read_source(f"own_wrong_{len(row)}:")
    assert str(error.value) == reason


def masked(images: Any, hyperparameters: Any, num_classes: int, steps: Any = None) -> Any:
    """As `network`, with nothing after the steps of each image."""
    logits = network(images, hyperparameters, num_classes, name="before")
    kept = mx.sym.SequenceMask(logits, sequence_length=steps, use_sequence_length=True)
    return mx.sym.FullyConnected(kept, num_hidden=num_classes, flatten=False, name="pred_fc")


@pytest.mark.parametrize(
    ("build", "needs_steps", "reason"),
    [
        (
            network,
            True,
            "does not use steps, so that padding could change what is read. Make it ignore what follows the steps of "
            "each image; if padding cannot matter, register it with needs_steps=False; or set keep_ratio to false",
        ),
        (masked, False, "uses steps, but is registered with needs_steps=False"),
        (network, False, ""),
        (masked, True, ""),
    ],
)
def test_networks_keep_their_word_about_steps(build: Any, needs_steps: bool, reason: str) -> None:
    try:
        ctc_ocr.register_architecture("of_messages", columns_per_step=2, needs_steps=needs_steps)(build)
        settings = replace(
            SMALL,
            data=replace(SMALL.data, keep_ratio=True),
            network=replace(SMALL.network, architecture="of_messages"),
        )
        if not reason:
            assert "pred_fc" in describe_network(settings, 3, 8)
            return
        with pytest.raises(InputError) as error:
            describe_network(settings, 3, 8)
        assert str(error.value) == f"architecture of_messages: {reason}"
    finally:
        ARCHITECTURES._parts.pop("of_messages", None)


def test_a_loss_of_logits_and_labels_that_do_not_fit(capfd: pytest.CaptureFixture[str]) -> None:
    """MXNet passes the error on as its own and prints ours."""
    symbol = warpctc.loss(mx.sym.var("data"), mx.sym.var("label"))
    assert symbol.infer_shape(data=(6, 3, 4), label=(3, 2))[1] == [(3,)]
    with pytest.raises(mx.base.MXNetError):
        symbol.infer_shape(data=(6, 3, 4), label=(2, 2))
    said = "warpctc: expected logits (T, N, C) and label (N, L), got shapes [6, 3, 4] and [2, 2]"
    assert said in capfd.readouterr().out


# --- Python -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("image", ["a.png", Path("a.png"), b"\x89PNG"])
def test_one_image_in_place_of_a_list(image: Any, tmp_path: Path) -> None:
    save_own_model(tmp_path / "ocr")
    predictor = ctc_ocr.Predictor(tmp_path / "ocr")
    with pytest.raises(InputError, match="^images: expected a list of images; `read` takes one image$"):
        predictor.predict(image)
    assert predictor.predict([]) == []


def test_a_pool_that_is_closed_reads_no_more() -> None:
    with ReaderPool(starter_path().with_suffix(".onnx"), 1) as pool:
        pids = pool.process_ids
        assert len(pids) == 1
    with pytest.raises(InputError, match="^ReaderPool: is closed: make a new one$"):
        next(pool.predict(["a.png"]))
    assert pool.process_ids == []
