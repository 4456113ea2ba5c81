"""What a training is given besides its hyperparameters: the images, and where and how it runs."""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path

from ctc_ocr.alphabet import Alphabet
from ctc_ocr.config.renderers import BatchRenderer
from ctc_ocr.datasets.choices import CHOSEN
from ctc_ocr.datasets.samples import SourceOptions, checked_source_options
from ctc_ocr.errors import InputError, refuse_other, refuse_single
from ctc_ocr.training.unknown_options import names_checked

DIST_SYNC = "dist_sync"  # the key-value store of MXNet in which all workers take part in each update
ALL = "all"  # the hyperparameters that can be chosen from the images


@dataclass(frozen=True)
class Captchas:
    """Captchas, rendered while the network is trained.

    font: a font file or a folder of fonts; None for the font of the captcha package.
    renderer: an object that renders in place of the renderer that the hyperparameters name; it must be picklable.
    """

    font: str | Path | None = None
    renderer: BatchRenderer | None = None

    def __post_init__(self) -> None:
        refuse_other(self, "a path", ("font",), or_none=True)
        if isinstance(self.renderer, type):
            name = self.renderer.__name__
            raise InputError(f"expected a renderer, got the class {name}; {name}() makes one", "renderer")
        if isinstance(self.renderer, str):
            raise InputError(
                f"expected an object; preset(data={{'renderer': {self.renderer!r}}}) is for a name", "renderer"
            )


@dataclass(frozen=True)
class LabelledImages:
    """Images with their labels, and how they are split.

    source: a folder, a file with labels, a RecordIO pack, or NAME:ARGUMENT of a registered source; or a list of them,
        whose images are used together.
    validation: one or several sources of images to validate with; None for a part of `source`.
    validation_fraction: about this part, chosen by the pixels of the images (see `ctc_ocr.datasets.held_out`); None for
        a tenth, but at least 10 images, or a fifth of fewer than 50, and at most about 1,000.
    training_only: sources that are only trained on; an image that is also among the others is left out.
    alphabet: None for the units of all labels.
    max_units: longest label, 0 for any.
    max_invalid: training fails if a larger fraction of the samples is invalid.
    options: how labels are found.
    only_alphabet: skip samples with units that are not in the alphabet, in place of counting them as invalid.
    choose: names of hyperparameters that are chosen from the images, whatever they are in those that the run is given:
        crop, top_edge, bottom_edge, grey, straighten, ink, height, width and views. "all" for all of them. () for none:
        they are settled, so the run has those that it is given, and does not warn of images that seem to have the other
        ink. None, the default, is "all" for a run without hyperparameters; with them nothing is chosen, which the log
        says.

    Raises InputError for sources and options of another kind, for fractions that are out of range, for a fraction
    beside `validation`, for no source, and for other names to choose.
    """

    source: str | Path | Sequence[str | Path]
    validation: str | Path | Sequence[str | Path] | None = None
    validation_fraction: float | None = None
    training_only: str | Path | Sequence[str | Path] = ()
    alphabet: Alphabet | None = None
    max_units: int = 0
    max_invalid: float = 0.1
    options: SourceOptions = field(default_factory=SourceOptions)
    only_alphabet: bool = False
    choose: Collection[str] | None = None

    def __post_init__(self) -> None:
        refuse_other(self, "a path or a list of paths", ("source", "training_only"))
        refuse_other(self, "a path or a list of paths", ("validation",), or_none=True)
        refuse_other(self, "a number", ("validation_fraction",), or_none=True)
        refuse_other(self, "a number", ("max_invalid",))
        refuse_other(self, "an integer", ("max_units",))
        refuse_other(self, "True or False", ("only_alphabet",))
        checked_source_options(self.options)
        if self.alphabet is not None and not isinstance(self.alphabet, Alphabet):
            raise InputError("expected an Alphabet; Alphabet(tuple(text)) has the characters of a text", "alphabet")
        if self.choose == ALL:
            object.__setattr__(self, "choose", CHOSEN)
        refuse_single(self.choose, "choose")
        refuse_other(self, "a list", ("choose",), or_none=True)
        for name in self.choose or ():
            if name not in CHOSEN:
                raise InputError(f"{name!r} is not one of {', '.join(CHOSEN)}", "choose")
        for name in ("source", "validation"):
            if isinstance(getattr(self, name), Sequence) and not getattr(self, name):
                raise InputError("expected at least one source, got none", name)
        fraction = self.validation_fraction
        if self.validation is not None and fraction is not None:
            raise InputError("has no effect with validation, which names other images", "validation_fraction")
        if fraction is not None and not 0 < fraction < 1:
            raise InputError(
                f"expected a number between 0 and 1, both excluded, got {fraction:g}", "validation_fraction"
            )
        if not 0 <= self.max_invalid <= 1:
            raise InputError(f"expected a number from 0 to 1, got {self.max_invalid:g}", "max_invalid")

    @property
    def sources(self) -> tuple[str, ...]:
        """Those to train on."""
        return _strings(self.source)

    @property
    def training_only_sources(self) -> tuple[str, ...]:
        """Those of which nothing is held out."""
        return _strings(self.training_only)

    @property
    def validation_sources(self) -> tuple[str, ...]:
        """Those to validate with; empty without them."""
        return () if self.validation is None else _strings(self.validation)


def checked_options(options: object) -> "RunOptions":
    """Those of a run; the default for None. Raises InputError for anything else, such as a prefix alone."""
    if options is None:
        return RunOptions()
    if not isinstance(options, RunOptions):
        raise InputError(f"expected RunOptions, got {type(options).__name__}", "options")
    return options


def refuse_cluster(options: "RunOptions") -> None:
    """Raises InputError for a worker of a cluster, where several trainings follow each other: a cluster ends with its
    first one."""
    if options.kv_store is not None:
        raise InputError("a cluster is for one training, and these are several: leave it out", "kv_store")


def _strings(sources: str | Path | Sequence[str | Path]) -> tuple[str, ...]:
    return (str(sources),) if isinstance(sources, (str, Path)) else tuple(map(str, sources))


@names_checked(LabelledImages)
@dataclass(frozen=True)
class RunOptions:
    """Where a run is written, from what it starts, and on what it runs.

    prefix: beginning of the names of the run's files.
    resume: continue the run under the prefix.
    overwrite: replace the run under the prefix. Without `resume` and `overwrite`, an existing run is an error.
    init_from: a model whose weights are the start, as far as they fit: those of its best epoch, unless a .params is
        named. "starter" for the model that comes with the package, "none" for random weights, None for the starter if
        it fits the labelled images.
    kv_store: "dist_sync" if this process is a worker of a cluster, which the environment variables DMLC_* describe.
    num_proc: image processes; None for half the cores.
    cpu: threads of MXNet, which are fixed when it is first imported; None for the other cores. Of several workers,
        threads of each.
    gpu: number of GPUs; 0 for the CPU.
    gpu_ids: the numbers of certain GPUs, in place of `gpu`.
    tensorboard: also write files for TensorBoard.
    progress: show progress bars on a terminal.

    Raises InputError for other names, for values of another kind, and for numbers that are too small.
    """

    prefix: str = "ocr"
    resume: bool = False
    overwrite: bool = False
    init_from: str | Path | None = None
    kv_store: str | None = None
    num_proc: int | None = None
    cpu: int | None = None
    gpu: int = 0
    gpu_ids: tuple[int, ...] = ()
    tensorboard: bool = False
    progress: bool = True

    def __post_init__(self) -> None:
        refuse_other(self, "a path", ("prefix",))
        refuse_other(self, "a path", ("init_from",), or_none=True)
        refuse_other(self, "True or False", ("resume", "overwrite", "tensorboard", "progress"))
        refuse_other(self, "an integer", ("num_proc", "cpu"), or_none=True)
        refuse_other(self, "an integer", ("gpu",))
        object.__setattr__(self, "prefix", os.fspath(self.prefix))
        for name in ("num_proc", "cpu"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"expected 1 or more, got {value}", name)
        if self.kv_store not in (None, DIST_SYNC):
            raise InputError(f"{self.kv_store!r} is not {DIST_SYNC}", "kv_store")
        if self.gpu < 0:
            raise InputError(f"expected 0 or more, got {self.gpu}", "gpu")
        if self.gpu and self.gpu_ids:
            raise InputError("names the GPUs, and gpu their number: give one of the two", "gpu_ids")
        refuse_single(self.gpu_ids, "gpu_ids")
        refuse_other(self, "a list of numbers", ("gpu_ids",))
        if not all(isinstance(each, Integral) for each in self.gpu_ids):
            raise InputError(f"expected a list of numbers; got {self.gpu_ids!r}", "gpu_ids")
        if len(set(self.gpu_ids)) < len(self.gpu_ids) or any(each < 0 for each in self.gpu_ids):
            raise InputError(f"expected different numbers from 0 on, got {self.gpu_ids}", "gpu_ids")

    @property
    def gpus(self) -> tuple[int, ...]:
        """The numbers of the GPUs; none for the CPU."""
        return self.gpu_ids or tuple(range(self.gpu))
