"""The binding to libwarpctc, how the library is found, and the operators beside the plain loss."""

import logging
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ctc_ocr.alphabet import required_steps_of_batch
from ctc_ocr.errors import InputError, RunError
from ctc_ocr.losses import warpctc, warpctc_library
from ctc_ocr.losses.warpctc_library import NAME, WarpCTC, find, load
from ctc_ocr.runtime.host_memory import host_view
from ctc_ocr.runtime.mxnet import mx
from tests.reference_ctc import batch_loss, central_differences

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def library():
    return load()


def arguments(labels, steps=6, classes=4, input_lengths=None, seed=0):
    """Logits, flat labels, label lengths and input lengths of labels given as lists."""
    logits = np.random.default_rng(seed).normal(size=(steps, len(labels), classes)).astype(np.float32)
    flat = np.array([code for label in labels for code in label], np.int32)
    lengths = np.array([len(label) for label in labels], np.int32)
    return [logits, flat, lengths, np.array(input_lengths or [steps] * len(labels), np.int32)]


# The binding


def test_loss_and_gradient_of_mixed_lengths(library):
    labels, lengths = [[1, 2], [], [3, 3], [1, 1, 1, 1]], [6, 3, 5, 6]
    given = arguments(labels, input_lengths=lengths)
    padded = np.array([label + [0] * (4 - len(label)) for label in labels])
    loss, gradient = library.loss_and_gradient(*given)
    np.testing.assert_allclose(loss, batch_loss(given[0], padded, lengths), rtol=1e-5)
    expected = central_differences(lambda logits: batch_loss(logits, padded, lengths).sum(), given[0], 1e-4)
    np.testing.assert_allclose(gradient, expected, atol=1e-5)
    np.testing.assert_array_equal(library.loss(*given), loss)


def test_another_blank(library):
    logits, labels, lengths, steps = arguments([[1, 2], [3, 3, 1]])
    expected = library.loss_and_gradient(logits, labels, lengths, steps)
    moved = np.ascontiguousarray(np.roll(logits, -1, axis=2))
    loss, gradient = library.loss_and_gradient(moved, labels - 1, lengths, steps, blank=3)
    np.testing.assert_allclose(loss, expected[0], rtol=1e-6)
    np.testing.assert_allclose(np.roll(gradient, 1, axis=2), expected[1], atol=1e-6)


def test_threads_change_nothing(library):
    given = arguments([[1, 2], [3], [2, 2], [1]] * 5)
    one, two = library.loss_and_gradient(*given, threads=1), library.loss_and_gradient(*given, threads=2)
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])


def test_gradient_is_written_where_asked_and_nothing_is_left_of_what_was_there(library):
    given = arguments([[1, 1, 1, 1], [2], []], input_lengths=[6, 2, 0])
    out = np.full(given[0].shape, np.nan, np.float32)
    loss, gradient = library.loss_and_gradient(*given, out=out)
    assert gradient is out
    assert np.isfinite(out).all()
    assert not out[:, 0].any()
    assert not out[2:, 1].any()
    assert not out[:, 2].any()
    np.testing.assert_array_equal(loss == 0, [True, False, True])


def test_long_label(library):
    """Longer than the 639 codes that warp-ctc's GPU code takes."""
    label = np.random.default_rng(0).integers(1, 4, 1000).tolist()
    loss, gradient = library.loss_and_gradient(*arguments([label], steps=2000))
    assert np.isfinite(loss[0])
    np.testing.assert_allclose(gradient.sum(axis=2), 0, atol=1e-2)


BAD = {
    "float64 logits": (0, lambda a: a.astype(np.float64), "logits"),
    "logits of two axes": (0, lambda a: a[0], "logits"),
    "logits in another order": (0, lambda a: np.asfortranarray(a), "logits"),
    "a view with gaps": (0, lambda a: np.repeat(a, 2, axis=2)[:, :, ::2], "logits"),
    "no steps": (0, lambda a: a[:0], "logits"),
    "a list": (0, lambda a: a.tolist(), "logits"),
    "code of no class": (1, lambda a: a * 0 + 4, "labels"),
    "negative code": (1, lambda a: a * 0 - 1, "labels"),
    "blank within a label": (1, lambda a: a * 0, "labels"),
    "too few codes": (1, lambda a: a[:-1], "labels"),
    "too many codes": (1, lambda a: np.append(a, a), "labels"),
    "int64 codes": (1, lambda a: a.astype(np.int64), "labels"),
    "negative length": (2, lambda a: np.array([4, -1], np.int32), "label_lengths"),
    "lengths that overflow": (2, lambda a: np.full(2, 2**31 - 1, np.int32), "label_lengths"),
    "too few lengths": (2, lambda a: a[:1], "label_lengths"),
    "more steps than there are": (3, lambda a: a + 1, "input_lengths"),
    "negative steps": (3, lambda a: a * 0 - 1, "input_lengths"),
    "float steps": (3, lambda a: a.astype(np.float32), "input_lengths"),
}


@pytest.mark.parametrize("case", BAD)
def test_refuses_what_the_library_would_read_wrongly(library, case):
    position, spoil, name = BAD[case]
    given = arguments([[1, 2], [3]])
    given[position] = spoil(given[position])
    with pytest.raises(InputError, match=f"^{name}: expected|^{name}: the blank"):
        library.loss_and_gradient(*given)


@pytest.mark.parametrize(
    ("option", "value"), [("blank", 4), ("blank", -1), ("threads", -1), ("out", np.zeros((6, 2, 3), np.float32))]
)
def test_refuses_options_out_of_range(library, option, value):
    with pytest.raises(InputError, match=f"^{option}: expected"):
        library.loss_and_gradient(*arguments([[1, 2], [3]]), **{option: value})


def test_failure_is_raised_with_the_librarys_own_text(library):
    """Status 2 is what the library itself gives for a batch of 0 samples, which the checks keep from it."""
    status = library._library.get_workspace_size(1, 1, 0, 0, warpctc_library._Options(), 1)
    with pytest.raises(RunError, match=r"warp-ctc: invalid value \(status 2\)"):
        library._raise_for(status)


def test_required_steps():
    labels = [[1, 1], [1], [], [1, 2, 1], [2, 2, 2]]
    _, flat, lengths, _ = arguments(labels)
    np.testing.assert_array_equal(required_steps_of_batch(flat, lengths), [3, 1, 0, 3, 5])
    np.testing.assert_array_equal(required_steps_of_batch(flat[:0], lengths[2:3]), [0])


# How the library is found


@pytest.fixture
def compiled(monkeypatch):
    """The real library's file, with WARPCTC_PATH unset."""
    monkeypatch.delenv("WARPCTC_PATH", raising=False)
    return warpctc_library._in_paddle_wheel()[0]


def test_extra_is_found_without_importing_it(compiled):
    script = (
        "import sys; from ctc_ocr.losses.warpctc_library import find, load; print(*find(), sep='|'); load();"
        "assert 'paddle' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == f"{compiled}|the extra warpctc"


def test_systems_loader_comes_before_the_extra(compiled, tmp_path):
    shutil.copy(compiled, tmp_path / NAME)
    script = "from ctc_ocr.losses.warpctc_library import find; print(*find(), sep='|')"
    environment = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path), "DYLD_LIBRARY_PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True, env=environment
    )
    assert done.stdout.strip() == f"{NAME}|the system's loader"


@pytest.mark.parametrize("given", ["lib.so.1", f"build/{NAME}", NAME])
def test_variable_names_a_file_or_a_build_tree(compiled, tmp_path, monkeypatch, given):
    file = tmp_path / given
    file.parent.mkdir(exist_ok=True)
    shutil.copy(compiled, file)
    monkeypatch.setenv("WARPCTC_PATH", str(file if given == "lib.so.1" else tmp_path))
    assert find() == (str(file), "WARPCTC_PATH")
    assert load().loss(*arguments([[1]])) > 0


def test_path_given_comes_before_the_variable(compiled, tmp_path, monkeypatch):
    monkeypatch.setenv("WARPCTC_PATH", str(tmp_path / "not there"))
    assert find(compiled).source == "the path given"


def test_wrong_path_is_not_passed_over(tmp_path, monkeypatch):
    monkeypatch.setenv("WARPCTC_PATH", str(tmp_path))
    with pytest.raises(InputError, match=f"WARPCTC_PATH: no warp-ctc library; looked at: .*build/{NAME}"):
        find()


def test_nothing_found(tmp_path):
    """The packages of this environment but for the extra: the real search, with nothing to find."""
    packages = Path(mx.__file__).parent.parent
    for each in packages.iterdir():
        if not each.name.startswith("paddle"):
            (tmp_path / each.name).symlink_to(each)
    script = f"""
import sys
sys.path[:] = [{str(tmp_path)!r} if each == {str(packages)!r} else each for each in sys.path]
from ctc_ocr.errors import InputError
from ctc_ocr.losses.warpctc_library import load
try:
    load()
except InputError as error:
    print(error)
"""
    environment = {name: value for name, value in os.environ.items() if name != "WARPCTC_PATH"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True, env=environment
    )
    for part in ("WARPCTC_PATH", "the system's loader", "paddlepaddle", "pip install 'ctc_ocr[warpctc]'"):
        assert part in done.stdout


def test_other_files_are_refused(tmp_path):
    text = tmp_path / NAME
    text.write_text("no library")
    with pytest.raises(InputError, match="does not load"):
        WarpCTC(text)
    with pytest.raises(InputError, match="is not a warp-ctc library"):
        WarpCTC(next(Path(mx.__file__).parent.glob("libmxnet.*")))


def test_choice_is_logged_once(compiled, tmp_path, caplog):
    shutil.copy(compiled, tmp_path / NAME)
    with caplog.at_level(logging.INFO):
        assert load(tmp_path) is load(tmp_path)
    assert caplog.messages == [f"warp-ctc: {tmp_path / NAME}, found by the path given"]


# The operators


def test_arrays_are_read_and_written_where_they_are():
    array = mx.nd.zeros((2, 3))
    view = host_view(array)
    view[1, 2] = 5
    assert array.asnumpy()[1, 2] == 5
    array[0, 0] = 7
    array.wait_to_read()
    assert view[0, 0] == 7
    assert host_view(mx.nd.array([3], dtype="int32")).dtype == np.int32


def bound(symbol, logits, labels, grad_req="write", **others):
    executor = symbol.simple_bind(
        mx.cpu(),
        data=logits.shape,
        label=labels.shape,
        grad_req={name: grad_req if name == "data" else "null" for name in symbol.list_arguments()},
        **others,
    )
    executor.arg_dict["data"][:] = logits
    executor.arg_dict["label"][:] = labels
    return executor


def test_gradient_is_the_losss_own_gradient_times_the_heads():
    logits, labels = arguments([[1, 2], [3, 0]])[0], np.array([[1, 2], [3, 0]])
    executor = bound(warpctc.loss(mx.sym.var("data"), mx.sym.var("label")), logits, labels)
    executor.forward(is_train=True)
    executor.backward(mx.nd.array([1, -2]))
    expected = load().loss_and_gradient(*arguments([[1, 2], [3]]))[1] * np.array([[[1], [-2]]])
    np.testing.assert_allclose(executor.grad_dict["data"].asnumpy(), expected, rtol=1e-6)


def test_gradients_are_added_where_asked():
    logits, labels = arguments([[1, 2], [3, 0]])[0], np.array([[1, 2], [3, 0]])
    for symbol in (
        warpctc.loss(mx.sym.var("data"), mx.sym.var("label")),
        warpctc.warp_ctc(mx.sym.var("data"), mx.sym.var("label"), label_length=2, input_length=6),
    ):
        executor = bound(symbol, logits, labels, grad_req="add")
        executor.grad_dict["data"][:] = 10
        executor.forward(is_train=True)
        executor.backward(mx.nd.ones(executor.outputs[0].shape))
        expected = 10 + load().loss_and_gradient(*arguments([[1, 2], [3]]))[1]
        np.testing.assert_allclose(executor.grad_dict["data"].asnumpy(), expected, rtol=1e-6)


def test_without_training_only_the_loss_is_computed():
    logits, labels = arguments([[1, 2], [3, 0]])[0], np.array([[1, 2], [3, 0]])
    executor = bound(warpctc.loss(mx.sym.var("data"), mx.sym.var("label")), logits, labels, grad_req="null")
    loss = executor.forward(is_train=False)[0].asnumpy()
    np.testing.assert_allclose(loss, batch_loss(logits, labels, [6, 6]), rtol=1e-5)


@pytest.mark.parametrize("data_axes", [2, 3])
@pytest.mark.parametrize("label_axes", [1, 2])
def test_contract_of_the_old_operator(data_axes, label_axes):
    steps, samples, classes = 6, 3, 4
    labels = np.array([[1, 2, 3], [3, 3, 0], [0, 0, 0]])
    logits = np.random.default_rng(0).normal(size=(steps, samples, classes)).astype(np.float32)
    data = logits if data_axes == 3 else logits.reshape(-1, classes)
    label = labels if label_axes == 2 else labels.reshape(-1)
    symbol = warpctc.warp_ctc(data=mx.sym.var("data"), label=mx.sym.var("label"), label_length=3, input_length=steps)
    executor = bound(symbol, data, label)
    softmax = np.exp(data) / np.exp(data).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(executor.forward(is_train=True)[0].asnumpy(), softmax, rtol=1e-5)
    executor.backward()
    expected = central_differences(lambda x: batch_loss(x, labels, [steps] * samples).sum(), logits, 1e-4)
    np.testing.assert_allclose(executor.grad_dict["data"].asnumpy().reshape(logits.shape), expected, atol=1e-5)
    executor.backward(mx.nd.ones(data.shape) * 100)
    np.testing.assert_allclose(executor.grad_dict["data"].asnumpy().reshape(logits.shape), expected, atol=1e-5)


def test_operators_do_not_disturb_each_other():
    """MXNet keeps one list of backward dependencies for all custom operators."""
    logits, labels = arguments([[1, 2], [3, 0]])[0], np.array([[1, 2], [3, 0]])
    data, label = mx.sym.var("data"), mx.sym.var("label")
    old = warpctc.warp_ctc(data, label, label_length=2, input_length=6)
    loss = mx.sym.make_loss(warpctc.loss(data, label))
    executors = [bound(symbol, logits, labels) for symbol in (loss, old, loss, old, loss)]
    for executor in executors:
        executor.forward(is_train=True)
        executor.backward()
    for executor in executors[1:]:
        np.testing.assert_allclose(
            executor.grad_dict["data"].asnumpy(), executors[0].grad_dict["data"].asnumpy(), rtol=1e-6
        )


def test_old_operators_shapes_are_checked(capfd):
    symbol = warpctc.warp_ctc(mx.sym.var("data"), mx.sym.var("label"), label_length=3, input_length=6)
    for data, label in (((17, 4), (9,)), ((18, 4), (8,)), ((5, 3, 4), (3, 3))):
        with pytest.raises((RuntimeError, mx.base.MXNetError)):
            symbol.simple_bind(mx.cpu(), data=data, label=label)
        assert "InputError: WarpCTC: expected" in capfd.readouterr().out


def test_mxnets_own_operator_is_taken_where_the_build_has_it(monkeypatch):
    """No wheel has it: shown with a stand-in of the same signature, built of operators that wheels have."""
    assert warpctc.built_in_operator(mx.sym) is None
    given: dict[str, Any] = {}

    def stand_in(data, label, label_length, input_length, name=None):
        given.update(data=data, label=label, label_length=label_length, input_length=input_length)
        return mx.sym.broadcast_add(mx.sym.softmax(data), 0 * mx.sym.sum(label))

    namespace = types.SimpleNamespace(WarpCTC=stand_in)
    assert warpctc.built_in_operator(namespace) is stand_in
    monkeypatch.setattr(mx.sym, "WarpCTC", stand_in, raising=False)
    symbol = warpctc.warp_ctc(mx.sym.var("data"), mx.sym.var("label"), label_length=2, input_length=6)
    shapes = {"data": (6, 3, 4), "label": (3, 2)}
    assert given["data"].infer_shape(data=(6, 3, 4))[1] == [(18, 4)]
    assert given["label"].infer_shape(label=(3, 2))[1] == [(6,)]
    assert (given["label_length"], given["input_length"]) == (2, 6)
    assert symbol.infer_shape(**shapes)[1] == [(6, 3, 4)]
    assert "Custom" not in symbol.tojson()


def test_code_of_no_class_stops_the_run(capfd):
    """MXNet passes the error on as its own and prints ours."""
    logits, labels = arguments([[1, 2], [3, 0]])[0], np.array([[1, 9], [3, 0]])
    executor = bound(warpctc.loss(mx.sym.var("data"), mx.sym.var("label")), logits, labels)
    with pytest.raises(mx.base.MXNetError):
        executor.forward(is_train=True)[0].asnumpy()
    assert "labels: expected 0 to 3, got 9" in capfd.readouterr().out


def test_symbol_is_refused_where_there_is_no_library(tmp_path, monkeypatch):
    monkeypatch.setenv("WARPCTC_PATH", str(tmp_path))
    data, label = mx.sym.var("data"), mx.sym.var("label")
    with pytest.raises(InputError, match="no warp-ctc library"):
        warpctc.loss(data, label)
    with pytest.raises(InputError, match="no warp-ctc library"):
        warpctc.warp_ctc(data, label, label_length=2, input_length=6)
