"""Tasks: what is to be read, by one name: a preset, and which parts of the pages of a source are its images."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ctc_ocr.config.hyperparameters import Hyperparameters
from ctc_ocr.config.presets import preset
from ctc_ocr.config.registries import TASKS
from ctc_ocr.errors import check_kind, refuse_other


@dataclass(frozen=True)
class Task:
    """`preset`: the name of one. `scope`, `charset`, `seq_length`: of a source of pages, which other sources ignore:
    what one image is (such as "char"), of which characters ("kana"), and the least and greatest length of a sequence.
    `changes`: {section: {name: value}} of hyperparameters that differ from the preset's."""

    preset: str
    scope: str | None = None
    charset: str | None = None
    seq_length: tuple[int, int] | None = None
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        refuse_other(self, "a text", ("preset",))
        refuse_other(self, "a text", ("scope", "charset"), or_none=True)
        check_kind(Mapping, changes=self.changes)

    def hyperparameters(self, **sections: Mapping[str, Any]) -> Hyperparameters:
        """Those of the task, with changes: `hyperparameters(training={"num_epoch": 3})`. Raises InputError."""
        return preset(self.preset, self.changes, **sections)

    def flags(self) -> dict[str, Any]:
        """The flags that the task stands for, by their names."""
        named = {name: getattr(self, name) for name in ("preset", "scope", "charset", "seq_length")}
        return {name: value for name, value in named.items() if value is not None}


SINGLE_KANA = Task("character", scope="char", charset="kana")
SINGLE_CHARACTER = Task("character", scope="char", charset="all")
KANA_SEQUENCE = Task("sequence", scope="seq", charset="kana", seq_length=(3, 3))
LINE = Task("sequence", scope="line", charset="all", changes={"data": {"width": 1600}})


def register_task(name: str, task: Task) -> None:
    """Register a task under a name, for `--task`. Raises InputError for a built-in name, or one that is no word."""
    check_kind("a text", name=name)
    check_kind(Task, task=task)
    TASKS.add(name, task)
