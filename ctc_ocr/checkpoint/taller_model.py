"""A model that reads taller images with the same weights."""

from dataclasses import dataclass, replace
from pathlib import Path

from ctc_ocr.checkpoint.description import Model
from ctc_ocr.checkpoint.stored_model import DESCRIPTION, Part, StoredModel
from ctc_ocr.config.taller_images import for_height


@dataclass(frozen=True)
class TallerModel:
    """A stored model whose description has a greater height, in pixels, and a width that is greater in proportion; see
    StoredModel and `for_height`."""

    model: StoredModel
    height: int

    @property
    def prefix(self) -> str:
        return self.model.prefix

    @property
    def epoch(self) -> int:
        return self.model.epoch

    def where(self, part: Part) -> Path:
        return self.model.where(part)

    def read(self, part: Part) -> bytes | None:
        content = self.model.read(part)
        if part != DESCRIPTION or content is None:
            return content
        own = Model.from_json(content, self.where(part))
        taller = for_height(own.hyperparameters, self.height)
        width = -(-taller.data.width * self.height // own.hyperparameters.data.height)
        hyperparameters = replace(taller, data=replace(taller.data, width=width))
        return replace(own, hyperparameters=hyperparameters).to_json().encode("utf-8")
