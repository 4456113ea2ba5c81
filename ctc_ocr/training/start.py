"""The model that a run of labelled images starts from: the starter, where it fits, or the one that is named."""

import logging
import os
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctc_ocr.checkpoint.bundle import find_model
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.checkpoint.known_images import KnownImages
from ctc_ocr.checkpoint.provenance import path_from, start_of
from ctc_ocr.checkpoint.starter import NO_MODEL, STARTER
from ctc_ocr.checkpoint.stored_model import StoredRun, stored_description, stored_known_images
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.errors import InputError
from ctc_ocr.training.settings import RunOptions

if TYPE_CHECKING:
    from ctc_ocr.checkpoint.model_files import Checkpoint

KNOWN_UNITS = 0.5  # at least this fraction of the labels' units must be known to the starter
# What decides the pixels that the network is given, and how many time steps it makes of them.
OF_PIXELS = (
    "height", "width", "channels", "keep_ratio", "letterbox", "ink", "writing", "crop", "top_edge", "bottom_edge",
    "straighten", "binarise", "grey", "normalise",
)  # fmt: skip

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """What a run starts from, by its options."""

    options: RunOptions

    @property
    def named(self) -> str | Path | None:
        """The model that the user names."""
        name = self.options.init_from
        return None if str(name) == NO_MODEL else name

    @property
    def may_be_starter(self) -> bool:
        """Whether it is the starter where that fits."""
        return self.options.init_from is None and not self.options.resume

    @property
    def uses_starter(self) -> bool:
        """Whether it is the starter where that fits, or was for the run that is resumed."""
        if not self.options.resume:
            return self.may_be_starter
        model = stored_description(StoredRun(self.options.prefix, epoch=0))  # the same for all epochs
        return model is not None and model.init_from == STARTER

    def refuse_replaced(self, prefix: str) -> None:
        """Raises InputError if there is no model of the name that the user gives, or if it is of the run under a
        prefix, whose files would be replaced."""
        if (name := self.named) is None:
            return
        try:
            if os.path.realpath(find_model(name).prefix) == os.path.realpath(prefix):
                raise InputError("is of the run that --overwrite replaces: use another --prefix", name)
        except InputError as error:
            raise error.within("init_from") from None

    def images_before(self) -> KnownImages | None:
        """The images of the run that is resumed or, for a new run, of the named model. Raises InputError."""
        if self.options.resume:
            run = StoredRun(self.options.prefix, epoch=0)  # the same for all epochs
            if (known := stored_known_images(run)) is not None:
                return known
            # A run that was killed when it had just saved its first checkpoint: it had split its images by these.
            start = start_of(run)
            return None if start is None else stored_known_images(start)
        if self.named is None:
            return None
        try:
            return stored_known_images(find_model(self.named))
        except InputError as error:
            raise error.within("init_from") from None

    def checkpoint(self, why_not: str | None) -> "Checkpoint | None":
        """The model, if there is one; says so if it is the starter, or why not. Imports MXNet for a model.

        why_not: what why_not_starter says of labelled images; None for captchas. Raises InputError for a model that
        cannot be used.
        """
        name = self.named
        if self.may_be_starter and why_not is not None:
            if why_not:
                log.info("Starting from nothing: the starter model %s", why_not)
            else:
                log.info("Starting from the starter model; --init_from none starts from nothing")
                name = STARTER
        if name is None:
            return None
        from ctc_ocr.checkpoint.model_files import load_stored

        try:
            return load_stored(find_model(name))
        except InputError as error:
            raise error.within("init_from") from None


def earlier_start(named: str | None, prefix: str, weights: int | None) -> "Checkpoint | None":
    """The model that the run under a prefix started from, as its description names it (None: from none). Logs where it
    cannot be read any more, or has other weights than then, by their checksum (None: not known). Imports MXNet."""
    if named is None:
        return None
    from ctc_ocr.checkpoint.model_files import load_stored
    from ctc_ocr.checkpoint.training_state import checksum

    try:
        start = load_stored(find_model(path_from(named, prefix)))
        if weights is not None and checksum(start.arg_params) != weights:
            raise InputError("it has other weights than when the run began", start.params_file)
    except (InputError, OSError, ValueError) as error:  # a path from a file may be anything
        warn_of_lost_start(error)
        return None
    return start


def warn_of_lost_start(error: Exception) -> None:
    """Log that a run goes on without the model that it started from."""
    log.warning(
        "The model that the run started from cannot be used any more, so weights are not averaged with it: %s", error
    )


def starter_fits(hyperparameters: Hyperparameters, frequencies: Counter[str]) -> bool:
    """Whether the starter is a start: its network is the same, and it knows most of the labels' units.

    frequencies: how often each unit occurs in the labels. Letters count as known in either case. Spaces do not count:
    there is nothing to read, and a sum such as `46 - 5 = ?` has as many as digits.
    """
    return not why_not_starter(hyperparameters, frequencies)


def why_not_starter(hyperparameters: Hyperparameters, frequencies: Counter[str]) -> str:
    """Why the starter is no start, as the end of a sentence about it; "" if it is one. See starter_fits."""
    model = _starter()
    if names := _others(model.hyperparameters, hyperparameters):
        return f"has another {', '.join(names)}"
    if hyperparameters.data.height < (height := model.hyperparameters.data.height):
        return f"reads images of a height of {height} or more, and these have {hyperparameters.data.height}"
    known = {form for unit in model.alphabet.units for form in (unit, unit.lower(), unit.upper())}
    visible = {unit: number for unit, number in frequencies.items() if not unit.isspace()}
    count, total = sum(number for unit, number in visible.items() if unit in known), sum(visible.values())
    if count < KNOWN_UNITS * total:
        return f"knows {count} of the {total} units in the labels, less than half"
    return ""


def starter_units() -> tuple[str, ...]:
    """The units of the starter's alphabet."""
    return _starter().alphabet.units


def _starter() -> Model:
    model = stored_description(find_model(STARTER))
    assert model is not None
    return model


def _others(starter: Hyperparameters, other: Hyperparameters) -> list[str]:
    """The names of what must be equal for all layers below the last one to fit, and to see what they were trained on,
    and is not."""
    if other.network.architecture != starter.network.architecture:
        return ["architecture"]  # with one of the user's own, the other names may mean anything
    own, given = _shape_of(starter), _shape_of(other)
    return [name for name in own if own[name] != given[name]]


def _shape_of(hyperparameters: Hyperparameters) -> dict[str, object]:
    network, data = hyperparameters.network, hyperparameters.data
    # The last pooling differs for taller images: see for_height.
    same = replace(network, dropout=0.0, pool_heights=network.pool_heights[:-1])
    of_data = {name: getattr(data, name) for name in ("channels", "keep_ratio", "normalise", "writing")}
    rows = hyperparameters.geometry.num_rows
    return {**asdict(same), **of_data, "number of rows after the convolutions": rows}


def network_of(model: str | Path) -> dict[str, dict[str, Any]]:
    """{section: {name: value}} of a model's network and of the images that it takes; empty for MXNet's example.

    Raises InputError if there is no such model, or if its description is broken.
    """
    try:
        described = stored_description(find_model(model))
    except InputError as error:
        raise error.within("init_from") from None
    if described is None:
        return {}
    sections = described.hyperparameters.to_dict()
    log.info("Network and size of the images are those of %s; --preset or --config names others", model)
    data = {name: sections["data"][name] for name in OF_PIXELS}
    return {"data": data, "network": sections["network"]}
