"""The network of a model that a run starts from, when no other is asked for: only layers of the same shapes fit."""

import logging
from pathlib import Path
from typing import Any

from ctc_ocr.checkpoint.bundle import find_model
from ctc_ocr.checkpoint.description import Model
from ctc_ocr.checkpoint.stored_model import DESCRIPTION
from ctc_ocr.errors import InputError

# What decides the pixels that the network is given, and how many time steps it makes of them.
OF_PIXELS = ("height", "width", "channels", "keep_ratio", "ink", "crop", "normalise")

log = logging.getLogger(__name__)


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
