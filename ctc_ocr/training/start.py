"""The model that a run of labelled images starts from: the starter, where it fits, or the one that is named."""

import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from ctc_ocr.checkpoint.bundle import find_model
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.checkpoint.starter import STARTER
from ctc_ocr.checkpoint.stored_model import DESCRIPTION
from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.errors import InputError

KNOWN_UNITS = 0.5  # at least this fraction of the labels' units must be known to the starter
# What decides the pixels that the network is given, and how many time steps it makes of them.
OF_PIXELS = ("height", "width", "channels", "keep_ratio", "ink", "crop", "normalise")

log = logging.getLogger(__name__)


def starter_fits(hyperparameters: Hyperparameters, frequencies: Counter[str]) -> bool:
    """Whether the starter is a start: its network is the same, and it knows most of the labels' units.

    frequencies: how often each unit occurs in the labels. Letters count as known in either case.
    """
    stored = find_model(STARTER)
    content = stored.read(DESCRIPTION)
    assert content is not None
    model = Model.from_json(content, stored.where(DESCRIPTION))
    same = _shape_of(model.hyperparameters) == _shape_of(hyperparameters)
    known = {form for unit in model.alphabet.units for form in (unit, unit.lower(), unit.upper())}
    count = sum(number for unit, number in frequencies.items() if unit in known)
    return same and count >= KNOWN_UNITS * sum(frequencies.values())


def _shape_of(hyperparameters: Hyperparameters) -> tuple[object, ...]:
    """What must be equal for all layers below the last one to fit, and to see what they were trained on."""
    network = replace(hyperparameters.network, dropout=0.0)
    data = hyperparameters.data
    return network, data.height, data.channels, data.keep_ratio, data.normalise


def network_of(model: str | Path) -> dict[str, dict[str, Any]]:
    """{section: {name: value}} of a model's network and of the images that it takes; empty for MXNet's example.

    Raises InputError if there is no such model, or if its description is broken.
    """
    try:
        stored = find_model(model)
        content = stored.read(DESCRIPTION)
        if content is None:
            return {}
        sections = Model.from_json(content, stored.where(DESCRIPTION)).hyperparameters.to_dict()
    except InputError as error:
        raise error.within("init_from") from None
    log.info("Network and size of the images are those of %s; --preset or --config names others", model)
    data = {name: sections["data"][name] for name in OF_PIXELS}
    return {"data": data, "network": sections["network"]}
