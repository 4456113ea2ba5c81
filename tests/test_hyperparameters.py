"""Hyperparameters, the alphabet, and the flags that set them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.cli import train
from ctc_ocr.cli.data_options import hyperparameters
from ctc_ocr.config.hyperparameters import Hyperparameters, options, read_sections
from ctc_ocr.config.presets import PRESETS, preset
from ctc_ocr.config.sections import Data, Network, Training
from ctc_ocr.errors import InputError

# Where the next larger value would not be accepted, or there is none.
OTHER_VALUES: dict[str, Any] = {
    "alphabet": "abc",
    "min_length": 2,
    "features": (8, 8, 8, 8),
    "kernels": (1, 3, 5, 3),
    "strides": (1, 2, 1, 1),
    "max_warp": 0.05,
    "dense": (9,),
    "freeze": ("conv",),
    "pool_heights": (2, 1, 2, 1),
    "pool_widths": (1, 2, 1, 2),
}


def another(name: str) -> Any:
    option = options()[name]
    if name in OTHER_VALUES:
        return OTHER_VALUES[name]
    if option.rule.accepted:
        return next(each for each in option.rule.accepted if each != option.default)
    if option.type is bool:
        return not option.default
    return option.default + (1 if option.type is int else 0.25)


def flag_value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


@pytest.mark.parametrize("name", [n for n, each in options().items() if len(each.rule.accepted) != 1])
def test_each_flag_changes_its_hyperparameter_and_no_other(name: str) -> None:
    needed = {other: values[0] for other, values in options()[name].rule.requires.items()}
    changes = {**needed, name: another(name)}
    expected = Hyperparameters().to_dict()
    for each, value in changes.items():
        expected[options()[each].section][each] = value
    arguments = train.parser().parse_args([f"--{each}={flag_value(value)}" for each, value in changes.items()])
    assert hyperparameters(arguments).to_dict() == expected


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        ("--lstm_graph=unrolled --architecture=crnn", "--lstm_graph: has no effect with architecture crnn"),
        ("--dropout=0.1", "--dropout: has no effect with architecture lstm"),
        ("--momentum=0.5", "--momentum: has no effect with optimizer muon"),
        ("--plateau_factor=0.1", "--plateau_factor: has no effect with schedule cosine"),
        ("--schedule=one_cycle --warmup_updates=9", "--warmup_updates: has no effect with schedule one_cycle"),
        ("--max_rotation=5", "--max_rotation: has no effect with augment false"),
        ("--augment=true --max_hue=5", "--max_hue: has no effect with channels 1"),
    ],
)
def test_a_flag_that_would_change_nothing_is_refused(flags: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        hyperparameters(train.parser().parse_args(flags.split()))


def test_flags_go_over_the_config_and_the_config_over_the_defaults(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"training": {"batch_size": 7, "num_epoch": 3}}))
    arguments = train.parser().parse_args(["--config", str(config), "--num_epoch", "4"])
    training = hyperparameters(arguments).training
    assert (training.batch_size, training.num_epoch) == (7, 4)
    assert training.learning_rate == Hyperparameters().training.learning_rate


def test_json_round_trip() -> None:
    settings = Hyperparameters(Data(alphabet="xyz", width=99))
    assert Hyperparameters.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"trainning": {}}, "unknown section 'trainning'; accepted: data, network, training"),
        ({"training": {"batchsize": 3}}, "training: unknown key 'batchsize'; accepted: loss, batch_size"),
        ({"training": {"batch_size": "3"}}, "training.batch_size: expected int, got '3'"),
        ({"training": {"batch_size": 3.0}}, "training.batch_size: expected int, got 3.0"),
        ({"training": {"batch_size": True}}, "training.batch_size: expected int, got True"),
        ({"training": {"batch_size": 0}}, "training.batch_size: 0 is less than 1"),
        ({"training": {"learning_rate": float("nan")}}, "training.learning_rate: nan is not a finite number"),
        ({"network": {"input_scale": float("inf")}}, "network.input_scale: inf is not a finite number"),
        ({"training": {"seed": 2**64}}, "training.seed: 18446744073709551616 is more than 18446744073709551615"),
        ({"training": {"target_accuracy": 2.0}}, "training.target_accuracy: 2.0 is more than 1.0"),
        ({"training": {"learning_rate": 10**400}}, "training.learning_rate: a number of 401 digits is too large"),
        ({"training": {"loss": "mse"}}, "training.loss: 'mse' is not one of ctc"),
        ({"data": {"alphabet": "aba"}}, "must be distinct and not empty; repeated or empty: ['a']"),
        ({"data": {"alphabet": ""}}, "the alphabet is empty"),
        ({"data": {"min_length": 5}}, "min_length 5 is greater than max_length 4"),
        (
            {"network": {"features": [1, 2]}},
            "each list needs one entry per convolution; there are 2 features, 4 kernels, 4 strides, 4 pool_heights",
        ),
        ({"network": {"kernels": [3, 3, 2, 3]}}, "network.kernels: 2 is even; kernel sizes must be odd"),
        ({"network": {"batch_norm": 1}}, "network.batch_norm: expected bool, got 1"),
        ({"network": {"dropout": True}}, "network.dropout: expected float, got True"),
        ({"data": {"channels": 2}}, "data.channels: 2 is not one of 1, 3"),
        (
            {"data": {"keep_ratio": True}, "network": {"lstm_graph": "unrolled"}},
            "keep_ratio: an unrolled graph has a fixed number of time steps; use lstm_graph fused",
        ),
        ({"network": {"features": [1, "2"]}}, "network.features: expected int, got '2'"),
        ({"network": {"features": 3}}, "network.features: expected a list of int, got 3"),
        ({"network": {"features": [1, 2, 0, 4]}}, "network.features: 0 is less than 1"),
        (
            {"network": {"architecture": "crnn", "pool_heights": [8, 8, 1, 1]}},
            "images of 80x30 are too small for these convolutions. Width x height after each one and its pooling: "
            "40x3, 20x0, 20x0, 20x0",
        ),
        ({"data": []}, "data: expected an object, got []"),
        ([], "expected an object, got []"),
    ],
)
def test_bad_values_are_named(values: Any, complaint: str) -> None:
    with pytest.raises(InputError) as error:
        Hyperparameters.from_dict(values, where="file.json")
    message = str(error.value)
    assert message.startswith("file.json: ")
    first, _, rest = complaint.partition(" .* ")
    assert first in message
    assert rest in message


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        (Training(batch_size="64"), "training.batch_size: expected int, got '64'"),  # type: ignore[arg-type]
        (Training(num_epoch=2.0), "training.num_epoch: expected int, got 2.0"),  # type: ignore[arg-type]
        (Data(keep_ratio="no"), "data.keep_ratio: expected bool, got 'no'"),  # type: ignore[arg-type]
        (Network(features=("8", "8", "8", "8")), "network.features: expected int, got '8'"),  # type: ignore[arg-type]
    ],
)
def test_values_of_another_type_are_refused_in_python_too(section: Any, complaint: str) -> None:
    with pytest.raises(InputError) as error:
        Hyperparameters(**{type(section).__name__.lower(): section})
    assert str(error.value) == complaint


@pytest.mark.parametrize("text", ["{", "", "nonsense", "[" * 100_000])
def test_config_that_is_no_json(tmp_path: Path, text: str) -> None:
    config = tmp_path / "config.json"
    config.write_text(text)
    with pytest.raises(InputError, match=r"config\.json: "):
        read_sections(config)


def test_alphabet_codes_and_back() -> None:
    alphabet = Alphabet(("a", "b", "ch"))
    assert alphabet.encode(["ch", "a"]) == [3, 1]
    assert alphabet.decode([3, 1, 1]) == "chaa"
    for code in (0, -1, 4):
        with pytest.raises(InputError, match=f"expected codes from 1 to 3, got {code}"):
            alphabet.decode([1, code])
    assert Alphabet.from_lookup(alphabet.lookup) == alphabet
    assert alphabet.num_classes == 4
    with pytest.raises(InputError, match="not in the alphabet: 'x', 'y'"):
        alphabet.encode("ayxx")


@pytest.mark.parametrize("lookup", [{}, {"a": 0}, {"a": 2}, {"a": 1, "b": 1}, {"": 1}])
def test_lookup_that_is_no_alphabet(lookup: dict[str, int]) -> None:
    with pytest.raises(InputError):
        Alphabet.from_lookup(lookup)


def test_captchas_that_cannot_be_aligned_are_refused_and_labelled_images_do_not_mind() -> None:
    settings = Hyperparameters(Data(max_length=41))
    with pytest.raises(InputError, match="max_length: 41 is too much: .* need 81 time steps, .* have 80"):
        settings.check_generated()
    Hyperparameters(Data(max_length=40)).check_generated()


def test_presets_lie_under_the_config_and_the_flags(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"network": {"num_hidden": 7}}))
    arguments = ["--preset", "crnn", "--config", str(config), "--learning_rate", "0.5"]
    found = hyperparameters(train.parser().parse_args(arguments))
    assert (found.network.architecture, found.network.num_hidden, found.training.learning_rate) == ("crnn", 7, 0.5)
    assert found.network.num_hidden != PRESETS["crnn"]["network"]["num_hidden"]
    assert found.network.num_layers == PRESETS["crnn"]["network"]["num_layers"]


def test_all_presets_are_accepted() -> None:
    assert preset("lstm") == Hyperparameters()
    assert len({preset(name) for name in PRESETS}) == len(PRESETS)


def test_the_json_of_a_model_is_a_config(tmp_path: Path) -> None:
    model = Model(Hyperparameters(Data(alphabet="xy")), Alphabet(("x", "y")))
    (tmp_path / "ocr.json").write_text(model.to_json())
    assert read_sections(tmp_path / "ocr.json")["data"]["alphabet"] == "xy"


def test_the_json_of_a_model_says_nothing_of_the_machine(tmp_path: Path) -> None:
    """On which it was trained; but what a user has written counts."""
    sections = preset("word", training={"workers": 8}).to_dict()
    model = Model(Hyperparameters.from_dict(sections), Alphabet(("x", "y")))
    (tmp_path / "ocr.json").write_text(model.to_json())
    (tmp_path / "own.json").write_text(json.dumps(sections))
    for name, workers in (("ocr", 0), ("own", 8)):
        arguments = train.parser().parse_args(["--config", str(tmp_path / f"{name}.json")])
        assert hyperparameters(arguments).training.workers == workers
    assert read_sections(tmp_path / "ocr.json")["training"]["workers"] == 8  # of a run that is resumed


def test_a_config_may_come_from_a_pipe() -> None:
    """As of `--config <(command)` in a shell; it can be read once."""
    end, other = os.pipe()
    os.write(other, b'{"training": {"num_epoch": 7}}')
    os.close(other)
    arguments = train.parser().parse_args(["--data", "photos", "--config", f"/dev/fd/{end}"])
    try:
        assert train.session_of(arguments).hyperparameters.training.num_epoch == 7
    finally:
        os.close(end)


def test_an_alphabet_takes_the_form_of_its_labels() -> None:
    alphabet = Alphabet(("e", "\u00e9", "ch", "\ufb01"))
    assert alphabet.with_unicode_form("") == alphabet
    assert alphabet.with_unicode_form("NFC") == alphabet
    assert alphabet.with_unicode_form("NFD").units == ("e", "\u0301", "ch", "\ufb01")
    assert Alphabet(("e\u0301",)).with_unicode_form("NFC").units == ("\u00e9",)


def test_labelled_images_make_an_epoch_whatever_the_preset(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"training": {"samples_per_epoch": 70}}))
    for flags, expected in (
        (["--preset=crnn"], 5_000),
        (["--preset=crnn", "--data=x"], 0),
        (["--preset=lstm", "--data=x", "--samples_per_epoch=50"], 50),
        (["--preset=lstm", "--data=x", f"--config={config}"], 70),
    ):
        assert hyperparameters(train.parser().parse_args(flags)).training.samples_per_epoch == expected
