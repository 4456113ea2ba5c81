"""Every number that shapes data, network and training: frozen dataclasses that are read from and written to JSON.

The dataclasses are the one list of hyperparameters: the command line takes its flags, defaults and help from them.
"""

import json
import math
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.errors import InputError

Numbers = tuple[int, ...]
LARGEST_SIZE = 10_000  # far beyond what is of use, and small enough for an error instead of a full memory


def _option(
    default: Any, help: str, choices: tuple[Any, ...] = (), least: float = -math.inf, most: float = math.inf
) -> Any:
    """A field with its help, the values accepted (choices), and the least and the largest value accepted."""
    return field(default=default, metadata={"help": help, "choices": choices, "least": least, "most": most})


@dataclass(frozen=True)
class Data:
    """What is drawn and what the network is given. Sizes are pixels; images are (height, width) uint8."""

    alphabet: str = _option("0123456789", "characters that can occur, each once")
    min_length: int = _option(3, "least number of characters in an image", least=1)
    max_length: int = _option(4, "largest number of characters in an image", least=1)
    renderer: str = _option("fast", "what draws the training images", choices=("fast", "captcha"))
    draw_width: int = _option(160, "width at which a captcha is drawn", least=16, most=LARGEST_SIZE)
    draw_height: int = _option(60, "height at which a captcha is drawn", least=16, most=LARGEST_SIZE)
    width: int = _option(80, "width of the images that the network reads", least=1, most=LARGEST_SIZE)
    height: int = _option(30, "height of the images that the network reads", least=1, most=LARGEST_SIZE)


@dataclass(frozen=True)
class Network:
    """The network's shape.

    `lstm` takes each image column for a time step. `crnn` has convolutions before bidirectional LSTMs: a list each for
    the features of a convolution and for the size of the maximum that is taken of them.
    """

    architecture: str = _option("lstm", "which network", choices=("lstm", "crnn"))
    num_layers: int = _option(2, "LSTM layers", least=1, most=100)
    num_hidden: int = _option(100, "LSTM units a layer, and a direction", least=1, most=LARGEST_SIZE)
    cell: str = _option("fused", "graph of the LSTM in training (lstm only)", choices=("unrolled", "fused"))
    features: Numbers = _option(
        (32, 48, 64, 96), "features of each convolution (crnn only)", least=1, most=LARGEST_SIZE
    )
    pool_heights: Numbers = _option((2, 2, 2, 2), "rows of which each convolution keeps one (crnn only)", least=1)
    pool_widths: Numbers = _option((2, 2, 1, 1), "columns of which each convolution keeps one (crnn only)", least=1)
    input_mean: float = _option(225.0, "grey level (0 to 255) that the network sees as 0: about the paper's")
    input_scale: float = _option(20.0, "grey levels darker than input_mean that the network sees as 1", least=1e-6)


@dataclass(frozen=True)
class Training:
    """How the network is trained. One epoch is samples_per_epoch images that were never seen before."""

    loss: str = _option("ctc", "CTC loss layer", choices=("ctc", "warpctc"))
    batch_size: int = _option(32, "images a step", least=1, most=LARGEST_SIZE)
    num_epoch: int = _option(12, "epochs at the most", least=1)
    samples_per_epoch: int = _option(15_000, "training images an epoch", least=1)
    validation_samples: int = _option(3_000, "validation images, the same ones every epoch", least=1)
    optimizer: str = _option("adam", "optimizer", choices=("adam", "sgd"))
    learning_rate: float = _option(4e-3, "peak learning rate", least=0.0)
    momentum: float = _option(0.9, "momentum (sgd only)", least=0.0)
    weight_decay: float = _option(0.0, "weight decay", least=0.0)
    warmup_steps: int = _option(200, "steps in which the learning rate rises from 0 to its peak", least=0)
    schedule: str = _option("cosine", "learning rate after the warm-up", choices=("cosine", "constant"))
    clip_gradient: float = _option(1.0, "bound on the norm of the gradients, all together; 0 is no bound", least=0.0)
    seed: int = _option(0, "seed of images, initial weights and order", least=0, most=2**64 - 1)
    target_accuracy: float = _option(
        0.0, "stop after the epoch whose validation accuracy reaches this; 0 is never", least=0.0, most=1.0
    )


@dataclass(frozen=True)
class Hyperparameters:
    """All of them. Inconsistent values raise InputError when the object is made."""

    data: Data = field(default_factory=Data)
    network: Network = field(default_factory=Network)
    training: Training = field(default_factory=Training)

    def __post_init__(self) -> None:
        for section in fields(self):
            _check_values(section.name, getattr(self, section.name))
        Alphabet(tuple(self.data.alphabet))
        self._check_convolutions()
        if self.data.min_length > self.data.max_length:
            raise InputError(f"min_length {self.data.min_length} is larger than max_length {self.data.max_length}")
        needed = 2 * self.data.max_length - 1  # a blank between two equal neighbours, at the worst
        if needed > self.num_steps:
            raise InputError(
                f"max_length {self.data.max_length} does not fit: a text of equal characters would need {needed} time "
                f"steps, and images {self.data.width} wide give {self.num_steps}"
            )

    def _check_convolutions(self) -> None:
        network = self.network
        lists = {name: getattr(network, name) for name in ("features", "pool_heights", "pool_widths")}
        if not network.features or len({len(each) for each in lists.values()}) > 1:
            told = ", ".join(f"{len(each)} {name}" for name, each in lists.items())
            raise InputError(f"network: a convolution has one number in each list; there are {told}")
        if network.architecture == "crnn" and not (self.num_rows and self.num_steps):
            raise InputError(
                f"network: images of {self.data.width}x{self.data.height} are too small for pool_widths "
                f"{list(network.pool_widths)} and pool_heights {list(network.pool_heights)}: nothing would be left"
            )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "hyperparameters") -> "Hyperparameters":
        """Of {section: {name: value}}; what is not named keeps its default.

        Raises InputError that starts with `where` for an unknown key, a wrong type or a value out of range.
        """
        try:
            _refuse_unknown(values, cls, "section")
            sections = {each.name: each.default_factory for each in fields(cls) if each.default_factory is not MISSING}
            return cls(
                **{name: _section_from_dict(name, kind, values.get(name, {})) for name, kind in sections.items()}
            )
        except InputError as error:
            raise InputError(f"{where}: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        """{section: {name: value}}, ready for JSON; from_dict gives the same object back."""
        return asdict(self)

    @property
    def num_steps(self) -> int:
        """Time steps that the network makes of one image."""
        return _pooled(self.data.width, self.network.pool_widths if self.network.architecture == "crnn" else ())

    @property
    def num_rows(self) -> int:
        """Rows that the convolutions leave of an image."""
        return _pooled(self.data.height, self.network.pool_heights)


def read_sections(path: str | Path) -> dict[str, dict[str, Any]]:
    """{section: {name: value}} of a JSON file, or of a model's description (PREFIX.json), which has them in it.

    Raises InputError that names the file, also for names and values that are not accepted.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: {error}") from None
    if isinstance(values, dict) and "format" in values:
        values = values.get("hyperparameters")
    Hyperparameters.from_dict(values, where=str(path))
    return typing.cast(dict[str, dict[str, Any]], values)


def options() -> dict[str, tuple[str, Field[Any], type]]:
    """Every hyperparameter as {name: (section, field, type)}; names are unique over the sections."""
    found = {}
    for section in fields(Hyperparameters):
        kind = typing.cast(type, section.default_factory)
        hints = typing.get_type_hints(kind)
        for each in fields(kind):
            assert each.name not in found, f"{each.name} is in two sections"
            found[each.name] = (section.name, each, hints[each.name])
    return found


def _pooled(size: int, pools: Numbers) -> int:
    for pool in pools:
        size //= pool
    return size


def _refuse_unknown(values: Any, kind: type, what: str) -> None:
    if not isinstance(values, Mapping):
        raise InputError(f"expected an object, got {values!r}")
    accepted = [each.name for each in fields(kind)]
    for key in values:
        if key not in accepted:
            raise InputError(f"unknown {what} {key!r}; accepted: {', '.join(accepted)}")


def _section_from_dict(name: str, kind: Any, values: Any) -> Any:
    try:
        _refuse_unknown(values, kind, "key")
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    hints = typing.get_type_hints(kind)
    return kind(**{key: _typed(f"{name}.{key}", hints[key], value) for key, value in values.items()})


def _typed(name: str, kind: Any, value: Any) -> Any:
    """The value in its declared type: an int serves as a float, and nothing else is converted."""
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise InputError(f"{name}: a number of {len(str(value))} digits is too large") from None
    if kind == Numbers and isinstance(value, (list, tuple)):
        return tuple(_typed(name, int, each) for each in value)
    if kind == Numbers or isinstance(value, bool) is not (kind is bool) or not isinstance(value, kind):
        expected = "a list of int" if kind == Numbers else kind.__name__
        raise InputError(f"{name}: expected {expected}, got {value!r}")
    return value


def _check_values(section_name: str, section: Any) -> None:
    assert is_dataclass(section)
    for each in fields(section):
        value = getattr(section, each.name)
        choices, least, most = (each.metadata[name] for name in ("choices", "least", "most"))
        if choices and value not in choices:
            raise InputError(f"{section_name}.{each.name}: {value!r} is not one of {', '.join(map(str, choices))}")
        for number in value if isinstance(value, tuple) else [value]:
            if isinstance(number, str):
                continue
            if not math.isfinite(number):
                raise InputError(f"{section_name}.{each.name}: {number!r} is not a finite number")
            if number < least:
                raise InputError(f"{section_name}.{each.name}: {number!r} is less than {least}")
            if number > most:
                raise InputError(f"{section_name}.{each.name}: {number!r} is more than {most}")
