"""All hyperparameters in one frozen object, read from and written to JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from ctc_ocr.alphabet import Alphabet, required_steps
from ctc_ocr.config.geometry import Geometry
from ctc_ocr.config.registries import ARCHITECTURES
from ctc_ocr.config.schema import Option, check_section, options_of, refuse_unknown, section_from_dict
from ctc_ocr.config.sections import Augmentation, Data, Network, Training
from ctc_ocr.errors import InputError, check_kind
from ctc_ocr.runtime.text_files import read_json

SECTIONS: dict[str, type] = {"data": Data, "network": Network, "training": Training, "augmentation": Augmentation}
MIN_ROWS = 0.05  # of the height, that must be read
BUILT_IN = ("lstm", "crnn", "cnn")  # architectures: one of the user's own may use any hyperparameter as it likes
MAX_VALUES = 2**25  # of one image in one array: 128 MiB
CONVOLUTION_LISTS = ("features", "kernels", "strides", "pool_heights", "pool_widths")
# Names of version 0.1, which its files have; section, old name -> new name.
RENAMED = {
    "network": {"cell": "lstm_graph"},
    "training": {"warmup_steps": "warmup_updates"},
    "augmentation": {"max_slant": "max_shear"},
}


@dataclass(frozen=True)
class Hyperparameters:
    """All hyperparameters. Inconsistent values raise InputError when the object is made."""

    data: Data = field(default_factory=Data)
    network: Network = field(default_factory=Network)
    training: Training = field(default_factory=Training)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        for name, kind in SECTIONS.items():
            check_kind(kind, **{name: getattr(self, name)})
        ARCHITECTURES.get(self.network.architecture)  # one that is not registered is told apart from a bad value
        for section in fields(self):
            check_section(section.name, getattr(self, section.name))
        Alphabet(tuple(self.data.alphabet))
        self._check_convolutions()
        self._check_values()
        if self.data.keep_ratio and (self.network.architecture, self.network.lstm_graph) == ("lstm", "unrolled"):
            raise InputError("an unrolled graph has a fixed number of time steps; use lstm_graph fused", "keep_ratio")
        if self.training.loss == "softmax" and self.geometry.num_steps != 1:
            raise InputError(
                f"softmax is for networks of one time step, such as architecture cnn; {self.network.architecture} "
                f"makes {self.geometry.num_steps} of an image {self.data.width} wide",
                "training.loss",
            )
        if self.data.bottom_edge - self.data.top_edge < MIN_ROWS:
            raise InputError(f"bottom_edge must be at least {MIN_ROWS} more than top_edge", "data.bottom_edge")
        if self.data.letterbox and self.data.keep_ratio:
            raise InputError(
                "is for images of one size, and keep_ratio for images of many widths: use one of them", "data.letterbox"
            )
        if self.data.binarise != "none" and self.data.channels != 1:
            raise InputError("needs channels 1: black and white have no colour", "data.binarise")
        if self.data.grey != "luminance" and self.data.channels != 1:
            raise InputError("needs channels 1: with channels 3, the network is given the colours", "data.grey")
        if self.data.min_length > self.data.max_length:
            raise InputError(f"min_length {self.data.min_length} is greater than max_length {self.data.max_length}")

    @cached_property
    def geometry(self) -> Geometry:
        """Widths and time steps that follow from data and network."""
        return Geometry(self.data, self.network)

    def check_generated(self) -> None:
        """Raises InputError if a captcha could be generated that cannot be aligned with the time steps."""
        needed = required_steps("0" * self.data.max_length)  # equal characters need the most
        steps = self.geometry.num_steps
        if needed > steps:
            raise InputError(
                f"{self.data.max_length} is too much: a text of equal characters would need {needed} time steps, and "
                f"images {self.data.width} wide have {steps}",
                "max_length",
            )

    def _check_convolutions(self) -> None:
        network = self.network
        if network.architecture not in BUILT_IN:
            return
        lists = {name: getattr(network, name) for name in CONVOLUTION_LISTS}
        if not network.features or len({len(each) for each in lists.values()}) > 1:
            given = ", ".join(f"{len(each)} {name}" for name, each in lists.items())
            raise InputError(f"each list needs one entry per convolution; there are {given}", "network")
        if even := [kernel for kernel in network.kernels if kernel % 2 == 0]:
            raise InputError(f"{even[0]} is even; kernel sizes must be odd", "network.kernels")
        if network.architecture == "lstm":
            return
        sizes = self.geometry.map_sizes()
        if not all(sizes[-1]):
            shown = ", ".join(f"{width}x{height}" for width, height in sizes)
            raise InputError(
                f"images of {self.data.width}x{self.data.height} are too small for these convolutions. "
                f"Width x height after each one and its pooling: {shown}",
                "network",
            )

    def _check_values(self) -> None:
        """Small files can describe networks that need any amount of memory for an image."""
        if (values := self.geometry.values_per_image) > MAX_VALUES:
            raise InputError(
                f"{values:,} values of one image would be computed at once; accepted are at most {MAX_VALUES:,}: use "
                "smaller images, fewer features, or fewer LSTM units",
                "network",
            )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "hyperparameters") -> "Hyperparameters":
        """From {section: {name: value}}; what is not named keeps its default. Names of version 0.1 are accepted.

        Raises InputError within `where` for an unknown key, a wrong type or a value out of range.
        """
        try:
            refuse_unknown(values, list(SECTIONS), "section")
            renamed = with_new_names(values)
            return cls(
                **{name: section_from_dict(name, kind, renamed.get(name, {})) for name, kind in SECTIONS.items()}
            )
        except InputError as error:
            raise error.within(where) from None

    def to_dict(self) -> dict[str, Any]:
        """{section: {name: value}}, ready for JSON; from_dict gives the same object back."""
        return asdict(self)

    def without_effect(self, name: str) -> str:
        """Why a hyperparameter has no effect with the others, such as "with optimizer adam"; "" if it has one."""
        known = options()
        for other, accepted in known[name].rule.requires.items():
            value = getattr(getattr(self, known[other].section), other)
            if other == "architecture" and value not in BUILT_IN:
                continue
            if value not in accepted:
                return f"with {other} {str(value).lower() if isinstance(value, bool) else value}"
        return ""


def with_new_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """{section: {name: value}} with the names of version 0.1 replaced by today's. Other values pass unchanged."""
    return {
        section: {RENAMED.get(section, {}).get(name, name): value for name, value in named.items()}
        if isinstance(named, Mapping)
        else named
        for section, named in values.items()
    }


def read_sections(path: str | Path) -> dict[str, dict[str, Any]]:
    """{section: {name: value}} of a JSON file, or of a model's description (PREFIX.json), which contains them.

    Raises InputError that names the file, also for names and values that are not accepted.
    """
    return _sections_of(path)[0]


def read_config(path: str | Path) -> dict[str, dict[str, Any]]:
    """As read_sections, for a new run: a description is taken without_workers."""
    sections, of_a_run = _sections_of(path)
    return without_workers(sections) if of_a_run else sections


def without_workers(sections: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """{section: {name: value}} of a run, without its number of workers: it suits the machine on which the run began."""
    return {
        section: {name: value for name, value in values.items() if name != "workers"}
        for section, values in sections.items()
    }


def _sections_of(path: str | Path) -> tuple[dict[str, dict[str, Any]], bool]:
    """What read_sections returns, and whether the file is a model's description."""
    values = read_json(path)
    of_a_run = isinstance(values, dict) and "format" in values
    if of_a_run:
        values = values.get("hyperparameters")
    Hyperparameters.from_dict(values, where=str(path))
    return cast(dict[str, dict[str, Any]], with_new_names(values)), of_a_run


def options() -> dict[str, Option]:
    """Every hyperparameter by its name."""
    return options_of(SECTIONS)
