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
CONVOLUTION_LISTS = ("features", "kernels", "strides", "pool_heights", "pool_widths")
BATCH_WIDTHS = 16
LARGEST_SIZE = 10_000  # far beyond what is of use, and small enough for an error instead of a full memory


def _option(
    default: Any,
    help: str,
    choices: tuple[Any, ...] = (),
    least: float = -math.inf,
    most: float = math.inf,
    only: Mapping[str, tuple[Any, ...]] | None = None,
) -> Any:
    """A field with its help, the values accepted (choices), the least and the largest value accepted, and the values
    that other hyperparameters must have for this one to mean anything."""
    told = {"help": help, "choices": choices, "least": least, "most": most, "only": only or {}}
    return field(default=default, metadata=told)


LSTM, CRNN, AUGMENT = {"architecture": ("lstm",)}, {"architecture": ("crnn",)}, {"augment": (True,)}
AUGMENT_COLOURS = {**AUGMENT, "channels": (3,)}


@dataclass(frozen=True)
class Data:
    """What is drawn and what the network is given. Sizes are pixels.

    Images are (height, width) uint8, or (height, width, 3) with three channels. The first six are about captchas that
    are drawn, and tell nothing about labelled images, but that the flag `--alphabet` is their alphabet too.
    """

    alphabet: str = _option("0123456789", "characters that are drawn, or that labels may have, each once")
    min_length: int = _option(3, "least number of characters in a drawn image", least=1)
    max_length: int = _option(4, "largest number of characters in a drawn image", least=1)
    renderer: str = _option("fast", "what draws the training images", choices=("fast", "captcha"))
    draw_width: int = _option(160, "width at which a captcha is drawn", least=16, most=LARGEST_SIZE)
    draw_height: int = _option(60, "height at which a captcha is drawn", least=16, most=LARGEST_SIZE)
    width: int = _option(80, "width of the images that the network reads", least=1, most=LARGEST_SIZE)
    height: int = _option(30, "height of the images that the network reads", least=1, most=LARGEST_SIZE)
    keep_ratio: bool = _option(
        False, "resize labelled images to the height alone; width is then the largest, and wider ones are squeezed"
    )
    channels: int = _option(1, "1: grey, 3: colour (labelled images only)", choices=(1, 3))
    ink: str = _option(
        "dark", "whether labelled images have dark ink, or light ink to be turned over; auto looks at each",
        choices=("dark", "light", "auto"),
    )  # fmt: skip
    normalise: str = _option(
        "fixed", "grey levels by input_mean and input_scale, or by each image's own paper and contrast",
        choices=("fixed", "image"),
    )  # fmt: skip


@dataclass(frozen=True)
class Network:
    """The network's shape.

    `lstm` takes each image column for a time step. `crnn` has convolutions before bidirectional LSTMs: a list each for
    the features of a convolution and for the size of the maximum that is taken of them.
    """

    architecture: str = _option("lstm", "which network", choices=("lstm", "crnn"))
    num_layers: int = _option(2, "LSTM layers", least=1, most=100)
    num_hidden: int = _option(100, "LSTM units a layer, and a direction", least=1, most=LARGEST_SIZE)
    cell: str = _option("fused", "graph of the LSTM in training", choices=("unrolled", "fused"), only=LSTM)
    features: Numbers = _option((32, 48, 64, 96), "features of each convolution", least=1, most=LARGEST_SIZE, only=CRNN)
    kernels: Numbers = _option((3, 3, 3, 3), "rows and columns of each convolution, odd", least=1, most=99, only=CRNN)
    strides: Numbers = _option((1, 1, 1, 1), "step of each convolution, both ways", least=1, most=99, only=CRNN)
    pool_heights: Numbers = _option((2, 2, 2, 2), "rows of which each convolution keeps one", least=1, only=CRNN)
    pool_widths: Numbers = _option((2, 2, 1, 1), "columns of which each convolution keeps one", least=1, only=CRNN)
    batch_norm: bool = _option(True, "batch norm after each convolution", only=CRNN)
    dropout: float = _option(
        0.0, "share of the values set to 0 after each LSTM layer while training", least=0.0, most=0.95, only=CRNN
    )
    input_mean: float = _option(225.0, "grey level (0 to 255) that the network sees as 0: about the paper's")
    input_scale: float = _option(20.0, "grey levels darker than input_mean that the network sees as 1", least=1e-6)


@dataclass(frozen=True)
class Training:
    """How the network is trained. One epoch is samples_per_epoch images that were never seen before."""

    loss: str = _option("ctc", "CTC loss layer", choices=("ctc", "warpctc"))
    batch_size: int = _option(32, "images a step", least=1, most=LARGEST_SIZE)
    num_epoch: int = _option(12, "epochs at the most", least=1)
    samples_per_epoch: int = _option(
        15_000, "training images an epoch; 0 is as many as there are labelled ones", least=0
    )
    validation_samples: int = _option(3_000, "drawn images for validation, the same ones every epoch", least=1)
    optimizer: str = _option("adam", "optimizer", choices=("adam", "sgd", "rmsprop"))
    learning_rate: float = _option(4e-3, "peak learning rate", least=0.0)
    momentum: float = _option(0.9, "momentum", least=0.0, only={"optimizer": ("sgd",)})
    weight_decay: float = _option(0.0, "weight decay", least=0.0)
    warmup_steps: int = _option(
        200,
        "steps in which the learning rate rises from 0 to its peak",
        least=0,
        only={"schedule": ("cosine", "constant", "plateau")},
    )
    schedule: str = _option(
        "cosine", "learning rate after the warm-up (one_cycle needs none; plateau: less where validation stands still)",
        choices=("cosine", "constant", "one_cycle", "plateau"),
    )  # fmt: skip
    plateau_patience: int = _option(
        5, "epochs without better validation before the rate falls", least=1, only={"schedule": ("plateau",)}
    )
    plateau_factor: float = _option(
        0.5, "what the rate is multiplied by then", least=0.0, most=1.0, only={"schedule": ("plateau",)}
    )
    stop_patience: int = _option(0, "stop after so many epochs without a better validation; 0 is never", least=0)
    keep: int = _option(0, "newest checkpoints to keep, besides the best; 0 is all", least=0)
    clip_gradient: float = _option(1.0, "bound on the norm of the gradients, all together; 0 is no bound", least=0.0)
    seed: int = _option(0, "seed of images, initial weights and order", least=0, most=2**64 - 1)
    target_accuracy: float = _option(
        0.0, "stop after the epoch whose validation accuracy reaches this; 0 is never", least=0.0, most=1.0
    )


@dataclass(frozen=True)
class Augmentation:
    """How labelled images are changed before the network sees them in training, each by a random amount.

    Each number is the largest change, evenly distributed over both directions where there are two; 0 is none.
    """

    augment: bool = _option(False, "change labelled training images at random, in the ranges that follow")
    max_rotation: float = _option(0.5, "degrees", least=0.0, most=180.0, only=AUGMENT)
    max_slant: float = _option(
        0.2, "columns that a row moves against the one below it", least=0.0, most=2.0, only=AUGMENT
    )
    max_scale: float = _option(
        0.1,
        "share by which width and height (as far as there is room) change, each its own",
        least=0.0,
        most=0.5,
        only=AUGMENT,
    )
    max_padding: float = _option(
        0.1, "paper added left and right, each its own, as a share of the height", least=0.0, most=2.0, only=AUGMENT
    )
    max_shift: float = _option(
        0.1,
        "share of the height that the ink moves up or down, as far as there is room",
        least=0.0,
        most=1.0,
        only=AUGMENT,
    )
    max_warp: float = _option(
        0.0, "elastic warp: share of the height that a point moves", least=0.0, most=0.1, only=AUGMENT
    )
    max_brightness: float = _option(0.1, "share of the full range of levels", least=0.0, most=1.0, only=AUGMENT)
    max_contrast: float = _option(
        0.3, "contrast is multiplied by 1/(1 + this) to 1 + this", least=0.0, most=10.0, only=AUGMENT
    )
    max_blur: float = _option(0.5, "standard deviation in pixels", least=0.0, most=20.0, only=AUGMENT)
    max_noise: float = _option(0.0, "standard deviation in levels of 255", least=0.0, most=128.0, only=AUGMENT)
    max_hue: float = _option(0.0, "degrees on the colour circle", least=0.0, most=180.0, only=AUGMENT_COLOURS)
    max_saturation: float = _option(0.0, "share by which saturation changes", least=0.0, most=1.0, only=AUGMENT_COLOURS)


@dataclass(frozen=True)
class Hyperparameters:
    """All of them. Inconsistent values raise InputError when the object is made."""

    data: Data = field(default_factory=Data)
    network: Network = field(default_factory=Network)
    training: Training = field(default_factory=Training)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        for section in fields(self):
            _check_values(section.name, getattr(self, section.name))
        Alphabet(tuple(self.data.alphabet))
        self._check_convolutions()
        if self.data.keep_ratio and (self.network.architecture, self.network.cell) == ("lstm", "unrolled"):
            raise InputError("keep_ratio: an unrolled graph has one number of steps; take cell fused")
        if self.data.min_length > self.data.max_length:
            raise InputError(f"min_length {self.data.min_length} is larger than max_length {self.data.max_length}")

    def check_drawn(self) -> None:
        """Raises InputError where captchas could be drawn that cannot be aligned with the time steps."""
        needed = 2 * self.data.max_length - 1  # a blank between two equal neighbours, at the worst
        if needed > self.num_steps:
            raise InputError(
                f"max_length {self.data.max_length} does not fit: a text of equal characters would need {needed} time "
                f"steps, and images {self.data.width} wide give {self.num_steps}"
            )

    def _check_convolutions(self) -> None:
        network = self.network
        lists = {name: getattr(network, name) for name in CONVOLUTION_LISTS}
        if not network.features or len({len(each) for each in lists.values()}) > 1:
            told = ", ".join(f"{len(each)} {name}" for name, each in lists.items())
            raise InputError(f"network: a convolution has one number in each list; there are {told}")
        if even := [kernel for kernel in network.kernels if kernel % 2 == 0]:
            raise InputError(f"network.kernels: {even[0]} is even; a kernel has a middle, so it is odd")
        sizes = self.map_sizes()
        if network.architecture == "crnn" and not all(sizes[-1]):
            told = ", ".join(f"{width}x{height}" for width, height in sizes)
            raise InputError(
                f"network: images of {self.data.width}x{self.data.height} are too small for these convolutions: "
                f"nothing would be left. Width x height after each, by its stride and its pool: {told}"
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

    def idle(self, name: str) -> str:
        """Why a hyperparameter means nothing beside the others, "with optimizer adam" say; "" if it does."""
        known = options()
        for other, accepted in known[name][1].metadata["only"].items():
            value = getattr(getattr(self, known[other][0]), other)
            if value not in accepted:
                return f"with {other} {str(value).lower() if isinstance(value, bool) else value}"
        return ""

    def map_sizes(self) -> list[tuple[int, int]]:
        """(width, height) of the maps after each convolution and its maximum, of an image of the full size."""
        network, sizes = self.network, [(self.full_width, self.data.height)]
        for stride, rows, columns in zip(network.strides, network.pool_heights, network.pool_widths, strict=True):
            width, height = (-(-size // stride) for size in sizes[-1])
            sizes.append((width // columns, height // rows))
        return sizes[1:]

    @property
    def num_steps(self) -> int:
        """Time steps that the network makes of an image of the full width."""
        return self.map_sizes()[-1][0] if self.network.architecture == "crnn" else self.data.width

    @property
    def num_rows(self) -> int:
        """Rows that the convolutions leave of an image."""
        return self.map_sizes()[-1][1]

    @property
    def columns_a_step(self) -> int:
        """Image columns to a time step."""
        if self.network.architecture == "lstm":
            return 1
        return math.prod(self.network.strides) * math.prod(self.network.pool_widths)

    @property
    def full_width(self) -> int:
        """Columns of a batch of the widest images: with keep_ratio, whole time steps."""
        if not self.data.keep_ratio:
            return self.data.width
        return -(-self.data.width // self.columns_a_step) * self.columns_a_step

    def batch_width(self, width: int) -> int:
        """Columns of a batch whose widest image has `width`: whole sixteenths of the full width, in whole time steps,
        as each different width costs a network that is bound."""
        piece = -(-self.full_width // (BATCH_WIDTHS * self.columns_a_step)) * self.columns_a_step
        return min(-(-width // piece) * piece, self.full_width)

    def resized_width(self, width: int, height: int) -> int:
        """Columns that are left of an image of this size once it has the network's height, without padding."""
        if not self.data.keep_ratio:
            return self.data.width
        return min(max(1, round(width * self.data.height / height)), self.data.width)

    def steps_of(self, width: int, height: int) -> int:
        """Time steps that the network makes of an image of this size."""
        if not self.data.keep_ratio:
            return self.num_steps
        return -(-self.resized_width(width, height) // self.columns_a_step)


def read_sections(path: str | Path) -> dict[str, dict[str, Any]]:
    """{section: {name: value}} of a JSON file, or of a model's description (PREFIX.json), which has them in it.

    Raises InputError that names the file, also for names and values that are not accepted.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
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
