"""Values that are refused by a function alone, without a model or a run: what the message says."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ctc_ocr
from ctc_ocr.cli.main import main
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.datasets.csv_files.text import find_encoding
from ctc_ocr.datasets.pack_writing import refuse_pack, shard_counts
from ctc_ocr.datasets.partition import partition
from ctc_ocr.datasets.samples import Problem
from ctc_ocr.datasets.sources import open_source
from ctc_ocr.datasets.sources.labels_json import MAX_LABEL
from ctc_ocr.datasets.splitting import SplitOptions
from ctc_ocr.distributed.cluster import cluster_of
from ctc_ocr.distributed.server import serve_cluster
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.evaluation.calibration import Calibration
from ctc_ocr.experiments.folds import nested_subsets
from ctc_ocr.pages.fetching import SAMPLE_FILE, unpack, verify
from ctc_ocr.pages.reading_order import lines_of
from ctc_ocr.pages.scopes import ScopeOptions
from ctc_ocr.pages.tables import read_table
from ctc_ocr.registry import Registry
from ctc_ocr.rendering.factory import make_renderer

CLUSTER = {
    "DMLC_ROLE": "worker",
    "DMLC_PS_ROOT_URI": "127.0.0.1",
    "DMLC_PS_ROOT_PORT": "9000",
    "DMLC_NUM_WORKER": "2",
    "DMLC_NUM_SERVER": "1",
}
PARTS: Registry[str] = Registry("part", {"old": "built in"})

REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: SplitOptions((0.5, 0.2, 0.2)), "fractions: expected 3 fractions with the sum 1, got (0.5, 0.2, 0.2)"),
    (
        lambda: partition([[0, 1, 2], [3, 4, 5]], [2, 2, 0], np.random.default_rng(0)),
        "counts: duplicates stay together, so these counts were not met: use smaller ones, or another seed",
    ),
    (lambda: shard_counts(2, 3), "shards: more shards than the 2 samples"),
    (lambda: PARTS.add("old", "mine"), "the part 'old' is built in: choose another name"),
    (lambda: PARTS.add("a-b", "mine"), "'a-b' cannot name a part: expected letters, digits and underscores"),
    (lambda: ScopeOptions("word"), "scope: no scope 'word'; accepted: char, seq, line, page"),
    (lambda: lines_of(None, "rows"), "reading_order: no rule 'rows'; accepted: columns, simple"),  # type: ignore[arg-type]
    (lambda: make_renderer("slow", (), 1, 1, 1, 1), "unknown renderer 'slow'; accepted: fast, captcha"),
    (
        lambda: Calibration.from_dict({"slope": float("nan"), "offset": 0.0}),
        "calibration: expected finite numbers as slope and offset",
    ),
    (lambda: Calibration.from_dict({"slope": 0, "offset": 0.0}), "calibration: expected a slope above 0, got 0"),
    (
        lambda: Hyperparameters.from_dict({"data": {"channels": 3, "binarise": "otsu"}}),
        "hyperparameters: data.binarise: needs channels 1: black and white have no colour",
    ),
    (
        lambda: Hyperparameters.from_dict({"data": {"letterbox": True, "keep_ratio": True}}),
        "hyperparameters: data.letterbox: is for images of one size, and keep_ratio for images of many widths: use one "
        "of them",
    ),
    (
        lambda: Hyperparameters.from_dict({"data": {"top_edge": 0.5, "bottom_edge": 0.5}}),
        "hyperparameters: data.bottom_edge: bottom_edge must be at least 0.05 more than top_edge",
    ),
    (
        lambda: nested_subsets([0, 1], [b"a", b"b"], [3], 0),
        "sizes: expected subsets of 1 to 2 images, got 3",
    ),
    (
        lambda: ctc_ocr.preset("lstm", width={}, **{"num_epoch": 3}),  # type: ignore[arg-type]
        "num_epoch belongs to a section: training={'num_epoch': 3}",
    ),
    (lambda: ctc_ocr.RunOptions(gpu_ids=(1, 1)), "gpu_ids: expected different numbers from 0 on, got (1, 1)"),
    (lambda: ctc_ocr.RunOptions(gpu_ids="01"), "gpu_ids: expected a list, such as ['01'], got '01'"),  # type: ignore[arg-type]
    (lambda: ctc_ocr.evaluate("starter", 5), "source: expected a path, got 5"),  # type: ignore[arg-type]
    (lambda: ctc_ocr.evaluate("starter", [None]), "source: expected a path, got None"),  # type: ignore[list-item]
    (lambda: ctc_ocr.open_source(5), "source: expected a path, got 5"),  # type: ignore[arg-type]
    (lambda: ctc_ocr.LabelledImages(5), "source: expected a path or a list of paths; got 5"),  # type: ignore[arg-type]
    (
        lambda: ctc_ocr.LabelledImages("images", validation=5),  # type: ignore[arg-type]
        "validation: expected a path or a list of paths or None; got 5",
    ),
    (
        lambda: ctc_ocr.LabelledImages("images", choose="ink"),
        "choose: expected a list, such as ['ink'], got 'ink'",
    ),
    (
        lambda: Hyperparameters(training=ctc_ocr.Training(freeze="conv")),  # type: ignore[arg-type]
        "training.freeze: expected a list, such as ['conv'], got 'conv'",
    ),
    (
        lambda: Hyperparameters(network=ctc_ocr.Network(features="32")),  # type: ignore[arg-type]
        "network.features: expected a list, such as ['32'], got '32'",
    ),
    (
        lambda: ctc_ocr.export_onnx("starter", "starter.onnx", images="image.png"),
        "images: expected a list, such as ['image.png'], got 'image.png'",
    ),
    (
        lambda: ctc_ocr.TrainingSession(callbacks="name"),  # type: ignore[arg-type]
        "callbacks: expected a list of callbacks, got 'name'",
    ),
    (
        lambda: ctc_ocr.RunOptions(gpu=1, gpu_ids=(0,)),
        "gpu_ids: names the GPUs, and gpu their number: give one of the two",
    ),
    (lambda: ctc_ocr.RunOptions(num_proc=0), "num_proc: expected 1 or more, got 0"),
    (
        lambda: cluster_of({"DMLC_ROLE": "worker"}),
        "DMLC_PS_ROOT_PORT: not set; a training of several processes needs the environment variables DMLC_ROLE, "
        "DMLC_PS_ROOT_URI, DMLC_PS_ROOT_PORT, DMLC_NUM_WORKER, DMLC_NUM_SERVER",
    ),
    (
        lambda: cluster_of({**CLUSTER, "DMLC_ROLE": "boss"}),
        "DMLC_ROLE: expected scheduler, server, worker, got 'boss'",
    ),
    (
        lambda: cluster_of({**CLUSTER, "DMLC_NUM_WORKER": "two"}),
        "DMLC_NUM_WORKER: expected a number from 1 to 10000, got 'two'",
    ),
]


@pytest.mark.parametrize(("refuse", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_what_is_accepted_is_said(refuse: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError) as raised:
        refuse()
    assert str(raised.value) == message


def test_a_table_has_not_the_name_of_a_spreadsheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "readings.XLSX"
    assert main(["infer", "--model", "starter", "--out", str(out), "docs/sample.png"]) == 2
    said = f"{out}: no spreadsheet is written; expected a name such as readings.csv"
    assert capsys.readouterr().err == f"ctc-ocr infer: error: {said}\n"


def test_an_old_excel_file_is_known(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_bytes(b"\xd0\xcf\x11\xe0" + bytes(100))
    with pytest.raises(InputError, match=r"labels\.csv: an \.xls spreadsheet; accepted: a CSV file\. Open it and save"):
        find_encoding(table)


def test_a_pack_of_shards_does_not_take_the_name_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "pack").write_text("")
    with pytest.raises(
        InputError, match="pack: exists, so that the shards could not be read by this name: use another"
    ):
        refuse_pack(tmp_path / "pack", 2, overwrite=False)


HEADER = b"Unicode,Image,X,Y,Block ID,Char ID,Width,Height\r\n"


@pytest.mark.parametrize(
    ("content", "encoding", "message"),
    [
        (HEADER + b"\x81", None, "neither UTF-8, Shift-JIS nor CP932; name its encoding"),
        (HEADER + b"\xe9", "ascii", "not ascii"),
        (HEADER, "no such", "no encoding 'no such'; accepted: the names of Python's text encodings"),
    ],
)
def test_the_encoding_of_a_table_of_boxes(tmp_path: Path, content: bytes, encoding: str | None, message: str) -> None:
    table = tmp_path / "book_coordinate.csv"
    table.write_bytes(content)
    with pytest.raises(InputError) as raised:
        list(read_table(table, encoding))
    assert raised.value.reason == message


def test_a_label_of_json_that_is_far_too_long(tmp_path: Path) -> None:
    table = tmp_path / "labels.json"
    table.write_text(json.dumps({"a.png": "a" * (MAX_LABEL + 1)}))
    (problem,) = open_source(table)
    assert isinstance(problem, Problem)
    assert problem.reason == f"'a.png': the label has {MAX_LABEL + 1} characters; the maximum is {MAX_LABEL}"


def test_downloads_that_are_something_else(tmp_path: Path) -> None:
    """A file with another checksum, and an archive without pages."""
    archive = tmp_path / "book.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("readme.txt", "nothing")
    with pytest.raises(RunError, match=r"book\.zip: its SHA-256 is [0-9a-f]{64}; expected 0000"):
        verify(archive, "0" * 64)
    with pytest.raises(RunError, match=r"book\.zip: has no pages with boxes"):
        unpack(archive, tmp_path / "out", SAMPLE_FILE)


def test_a_worker_neither_serves_nor_does_a_server_train(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CLUSTER.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="DMLC_ROLE: expected server or scheduler; a worker trains"):
        serve_cluster()


def test_values_for_pages(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "book_coordinate.csv").write_bytes(HEADER)
    check = ["data", "check", str(tmp_path), "--scope", "char"]
    assert main([*check, "--charset", "kanji,elvish"]) == 2
    assert "--charset: no set of characters 'elvish'; accepted: hiragana, " in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main([*check, "--seq_length", "two"])
    assert "--seq_length: expected a number, or two such as 2-5, got 'two'" in capsys.readouterr().err
