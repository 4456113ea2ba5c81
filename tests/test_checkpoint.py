"""Model files: saved as a whole, loaded again the same, and explained when they are broken."""

import json
import os
import signal
import struct
import subprocess
import sys

import numpy as np
import pytest

from ctc_ocr.checkpoint import model_files, run_files, training_state
from ctc_ocr.checkpoint.params_file import read_params
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.runtime.mxnet import mx
from ctc_ocr.training.network import training_symbol
from tests.models import save_own_model


@pytest.fixture
def prefix(tmp_path):
    return tmp_path / "ocr"


def test_saved_model_is_loaded_again(prefix):
    hyperparameters, params = save_own_model(prefix, alphabet="abé", epoch=3)
    loaded = model_files.load(prefix)
    assert loaded.epoch == 3
    assert loaded.model is not None
    assert loaded.model.hyperparameters == hyperparameters
    assert loaded.model.alphabet.units == ("a", "b", "é")
    assert loaded.aux_params == {}
    assert loaded.arg_params.keys() == params.keys()
    for name, array in params.items():
        np.testing.assert_array_equal(loaded.arg_params[name].asnumpy(), array)
    # Other programs get the whole symbol, loss included.
    assert "label" in mx.sym.load(str(prefix.with_name("ocr-symbol.json"))).list_arguments()


def test_mxnets_own_loader_reads_it(prefix):
    _, params = save_own_model(prefix, epoch=12)
    symbol, arg_params, aux_params = mx.model.load_checkpoint(str(prefix), 12)
    assert "pred_fc_weight" in symbol.list_arguments()
    np.testing.assert_array_equal(arg_params["pred_fc_weight"].asnumpy(), params["pred_fc_weight"])
    assert aux_params == {}


def test_auxiliary_states_are_kept(prefix):
    save_own_model(prefix)
    loaded = model_files.load(prefix)
    assert loaded.model is not None
    mean = mx.nd.array([1.0, 2.0])
    model_files.save(
        prefix, 2, training_symbol(loaded.model), loaded.arg_params, {"bn_moving_mean": mean}, loaded.model
    )
    assert model_files.load(prefix).aux_params["bn_moving_mean"].asnumpy().tolist() == [1.0, 2.0]


def test_epochs_and_existing_files_are_those_of_the_prefix(tmp_path, prefix):
    assert run_files.epochs(prefix) == []
    assert run_files.existing_files(prefix) == []
    for epoch in (2, 10, 10000):
        save_own_model(prefix, epoch=epoch)
    training_state.save_training_state(prefix, 10, {}, {})
    others = ["ocr2-0001.params", "ocr-x-0004.params", "ocr-0005.params.tmp", "ocr-12.params", "ocr.txt"]
    for name in others:
        (tmp_path / name).touch()
    assert run_files.epochs(prefix) == [2, 10, 10000]
    assert model_files.load(prefix).epoch == 10000
    assert model_files.load(prefix, 2).epoch == 2
    assert {path.name for path in run_files.existing_files(prefix)} == {
        "ocr.json", "ocr-symbol.json", "ocr-0002.params", "ocr-0010.params", "ocr-0010.state.npz", "ocr-10000.params",
    }  # fmt: skip


def test_unknown_prefix_and_epoch(prefix, tmp_path):
    with pytest.raises(
        InputError, match=r"no model under this prefix: expected .*ocr-0001\.params or a later epoch"
    ) as raised:
        model_files.load(prefix)
    assert raised.value.where == str(prefix)
    with pytest.raises(InputError, match="no model under this prefix"):
        model_files.load(tmp_path / "no_folder" / "ocr")
    for epoch in (1, 2, 3, 7):
        save_own_model(prefix, epoch=epoch)
    with pytest.raises(InputError, match=r"no epoch 5 under this prefix; accepted: 1 to 3, 7, best, newest"):
        model_files.load(prefix, 5)


def test_truncated_params_are_an_error_at_every_length(prefix):
    _, params = save_own_model(prefix, hidden=2, width=4, height=3)
    path = prefix.with_name("ocr-0001.params")
    whole = path.read_bytes()
    read = read_params(path)
    assert {name.partition(":")[2] for name in read} == params.keys()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"ocr-0001\.params: broken parameters: the file is truncated"):
            read_params(path)
    with pytest.raises(InputError, match="truncated"):
        model_files.load(prefix)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 something else entirely, longer than a header",
        os.urandom(5000),
        struct.pack("<QQQ", 0x112, 0, 1 << 62),
        # One array of 2^31 rows and as many columns; one of 2^30 axes; a name of 2^60 bytes.
        struct.pack("<QQQIiiqqiii", 0x112, 0, 1, 0xF993FAC9, 0, 2, 1 << 31, 1 << 31, 1, 0, 0) + b"\0" * 64,
        struct.pack("<QQQIii", 0x112, 0, 1, 0xF993FAC9, 0, 1 << 30) + b"\0" * 64,
        struct.pack("<QQQQQ", 0x112, 0, 0, 1, 1 << 60),
        struct.pack("<QQQIiiqiii", 0x112, 0, 1, 0xF993FAC9, 0, 1, -1, 1, 0, 0) + b"\0" * 64,
        struct.pack("<QQQIi", 0x112, 0, 1, 0xF993FAC9, 1) + b"\0" * 64,
    ],
)
def test_garbage_params_are_an_error(prefix, content):
    save_own_model(prefix)
    prefix.with_name("ocr-0001.params").write_bytes(content)
    with pytest.raises(InputError, match=r"ocr-0001\.params: broken parameters"):
        model_files.load(prefix)


def test_flipped_bytes_raise_nothing_but_input_errors(prefix):
    save_own_model(prefix, hidden=2, width=4, height=3)
    path = prefix.with_name("ocr-0001.params")
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    errors = 0
    for _ in range(500):
        broken = bytearray(whole)
        for position in rng.integers(0, len(whole), size=4):
            broken[position] = rng.integers(0, 256)
        path.write_bytes(broken)
        try:
            read_params(path)
        except InputError:
            errors += 1
    assert errors > 100


@pytest.mark.parametrize("version", ["no magic", "64-bit shapes", "NumPy shapes"])
def test_params_of_other_mxnet_versions(tmp_path, version):
    """Files in the layouts of older versions; MXNet's own reader must agree."""
    values = np.arange(6, dtype="<f4")
    head = {
        "no magic": struct.pack("<III", 2, 2, 3),
        "64-bit shapes": struct.pack("<Iiqq", 0xF993FAC8, 2, 2, 3),
        "NumPy shapes": struct.pack("<Iiiqq", 0xF993FACA, 0, 2, 2, 3),
    }[version]
    array = head + struct.pack("<iii", 1, 0, 0) + values.tobytes()
    path = tmp_path / "old.params"
    path.write_bytes(struct.pack("<QQQ", 0x112, 0, 1) + array + struct.pack("<QQ", 1, 5) + b"arg:w")
    np.testing.assert_array_equal(read_params(path)["arg:w"], values.reshape(2, 3))
    if version != "NumPy shapes":  # MXNet reads those only in its NumPy mode
        np.testing.assert_array_equal(mx.nd.load(str(path))["arg:w"].asnumpy(), values.reshape(2, 3))


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "uint8", "int32", "int8", "int64", "bool"])
def test_every_type_of_array_is_read_as_mxnet_wrote_it(tmp_path, dtype):
    array = np.array([[0, 1, 1], [1, 0, 1]]).astype(dtype)
    mx.nd.save(str(tmp_path / "a.params"), {"arg:a": mx.nd.array(array, dtype=dtype)})
    found = read_params(tmp_path / "a.params")["arg:a"]
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_sparse_parameters_and_foreign_names_are_errors(prefix):
    save_own_model(prefix)
    path = str(prefix) + "-0001.params"
    mx.nd.save(path, {"arg:w": mx.nd.ones((3, 2)).tostype("row_sparse")})
    with pytest.raises(InputError, match="sparse"):
        model_files.load(prefix)
    mx.nd.save(path, {"weight": mx.nd.ones((3, 2))})
    with pytest.raises(InputError, match="'weight' is not the name of a parameter"):
        model_files.load(prefix)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["arg", "aux"])
def test_parameters_that_are_not_finite_are_an_error(prefix, value, kind):
    _, params = save_own_model(prefix)
    params["pred_fc_bias"][3] = value
    mx.nd.save(f"{prefix}-0001.params", {f"{kind}:{n}": mx.nd.array(a) for n, a in params.items()})
    with pytest.raises(InputError, match=r"ocr-0001\.params: pred_fc_bias has values that are not finite"):
        model_files.load(prefix)


def test_a_folder_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="x{300}: File name too long"):
        model_files.load(tmp_path / ("x" * 300) / "ocr")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 3}, "version 3 is not known; accepted: 1, 2"),
        ({"format": "another"}, "expected the format 'ctc_ocr model'"),
        ({"colour": 1}, "unknown or missing: colour"),
        ({"alphabet": {"a": 0}}, "codes of an alphabet"),
        ({"alphabet": {"a": "1"}}, r"must be an object \{unit: code\}"),
        ({"alphabet": ["a"]}, r"must be an object \{unit: code\}"),
        ({"hyperparameters": {"data": {"widht": 3}}}, "unknown key 'widht'"),
        ({"hyperparameters": {"network": {"num_hidden": "100"}}}, "expected int"),
        ({"hyperparameters": 5}, "expected an object"),
    ],
)
def test_bad_descriptions(prefix, change, message):
    save_own_model(prefix)
    path = prefix.with_name("ocr.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=rf"ocr\.json: .*{message}"):
        model_files.load(prefix)


@pytest.mark.parametrize("content", [b"", b"{", b"5", b"[]", b"\xff\xfe\x00"])
def test_files_that_are_not_descriptions(prefix, content):
    save_own_model(prefix)
    prefix.with_name("ocr.json").write_bytes(content)
    with pytest.raises(InputError, match=r"ocr\.json: not "):
        model_files.load(prefix)


def test_training_state_is_loaded_again(prefix):
    arrays = {"mean:w": np.arange(6, dtype=np.float32).reshape(2, 3), "steps": np.array(7)}
    values = {"epoch": 4, "best": 0.25, "name": "é", "nothing": None, "list": [1, 2]}
    training_state.save_training_state(prefix, 4, arrays, values)
    found, found_values = training_state.load_training_state(prefix, 4)
    assert found_values == values
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_broken_training_states_are_errors(prefix, tmp_path):
    with pytest.raises(InputError, match=r"ocr-0004\.state\.npz: No such file"):
        training_state.load_training_state(prefix, 4)
    training_state.save_training_state(prefix, 4, {"a": np.arange(100)}, {"b": 1})
    path = tmp_path / "ocr-0004.state.npz"
    whole = path.read_bytes()
    for content in (*(whole[:size] for size in range(0, len(whole), 7)), b"junk"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"ocr-0004\.state\.npz: broken training state"):
            training_state.load_training_state(prefix, 4)
    np.savez(path, a=np.array([{"a": "pickle"}], dtype=object))
    with pytest.raises(InputError, match="broken training state"):
        training_state.load_training_state(prefix, 4)
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(InputError, match="broken training state"):
        training_state.load_training_state(prefix, 4)


WRITER = """
import sys
from pathlib import Path
from ctc_ocr.checkpoint import model_files, run_files, training_state
from ctc_ocr.training.network import training_symbol
from tests.models import save_own_model
prefix = Path(sys.argv[1])
hyperparameters, _ = save_own_model(prefix, epoch=1)
loaded = model_files.load(prefix)
big = {"filler": model_files.mx.nd.ones((2_000_000,)), **loaded.arg_params}
print("ready", flush=True)
while True:
    model_files.save(prefix, 2, training_symbol(loaded.model), big, {}, loaded.model)
"""


def test_a_killed_writer_leaves_every_file_whole(prefix):
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(prefix)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    try:
        assert writer.stdout.readline() == b"ready\n"
        # Killed while a file is half-written: its temporary name is there.
        while not any(path.suffix == ".tmp" and ".params" in path.name for path in prefix.parent.iterdir()):
            assert writer.poll() is None
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
    for epoch in run_files.epochs(prefix):
        assert model_files.load(prefix, epoch).epoch == epoch
    assert 1 in run_files.epochs(prefix)
    # Temporary files belong to the run: the next one replaces or removes them.
    assert {path for path in prefix.parent.iterdir() if path.suffix == ".tmp"} < set(run_files.existing_files(prefix))


def test_an_epoch_that_cannot_be_written_leaves_the_older_file(prefix, tmp_path):
    save_own_model(prefix)
    loaded = model_files.load(prefix)
    before = (tmp_path / "ocr-0001.params").read_bytes()
    with pytest.raises(TypeError):
        training_state.save_training_state(prefix, 1, {}, {"bad": object()})
    assert loaded.model is not None
    (tmp_path / "ocr-0002.params").mkdir()
    (tmp_path / "ocr-0002.params" / "x").touch()
    with pytest.raises(RunError, match=r"ocr-0002\.params: cannot be written"):
        model_files.save(prefix, 2, training_symbol(loaded.model), loaded.arg_params, {}, loaded.model)
    with pytest.raises(RunError, match="cannot be written"):
        model_files.save(
            tmp_path / "no_folder" / "m", 1, training_symbol(loaded.model), loaded.arg_params, {}, loaded.model
        )
    assert (tmp_path / "ocr-0001.params").read_bytes() == before
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".tmp"]


def test_saved_files_have_ordinary_permissions(prefix):
    save_own_model(prefix)
    reference = prefix.with_name("reference")
    reference.touch()
    for path in run_files.existing_files(prefix):
        assert path.stat().st_mode == reference.stat().st_mode
