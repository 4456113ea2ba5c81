"""A model in one file: read as from its own files, the same bytes each time, and refused if it is anything else."""

import io
import json
import os
import resource
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ctc_ocr
from ctc_ocr.checkpoint import history
from ctc_ocr.checkpoint.archive import Archive, archive_content
from ctc_ocr.checkpoint.bundle import LIMITS, Bundle
from ctc_ocr.checkpoint.bundling import bundle_model
from ctc_ocr.checkpoint.calibration_file import calibration_path, save_calibrations
from ctc_ocr.checkpoint.stored_model import HISTORY
from ctc_ocr.cli.bundle import main
from ctc_ocr.cli.evaluate import main as evaluate
from ctc_ocr.cli.infer import main as infer
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.evaluation.calibration import Calibration
from ctc_ocr.inference.predictor import Predictor
from tests.models import chosen, save_example_model, save_own_model
from tests.reading_commands import write_history

ROOT = Path(__file__).resolve().parent.parent
IMAGES = list(np.random.default_rng(0).integers(0, 256, (5, 10, 16), dtype=np.uint8))


@pytest.fixture
def prefix(tmp_path):
    """A run with two epochs, the first of which is the best and calibrated."""
    (tmp_path / "run").mkdir()
    prefix = tmp_path / "run" / "ocr"
    for epoch in (1, 2):
        save_own_model(prefix, epoch=epoch, seed=epoch)
    write_history(prefix, {1: 0.1, 2: 0.2})
    save_calibrations(prefix, {1: chosen(Calibration(0.5, -1.0)), 2: chosen(Calibration(0.25, 0.0))})
    return prefix


def test_a_bundle_is_read_like_the_model_it_was_made_of(prefix, tmp_path):
    epochs: tuple[tuple[Any, int], ...] = ((None, 1), (2, 2), ("newest", 2))
    for epoch, expected in epochs:
        path = tmp_path / "away" / f"{epoch}.zip"
        assert bundle_model(prefix, path, epoch) == expected
        own, carried = Predictor(prefix, expected), Predictor(path)
        assert carried.predict(IMAGES) == own.predict(IMAGES)
        assert carried.calibration == own.calibration is not None
        assert (carried.prefix, carried.epoch) == (str(path), expected)
        assert Predictor(path, expected).epoch == Predictor(carried.prefix, carried.epoch).epoch == expected
        stored = Bundle.open(path).read(HISTORY)
        assert stored is not None
        assert stored.decode().splitlines()[1].startswith(f"{expected},64,")
    assert sorted(each.name for each in prefix.parent.iterdir()) == [
        "ocr-0001.params", "ocr-0002.params", "ocr-calibration.json", "ocr-history.csv", "ocr-symbol.json", "ocr.json",
    ]  # fmt: skip


def test_the_bytes_depend_on_the_model_alone(prefix, tmp_path):
    bundle_model(prefix, tmp_path / "a.zip")
    for file in prefix.parent.iterdir():
        file.rename(file.with_name(file.name.replace("ocr", "other", 1)))
        os.utime(file.with_name(file.name.replace("ocr", "other", 1)), (0, 0))
    bundle_model(prefix.parent, tmp_path / "b.zip")
    bundle_model(tmp_path / "a.zip", tmp_path / "c.zip")
    contents = {(tmp_path / f"{name}.zip").read_bytes() for name in "abc"}
    assert len(contents) == 1
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == [
            "bundle.json", "model.json", "symbol.json", "model.params", "calibration.json", "history.csv"
        ]  # fmt: skip
        assert {each.date_time for each in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        metadata = json.loads(archive.read("bundle.json"))
    assert metadata == {"format": "ctc_ocr bundle", "version": 1, "epoch": 1}


def test_a_checkpoint_of_mxnets_example_and_a_model_without_calibration(tmp_path):
    save_example_model(str(tmp_path / "old"), "WarpCTC", width=16, height=10, hidden=8, epoch=3)
    assert bundle_model(tmp_path / "old", tmp_path / "old.zip") == 3
    assert Predictor(tmp_path / "old.zip").predict(IMAGES) == Predictor(tmp_path / "old-0003.params").predict(IMAGES)
    with zipfile.ZipFile(tmp_path / "old.zip") as archive:
        assert archive.namelist() == ["bundle.json", "symbol.json", "model.params"]
    with pytest.raises(InputError, match=r"old\.zip/model\.json: missing: it has the model's alphabet"):
        ctc_ocr.train(ctc_ocr.preset("lstm"), None, tmp_path / "new", init_from=tmp_path / "old.zip", num_proc=1, cpu=1)


def test_an_archive_that_was_packed_again_and_compressed_is_read(prefix, tmp_path):
    bundle_model(prefix, tmp_path / "a.zip")
    with (
        zipfile.ZipFile(tmp_path / "a.zip") as archive,
        zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as again,
    ):
        for name in reversed(archive.namelist()):
            again.writestr(name, archive.read(name))
    assert Predictor(tmp_path / "b.zip").predict(IMAGES) == Predictor(prefix).predict(IMAGES)


def test_a_folder_with_one_bundle_names_it_and_a_run_comes_first(prefix, tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="0 models in this folder"):
        Predictor(tmp_path / "folder")
    bundle_model(prefix, tmp_path / "folder" / "a.zip")
    assert Predictor(tmp_path / "folder").prefix == str(tmp_path / "folder" / "a.zip")
    with pytest.raises(InputError, match=r"b: no model under this prefix: .*there are: .*folder/a\.zip$"):
        Predictor(tmp_path / "folder" / "b")
    bundle_model(prefix, prefix.parent / "a.zip")
    assert Predictor(prefix.parent).prefix == str(prefix)
    bundle_model(prefix, tmp_path / "folder" / "b.zip")
    with pytest.raises(InputError, match=r"2 models in this folder: .*a\.zip, .*b\.zip; expected one"):
        Predictor(tmp_path / "folder")


def test_commands_take_a_bundle_wherever_they_take_a_model(prefix, tmp_path, capsys, ubuntu_font):
    assert main(["--model", str(prefix), str(tmp_path / "a.zip")]) == 0
    size = (tmp_path / "a.zip").stat().st_size
    assert capsys.readouterr().out == f"{tmp_path / 'a.zip'}: epoch 1, {size:,} bytes\n"
    assert main(["--model", str(prefix), str(tmp_path / "a.zip")]) == 2
    assert "a.zip: exists already: replace it with --overwrite" in capsys.readouterr().err
    assert main(["--model", str(prefix), str(tmp_path / "a.zip"), "--epoch=2", "--overwrite"]) == 0
    assert ": epoch 2, " in capsys.readouterr().out
    from ctc_ocr.cli.generate import main as generate

    assert generate(["--count=3", f"--output_dir={tmp_path / 'exam'}", "--seed=1", ubuntu_font]) == 0
    capsys.readouterr()
    read = []
    for model in (["--model", str(tmp_path / "a.zip")], ["--model", str(prefix), "--epoch=2"]):
        assert infer([*model, "--json", str(tmp_path / "exam")]) == 0
        read.append(capsys.readouterr().out)
    assert read[0] == read[1]
    assert evaluate([str(tmp_path / "a.zip"), str(tmp_path / "exam"), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["model"], figures["epoch"]) == (str(tmp_path / "a.zip"), 2)
    assert infer(["--model", str(tmp_path / "a.zip"), "--epoch=1", str(tmp_path / "exam")]) == 2
    assert "this is epoch 2, and epoch 1 was asked for: a bundle has only one" in capsys.readouterr().err


@pytest.mark.slow
def test_training_starts_from_a_bundle(prefix, tmp_path, ubuntu_font, caplog):
    bundle_model(prefix, tmp_path / "a.zip")
    caplog.set_level("INFO", logger="ctc_ocr")
    weights = []
    for number, start in enumerate((tmp_path / "a.zip", prefix, f"{prefix}-0001.params")):
        out = str(tmp_path / f"new{number}")
        settings = ctc_ocr.preset(
            "lstm", data={"width": 16, "height": 10, "min_length": 1, "max_length": 2, "renderer": "captcha"},
            network={"num_hidden": 6},
            training={"num_epoch": 1, "samples_per_epoch": 8, "validation_samples": 8, "batch_size": 8},
        )  # fmt: skip
        ctc_ocr.train(settings, ctc_ocr.Captchas(ubuntu_font), out, init_from=start, num_proc=1, cpu=1)
        weights.append(Path(f"{out}-0001.params").read_bytes())
    assert f"Starting from {tmp_path / 'a.zip' / 'model.params'}: copied: " in caplog.text
    assert weights[0] == weights[1] == weights[2]


def test_what_is_not_overwritten_and_not_bundled(prefix, tmp_path):
    for out, said in (
        ("a.txt", r"expected the name of a \.zip file"),
        (f"{prefix}-0001.params", r"expected the name of a \.zip file"),
    ):
        with pytest.raises(InputError, match=said):
            bundle_model(prefix, tmp_path / out, overwrite=True)
    bundle_model(prefix, tmp_path / "a.zip")
    before = (tmp_path / "a.zip").read_bytes()
    with pytest.raises(InputError, match="is a file of the model itself"):
        bundle_model(tmp_path / "a.zip", tmp_path / "." / "a.zip", overwrite=True)
    with pytest.raises(InputError, match="exists already"):
        bundle_model(prefix, tmp_path / "a.zip", 2)
    assert (tmp_path / "a.zip").read_bytes() == before
    (prefix.with_name("ocr-0002.params")).write_bytes(b"junk")
    with pytest.raises(InputError, match=r"ocr-0002\.params: broken parameters"):
        bundle_model(prefix, tmp_path / "b.zip", 2)
    calibration_path(prefix).write_text("[]")
    with pytest.raises(InputError, match=r"ocr-calibration\.json: expected an object"):
        bundle_model(prefix, tmp_path / "b.zip")
    assert not (tmp_path / "b.zip").exists()


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"symbol.json": None}, "not the bundle of a model: it lacks symbol.json"),
        ({"bundle.json": None, "model.params": None}, "it lacks bundle.json, model.params"),
        ({"../evil.py": b"x"}, "an unexpected member '../evil.py'; expected: bundle.json, model.json"),
        ({"/etc/passwd": b"x"}, "an unexpected member '/etc/passwd'"),
        ({"run.py": b"x"}, "an unexpected member 'run.py'"),
        ({"folder/": b""}, "an unexpected member 'folder/'"),
        ({"bundle.json": b"5"}, r"a\.zip/bundle\.json: not the bundle of a model: expected the format"),
        ({"bundle.json": b"{"}, r"a\.zip/bundle\.json: not JSON"),
        ({"bundle.json": b'{"format": "ctc_ocr bundle", "version": 2, "epoch": 1}'}, "version 2 is not known"),
        ({"bundle.json": b'{"format": "ctc_ocr bundle", "version": 1}'}, "expected the keys format, version and epoch"),
        ({"bundle.json": b'{"format": "ctc_ocr bundle", "version": 1, "epoch": -1}'}, "expected the keys"),
        ({"model.params": b"junk"}, r"a\.zip/model\.params: broken parameters"),
        ({"model.json": b"{}"}, r"a\.zip/model\.json: not the description of a model"),
        ({"calibration.json": b"[]"}, r"a\.zip/calibration\.json: expected an object"),
    ],
)
def test_an_archive_with_other_contents_is_refused(prefix, tmp_path, change, said):
    bundle_model(prefix, tmp_path / "a.zip")
    changed = members(tmp_path / "a.zip") | change
    content = archive_content({name: each for name, each in changed.items() if each is not None})
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(InputError, match=said) as error:
        Predictor(tmp_path / "a.zip")
    assert str(error.value).count(str(tmp_path / "a.zip")) == 1


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive at all, but long enough to have an end of a directory"])
def test_a_file_that_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.zip: not a zip archive"):
        Predictor(tmp_path / "a.zip")


def test_a_file_that_is_no_bundle_is_told_what_is_a_model(prefix):
    for name in ("ocr.json", "ocr-symbol.json", "ocr-history.csv"):
        with pytest.raises(InputError, match=rf"{name}: not a model: expected the prefix of a model's files"):
            Predictor(prefix.with_name(name))


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_and_encryption_are_refused(prefix, tmp_path, kind):
    bundle_model(prefix, tmp_path / "a.zip")
    content = members(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "b.zip", "w", kind) as archive:
        for name, each in content.items():
            archive.writestr(name, each)
    with pytest.raises(InputError, match="compressed in another way than deflate"):
        Predictor(tmp_path / "b.zip")
    encrypted = bytearray((tmp_path / "a.zip").read_bytes())
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "c.zip").write_bytes(encrypted)
    with pytest.raises(InputError, match="is encrypted"):
        Predictor(tmp_path / "c.zip")


def bomb(path, compressed, declared):
    """200 MiB of zeros as parameters, in 200 KiB. `compressed` and `declared` are what the archive says of their
    sizes, unless they are None."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bundle.json", '{"format": "ctc_ocr bundle", "version": 1, "epoch": 1}')
        archive.writestr("symbol.json", "{}")
        with archive.open("model.params", "w") as member:
            for _ in range(200):
                member.write(bytes(2**20))
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"PK\x01\x02")
    for offset, said in ((20, compressed), (24, declared)):
        if said is not None:
            content[entry + offset : entry + offset + 4] = struct.pack("<I", said)
    path.write_bytes(content)


LITTLE_MEMORY = """
import resource, sys
from ctc_ocr.checkpoint.bundle import Bundle
from ctc_ocr.checkpoint.stored_model import PARAMS
from ctc_ocr.errors import InputError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    Bundle.open(sys.argv[1]).read(PARAMS)
except InputError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, "KiB", file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("compressed", "declared", "said"),
    [
        (None, None, "model.params would have 209,715,200 bytes; accepted are at most"),
        (50_000_000, None, "model.params would be longer than the file"),
        (None, 9_000_000, "a broken zip archive: Bad CRC-32 for file 'model.params'"),
    ],
)
def test_a_bomb_is_refused_without_memory(tmp_path, compressed, declared, said):
    bomb(tmp_path / "a.zip", compressed, declared)
    done = subprocess.run(
        [sys.executable, "-c", LITTLE_MEMORY, str(tmp_path / "a.zip")],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert said in done.stdout, done.stderr
    grown = int(done.stderr.split()[0])
    assert grown < (20_000 if declared is None else 60_000)


def test_a_directory_of_any_size_is_not_read(tmp_path):
    """A million names cost a hundred times their size in memory."""
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        for number in range(2000):
            archive.writestr(f"{number}", b"")
    (tmp_path / "a.zip").write_bytes(many.getvalue())
    with pytest.raises(InputError, match="with a large directory"):
        Bundle.open(tmp_path / "a.zip")
    commented = archive_content({"bundle.json": b"{}"})[:-2] + b"\x02\x00xx"
    (tmp_path / "a.zip").write_bytes(commented)
    with pytest.raises(InputError, match="not a zip archive"):
        Bundle.open(tmp_path / "a.zip")
    duplicate = io.BytesIO()
    with zipfile.ZipFile(duplicate, "w") as archive:
        archive.writestr("bundle.json", "{}")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("bundle.json", "{}")
    (tmp_path / "a.zip").write_bytes(duplicate.getvalue())
    with pytest.raises(InputError, match="each once"):
        Bundle.open(tmp_path / "a.zip")


def test_flipped_bytes_and_truncation_raise_nothing_but_input_errors(prefix, tmp_path):
    bundle_model(prefix, tmp_path / "a.zip")
    whole, path = (tmp_path / "a.zip").read_bytes(), tmp_path / "b.zip"
    rng, errors = np.random.default_rng(0), 0
    names = members(tmp_path / "a.zip")
    positions = [*rng.integers(0, len(whole), 300), *range(len(whole) - 500, len(whole))]
    for position in positions:
        broken = bytearray(whole)
        broken[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(broken)
        try:
            archive = Archive(path, LIMITS)
            # What is read is what was written: the checksums hold.
            assert {name: archive.read(name) for name in archive.names} == {n: names[n] for n in archive.names}
        except InputError:
            errors += 1
    assert errors > 500
    for size in range(0, len(whole), 1009):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"b\.zip"):
            Bundle.open(path)


def test_a_full_disk_leaves_the_older_bundle(prefix, tmp_path):
    bundle_model(prefix, tmp_path / "a.zip")
    before = (tmp_path / "a.zip").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(RunError, match=r"a\.zip: cannot be written: File too large"):
            bundle_model(prefix, tmp_path / "a.zip", 2, overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "a.zip").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def test_a_history_has_only_the_row_of_the_epoch():
    rows = [history.Row(number, 64, 1.0, 0.1, 1.0, 0.5, 0.5, 1.0, 0.5, 0.1) for number in (1, 2)]
    content = history._content(rows)
    assert history.row_of_epoch(content, Path("h.csv"), 2) == history._content(rows[1:])
    assert history.row_of_epoch(content, Path("h.csv"), 3) is None


def test_names_of_members_without_end_do_not_fill_the_error(tmp_path):
    """zipfile tells both names of a member if they differ."""
    name = 30_000 * "a"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name, "")
    content = (tmp_path / "a.zip").read_bytes().replace(b"aa", b"ba", 1)  # of its first name, and not of its time
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(InputError) as error:
        Archive(tmp_path / "a.zip", {}, others=100).read(name)
    assert len(str(error.value)) < 500
