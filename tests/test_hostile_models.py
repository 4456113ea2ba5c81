"""Model files of a stranger: data that is checked, from which nothing is run, and that no damage turns into a crash."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ctc_ocr
from ctc_ocr.alphabet import Alphabet, read_lookups
from ctc_ocr.checkpoint import model_files, run_files, training_state
from ctc_ocr.checkpoint.example_symbol import example_steps
from ctc_ocr.checkpoint.params_file import params_content, parse_params
from ctc_ocr.cli.infer import main as infer
from ctc_ocr.config.hyperparameters import Hyperparameters, read_sections
from ctc_ocr.errors import InputError
from ctc_ocr.inference.predictor import Predictor
from ctc_ocr.training.state_values import check_values
from tests.models import lstm_parameters, save_example_model, save_line_model, save_own_model

IMAGE = np.full((10, 16), 200, np.uint8)
LARGE = 10**400


def example(tmp_path: Path, loss: str = "ctc") -> Path:
    save_example_model(str(tmp_path / "ocr"), loss, width=16, height=10, hidden=6)
    return tmp_path / "ocr-symbol.json"


def native(graph: dict[str, Any]) -> None:
    """An operator of MXNet that takes the address of a structure from its attribute, before all others."""
    for node in graph["nodes"]:
        node["inputs"] = [[entry[0] + 1, *entry[1:]] for entry in node["inputs"]]
    graph["nodes"].insert(0, {"op": "_Native", "name": "x", "attrs": {"info": "0x4141414141"}, "inputs": []})
    graph["heads"] = [[entry[0] + 1, *entry[1:]] for entry in graph["heads"]]


def of_pred_fc(graph: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(node for node in graph["nodes"] if node["name"] == "pred_fc")
    return found


def below_pred_fc(operator: str) -> Callable[[dict[str, Any]], None]:
    def change(graph: dict[str, Any]) -> None:
        graph["nodes"][of_pred_fc(graph)["inputs"][0][0]]["op"] = operator

    return change


def output_of_pred_fc(number: int) -> Callable[[dict[str, Any]], None]:
    def change(graph: dict[str, Any]) -> None:
        of_pred_fc(graph)["inputs"][0][1] = number

    return change


def slices(number: str) -> Callable[[dict[str, Any]], None]:
    def change(graph: dict[str, Any]) -> None:
        first = next(node for node in graph["nodes"] if node["op"] == "SliceChannel")
        first["attrs"]["num_outputs"] = number

    return change


def test_the_symbol_of_a_model_of_this_package_is_not_read(tmp_path: Path) -> None:
    save_own_model(tmp_path / "ocr")
    expected = Predictor(tmp_path / "ocr").read(IMAGE)
    path = tmp_path / "ocr-symbol.json"
    graph = json.loads(path.read_text())
    native(graph)
    for content in (json.dumps(graph), "junk", ""):
        path.write_text(content)
        assert Predictor(tmp_path / "ocr").read(IMAGE) == expected
    path.unlink()
    assert Predictor(tmp_path / "ocr").read(IMAGE) == expected


@pytest.mark.parametrize("loss", ["ctc", "WarpCTC", "Custom"])
def test_of_the_example_the_time_steps_are_read(tmp_path: Path, loss: str) -> None:
    example(tmp_path, loss)
    loaded = model_files.load(tmp_path / "ocr")
    assert (loaded.model, loaded.example_steps()) == (None, 16)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (below_pred_fc("_Native"), "has the operator '_Native', which the network of MXNet's example/ctc has not"),
        (below_pred_fc("_NDArray"), "has the operator '_NDArray'"),
        (below_pred_fc("_zeros"), "has the operator '_zeros'"),
        (below_pred_fc("Custom"), "has the operator 'Custom'"),
        (output_of_pred_fc(2**31), "JSON, but not an MXNet symbol"),
        (output_of_pred_fc(-1), "JSON, but not an MXNet symbol"),
        (slices("1000000000"), "SliceChannel has '1000000000' outputs; accepted: 1 to 10000"),
        (slices("16.0"), r"SliceChannel has '16\.0' outputs"),
        (slices("5"), "JSON, but not an MXNet symbol"),  # nodes that take others of its outputs
    ],
)
def test_changed_symbols_of_the_example(tmp_path: Path, change: Callable[[Any], None], said: str) -> None:
    path = example(tmp_path)
    graph = json.loads(path.read_text())
    change(graph)
    path.write_text(json.dumps(graph))
    with pytest.raises(InputError, match=rf"ocr-symbol\.json: {said}"):
        Predictor(tmp_path / "ocr")


def test_what_is_above_the_last_layer_does_not_matter(tmp_path: Path) -> None:
    path = example(tmp_path)
    graph = json.loads(path.read_text())
    native(graph)
    path.write_text(json.dumps(graph))
    assert model_files.load(tmp_path / "ocr").example_steps() == 16


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ('{"nodes": [', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not an MXNet symbol"),
        ('{"nodes": [], "heads": [[0, 0, 0]]}', "not an MXNet symbol"),
        ('{"nodes": [{"op": "null", "name": "a", "inputs": [[0, 0, 0]]}], "heads": [[0, 0, 0]]}', "not an MXNet"),
        ('{"nodes": [{"op": "Nonsense", "name": "a", "inputs": []}], "heads": [[0, 0, 0]]}', "no layer pred_fc"),
        ('{"nodes": [{"op": "Nonsense", "name": "pred_fc", "inputs": []}], "heads": [[0, 0, 0]]}', "Nonsense"),
        (" " * (2**24 + 1), "too large: 16,777,217 bytes"),
    ],
)  # fmt: skip
def test_files_that_are_not_symbols(tmp_path: Path, text: str, message: str) -> None:
    example(tmp_path).write_text(text)
    with pytest.raises(InputError, match=rf"ocr-symbol\.json: .*{message}") as raised:
        model_files.load(tmp_path / "ocr").example_steps()
    assert len(str(raised.value)) < 400


def test_truncated_symbol_and_missing_symbol(tmp_path: Path) -> None:
    path = example(tmp_path)
    whole = path.read_text()
    for size in np.linspace(0, len(whole) - 2, 15).astype(int):
        path.write_text(whole[:size])
        with pytest.raises(InputError, match=r"ocr-symbol\.json: not JSON"):
            model_files.load(tmp_path / "ocr").example_steps()
    path.unlink()
    with pytest.raises(InputError, match=r"ocr-symbol\.json: No such file"):
        model_files.load(tmp_path / "ocr").example_steps()


def test_old_symbols_have_other_names(tmp_path: Path) -> None:
    path = example(tmp_path)
    graph = json.loads(path.read_text())
    for node in graph["nodes"]:
        if "attrs" in node:
            node["param"] = node.pop("attrs")
        node["op"] = {"elemwise_add": "_plus", "elemwise_mul": "_mul"}.get(node["op"], node["op"])
        node["inputs"] = [entry[:2] for entry in node["inputs"]]
    assert example_steps(json.dumps(graph).encode()) == 16


def test_an_example_of_too_many_layers(tmp_path: Path) -> None:
    example(tmp_path)
    params = lstm_parameters(np.random.default_rng(0), 10, 6, 11)
    params |= {f"l{layer}_h2h_weight": params["l1_h2h_weight"] for layer in range(2, 300)}
    named = {f"arg:{name}": array for name, array in params.items()}
    (tmp_path / "ocr-0001.params").write_bytes(params_content(named))
    with pytest.raises(InputError, match=r"ocr-0001\.params: network\.num_layers: 300 is more than 100"):
        Predictor(tmp_path / "ocr")


# --- parameters -------------------------------------------------------------------------------------------------------


def test_too_many_arrays_are_refused_at_once() -> None:
    content = bytearray(params_content({"arg:a": np.zeros(1, np.float32)}))
    content[16:24] = (2**40).to_bytes(8, "little")
    with pytest.raises(InputError, match="1099511627776 arrays; the maximum is 10000"):
        parse_params(bytes(content), Path("a.params"))


@pytest.mark.parametrize("array", [np.zeros((0, 3), np.float32), np.zeros(3, np.int32), np.zeros((1,) * 9, np.float32)])
def test_arrays_that_are_no_parameters(tmp_path: Path, array: Any) -> None:
    save_own_model(tmp_path / "ocr")
    (tmp_path / "ocr-0001.params").write_bytes(params_content({"arg:l0_i2h_bias": array}))
    with pytest.raises(InputError, match=r"ocr-0001\.params: l0_i2h_bias is .* of the shape"):
        model_files.load(tmp_path / "ocr")


def test_parameters_of_other_precisions_become_float32(tmp_path: Path) -> None:
    """MXNet concatenates some of them, and refuses those of two types."""
    save_own_model(tmp_path / "ocr")
    path = tmp_path / "ocr-0001.params"
    stored = dict(parse_params(path.read_bytes(), path))
    name = next(name for name in stored if name.endswith("h2h_bias"))
    image = np.full((12, 30), 200, np.uint8)
    expected = ctc_ocr.Predictor(tmp_path / "ocr").read(image)
    path.write_bytes(params_content({**stored, name: stored[name].astype(np.float64)}))
    assert ctc_ocr.Predictor(tmp_path / "ocr").read(image) == expected
    path.write_bytes(params_content({**stored, name: np.full(stored[name].shape, 1e300)}))
    with pytest.raises(InputError, match=f"{name.partition(':')[2]} has values that are not finite"):
        ctc_ocr.Predictor(tmp_path / "ocr")


# --- descriptions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "changes", "said"),
    [
        ("data", {"width": 10_000, "height": 10_000}, "values of one image would be computed at once; accepted"),
        ("network", {"features": [10_000, 6]}, "values of one image would be computed at once"),
        ("network", {"features": [4] * 101}, r"network\.features: 101 entries; the maximum is 100"),
        ("network", {"num_hidden": LARGE}, r"network\.num_hidden: 1000.*\.\.\. is more than 10000"),
        ("network", {"input_mean": LARGE}, r"network\.input_mean: a number of 401 digits is too large"),
        ("training", {"num_epoch": -LARGE}, r"num_epoch: -1000.*\.\.\. is less than 1"),
        ("data", {"max_length": 10**9}, "max_length: 1000000000 is more than 10000"),
        ("data", {"width": "w" * 10_000}, r"data\.width: expected int, got 'www.*\.\.\.$"),
    ],
)
def test_descriptions_of_networks_that_cost_too_much(
    tmp_path: Path, section: str, changes: dict[str, Any], said: str
) -> None:
    save_line_model(tmp_path / "ocr")
    described = json.loads((tmp_path / "ocr.json").read_text())
    described["hyperparameters"]["data"]["width"] = 300
    described["hyperparameters"]["data"]["height"] = 64
    described["hyperparameters"][section] |= changes
    (tmp_path / "ocr.json").write_text(json.dumps(described))
    for read in (lambda: Predictor(tmp_path / "ocr"), lambda: read_sections(tmp_path / "ocr.json")):
        with pytest.raises(InputError, match=said) as error:
            read()
        assert len(str(error.value)) < 1000


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"alphabet": {"a": 1, "\ud800": 2}}, r"the unit '\\ud800' is not valid Unicode"),
        ({"alphabet": {"a": LARGE}}, "the codes of an alphabet must be 1 to 1"),
        ({"lengths": {"shortest": 1, "longest": 2, "outside": LARGE}}, "expected a probability"),
        ({"lengths": {"shortest": 1, "longest": LARGE, "outside": 0.5}}, "longest"),
        ({"version": [2] * 10**5}, "is not known"),
    ],
)
def test_other_values_of_descriptions(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    save_line_model(tmp_path / "ocr")
    described = json.loads((tmp_path / "ocr.json").read_text())
    (tmp_path / "ocr.json").write_text(json.dumps(described | changes))
    with pytest.raises(InputError, match=rf"ocr\.json: .*{said}"):
        Predictor(tmp_path / "ocr")


def test_alphabets_without_end_and_lookups_with_surrogates(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="an alphabet has at most 200,000 units"):
        Alphabet(tuple(map(str, range(200_001))))
    with pytest.raises(InputError, match="1,000,000 characters in all"):
        Alphabet(("a" * 1_000_001,))
    (tmp_path / "lookup.json").write_text('{"\\udc80": 1}')
    with pytest.raises(InputError, match=r"the unit '\\udc80' is not valid Unicode: it has half of a surrogate pair"):
        read_lookups([tmp_path / "lookup.json"])


def test_usual_networks_are_within_the_limits() -> None:
    usual = {"data": {"width": 4000, "height": 48, "keep_ratio": True}, "network": {"architecture": "crnn"}}
    assert Hyperparameters.from_dict(usual).geometry.values_per_image == 4000 * 48 * 32


# --- training states --------------------------------------------------------------------------------------------------


def test_states_are_not_trusted(tmp_path: Path) -> None:
    """What they say of their sizes, and members that are no arrays."""
    path = tmp_path / "ocr-0001.state.npz"
    lying = b"{'descr': '<f4', 'fortran_order': False, 'shape': (100000000000,), }"
    header = b"\x93NUMPY\x01\x00" + len(lying).to_bytes(2, "little") + lying
    for name, content in {
        "a.npy": header + bytes(8),
        "b.npy": b"\x93NUMPY",
        "c.npy": b"\x93NUMPY\x01\x00\xff\xff{",
        "d.npy": header.replace(b"<f4", b"|O8"),
        "e.txt": b"x",
        "f.npy": header.replace(b"100000000000", b"-1" + b" " * 10),
    }.items():
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, content)
        with pytest.raises(InputError, match=r"ocr-0001\.state\.npz: broken training state: "):
            training_state.load_training_state(tmp_path / "ocr", 1)


def test_a_text_of_numbers_that_are_no_characters(tmp_path: Path) -> None:
    content = np.array("{}  ").tobytes()
    for point in (0x110000, 0xFFFFFFFF):
        changed = np.frombuffer(content, "<u4").copy()
        changed[2] = point
        values = np.frombuffer(changed.tobytes(), "<U4").reshape(())
        np.savez(run_files.state_path(tmp_path / "m", 1), **{training_state.VALUES_NAME: values})
        with pytest.raises(InputError, match="is not an array \\(a character that is none\\)"):
            training_state.load_training_state(tmp_path / "m", 1)


def test_a_state_that_unfolds(tmp_path: Path) -> None:
    path = tmp_path / "ocr-0001.state.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(200 * 2**20))
    with pytest.raises(InputError, match="would have 209,715,200 bytes"):
        training_state.load_training_state(tmp_path / "ocr", 1)


@pytest.mark.parametrize("text", ["5", "[1]", '"a"', "null"])
def test_states_whose_values_are_no_object(tmp_path: Path, text: str) -> None:
    np.savez(tmp_path / "ocr-0001.state.npz", **{training_state.VALUES_NAME: np.array(text)})
    with pytest.raises(InputError, match="broken training state: its values are no JSON object"):
        training_state.load_training_state(tmp_path / "ocr", 1)


def values() -> dict[str, Any]:
    best = {"epoch": 2, "cer": 0.5, "loss": float("inf"), "epochs_since": 1}
    standing = {"cer": 0.5, "loss": 2.0, "epochs": 0}
    budget = {"limit": 9, "end": 9, "decay_from": 9, "seconds": 1.5, "stopped": False, "standing": standing}
    return {
        "epochs_done": 3, "batches_done": 0, "num_batches": 10, "falls": 0, "best": best, "budget": budget,
        "history": [[1, 320, 1.0] + [0.5] * 7, [2, 640, 1.0] + [float("nan")] * 7], "checksum": 5, "data": "x",
        "sums": [[1.0] * 9, [0.0] * 9],
    }  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [
        ("epochs_done", 1_000_000), ("epochs_done", 1), ("epochs_done", LARGE), ("epochs_done", "3"), ("falls", -1),
        ("batches_done", 10), ("num_batches", 0), ("num_batches", float("inf")), ("checksum", -1), ("best", 5),
        ("best.epoch", 4), ("best.cer", "0"), ("best.loss", LARGE), ("best.epochs_since", None), ("budget", []),
        ("budget.end", 1.5), ("budget.seconds", float("nan")), ("budget.lost", -1.0), ("budget.stopped", 1),
        ("budget.standing", None), ("budget.standing.epochs", True), ("history", 5), ("history", [[]]),
        ("history", [[9, 1]]), ("history", [[1, 320, LARGE]]), ("validation_fraction", 1),
        ("validation_fraction", "0.5"), ("history", [[1, 320, 1.0] + [0.5] * 7 + [float("inf")]]),
        ("sums", [[1.0]]), ("sums", [[float("nan")] * 9]), ("sums", [[1.0] * 9, [1.0] * 8]), ("sums", 5),
        ("budget.seconds", 0.0), ("budget.seconds", 5e-324), ("budget.seconds", 1e308), ("seconds", 1e308),
    ],
)  # fmt: skip
def test_values_that_no_trainer_saves(path: tuple[str, Any]) -> None:
    check_values(values(), epoch=3)
    now = values()
    del now["best"]["epoch"]  # which earlier versions wrote
    check_values(now, epoch=3)
    for name in ("limit", "end", "decay_from"):  # --num_epoch has no maximum
        now["budget"][name] = 10**10
    check_values(now, epoch=3)
    changed = values()
    *outer, last = path[0].split(".")
    part = changed
    for name in outer:
        part = part[name]
    part[last] = path[1]
    with pytest.raises((KeyError, TypeError, ValueError, IndexError)):
        check_values(changed, epoch=3)


# --- terminals --------------------------------------------------------------------------------------------------------


def test_escapes_in_an_alphabet_do_not_reach_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    units = [*"abcde", "\x1b[2J", "\n", "\x9b1m", "f"]
    save_own_model(tmp_path / "ocr", alphabet="012345678", seed=3)
    described = json.loads((tmp_path / "ocr.json").read_text())
    described["alphabet"] = {unit: code for code, unit in enumerate(units, start=1)}
    (tmp_path / "ocr.json").write_text(json.dumps(described))
    for number in range(40):
        pixels = np.random.default_rng(number).integers(0, 256, (10, 16), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    pictures = [str(tmp_path / f"{number}.png") for number in range(40)]
    assert infer(["--model", str(tmp_path / "ocr"), "--num_proc=1", *pictures]) == 0
    said = capsys.readouterr().out
    assert said.count("\n") == 40
    assert "\\x1b[2J" in said
    assert "\\n" in said
    assert not {"\x1b", "\x9b"} & set(said)
    assert infer(["--model", str(tmp_path / "ocr"), "--num_proc=1", pictures[0]]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_escapes_in_errors_are_shown_as_escapes() -> None:
    error = InputError("unknown key '\x1b]0;x\x07'\nand more", "a\nb")
    assert str(error) == "a\\nb: unknown key '\\x1b]0;x\\x07'\nand more"


def test_an_architecture_of_a_stranger_must_be_imported_by_the_user(tmp_path: Path) -> None:
    save_line_model(tmp_path / "ocr")
    described = json.loads((tmp_path / "ocr.json").read_text())
    shutil.copy(tmp_path / "ocr.json", tmp_path / "kept.json")
    for name in ("os", "os:system", "ctc_ocr.symbols.lstm:logits", "../evil", "mine"):
        described["hyperparameters"]["network"]["architecture"] = name
        (tmp_path / "ocr.json").write_text(json.dumps(described))
        with pytest.raises(InputError, match=r"no architecture .*registered by the module that --import names"):
            Predictor(tmp_path / "ocr")
