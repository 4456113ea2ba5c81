"""PREFIX.json: the hyperparameters and the alphabet of a model. No MXNet."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.errors import InputError
from ctc_ocr.lengths import Lengths
from ctc_ocr.runtime.text_files import parse_json

FORMAT, VERSION = "ctc_ocr model", 2
OPTIONAL_KEYS = {"init_from", "lengths", "light_ink"}
MAX_OUTPUT = 2**25  # values of the network's output for one image: time steps times classes
READ_VERSIONS = (1, 2)  # version 1 has older names for some hyperparameters


@dataclass(frozen=True)
class Model:
    """What is needed to rebuild a network and to decode its output, besides the weights. `init_from`: the model that
    its training started from, as a path from the folder of its files; None if it started from none. `lengths`: of the
    labels that it was trained on; None for generated images. `light_ink`: the fraction of its training images that seem
    to have light ink, 0 to 1; None for generated images, and for older models."""

    hyperparameters: Hyperparameters
    alphabet: Alphabet
    init_from: str | None = None
    lengths: Lengths | None = None
    light_ink: float | None = None

    def to_json(self) -> str:
        """The text of PREFIX.json."""
        values = {
            "format": FORMAT,
            "version": VERSION,
            "hyperparameters": self.hyperparameters.to_dict(),
            "alphabet": self.alphabet.lookup,
            **({} if self.lengths is None else {"lengths": asdict(self.lengths)}),
            **({} if self.light_ink is None else {"light_ink": self.light_ink}),
            **({} if self.init_from is None else {"init_from": self.init_from}),
        }
        return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, content: bytes, path: Path) -> "Model":
        """From the content of a PREFIX.json; `path` is its name in errors. Raises InputError if it is not a description
        of these versions, or if its architecture is not registered."""
        values = parse_json(content, path)
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise InputError(f"not the description of a model: expected the format {FORMAT!r}", path)
        if values.get("version") not in READ_VERSIONS:
            accepted = ", ".join(map(str, READ_VERSIONS))
            raise InputError(f"version {values.get('version')!r} is not known; accepted: {accepted}", path)
        expected = {"format", "version", "hyperparameters", "alphabet"}
        wrong = (set(values) - OPTIONAL_KEYS) ^ expected
        if wrong:
            raise InputError(
                f"expected the keys {', '.join(sorted(expected))}; unknown or missing: {', '.join(sorted(wrong))}", path
            )
        hyperparameters = Hyperparameters.from_dict(values["hyperparameters"], where=str(path))
        lookup = values["alphabet"]
        if not isinstance(lookup, dict) or not all(type(code) is int for code in lookup.values()):
            raise InputError("the alphabet must be an object {unit: code}", path)
        init_from = values.get("init_from")
        if not isinstance(init_from, str | None):
            raise InputError("init_from must be a path", path)
        try:
            alphabet = Alphabet.from_lookup(lookup)
            if hyperparameters.geometry.num_steps * alphabet.num_classes > MAX_OUTPUT:
                raise InputError(f"more than {MAX_OUTPUT:,} outputs for one image: time steps times classes")
            lengths, light_ink = Lengths.from_values(values.get("lengths")), _fraction(values, "light_ink")
        except InputError as error:
            raise error.within(path) from None
        return cls(hyperparameters, alphabet, init_from, lengths, light_ink)


def _fraction(values: Mapping[str, Any], name: str) -> float | None:
    """None if it is not there. Raises InputError for anything but a number from 0 to 1."""
    value = values.get(name)
    if value is not None and not (type(value) in (int, float) and 0 <= value <= 1):
        raise InputError(f"expected a number from 0 to 1, got {value!r}", name)
    return None if value is None else float(value)
